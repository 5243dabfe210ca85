//! The response cache: responses that may be sent again unchanged to requests that are the same in all that matters,
//! until a row that the response was made from changes.
//!
//! It is filled by one middleware ([`fill`]) and read by the [fast path](crate::http::connection). Guarantees: only a
//! response that its handler marked ([`offer`]) is kept, and only where such a response cannot depend on any header of
//! its request outside of the key; the head is the one that the handler's response was sent with, except its date and
//! id. It refuses to know which responses these are, and how they are sent.

mod answer;
mod cache;
mod fill;
mod request;

pub(crate) use answer::{CachedResponse, Validity, offer};
pub use cache::ResponseCache;
pub(crate) use fill::fill;
pub(crate) use request::CacheableRequest;
