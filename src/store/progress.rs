//! How far long work is.

use std::sync::atomic::AtomicU64;

/// How far a check, a copy or a replay is, in bytes.
#[derive(Debug, Default)]
pub struct Progress {
    pub done_bytes: AtomicU64,
    pub total_bytes: AtomicU64,
}
