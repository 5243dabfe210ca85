//! A sliding log: the moments at which each key was used, as long as they count against its limit.
//!
//! Guarantees: no span as long as the window holds more uses than the limit; a refused use does not count; a key that was
//! not used for a window takes no memory.
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// At most `requests` in any span as long as `window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    pub requests: u32,
    pub window: Duration,
}

/// The limit is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) struct LimitReached {
    /// Whole seconds after which the next use is allowed.
    pub(in crate::http) retry_after_seconds: u64,
}

/// From this number of keys on, keys that were not used for a window are removed before the map grows.
const FEW_KEYS: usize = 1024;

/// For each key, the moments of the last window at which it was used.
#[derive(Debug)]
pub(super) struct SlidingLog<K> {
    limit: RateLimit,
    uses: Mutex<HashMap<K, VecDeque<Duration>>>,
}

impl<K: Eq + Hash> SlidingLog<K> {
    pub(super) fn new(limit: RateLimit) -> Self {
        Self {
            limit,
            uses: Mutex::default(),
        }
    }

    pub(super) fn limit(&self) -> RateLimit {
        self.limit
    }

    /// Counts a use at `now`, a moment of the monotonic clock, and returns how many uses are left.
    pub(super) fn count(&self, key: K, now: Duration) -> Result<u32, LimitReached> {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        let still_counts = |at: &Duration| now.saturating_sub(*at) < self.limit.window;
        if uses.len() >= FEW_KEYS && uses.len() == uses.capacity() {
            uses.retain(|_, log| log.back().is_some_and(still_counts));
        }
        let log = uses.entry(key).or_default();
        while log.front().is_some_and(|at| !still_counts(at)) {
            log.pop_front();
        }
        let used = u32::try_from(log.len()).unwrap_or(u32::MAX);
        let Some(left) = self
            .limit
            .requests
            .checked_sub(used)
            .filter(|left| *left > 0)
        else {
            let oldest = log.front().copied().unwrap_or(now);
            let wait = (oldest + self.limit.window).saturating_sub(now);
            let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            return Err(LimitReached {
                retry_after_seconds: whole.max(1),
            });
        };
        log.push_back(now);
        Ok(left - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn log(requests: u32) -> SlidingLog<u8> {
        let window = Duration::from_mins(1);
        SlidingLog::new(RateLimit { requests, window })
    }

    fn seconds(of: u64) -> Duration {
        Duration::from_secs(of)
    }

    #[test]
    fn the_window_slides_and_a_refused_use_does_not_count() {
        let log = log(2);
        assert_eq!(log.count(1, seconds(0)).unwrap(), 1);
        assert_eq!(log.count(1, seconds(30)).unwrap(), 0);
        for (at, wait) in [(31, 29), (59, 1)] {
            let refused = log.count(1, seconds(at)).unwrap_err();
            assert_eq!(refused.retry_after_seconds, wait);
        }
        assert_eq!(log.count(2, seconds(59)).unwrap(), 1, "another key");
        assert_eq!(log.count(1, seconds(60)).unwrap(), 0);
        let refused = log.count(1, seconds(61)).unwrap_err();
        assert_eq!(refused.retry_after_seconds, 29);
        assert_eq!(log.count(1, seconds(90)).unwrap(), 0);
    }

    #[test]
    fn unused_keys_take_no_memory() {
        let window = Duration::from_mins(1);
        let log = SlidingLog::new(RateLimit {
            requests: 1,
            window,
        });
        for key in 0..100_000_u64 {
            log.count(key, seconds(key)).unwrap();
        }
        assert!(log.uses.lock().unwrap().len() < 10_000);
    }

    proptest! {
        #[test]
        fn no_span_of_a_window_holds_more_than_the_limit(
            steps in prop::collection::vec(0_u64..40, 1..100),
            requests in 1_u32..6,
        ) {
            let log = log(requests);
            let mut now = Duration::ZERO;
            let mut allowed: Vec<Duration> = Vec::new();
            for step in steps {
                now += seconds(step);
                let before = allowed.iter().filter(|at| now.saturating_sub(**at) < seconds(60)).count();
                let counted = log.count(0, now);
                prop_assert_eq!(counted.is_ok(), before < requests as usize);
                if counted.is_ok() {
                    allowed.push(now);
                }
            }
        }
    }
}
