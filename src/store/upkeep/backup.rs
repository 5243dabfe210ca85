//! A copy of the data folder for another place, made while others use it; and the way back.
//!
//! A backup is a folder as a data folder is: a snapshot of the index, the log up to it, and the blobs that it names. Bytes
//! are copied, never linked, and all that the backup relies on is held against its checksum, what was there before too
//! ([`Verify`]). The snapshot gets its name last: until then the backup is the one before. What is there already and whole
//! is not copied again, so that a backup of the next day is short and one that was cut off goes on.
//!
//! A restore takes a plain copy of a data folder too, and ends where its log ends, or refuses. What it reads is another's:
//! no text in it becomes a path, no file of it is written or made.

use crate::db;
use crate::owner::Owner;
use crate::s3::checksum::{CRC_BLOCK_BYTES, crc64_nvme};
use crate::store::bodies::blobs;
use crate::store::content::{BlobId, Body, Place};
use crate::store::dir::Dir;
use crate::store::error::{StoreError, Unavailable, is_full, with_causes};
use crate::store::folder::{BACKUP, DATABASE, Places, RESTORING, make_private, remove_database};
use crate::store::progress::Progress;
use crate::store::record::reader::{self, Found, Reader, ScanError};
use crate::store::record::segments::{self, End};
use crate::store::record::{BodyPlace, Change, LogId, Record};
use crate::store::recovery::snapshot::{self, Snapshot, SnapshotError};
use crate::store::upkeep::check::{Damage, Finding, blocking, read_body, read_records};
use crate::store::upkeep::mend;
use crate::store::{Store, StoreConfig, index};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use sqlx::{Connection, SqliteConnection};
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// Bodies that are copied together.
const PAGE: u32 = 500;
const PIECE_BYTES: usize = 1 << 20;
/// While it is there, a backup is being written, or was cut off: past its snapshot its log is not to be relied on.
const BACKING_UP: &str = "backing-up";
const MOST_FINDINGS: usize = 1000;
/// The file with the key pair is much shorter.
const MOST_KEYS_BYTES: u64 = 64 << 10;

/// What of a backup is held against its checksums.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verify {
    /// All that the backup relies on.
    #[default]
    All,
    /// What is copied now; what was there before is believed by its length.
    New,
}

/// What a backup, or a restore, copied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copies {
    /// Records of the log that the copy holds.
    pub records: u64,
    pub blobs: u64,
    /// Of blobs and of the log.
    pub bytes: u64,
    /// Blobs that were there already.
    pub kept: u64,
    /// Bodies that were there already and had rotted, and are whole again.
    #[serde(default)]
    pub renewed: u64,
    /// Bodies that were there already and were not looked at.
    #[serde(default)]
    pub unverified: u64,
    /// Blobs that nothing named any more.
    pub removed: u64,
    /// Bodies that are not what was stored, in the folder that was copied.
    pub damages: u64,
    /// The first 1000.
    pub findings: Vec<Finding>,
}

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// One sentence that says what to do.
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folder, or the file in it.
    #[error("{}", sentence(.0, .1))]
    Copy(PathBuf, #[source] io::Error),
}

/// What went wrong in a folder that is copied, and the way out.
fn sentence(path: &Path, error: &io::Error) -> String {
    let shown = path.display();
    if is_full(error) {
        return format!(
            "{shown} could not be copied: the disk is full; free some room on it and run this again, which goes on"
        );
    }
    let way_out = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "run hangar as a user that may read and write there, or give the folder to the user that it runs as (chown -R); \
             beside a running server the server makes the backup, as its own user"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "mount it for writing, or name a folder on another file system"
        }
        io::ErrorKind::NotADirectory => "name a folder",
        _ => "run this again, which goes on with what is there",
    };
    format!("{shown} could not be copied: {error}; {way_out}")
}

impl From<sqlx::Error> for BackupError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl BackupError {
    /// One sentence, with its causes.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Store(error) => with_causes(error),
            // Its text holds the cause, before what to do.
            Self::Refused(_) | Self::Copy(..) => self.to_string(),
        }
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |error| BackupError::Copy(path, error)
}

fn at_dir(dir: &Dir) -> impl FnOnce(io::Error) -> BackupError {
    at(dir.path())
}

