//! The start: is this the folder that the index knows, and what does the log hold that the index lacks?
//!
//! The same code serves a crash, a power cut, a folder that was copied, and an index that is gone.

use super::check::Progress;
use super::error::is_full;
use super::folder::{Folder, identity};
use super::index_damage::{self, IndexFile};
use super::log::{self, End, Found, Log, Reader, ScanError, segments};
use super::names::Held;
use super::record::{Change, Draft, LogId, Record, Unreferenced};
use super::salvage::{SalvageError, Salvaged, salvage};
use super::{EffectKind, OpenError, freeing, meta, snapshot};
use crate::clock::Clock;
use crate::db::{self, Checkpoints, DatabaseError, Leaves, Tables, Trust, Verified};
use serde::{Deserialize, Serialize};
use sqlx::{Connection, SqliteConnection};
use std::path::PathBuf;
use std::sync::atomic::Ordering;

/// Records that are applied in one transaction.
const BATCH: usize = 1000;
/// A database of at most so many bytes is verified before it is served; a larger one beside serving.
const VERIFIED_AT_ONCE_BYTES: u64 = 16 << 20;
/// What these may list, together ([`Change::rows`]).
const BATCH_ROWS: usize = 100_000;

/// The log's writing end and an index that holds all of it.
pub(super) struct Replayed {
    pub(super) log: Log,
    pub(super) index: SqliteConnection,
    /// The index is another than the one that was found; `None`: it is the same one.
    pub(super) rebuilt: Option<Rebuilt>,
}

/// What the rows of a start are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The index that is there; where it cannot be trusted, a snapshot.
    Index,
    /// The newest snapshot that the log reaches; where there is none, the log.
    Snapshot,
    /// The log alone.
    Log,
}

/// How an index was made again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuilt {
    /// The snapshot's last record; `None`: the log alone.
    pub snapshot: Option<u64>,
    /// Records of the log that were applied.
    pub records: u64,
    /// Rows whose bytes did not come along with a copy of the folder.
    pub salvaged: Salvaged,
}

/// Opens log and index and makes them one.
pub(super) async fn replay(
    folder: &Folder,
    clock: &Clock,
    effects: &[EffectKind],
    source: Source,
    progress: &Progress,
    file: &mut IndexFile,
) -> Result<Replayed, OpenError> {
    let found = log::find(&folder.log()).map_err(|error| log_trouble(&error))?;
    let mut known = known_index(folder, found, file).await?;
    // A folder that was not copied has no excuse for damage.
    let is_copy = matches!(known, Index::None | Index::Untrusted);
    let was_damaged = matches!(known, Index::Damaged) || file.damage.is_found();
    if source != Source::Index
        && let Index::Trusted { index, .. } = known
    {
        drop(index.close().await);
        known = Index::Untrusted;
    }
    let mut rebuilt = None;
    let (mut index, id, from) = match (known, found) {
        (Index::Trusted { index, id, end }, _) => (index, id, end),
        (Index::Untrusted | Index::Damaged | Index::None, Found::Log(id)) => {
            let (index, from, snapshot) =
                other_index(folder, clock, id, source, file, was_damaged).await?;
            rebuilt = Some(Rebuilt {
                snapshot,
                ..Rebuilt::default()
            });
            (index, id, from)
        }
        (Index::None, Found::Nothing) => {
            set_index_aside(folder, clock, file, was_damaged)?;
            let mut index = new_index(folder).await?;
            let log = begin(folder, clock, &mut index, effects).await?;
            return Ok(Replayed {
                log,
                index,
                rebuilt: Some(Rebuilt::default()),
            });
        }
        (Index::Untrusted | Index::Damaged, Found::Nothing) => return Err(lost("is missing")),
        (_, Found::Damaged) => return Err(lost("is damaged where it begins")),
    };
    let reader =
        Reader::new(&folder.log(), id, from).map_err(|error| log_trouble(&error.into()))?;
    reader.sync().map_err(|error| log_trouble(&error.into()))?;
    let replay = Replay {
        reader,
        index: &mut index,
        checkpoints: &mut file.checkpoints,
        effects,
        id,
        batch: Vec::new(),
        held: Held::default(),
        rows: 0,
        end: from,
        applied: 0,
        freed: Vec::new(),
        begun: from,
        dir: folder.log(),
        progress,
    };
    let ends_at_damage = rebuilt.is_some() && is_copy;
    let (end, applied) = replay.run(ends_at_damage, folder, clock).await?;
    let mut log =
        Log::resume(&folder.log(), id, end).map_err(|error| log_trouble(&error.into()))?;
    if let Some(rebuilt) = &mut rebuilt {
        rebuilt.records = applied;
        if is_copy {
            let (dir, blobs) = (folder.log(), folder.blobs());
            let salvaged = salvage(&dir, &blobs, &mut index, &mut log, effects).await;
            rebuilt.salvaged = salvaged.map_err(|error| salvage_trouble(&error))?;
            tell(rebuilt);
        } else if was_damaged {
            tracing::warn!(
                snapshot = rebuilt.snapshot,
                records = rebuilt.records,
                "the damaged index was made again: from the snapshot, or without one from the beginning, and from the \
                 records of the log after it"
            );
        }
    }
    Ok(Replayed {
        log,
        index,
        rebuilt,
    })
}

