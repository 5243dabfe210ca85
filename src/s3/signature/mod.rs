//! Signatures of requests, of either version: which access key signed a request, and whether the signature holds.
//!
//! [`parse`] reads what a request states, [`Unverified::verify`] proves it, and [`Verified`] is the proof: it has no
//! other maker. The versions differ in what is signed and how ([`v4`], [`v2`]); what both
//! share, the one place where a signature may stand and the clock's slack, is here.
//!
//! Pure: the caller supplies the keys, the time and the host candidates. It does not know what the request asks for.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html>

pub(in crate::s3) mod credential;
pub(in crate::s3) mod request;
pub(in crate::s3) mod v2;
pub mod v4;
mod verify;

pub use credential::keys::Keys;
pub use credential::rules::{Rules, Sigv2};
pub use request::head::RequestHead;
pub use request::presigned_headers::{is_presigned, presigned_headers};
pub use verify::{Unverified, Verified, is_stated, parse};