impl Store {
    /// Copies all that the index has now to a folder of its own. `progress` is told in bytes of bodies.
    ///
    /// # Errors
    /// `Refused` where the folder is something else; what was copied until another error stays for the next time.
    pub async fn backup(
        &self,
        to: &Path,
        verify: Verify,
        progress: &Progress,
    ) -> Result<Copies, BackupError> {
        let folder = &self.inner.folder;
        if lies_in(to, folder.home().path()) {
            return Err(refused(to, "is in the data folder's own files"));
        }
        let path = to.join("@hangar");
        if lies_in(&path, folder.home().path()) {
            return Err(refused(to, "is the data folder itself"));
        }
        if path.join(DATABASE).exists() || path.join("run").exists() {
            return Err(refused(to, "holds a data folder, not a backup"));
        }
        // Later backups are made by the server, as the owner of its folder.
        let owner = folder.home().owner().map_err(at_dir(folder.home()))?;
        let (home, places) = make_home(to, owner)?;
        let _lock = lock(to, &home)?;
        let former = snapshot::all(&home).await.map_err(at_dir(&home))?;
        // Nothing is freed from here on.
        let _held = self.inner.state.hold_bytes();
        let new = snapshot::make(&folder.database(), &home, None).await;
        let new = new.map_err(|error| match error {
            SnapshotError::Database(error) if db::is_full(&error) => {
                at_dir(&home)(io::ErrorKind::StorageFull.into())
            }
            SnapshotError::Io(error) => at_dir(&home)(error),
            error => error.into_trouble().into(),
        })?;
        let is_another = match reader::find(&places.log) {
            Ok(Found::Log(id)) => id != new.log,
            Ok(Found::Nothing | Found::Damaged) | Err(_) => false,
        };
        if is_another || former.iter().any(|former| former.log != new.log) {
            remove_database(&home, &new.name).map_err(at_dir(&home))?;
            return Err(refused(to, "holds a backup of another data folder"));
        }
        let marked = home.make(BACKUP).and_then(|_| home.make(BACKING_UP));
        marked.and_then(|_| home.sync()).map_err(at_dir(&home))?;
        let transfer = Transfer {
            from: folder.places(),
            to: &places,
            verify,
            rotted: Rotted::StaysBehind,
            progress,
            copies: Copies::default(),
        };
        let copies = transfer.back_up(&home, &new, former.first()).await?;
        let lost = (copies.findings.iter()).find(|it| it.damage == Damage::Record);
        if let (Some(lost), Some(former)) = (lost, former.first()) {
            // No restore would take the new one.
            remove_database(&home, &new.name).map_err(at_dir(&home))?;
            return Err(BackupError::Refused(format!(
                "{} stays the backup that it was, up to record {}: a record of the data folder's log that came since is \
                 damaged ({}, byte {}), and a backup with it could not be restored. The server still has what it tells of: \
                 copy its buckets to a new hangar with an S3 client, and back that one up",
                to.display(),
                former.end.sequence,
                lost.file,
                lost.offset,
            )));
        }
        copy_keys(folder.home(), &home)?;
        let new = snapshot::name_it(&new, &home).map_err(at_dir(&home))?;
        // Those that cannot be read too.
        for old in snapshot::names(&home).map_err(at_dir(&home))? {
            if old != new.name {
                remove_database(&home, &old).map_err(at_dir(&home))?;
            }
        }
        let copies = prune(&home, &places, &new, copies).await?;
        let ended = home.remove(BACKING_UP).and_then(|_| home.sync());
        ended.map_err(at_dir(&home))?;
        Ok(copies)
    }
}

