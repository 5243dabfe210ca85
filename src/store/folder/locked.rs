//! The data folder: what lies where, its lock, and whether it is the folder that the index knows.
//!
//! All that hangar writes is in `DATA/@hangar/`, a name that no bucket can have and that a shell's `*` matches. `DATA` and
//! `@hangar` may be symbolic links; nothing in `@hangar` may be one ([`Dir`]).

use crate::store::dir::{Dir, explained};
use crate::store::error::{OpenError, is_full};
use crate::store::record::reader::{self, Found};
use crate::store::record::segments;
use crate::store::space::Space;
use rustix::fs::{Access, FlockOperation, flock};
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A folder that holds this is a backup, and no data folder.
pub(in crate::store) const BACKUP: &str = "backup";
/// While it is there, a folder is not restored whole.
pub(in crate::store) const RESTORING: &str = "restoring";
/// How folders are named that hold a part of a log which was set aside.
pub(in crate::store) const ASIDE_LOG: &str = "aside-log-";
pub(in crate::store) const DATABASE: &str = "hangar.db";
/// Where checkpoints of the index are noted.
pub(in crate::store) const CHECKPOINT_NOTE: &str = "checkpoint";
const BLOBS: &str = "blobs";
/// The folder for blobs before it is known that there were none.
const NEW_BLOBS: &str = "blobs.new";
/// What SQLite keeps beside a database, by the end of its name. The journal of another database would be applied to it.
const JOURNALS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Where a folder's log and blobs are. Cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::store) struct Places {
    pub(in crate::store) log: Dir,
    pub(in crate::store) blobs: Dir,
}

impl Places {
    /// Of a data folder, or of a backup; nothing is made.
    pub(in crate::store) fn of(home: &Dir) -> io::Result<Self> {
        Ok(Self {
            log: home.folder("log")?,
            blobs: home.folder(BLOBS)?,
        })
    }
}

/// The data folder, held by its lock.
#[derive(Debug)]
pub(in crate::store) struct Folder {
    home: Dir,
    places: Places,
    /// There is a log, and no folder for its blobs. Tools that copy may leave out an empty one.
    lacks_blobs: bool,
    lock: Mutex<Option<File>>,
    space: Arc<Space>,
}

impl Folder {
    /// Makes what is missing and takes the lock.
    pub(in crate::store) fn open(
        data_dir: &Path,
        allow_unsafe_fs: bool,
        min_free_bytes: Option<u64>,
    ) -> Result<Self, OpenError> {
        let cannot = |error: &io::Error| unusable(data_dir, error);
        let path = data_dir.join("@hangar");
        make_private(data_dir).map_err(|error| cannot(&error))?;
        make_in_folder(&path).map_err(|error| cannot(&error))?;
        let home = Dir::open(&path).map_err(|error| cannot(&error))?;
        refuse_backup(&home, data_dir)?;
        let log = home.make_folder("log").map_err(|error| cannot(&error))?;
        let has_log = !matches!(reader::find(&log), Ok(Found::Nothing));
        let lacks_blobs = has_log && !home.has(BLOBS).map_err(|error| cannot(&error))?;
        let blobs = home.make_folder(if lacks_blobs { NEW_BLOBS } else { BLOBS });
        let blobs = blobs.map_err(|error| cannot(&error))?;
        for folder in data_dir.parent().into_iter().chain([data_dir]) {
            // A parent that is `""` is this folder; one that cannot be read was not made here.
            if let Err(error) = File::open(folder).and_then(|folder| folder.sync_all()) {
                tracing::debug!(%error, "could not sync a parent folder");
            }
        }
        home.sync().map_err(|error| cannot(&error))?;
        refuse_unfinished(&home, data_dir)?;
        filesystem::check(home.path(), allow_unsafe_fs)?;
        let lock = home.make("lock").map_err(|error| cannot(&error))?;
        take_lock(&lock, FlockOperation::NonBlockingLockExclusive, data_dir)?;
        refuse_links(&home).map_err(|error| cannot(&error))?;
        let access = Access::READ_OK | Access::WRITE_OK;
        require(&home, access).map_err(|error| cannot(&error))?;
        Ok(Self {
            space: Arc::new(Space::open(&home, min_free_bytes)),
            home,
            places: Places { log, blobs },
            lacks_blobs,
            lock: Mutex::new(Some(lock)),
        })
    }

