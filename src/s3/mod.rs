//! The S3 protocol as values: text and bytes in, values out.
//!
//! The protocol knows no clock, disk, socket, SQL, actix or tokio. Source of the rules: AWS's
//! *Amazon S3 API Reference* and *Authenticating Requests (AWS Signature Version 4)*.
//!
//! Order of the rooms, each importing only those to its right: `form` → `policy` → `headers`, `signature` → `op` →
//! `values`; and `bucket_policy` → `documents` → `multipart` → `listing` → `values`.

pub mod bucket_policy;
pub mod cors;
pub mod documents;
pub mod form;
#[cfg(test)]
mod fuzz;
pub mod headers;
pub mod listing;
pub mod multipart;
pub mod op;
pub mod ownership;
pub mod policy;
pub mod public_access;
pub mod signature;
pub mod values;

pub use documents::{acl, attributes, copy, delete_objects, lifecycle, tagging};
pub use headers::{header_text, request_headers};
pub use signature::v4 as sigv4;
pub use values::bucket::{BucketName, BucketSetting};
pub use values::error::{ErrorCode, S3Error};
pub use values::etag::ETag;
pub use values::key::ObjectKey;
pub use values::{bucket, checksum, conditional, error, etag, key, network, range, time, uri, xml};
