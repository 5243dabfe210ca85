//! The only place that reads the wall clock.
//!
//! All other code gets a [`Clock`], so that a test can advance the time instead of waiting.

pub use crate::s3::time::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The wall clock and the monotonic clock, plus the time by which a test has advanced them.
#[derive(Debug, Clone)]
pub struct Clock {
    started: Instant,
    advanced_millis: Arc<AtomicI64>,
    /// The time by which a test has set the wall clock forward or back.
    jumped_millis: Arc<AtomicI64>,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            advanced_millis: Arc::default(),
            jumped_millis: Arc::default(),
        }
    }
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
        let moved = self
            .advanced_millis
            .load(Ordering::Relaxed)
            .saturating_add(self.jumped_millis.load(Ordering::Relaxed));
        Timestamp::from_millis(wall.saturating_add(moved))
    }

    /// The time since this clock was made, by the monotonic clock, which no time server can set.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        let advanced = self.advanced_millis.load(Ordering::Relaxed);
        self.started.elapsed() + Duration::from_millis(advanced.unsigned_abs())
    }

    /// Sets only the wall clock, as a time server may.
    pub fn jump(&self, by_millis: i64) {
        self.jumped_millis.fetch_add(by_millis, Ordering::Relaxed);
    }

    /// Moves this clock, and all its clones, forward.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.advanced_millis.fetch_add(millis, Ordering::Relaxed);
    }
}
