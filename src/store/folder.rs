//! The data folder: what lies where, its lock, and whether it is the folder that the index knows.
//!
//! All that hangar writes is in `DATA/@hangar/`, a name that no bucket can have and that a shell's `*` matches.

use super::OpenError;
use super::log::sync_folder;
use super::space::Space;
use rustix::fs::{FlockOperation, flock};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Paths of the folder, held by its lock.
#[derive(Debug)]
pub(super) struct Folder {
    home: PathBuf,
    lock: Mutex<Option<File>>,
    space: Arc<Space>,
}

impl Folder {
    /// Makes what is missing and takes the lock.
    pub(super) fn open(
        data_dir: &Path,
        allow_unsafe_fs: bool,
        min_free_bytes: Option<u64>,
    ) -> Result<Self, OpenError> {
        let shown = data_dir.display();
        let cannot = |error: &io::Error| {
            OpenError::Refused(format!(
                "the data folder {shown} cannot be used: {error}; set HANGAR_DATA_DIR (--data-dir) to a folder that \
                 this user may write"
            ))
        };
        let home = data_dir.join("@hangar");
        for folder in [data_dir, &home, &home.join("log"), &home.join("blobs")] {
            make_private(folder).map_err(|error| cannot(&error))?;
        }
        for folder in data_dir.parent().into_iter().chain([data_dir, &home]) {
            // A parent that is `""` is this folder; one that cannot be read was not made here.
            if let Err(error) = sync_folder(folder) {
                tracing::debug!(%error, "could not sync a parent folder");
            }
        }
        if super::backup::is_unfinished(&home) {
            return Err(OpenError::Refused(format!(
                "a restore into {shown} was cut off: run `hangar restore` again, or set HANGAR_DATA_DIR (--data-dir) to \
                 another folder"
            )));
        }
        filesystem::check(&home, allow_unsafe_fs)?;
        let lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(home.join("lock"))
            .map_err(|error| cannot(&error))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self {
                space: Arc::new(Space::open(&home, min_free_bytes)),
                home,
                lock: Mutex::new(Some(lock)),
            }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::Locked(format!(
                "another hangar is using the data folder {shown}; stop it, or set HANGAR_DATA_DIR (--data-dir) to \
                 another folder"
            ))),
            Err(error) => Err(cannot(&error.into())),
        }
    }

    /// Lets another hangar have it.
    pub(super) fn release(&self) {
        drop(
            self.lock
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
    }

    pub(super) fn space(&self) -> &Arc<Space> {
        &self.space
    }

    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    pub(super) fn database(&self) -> PathBuf {
        self.home.join("hangar.db")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.home.join("log")
    }

    pub(super) fn blobs(&self) -> PathBuf {
        self.home.join("blobs")
    }

    /// Tells commands where the running server's administration listener is.
    pub(super) fn run(&self) -> PathBuf {
        self.home.join("run")
    }

    /// Writes `run` anew: a new file, so that it has an identity of its own.
    pub(super) fn write_run(&self, text: &str) -> io::Result<Identity> {
        let path = self.run();
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        io::Write::write_all(&mut file, text.as_bytes())?;
        file.sync_all()?;
        drop(file);
        sync_folder(&self.home)?;
        identity(&path)?.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn remove_run(&self) {
        let removed = match std::fs::remove_file(self.run()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            // A power cut must not bring it back beside a database that knows it as gone.
            result => result.and_then(|()| sync_folder(&self.home)),
        };
        if let Err(error) = removed {
            tracing::warn!(%error, "could not remove the file `run`");
        }
    }

    /// Moves the index aside; it is never trusted again, and never removed by us.
    pub(super) fn set_index_aside(&self, now_millis: i64) -> io::Result<PathBuf> {
        let aside = self.home.join(format!("aside-{now_millis}"));
        make_private(&aside)?;
        for name in ["hangar.db", "hangar.db-wal", "hangar.db-shm"] {
            match std::fs::rename(self.home.join(name), aside.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        sync_folder(&aside)?;
        sync_folder(&self.home)?;
        Ok(aside)
    }
}

pub(super) fn make_private(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)
        }
        result => result,
    }
}

/// What tells a file from a copy of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) inode: i64,
    /// Nanoseconds; 0 where the file system does not tell.
    pub(super) born: i64,
    pub(super) changed: i64,
}

impl Identity {
    /// The same file, whatever was written to it since.
    pub(super) fn is_same_file(self, other: Self) -> bool {
        self.inode == other.inode && self.born == other.born
    }
}

/// `None`: there is no such file.
pub(super) fn identity(path: &Path) -> io::Result<Option<Identity>> {
    use std::os::unix::fs::MetadataExt;
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let born = metadata
        .created()
        .ok()
        .and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok())
        .and_then(|since| i64::try_from(since.as_nanos()).ok())
        .unwrap_or(0);
    Ok(Some(Identity {
        inode: metadata.ino().cast_signed(),
        born,
        changed: metadata
            .ctime()
            .saturating_mul(1_000_000_000)
            .saturating_add(metadata.ctime_nsec()),
    }))
}

/// Which file systems keep what a sync promised.
mod filesystem {
    use super::OpenError;
    use std::path::Path;

    #[cfg(target_os = "linux")]
    pub(super) fn check(home: &Path, allow_unsafe: bool) -> Result<(), OpenError> {
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
    pub(super) fn check(_home: &Path, _allow_unsafe: bool) -> Result<(), OpenError> {
        Ok(())
    }
}
