//! A bucket's lifecycle: which objects end when, and which unfinished uploads.
//!
//! Guarantees: what is taken is carried out, or has no effect where each object has one version and one class
//! (`NoncurrentVersionExpiration`, `ExpiredObjectDeleteMarker`); transitions are refused. The clock is the caller's.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html>

mod document;
mod expiry;
mod rule;
#[cfg(test)]
mod tests;

pub use expiry::Expiry;
pub use rule::{Lifecycle, Subject};
