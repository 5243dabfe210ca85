//! The cache of small bodies, and reading from the system's page cache.

use crate::cache::{Caches, VersionStamp, VersionedCache};
use crate::store::bodies::share;
use crate::store::record::INLINE_LIMIT_BYTES;
use bytes::Bytes;
use std::fs::File;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Objects of up to this size are read whole, and cached in memory while there is room.
pub(in crate::store) const SMALL_BYTES: u64 = INLINE_LIMIT_BYTES as u64;
/// The limit of the cache.
const CACHED_BODIES_BYTES: usize = 48 << 20;
/// The limit of cached bodies together with bodies that readers still hold: evicted ones, and ones that were only read.
const HELD_BODIES_BYTES: usize = 64 << 20;
const USUAL_BODY_BYTES: usize = 32 << 10;

/// Cached bodies, by the sequence number of the object's record.
pub(in crate::store) struct KeptBodies {
    bodies: Arc<VersionedCache<u64, Bytes>>,
    always: VersionStamp,
    permits: Arc<Semaphore>,
}

impl KeptBodies {
    pub(in crate::store) fn new(caches: &Caches) -> Self {
        Self {
            bodies: caches.cache(CACHED_BODIES_BYTES, USUAL_BODY_BYTES, |_, body| body.len()),
            always: caches.versions.stamp(std::iter::empty()),
            permits: Arc::new(Semaphore::new(HELD_BODIES_BYTES)),
        }
    }

    pub(in crate::store) fn get(&self, sequence: u64) -> Option<Bytes> {
        self.bodies.get(&sequence)
    }

    /// Permits for this many bytes, if there is room.
    pub(in crate::store) fn place(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes).ok()?;
        self.permits.clone().try_acquire_many_owned(bytes).ok()
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

/// Fills `bytes` from the system's page cache. `false`: the page cache did not have all of them, or the system cannot read
/// from it alone.
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
