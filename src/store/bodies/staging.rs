//! Bytes on their way in: hashed in one pass, held in memory while they are few and in their blob when not.
//!
//! Small bodies of all uploads share [`StagingMemory`]; what does not fit there goes to a blob however small it is,
//! so memory does not grow with files nor with uploads. Nothing staged is ever an object: that takes a [`Sealed`] and a
//! record.

use crate::faults;
use crate::s3::ETag;
use crate::s3::checksum::{Checksum, Digests, Md5Hasher, Wanted};
use crate::store::bodies::blob_writer::{BlobWriter, Writing};
use crate::store::bodies::blobs::{Blobs, NewBlob};
use crate::store::bodies::hashing;
use crate::store::bodies::staging_memory::{
    Gathering, Permits, SMALL_WRITE_BYTES, StagingMemory, fits,
};
use crate::store::error::{StageError, StoreError, given_up};
use crate::store::folder::space::Space;
use crate::store::object::Expected;
use crate::store::record::INLINE_LIMIT_BYTES;
use bytes::Bytes;
use std::sync::Arc;

/// The buffer that an announced body gets at once; a longer body grows its buffer.
const FIRST_PLACE_BYTES: u64 = 64 * 1024;
/// How much of a body's start is kept for judging what it is.
const HEAD_KEPT_BYTES: usize = 512;

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
        gathering: Gathering,
        writing: Writing,
    },
    /// A write failed: the error was returned once, and nothing more is accepted.
    Given,
}

impl Staging {
    pub(in crate::store) fn new(
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

    /// The first bytes of the body, once the 512 are there that are kept to judge what it is.
    #[must_use]
    pub fn whole_head(&self) -> Option<&[u8]> {
        (self.head.len() == HEAD_KEPT_BYTES).then_some(&self.head)
    }

    /// # Errors
    /// `TooLong` past the limit, or the disk's trouble. After an error nothing of it is kept.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), StageError> {
        let written = self.take(bytes).await;
        note_trouble(&self.space, &written);
        written
    }

    async fn take(&mut self, bytes: Bytes) -> Result<(), StageError> {
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
        if let Place::Memory { buffer, permits } = &mut self.place {
            let is_long = self.announced_bytes > INLINE_LIMIT_BYTES as u64;
            let first = if is_long || self.memory.is_scarce() {
                0
            } else {
                usize::try_from(self.announced_bytes.min(FIRST_PLACE_BYTES)).unwrap_or(0)
            };
            let held = buffer.len() + bytes.len();
            if is_long && held >= SMALL_WRITE_BYTES || !fits(&self.memory, held.max(first), permits)
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
            buffer, gathering, ..
        } = &mut self.place
            && !bytes.is_empty()
        {
            let full = gathering.bytes;
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
    pub async fn seal(self, expected: &Expected) -> Result<Sealed, StageError> {
        let space = self.space.clone();
        let sealed = self.finish(expected).await;
        note_trouble(&space, &sealed);
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
        match std::mem::replace(&mut self.place, Place::Given) {
            Place::Memory { buffer, permits } => {
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
            Place::Blob {
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
            Place::Given => Err(given_up()),
        }
    }

    fn move_to_blob(&mut self) -> Result<(), StageError> {
        let Place::Memory { buffer, permits } = std::mem::replace(&mut self.place, Place::Given)
        else {
            return Err(given_up());
        };
        let (blobs, wanted) = (self.blobs.clone(), self.wanted.clone());
        let syncs = self.memory.syncs.clone();
        let writing = Writing::start(buffer, permits, Md5Hasher::default(), move |first| {
            let (blob, file) = blobs.create()?;
            BlobWriter::new(blob, file, &wanted, syncs).write(first)
        });
        self.place = Place::Blob {
            buffer: Vec::new(),
            gathering: self.memory.gathering(),
            writing,
        };
        Ok(())
    }

    /// Hands the buffer to the disk; waits for the one before, so that at most two are held.
    async fn write_out(&mut self) -> Result<(), StageError> {
        let Place::Blob {
            buffer,
            gathering,
            writing,
        } = std::mem::replace(&mut self.place, Place::Given)
        else {
            return Err(given_up());
        };
        let (md5, writer, emptied) = writing.end().await?;
        self.place = Place::Blob {
            buffer: emptied,
            gathering,
            writing: Writing::start(buffer, None, md5, |full| writer.write(full)),
        };
        Ok(())
    }
}

/// Where the disk did not take a body, it may take none: a quota, a folder that became read-only.
fn note_trouble<T>(space: &Space, staged: &Result<T, StageError>) {
    if matches!(staged, Err(StageError::Store(_))) && space.admits_bytes() {
        space.doubt();
    }
}

/// Proof: these bytes are staged whole and their length and checksums held. Only [`Staging::seal`] makes it.
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

    /// What it takes of memory until it is written, bytes.
    pub(in crate::store) fn memory_bytes(&self) -> usize {
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
        // Others gather.
        for places in &staging.memory.buffers {
            places.forget_permits(places.available_permits());
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
        let Place::Blob {
            buffer,
            gathering,
            writing,
        } = &staging.place
        else {
            panic!("it is in memory still");
        };
        for held in [buffer, &writing.buffer.bytes] {
            assert!(
                held.capacity() <= gathering.bytes,
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
        assert!(matches!(staging.place, Place::Blob { .. }));
        assert_eq!(staging.memory.small.available_permits(), ALL);
    }

    #[tokio::test]
    async fn where_memory_is_scarce_a_body_has_no_more_of_it_than_it_fills() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path()).await.unwrap();
        let mut announced = Vec::new();
        for _ in 0..1000 {
            let mut staging = store
                .stage(&Wanted::default(), u64::MAX)
                .announced(Some(200_000));
            staging.write(vec![1].into()).await.unwrap();
            assert!(matches!(staging.place, Place::Memory { .. }));
            announced.push(staging);
        }
    }
}