fn tell(rebuilt: &Rebuilt) {
    let Salvaged { fell_back, dropped } = rebuilt.salvaged;
    tracing::warn!(
        snapshot = rebuilt.snapshot,
        records = rebuilt.records,
        fell_back,
        dropped,
        "the database was made again: from the snapshot, or without one from the beginning, and from the records of \
         the log after it; rows whose bytes did not come along fell back to what their key was before, or were dropped"
    );
}

/// An index from a snapshot or without rows, and where the log goes on.
async fn other_index(
    folder: &Folder,
    clock: &Clock,
    id: LogId,
    source: Source,
    file: &mut IndexFile,
    was_damaged: bool,
) -> Result<(SqliteConnection, End, Option<u64>), OpenError> {
    let begin = log::begin(&folder.log()).map_err(|error| log_trouble(&error.into()))?;
    let begin = begin
        .filter(|begin| begin.segment == 1)
        .ok_or_else(|| lost("lacks its beginning"))?;
    let snapshot = match source {
        Source::Log => None,
        Source::Index | Source::Snapshot => snapshot::reached(folder, id)
            .await
            .map_err(|error| log_trouble(&error))?,
    };
    set_index_aside(folder, clock, file, was_damaged)?;
    if let Some(snapshot) = snapshot {
        match snapshot::restore(&snapshot, folder).await {
            Ok(index) => return Ok((index, snapshot.end, Some(snapshot.end.sequence))),
            Err(DatabaseError::Newer) => return Err(newer("database")),
            Err(error) if error.is_full() => return Err(full()),
            Err(error) => {
                tracing::warn!(%error, "a snapshot cannot be used");
                set_index_aside(folder, clock, file, true)?;
            }
        }
    }
    Ok((new_index(folder).await?, begin, None))
}

/// What lies at the index's place.
enum Index {
    /// Nothing, or nothing that knows a log.
    None,
    /// It belongs to this log, was left beside these very files, and is no further than the log.
    Trusted {
        index: SqliteConnection,
        id: LogId,
        end: End,
    },
    /// It knows a log, and not this one as it is; or it is damaged.
    Untrusted,
    /// It is this folder's own, and not what was written.
    Damaged,
}

