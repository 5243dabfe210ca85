//! How often may be asked: a sliding log for each token, and for each asset that is duplicated. Plane contract, section 2.5.
//!
//! Guarantees: of any span as long as the window, no more than the limit is allowed; what is refused does not count; who
//! has not asked for a window takes no memory.
use super::error::PlaneError;
use crate::clock::Clock;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// So many requests in any span of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    pub requests: u32,
    pub window: Duration,
}

/// Plane: `AssetRateThrottle`
const DUPLICATES: RateLimit = RateLimit {
    requests: 5,
    window: Duration::from_mins(1),
};
/// Keys beyond which those who have not asked for a window are looked for.
const FEW_KEYS: usize = 1024;
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// What is counted of the asset API.
#[derive(Debug)]
pub struct Limits {
    clock: Clock,
    /// v1, by token; `None`: `API_KEY_RATE_LIMIT=off`
    tokens: Option<SlidingLog<String>>,
    /// By source.
    duplicates: SlidingLog<Uuid>,
}

impl Limits {
    #[must_use]
    pub fn new(of_tokens: Option<RateLimit>, clock: Clock) -> Self {
        Self {
            clock,
            tokens: of_tokens.map(SlidingLog::new),
            duplicates: SlidingLog::new(DUPLICATES),
        }
    }

    /// Counts a request of v1. `None`: there is no limit.
    pub(super) fn of_token(&self, token_id: &str) -> Result<Option<Allowance>, PlaneError> {
        let Some(log) = &self.tokens else {
            return Ok(None);
        };
        let remaining = log.take(token_id.to_owned(), self.clock.elapsed())?;
        let now = self.clock.now().as_millis().div_euclid(1000);
        let window = i64::try_from(log.limit.window.as_secs()).unwrap_or(i64::MAX);
        Ok(Some(Allowance {
            remaining,
            reset: now.saturating_add(window),
        }))
    }

    /// Counts a copy of an asset, whoever asks for it.
    pub(super) fn of_duplicate(&self, source: Uuid) -> Result<(), PlaneError> {
        self.duplicates.take(source, self.clock.elapsed()).map(drop)
    }
}

/// What an allowed answer says of its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowance {
    remaining: u32,
    /// Seconds since 1970
    reset: i64,
}
impl Allowance {
    pub(super) fn present(self, headers: &mut HeaderMap) {
        headers.insert(REMAINING, HeaderValue::from(self.remaining));
        headers.insert(RESET, HeaderValue::from(self.reset));
    }
}

/// When each of some keys was used, as far as that still counts.
#[derive(Debug)]
struct SlidingLog<K> {
    limit: RateLimit,
    uses: Mutex<HashMap<K, VecDeque<Duration>>>,
}

impl<K: Eq + Hash> SlidingLog<K> {
    fn new(limit: RateLimit) -> Self {
        Self {
            limit,
            uses: Mutex::default(),
        }
    }

    /// Counts a use at a moment of a clock that never goes back; answers how many are left.
    fn take(&self, key: K, now: Duration) -> Result<u32, PlaneError> {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = |at: &Duration| now.saturating_sub(*at) < self.limit.window;
        if uses.len() >= FEW_KEYS && uses.len() == uses.capacity() {
            uses.retain(|_, log| log.back().is_some_and(counts));
        }
        let log = uses.entry(key).or_default();
        while log.front().is_some_and(|at| !counts(at)) {
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
            return Err(PlaneError::TooMany {
                retry_after: whole.max(1),
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
    fn the_window_slides_and_what_is_refused_does_not_count() {
        let log = log(2);
        assert_eq!(log.take(1, seconds(0)).unwrap(), 1);
        assert_eq!(log.take(1, seconds(30)).unwrap(), 0);
        let is_refused = |at, wait| {
            let refused = log.take(1, seconds(at)).unwrap_err();
            assert!(matches!(refused, PlaneError::TooMany { retry_after } if retry_after == wait));
        };
        is_refused(31, 29);
        is_refused(59, 1);
        assert_eq!(log.take(2, seconds(59)).unwrap(), 1, "another key");
        assert_eq!(log.take(1, seconds(60)).unwrap(), 0);
        is_refused(61, 29);
        assert_eq!(log.take(1, seconds(90)).unwrap(), 0);
    }

    #[test]
    fn keys_that_rest_take_no_memory() {
        let window = Duration::from_mins(1);
        let log = SlidingLog::new(RateLimit {
            requests: 1,
            window,
        });
        for key in 0..100_000_u64 {
            log.take(key, seconds(key)).unwrap();
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
                let taken = log.take(0, now);
                prop_assert_eq!(taken.is_ok(), before < requests as usize);
                if taken.is_ok() {
                    allowed.push(now);
                }
            }
        }
    }
}
