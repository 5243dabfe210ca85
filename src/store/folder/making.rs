//! Creating folders that only their owner can open.

use crate::store::dir::explained;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Creates a folder that only its owner can open, if it is missing.
pub(in crate::store) fn make_private(folder: &Path) -> io::Result<()> {
    let made = match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let text = format!("{} is not a folder", folder.display());
            return Err(io::Error::new(io::ErrorKind::NotADirectory, text));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)
        }
        result => result,
    };
    made.map_err(|error| explained(folder, error))
}

/// As [`make_private`]; a new folder belongs to the owner of its parent folder.
pub(in crate::store) fn make_in_folder(folder: &Path) -> io::Result<()> {
    let is_new = !folder.exists();
    make_private(folder)?;
    if is_new {
        crate::owner::follow_at(folder);
    }
    Ok(())
}
