//! Writes a long body to its blob: each buffer is hashed while it is written, and the blob is synced early, while more of
//! the body comes.

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

/// After this many bytes a blob is synced early, so that its last sync does not have to wait for the whole body.
const SYNC_BYTES: usize = 32 << 20;

/// A buffer that is being hashed and written. Two threads work on it: MD5 takes as long as the other digests and the write.
pub(in crate::store::bodies) struct Writing {
    pub(in crate::store::bodies) buffer: Arc<StagedBuffer>,
    md5: JoinHandle<Md5Hasher>,
    rest: JoinHandle<std::io::Result<BlobWriter>>,
}

/// Bytes, and their permits of the memory that staged bodies share. Both are released together.
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

    /// Waits for both threads. Returns the buffer, to be filled again; the first buffer of a body, which it was staged in
    /// while it was in memory, is freed instead.
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
    /// Bytes written since the last sync was begun.
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
            // An error that one sync has reported is not reported by a later one.
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

    /// Returns once the whole body is on the disk, with the expected digests.
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

/// A sync with a turn is an early one: more of the body comes. The synced bytes are then dropped from the system's page
/// cache, so that the next bytes find free memory, and files that other requests read stay in the page cache.
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
