//! Small bodies in memory: those that are kept while they are asked for, and what the system has of files in its own.

use crate::cache::{Caches, VersionStamp, VersionedCache};
use crate::store::bodies::share;
use crate::store::record::INLINE_LIMIT_BYTES;
use bytes::Bytes;
use std::fs::File;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Objects that are read whole, and kept in memory while there is place.
pub(in crate::store) const SMALL_BYTES: u64 = INLINE_LIMIT_BYTES as u64;
/// What is kept, and what may be held together with what was let go or only read and a reader still has.
const KEPT_BODIES_BYTES: usize = 48 << 20;
const HELD_BODIES_BYTES: usize = 64 << 20;
const USUAL_BODY_BYTES: usize = 32 << 10;

/// Bodies in memory, by the record that brought them.
pub(in crate::store) struct KeptBodies {
    bodies: Arc<VersionedCache<u64, Bytes>>,
    always: VersionStamp,
    places: Arc<Semaphore>,
}

impl KeptBodies {
    pub(in crate::store) fn new(caches: &Caches) -> Self {
        Self {
            bodies: caches.cache(KEPT_BODIES_BYTES, USUAL_BODY_BYTES, |_, body| body.len()),
            always: caches.versions.stamp(std::iter::empty()),
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
