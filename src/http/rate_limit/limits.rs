//! The two limits of the asset API, and the headers that show a client the rest of its limit.
use crate::clock::Clock;
use crate::http::rate_limit::sliding_log::{LimitReached, RateLimit, SlidingLog};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;
use uuid::Uuid;

/// Plane: `AssetRateThrottle`
const DUPLICATES: RateLimit = RateLimit {
    requests: 5,
    window: Duration::from_mins(1),
};
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Counts the requests of the asset API.
#[derive(Debug)]
pub struct RateLimits {
    clock: Clock,
    /// Requests of v1, counted by token; `None`: `API_KEY_RATE_LIMIT=off`
    tokens: Option<SlidingLog<String>>,
    /// Counted by the asset that is copied.
    duplicates: SlidingLog<Uuid>,
}

impl RateLimits {
    #[must_use]
    pub fn new(of_tokens: Option<RateLimit>, clock: Clock) -> Self {
        Self {
            clock,
            tokens: of_tokens.map(SlidingLog::new),
            duplicates: SlidingLog::new(DUPLICATES),
        }
    }

    /// Counts a request of v1. `None`: tokens have no limit.
    pub(in crate::http) fn count_request(
        &self,
        token_id: &str,
    ) -> Result<Option<Allowance>, LimitReached> {
        let Some(log) = &self.tokens else {
            return Ok(None);
        };
        let remaining = log.count(token_id.to_owned(), self.clock.elapsed())?;
        let now = self.clock.now().as_millis().div_euclid(1000);
        let window = i64::try_from(log.limit().window.as_secs()).unwrap_or(i64::MAX);
        Ok(Some(Allowance {
            remaining,
            reset: now.saturating_add(window),
        }))
    }

    /// Counts a copy of an asset: all callers share the limit.
    pub(in crate::http) fn count_duplicate(&self, source: Uuid) -> Result<(), LimitReached> {
        let counted = self.duplicates.count(source, self.clock.elapsed());
        counted.map(drop)
    }
}

/// The rest of a token's limit after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) struct Allowance {
    remaining: u32,
    /// Seconds since 1970
    reset: i64,
}
impl Allowance {
    pub(in crate::http) fn add_headers(self, headers: &mut HeaderMap) {
        headers.insert(REMAINING, HeaderValue::from(self.remaining));
        headers.insert(RESET, HeaderValue::from(self.reset));
    }
}
