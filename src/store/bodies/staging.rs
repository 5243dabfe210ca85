//! Staging: receiving the bytes of a body. They are hashed in one pass, and held in memory while the body is small, else
//! written to its blob.
//!
//! Small bodies of all uploads share [`StagingMemory`]; a body that does not fit there goes to a blob, however small it is,
//! so memory grows neither with the size of files nor with the number of uploads. Staged bytes are never an object: that
//! takes a [`Sealed`] and a record.

use crate::faults;
use crate::s3::ETag;
use crate::s3::checksum::{Checksum, Digests, Md5Hasher, Wanted};
use crate::store::bodies::blob_writer::{BlobWriter, Writing};
use crate::store::bodies::blobs::{Blobs, NewBlob};
use crate::store::bodies::hashing;
use crate::store::bodies::staging_memory::{
    BufferShare, Permits, SMALL_WRITE_BYTES, StagingMemory, fits,
};
use crate::store::error::{StageError, StoreError, given_up};
use crate::store::folder::space::Space;
use crate::store::object::Expected;
use crate::store::record::INLINE_LIMIT_BYTES;
use bytes::Bytes;
use std::sync::Arc;

/// The size of the buffer that a body of announced length gets at once; a longer body grows its buffer.
const FIRST_BUFFER_BYTES: u64 = 64 * 1024;
/// How much of a body's start is kept to detect its type.
const HEAD_KEPT_BYTES: usize = 512;

/// A body that is being received. Dropping it removes what was staged.
pub struct Staging {
    memory: StagingMemory,
    blobs: Blobs,
    space: Arc<Space>,
    wanted: Wanted,
    limit_bytes: u64,
    announced_bytes: u64,
    size_bytes: u64,
    head: Vec<u8>,
    state: State,
}

enum State {
    /// Hashed once the body is complete.
    Memory { buffer: Vec<u8>, permits: Permits },
    Blob {
        buffer: Vec<u8>,
        buffer_share: BufferShare,
        writing: Writing,
    },
    /// A write failed: its error was returned once, and nothing more is accepted.
    Failed,
}

impl Staging {
    pub(in crate::store) fn new(
        memory: StagingMemory,
        blobs: Blobs,
        space: Arc<Space>,
        wanted: Wanted,
        limit_bytes: u64,
    ) -> Self {
        let state = State::Memory {
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
            state,
        }
    }

    /// States about how many bytes will come, if the caller knows. A body that is too long for memory then never starts
    /// there, and a shorter one gets its whole buffer at once: a buffer that grows leaves as much freed memory behind as it
    /// holds.
    #[must_use]
    pub fn announced(mut self, bytes: Option<u64>) -> Self {
        self.announced_bytes = bytes.unwrap_or(0);
        self
    }

    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The first 512 bytes of the body, by which its type is detected; `None` until all 512 have come.
    #[must_use]
    pub fn whole_head(&self) -> Option<&[u8]> {
        (self.head.len() == HEAD_KEPT_BYTES).then_some(&self.head)
    }

