//! Answers that may be given again as they are: whoever asks the same in the same words gets the same bytes, until a row
//! that the answer was made of changes.
//!
//! Guarantees: only what a handler offered ([`offer`]) is kept, and only of a plain request, whose every header is one
//! that such an answer cannot depend on; the head is the one that the handler's answer went out with, but for its date
//! and id. It refuses to know which answers these are, and how they are sent (`connection::lane`).

mod answer;
mod cache;
mod fill;
mod request;

pub(crate) use answer::{Repeat, Repeats, offer};
pub use cache::KnownAnswers;
pub(crate) use fill::fill;
pub(crate) use request::Plain;
