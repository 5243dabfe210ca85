//! POST policies: built and signed for clients, parsed and evaluated when a form comes.
//!
//! A [`Grant`] proves that a form's signature, expiration and every condition held, in the order of section 2 of the
//! S3 contract: nothing of a policy is read before its signature held. A form without a policy proves nothing, and
//! its grant says so ([`Grant::access_key`]): the caller decides whether anonymous writes are allowed. This module does not
//! know which access keys exist, nor what the file holds.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>

mod condition;
mod document;
pub(super) mod fields;
pub(super) mod file_name;
mod form_signature;
mod grant;
mod json;
mod presign;
mod success;
#[cfg(test)]
mod tests;

pub use fields::FormFields;
pub use grant::{Grant, UnverifiedForm};
pub use presign::{PostPolicy, PresignedPost};
pub use success::{SuccessAnswer, post_response, redirect_location};
