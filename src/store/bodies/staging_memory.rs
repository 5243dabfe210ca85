//! The memory that staged bodies share, in permits: a body that gets none of it is written to its blob.

use crate::store::record::INLINE_LIMIT_BYTES;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What all bodies that are staged in memory may take together.
pub(in crate::store::bodies) const MEMORY_LIMIT_BYTES: usize = 16 << 20;
pub(in crate::store::bodies) const PERMIT_BYTES: usize = 4096;
/// What is gathered before it is hashed and written to a blob: a long body has two such buffers, one that fills and one
/// that is written. How long they may be, and of how many bodies at a time.
pub(in crate::store::bodies) const WRITE_BYTES: [(usize, usize); 2] =
    [(256 * 1024, 8), (64 * 1024, 128)];
/// The buffers of any other body.
pub(in crate::store::bodies) const SMALL_WRITE_BYTES: usize = 8 * 1024;
/// Early syncs of all bodies at a time: a sync that waits for a slow disk keeps a thread from reading and writing.
const EARLY_SYNCS: usize = 4;

/// The memory that staged bodies share.
#[derive(Debug, Clone)]
pub(in crate::store) struct StagingMemory {
    pub(in crate::store::bodies) small: Arc<Semaphore>,
    /// For each of [`WRITE_BYTES`].
    pub(in crate::store::bodies) buffers: [Arc<Semaphore>; WRITE_BYTES.len()],
    pub(in crate::store::bodies) syncs: Arc<Semaphore>,
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
    /// Whether a body should get no more of it than it fills.
    pub(in crate::store::bodies) fn is_scarce(&self) -> bool {
        self.small.available_permits() < MEMORY_LIMIT_BYTES / PERMIT_BYTES / 2
    }

    pub(in crate::store::bodies) fn gathering(&self) -> Gathering {
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
pub(in crate::store::bodies) struct Gathering {
    pub(in crate::store::bodies) bytes: usize,
    _place: Permits,
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
