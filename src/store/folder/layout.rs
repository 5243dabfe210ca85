//! The files of a data folder by their names, and where its log and blobs are.

use crate::store::dir::Dir;
use std::io;

/// A folder that holds this is a backup, and no data folder.
pub(in crate::store) const BACKUP: &str = "backup";
/// While it is there, a folder is not restored whole.
pub(in crate::store) const RESTORING: &str = "restoring";
/// How folders are named that hold a part of a log which was set aside.
pub(in crate::store) const ASIDE_LOG: &str = "aside-log-";
pub(in crate::store) const DATABASE: &str = "hangar.db";
/// Where checkpoints of the index are noted.
pub(in crate::store) const CHECKPOINT_NOTE: &str = "checkpoint";
pub(in crate::store::folder) const BLOBS: &str = "blobs";
/// The folder for blobs before it is known that there were none.
pub(in crate::store::folder) const NEW_BLOBS: &str = "blobs.new";
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

/// Files that SQLite opens by their path; so is the note opened.
pub(in crate::store::folder) fn by_path() -> impl Iterator<Item = String> {
    database_files(DATABASE).chain([CHECKPOINT_NOTE.to_owned()])
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
