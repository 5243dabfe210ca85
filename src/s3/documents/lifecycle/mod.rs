//! A bucket's lifecycle: when its objects and its unfinished uploads expire.
//!
//! Guarantees: an accepted rule is carried out, or has no effect where each object has one version and one class
//! (`NoncurrentVersionExpiration`, `ExpiredObjectDeleteMarker`); transitions are refused. The caller supplies the time.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html>

mod document;
mod expiry;
mod rule;
#[cfg(test)]
mod tests;

pub use expiry::Expiry;
pub use rule::{Lifecycle, Subject};
