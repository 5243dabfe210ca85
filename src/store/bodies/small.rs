//! Small objects' bytes: kept in memory while they are asked for, else read where that needs no waiting for the disk.
//!
//! Guarantees: what is read is held against its CRC each time; what is kept was held against it once, and never changes;
//! all of them share [`HELD_BODIES_BYTES`], whoever still holds them. It refuses to wait: who gets nothing here reads
//! in the ordinary way ([`BodyReader`]).

use crate::s3::checksum::crc64_nvme;
use crate::store::bodies::read::BodyReader;
use crate::store::content::Place;
use crate::store::hot::{Hot, Memory, Stamp};
use crate::store::record::INLINE_LIMIT_BYTES;
use crate::store::{Object, bodies::share};
use bytes::Bytes;
use std::cell::Cell;
use std::fs::File;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Objects that are read whole, and kept in memory while there is place.
pub(in crate::store) const SMALL_BYTES: u64 = INLINE_LIMIT_BYTES as u64;
/// What is kept, and what may be held together with what was let go or only read and a reader still has.
const KEPT_BODIES_BYTES: usize = 48 << 20;
const HELD_BODIES_BYTES: usize = 64 << 20;
const USUAL_BODY_BYTES: usize = 32 << 10;
/// Of the times that a body was not in memory one in so many puts it there: where more are read in turn than there is
/// place for, each would only drive out another.
const READS_FOR_A_PLACE: u32 = 8;

/// Bodies in memory, by the record that brought them.
pub(in crate::store) struct KeptBodies {
    bodies: Arc<Hot<u64, Bytes>>,
    always: Stamp,
    places: Arc<Semaphore>,
}

impl KeptBodies {
    pub(in crate::store) fn in_memory(memory: &Memory) -> Self {
        Self {
            bodies: memory.kind(KEPT_BODIES_BYTES, USUAL_BODY_BYTES, |_, body| body.len()),
            always: memory.versions.stamp(&[]),
            places: Arc::new(Semaphore::new(HELD_BODIES_BYTES)),
        }
    }

    pub(in crate::store) fn get(&self, sequence: u64) -> Option<Bytes> {
        self.bodies.get(&sequence)
    }

    /// Place for so many bytes, where there is.
    pub(in crate::store) fn place(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes).ok()?;
        self.places.clone().try_acquire_many_owned(bytes).ok()
    }

    pub(in crate::store) fn keep(
        &self,
        sequence: u64,
        bytes: Bytes,
        place: OwnedSemaphorePermit,
    ) -> Bytes {
        let bytes = share::holding(bytes, place);
        self.bodies
            .keep(sequence, self.always.clone(), bytes.clone());
        bytes
    }
}

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

/// Whether all of it was in the system's memory, and that could say so.
#[cfg(target_os = "linux")]
pub(in crate::store) fn read_cached(file: &File, bytes: &mut [u8], at: u64) -> bool {
    use rustix::io::{ReadWriteFlags, preadv2};
    let length = bytes.len();
    let read = preadv2(
        file,
        &mut [std::io::IoSliceMut::new(bytes)],
        at,
        ReadWriteFlags::NOWAIT,
    );
    read == Ok(length)
}

#[cfg(not(target_os = "linux"))]
pub(in crate::store) fn read_cached(_: &File, _: &mut [u8], _: u64) -> bool {
    false
}
