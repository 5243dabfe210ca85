//! A copy of the data folder for another place, made while others use it; and the way back.
//!
//! A backup is a folder as a data folder is: a snapshot of the index, the log up to it, and the blobs that it names. Bytes
//! are copied, never linked, and each is held against its checksum on the way. The snapshot gets its name last: until then
//! the backup is the one before. What is there already is not copied again, so that a backup of the next day is short and
//! one that was cut off goes on.

use super::blobs::{self, blob_path};
use super::check::{Damage, Finding, Progress, blocking, read_body};
use super::content::{Body, Place};
use super::folder::make_private;
use super::log::{self, End};
use super::snapshot::{self, Snapshot};
use super::{Store, StoreConfig, StoreError, meta};
use crate::db;
use crate::s3::checksum::{CRC_BLOCK_BYTES, crc64_nvme};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use sqlx::{Connection, SqliteConnection};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// Bodies that are copied together.
const PAGE: u32 = 500;
const PIECE_BYTES: usize = 1 << 20;
/// While it is there, a folder is not whole.
const RESTORING: &str = "restoring";
const MOST_FINDINGS: usize = 1000;

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
    #[error("{0} could not be copied: {1}")]
    Copy(PathBuf, #[source] io::Error),
}

impl From<sqlx::Error> for BackupError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |error| BackupError::Copy(path, error)
}

impl Store {
    /// Copies all that the index has now to a folder of its own. `progress` is told in bytes of bodies.
    ///
    /// # Errors
    /// `Refused` where the folder is something else; what was copied until another error stays for the next time.
    pub async fn backup(&self, to: &Path, progress: &Progress) -> Result<Copies, BackupError> {
        let folder = &self.inner.folder;
        let home = to.join("@hangar");
        let same = |path: &Path| path.canonicalize().ok();
        if same(&home).is_some() && same(&home) == same(folder.home()) {
            return Err(refused(to, "is the data folder itself"));
        }
        if home.join("hangar.db").exists() || home.join("run").exists() {
            return Err(refused(to, "holds a data folder, not a backup"));
        }
        make_home(to, &home)?;
        let _lock = lock(to, &home)?;
        let former = snapshot::all(&home).await.map_err(at(&home))?;
        // Nothing is freed from here on.
        let _held = self.inner.state.hold_bytes();
        let new = snapshot::make(&folder.database(), &home, None).await;
        let new = new.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        if former.iter().any(|former| former.log != new.log) {
            return Err(refused(to, "holds a backup of another data folder"));
        }
        let covered = former.first().map(|former| former.end);
        let transfer = Transfer {
            from: folder.home(),
            to: &home,
            progress,
            copies: Copies::default(),
        };
        let copies = transfer.run(&new, covered).await?;
        copy_keys(folder.home(), &home)?;
        let new = snapshot::name_it(&new, &home).map_err(at(&home))?;
        for old in former.iter().filter(|old| old.path != new.path) {
            std::fs::remove_file(&old.path).map_err(at(&old.path))?;
        }
        prune(&home, &new, copies).await
    }
}

/// Puts a backup back into a data folder that holds nothing yet, or what a restore that was cut off left.
///
/// # Errors
/// `Refused` where there is no backup, or a folder that holds data.
pub async fn restore(
    from: &Path,
    config: &StoreConfig,
    progress: &Progress,
) -> Result<Copies, BackupError> {
    let (source, home) = (from.join("@hangar"), config.data_dir.join("@hangar"));
    let newest = snapshot::newest_whole(&source).await.unwrap_or_default();
    let has_damaged = snapshot::paths(&source).is_ok_and(|paths| !paths.is_empty());
    if newest.is_none() && !has_damaged {
        return Err(BackupError::Refused(format!(
            "{} holds no backup that is whole: name the folder that `hangar backup` was given, and where that was cut \
             off, run it again",
            from.display()
        )));
    }
    let to = &config.data_dir;
    if home.exists() && !is_unfinished(&home) {
        return Err(BackupError::Refused(format!(
            "{} holds data already: restore into a new folder with --data-dir or HANGAR_DATA_DIR",
            to.display()
        )));
    }
    // The marker first: what follows is no data folder until it is gone.
    make_private(to).map_err(at(to))?;
    make_private(&home).map_err(at(&home))?;
    let marker = home.join(RESTORING);
    let made = File::create(&marker).and_then(|file| file.sync_all());
    made.and_then(|()| log::sync_folder(&home))
        .map_err(at(&marker))?;
    make_home(to, &home)?;
    let lock = lock(to, &home)?;
    let transfer = Transfer {
        from: &source,
        to: &home,
        progress,
        copies: Copies::default(),
    };
    let copies = match &newest {
        Some(newest) => transfer.run(newest, None).await?,
        None => transfer.without_snapshot().await?,
    };
    copy_keys(&source, &home)?;
    if let Some(newest) = &newest {
        snapshot::copy_to(&newest.path, &home).map_err(at(&newest.path))?;
    }
    std::fs::remove_file(&marker).map_err(at(&marker))?;
    log::sync_folder(&home).map_err(at(&home))?;
    drop(lock);
    Ok(copies)
}

