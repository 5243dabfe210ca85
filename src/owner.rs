//! The owner of new files: what root makes in another user's folder belongs to that user.
//!
//! `hangar token create`, `backup`, `rebuild` … are run as root on a folder whose server runs as a user of its own. A file
//! of root's with mode 0600 in that folder would keep the server from starting. Other users cannot give files away, and
//! their files are their own already.

use rustix::fs::{AtFlags, CWD, Gid, Uid};
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

/// As [`follow`], of a file that another library made by its path. The file is not opened: to close a database's file would
/// end SQLite's locks on it.
pub(crate) fn follow_at(path: &Path) {
    let Some(folder) = path.parent().filter(|_| is_root()) else {
        return;
    };
    let Ok(owner) = File::open(folder).and_then(Owner::of) else {
        return;
    };
    if !owner.is_root() {
        let (user, group) = owner.ids();
        let given = rustix::fs::chownat(CWD, path, user, group, AtFlags::SYMLINK_NOFOLLOW);
        log_failure(owner, given);
    }
}

fn log_failure(owner: Owner, given: rustix::io::Result<()>) {
    if let Err(error) = given {
        tracing::debug!(%error, user = owner.user, "a new file could not be given to the owner of its folder");
    }
}
