//! Writing a long body to its blob: each buffer is hashed and written at once, and the disk is synced while more comes.

use crate::faults;
use crate::s3::checksum::{Digests, Md5Hasher, OtherHasher, Wanted};
use crate::store::bodies::blobs::NewBlob;
use crate::store::bodies::staging_memory::Permits;
use crate::store::dir;
use crate::store::error::{StageError, given_up, unavailable};
use crate::store::object::Expected;
use futures_util::FutureExt;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// So much of a blob is on its way to the disk while more of it comes, else its last sync would have all to wait for.
const SYNC_BYTES: usize = 32 << 20;

/// A buffer that is hashed and written, beside each other: MD5 takes as long as the rest.
pub(in crate::store::bodies) struct Writing {
    pub(in crate::store::bodies) buffer: Arc<StagedBuffer>,
    md5: JoinHandle<Md5Hasher>,
    rest: JoinHandle<std::io::Result<BlobWriter>>,
}

/// Bytes, and what they take of the memory that staged bodies share: given back together.
pub(in crate::store::bodies) struct StagedBuffer {
    pub(in crate::store::bodies) bytes: Vec<u8>,
    permits: Permits,
}

impl Writing {
    pub(in crate::store::bodies) fn start(
        bytes: Vec<u8>,
        permits: Permits,
        mut md5: Md5Hasher,
        rest: impl FnOnce(&[u8]) -> std::io::Result<BlobWriter> + Send + 'static,
    ) -> Self {
        let buffer = Arc::new(StagedBuffer { bytes, permits });
        let (for_md5, for_rest) = (buffer.clone(), buffer.clone());
        Self {
            buffer,
            md5: tokio::task::spawn_blocking(move || {
                md5.update(&for_md5.bytes);
                md5
            }),
            rest: tokio::task::spawn_blocking(move || rest(&for_rest.bytes)),
        }
    }

    /// Gives the buffer back, to be filled again; a body's first is of what it held in memory, and goes.
    pub(in crate::store::bodies) async fn end(
        self,
    ) -> Result<(Md5Hasher, BlobWriter, Vec<u8>), StageError> {
        let (Ok(md5), Ok(rest)) = (self.md5.await, self.rest.await) else {
            return Err(given_up());
        };
        let mut buffer = Arc::into_inner(self.buffer)
            .filter(|held| held.permits.is_none())
            .map_or_else(Vec::new, |held| held.bytes);
        buffer.clear();
        Ok((md5, rest.map_err(|error| unavailable(&error))?, buffer))
    }
}

pub(in crate::store::bodies) struct BlobWriter {
    blob: NewBlob,
    file: Arc<File>,
    hasher: Box<OtherHasher>,
    /// Bytes behind the last sync that was begun.
    unsynced: usize,
    syncing: Option<JoinHandle<std::io::Result<()>>>,
    syncs: Arc<Semaphore>,
}

impl BlobWriter {
    pub(in crate::store::bodies) fn new(
        blob: NewBlob,
        file: File,
        wanted: &Wanted,
        syncs: Arc<Semaphore>,
    ) -> Self {
        Self {
            blob,
            file: Arc::new(file),
            hasher: Box::new(OtherHasher::new(wanted)),
            unsynced: 0,
            syncing: None,
            syncs,
        }
    }

    pub(in crate::store::bodies) fn write(mut self, buffer: &[u8]) -> std::io::Result<Self> {
        self.hasher.update(buffer);
        faults::call("blob-write")?;
        (&*self.file).write_all(buffer)?;
        self.unsynced += buffer.len();
        if self.unsynced >= SYNC_BYTES && self.syncing.as_ref().is_none_or(JoinHandle::is_finished)
        {
            // What a sync has reported no later one reports again.
            if let Some(ended) = self.syncing.take().and_then(FutureExt::now_or_never) {
                ended.map_err(std::io::Error::other)??;
            }
            if let Ok(turn) = self.syncs.clone().try_acquire_owned() {
                self.unsynced = 0;
                self.syncing = Some(sync(self.file.clone(), Some(turn)));
            }
        }
        Ok(self)
    }

    /// All of it is on the disk then, and as it was expected.
    pub(in crate::store::bodies) async fn finish(
        mut self,
        md5: [u8; 16],
        expected: &Expected,
    ) -> Result<(NewBlob, Digests), StageError> {
        let (syncing, file, blob) = (self.syncing.take(), self.file.clone(), self.blob);
        let digests = self.hasher.finish(md5);
        expected.check(&digests)?;
        for syncing in [syncing, Some(sync(file, None))].into_iter().flatten() {
            let synced = syncing.await.map_err(|_| given_up())?;
            synced.map_err(|error| unavailable(&error))?;
        }
        faults::step("blob-synced");
        Ok((blob, digests))
    }
}

/// With a turn, of a body that goes on: the system then lets go of what is on the disk of it. What comes finds memory that
/// is free, and what others read stays in theirs.
fn sync(file: Arc<File>, turn: Permits) -> JoinHandle<std::io::Result<()>> {
    tokio::task::spawn_blocking(move || {
        faults::call("blob-sync")?;
        file.sync_data()?;
        if turn.is_some() {
            drop(dir::forget(&file, 0));
        }
        Ok(())
    })
}