    /// Opens a folder that is there, for reading alone: nothing in it is made or changed. No other process may write to it
    /// meanwhile. `blobs`: stands for the folder of blobs where there is none.
    pub(in crate::store) fn look(
        data_dir: &Path,
        blobs: impl FnOnce() -> io::Result<Dir>,
    ) -> Result<Self, OpenError> {
        let cannot = |error: &io::Error| unusable(data_dir, error);
        let home = Dir::open(&data_dir.join("@hangar")).map_err(|error| cannot(&error))?;
        refuse_backup(&home, data_dir)?;
        refuse_unfinished(&home, data_dir)?;
        let lock = match home.read("lock") {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            opened => Some(opened.map_err(|error| cannot(&error))?),
        };
        if let Some(lock) = &lock {
            take_lock(lock, FlockOperation::NonBlockingLockShared, data_dir)?;
        }
        let log = home.folder("log").map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => OpenError::Refused(format!(
                "{} holds no log: restore the folder from a backup, or set HANGAR_DATA_DIR (--data-dir) to another one",
                data_dir.display()
            )),
            _ => cannot(&error),
        })?;
        let blobs = match home.folder(BLOBS) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => blobs(),
            opened => opened,
        };
        let blobs = blobs.map_err(|error| cannot(&error))?;
        refuse_links(&home).map_err(|error| cannot(&error))?;
        require(&home, Access::READ_OK).map_err(|error| cannot(&error))?;
        Ok(Self {
            space: Arc::new(Space::beside(&home, Some(0))),
            home,
            places: Places { log, blobs },
            lacks_blobs: false,
            lock: Mutex::new(lock),
        })
    }

    /// Where the folder for blobs is missing: makes it, unless `has_bodies`, which says that there were some.
    pub(in crate::store) fn make_missing_blobs(&self, has_bodies: bool) -> Result<(), OpenError> {
        if !self.lacks_blobs {
            return Ok(());
        }
        let shown = self.home.path_of(BLOBS);
        let shown = shown.display();
        if has_bodies {
            return Err(OpenError::Refused(format!(
                "the folder {shown} is missing, where files over 256 KiB are, and there were some: put it back; if it is \
                 lost, make it, empty, and run `hangar fsck`, which names what is lost with it"
            )));
        }
        let made = self.home.rename(NEW_BLOBS, &self.home, BLOBS);
        made.and_then(|()| self.home.sync()).map_err(|error| {
            OpenError::Refused(format!("the folder {shown} cannot be made: {error}"))
        })
    }

    /// Lets another hangar have it.
    pub(in crate::store) fn release(&self) {
        drop(
            self.lock
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
    }

    pub(in crate::store) fn space(&self) -> &Arc<Space> {
        &self.space
    }

    /// The folder that `@hangar` lies in.
    pub(in crate::store) fn data_dir(&self) -> PathBuf {
        let parent = self.home.path().parent();
        parent.map(Path::to_owned).unwrap_or_default()
    }

    pub(in crate::store) fn home(&self) -> &Dir {
        &self.home
    }

    pub(in crate::store) fn database(&self) -> PathBuf {
        self.home.path_of(DATABASE)
    }

    pub(in crate::store) fn places(&self) -> &Places {
        &self.places
    }

    pub(in crate::store) fn log(&self) -> &Dir {
        &self.places.log
    }

    pub(in crate::store) fn blobs(&self) -> &Dir {
        &self.places.blobs
    }

    /// Writes `run`, which tells commands where the running server's administration listener is: a new file, so that it
    /// has an identity of its own.
    pub(in crate::store) fn write_run(&self, text: &str) -> io::Result<Identity> {
        let mut file = self.home.make_anew("run")?;
        io::Write::write_all(&mut file, text.as_bytes())?;
        file.sync_all()?;
        drop(file);
        self.home.sync()?;
        identity(&self.home, "run")?.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(in crate::store) fn remove_run(&self) {
        let removed = match self.home.remove("run") {
            // A power cut must not bring it back beside a database that knows it as gone.
            Ok(true) => self.home.sync(),
            removed => removed.map(drop),
        };
        if let Err(error) = removed {
            tracing::warn!(%error, "could not remove the file `run`");
        }
    }

    /// Moves the index aside with all that SQLite keeps beside it, and what of it is left; it is never trusted again, and
    /// never removed by us. Answers the name of its folder. `None`: there was nothing.
    pub(in crate::store) fn set_index_aside(&self, now_millis: i64) -> io::Result<Option<String>> {
        let mut names = Vec::new();
        for name in database_files(DATABASE) {
            if self.home.has(&name)? {
                names.push(name);
            }
        }
        if names.is_empty() {
            return Ok(None);
        }
        let aside = self.make_aside(&format!("aside-{now_millis}"))?;
        for name in names {
            self.home.rename(&name, &aside, &name)?;
            // The database goes first and for sure: a journal alone is moved by the next start, and a database whose
            // journal is gone would be taken for whole.
            aside.sync()?;
            self.home.sync()?;
        }
        let name = aside.path().file_name().unwrap_or_default();
        Ok(Some(name.to_string_lossy().into_owned()))
    }

    /// A new folder for what is set aside: what was set aside before stays.
    pub(in crate::store) fn make_aside(&self, name: &str) -> io::Result<Dir> {
        let mut wanted = name.to_owned();
        for count in 1.. {
            if !self.home.has(&wanted)? {
                break;
            }
            wanted = format!("{name}-{count}");
        }
        self.home.make_folder(&wanted)
    }
}

/// Whether a folder is one of hangar's in which something is kept: a data folder, a backup, or what a restore left that was
/// cut off. Nothing is made.
///
/// # Errors
/// Where it is missing, is not a folder, or is closed to this user; the error names the file.
pub fn holds_data(data_dir: &Path) -> io::Result<bool> {
    let folder = std::fs::metadata(data_dir).map_err(|error| explained(data_dir, error))?;
    if !folder.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    let home = match Dir::open(&data_dir.join("@hangar")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened?,
    };
    for name in [BACKUP, RESTORING, DATABASE, "run", "keys"] {
        if home.has(name)? {
            return Ok(true);
        }
    }
    for name in home.names()? {
        if crate::store::recovery::snapshot::is_name(&name?) {
            return Ok(true);
        }
    }
    match home.folder("log") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        log => Ok(!segments::segments(&log?)?.is_empty()),
    }
}

