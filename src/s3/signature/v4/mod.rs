//! AWS Signature Version 4: what was signed, by which key, and whether it holds.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html>
//!
//! What [`signature::parse`](super::parse) finds in a header or a query is read and checked here; the proof of
//! it is [`signature::Verified`](super::Verified). What a request's signature does not cover (a header that a browser
//! added, a query that it did not sign) is refused or canonicalised in, never ignored.
//!
//! Pure: the caller supplies the key's secret, the time and the host candidates. It does not know which access keys
//! exist, nor what the request asks for.

mod canonical;
pub mod chunked;
mod claimed_hosts;
pub(in crate::s3) mod header;
pub(in crate::s3) mod payload;
pub(in crate::s3) mod presigned;
#[cfg(test)]
mod tests;
pub(in crate::s3) mod unverified;

pub use crate::s3::signature::credential::scope::{Credential, RegionRule, Scope, SigningKey};
pub use payload::Payload;
pub use presigned::presign_query;
