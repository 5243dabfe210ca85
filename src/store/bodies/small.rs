//! The bytes of small objects: cached in memory while requests ask for them, else read from the system's page cache.
//!
//! Guarantees: bytes that are read are checked against their CRC each time; cached bytes were checked once, and never
//! change; all of them share one limit, and bytes that a reader still holds count. This module never waits for the disk: a
//! reader that gets nothing here reads in the ordinary way ([`BodyReader`]).

use crate::s3::checksum::crc64_nvme;
use crate::store::bodies::kept::{SMALL_BYTES, read_cached};
use crate::store::bodies::read::BodyReader;
use crate::store::content::Place;
use crate::store::object::Object;
use bytes::Bytes;
use std::cell::Cell;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::OwnedSemaphorePermit;

/// One in this many cache misses of a body puts it into the cache: if more bodies are read in turn than the cache holds,
/// each insertion would only evict another body.
const MISSES_PER_INSERTION: u32 = 8;

/// The body of a small object, which can be read repeatedly without looking the object up again.
pub struct SmallBody {
    reader: Arc<BodyReader>,
    sequence: u64,
    size_bytes: u64,
    /// `Some` if the object is one run of bytes in the log.
    run: Option<Run>,
    /// Cache misses.
    misses: AtomicU32,
}

/// A whole object as one run of bytes in the log.
struct Run {
    segment: u64,
    offset: u64,
    crc: u64,
}

impl Run {
    fn of(object: &Object) -> Option<Self> {
        let [extent] = &*object.content.extents else {
            return None;
        };
        let body = object.content.bodies.get(&extent.body)?;
        let (Place::Log { segment, offset }, [crc]) = (&body.place, &*body.block_crcs) else {
            return None;
        };
        let is_whole = (extent.start, extent.length) == (0, body.size_bytes);
        is_whole.then_some(Self {
            segment: *segment,
            offset: *offset,
            crc: *crc,
        })
    }
}

impl SmallBody {
    /// `None`: the object is not small.
    pub(in crate::store) fn of(object: &Object, reader: &Arc<BodyReader>) -> Option<Self> {
        (object.size_bytes <= SMALL_BYTES).then(|| Self {
            reader: reader.clone(),
            sequence: object.sequence,
            size_bytes: object.size_bytes,
            run: Run::of(object),
            misses: AtomicU32::new(0),
        })
    }

    /// The bytes, if they are in hangar's cache or in the system's page cache. `None`: the caller reads them in the
    /// ordinary way, which waits for the disk and reports damage.
    #[must_use]
    pub fn at_once(&self) -> Option<SmallBytes> {
        if let Some(cached) = self.reader.kept.get(self.sequence) {
            return Some(SmallBytes(Source::Cached(cached)));
        }
        let run = self.run.as_ref()?;
        let file = self.reader.segments.opened(run.segment)?;
        let permit = self.reader.kept.place(self.size_bytes)?;
        let mut buffer = ReadBuffer::of(usize::try_from(self.size_bytes).ok()?);
        let is_read = read_cached(&file, buffer.bytes_mut(), run.offset);
        if !is_read || crc64_nvme(buffer.bytes()) != run.crc {
            return None;
        }
        let misses = self.misses.fetch_add(1, Ordering::Relaxed);
        Some(SmallBytes(
            if misses % MISSES_PER_INSERTION == MISSES_PER_INSERTION - 1 {
                let bytes = Bytes::copy_from_slice(buffer.bytes());
                Source::Cached(self.reader.kept.keep(self.sequence, bytes, permit))
            } else {
                Source::Read {
                    buffer,
                    _permit: permit,
                }
            },
        ))
    }
}

/// The bytes of a small object.
pub struct SmallBytes(Source);

enum Source {
    Cached(Bytes),
    Read {
        buffer: ReadBuffer,
        _permit: OwnedSemaphorePermit,
    },
}

#[cfg(test)]
impl SmallBytes {
    /// The memory that they take, bytes.
    pub(in crate::store) fn held_bytes(&self) -> usize {
        match &self.0 {
            Source::Cached(bytes) => bytes.len(),
            Source::Read { buffer, .. } => buffer.buffer.len(),
        }
    }
}

impl Deref for SmallBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Source::Cached(bytes) => bytes,
            Source::Read { buffer, .. } => buffer.bytes(),
        }
    }
}

/// A buffer to read into. Most bytes are sent at once, so each thread keeps its last buffer, and the next bytes are read
/// into the same memory, which is still in the processor's cache. A buffer is reused only for bytes that fill half of it or
/// more, so that readers hold at most twice the memory that they have permits for.
struct ReadBuffer {
    buffer: Vec<u8>,
    length: usize,
}

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl ReadBuffer {
    fn of(length: usize) -> Self {
        let spare = SPARE.take();
        let buffer = if (length..=2 * length).contains(&spare.len()) {
            spare
        } else {
            SPARE.set(spare);
            vec![0; length]
        };
        Self { buffer, length }
    }

    fn bytes(&self) -> &[u8] {
        &self.buffer[..self.length]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[..self.length]
    }
}

impl Drop for ReadBuffer {
    fn drop(&mut self) {
        // At the end of a thread the buffer is freed.
        let _ = SPARE.try_with(|spare| spare.set(std::mem::take(&mut self.buffer)));
    }
}