async fn known_index(
    folder: &Folder,
    log: Found,
    file: &mut IndexFile,
) -> Result<Index, OpenError> {
    let path = folder.database();
    let io_trouble = |error: std::io::Error| database_trouble(&error, is_full(&error));
    let (trust, is_own) = file.trust(folder).map_err(io_trouble)?;
    let damaged = || {
        if is_own {
            Index::Damaged
        } else {
            Index::Untrusted
        }
    };
    if index_damage::is_marked(folder.home()) {
        tracing::warn!("the index was found damaged: it is made again");
        return Ok(damaged());
    }
    let Some(database) = identity(&path).map_err(|error| database_trouble(&error, false))? else {
        return Ok(Index::None);
    };
    let has_checksums = db::has_checksums(&path).map_err(io_trouble)?;
    let mut index = match db::open_as_it_is(&path).await {
        Ok(index) => index,
        Err(error) if error.is_damage() => {
            file.damage.report(&format!("it cannot be read: {error}"));
            return Ok(damaged());
        }
        Err(error) => return Err(database_trouble(&error, error.is_full())),
    };
    let known = async {
        let tables = db::tables(&mut index).await?;
        if tables == Tables::None {
            return Ok((tables, (None, None), None));
        }
        let identities = meta::identities(&mut index).await?;
        let position = meta::position(&mut index).await?;
        Ok::<_, DatabaseError>((tables, identities, position))
    };
    let known = known.await;
    let (tables, (known_database, known_run), position) = match known {
        Ok(known) => known,
        Err(DatabaseError::Newer) => {
            drop(index.close().await);
            return Err(newer("database"));
        }
        Err(error) => {
            drop(index.close().await);
            if error.is_damage() {
                file.damage.report(&format!("it cannot be read: {error}"));
                return Ok(damaged());
            }
            return Err(database_trouble(&error, error.is_full()));
        }
    };
    let Some((id, end)) = position else {
        drop(index.close().await);
        return Ok(Index::None);
    };
    let run = identity(&folder.run()).map_err(|error| database_trouble(&error, false))?;
    let same_files =
        known_database.is_some_and(|known| known.is_same_file(database)) && known_run == run;
    let same_log = match log {
        Found::Log(found) => found == id,
        // Its beginning cannot be read, and need not be: what follows the index is found by the index.
        Found::Damaged => true,
        Found::Nothing => false,
    };
    if same_files && same_log && reaches(folder, &end) {
        let broken = match trust {
            Trust::Whole { sequence } if end.sequence >= sequence => None,
            Trust::Whole { .. } => Some("it is older than what its last checkpoint moved into it"),
            Trust::Broken(why) => Some(why),
            Trust::NoNote if has_checksums => Some("the note of its last checkpoint is missing"),
            // A hangar that wrote no notes left it.
            Trust::NoNote => None,
        };
        if let Some(why) = broken {
            drop(index.close().await);
            file.damage.report(why);
            return Ok(Index::Damaged);
        }
        let settled = settle(folder, &mut index, end, file).await;
        if let Some(page) = settled? {
            drop(index.close().await);
            file.damage.report_page(&path, page);
            return Ok(Index::Damaged);
        }
        if !has_checksums && db::is_journal_empty(&path) {
            index = with_checksums(folder, index, file).await?;
        }
        if tables == Tables::Older
            && let Err(error) = snapshot::take(&path, folder.home(), None).await
        {
            tracing::warn!(%error, "no snapshot was made before the database's tables are changed");
        }
        let prepared = async {
            db::bring_up_to_date(&mut index).await?;
            Ok(meta::prepare(&mut index).await?)
        };
        if let Err(error) = prepared.await {
            let error: DatabaseError = error;
            drop(index.close().await);
            return Err(database_trouble(&error, error.is_full()));
        }
        return Ok(Index::Trusted { index, id, end });
    }
    tracing::warn!("the data folder was copied or restored: its database is not trusted");
    drop(index.close().await);
    Ok(Index::Untrusted)
}