/// Whether a restore into this folder was cut off.
pub(super) fn is_unfinished(home: &Path) -> bool {
    home.join(RESTORING).exists()
}

fn refused(to: &Path, what: &str) -> BackupError {
    BackupError::Refused(format!(
        "{} {what}: name a folder of its own for the backup",
        to.display()
    ))
}

fn make_home(to: &Path, home: &Path) -> Result<(), BackupError> {
    for folder in [to, home, &home.join("log"), &home.join("blobs")] {
        make_private(folder).map_err(at(folder))?;
    }
    for folder in [to, home] {
        log::sync_folder(folder).map_err(at(folder))?;
    }
    Ok(())
}

/// Nobody else writes there meanwhile.
fn lock(to: &Path, home: &Path) -> Result<File, BackupError> {
    let path = home.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(at(&path))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        let shown = to.display();
        BackupError::Refused(format!("another hangar is writing to {shown}: let it end"))
    })?;
    Ok(file)
}

/// The key pair that the folder made for itself.
fn copy_keys(from: &Path, to: &Path) -> Result<(), BackupError> {
    let (from, to) = (from.join("keys"), to.join("keys"));
    let text = match std::fs::read(&from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        text => text.map_err(at(&from))?,
    };
    let new = to.with_extension("new");
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&new, &to));
    written.map_err(at(&to))
}

/// Removes blobs that the backup does not name any more.
async fn prune(
    home: &Path,
    snapshot: &Snapshot,
    mut copies: Copies,
) -> Result<Copies, BackupError> {
    let dir = home.join("blobs");
    let mut index = db::open_copy(&snapshot.path).await?;
    let pages: Vec<Vec<String>> = blobs::pages(&dir, PAGE as usize)
        .map_err(at(&dir))?
        .collect();
    for page in pages {
        let known = meta::known_blobs(&mut index, &page).await?;
        for id in page.iter().filter(|id| !known.contains(*id)) {
            let path = blob_path(&dir, id);
            std::fs::remove_file(&path).map_err(at(&path))?;
            copies.removed += 1;
        }
    }
    index.close().await?;
    Ok(copies)
}

struct Transfer<'a> {
    from: &'a Path,
    to: &'a Path,
    progress: &'a Progress,
    copies: Copies,
}