/// Puts a backup, or a plain copy of a data folder, into a data folder that holds nothing yet, or what a restore that was
/// cut off left. It holds all that the log there does, or, where a backup was cut off, all of the one before.
///
/// # Errors
/// `Refused` where there is no backup, where its log is damaged, or where the folder holds data.
pub async fn restore(
    from: &Path,
    config: &StoreConfig,
    progress: &Progress,
) -> Result<Copies, BackupError> {
    let source = Source::open(from).await?;
    let to = &config.data_dir;
    let path = to.join("@hangar");
    if lies_in(to, source.home.path()) {
        return Err(refused_restore(to, "is in the backup's own files"));
    }
    if path.exists() {
        let home = Dir::open(&path).map_err(at(&path))?;
        let has = |name: &str| home.has(name).map_err(at(&path));
        if !has(RESTORING)? || has(DATABASE)? || has("run")? {
            return Err(refused_restore(to, "holds data already"));
        }
    }
    // Root restores for the user whose backup it is, unless the folder was made for another one.
    let made_for = Dir::open(to).and_then(|to| to.owner()).ok();
    let owner = match made_for.filter(|owner| !owner.is_root()) {
        Some(owner) => owner,
        None => source.home.owner().map_err(at_dir(&source.home))?,
    };
    // The marker first: what follows is no data folder until it is gone.
    make_given(to, owner)?;
    make_given(&path, owner)?;
    let home = Dir::open(&path).map_err(at(&path))?;
    let marked = home.make(RESTORING).and_then(|file| file.sync_all());
    marked.and_then(|()| home.sync()).map_err(at_dir(&home))?;
    let (home, places) = make_home(to, owner)?;
    let lock = lock(to, &home)?;
    clear_away(&home, &places).map_err(at_dir(&home))?;
    let transfer = Transfer {
        from: &source.places,
        to: &places,
        verify: Verify::All,
        rotted: Rotted::ComesAlong,
        progress,
        copies: Copies::default(),
    };
    let copies = transfer.restore(&source).await?;
    copy_keys(&source.home, &home)?;
    if let Some(snapshot) = &source.snapshot {
        snapshot::copy_to(&source.home, snapshot, &home).map_err(at_dir(&home))?;
    }
    let ended = home.remove(RESTORING).and_then(|_| home.sync());
    ended.map_err(at_dir(&home))?;
    drop(lock);
    Ok(copies)
}

/// What is restored.
struct Source {
    home: Dir,
    places: Places,
    snapshot: Option<Snapshot>,
    /// Where the log ends that is to be copied.
    end: End,
    /// What the log says after the snapshot.
    after: After,
    _lock: Option<File>,
}

/// Bodies of records that a snapshot does not know.
#[derive(Default)]
struct After {
    /// In blobs, each with the row that it was brought for.
    blobs: Vec<(u64, Body, String)>,
    /// Bodies whose bytes may be gone.
    freed: HashSet<u64>,
}

impl Source {
    async fn open(from: &Path) -> Result<Self, BackupError> {
        let shown = from.display();
        let none = || {
            BackupError::Refused(format!(
                "{shown} holds no complete backup: name the folder that `hangar backup` was given; if that backup was \
                 interrupted, run it again"
            ))
        };
        let path = from.join("@hangar");
        let home = match Dir::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !from.exists() => {
                return Err(BackupError::Refused(format!(
                    "there is no folder {shown}: name the folder that `hangar backup` was given"
                )));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(none()),
            opened => opened.map_err(at(&path))?,
        };
        let places = match Places::of(&home) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(none()),
            opened => opened.map_err(at(&path))?,
        };
        let lock = lock_to_read(&home, from)?;
        let has = |name: &str| home.has(name).map_err(at_dir(&home));
        let (is_backup, is_cut_off) = (has(BACKUP)?, has(BACKING_UP)?);
        let damaged = |what: &str| {
            // No server starts where that file is.
            let without = if is_backup {
                " without its file @hangar/backup"
            } else {
                ""
            };
            BackupError::Refused(format!(
                "the log in {shown} {what}: restore another backup. A server that is started in a copy of this \
                 folder{without} takes what is before that"
            ))
        };
        let id = match reader::find(&places.log).map_err(|error| damaged(&error.to_string()))? {
            Found::Log(id) => id,
            Found::Nothing => return Err(none()),
            Found::Damaged => return Err(damaged("is damaged where it begins")),
        };
        for name in snapshot::names(&home).map_err(at_dir(&home))? {
            // Not a damaged one, but a link or a pipe in its place.
            home.length(&name).map_err(at_dir(&home))?;
        }
        let survey = snapshot::survey(&home, &places.log, id).await;
        let survey = survey.map_err(|error| damaged(&error.to_string()))?;
        if let Some((newest, false)) = survey.of_log.first()
            && is_backup
        {
            let sequence = newest.end.sequence;
            return Err(damaged(&format!(
                "does not go on to record {sequence} without damage"
            )));
        }
        let snapshot = snapshot::first_whole(&home, &survey.reached()).await;
        // Without a snapshot the log alone is enough, but not where a backup was being written. One that was written has a
        // snapshot, whole or damaged.
        let is_log_enough = if is_backup {
            !snapshot::names(&home).map_err(at_dir(&home))?.is_empty()
        } else {
            has(DATABASE)?
        };
        if snapshot.is_none() && (is_cut_off || !is_log_enough) {
            return Err(none());
        }
        let until = match &snapshot {
            Some(snapshot) if is_cut_off => Some(snapshot.end),
            _ => None,
        };
        let (log, base) = (places.log.clone(), snapshot.as_ref().map(|it| it.end));
        let read = blocking(move || Ok(read_after(&log, id, base, until)));
        let (end, after) = read.await?.map_err(|error| damaged(&error.to_string()))?;
        if let Some((name, sequence)) = &survey.unread
            && *sequence > end.sequence
        {
            return Err(damaged(&format!(
                "ends before record {sequence}, which the name of {name} says"
            )));
        }
        Ok(Self {
            home,
            places,
            snapshot,
            end,
            after,
            _lock: lock,
        })
    }
}

