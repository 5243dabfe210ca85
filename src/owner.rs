//! The owner of new files: what root makes in another user's folder belongs to that user.
//!
//! `hangar token create`, `backup`, `rebuild` … are run as root on a folder whose server runs as a user of its own. A file
//! of root's with mode 0600 in that folder would keep the server from starting. Other users cannot give files away, and
//! their files are their own already.

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
    /// Of an open file or folder.
    ///
    /// # Errors
    /// When the file system does not say.
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

    /// Gives a new file or folder to this owner, where this process is root and the owner is another user. A system that
    /// forbids it (a container without `CAP_CHOWN`) leaves the file as it is.
    pub(crate) fn take(self, file: impl AsFd) {
        if self.is_root() || !is_root() {
            return;
        }
        let (user, group) = self.ids();
        log_failure(self, rustix::fs::fchown(file, user, group));
    }

    /// As [`Owner::take`], of what was just made at a path: see [`follow_at`].
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
        // PATH: neither read nor written, and its close ends no lock.
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

/// Whether this process may give files away.
pub(crate) fn is_root() -> bool {
    user() == 0
}

/// The user that this process runs as.
pub(crate) fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Gives a new file to the owner of the folder that it lies in.
pub(crate) fn follow(file: impl AsFd, folder: impl AsFd) {
    if is_root()
        && let Ok(owner) = Owner::of(folder)
    {
        owner.take(file);
    }
}

/// As [`follow`], of a file that another library made by its path. The file is not opened for reading: to close a
/// database's file would end SQLite's locks on it.
///
/// The folder may be its owner's who is not to be trusted with the files of others, and may have put something else in the
/// place of the new file meanwhile: what is given is in that very folder, is root's, and has no other name.
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

/// Whether it is a folder of root's, or a file of root's that has one name.
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

    /// As root alone; other users give nothing away.
    #[test]
    fn a_file_that_is_given_by_its_path_is_new_and_has_no_other_name() {
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
        // As a folder whose maker was given another in its place.
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