/// Moves the journal that a crash left into the database, so that each page lies where it is to be, and verifies those
/// where they are few. Answers the first damaged one.
async fn settle(
    folder: &Folder,
    index: &mut SqliteConnection,
    end: End,
    file: &mut IndexFile,
) -> Result<Option<u32>, OpenError> {
    let path = folder.database();
    let checkpoint = (file.checkpoints).checkpoint(index, end.sequence, Leaves::Nothing);
    let is_settled = match checkpoint.await {
        Ok(is_settled) => is_settled,
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            let cause = error.source().map(ToString::to_string);
            tracing::warn!(%error, cause, "the index is not verified before it is used");
            false
        }
    };
    let verified = tokio::task::spawn_blocking(move || {
        let bytes = std::fs::metadata(&path)?.len();
        if !is_settled || bytes > VERIFIED_AT_ONCE_BYTES {
            return Ok(Verified::Whole);
        }
        db::verify(&path)
    });
    let verified = verified
        .await
        .unwrap_or_else(|error| Err(std::io::Error::other(error)));
    match verified.map_err(|error| database_trouble(&error, false))? {
        Verified::Damaged { page } => Ok(Some(page)),
        Verified::Whole | Verified::WithoutChecksums => Ok(None),
    }
}

/// Puts a copy with checksums in the place of an index that an older hangar made. Where that cannot be, it stays as it is
/// until the next start.
async fn with_checksums(
    folder: &Folder,
    mut index: SqliteConnection,
    file: &mut IndexFile,
) -> Result<SqliteConnection, OpenError> {
    let (path, new) = (folder.database(), folder.home().join("hangar.db.new"));
    let run = identity(&folder.run()).map_err(|error| database_trouble(&error, false))?;
    let made = async {
        remove(&new)?;
        db::copy_with_checksums(&path, &new).await?;
        let mut copy = db::open_copy(&new).await?;
        let is_named = match identity(&new)? {
            Some(identity) => meta::set_identities(&mut copy, identity, run).await,
            None => Err(sqlx::Error::Io(std::io::ErrorKind::NotFound.into())),
        };
        copy.close().await?;
        is_named?;
        std::fs::File::open(&new)?.sync_all()?;
        Ok::<_, DatabaseError>(())
    };
    if let Err(error) = made.await {
        if error.is_damage() {
            file.damage.report("it cannot be read whole");
            drop(index.close().await);
            return Err(database_trouble(&error, false));
        }
        drop(remove(&new));
        let error: &dyn std::error::Error = &error;
        let cause = error.source().map(ToString::to_string);
        tracing::warn!(%error, cause, "the index gets no checksums before the next start");
        return Ok(index);
    }
    let placed = async {
        // What the journal held is in the database already.
        db::set_checkpoint_on_close(&mut index, true).await?;
        index.close().await?;
        db::remove_journal(&path)?;
        file.checkpoints.begin_anew()?;
        std::fs::rename(&new, &path)?;
        log::sync_folder(folder.home())?;
        db::open_as_it_is(&path).await
    };
    let index = placed.await;
    let index = index.map_err(|error: DatabaseError| database_trouble(&error, error.is_full()))?;
    tracing::info!("each page of the index has a checksum from now on");
    Ok(index)
}