/// Reads the log from its beginning and answers where it ends, and what it says after `base`.
fn read_after(
    log: &Dir,
    id: LogId,
    base: Option<End>,
    until: Option<End>,
) -> Result<(End, After), ScanError> {
    let mut after = After::default();
    let begin = segments::begin(log)?.filter(|begin| begin.segment == 1);
    let mut end = begin
        .ok_or(io::ErrorKind::NotFound)
        .map_err(io::Error::from)?;
    let mut reader = Reader::new(log, id, end)?;
    while until != Some(end) {
        let (record, next) = match reader.next() {
            Ok(Some(read)) => read,
            Ok(None) => break,
            // It may lie behind: then what is before it is handed out, and the end is reached.
            Err(ScanError::Damaged { .. }) if until.is_some() => continue,
            Err(error) => return Err(error),
        };
        end = next;
        if base.is_none_or(|base| record.sequence > base.sequence) {
            after.take(record);
        }
    }
    Ok((end, after))
}

impl After {
    fn take(&mut self, record: Record) {
        let (name, body, size_bytes, crcs) = match record.change {
            Change::Put(put) => {
                let name = format!("{}/{}", put.bucket.as_str(), put.key.as_str());
                (name, put.body, put.size_bytes, put.block_crcs)
            }
            Change::PartPut(part) => {
                let name = format!("{}, part of an upload", part.bucket.as_str());
                (name, part.body, part.size_bytes, part.block_crcs)
            }
            Change::Freed { bodies } => {
                self.freed.extend(bodies.iter().map(|freed| freed.body));
                return;
            }
            _ => return,
        };
        if let BodyPlace::Blob { id } = body {
            let body = Body {
                size_bytes,
                place: Place::Blob { id },
                block_crcs: index::crcs_from_hex(&crcs).unwrap_or_default(),
            };
            self.blobs.push((record.sequence, body, name));
        }
    }
}

/// Whether a backup here was written to its end.
pub(in crate::store) fn was_written(home: &Dir) -> io::Result<bool> {
    Ok(!home.has(BACKING_UP)? && !snapshot::names(home)?.is_empty())
}

/// Whether a path, of which the last parts need not be there, is `folder` or in it.
fn lies_in(path: &Path, folder: &Path) -> bool {
    let Ok(folder) = folder.canonicalize() else {
        return false;
    };
    let Ok(path) = std::path::absolute(path) else {
        return false;
    };
    let there = path.ancestors().find_map(|part| part.canonicalize().ok());
    there.is_some_and(|there| there.starts_with(&folder))
}

fn refused(to: &Path, what: &str) -> BackupError {
    BackupError::Refused(format!(
        "{} {what}: name a folder of its own for the backup",
        to.display()
    ))
}

