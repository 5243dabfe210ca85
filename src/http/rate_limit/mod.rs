//! Rate limits of the asset API: by token, and by the asset that is duplicated. Plane contract, section 2.5.
//!
//! It lies outside of the asset API because every handler's [`AppState`](crate::http::app_state::AppState) holds the
//! counters. It refuses to know the form of a refusal.
mod limits;
mod sliding_log;

pub(in crate::http) use limits::Allowance;
pub use limits::RateLimits;
pub(in crate::http) use sliding_log::LimitReached;
pub use sliding_log::RateLimit;
