//! Snapshots: whole copies of the index, each as it stood at a position of the log, from which a folder starts whose own
//! index cannot be trusted.
//!
//! Guarantees: a file of this name is a whole database on disk, that says up to where the log is in it; the one before
//! the newest stays. A snapshot that cannot be made is no failure: the log alone makes the index again, only slower.

use super::folder::Folder;
use super::log::{self, End, LogId, Reader, ScanError};
use super::{meta, replay};
use crate::db::{self, DatabaseError, Verified};
use crate::faults;
use sqlx::{Connection, SqliteConnection};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The newest, and the one before it.
const KEPT: usize = 2;
const NEW: &str = "snapshot.new";
/// A snapshot is due when the log since the last one is longer than the index divided by this.
const INDEX_PARTS: u64 = 4;

/// A snapshot, and how far the log is in it.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    pub(super) path: PathBuf,
    pub(super) log: LogId,
    pub(super) end: End,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum SnapshotError {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the index knows no log")]
    NoLog,
}

/// Copies the index at `database` into `home` as it stands, while others read and write it. `until`: it is given up then.
pub(super) async fn take(
    database: &Path,
    home: &Path,
    until: Option<Instant>,
) -> Result<Snapshot, SnapshotError> {
    let taken = name_it(&make(database, home, until).await?, home)?;
    for old in paths(home)?.into_iter().skip(KEPT) {
        remove(&old)?;
    }
    Ok(taken)
}

/// As [`take`], without its name and with all former ones.
pub(super) async fn make(
    database: &Path,
    home: &Path,
    until: Option<Instant>,
) -> Result<Snapshot, SnapshotError> {
    let new = home.join(NEW);
    remove(&new)?;
    let made = async {
        db::copy_whole(database, &new, until).await?;
        finish(new.clone()).await
    };
    let made = made.await;
    if made.is_err() {
        drop(remove(&new));
    }
    made
}

async fn finish(new: PathBuf) -> Result<Snapshot, SnapshotError> {
    let mut copy = db::open_copy(&new).await?;
    meta::forget_identities(&mut copy).await?;
    let position = meta::position(&mut copy).await?;
    copy.close().await?;
    let (log, end) = position.ok_or(SnapshotError::NoLog)?;
    put_on_disk(&new)?;
    let path = new;
    Ok(Snapshot { path, log, end })
}

/// A snapshot is not to be read, and should not take the system's memory from what is.
fn put_on_disk(path: &Path) -> io::Result<()> {
    let file = std::fs::File::open(path)?;
    file.sync_all()?;
    drop(log::forget(&file, 0));
    Ok(())
}

/// From here on it counts.
pub(super) fn name_it(new: &Snapshot, home: &Path) -> io::Result<Snapshot> {
    let path = home.join(name(new.end.sequence));
    faults::step("snapshot-made");
    std::fs::rename(&new.path, &path)?;
    faults::step("snapshot-named");
    log::sync_folder(home)?;
    Ok(Snapshot {
        path,
        ..new.clone()
    })
}

/// Copies a snapshot from one folder to another, under its own name, which it gets last.
pub(super) fn copy_to(snapshot: &Path, home: &Path) -> io::Result<()> {
    let new = home.join(NEW);
    std::fs::copy(snapshot, &new)?;
    put_on_disk(&new)?;
    let name = snapshot.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    std::fs::rename(new, home.join(name))?;
    log::sync_folder(home)
}

/// The snapshots of a folder that can be read, the newest first.
pub(super) async fn all(home: &Path) -> io::Result<Vec<Snapshot>> {
    let mut found = Vec::new();
    for path in paths(home)? {
        match look(&path).await {
            Ok(Some((log, end))) => found.push(Snapshot { path, log, end }),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "a snapshot cannot be read");
            }
        }
    }
    Ok(found)
}

/// The newest one that is whole; the others are named in the log.
pub(super) async fn newest_whole(home: &Path) -> io::Result<Option<Snapshot>> {
    for snapshot in all(home).await? {
        let path = snapshot.path.display();
        match is_whole(&snapshot.path).await {
            Ok(true) => return Ok(Some(snapshot)),
            Ok(false) => tracing::warn!(%path, "a snapshot is damaged, and not used"),
            Err(error) => tracing::warn!(%error, %path, "a snapshot is damaged, and not used"),
        }
    }
    Ok(None)
}

async fn look(path: &Path) -> Result<Option<(LogId, End)>, sqlx::Error> {
    let mut copy = db::open_copy(path).await?;
    let position = meta::position(&mut copy).await;
    copy.close().await?;
    position
}