/// Files that SQLite opens by their path; so is the note opened.
fn by_path() -> impl Iterator<Item = String> {
    database_files(DATABASE).chain([CHECKPOINT_NOTE.to_owned()])
}

/// SQLite would follow a link.
fn refuse_links(home: &Dir) -> io::Result<()> {
    for name in by_path() {
        home.length(&name)?;
    }
    Ok(())
}

/// SQLite says of a file that is closed to this user no more than that it cannot be opened.
fn require(home: &Dir, access: Access) -> io::Result<()> {
    by_path().try_for_each(|name| home.require(&name, access))
}

/// Why a folder cannot be used, and the way out of that.
pub(in crate::store) fn unusable(data_dir: &Path, error: &io::Error) -> OpenError {
    let shown = data_dir.display();
    if is_full(error) {
        return OpenError::Full(format!(
            "the disk of the data folder {shown} is full: free some MiB on it, or give it a larger disk"
        ));
    }
    let way_out = way_out(error);
    OpenError::Refused(format!(
        "the data folder {shown} cannot be used: {error}; {way_out}"
    ))
}

/// What to do about an error of a data folder.
pub(in crate::store) fn way_out(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "run hangar as the user that owns it, or give the folder to the user that hangar runs as (chown -R)"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "mount it for writing, or set HANGAR_DATA_DIR (--data-dir) to a folder on another one"
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "set HANGAR_DATA_DIR (--data-dir) to a folder"
        }
        _ => "set HANGAR_DATA_DIR (--data-dir) to a folder that this user may write",
    }
}

fn refuse_backup(home: &Dir, data_dir: &Path) -> Result<(), OpenError> {
    if !home
        .has(BACKUP)
        .map_err(|error| unusable(data_dir, &error))?
    {
        return Ok(());
    }
    Err(OpenError::Refused(format!(
        "{} holds a backup, which stays as it is: put it back into a new folder with `hangar restore`, or look at it \
         with `hangar fsck`",
        data_dir.display()
    )))
}

fn refuse_unfinished(home: &Dir, data_dir: &Path) -> Result<(), OpenError> {
    if !home
        .has(RESTORING)
        .map_err(|error| unusable(data_dir, &error))?
    {
        return Ok(());
    }
    Err(OpenError::Refused(format!(
        "a restore into {} was cut off: run `hangar restore` again, or set HANGAR_DATA_DIR (--data-dir) to another folder",
        data_dir.display()
    )))
}

fn take_lock(lock: &File, how: FlockOperation, data_dir: &Path) -> Result<(), OpenError> {
    match flock(lock, how) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::Locked(format!(
            "another hangar is using the data folder {}; stop it, or set HANGAR_DATA_DIR (--data-dir) to another folder",
            data_dir.display()
        ))),
        Err(error) => Err(unusable(data_dir, &error.into())),
    }
}

