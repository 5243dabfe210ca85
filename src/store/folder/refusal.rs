//! Why a data folder cannot be used, and what the operator can do about it.

use crate::store::dir::Dir;
use crate::store::error::{OpenError, Refusal, copy_of, is_full};
use crate::store::folder::layout::{BACKUP, RESTORING};
use std::io;
use std::path::Path;

/// Why a folder cannot be used, and what the operator can do about it.
pub(in crate::store) fn unusable(data_dir: &Path, error: &io::Error) -> OpenError {
    let shown = data_dir.display();
    if is_full(error) {
        return OpenError::Full(format!(
            "the disk of the data folder {shown} is full: free some MiB on it, or give it a larger disk"
        ).into());
    }
    let what = format!("the data folder {shown} cannot be used");
    OpenError::Refused(Refusal::because(what, copy_of(error)).way_out(way_out(error)))
}

/// What the operator can do about an error of a data folder.
pub(in crate::store) fn way_out(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "run hangar as the user that owns it, or give the folder to the user that hangar runs as (chown -R)"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "mount it for writing, or set HANGAR_DATA_DIR (--data-dir) to a folder on another one"
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "set HANGAR_DATA_DIR (--data-dir) to a folder"
        }
        _ => "set HANGAR_DATA_DIR (--data-dir) to a folder that this user may write",
    }
}

pub(in crate::store::folder) fn refuse_backup(
    home: &Dir,
    data_dir: &Path,
) -> Result<(), OpenError> {
    if !home
        .has(BACKUP)
        .map_err(|error| unusable(data_dir, &error))?
    {
        return Ok(());
    }
    Err(OpenError::Refused(format!(
        "{} holds a backup, which stays as it is: put it back into a new folder with `hangar restore`, or look at it \
         with `hangar fsck`",
        data_dir.display()
    ).into()))
}

pub(in crate::store::folder) fn refuse_unfinished(
    home: &Dir,
    data_dir: &Path,
) -> Result<(), OpenError> {
    if !home
        .has(RESTORING)
        .map_err(|error| unusable(data_dir, &error))?
    {
        return Ok(());
    }
    Err(OpenError::Refused(format!(
        "a restore into {} was cut off: run `hangar restore` again, or set HANGAR_DATA_DIR (--data-dir) to another folder",
        data_dir.display()
    ).into()))
}
