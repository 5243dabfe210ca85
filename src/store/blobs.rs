//! Bodies that are files of their own: `blobs/<random id>`, written at their final name. No record, no object.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A blob that is being written, or that no record names yet. Dropping it removes the file.
#[derive(Debug)]
pub(super) struct NewBlob {
    id: String,
    path: PathBuf,
    kept: bool,
}

impl NewBlob {
    pub(super) fn create(dir: &Path) -> io::Result<(Self, File)> {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let path = blob_path(dir, &id);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        Ok((
            Self {
                id,
                path,
                kept: false,
            },
            file,
        ))
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// A record names it: it stays.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for NewBlob {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let path = std::mem::take(&mut self.path);
        let remove = move || {
            if let Err(error) = std::fs::remove_file(&path) {
                tracing::warn!(%error, "could not remove a blob that was given up");
            }
        };
        // Unlinking a large file takes the file system a while.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

pub(super) fn blob_path(dir: &Path, id: &str) -> PathBuf {
    dir.join(id)
}