/// A database and what SQLite keeps beside it, the database first.
pub(in crate::store) fn database_files(name: &str) -> impl Iterator<Item = String> {
    let journals = JOURNALS.map(|end| format!("{name}{end}"));
    std::iter::once(name.to_owned()).chain(journals)
}

/// Removes a database with what SQLite keeps beside it, which would be applied to the next one of its name.
pub(in crate::store) fn remove_database(home: &Dir, name: &str) -> io::Result<()> {
    home.remove(name)?;
    remove_journals(home, name)
}

/// Removes what SQLite keeps beside a database.
pub(in crate::store) fn remove_journals(home: &Dir, name: &str) -> io::Result<()> {
    for name in database_files(name).skip(1) {
        home.remove(&name)?;
    }
    Ok(())
}

/// Makes a folder for its owner alone where it is missing.
pub(in crate::store) fn make_private(folder: &Path) -> io::Result<()> {
    let made = match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let text = format!("{} is not a folder", folder.display());
            return Err(io::Error::new(io::ErrorKind::NotADirectory, text));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)
        }
        result => result,
    };
    made.map_err(|error| explained(folder, error))
}

/// As [`make_private`]; a new one belongs to the owner of the folder that it lies in.
pub(in crate::store) fn make_in_folder(folder: &Path) -> io::Result<()> {
    let is_new = !folder.exists();
    make_private(folder)?;
    if is_new {
        crate::owner::follow_at(folder);
    }
    Ok(())
}

/// What tells a file from a copy of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Identity {
    pub(in crate::store) inode: i64,
    /// Nanoseconds; 0 where the file system does not tell.
    pub(in crate::store) born: i64,
    pub(in crate::store) changed: i64,
}

impl Identity {
    pub(in crate::store) fn of(metadata: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        let born = metadata
            .created()
            .ok()
            .and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok())
            .and_then(|since| i64::try_from(since.as_nanos()).ok())
            .unwrap_or(0);
        Self {
            inode: metadata.ino().cast_signed(),
            born,
            changed: metadata
                .ctime()
                .saturating_mul(1_000_000_000)
                .saturating_add(metadata.ctime_nsec()),
        }
    }

    /// The same file, whatever was written to it since.
    pub(in crate::store) fn is_same_file(self, other: Self) -> bool {
        self.inode == other.inode && self.born == other.born
    }
}

/// `None`: there is no such file.
pub(in crate::store) fn identity(home: &Dir, name: &str) -> io::Result<Option<Identity>> {
    // Not opened: closing a database's file anywhere in the process lets go of SQLite's locks on it.
    if home.length(name)?.is_none() {
        return Ok(None);
    }
    match std::fs::symlink_metadata(home.path_of(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        metadata => Ok(Some(Identity::of(&metadata?))),
    }
}

/// Which file systems keep what a sync promised.
mod filesystem {
    use crate::store::error::OpenError;
    use std::path::Path;

    #[cfg(target_os = "linux")]
    pub(in crate::store) fn check(home: &Path, allow_unsafe: bool) -> Result<(), OpenError> {
        // linux/magic.h, and the kernels' own file systems where the header lacks them
        let Ok(stat) = rustix::fs::statfs(home) else {
            return Ok(());
        };
        let name = match u32::try_from(stat.f_type & 0xffff_ffff).unwrap_or_default() {
            0x6969 => "NFS",
            0xff53_4d42 | 0xfe53_4d42 | 0x517b => "CIFS",
            0x0102_1997 => "9p",
            0x6573_5546 => "FUSE",
            0x4d44 | 0x2011_bab0 => "FAT",
            0x794c_7630 => {
                tracing::warn!(
                    "the data folder is on overlayfs, inside a container's own layer: its files vanish with the \
                     container; mount a volume there"
                );
                return Ok(());
            }
            _ => return Ok(()),
        };
        if allow_unsafe {
            tracing::warn!("the data folder is on {name}, which may lose what was synced");
            return Ok(());
        }
        Err(OpenError::Refused(format!(
            "the data folder is on {name}, which may lose what was synced; use a local disk, or set \
             HANGAR_ALLOW_UNSAFE_FS=true to accept that"
        )))
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(
        clippy::unnecessary_wraps,
        reason = "other systems are for development only"
    )]
    pub(in crate::store) fn check(_home: &Path, _allow_unsafe: bool) -> Result<(), OpenError> {
        Ok(())
    }
}
