//! Bytes on their way in: hashed in one pass, held in memory while they are few and in their blob when not.
//!
//! Small bodies of all uploads share [`MEMORY_LIMIT_BYTES`]; what does not fit there goes to a blob however small it is,
//! so memory does not grow with files nor with uploads. Nothing staged is ever an object: that takes a [`Sealed`] and a
//! record.

use super::blobs::{Blobs, NewBlob};
use super::record::INLINE_LIMIT_BYTES;
use super::space::Space;
use super::{Expected, StageError, StoreError, hashing, unavailable};
use crate::faults;
use crate::s3::ETag;
use crate::s3::checksum::{Checksum, Digests, Hasher, Wanted};
use bytes::Bytes;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

/// What all bodies that are staged in memory may take together.
const MEMORY_LIMIT_BYTES: usize = 16 << 20;
const PERMIT_BYTES: usize = 4096;
/// What is gathered before it is hashed and written to a blob, where there is place: a long body has two such buffers, one
/// that fills and one that is written. So many bodies may have them; any other gathers little.
const WRITE_BYTES: usize = 64 * 1024;
const SMALL_WRITE_BYTES: usize = 8 * 1024;
const GATHERED_BODIES: usize = 128;
/// What a body that is announced gets at once; a longer one grows into its place.
const FIRST_PLACE_BYTES: u64 = 64 * 1024;
/// How much of a body's start is kept for judging what it is.
const HEAD_KEPT_BYTES: usize = 512;

/// The memory that staged bodies share.
#[derive(Debug, Clone)]
pub(super) struct StagingMemory {
    small: Arc<Semaphore>,
    buffers: Arc<Semaphore>,
}

impl Default for StagingMemory {
    fn default() -> Self {
        Self {
            small: Arc::new(Semaphore::new(MEMORY_LIMIT_BYTES / PERMIT_BYTES)),
            buffers: Arc::new(Semaphore::new(GATHERED_BODIES)),
        }
    }
}

/// A share of the memory, given back when dropped.
pub(super) type Permits = Option<OwnedSemaphorePermit>;

/// Bytes on their way in. Dropping it removes what was staged.
pub struct Staging {
    memory: StagingMemory,
    blobs: Blobs,
    space: Arc<Space>,
    wanted: Wanted,
    limit_bytes: u64,
    announced_bytes: u64,
    size_bytes: u64,
    head: Vec<u8>,
    place: Place,
}

enum Place {
    /// Hashed when it is whole.
    Memory { buffer: Vec<u8>, permits: Permits },
    Blob {
        buffer: Vec<u8>,
        /// `None`: there was no place for large buffers.
        gathers: Permits,
        writing: JoinHandle<std::io::Result<(BlobWriter, Vec<u8>)>>,
    },
    /// A write failed: what it was is told once, and nothing more is taken.
    Given,
}

struct BlobWriter {
    blob: NewBlob,
    file: File,
    hasher: Box<Hasher>,
}

impl BlobWriter {
    /// Gives the buffer back, to be filled again.
    fn write(mut self, mut buffer: Vec<u8>) -> std::io::Result<(Self, Vec<u8>)> {
        self.hasher.update(&buffer);
        faults::call("blob-write")?;
        self.file.write_all(&buffer)?;
        buffer.clear();
        Ok((self, buffer))
    }
}

impl Staging {
    pub(super) fn new(
        memory: StagingMemory,
        blobs: Blobs,
        space: Arc<Space>,
        wanted: Wanted,
        limit_bytes: u64,
    ) -> Self {
        let place = Place::Memory {
            buffer: Vec::new(),
            permits: None,
        };
        Self {
            memory,
            blobs,
            space,
            wanted,
            limit_bytes,
            announced_bytes: 0,
            size_bytes: 0,
            head: Vec::new(),
            place,
        }
    }