fn refused_restore(to: &Path, what: &str) -> BackupError {
    BackupError::Refused(format!(
        "{} {what}: restore into a new folder with --data-dir or HANGAR_DATA_DIR",
        to.display()
    ))
}

/// Makes a folder where it is missing, and those that lead to it. New ones that root makes are given to `owner`, who could
/// not come to it otherwise.
fn make_given(folder: &Path, owner: Owner) -> Result<(), BackupError> {
    let missing = folder.ancestors();
    let missing: Vec<_> = missing
        .take_while(|part| !part.as_os_str().is_empty() && !part.exists())
        .collect();
    for part in missing.into_iter().rev() {
        make_private(part).map_err(at(part))?;
        owner.take_at(part);
    }
    make_private(folder).map_err(at(folder))
}

fn make_home(to: &Path, owner: Owner) -> Result<(Dir, Places), BackupError> {
    let path = to.join("@hangar");
    for folder in [to, &path] {
        make_given(folder, owner)?;
    }
    let made = Dir::open(&path).and_then(|home| {
        let places = Places {
            log: home.make_folder("log")?,
            blobs: home.make_folder("blobs")?,
        };
        home.sync()?;
        Dir::open(to)?.sync()?;
        Ok((home, places))
    });
    made.map_err(at(&path))
}

/// Removes what a restore that was cut off left and another one may not find: its log and its snapshot.
fn clear_away(home: &Dir, places: &Places) -> io::Result<()> {
    for segment in segments::segments(&places.log)? {
        places.log.remove(&segments::segment_name(segment))?;
    }
    let names: Vec<String> = home.names()?.collect::<Result<_, _>>()?;
    for name in names.iter().filter(|name| snapshot::is_name(name)) {
        remove_database(home, name)?;
    }
    home.sync()
}

/// No other hangar writes there meanwhile.
fn lock(to: &Path, home: &Dir) -> Result<File, BackupError> {
    let file = home.make("lock").map_err(at_dir(home))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        let shown = to.display();
        BackupError::Refused(format!(
            "another hangar is writing to {shown}: wait until it ends"
        ))
    })?;
    Ok(file)
}

/// Keeps others from writing to a folder that is read, as far as it has a lock: nothing is made.
pub(in crate::store) fn lock_to_read(
    home: &Dir,
    shown: &Path,
) -> Result<Option<File>, BackupError> {
    let file = match home.read("lock") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(at_dir(home))?,
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let shown = shown.display();
            Err(BackupError::Refused(format!(
                "another hangar is writing to {shown}: wait until it ends; beside a server `hangar backup` makes a copy"
            )))
        }
        // A file system without locks is read without one.
        Err(_) => Ok(None),
    }
}

/// The key pair that the folder made for itself.
fn copy_keys(from: &Dir, to: &Dir) -> Result<(), BackupError> {
    let text = from.read_short("keys", MOST_KEYS_BYTES);
    let Some(text) = text.map_err(at_dir(from))? else {
        return Ok(());
    };
    let written = to.make_anew("keys.new").and_then(|mut file| {
        file.write_all(&text)?;
        file.sync_all()?;
        to.rename("keys.new", to, "keys")
    });
    written.map_err(at_dir(to))
}

/// Removes blobs that the backup does not name any more.
async fn prune(
    home: &Dir,
    places: &Places,
    snapshot: &Snapshot,
    mut copies: Copies,
) -> Result<Copies, BackupError> {
    let dir = &places.blobs;
    let mut index = snapshot::open(home, &snapshot.name).await?;
    let pages: Vec<Vec<BlobId>> = blobs::pages(dir, PAGE as usize)
        .map_err(at_dir(dir))?
        .collect();
    for page in pages {
        let known = index::known_blobs(&mut index, &page).await?;
        for id in page.iter().filter(|id| !known.contains(id)) {
            dir.remove(&id.to_string()).map_err(at_dir(dir))?;
            copies.removed += 1;
        }
    }
    index.close().await?;
    Ok(copies)
}

/// What becomes of a blob that is there and is not what was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rotted {
    /// It is not copied: a whole one may be there already, or come with a later backup.
    StaysBehind,
    /// It is copied as it is: without it its key would be taken for one whose bytes never came.
    ComesAlong,
}