fn remove(path: &std::path::Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether the log goes as far as the index does.
fn reaches(folder: &Folder, end: &End) -> bool {
    let path = log::segment_path(&folder.log(), end.segment);
    std::fs::metadata(path).is_ok_and(|metadata| metadata.len() >= end.offset)
}

/// What is opened next at the index's place is another index.
fn set_index_aside(
    folder: &Folder,
    clock: &Clock,
    file: &mut IndexFile,
    was_damaged: bool,
) -> Result<(), OpenError> {
    let mut set_aside = || {
        if identity(&folder.database())?.is_some() {
            let mut aside = folder.set_index_aside(clock.now().as_millis())?;
            if was_damaged {
                aside = index_damage::keep_aside(folder.home(), &aside)?;
            }
            tracing::warn!(aside = %aside.display(), "the database was set aside");
        }
        // A journal of another database must not become this one's.
        db::remove_journal(&folder.database())?;
        file.checkpoints.begin_anew()
    };
    set_aside().map_err(|error| database_trouble(&error, is_full(&error)))
}

/// An index without rows.
async fn new_index(folder: &Folder) -> Result<SqliteConnection, OpenError> {
    open_index(folder)
        .await
        .map_err(|error| database_trouble(&error, error.is_full()))
}

pub(super) async fn open_index(folder: &Folder) -> Result<SqliteConnection, DatabaseError> {
    let mut index = db::open_writer(&folder.database()).await?;
    if let Err(error) = meta::prepare(&mut index).await {
        // As in [`db::open_writer`].
        drop(index.close().await);
        return Err(error.into());
    }
    Ok(index)
}

/// A log begins with a record that says so.
async fn begin(
    folder: &Folder,
    clock: &Clock,
    index: &mut SqliteConnection,
    effects: &[EffectKind],
) -> Result<Log, OpenError> {
    let begun = async {
        let mut log = Log::create(&folder.log(), LogId::random())?;
        let change = Change::Begun {
            hangar: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let draft = Draft::new(clock.now(), change, None);
        log.append(&[draft]).map_err(std::io::Error::other)?;
        Ok::<_, std::io::Error>(log)
    };
    let log = begun.await.map_err(|error| log_trouble(&error.into()))?;
    meta::apply(index, &[], effects, log.id(), log.end())
        .await
        .map_err(|error| database_trouble(&error, db::is_full(&error)))?;
    Ok(log)
}

struct Replay<'a> {
    reader: Reader,
    index: &'a mut SqliteConnection,
    checkpoints: &'a mut Checkpoints,
    effects: &'a [EffectKind],
    id: LogId,
    batch: Vec<Record>,
    /// What the batch touches.
    held: Held,
    /// What the batch lists.
    rows: usize,
    /// Where the last record of the batch ends.
    end: End,
    applied: u64,
    freed: Vec<Unreferenced>,
    begun: End,
    dir: PathBuf,
    progress: &'a Progress,
}

impl Replay<'_> {
    /// Applies all that the log holds and answers where it ends, and how many records that were.
    async fn run(
        mut self,
        ends_at_damage: bool,
        folder: &Folder,
        clock: &Clock,
    ) -> Result<(End, u64), OpenError> {
        let last = segments(&self.dir).and_then(|segments| {
            let last = segments.last().copied().unwrap_or(self.begun.segment);
            let offset = std::fs::metadata(log::segment_path(&self.dir, last))?.len();
            let end = End {
                segment: last,
                offset,
                sequence: 0,
            };
            log::bytes_between(&self.dir, Some(self.begun), end)
        });
        let total = last.map_err(|error| log_trouble(&error.into()))?;
        self.progress.total_bytes.store(total, Ordering::Relaxed);
        let mut damaged = false;
        loop {
            match self.reader.next() {
                Ok(Some((record, end))) => self.take(record, end).await?,
                Ok(None) => break,
                Err(ScanError::Damaged {
                    sequence,
                    segment,
                    offset,
                }) if ends_at_damage => {
                    tracing::warn!(
                        sequence,
                        segment,
                        offset,
                        "the copied log ends here; what lies behind is set aside"
                    );
                    damaged = true;
                }
                Err(error) => return Err(log_trouble(&error)),
            }
        }
        self.apply().await?;
        let end = self.reader.sure_end();
        if damaged {
            set_rest_aside(folder, clock, end.segment)
                .map_err(|error| log_trouble(&error.into()))?;
        }
        // A crash may have come between the record and the deed.
        freeing::free_bytes(&folder.log(), &folder.blobs(), &self.freed);
        if self.applied > 0 {
            tracing::info!(records = self.applied, "replayed the log");
        }
        Ok((end, self.applied))
    }

    async fn take(&mut self, record: Record, end: End) -> Result<(), OpenError> {
        if let Some(effect) = &record.effect
            && !self.effects.iter().any(|known| known.kind == effect.kind)
        {
            return Err(newer("log"));
        }
        let names = record.names();
        let is_full = self.batch.len() == BATCH || self.rows > BATCH_ROWS;
        if is_full || !self.held.admits(&names) {
            self.apply().await?;
        }
        self.held.hold(&names);
        if let Change::Freed { bodies } = &record.change {
            self.freed.extend_from_slice(bodies);
        }
        self.rows += record.change.rows();
        self.batch.push(record);
        self.end = end;
        Ok(())
    }

    async fn apply(&mut self) -> Result<(), OpenError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        meta::apply(self.index, &self.batch, self.effects, self.id, self.end)
            .await
            .map_err(|error| database_trouble(&error, db::is_full(&error)))?;
        (self.checkpoints)
            .after_commit(self.index, self.end.sequence)
            .await;
        self.applied += self.batch.len() as u64;
        let done = log::bytes_between(&self.dir, Some(self.begun), self.end)
            .map_err(|error| log_trouble(&error.into()))?;
        self.progress.done_bytes.store(done, Ordering::Relaxed);
        self.batch.clear();
        self.held.clear();
        self.rows = 0;
        Ok(())
    }
}

