//! Small objects' bytes: kept in memory while they are asked for, else read where that needs no waiting for the disk.
//!
//! Guarantees: what is read is held against its CRC each time; what is kept was held against it once, and never changes;
//! all of them share one bound, also while readers still hold them. It refuses to wait: a reader that gets nothing here
//! reads in the ordinary way ([`BodyReader`]).

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

/// Of the times that a body was not in memory one in so many puts it there: where more are read in turn than there is
/// place for, each would only drive out another.
const READS_FOR_A_PLACE: u32 = 8;

/// A small object's bytes, to be read again and again without looking the object up.
pub struct SmallBody {
    reader: Arc<BodyReader>,
    sequence: u64,
    size_bytes: u64,
    /// Where it is one run of bytes.
    run: Option<Run>,
    /// How often it was not in memory.
    missed: AtomicU32,
}

/// All of an object, in the log.
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
    /// `None`: it is not small.
    pub(in crate::store) fn of(object: &Object, reader: &Arc<BodyReader>) -> Option<Self> {
        (object.size_bytes <= SMALL_BYTES).then(|| Self {
            reader: reader.clone(),
            sequence: object.sequence,
            size_bytes: object.size_bytes,
            run: Run::of(object),
            missed: AtomicU32::new(0),
        })
    }

    /// The bytes, where they are in memory, hangar's or the system's. `None`: they are to be read in the ordinary way,
    /// which waits for the disk, and tells what is damaged.
    #[must_use]
    pub fn at_once(&self) -> Option<SmallBytes> {
        if let Some(kept) = self.reader.kept.get(self.sequence) {
            return Some(SmallBytes(Held::Kept(kept)));
        }
        let run = self.run.as_ref()?;
        let file = self.reader.segments.opened(run.segment)?;
        let place = self.reader.kept.place(self.size_bytes)?;
        let mut space = Space::of(usize::try_from(self.size_bytes).ok()?);
        let is_read = read_cached(&file, space.bytes_mut(), run.offset);
        if !is_read || crc64_nvme(space.bytes()) != run.crc {
            return None;
        }
        let missed = self.missed.fetch_add(1, Ordering::Relaxed);
        Some(SmallBytes(
            if missed % READS_FOR_A_PLACE == READS_FOR_A_PLACE - 1 {
                let bytes = Bytes::copy_from_slice(space.bytes());
                Held::Kept(self.reader.kept.keep(self.sequence, bytes, place))
            } else {
                Held::Read {
                    space,
                    _place: place,
                }
            },
        ))
    }
}

/// The bytes of a small object.
pub struct SmallBytes(Held);

enum Held {
    Kept(Bytes),
    Read {
        space: Space,
        _place: OwnedSemaphorePermit,
    },
}

#[cfg(test)]
impl SmallBytes {
    /// What is held for them.
    pub(in crate::store) fn held_bytes(&self) -> usize {
        match &self.0 {
            Held::Kept(bytes) => bytes.len(),
            Held::Read { space, .. } => space.space.len(),
        }
    }
}

impl Deref for SmallBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Held::Kept(bytes) => bytes,
            Held::Read { space, .. } => space.bytes(),
        }
    }
}

/// Where bytes are read to: most are sent at once, and the next are read to the same place, which the processor has near.
/// The last of each thread is kept, and lent to what fills half of it or more: readers hold at most twice what they have
/// place for.
struct Space {
    space: Vec<u8>,
    length: usize,
}

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Space {
    fn of(length: usize) -> Self {
        let spare = SPARE.take();
        let space = if (length..=2 * length).contains(&spare.len()) {
            spare
        } else {
            SPARE.set(spare);
            vec![0; length]
        };
        Self { space, length }
    }

    fn bytes(&self) -> &[u8] {
        &self.space[..self.length]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.space[..self.length]
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        // At the end of a thread there is nobody to spare it for.
        let _ = SPARE.try_with(|spare| spare.set(std::mem::take(&mut self.space)));
    }
}