struct Transfer<'a> {
    from: &'a Places,
    to: &'a Places,
    verify: Verify,
    rotted: Rotted,
    progress: &'a Progress,
    copies: Copies,
}

impl Transfer<'_> {
    /// `former`: up to where the log there was whole.
    async fn back_up(
        mut self,
        home: &Dir,
        snapshot: &Snapshot,
        former: Option<&Snapshot>,
    ) -> Result<Copies, BackupError> {
        let mut index = snapshot::open(home, &snapshot.name).await?;
        let (_, total) = index::stored(&mut index).await?;
        self.progress.total_bytes.store(total, Ordering::Relaxed);
        self.copies.records = snapshot.end.sequence;
        let covered = former.map(|former| former.end);
        self.log(snapshot.end, covered).await?;
        self.records(snapshot).await?;
        self.bodies(&mut index, covered, &HashSet::new()).await?;
        index.close().await?;
        self.sync()?;
        Ok(self.copies)
    }

    async fn restore(mut self, source: &Source) -> Result<Copies, BackupError> {
        let sizes = source
            .after
            .blobs
            .iter()
            .map(|(_, body, _)| body.size_bytes);
        let mut total = sizes.fold(0, u64::saturating_add);
        self.copies.records = source.end.sequence;
        self.log(source.end, None).await?;
        if let Some(snapshot) = &source.snapshot {
            let mut index = snapshot::open(&source.home, &snapshot.name).await?;
            let (_, stored) = index::stored(&mut index).await?;
            total = total.saturating_add(stored);
            self.progress.total_bytes.store(total, Ordering::Relaxed);
            self.bodies(&mut index, None, &source.after.freed).await?;
            index.close().await?;
        }
        for page in source.after.blobs.chunks(PAGE as usize) {
            let bodies = page.iter().map(|(id, body, _)| (*id, body.clone()));
            let outcomes = self.copy(bodies.collect(), 0).await?;
            for ((id, body, outcome), (_, _, name)) in outcomes.into_iter().zip(page) {
                if let Some((damage, at)) = self.count(&body, &outcome)
                    && !source.after.freed.contains(&id)
                {
                    self.found(Finding::of(damage, &body.place, at, vec![name.clone()]));
                }
            }
        }
        self.sync()?;
        Ok(self.copies)
    }

    fn sync(&self) -> Result<(), BackupError> {
        self.to.blobs.sync().map_err(at_dir(&self.to.blobs))
    }

    async fn log(&mut self, end: End, covered: Option<End>) -> Result<(), BackupError> {
        for segment in segments::segments(&self.from.log).map_err(at_dir(&self.from.log))? {
            // Past what the former snapshot covers nothing is known of what is there.
            let whole = match covered {
                Some(covered) if segment < covered.segment => u64::MAX,
                Some(covered) if segment == covered.segment => covered.offset,
                _ => 0,
            };
            if segment <= end.segment {
                self.segment(segment, end, whole).await?;
            }
        }
        self.to.log.sync().map_err(at_dir(&self.to.log))
    }

    /// Goes on with a segment of which the first `whole` bytes are there.
    async fn segment(&mut self, segment: u64, end: End, whole: u64) -> Result<(), BackupError> {
        let until = (segment == end.segment).then_some(end.offset);
        let (from, to) = (self.from.log.clone(), self.to.log.clone());
        let copied = blocking(move || Ok(copy_segment(&from, &to, segment, whole, until)));
        self.copies.bytes += copied.await?.map_err(at_dir(&self.from.log))?;
        Ok(())
    }

    /// Holds the records there against their checksums, and copies a segment again where one has rotted.
    async fn records(&mut self, snapshot: &Snapshot) -> Result<(), BackupError> {
        if self.verify == Verify::New {
            return Ok(());
        }
        let rotted = damaged_records(&self.to.log, snapshot).await?;
        if rotted.is_empty() {
            return Ok(());
        }
        let in_source = damaged_records(&self.from.log, snapshot).await?;
        let mut segments: Vec<u64> = rotted.iter().map(|(segment, _)| *segment).collect();
        segments.dedup();
        for segment in segments {
            if !in_source.iter().any(|(damaged, _)| *damaged == segment) {
                self.segment(segment, snapshot.end, 0).await?;
                self.copies.renewed += 1;
            }
        }
        for (segment, offset) in damaged_records(&self.to.log, snapshot).await? {
            let place = Place::Log { segment, offset };
            self.found(Finding::of(Damage::Record, &place, 0, Vec::new()));
        }
        Ok(())
    }

    /// `gone`: bodies that nothing names at the end.
    async fn bodies(
        &mut self,
        index: &mut SqliteConnection,
        covered: Option<End>,
        gone: &HashSet<u64>,
    ) -> Result<(), BackupError> {
        let covered = covered.map_or(0, |covered| covered.sequence);
        let mut after = 0;
        loop {
            let page = index::bodies_after(index, after, PAGE).await?;
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            after = *last;
            for (id, body, outcome) in self.copy(page, covered).await? {
                let Some((damage, at)) = self.count(&body, &outcome) else {
                    continue;
                };
                let users = index::users_of_bodies(index, &[id]).await?;
                // What nothing names may be gone.
                if !users.is_empty() && !gone.contains(&id) {
                    let hurts = users.into_iter().map(|(_, name)| name).collect();
                    self.found(Finding::of(damage, &body.place, at, hurts));
                }
            }
        }
    }

    /// Copies bodies that are blobs, and looks at those in the log. `covered`: up to this body the log was there before.
    async fn copy(
        &self,
        bodies: Vec<(u64, Body)>,
        covered: u64,
    ) -> Result<Vec<(u64, Body, Outcome)>, BackupError> {
        let (from, to) = (self.from.clone(), self.to.clone());
        let (verify, rotted) = (self.verify, self.rotted);
        let outcomes = blocking(move || {
            let copied = bodies.into_iter().map(|(id, body)| {
                let outcome = match body.place {
                    Place::Log { .. } if id <= covered && verify == Verify::New => {
                        Ok(Outcome::Unverified)
                    }
                    Place::Log { .. } => check_in_log(&body, &from, &to, id <= covered),
                    Place::Blob { id } => copy_blob(id, &body, (&from, &to), verify, rotted),
                };
                (id, body, outcome)
            });
            Ok(copied.collect::<Vec<_>>())
        });
        let mut done = Vec::new();
        for (id, body, outcome) in outcomes.await? {
            let outcome = outcome.map_err(at_dir(&self.to.blobs))?;
            done.push((id, body, outcome));
        }
        Ok(done)
    }

    /// Counts what was done, and answers the damage of the source.
    fn count(&mut self, body: &Body, outcome: &Outcome) -> Option<(Damage, u64)> {
        let is_blob = matches!(body.place, Place::Blob { .. });
        let copies = &mut self.copies;
        let done = &self.progress.done_bytes;
        done.fetch_add(body.size_bytes, Ordering::Relaxed);
        match outcome {
            Outcome::Copied if is_blob => {
                copies.blobs += 1;
                copies.bytes += body.size_bytes;
            }
            Outcome::Renewed => {
                copies.renewed += 1;
                copies.kept += u64::from(is_blob);
                copies.bytes += body.size_bytes;
            }
            Outcome::Unverified => {
                copies.unverified += 1;
                copies.kept += u64::from(is_blob);
            }
            Outcome::Kept => copies.kept += u64::from(is_blob),
            Outcome::Copied => {}
            Outcome::Damaged(damage, at) => return Some((*damage, *at)),
        }
        None
    }

    fn found(&mut self, finding: Finding) {
        self.copies.damages += 1;
        if self.copies.findings.len() < MOST_FINDINGS {
            self.copies.findings.push(finding);
        }
    }
}

