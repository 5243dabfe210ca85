//! The memory that staged bodies share, in permits: a body that gets no permits is written to its blob.

use crate::store::record::INLINE_LIMIT_BYTES;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The limit for all bodies together that are staged in memory.
pub(in crate::store::bodies) const MEMORY_LIMIT_BYTES: usize = 16 << 20;
pub(in crate::store::bodies) const PERMIT_BYTES: usize = 4096;
/// The large buffers for bytes that are hashed and written to a blob: their size, and how many bodies at a time may have
/// buffers of that size. A long body has two such buffers, one that is filled and one that is written.
pub(in crate::store::bodies) const WRITE_BUFFERS: [(usize, usize); 2] =
    [(256 * 1024, 8), (64 * 1024, 128)];
/// The size of the buffers of every other body.
pub(in crate::store::bodies) const SMALL_WRITE_BYTES: usize = 8 * 1024;
/// How many syncs of unfinished bodies may run at a time: a sync that waits for a slow disk blocks a thread that could read
/// and write.
const EARLY_SYNCS: usize = 4;

/// The memory that staged bodies share.
#[derive(Debug, Clone)]
pub(in crate::store) struct StagingMemory {
    pub(in crate::store::bodies) small: Arc<Semaphore>,
    /// One for each size of [`WRITE_BUFFERS`].
    pub(in crate::store::bodies) buffers: [Arc<Semaphore>; WRITE_BUFFERS.len()],
    pub(in crate::store::bodies) syncs: Arc<Semaphore>,
}

impl Default for StagingMemory {
    fn default() -> Self {
        Self {
            small: Arc::new(Semaphore::new(MEMORY_LIMIT_BYTES / PERMIT_BYTES)),
            buffers: WRITE_BUFFERS.map(|(_, bodies)| Arc::new(Semaphore::new(bodies))),
            syncs: Arc::new(Semaphore::new(EARLY_SYNCS)),
        }
    }
}

impl StagingMemory {
    /// Whether a body should get only as much memory as it fills.
    pub(in crate::store::bodies) fn is_scarce(&self) -> bool {
        self.small.available_permits() < MEMORY_LIMIT_BYTES / PERMIT_BYTES / 2
    }

    pub(in crate::store::bodies) fn buffer_share(&self) -> BufferShare {
        let mut sizes = WRITE_BUFFERS.iter().zip(&self.buffers);
        let free = sizes.find_map(|((bytes, _), permits)| {
            let permit = permits.clone().try_acquire_owned().ok()?;
            Some(BufferShare {
                bytes: *bytes,
                _permit: Some(permit),
            })
        });
        free.unwrap_or(BufferShare {
            bytes: SMALL_WRITE_BYTES,
            _permit: None,
        })
    }
}

/// The size of a long body's buffers, and its right to buffers of that size.
pub(in crate::store::bodies) struct BufferShare {
    pub(in crate::store::bodies) bytes: usize,
    _permit: Permits,
}

/// A share of the memory, given back when dropped.
pub(in crate::store) type Permits = Option<OwnedSemaphorePermit>;

/// Whether `needed` bytes may be held in memory; takes the permits for them.
pub(in crate::store::bodies) fn fits(
    memory: &StagingMemory,
    needed: usize,
    permits: &mut Permits,
) -> bool {
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
