//! The progress of long operations.

use std::sync::atomic::AtomicU64;

/// The progress of a check, a copy or a replay, in bytes.
#[derive(Debug, Default)]
pub struct Progress {
    pub done_bytes: AtomicU64,
    pub total_bytes: AtomicU64,
}
