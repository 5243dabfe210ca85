//! The data folder while this process holds its lock.

use crate::store::dir::Dir;
use crate::store::error::{OpenError, Refusal};
use crate::store::folder::filesystem;
use crate::store::folder::identity::{Identity, identity};
use crate::store::folder::layout::{BLOBS, DATABASE, NEW_BLOBS, Places, by_path, database_files};
use crate::store::folder::making::{make_in_folder, make_private};
use crate::store::folder::refusal::{refuse_backup, refuse_unfinished, unusable};
use crate::store::folder::space::Space;
use rustix::fs::{Access, FlockOperation, flock};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A data folder whose subfolders exist, before its lock is taken.
pub(in crate::store) struct MadeFolder<'a> {
    data_dir: &'a Path,
    home: Dir,
    log: Dir,
}

/// Whether a folder has a log already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum LogState {
    Begun,
    Absent,
}

impl<'a> MadeFolder<'a> {
    /// Creates what is missing of the data folder, its `@hangar` and the folder of its log.
    pub(in crate::store) fn make(data_dir: &'a Path) -> Result<Self, OpenError> {
        let cannot = |error: &io::Error| unusable(data_dir, error);
        let path = data_dir.join("@hangar");
        make_private(data_dir).map_err(|error| cannot(&error))?;
        make_in_folder(&path).map_err(|error| cannot(&error))?;
        let home = Dir::open(&path).map_err(|error| cannot(&error))?;
        refuse_backup(&home, data_dir)?;
        let log = home.make_folder("log").map_err(|error| cannot(&error))?;
        Ok(Self {
            data_dir,
            home,
            log,
        })
    }

    pub(in crate::store) fn log(&self) -> &Dir {
        &self.log
    }

    /// Creates the folder of blobs where it is missing, and takes the lock.
    pub(in crate::store) fn lock(
        self,
        log_state: LogState,
        allow_unsafe_fs: bool,
        min_free_bytes: Option<u64>,
    ) -> Result<Folder, OpenError> {
        let Self {
            data_dir,
            home,
            log,
        } = self;
        let cannot = |error: &io::Error| unusable(data_dir, error);
        let lacks_blobs =
            log_state == LogState::Begun && !home.has(BLOBS).map_err(|error| cannot(&error))?;
        let blobs = home.make_folder(if lacks_blobs { NEW_BLOBS } else { BLOBS });
        let blobs = blobs.map_err(|error| cannot(&error))?;
        for folder in data_dir.parent().into_iter().chain([data_dir]) {
            // An empty parent (`""`) is the current folder. hangar did not create a parent that it cannot read.
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
        Ok(Folder {
            space: Arc::new(Space::open(&home, min_free_bytes)),
            home,
            places: Places { log, blobs },
            lacks_blobs,
            lock: Mutex::new(Some(lock)),
        })
    }
}

/// The data folder while this process holds its lock.
#[derive(Debug)]
pub(in crate::store) struct Folder {
    home: Dir,
    places: Places,
    /// There is a log, but no folder for its blobs. Copy tools may skip an empty folder.
    lacks_blobs: bool,
    lock: Mutex<Option<File>>,
    space: Arc<Space>,
}

impl Folder {
    /// Opens an existing folder read-only: creates and changes nothing in it. No other process may write to it
    /// meanwhile. `blobs` replaces the folder of blobs where that is missing.
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
            ).into()),
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
            space: Arc::new(Space::read_only(&home, Some(0))),
            home,
            places: Places { log, blobs },
            lacks_blobs: false,
            lock: Mutex::new(lock),
        })
    }

    /// Creates the folder for blobs if it is missing. Fails if `has_bodies` (there were blobs).
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
            ).into()));
        }
        let made = self.home.rename(NEW_BLOBS, &self.home, BLOBS);
        made.and_then(|()| self.home.sync()).map_err(|error| {
            let what = format!("the folder {shown} cannot be made");
            OpenError::Refused(Refusal::because(what, error))
        })
    }

    /// Releases the lock, so that another hangar can open the folder.
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

    /// The folder that contains `@hangar`.
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

    /// Writes `run`, from which commands read the address of the running server's administration listener. It is a new
    /// file each time, so that it has its own identity.
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
            // A power cut must not bring the file back: the database records that it is gone.
            Ok(true) => self.home.sync(),
            removed => removed.map(drop),
        };
        if let Err(error) = removed {
            tracing::warn!(%error, "could not remove the file `run`");
        }
    }

    /// Moves the index aside with all files that SQLite keeps next to it, also where only some of them are left.
    /// hangar never trusts it again, and never removes it. Returns the name of its new folder; `None` if there were no
    /// such files.
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
            // The database moves first, and is synced before the journal moves. The next start moves a journal that was left
            // alone; but it would take a database without its journal for complete.
            aside.sync()?;
            self.home.sync()?;
        }
        let name = aside.path().file_name().unwrap_or_default();
        Ok(Some(name.to_string_lossy().into_owned()))
    }

    /// Creates a new folder for files that are set aside. Folders that were set aside before stay.
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

/// Fails if a file is a link: SQLite would follow it.
fn refuse_links(home: &Dir) -> io::Result<()> {
    for name in by_path() {
        home.length(&name)?;
    }
    Ok(())
}

/// Fails if this user may not access a file. SQLite would report only that the file cannot be opened.
fn require(home: &Dir, access: Access) -> io::Result<()> {
    by_path().try_for_each(|name| home.require(&name, access))
}

fn take_lock(lock: &File, how: FlockOperation, data_dir: &Path) -> Result<(), OpenError> {
    match flock(lock, how) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::Locked(format!(
            "another hangar is using the data folder {}; stop it, or set HANGAR_DATA_DIR (--data-dir) to another folder",
            data_dir.display()
        ).into())),
        Err(error) => Err(unusable(data_dir, &error.into())),
    }
}
