//! Bucket policies: what a bucket's owner allows everybody, and denies even those who sign.
//!
//! [`BucketPolicy::parse`] judges a policy when it is set: what could not be evaluated later is refused then, with the
//! reason, and never kept as if it worked. [`BucketPolicy::evaluate`] answers one question; a `Deny` wins. There is one
//! owner here, so a principal is everybody, or somebody by name; a policy may allow the latter something (which gives it
//! to nobody who is not the owner already) and may deny it nothing.
//!
//! Pure: it refuses to know who signed, and where addresses come from.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html>

mod action;
mod condition;
mod effect;
mod json;
mod opening;
mod pattern;
mod policy;
mod query;
mod statement;
#[cfg(test)]
mod tests;

pub use action::{Action, Level, needed_for};
pub use opening::Opening;
pub use policy::BucketPolicy;
pub use query::{Decision, PolicyQuery};
// For the callers that still use the older name.
pub use query::PolicyQuery as Asked;
