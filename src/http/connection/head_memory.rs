//! The memory that long heads take until they are whole. They share it with other bytes of senders that are not verified.

use crate::http::memory::{Client, Share, SharedMemory};
use std::pin::Pin;

/// How much of one head is waited for. Names and values may have 16 KiB of it ([`crate::http::head_limit`]).
pub(super) const HEAD_BYTES: usize = 32 * 1024;

/// A long head that is not whole yet.
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
