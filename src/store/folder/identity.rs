//! How hangar distinguishes a file from a copy of it.

use crate::store::dir::Dir;
use std::io;

/// The identity of a file: its inode and its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Identity {
    pub(in crate::store) inode: i64,
    /// Nanoseconds; 0 where the file system does not record it.
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

    /// Whether both are the same file, even if it was written to in between.
    pub(in crate::store) fn is_same_file(self, other: Self) -> bool {
        self.inode == other.inode && self.born == other.born
    }
}

/// Returns `None` if there is no such file.
pub(in crate::store) fn identity(home: &Dir, name: &str) -> io::Result<Option<Identity>> {
    // The file is not opened: closing a database's file anywhere in the process releases SQLite's locks on it.
    if home.length(name)?.is_none() {
        return Ok(None);
    }
    match std::fs::symlink_metadata(home.path_of(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        metadata => Ok(Some(Identity::of(&metadata?))),
    }
}