    /// # Errors
    /// `TooLong` past the limit, or the error of the disk. After an error nothing of the body is kept.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), StageError> {
        let written = self.append(bytes).await;
        note_failure(&self.space, &written);
        written
    }

    async fn append(&mut self, bytes: Bytes) -> Result<(), StageError> {
        self.size_bytes += bytes.len() as u64;
        if self.size_bytes > self.limit_bytes {
            self.state = State::Failed;
            return Err(StageError::TooLong {
                limit_bytes: self.limit_bytes,
            });
        }
        if !self.space.admits_bytes() {
            self.state = State::Failed;
            return Err(StoreError::Full.into());
        }
        let missing = HEAD_KEPT_BYTES
            .saturating_sub(self.head.len())
            .min(bytes.len());
        self.head.extend_from_slice(&bytes[..missing]);
        if let State::Memory { buffer, permits } = &mut self.state {
            let is_long = self.announced_bytes > INLINE_LIMIT_BYTES as u64;
            let first = if is_long || self.memory.is_scarce() {
                0
            } else {
                usize::try_from(self.announced_bytes.min(FIRST_BUFFER_BYTES)).unwrap_or(0)
            };
            let held = buffer.len() + bytes.len();
            if is_long && held >= SMALL_WRITE_BYTES || !fits(&self.memory, held.max(first), permits)
            {
                self.move_to_blob()?;
            } else {
                buffer.reserve_exact(first.saturating_sub(buffer.len()));
            }
        }
        match &mut self.state {
            State::Memory { buffer, .. } => buffer.extend_from_slice(&bytes),
            State::Blob { .. } => self.fill_buffer(bytes).await?,
            State::Failed => return Err(given_up()),
        }
        Ok(())
    }

    /// Fills the buffer of a blob, and starts writing it to the disk whenever it is full.
    async fn fill_buffer(&mut self, mut bytes: Bytes) -> Result<(), StageError> {
        while let State::Blob {
            buffer,
            buffer_share,
            ..
        } = &mut self.state
            && !bytes.is_empty()
        {
            let full = buffer_share.bytes;
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
    /// The first expectation of `expected` that does not hold. Nothing of the body is kept then.
    pub async fn seal(self, expected: &Expected) -> Result<Sealed, StageError> {
        let space = self.space.clone();
        let sealed = self.finish(expected).await;
        note_failure(&space, &sealed);
        sealed
    }

    async fn finish(mut self, expected: &Expected) -> Result<Sealed, StageError> {
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
        match std::mem::replace(&mut self.state, State::Failed) {
            State::Memory { buffer, permits } => {
                let bytes = Bytes::from(buffer);
                let md5 = hashing::md5(bytes.clone()).await;
                let digests = Digests::of_whole(&self.wanted, &bytes, md5);
                expected.check(&digests)?;
                Ok(Sealed {
                    head,
                    digests,
                    body: SealedBody::Memory { bytes, permits },
                })
            }
            State::Blob {
                buffer, writing, ..
            } => {
                let (md5, writer, _) = writing.end().await?;
                let writing = Writing::start(buffer, None, md5, |last| writer.write(last));
                let (md5, writer, _) = writing.end().await?;
                faults::step("blob-written");
                let (blob, digests) = writer.finish(md5.finish(), expected).await?;
                Ok(Sealed {
                    head,
                    digests,
                    body: SealedBody::Blob(blob),
                })
            }
            State::Failed => Err(given_up()),
        }
    }

    fn move_to_blob(&mut self) -> Result<(), StageError> {
        let State::Memory { buffer, permits } = std::mem::replace(&mut self.state, State::Failed)
        else {
            return Err(given_up());
        };
        let (blobs, wanted) = (self.blobs.clone(), self.wanted.clone());
        let syncs = self.memory.syncs.clone();
        let writing = Writing::start(buffer, permits, Md5Hasher::default(), move |first| {
            let (blob, file) = blobs.create()?;
            BlobWriter::new(blob, file, &wanted, syncs).write(first)
        });
        self.state = State::Blob {
            buffer: Vec::new(),
            buffer_share: self.memory.buffer_share(),
            writing,
        };
        Ok(())
    }

    /// Starts writing the buffer to the disk. Waits for the previous one first, so that a body has at most two buffers.
    async fn write_out(&mut self) -> Result<(), StageError> {
        let State::Blob {
            buffer,
            buffer_share,
            writing,
        } = std::mem::replace(&mut self.state, State::Failed)
        else {
            return Err(given_up());
        };
        let (md5, writer, emptied) = writing.end().await?;
        self.state = State::Blob {
            buffer: emptied,
            buffer_share,
            writing: Writing::start(buffer, None, md5, |full| writer.write(full)),
        };
        Ok(())
    }
}

/// If the disk refused a body, it may refuse every body: a quota, or a folder that became read-only.
fn note_failure<T>(space: &Space, staged: &Result<T, StageError>) {
    if matches!(staged, Err(StageError::Store(_))) && space.admits_bytes() {
        space.doubt();
    }
}

/// Proof that these bytes are staged completely and have the expected length and checksums. Only [`Staging::seal`] makes it.
pub struct Sealed {
    head: Vec<u8>,
    pub(in crate::store) digests: Digests,
    pub(in crate::store) body: SealedBody,
}

pub(in crate::store) enum SealedBody {
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

    /// The memory that it takes until it is written, bytes.
    pub(in crate::store) fn memory_bytes(&self) -> usize {
        match &self.body {
            SealedBody::Memory { bytes, .. } => bytes.len(),
            SealedBody::Blob(_) => 0,
        }
    }

    /// The first bytes of the body (up to 512), to detect its type.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::bodies::staging_memory::{MEMORY_LIMIT_BYTES, PERMIT_BYTES};
    use crate::store::tests::open;

    const ALL: usize = MEMORY_LIMIT_BYTES / PERMIT_BYTES;

    #[tokio::test]
    async fn a_body_that_outgrows_memory_leaves_nothing_of_it_behind() {
        let dir = tempfile::tempdir().unwrap();
        let mut staging = open(dir.path())
            .await
            .unwrap()
            .stage(&Wanted::default(), u64::MAX);
        for _ in 0..4 {
            staging
                .write(vec![1; INLINE_LIMIT_BYTES / 4].into())
                .await
                .unwrap();
        }
        // Other bodies hold all write buffers.
        for permits in &staging.memory.buffers {
            permits.forget_permits(permits.available_permits());
        }
        let small = staging.memory.small.clone();
        assert_eq!(
            small.available_permits(),
            ALL - INLINE_LIMIT_BYTES / PERMIT_BYTES
        );
        let piece = Bytes::from(vec![2; 10_000]);
        for _ in 0..100 {
            staging.write(piece.clone()).await.unwrap();
        }
        assert_eq!(small.available_permits(), ALL);
        let State::Blob {
            buffer,
            buffer_share,
            writing,
        } = &staging.state
        else {
            panic!("it is in memory still");
        };
        for held in [buffer, &writing.buffer.bytes] {
            assert!(
                held.capacity() <= buffer_share.bytes,
                "{} bytes",
                held.capacity()
            );
        }
        let sealed = staging.seal(&Expected::default()).await.unwrap();
        let whole = [vec![1; INLINE_LIMIT_BYTES], vec![2; 1_000_000]].concat();
        assert_eq!(
            sealed.etag(),
            ETag::from_md5(crate::s3::checksum::md5_of_each(&[&whole])[0])
        );
    }

    #[tokio::test]
    async fn a_body_that_is_announced_as_long_is_never_held_in_memory() {
        let dir = tempfile::tempdir().unwrap();
        let staging = open(dir.path())
            .await
            .unwrap()
            .stage(&Wanted::default(), u64::MAX);
        let mut staging = staging.announced(Some(1_000_000));
        staging
            .write(vec![1; SMALL_WRITE_BYTES].into())
            .await
            .unwrap();
        assert!(matches!(staging.state, State::Blob { .. }));
        assert_eq!(staging.memory.small.available_permits(), ALL);
    }

    #[tokio::test]
    async fn while_memory_is_scarce_a_body_takes_only_what_it_fills() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path()).await.unwrap();
        let mut announced = Vec::new();
        for _ in 0..1000 {
            let mut staging = store
                .stage(&Wanted::default(), u64::MAX)
                .announced(Some(200_000));
            staging.write(vec![1].into()).await.unwrap();
            assert!(matches!(staging.state, State::Memory { .. }));
            announced.push(staging);
        }
    }
}
