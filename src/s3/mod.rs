//! The S3 protocol as values: text and bytes in, values out.
//!
//! Nothing here knows a clock, a disk, a socket, SQL, actix or tokio. Source of the rules: AWS's
//! *Amazon S3 API Reference* and *Authenticating Requests (AWS Signature Version 4)*.

pub mod acl;
pub mod attributes;
pub mod bucket;
pub mod bucket_policy;
pub mod checksum;
pub mod conditional;
pub mod copy;
pub mod cors;
pub mod delete_objects;
pub mod error;
pub mod etag;
pub mod form;
#[cfg(test)]
mod fuzz;
pub mod header_text;
pub mod key;
pub mod lifecycle;
pub mod listing;
mod md5_lanes;
pub mod multipart;
pub mod network;
pub mod op;
pub mod ownership;
pub mod policy;
pub mod public_access;
pub mod range;
pub mod request_headers;
pub mod signature;
pub mod sigv2;
pub mod sigv4;
pub mod tagging;
pub mod time;
pub mod uri;
pub mod xml;

pub use bucket::{BucketName, BucketSetting};
pub use error::{ErrorCode, S3Error};
pub use etag::ETag;
pub use key::ObjectKey;
