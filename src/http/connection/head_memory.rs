//! The memory that long heads take until they are complete. It is shared with other bytes of unverified senders.

use crate::http::memory::{Client, Share, SharedMemory};
use std::pin::Pin;

/// The most bytes of one head that the server waits for. Names and values may have 16 KiB of it
/// ([`crate::http::head_limit`]).
pub(super) const HEAD_BYTES: usize = 32 * 1024;

/// A long head that is not complete yet.
pub(super) struct LongHead {
    pub(super) evicted: Pin<Box<dyn Future<Output = ()>>>,
    _share: Share,
}

/// The memory for the long heads of one connection.
pub(super) struct HeadMemory {
    pub(super) memory: SharedMemory,
    pub(super) client: Client,
}

impl HeadMemory {
    /// Takes memory for a long head. `None`: there is none left.
    pub(super) fn begin(&self) -> Option<LongHead> {
        let share = self.memory.begin_at_once(self.client, HEAD_BYTES).ok()?;
        Some(LongHead {
            evicted: Box::pin(share.eviction()),
            _share: share,
        })
    }
}