async fn damaged_records(log: &Dir, snapshot: &Snapshot) -> Result<Vec<(u64, u64)>, BackupError> {
    let (log, id, end) = (log.clone(), snapshot.log, snapshot.end);
    let read = blocking(move || {
        read_records(&log, id, end)
            .map_err(|error| Unavailable::because("the log cannot be read", error).into())
    });
    Ok(read.await?.1)
}

enum Outcome {
    Copied,
    Kept,
    /// It was there before, had rotted, and was copied again.
    Renewed,
    /// It was there before, and its length is right.
    Unverified,
    /// What of the source, and where in the body.
    Damaged(Damage, u64),
}

fn check_in_log(body: &Body, from: &Places, to: &Places, was_there: bool) -> io::Result<Outcome> {
    let unseen = Progress::default();
    let Err((damage, at)) = read_body(body, to, &unseen) else {
        return Ok(if was_there {
            Outcome::Kept
        } else {
            Outcome::Copied
        });
    };
    if was_there && mend::mend(body, to, &[(from.clone(), body.place)])? {
        return Ok(Outcome::Renewed);
    }
    Ok(Outcome::Damaged(damage, at))
}

/// A blob gets its name when all of it is on disk and what it should be.
fn copy_blob(
    id: BlobId,
    body: &Body,
    (from, to): (&Places, &Places),
    verify: Verify,
    rotted: Rotted,
) -> io::Result<Outcome> {
    let (name, new) = (id.to_string(), format!("{id}.new"));
    let was_there = to
        .blobs
        .length(&name)
        .is_ok_and(|length| length == Some(body.size_bytes));
    if was_there && verify == Verify::New {
        return Ok(Outcome::Unverified);
    }
    if was_there && read_body(body, to, &Progress::default()).is_ok() {
        return Ok(Outcome::Kept);
    }
    let mut source = match from.blobs.read(&name) {
        Ok(source) => source,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Outcome::Damaged(Damage::Missing, 0));
        }
        Err(_) => return Ok(Outcome::Damaged(Damage::Unreadable, 0)),
    };
    let mut file = to.blobs.make_anew(&new)?;
    let mut block = vec![0; CRC_BLOCK_BYTES];
    let (mut done, mut damage) = (0, None);
    for crc in &body.block_crcs {
        let length = (body.size_bytes - done).min(CRC_BLOCK_BYTES as u64);
        let block = &mut block[..usize::try_from(length).expect("at most a MiB")];
        match source.read_exact(block) {
            Ok(()) if crc64_nvme(block) == *crc => {}
            Ok(()) => damage = damage.or(Some((Damage::Changed, done))),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                damage = Some((Damage::Truncated, done));
                break;
            }
            Err(_) => {
                damage = Some((Damage::Unreadable, done));
                break;
            }
        }
        file.write_all(block)?;
        done += length;
    }
    if done < body.size_bytes {
        damage = damage.or(Some((Damage::Changed, done)));
    }
    let is_taken = match damage {
        None => true,
        Some((damage, _)) => damage == Damage::Changed && rotted == Rotted::ComesAlong,
    };
    if is_taken {
        file.sync_data()?;
        to.blobs.rename(&new, &to.blobs, &name)?;
    } else {
        to.blobs.remove(&new)?;
    }
    if let Some((damage, at)) = damage {
        return Ok(Outcome::Damaged(damage, at));
    }
    Ok(if was_there {
        Outcome::Renewed
    } else {
        Outcome::Copied
    })
}

