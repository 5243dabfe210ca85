//! Bytes on their way in: hashed in one pass, held in memory while they are few and in their blob when not.
//!
//! Small bodies of all uploads share [`MEMORY_LIMIT_BYTES`]; what does not fit there goes to a blob however small it is,
//! so memory does not grow with files nor with uploads. Nothing staged is ever an object: that takes a [`Sealed`] and a
//! record.

use crate::faults;
use crate::s3::ETag;
use crate::s3::checksum::{Checksum, Digests, Md5Hasher, OtherHasher, Wanted};
use crate::store::bodies::blobs::{Blobs, NewBlob};
use crate::store::bodies::hashing;
use crate::store::dir;
use crate::store::error::{StageError, StoreError, unavailable};
use crate::store::object::Expected;
use crate::store::record::INLINE_LIMIT_BYTES;
use crate::store::space::Space;
use bytes::Bytes;
use futures_util::FutureExt;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

/// What all bodies that are staged in memory may take together.
const MEMORY_LIMIT_BYTES: usize = 16 << 20;
const PERMIT_BYTES: usize = 4096;
/// What is gathered before it is hashed and written to a blob: a long body has two such buffers, one that fills and one
/// that is written. How long they may be, and of how many bodies at a time.
const WRITE_BYTES: [(usize, usize); 2] = [(256 * 1024, 8), (64 * 1024, 128)];
/// Of any other.
const SMALL_WRITE_BYTES: usize = 8 * 1024;
/// What a body that is announced gets at once; a longer one grows into its place.
const FIRST_PLACE_BYTES: u64 = 64 * 1024;
/// So much of a blob is on its way to the disk while more of it comes, else its last sync would have all to wait for.
const SYNC_BYTES: usize = 32 << 20;
/// Of all bodies at a time: a sync that waits for a slow disk keeps a thread from reading and writing.
const EARLY_SYNCS: usize = 4;
/// How much of a body's start is kept for judging what it is.
const HEAD_KEPT_BYTES: usize = 512;

/// The memory that staged bodies share.
#[derive(Debug, Clone)]
pub(in crate::store) struct StagingMemory {
    small: Arc<Semaphore>,
    /// For each of [`WRITE_BYTES`].
    buffers: [Arc<Semaphore>; WRITE_BYTES.len()],
    syncs: Arc<Semaphore>,
}

impl Default for StagingMemory {
    fn default() -> Self {
        Self {
            small: Arc::new(Semaphore::new(MEMORY_LIMIT_BYTES / PERMIT_BYTES)),
            buffers: WRITE_BYTES.map(|(_, bodies)| Arc::new(Semaphore::new(bodies))),
            syncs: Arc::new(Semaphore::new(EARLY_SYNCS)),
        }
    }
}

impl StagingMemory {
    /// Whether nobody should have more of it than he fills.
    fn is_scarce(&self) -> bool {
        self.small.available_permits() < MEMORY_LIMIT_BYTES / PERMIT_BYTES / 2
    }

    fn gathering(&self) -> Gathering {
        let mut places = WRITE_BYTES.iter().zip(&self.buffers);
        let free = places.find_map(|((bytes, _), places)| {
            let place = places.clone().try_acquire_owned().ok()?;
            Some(Gathering {
                bytes: *bytes,
                _place: Some(place),
            })
        });
        free.unwrap_or(Gathering {
            bytes: SMALL_WRITE_BYTES,
            _place: None,
        })
    }
}

/// How much of a long body is gathered at once.
struct Gathering {
    bytes: usize,
    _place: Permits,
}

/// A share of the memory, given back when dropped.
pub(in crate::store) type Permits = Option<OwnedSemaphorePermit>;

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
    /// A write failed: what it was is told once, and nothing more is taken.
    Given,
}

/// A buffer that is hashed and written, beside each other: MD5 takes as long as the rest.
struct Writing {
    buffer: Arc<Held>,
    md5: JoinHandle<Md5Hasher>,
    rest: JoinHandle<std::io::Result<BlobWriter>>,
}

/// Bytes, and what they take of the memory that staged bodies share: given back together.
struct Held {
    bytes: Vec<u8>,
    permits: Permits,
}

impl Writing {
    fn start(
        bytes: Vec<u8>,
        permits: Permits,
        mut md5: Md5Hasher,
        rest: impl FnOnce(&[u8]) -> std::io::Result<BlobWriter> + Send + 'static,
    ) -> Self {
        let buffer = Arc::new(Held { bytes, permits });
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
    async fn end(self) -> Result<(Md5Hasher, BlobWriter, Vec<u8>), StageError> {
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

struct BlobWriter {
    blob: NewBlob,
    file: Arc<File>,
    hasher: Box<OtherHasher>,
    /// Bytes behind the last sync that was begun.
    unsynced: usize,
    syncing: Option<JoinHandle<std::io::Result<()>>>,
    syncs: Arc<Semaphore>,
}

impl BlobWriter {
    fn new(blob: NewBlob, file: File, wanted: &Wanted, syncs: Arc<Semaphore>) -> Self {
        Self {
            blob,
            file: Arc::new(file),
            hasher: Box::new(OtherHasher::new(wanted)),
            unsynced: 0,
            syncing: None,
            syncs,
        }
    }

    fn write(mut self, buffer: &[u8]) -> std::io::Result<Self> {
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
    async fn finish(
        mut self,
        md5: [u8; 16],
        expected: &Expected,
    ) -> Result<(NewBlob, Digests), StageError> {
        let (syncing, file, blob) = (self.syncing.take(), self.file.clone(), self.blob);
        let digests = self.hasher.finish(md5);
        compare(&digests, expected)?;
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

fn given_up() -> StageError {
    StoreError::Unavailable("the upload was given up".to_owned()).into()
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
