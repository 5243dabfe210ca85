//! Snapshots: whole copies of the index, each at a position of the log. A start uses one if the folder's own index
//! cannot be trusted.
//!
//! Guarantees: a file with such a name is a whole database on disk, which records its position in the log; the snapshot
//! before the newest one stays. A snapshot that cannot be taken is not a failure: the log alone rebuilds the index,
//! only slower.

use crate::db::{self, DatabaseError, Verified};
use crate::faults;
use crate::store::dir::{self, Dir};
use crate::store::error::{StoreError, Unavailable};
use crate::store::folder::{DATABASE, Folder, identity, remove_database, remove_journals};
use crate::store::index;
use crate::store::record::LogId;
use crate::store::record::reader::{Reader, ScanError};
use crate::store::record::segments::{self, End};
use crate::telemetry::with_causes;
use sqlx::{Connection, SqliteConnection};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// The newest one, and the one before it.
const KEPT: usize = 2;
const NEW: &str = "snapshot.new";
/// A snapshot is due when the log since the last one is longer than the index divided by this.
const INDEX_PARTS: u64 = 4;

/// A snapshot, and its position in the log.
#[derive(Debug, Clone)]
pub(in crate::store) struct Snapshot {
    /// In the folder that holds it.
    pub(in crate::store) name: String,
    pub(in crate::store) log: LogId,
    pub(in crate::store) end: End,
    /// It was made in this folder, and not copied with it: this folder's log has reached its position.
    pub(in crate::store) is_own: bool,
}