/// Goes on with a segment of which the first `whole` bytes are there, where there are so many. Answers how much it copied.
fn copy_segment(
    from: &Dir,
    to: &Dir,
    segment: u64,
    whole: u64,
    until: Option<u64>,
) -> io::Result<u64> {
    let name = segments::segment_name(segment);
    let mut source = from.read(&name)?;
    let until = until.map_or_else(|| source.metadata().map(|file| file.len()), Ok)?;
    let whole = whole.min(until);
    // Backups that are kept in turn may share files (`cp -al`): the older one must not change.
    let is_shared = to.stat(&name)?.is_some_and(|file| file.st_nlink > 1);
    let mut copy = if is_shared {
        to.make_anew(&name)?
    } else {
        to.make(&name)?
    };
    let whole = if copy.metadata()?.len() < whole {
        0
    } else {
        whole
    };
    copy.set_len(whole)?;
    source.seek(SeekFrom::Start(whole))?;
    copy.seek(SeekFrom::Start(whole))?;
    let mut piece = vec![0; PIECE_BYTES];
    let mut left = until.saturating_sub(whole);
    let copied = left;
    while left > 0 {
        let length = usize::try_from(left).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
        source.read_exact(&mut piece[..length])?;
        copy.write_all(&piece[..length])?;
        left -= length as u64;
    }
    copy.sync_data()?;
    Ok(copied)
}
