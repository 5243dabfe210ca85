//! The only place that asks what time it is.
//!
//! Everything else takes a [`Clock`], so that a test can advance time instead of waiting for it.

pub use crate::s3::time::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The wall clock, plus what a test has advanced it by.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    advanced_millis: Arc<AtomicI64>,
}

impl Clock {
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    pub fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let wall = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(wall.saturating_add(self.advanced_millis.load(Ordering::Relaxed)))
    }

    /// Moves this clock, and all its clones, forward.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.advanced_millis.fetch_add(millis, Ordering::Relaxed);
    }
}
