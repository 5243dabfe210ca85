//! The response cache: answers that may be given again as they are, to requests that are the same in all that matters,
//! until a row that the answer was made of changes.
//!
//! It is filled by one middleware ([`fill`]) and read by the [fast path](crate::http::connection). Guarantees: only an
//! answer that its handler marked ([`offer`]) is kept, and only of a request whose every header is one that such an answer
//! cannot depend on; the head is the one that the handler's answer went out with, but for its date and id. It refuses to
//! know which answers these are, and how they are sent.

mod answer;
mod cache;
mod fill;
mod request;

pub(crate) use answer::{CachedResponse, Validity, offer};
pub use cache::ResponseCache;
pub(crate) use fill::fill;
pub(crate) use request::CacheableRequest;