impl Transfer<'_> {
    /// `covered`: up to where the log there is known to be whole.
    async fn run(
        mut self,
        snapshot: &Snapshot,
        covered: Option<End>,
    ) -> Result<Copies, BackupError> {
        let mut index = db::open_copy(&snapshot.path).await?;
        let (_, total) = meta::stored(&mut index).await?;
        self.progress.total_bytes.store(total, Ordering::Relaxed);
        self.copies.records = snapshot.end.sequence;
        self.log(snapshot.end, covered).await?;
        self.bodies(&mut index, covered).await?;
        index.close().await?;
        log::sync_folder(&self.to.join("blobs")).map_err(at(self.to))?;
        Ok(self.copies)
    }

    /// All of the log and all blobs, where no snapshot says what is to be there: the start makes the index of the log alone.
    async fn without_snapshot(mut self) -> Result<Copies, BackupError> {
        let (from, to) = (self.from.join("log"), self.to.join("log"));
        for segment in log::segments(&from).map_err(at(&from))? {
            let source = log::segment_path(&from, segment);
            let copy = log::segment_path(&to, segment);
            let copied = blocking(move || Ok(copy_segment(&source, &copy, 0, None)));
            self.copies.bytes += copied.await?.map_err(at(&from))?;
        }
        log::sync_folder(&to).map_err(at(&to))?;
        let (from, to) = (self.from.join("blobs"), self.to.join("blobs"));
        for page in blobs::pages(&from, PAGE as usize).map_err(at(&from))? {
            for id in page {
                let (source, copy) = (blob_path(&from, &id), blob_path(&to, &id));
                let copied = blocking(move || Ok(copy_whole_blob(&source, &copy)));
                self.copies.bytes += copied.await?.map_err(at(&from))?;
                self.copies.blobs += 1;
            }
        }
        log::sync_folder(&to).map_err(at(&to))?;
        Ok(self.copies)
    }

    async fn log(&mut self, end: End, covered: Option<End>) -> Result<(), BackupError> {
        let (from, to) = (self.from.join("log"), self.to.join("log"));
        for segment in log::segments(&from).map_err(at(&from))? {
            if segment > end.segment {
                continue;
            }
            let (source, copy) = (
                log::segment_path(&from, segment),
                log::segment_path(&to, segment),
            );
            let until = (segment == end.segment).then_some(end.offset);
            // Past what the former snapshot covers nothing is known of what is there.
            let whole = match covered {
                Some(covered) if segment < covered.segment => continue,
                Some(covered) if segment == covered.segment => covered.offset,
                _ => 0,
            };
            let copied = blocking(move || Ok(copy_segment(&source, &copy, whole, until)));
            self.copies.bytes += copied.await?.map_err(at(&from))?;
        }
        log::sync_folder(&to).map_err(at(&to))
    }

    async fn bodies(
        &mut self,
        index: &mut SqliteConnection,
        covered: Option<End>,
    ) -> Result<(), BackupError> {
        let covered = covered.map_or(0, |covered| covered.sequence);
        let mut after = 0;
        loop {
            let page = meta::bodies_after(index, after, PAGE).await?;
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            after = *last;
            let (from, to) = (self.from.to_owned(), self.to.to_owned());
            let outcomes = blocking(move || {
                let copied = page.into_iter().map(|(id, body)| {
                    let outcome = match &body.place {
                        Place::Log { .. } if id <= covered => Ok(Outcome::Kept),
                        Place::Log { .. } => Ok(check_in_log(&body, &to)),
                        Place::Blob { id } => copy_blob(id, &body, &from, &to),
                    };
                    (id, body, outcome)
                });
                Ok(copied.collect::<Vec<_>>())
            });
            for (id, body, outcome) in outcomes.await? {
                let is_blob = matches!(body.place, Place::Blob { .. });
                match outcome.map_err(at(self.to))? {
                    Outcome::Copied if is_blob => {
                        self.copies.blobs += 1;
                        self.copies.bytes += body.size_bytes;
                    }
                    Outcome::Kept if is_blob => self.copies.kept += 1,
                    Outcome::Copied | Outcome::Kept => {}
                    Outcome::Damaged(damage, at) => {
                        self.damaged(index, id, &body.place, damage, at).await?;
                    }
                }
                let done = &self.progress.done_bytes;
                done.fetch_add(body.size_bytes, Ordering::Relaxed);
            }
        }
    }

    async fn damaged(
        &mut self,
        index: &mut SqliteConnection,
        id: u64,
        place: &Place,
        damage: Damage,
        offset: u64,
    ) -> Result<(), BackupError> {
        let users = meta::users_of_bodies(index, &[id]).await?;
        // What nothing names may be gone.
        if users.is_empty() {
            return Ok(());
        }
        self.copies.damages += 1;
        if self.copies.findings.len() < MOST_FINDINGS {
            let hurts = users.into_iter().map(|(_, name)| name).collect();
            self.copies
                .findings
                .push(Finding::of(damage, place, offset, hurts));
        }
        Ok(())
    }
}

enum Outcome {
    Copied,
    Kept,
    /// What of the source, and where in the body.
    Damaged(Damage, u64),
}

fn check_in_log(body: &Body, to: &Path) -> Outcome {
    let unseen = Progress::default();
    let checked = read_body(body, &to.join("log"), &to.join("blobs"), &unseen);
    checked.map_or_else(
        |(damage, at)| Outcome::Damaged(damage, at),
        |()| Outcome::Copied,
    )
}

/// A blob gets its name when all of it is on disk and what it should be.
fn copy_blob(id: &str, body: &Body, from: &Path, to: &Path) -> io::Result<Outcome> {
    let (source, copy) = (
        blob_path(&from.join("blobs"), id),
        blob_path(&to.join("blobs"), id),
    );
    if std::fs::metadata(&copy).is_ok_and(|file| file.len() == body.size_bytes) {
        return Ok(Outcome::Kept);
    }
    let mut source = match File::open(source) {
        Ok(source) => source,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Outcome::Damaged(Damage::Missing, 0));
        }
        Err(_) => return Ok(Outcome::Damaged(Damage::Unreadable, 0)),
    };
    let new = copy.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
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
    if let Some((damage, at)) = damage {
        std::fs::remove_file(new)?;
        return Ok(Outcome::Damaged(damage, at));
    }
    file.sync_data()?;
    std::fs::rename(new, copy)?;
    Ok(Outcome::Copied)
}

/// What is in it is held against its checksums when it is read.
fn copy_whole_blob(source: &Path, copy: &Path) -> io::Result<u64> {
    let new = copy.with_extension("new");
    let bytes = std::fs::copy(source, &new)?;
    File::open(&new)?.sync_data()?;
    std::fs::rename(new, copy)?;
    Ok(bytes)
}

/// Goes on with a segment of which the first `whole` bytes are there. Answers how much it copied.
fn copy_segment(source: &Path, copy: &Path, whole: u64, until: Option<u64>) -> io::Result<u64> {
    let mut source = File::open(source)?;
    let until = until.map_or_else(|| source.metadata().map(|file| file.len()), Ok)?;
    let mut copy = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(copy)?;
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
