//! Errors of a backup or a restore, and what the operator can do about them.

use crate::store::dir::Dir;
use crate::store::error::{StoreError, is_full};
use crate::telemetry::with_causes;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// One sentence that says what the operator can do.
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folder, or the file in it.
    #[error("{}", sentence(.0, .1))]
    Copy(PathBuf, #[source] io::Error),
}

/// One sentence about an error in a folder that is copied, and what the operator can do about it.
fn sentence(path: &Path, error: &io::Error) -> String {
    let shown = path.display();
    if is_full(error) {
        return format!(
            "{shown} could not be copied: the disk is full; free some room on it and run this again, which goes on"
        );
    }
    let way_out = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "run hangar as a user that may read and write there, or give the folder to the user that it runs as (chown -R); \
             beside a running server the server makes the backup, as its own user"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "mount it for writing, or name a folder on another file system"
        }
        io::ErrorKind::NotADirectory => "name a folder",
        _ => "run this again, which goes on with what is there",
    };
    format!("{shown} could not be copied: {error}; {way_out}")
}

impl BackupError {
    /// One sentence, with its causes.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Store(error) => with_causes(error),
            // The text contains the cause already, before what the operator can do.
            Self::Refused(_) | Self::Copy(..) => self.to_string(),
        }
    }
}

impl From<sqlx::Error> for BackupError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |error| BackupError::Copy(path, error)
}

pub(super) fn at_dir(dir: &Dir) -> impl FnOnce(io::Error) -> BackupError {
    at(dir.path())
}