/// Keeps what lies behind the end of a copied log: the segment in which it ends as a copy, later ones as they are.
fn set_rest_aside(folder: &Folder, clock: &Clock, last: u64) -> std::io::Result<()> {
    let aside = folder
        .home()
        .join(format!("aside-log-{}", clock.now().as_millis()));
    std::fs::create_dir_all(&aside)?;
    let log = folder.log();
    for first in segments(&log)? {
        let from = log::segment_path(&log, first);
        let to = log::segment_path(&aside, first);
        match first.cmp(&last) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => {
                std::fs::copy(from, &to)?;
                std::fs::File::open(to)?.sync_all()?;
            }
            std::cmp::Ordering::Greater => std::fs::rename(from, to)?,
        }
    }
    log::sync_folder(&aside)?;
    log::sync_folder(folder.home())?;
    log::sync_folder(&log)
}

fn lost(how: &str) -> OpenError {
    OpenError::Refused(format!(
        "the log in the data folder {how}; restore the folder from a backup, or set HANGAR_DATA_DIR (--data-dir) to \
         another folder"
    ))
}

fn newer(what: &str) -> OpenError {
    OpenError::Refused(format!(
        "the {what} in the data folder was written by a newer hangar; start that version, or set HANGAR_DATA_DIR \
         (--data-dir) to another folder"
    ))
}

fn log_trouble(error: &ScanError) -> OpenError {
    match error {
        ScanError::Newer(_) | ScanError::Unknown(_) => newer("log"),
        ScanError::Damaged { .. } => OpenError::Refused(format!(
            "{error}; restore the data folder from a backup, or set HANGAR_DATA_DIR (--data-dir) to another folder"
        )),
        ScanError::Io(source) if is_full(source) => full(),
        ScanError::Io(source) => OpenError::Refused(format!(
            "the log in the data folder cannot be used: {source}; set HANGAR_DATA_DIR (--data-dir) to a folder that \
             this user may write"
        )),
    }
}

fn salvage_trouble(error: &SalvageError) -> OpenError {
    match error {
        SalvageError::Index(error) => database_trouble(error, db::is_full(error)),
        SalvageError::Log(error) => log_trouble(error),
        SalvageError::Io(error) if is_full(error) => full(),
        SalvageError::Io(error) => OpenError::Refused(format!(
            "the bodies in the data folder cannot be looked at: {error}; set HANGAR_DATA_DIR (--data-dir) to a folder \
             that this user may write"
        )),
    }
}

pub(super) fn database_trouble(error: &dyn std::error::Error, is_full: bool) -> OpenError {
    if is_full {
        return full();
    }
    OpenError::Refused(format!(
        "the database in the data folder cannot be used: {error}; set HANGAR_DATA_DIR (--data-dir) to a folder that \
         this user may write"
    ))
}

fn full() -> OpenError {
    OpenError::Full(
        "the disk of the data folder is full, and its reserve is used up: free some MiB on it, or give it a larger disk"
            .to_owned(),
    )
}
