//! Blobs: bodies that are files of their own, `blobs/<random id>`, written under their final name. A blob without a record
//! is no object.
//!
//! Every id is a [`BlobId`], wherever it comes from, so that no text in a log, an index or a backup can become another file
//! name.

use crate::faults;
use crate::store::content::BlobId;
use crate::store::dir::Dir;
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The folder of blobs, and the ids of blobs that the index cannot know yet. Cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::store) struct Blobs {
    dir: Dir,
    under_way: Arc<Mutex<HashSet<BlobId>>>,
}

impl Blobs {
    pub(in crate::store) fn in_folder(dir: Dir) -> Self {
        Self {
            dir,
            under_way: Arc::default(),
        }
    }

    pub(in crate::store) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// Whether an upload holds the blob, or a record names it that the index does not have yet. Ask the index after this,
    /// not before: a blob that is no longer under way is in the index, if a record names it.
    pub(in crate::store) fn is_under_way(&self, id: BlobId) -> bool {
        self.lock().contains(&id)
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<BlobId>> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a blob under a new id.
    pub(in crate::store) fn create(&self) -> io::Result<(NewBlob, File)> {
        let id = BlobId::random();
        faults::call("blob-create")?;
        let file = self.dir.make_new(&id.to_string())?;
        self.lock().insert(id);
        let under_way = UnderWay {
            blobs: self.clone(),
            id,
        };
        Ok((
            NewBlob {
                id,
                under_way: Some(under_way),
            },
            file,
        ))
    }
}

/// Marks a blob that the index cannot know yet. Once this is dropped, the index knows the blob, or never will.
#[derive(Debug)]
pub(in crate::store) struct UnderWay {
    blobs: Blobs,
    id: BlobId,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.blobs.lock().remove(&self.id);
    }
}

/// A blob that is being written, or that no record names yet. Dropping it removes the file.
#[derive(Debug)]
pub(in crate::store) struct NewBlob {
    id: BlobId,
    /// `None` once a record names the blob.
    under_way: Option<UnderWay>,
}

impl NewBlob {
    pub(in crate::store) fn id(&self) -> BlobId {
        self.id
    }

    /// Keeps the file, because a record names it now. The caller holds the returned mark until the index has that record.
    pub(in crate::store) fn keep(mut self) -> Option<UnderWay> {
        self.under_way.take()
    }
}

impl Drop for NewBlob {
    fn drop(&mut self) {
        let Some(under_way) = self.under_way.take() else {
            return;
        };
        let remove = move || {
            if let Err(error) = under_way.blobs.dir.remove(&under_way.id.to_string()) {
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

/// The blobs of a folder, `most` at a time. A file whose name is no blob id is skipped.
pub(in crate::store) fn pages(
    dir: &Dir,
    most: usize,
) -> io::Result<impl Iterator<Item = Vec<BlobId>> + use<>> {
    let mut ids = (dir.names()?).filter_map(|name| BlobId::parse(&name.ok()?).ok());
    Ok(std::iter::from_fn(move || {
        let page: Vec<BlobId> = ids.by_ref().take(most).collect();
        (!page.is_empty()).then_some(page)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::content::NotABlobId;

    #[test]
    fn only_32_hex_digits_are_a_blobs_id() {
        let text = "0123456789abcdef0123456789abcdef";
        assert_eq!(BlobId::parse(text).unwrap().to_string(), text);
        let zeros = "0".repeat(32);
        assert_eq!(BlobId::parse(&zeros).unwrap().to_string(), zeros);
        let json = serde_json::to_string(&BlobId::parse(text).unwrap()).unwrap();
        assert_eq!(json, format!("\"{text}\""));
        for other in [
            "",
            "..",
            "../victim",
            "/etc/passwd",
            &text[1..],
            &format!("{text}0"),
            &text.to_uppercase(),
            &format!("+{}", &text[1..]),
            &format!("../{}", &text[3..]),
            &format!("{}/", &text[1..]),
            &format!("{}\0", &text[1..]),
            &format!("{}.new", &text[4..]),
        ] {
            assert_eq!(BlobId::parse(other), Err(NotABlobId), "{other:?}");
            let json = serde_json::to_string(other).unwrap();
            let error = serde_json::from_str::<BlobId>(&json).unwrap_err();
            assert!(
                error.to_string().starts_with(&NotABlobId.to_string()),
                "{other:?}: {error}"
            );
        }
    }
}
