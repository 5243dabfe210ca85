//! Bodies that are files of their own: `blobs/<random id>`, written at their final name. No record, no object.

use crate::faults;
use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The folder of blobs, and which of them the index cannot know yet. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Blobs {
    dir: PathBuf,
    under_way: Arc<Mutex<HashSet<String>>>,
}

impl Blobs {
    pub(super) fn in_folder(dir: PathBuf) -> Self {
        Self {
            dir,
            under_way: Arc::default(),
        }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether an upload holds it, or a record that the index lacks names it. Ask the index after this, not before: what
    /// is let go here is there.
    pub(super) fn is_under_way(&self, id: &str) -> bool {
        self.lock().contains(id)
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a blob under a new id.
    pub(super) fn create(&self) -> io::Result<(NewBlob, File)> {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let path = blob_path(&self.dir, &id);
        faults::call("blob-create")?;
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        self.lock().insert(id.clone());
        let under_way = UnderWay {
            blobs: self.clone(),
            id,
        };
        Ok((
            NewBlob {
                under_way: Some(under_way),
                path,
            },
            file,
        ))
    }
}

/// A blob that the index cannot know yet; it can once this is dropped, or never will.
#[derive(Debug)]
pub(super) struct UnderWay {
    blobs: Blobs,
    id: String,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.blobs.lock().remove(&self.id);
    }
}

/// A blob that is being written, or that no record names yet. Dropping it removes the file.
#[derive(Debug)]
pub(super) struct NewBlob {
    /// `None` once it is kept.
    under_way: Option<UnderWay>,
    path: PathBuf,
}

impl NewBlob {
    pub(super) fn id(&self) -> &str {
        self.under_way.as_ref().map_or("", |it| &it.id)
    }

    /// A record names it: it stays. What comes back is to be held until the index has that record.
    pub(super) fn keep(mut self) -> Option<UnderWay> {
        self.under_way.take()
    }
}

impl Drop for NewBlob {
    fn drop(&mut self) {
        let Some(under_way) = self.under_way.take() else {
            return;
        };
        let path = std::mem::take(&mut self.path);
        let remove = move || {
            if let Err(error) = std::fs::remove_file(&path) {
                tracing::warn!(%error, "could not remove a blob that was given up");
            }
            drop(under_way);
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

/// Names in the folder that can be blobs, `most` at a time.
pub(super) fn pages(
    dir: &Path,
    most: usize,
) -> io::Result<impl Iterator<Item = Vec<String>> + use<>> {
    let mut names = std::fs::read_dir(dir)?.filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        let is_id = name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then_some(name)
    });
    Ok(std::iter::from_fn(move || {
        let page: Vec<String> = names.by_ref().take(most).collect();
        (!page.is_empty()).then_some(page)
    }))
}
