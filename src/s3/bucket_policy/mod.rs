//! Bucket policies: what a bucket's owner allows unsigned requests, and denies even signed ones.
//!
//! [`BucketPolicy::parse`] checks a policy when it is set: a policy that could not be evaluated later is rejected then, with the
//! reason, and never stored as if it worked. [`BucketPolicy::evaluate`] answers one question; a `Deny` wins. There is one
//! owner here, so a principal is either everyone or a named account. A policy may allow a named account something, which
//! has no effect (only the owner has an account here), and may not deny it anything.
//!
//! Pure: it does not know which key signed a request, nor where addresses come from.
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