    /// About how much will come, where that is known: a body that is too long for memory is not begun there, and one that
    /// is not gets its place at once, for buffers that grow leave as much behind as they hold.
    #[must_use]
    pub fn announced(mut self, bytes: Option<u64>) -> Self {
        self.announced_bytes = bytes.unwrap_or(0);
        self
    }

    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// # Errors
    /// `TooLong` past the limit, or the disk's trouble. After an error nothing of it is kept.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), StageError> {
        self.size_bytes += bytes.len() as u64;
        if self.size_bytes > self.limit_bytes {
            self.place = Place::Given;
            return Err(StageError::TooLong {
                limit_bytes: self.limit_bytes,
            });
        }
        if !self.space.admits_bytes() {
            self.place = Place::Given;
            return Err(StoreError::Full.into());
        }
        let missing = HEAD_KEPT_BYTES
            .saturating_sub(self.head.len())
            .min(bytes.len());
        self.head.extend_from_slice(&bytes[..missing]);
        let first = usize::try_from(self.announced_bytes.min(FIRST_PLACE_BYTES)).unwrap_or(0);
        if let Place::Memory { buffer, permits } = &mut self.place {
            let needed = (buffer.len() + bytes.len()).max(first);
            if self.announced_bytes > INLINE_LIMIT_BYTES as u64
                || !fits(&self.memory, needed, permits)
            {
                self.move_to_blob()?;
            } else {
                buffer.reserve_exact(first.saturating_sub(buffer.len()));
            }
        }
        match &mut self.place {
            Place::Memory { buffer, .. } => buffer.extend_from_slice(&bytes),
            Place::Blob { .. } => self.gather(bytes).await?,
            Place::Given => return Err(given_up()),
        }
        Ok(())
    }

    /// Fills the buffer of a blob, and hands it to the disk whenever it is full.
    async fn gather(&mut self, mut bytes: Bytes) -> Result<(), StageError> {
        while let Place::Blob {
            buffer, gathers, ..
        } = &mut self.place
            && !bytes.is_empty()
        {
            let full = match gathers {
                Some(_) => WRITE_BYTES,
                None => SMALL_WRITE_BYTES,
            };
            let room = full - buffer.len();
            buffer.reserve_exact(room);
            buffer.extend_from_slice(&bytes.split_to(room.min(bytes.len())));
            if buffer.len() == full {
                self.write_out().await?;
            }
        }
        Ok(())
    }

    /// # Errors
    /// The first thing of `expected` that does not hold. Nothing is kept then.
    pub async fn seal(mut self, expected: &Expected) -> Result<Sealed, StageError> {
        if self.size_bytes < expected.min_bytes {
            return Err(StageError::TooShort {
                actual_bytes: self.size_bytes,
                min_bytes: expected.min_bytes,
            });
        }
        if let Some(expected_bytes) = expected.exact_bytes
            && expected_bytes != self.size_bytes
        {
            return Err(StageError::WrongLength {
                actual_bytes: self.size_bytes,
                expected_bytes,
            });
        }
        let head = std::mem::take(&mut self.head);
        match std::mem::replace(&mut self.place, Place::Given) {
            Place::Memory { buffer, permits } => {
                let bytes = Bytes::from(buffer);
                let md5 = hashing::md5(bytes.clone()).await;
                let digests = Digests::of_whole(&self.wanted, &bytes, md5);
                compare(&digests, expected)?;
                Ok(Sealed {
                    head,
                    digests,
                    body: SealedBody::Memory { bytes, permits },
                })
            }
            Place::Blob {
                buffer, writing, ..
            } => {
                let (writer, _) = written(writing).await?;
                let expected = expected.clone();
                blocking(move || {
                    let written = writer.write(buffer).map_err(|error| unavailable(&error));
                    let (BlobWriter { blob, file, hasher }, _) = written?;
                    let digests = hasher.finish();
                    compare(&digests, &expected)?;
                    faults::step("blob-written");
                    let synced = faults::call("blob-sync").and_then(|()| file.sync_data());
                    synced.map_err(|error| unavailable(&error))?;
                    faults::step("blob-synced");
                    Ok(Sealed {
                        head,
                        digests,
                        body: SealedBody::Blob(blob),
                    })
                })
                .await
            }
            Place::Given => Err(given_up()),
        }
    }

    fn move_to_blob(&mut self) -> Result<(), StageError> {
        let Place::Memory { buffer, permits } = std::mem::replace(&mut self.place, Place::Given)
        else {
            return Err(given_up());
        };
        let hasher = Box::new(Hasher::new(&self.wanted));
        let blobs = self.blobs.clone();
        let writing = tokio::task::spawn_blocking(move || {
            let (blob, file) = blobs.create()?;
            let (writer, _) = BlobWriter { blob, file, hasher }.write(buffer)?;
            // Until here the buffer was in memory, however long it waited for its turn.
            drop(permits);
            Ok((writer, Vec::new()))
        });
        self.place = Place::Blob {
            buffer: Vec::new(),
            gathers: self.memory.buffers.clone().try_acquire_owned().ok(),
            writing,
        };
        Ok(())
    }

    /// Hands the buffer to the disk; waits for the one before, so that at most two are held.
    async fn write_out(&mut self) -> Result<(), StageError> {
        let Place::Blob {
            buffer,
            gathers,
            writing,
        } = std::mem::replace(&mut self.place, Place::Given)
        else {
            return Err(given_up());
        };
        let (writer, emptied) = written(writing).await?;
        let writing = tokio::task::spawn_blocking(move || writer.write(buffer));
        self.place = Place::Blob {
            buffer: emptied,
            gathers,
            writing,
        };
        Ok(())
    }
}

