//! Opening a data folder, and finding out whether a folder holds data: both read its log.

use crate::store::dir::{Dir, explained};
use crate::store::error::OpenError;
use crate::store::folder::{BACKUP, DATABASE, Folder, LogState, MadeFolder, RESTORING};
use crate::store::record::reader::{self, Found};
use crate::store::record::segments;
use crate::store::recovery::snapshot;
use std::io;
use std::path::Path;

/// Creates what is missing of a data folder, and takes its lock.
pub(in crate::store) fn open(
    data_dir: &Path,
    allow_unsafe_fs: bool,
    min_free_bytes: Option<u64>,
) -> Result<Folder, OpenError> {
    let made = MadeFolder::make(data_dir)?;
    let log_state = match reader::find(made.log()) {
        Ok(Found::Nothing) => LogState::Absent,
        _ => LogState::Begun,
    };
    made.lock(log_state, allow_unsafe_fs, min_free_bytes)
}

/// Whether a folder belongs to hangar and holds data: it is a data folder, a backup, or the remains of an interrupted
/// restore. Creates nothing.
///
/// # Errors
/// When it is missing, is not a folder, or this user may not open it; the error names the file.
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
        if snapshot::is_name(&name?) {
            return Ok(true);
        }
    }
    match home.folder("log") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        log => Ok(!segments::segments(&log?)?.is_empty()),
    }
}
