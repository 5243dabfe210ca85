//! POST policies: built and signed for clients, parsed and evaluated when a form comes.
//!
//! A [`Grant`] proves that a form's signature, expiration and every condition held, in the order of section 2 of the
//! S3 contract: nothing of a policy is read before its signature held. A form that states no policy proves nothing, and
//! its grant says so ([`Grant::access_key`]): whether anybody may write there is its caller's to ask. It refuses to know
//! which access keys there are and what the file holds.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>

mod condition;
mod document;
pub(super) mod fields;
pub(super) mod file_name;
mod grant;
mod json;
mod presign;
mod signed;
mod success;
#[cfg(test)]
mod tests;

pub use fields::FormFields;
pub use grant::{Grant, UnverifiedForm};
pub use presign::{PostPolicy, PresignedPost};
pub use success::{SuccessAnswer, post_response, redirect_location};