#[derive(Debug, thiserror::Error)]
pub(in crate::store) enum SnapshotError {
    #[error("the index cannot be copied")]
    Database(#[from] sqlx::Error),
    #[error("the copy of the index cannot be written")]
    Io(#[from] io::Error),
    #[error("the index knows no log")]
    NoLog,
}

impl SnapshotError {
    pub(in crate::store) fn into_trouble(self) -> StoreError {
        Unavailable::because("no snapshot was made", self).into()
    }
}

/// Copies the index at `database` into `home`, while others read and write it. Gives up at `until`.
pub(in crate::store) async fn take(
    database: &Path,
    home: &Dir,
    until: Option<Instant>,
) -> Result<Snapshot, SnapshotError> {
    let taken = give_final_name(&make(database, home, until).await?, home)?;
    // A snapshot with a newer name belongs to another log.
    let former = names(home)?.into_iter().filter(|name| *name <= taken.name);
    for old in former.skip(KEPT) {
        remove_database(home, &old)?;
    }
    Ok(taken)
}

/// As [`take`], but gives it no final name and removes no former ones.
pub(in crate::store) async fn make(
    database: &Path,
    home: &Dir,
    until: Option<Instant>,
) -> Result<Snapshot, SnapshotError> {
    remove_database(home, NEW)?;
    let made = async {
        db::copy_whole(database, &home.path_of(NEW), until).await?;
        finish(home).await
    };
    let made = made.await;
    if made.is_err() {
        drop(remove_database(home, NEW));
    }
    made
}

async fn finish(home: &Dir) -> Result<Snapshot, SnapshotError> {
    let own = identity(home, NEW)?.ok_or(io::ErrorKind::NotFound);
    let own = own.map_err(io::Error::from)?;
    let mut copy = db::open_copy(&home.path_of(NEW)).await?;
    index::set_identities(&mut copy, own, None).await?;
    let position = index::position(&mut copy).await?;
    copy.close().await?;
    let (log, end) = position.ok_or(SnapshotError::NoLog)?;
    sync_and_drop_cache(&home.read(NEW)?)?;
    Ok(Snapshot {
        name: NEW.to_owned(),
        log,
        end,
        is_own: true,
    })
}

/// Syncs a snapshot and drops it from the page cache: it will not be read soon, and other files need the memory.
fn sync_and_drop_cache(file: &std::fs::File) -> io::Result<()> {
    file.sync_all()?;
    drop(dir::forget(file, 0));
    Ok(())
}

/// Gives a snapshot its final name. From then on it is valid.
pub(in crate::store) fn give_final_name(new: &Snapshot, home: &Dir) -> io::Result<Snapshot> {
    let name = name(new.end.sequence);
    faults::step("snapshot-made");
    // SQLite would apply a leftover journal of this name to the snapshot. A former snapshot of this name stays until
    // the rename.
    remove_journals(home, &name)?;
    home.rename(&new.name, home, &name)?;
    faults::step("snapshot-named");
    home.sync()?;
    Ok(Snapshot {
        name,
        ..new.clone()
    })
}

/// Copies a snapshot from one folder to another under the same name, which it gets last.
pub(in crate::store) fn copy_to(from: &Dir, snapshot: &Snapshot, home: &Dir) -> io::Result<()> {
    remove_database(home, NEW)?;
    sync_and_drop_cache(&from.copy(&snapshot.name, home, NEW)?)?;
    give_final_name(
        &Snapshot {
            name: NEW.to_owned(),
            ..snapshot.clone()
        },
        home,
    )?;
    Ok(())
}

/// The readable snapshots of a folder, the newest first. Creates no file next to them.
pub(in crate::store) async fn all(home: &Dir) -> io::Result<Vec<Snapshot>> {
    Ok(all_and_unreadable(home).await?.0)
}

/// As [`all`], with the names of unreadable ones.
async fn all_and_unreadable(home: &Dir) -> io::Result<(Vec<Snapshot>, Vec<String>)> {
    let (mut found, mut unreadable) = (Vec::new(), Vec::new());
    for name in names(home)? {
        match look(home, &name).await {
            Ok(Some(snapshot)) => found.push(snapshot),
            Ok(None) => unreadable.push(name),
            Err(error) => {
                let path = home.path_of(&name);
                let error = with_causes(&error);
                tracing::warn!(error, path = %path.display(), "a snapshot cannot be read");
                unreadable.push(name);
            }
        }
    }
    Ok((found, unreadable))
}

async fn look(home: &Dir, name: &str) -> Result<Option<Snapshot>, sqlx::Error> {
    let Some(file) = identity(home, name).map_err(sqlx::Error::Io)? else {
        return Ok(None);
    };
    let mut copy = open(home, name).await?;
    let looked = async {
        let position = index::position(&mut copy).await?;
        let (own, _) = index::identities(&mut copy).await?;
        Ok::<_, sqlx::Error>(position.map(|(log, end)| Snapshot {
            name: name.to_owned(),
            log,
            end,
            is_own: own.is_some_and(|own| own.is_same_file(file)),
        }))
    };
    let looked = looked.await;
    copy.close().await?;
    looked
}

/// Opens a snapshot for reading. Ignores a journal from another time that may lie next to it.
pub(in crate::store) async fn open(
    home: &Dir,
    name: &str,
) -> Result<SqliteConnection, sqlx::Error> {
    // SQLite opens by path: it would follow a link, or block on a pipe.
    home.length(name).map_err(sqlx::Error::Io)?;
    db::open_main_file(&home.path_of(name)).await
}

/// What the snapshots of a folder show about its log.
#[derive(Debug, Default)]
pub(in crate::store) struct Survey {
    /// The snapshots of this log, the newest first, and whether the log reaches their position without a gap or earlier
    /// damage.
    pub(in crate::store) of_log: Vec<(Snapshot, bool)>,
    /// A snapshot that was made in this folder and belongs to another log.
    pub(in crate::store) own_of_another_log: Option<String>,
    /// Of the unreadable snapshots, the newest by name, and the sequence in its name.
    pub(in crate::store) unreadable: Option<(String, u64)>,
}

impl Survey {
    /// Whether one of the snapshots of this log was made in this folder; `None` if there are no such snapshots.
    pub(in crate::store) fn is_own(&self) -> Option<bool> {
        let own = self.of_log.iter().map(|(snapshot, _)| snapshot.is_own);
        own.reduce(|one, other| one || other)
    }

    /// Whether the folder was not copied, according to its index (`known`) and its snapshots; `None` if neither shows
    /// it.
    pub(in crate::store) fn is_own_by(&self, known: Option<bool>) -> Option<bool> {
        match (known, self.is_own()) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (known, said) => known.or(said),
        }
    }

    /// The snapshots that a log with this last record does not reach.
    pub(in crate::store) fn not_reached_by(&self, end: u64) -> Vec<String> {
        let of_log = self.of_log.iter().filter(|(_, is_reached)| !is_reached);
        let unreadable = self
            .unreadable
            .iter()
            .filter(|(_, sequence)| *sequence > end);
        (of_log.map(|(snapshot, _)| snapshot.name.clone()))
            .chain(unreadable.map(|(name, _)| name.clone()))
            .collect()
    }

    pub(in crate::store) fn reached(&self) -> Vec<Snapshot> {
        let reached = self.of_log.iter().filter(|(_, is_reached)| *is_reached);
        reached.map(|(snapshot, _)| snapshot.clone()).collect()
    }
}

pub(in crate::store) async fn survey(
    home: &Dir,
    dir: &Dir,
    log: LogId,
) -> Result<Survey, ScanError> {
    let (mut snapshots, unreadable) = all_and_unreadable(home).await?;
    let mut others = snapshots
        .iter()
        .filter(|snapshot| snapshot.log != log && snapshot.is_own);
    let own_of_another_log = others.next().map(|snapshot| snapshot.name.clone());
    let unreadable = unreadable.into_iter().find_map(|name| {
        let sequence = sequence_of(&name)?;
        Some((name, sequence))
    });
    snapshots.retain(|snapshot| snapshot.log == log);
    let newest = snapshots.iter().map(|snapshot| snapshot.end.sequence).max();
    let Some(newest) = newest else {
        return Ok(Survey {
            own_of_another_log,
            unreadable,
            ..Survey::default()
        });
    };
    let dir = dir.clone();
    let ends: Vec<End> = snapshots.iter().map(|snapshot| snapshot.end).collect();
    let reached = tokio::task::spawn_blocking(move || ends_reached(&dir, log, newest, &ends));
    let reached = reached.await.map_err(io::Error::other)??;
    Ok(Survey {
        of_log: snapshots.into_iter().zip(reached).collect(),
        own_of_another_log,
        unreadable,
    })
}

/// The first of these whose checksums match and in which SQLite finds no error. Logs a warning for each damaged one
/// before it.
pub(in crate::store) async fn first_whole(home: &Dir, snapshots: &[Snapshot]) -> Option<Snapshot> {
    for snapshot in snapshots {
        let path = home.path_of(&snapshot.name);
        match is_whole(home, &snapshot.name).await {
            Ok(true) => return Some(snapshot.clone()),
            Ok(false) => {
                tracing::warn!(path = %path.display(), "a snapshot is damaged, and not used");
            }
            Err(error) => {
                let error = with_causes(&error);
                tracing::warn!(error, path = %path.display(), "a snapshot is damaged, and not used");
            }
        }
    }
    None
}

/// The first page of a snapshot that does not match its checksum; pauses for `pause` after each MiB. `None` if all
/// pages match, or if the snapshot was replaced meanwhile.
pub(in crate::store) async fn verify(
    home: &Dir,
    name: &str,
    pause: Duration,
) -> io::Result<Option<u32>> {
    let file = match home.read(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    Ok(match db::verify_in_use(file.into(), pause).await? {
        Verified::Damaged { page } => Some(page),
        Verified::Whole | Verified::WithoutChecksums => None,
    })
}

/// Whether the checksums of its pages match and SQLite finds no error in it.
pub(in crate::store) async fn is_whole(home: &Dir, name: &str) -> Result<bool, sqlx::Error> {
    let file = home.read(name)?;
    let verified = tokio::task::spawn_blocking(move || db::verify(file));
    if let Verified::Damaged { .. } = verified.await.map_err(io::Error::other)?? {
        return Ok(false);
    }
    let mut copy = open(home, name).await?;
    let whole = db::is_whole(&mut copy).await;
    copy.close().await?;
    whole
}

fn ends_reached(dir: &Dir, log: LogId, newest: u64, ends: &[End]) -> Result<Vec<bool>, ScanError> {
    let mut reached = vec![false; ends.len()];
    let Some(begin) = segments::begin(dir)? else {
        return Ok(reached);
    };
    let mut reader = Reader::new(dir, log, begin)?;
    loop {
        match reader.next() {
            Ok(Some((_, end))) => {
                for (at, reached) in ends.iter().zip(&mut reached) {
                    *reached |= *at == end;
                }
                if end.sequence >= newest {
                    return Ok(reached);
                }
            }
            // The next calls return the records before the damage.
            Err(ScanError::Damaged { .. }) => {}
            Ok(None) => return Ok(reached),
            Err(error) => return Err(error),
        }
    }
}

/// Replaces the index by a snapshot.
pub(in crate::store) async fn restore(
    snapshot: &Snapshot,
    folder: &Folder,
) -> Result<SqliteConnection, DatabaseError> {
    let home = folder.home();
    remove_database(home, NEW)?;
    if db::has_checksums(&home.path_of(&snapshot.name))? {
        home.copy(&snapshot.name, home, NEW)?;
    } else {
        db::copy_with_checksums(&home.path_of(&snapshot.name), &home.path_of(NEW)).await?;
        home.read(NEW)?.sync_all()?;
    }
    home.rename(NEW, home, DATABASE)?;
    home.sync()?;
    index::open(folder).await
}

/// When a running server takes the next snapshot.
#[derive(Debug)]
pub(in crate::store) struct Renewal {
    /// The position of the newest snapshot in the log; `None` if there is none.
    last: Option<End>,
    /// Time of the last attempt, by the monotonic clock.
    taken: Option<Duration>,
}

impl Renewal {
    /// For a folder that is opened read-only: no snapshot is ever taken.
    pub(in crate::store) fn none() -> Self {
        Self {
            last: None,
            taken: None,
        }
    }

    pub(in crate::store) async fn after(home: &Dir, log: LogId) -> Self {
        drop(remove_database(home, NEW));
        let snapshots = all(home).await.unwrap_or_default();
        let newest = snapshots.into_iter().find(|snapshot| snapshot.log == log);
        Self {
            last: newest.map(|newest| newest.end),
            taken: None,
        }
    }

    /// Whether the log has grown since.
    pub(in crate::store) fn is_behind(&self, end: End) -> bool {
        self.last.is_none_or(|last| last.sequence < end.sequence)
    }

    /// At most once an hour, and only if the log since the last one is longer than a fraction of the index.
    pub(in crate::store) fn is_due(
        &self,
        folder: &Folder,
        now: Duration,
        end: End,
    ) -> io::Result<bool> {
        const LEAST_PAUSE: Duration = Duration::from_hours(1);
        let is_early = self
            .taken
            .is_some_and(|taken| now.saturating_sub(taken) < LEAST_PAUSE);
        if is_early || !self.is_behind(end) {
            return Ok(false);
        }
        let index_bytes = folder.home().length(DATABASE)?.unwrap_or(0);
        let since = segments::bytes_between(folder.log(), self.last, end)?;
        Ok(since > index_bytes / INDEX_PARTS)
    }

    pub(in crate::store) fn was_tried(&mut self, now: Duration) {
        self.taken = Some(now);
    }

    pub(in crate::store) fn was_taken(&mut self, snapshot: &Snapshot) {
        self.last = Some(snapshot.end);
    }
}

fn name(sequence: u64) -> String {
    format!("snapshot-{sequence:020}.db")
}

pub(in crate::store) fn is_name(text: &str) -> bool {
    sequence_of(text).is_some()
}

/// The sequence in the name of a snapshot; `None` if it is not such a name.
fn sequence_of(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("snapshot-")?.strip_suffix(".db")?;
    let sequence = digits.parse().ok()?;
    (name(sequence) == text).then_some(sequence)
}

/// The newest first.
pub(in crate::store) fn names(home: &Dir) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for name in home.names()? {
        found.extend(Some(name?).filter(|name| is_name(name)));
    }
    found.sort_unstable_by(|one, other| other.cmp(one));
    Ok(found)
}
