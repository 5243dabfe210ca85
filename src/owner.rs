//! The owner of new files: files that root creates in another user's folder get that folder's owner.
//!
//! Operators run `hangar token create`, `backup`, `rebuild` … as root on a folder whose server runs as its own user. A
//! file of root with mode 0600 in that folder would keep the server from starting. Other users cannot change the owner
//! of a file, and already own the files that they create.

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Stat, Uid};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

/// A user and a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

impl Owner {
    /// The owner of an open file or folder.
    ///
    /// # Errors
    /// When the file system does not report it.
    pub(crate) fn of(file: impl AsFd) -> io::Result<Self> {
        let stat = rustix::fs::fstat(file)?;
        Ok(Self {
            user: stat.st_uid,
            group: stat.st_gid,
        })
    }

    pub(crate) fn is_root(self) -> bool {
        self.user == 0
    }

    /// Makes this owner the owner of a new file or folder, if this process runs as root and the owner is another user.
    /// On a system that forbids it (a container without `CAP_CHOWN`) the file stays as it is.
    pub(crate) fn take(self, file: impl AsFd) {
        if self.is_root() || !is_root() {
            return;
        }
        let (user, group) = self.ids();
        log_failure(self, rustix::fs::fchown(file, user, group));
    }

    /// As [`Owner::take`], for a new file at a path: see [`follow_at`].
    pub(crate) fn take_at(self, path: &Path) {
        if let Some((folder, name)) = in_folder(path) {
            self.take_new(&folder, name);
        }
    }

    fn take_new(self, folder: &File, name: &OsStr) {
        if !self.is_root() && is_root() {
            log_failure(self, self.try_take_new(folder, name));
        }
    }

    #[cfg(target_os = "linux")]
    fn try_take_new(self, folder: &File, name: &OsStr) -> rustix::io::Result<()> {
        // With PATH the file is neither read nor written, and closing it releases no lock.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(folder, name, flags, Mode::empty())?;
        if !is_new_of_root(&rustix::fs::fstat(&file)?) {
            return Ok(());
        }
        let (user, group) = self.ids();
        rustix::fs::chownat(file, "", user, group, AtFlags::EMPTY_PATH)
    }

    #[cfg(not(target_os = "linux"))]
    fn try_take_new(self, folder: &File, name: &OsStr) -> rustix::io::Result<()> {
        if !is_new_of_root(&rustix::fs::statat(
            folder,
            name,
            AtFlags::SYMLINK_NOFOLLOW,
        )?) {
            return Ok(());
        }
        let (user, group) = self.ids();
        rustix::fs::chownat(folder, name, user, group, AtFlags::SYMLINK_NOFOLLOW)
    }

    fn ids(self) -> (Option<Uid>, Option<Gid>) {
        (
            Some(Uid::from_raw(self.user)),
            Some(Gid::from_raw(self.group)),
        )
    }
}

/// Whether this process may change the owner of files.
pub(crate) fn is_root() -> bool {
    user() == 0
}

/// The user that this process runs as.
pub(crate) fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Makes the owner of the folder the owner of a new file in it.
pub(crate) fn follow(file: impl AsFd, folder: impl AsFd) {
    if is_root()
        && let Ok(owner) = Owner::of(folder)
    {
        owner.take(file);
    }
}

/// As [`follow`], for a file that another library created by its path. The file is not opened for reading: closing a
/// database's file would release SQLite's locks on it.
///
/// The folder's owner may not be trusted with the files of others, and may have replaced the new file meanwhile. So
/// only a file that is in that very folder, belongs to root, and has no other name is changed.
pub(crate) fn follow_at(path: &Path) {
    if is_root()
        && let Some((folder, name)) = in_folder(path)
        && let Ok(owner) = Owner::of(&folder)
    {
        owner.take_new(&folder, name);
    }
}

fn in_folder(path: &Path) -> Option<(File, &OsStr)> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = File::open(folder.unwrap_or(Path::new("."))).ok()?;
    Some((folder, path.file_name()?))
}

/// Whether it is a folder of root, or a file of root with one name.
fn is_new_of_root(stat: &Stat) -> bool {
    let is_fit = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => true,
        FileType::RegularFile => stat.st_nlink == 1,
        _ => false,
    };
    is_fit && stat.st_uid == 0
}

fn log_failure(owner: Owner, given: rustix::io::Result<()>) {
    if let Err(error) = given {
        tracing::debug!(%error, user = owner.user, "a new file could not be given to the owner of its folder");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, chown, symlink};

    /// Runs only as root; other users cannot change the owner of a file.
    #[test]
    fn only_new_files_of_root_with_one_name_change_owner_by_path() {
        const USER: u32 = 12_345;
        if !is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("folder");
        let victim = dir.path().join("victim");
        std::fs::create_dir(&folder).unwrap();
        chown(&folder, Some(USER), Some(USER)).unwrap();
        for path in [&victim, &folder.join("new")] {
            std::fs::write(path, "").unwrap();
        }
        std::fs::hard_link(&victim, folder.join("hard")).unwrap();
        symlink(&victim, folder.join("link")).unwrap();
        std::fs::write(folder.join("another's"), "").unwrap();
        chown(folder.join("another's"), Some(USER + 1), None).unwrap();
        for name in ["new", "hard", "link", "another's", "absent"] {
            follow_at(&folder.join(name));
        }
        let owner = |path: &Path| std::fs::symlink_metadata(path).unwrap().uid();
        assert_eq!(owner(&folder.join("new")), USER);
        assert_eq!(owner(&folder.join("another's")), USER + 1);
        assert_eq!(owner(&victim), 0);
        assert_eq!(owner(&folder.join("link")), 0);
        // A folder whose owner put another folder in the place of the new one.
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        symlink(dir.path().join("etc"), folder.join("made")).unwrap();
        let to = Owner {
            user: USER,
            group: USER,
        };
        to.take_at(&folder.join("made"));
        assert_eq!(owner(&dir.path().join("etc")), 0);
    }
}
