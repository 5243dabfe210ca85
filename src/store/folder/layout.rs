//! The names of the files of a data folder, and the folders of its log and its blobs.

use crate::store::dir::Dir;
use std::io;

/// A folder that holds this file is a backup, not a data folder.
pub(in crate::store) const BACKUP: &str = "backup";
/// While this file exists, a restore into the folder is not complete.
pub(in crate::store) const RESTORING: &str = "restoring";
/// The prefix of folders that hold a part of a log that was set aside.
pub(in crate::store) const ASIDE_LOG: &str = "aside-log-";
pub(in crate::store) const DATABASE: &str = "hangar.db";
/// The file that records checkpoints of the index.
pub(in crate::store) const CHECKPOINT_NOTE: &str = "checkpoint";
pub(in crate::store::folder) const BLOBS: &str = "blobs";
/// The folder for new blobs, until it is known that there were no blobs before.
pub(in crate::store::folder) const NEW_BLOBS: &str = "blobs.new";
/// The suffixes of the files that SQLite keeps next to a database. SQLite would apply the journal of another database to it.
const JOURNALS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The folders of the log and the blobs. Cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::store) struct Places {
    pub(in crate::store) log: Dir,
    pub(in crate::store) blobs: Dir,
}

impl Places {
    /// Opens both in a data folder or a backup; creates nothing.
    pub(in crate::store) fn of(home: &Dir) -> io::Result<Self> {
        Ok(Self {
            log: home.folder("log")?,
            blobs: home.folder(BLOBS)?,
        })
    }
}

/// Files that SQLite opens by path. The checkpoint note is opened by path too.
pub(in crate::store::folder) fn by_path() -> impl Iterator<Item = String> {
    database_files(DATABASE).chain([CHECKPOINT_NOTE.to_owned()])
}

/// A database and the files that SQLite keeps next to it, the database first.
pub(in crate::store) fn database_files(name: &str) -> impl Iterator<Item = String> {
    let journals = JOURNALS.map(|end| format!("{name}{end}"));
    std::iter::once(name.to_owned()).chain(journals)
}

/// Removes a database and the files that SQLite keeps next to it. SQLite would apply them to the next database of that name.
pub(in crate::store) fn remove_database(home: &Dir, name: &str) -> io::Result<()> {
    home.remove(name)?;
    remove_journals(home, name)
}

/// Removes the files that SQLite keeps next to a database.
pub(in crate::store) fn remove_journals(home: &Dir, name: &str) -> io::Result<()> {
    for name in database_files(name).skip(1) {
        home.remove(&name)?;
    }
    Ok(())
}
