//! The folder of a backup, and the target folder of a restore: where it may be, its lock, and how it is created.

use crate::owner::Owner;
use crate::store::dir::Dir;
use crate::store::folder::{Places, make_private};
use crate::store::recovery::snapshot;
use crate::store::upkeep::backup::error::{BackupError, at, at_dir};
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// While this file exists, a backup is being written or was interrupted: the log after its snapshot cannot be relied
/// on.
pub(super) const BACKING_UP: &str = "backing-up";

/// The limit for reading the file with the key pair, which is much shorter.
const MOST_KEYS_BYTES: u64 = 64 << 10;

/// Whether the backup in this folder is complete.
pub(super) fn was_written(home: &Dir) -> io::Result<bool> {
    Ok(!home.has(BACKING_UP)? && !snapshot::names(home)?.is_empty())
}

/// Whether a path is `folder` or inside it. The last parts of the path need not exist.
pub(super) fn is_inside(path: &Path, folder: &Path) -> bool {
    let Ok(folder) = folder.canonicalize() else {
        return false;
    };
    let Ok(path) = std::path::absolute(path) else {
        return false;
    };
    let there = path.ancestors().find_map(|part| part.canonicalize().ok());
    there.is_some_and(|there| there.starts_with(&folder))
}

/// Creates a folder and its parents where they are missing. If root creates them, they are given to `owner`, who could
/// not access them otherwise.
pub(super) fn make_owned_by(folder: &Path, owner: Owner) -> Result<(), BackupError> {
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

pub(super) fn make_home(to: &Path, owner: Owner) -> Result<(Dir, Places), BackupError> {
    let path = to.join("@hangar");
    for folder in [to, &path] {
        make_owned_by(folder, owner)?;
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

/// Locks the folder, so that no other hangar writes to it meanwhile.
pub(super) fn lock(to: &Path, home: &Dir) -> Result<File, BackupError> {
    let file = home.make("lock").map_err(at_dir(home))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        let shown = to.display();
        BackupError::Refused(format!(
            "another hangar is writing to {shown}: wait until it ends"
        ))
    })?;
    Ok(file)
}

/// Takes a shared lock on a folder that is read, if it has a lock file. Creates nothing.
pub(super) fn lock_to_read(home: &Dir, shown: &Path) -> Result<Option<File>, BackupError> {
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
        // On a file system without locks, the folder is read without one.
        Err(_) => Ok(None),
    }
}

/// Copies the key pair that hangar generated for the folder.
pub(super) fn copy_keys(from: &Dir, to: &Dir) -> Result<(), BackupError> {
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