/// The newest snapshot that belongs to this log and whose position it reaches, without a gap or damage before it.
pub(super) async fn reached(folder: &Folder, log: LogId) -> Result<Option<Snapshot>, ScanError> {
    let mut snapshots = all(folder.home()).await?;
    snapshots.retain(|snapshot| snapshot.log == log);
    let Some(newest) = snapshots.first().map(|newest| newest.end.sequence) else {
        return Ok(None);
    };
    let dir = folder.log();
    let ends: Vec<End> = snapshots.iter().map(|snapshot| snapshot.end).collect();
    let reached = tokio::task::spawn_blocking(move || ends_reached(&dir, log, newest, &ends));
    let reached = reached.await.map_err(io::Error::other)??;
    for (snapshot, is_reached) in snapshots.into_iter().zip(reached) {
        if !is_reached {
            continue;
        }
        match is_whole(&snapshot.path).await {
            Ok(true) => return Ok(Some(snapshot)),
            Ok(false) => {
                tracing::warn!(path = %snapshot.path.display(), "a snapshot is damaged");
            }
            Err(error) => {
                tracing::warn!(%error, path = %snapshot.path.display(), "a snapshot is damaged");
            }
        }
    }
    Ok(None)
}

/// Whether its pages are what was written, and SQLite finds nothing wrong with it.
pub(super) async fn is_whole(path: &Path) -> Result<bool, sqlx::Error> {
    let verified = path.to_owned();
    let verified = tokio::task::spawn_blocking(move || db::verify(&verified));
    if let Verified::Damaged { .. } = verified.await.map_err(io::Error::other)?? {
        return Ok(false);
    }
    let mut copy = db::open_copy(path).await?;
    let whole = db::is_whole(&mut copy).await;
    copy.close().await?;
    whole
}

fn ends_reached(dir: &Path, log: LogId, newest: u64, ends: &[End]) -> Result<Vec<bool>, ScanError> {
    let mut reached = vec![false; ends.len()];
    let Some(begin) = log::begin(dir)? else {
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
            // What lies before the damage is handed out by the next calls.
            Err(ScanError::Damaged { .. }) => {}
            Ok(None) => return Ok(reached),
            Err(error) => return Err(error),
        }
    }
}

/// Puts a snapshot in the index's place.
pub(super) async fn restore(
    snapshot: &Snapshot,
    folder: &Folder,
) -> Result<SqliteConnection, DatabaseError> {
    let new = folder.home().join(NEW);
    remove(&new)?;
    if db::has_checksums(&snapshot.path)? {
        std::fs::copy(&snapshot.path, &new)?;
    } else {
        db::copy_with_checksums(&snapshot.path, &new).await?;
    }
    std::fs::File::open(&new)?.sync_all()?;
    std::fs::rename(&new, folder.database())?;
    log::sync_folder(folder.home())?;
    replay::open_index(folder).await
}

/// When a running server makes the next one.
#[derive(Debug)]
pub(super) struct Renewal {
    /// How far the log is in the newest one; `None`: there is none.
    last: Option<End>,
    /// By the monotonic clock.
    taken: Option<std::time::Duration>,
}

impl Renewal {
    pub(super) async fn after(home: &Path, log: LogId) -> Self {
        drop(remove(&home.join(NEW)));
        let snapshots = all(home).await.unwrap_or_default();
        let newest = snapshots.into_iter().find(|snapshot| snapshot.log == log);
        Self {
            last: newest.map(|newest| newest.end),
            taken: None,
        }
    }

    /// Whether the log has gone on.
    pub(super) fn is_behind(&self, end: End) -> bool {
        self.last.is_none_or(|last| last.sequence < end.sequence)
    }

    /// At most hourly, and when a replay of the log since the last one would cost more than a part of the index.
    pub(super) fn is_due(
        &self,
        folder: &Folder,
        now: std::time::Duration,
        end: End,
    ) -> io::Result<bool> {
        const LEAST_PAUSE: std::time::Duration = std::time::Duration::from_hours(1);
        let is_early = self
            .taken
            .is_some_and(|taken| now.saturating_sub(taken) < LEAST_PAUSE);
        if is_early || !self.is_behind(end) {
            return Ok(false);
        }
        let index_bytes = std::fs::metadata(folder.database())?.len();
        let since = log::bytes_between(&folder.log(), self.last, end)?;
        Ok(since > index_bytes / INDEX_PARTS)
    }

    pub(super) fn was_tried(&mut self, now: std::time::Duration) {
        self.taken = Some(now);
    }

    pub(super) fn was_taken(&mut self, snapshot: &Snapshot) {
        self.last = Some(snapshot.end);
    }
}

fn name(sequence: u64) -> String {
    format!("snapshot-{sequence:020}.db")
}

/// The newest first.
pub(super) fn paths(home: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(home)? {
        let entry = entry?;
        let file_name = entry.file_name();
        let sequence = file_name.to_str().and_then(|name| {
            let name = name.strip_prefix("snapshot-")?.strip_suffix(".db")?;
            name.parse::<u64>().ok()
        });
        found.extend(sequence.map(|sequence| (sequence, entry.path())));
    }
    found.sort_unstable_by_key(|(sequence, _)| std::cmp::Reverse(*sequence));
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