/// Whether `needed` bytes may be held in memory; takes the permits for them.
fn fits(memory: &StagingMemory, needed: usize, permits: &mut Permits) -> bool {
    if needed > INLINE_LIMIT_BYTES {
        return false;
    }
    let held = permits
        .as_ref()
        .map_or(0, OwnedSemaphorePermit::num_permits);
    let more = needed.div_ceil(PERMIT_BYTES).saturating_sub(held);
    let Ok(more) = u32::try_from(more) else {
        return false;
    };
    match memory.small.clone().try_acquire_many_owned(more) {
        Ok(new) => {
            match permits {
                Some(held) => held.merge(new),
                None => *permits = Some(new),
            }
            true
        }
        Err(_) => false,
    }
}

fn compare(digests: &Digests, expected: &Expected) -> Result<(), StageError> {
    if expected.sha256.is_some() && expected.sha256 != digests.sha256 {
        return Err(StageError::Sha256Mismatch);
    }
    if expected.md5.is_some_and(|md5| md5 != digests.md5) {
        return Err(StageError::Md5Mismatch);
    }
    for checksum in &expected.checksums {
        if !digests.checksums.contains(checksum) {
            return Err(StageError::ChecksumMismatch(checksum.algorithm));
        }
    }
    Ok(())
}

async fn written(
    writing: JoinHandle<std::io::Result<(BlobWriter, Vec<u8>)>>,
) -> Result<(BlobWriter, Vec<u8>), StageError> {
    match writing.await {
        Ok(result) => Ok(result.map_err(|error| unavailable(&error))?),
        Err(_) => Err(given_up()),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StageError> + Send + 'static,
) -> Result<T, StageError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(given_up()))
}

fn given_up() -> StageError {
    StoreError::Unavailable("the upload was given up".to_owned()).into()
}

/// Proof: these bytes are staged whole and their length and checksums held. Only [`Staging::seal`] makes it.
pub struct Sealed {
    head: Vec<u8>,
    pub(super) digests: Digests,
    pub(super) body: SealedBody,
}

pub(super) enum SealedBody {
    Memory { bytes: Bytes, permits: Permits },
    Blob(NewBlob),
}

impl Sealed {
    #[must_use]
    pub fn etag(&self) -> ETag {
        ETag::from_md5(self.digests.md5)
    }

    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.digests.size_bytes
    }

    /// What it takes of memory until it is written, bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        match &self.body {
            SealedBody::Memory { bytes, .. } => bytes.len(),
            SealedBody::Blob(_) => 0,
        }
    }

    /// The first bytes of the body (up to 512), to judge what it is.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// The checksums that were computed because `Wanted` named them.
    #[must_use]
    pub fn checksums(&self) -> &[Checksum] {
        &self.digests.checksums
    }
}
