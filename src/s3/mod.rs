//! The S3 protocol as values: text and bytes in, values out.
//!
//! Nothing here knows a clock, a disk, a socket, SQL, actix or tokio. Source of the rules: AWS's
//! *Amazon S3 API Reference* and *Authenticating Requests (AWS Signature Version 4)*.

pub mod bucket;
pub mod checksum;
pub mod conditional;
pub mod error;
pub mod etag;
pub mod form;
pub mod key;
pub mod op;
pub mod policy;
pub mod range;
pub mod sigv4;
pub mod time;
pub mod uri;
pub mod xml;

pub use bucket::BucketName;
pub use error::{ErrorCode, S3Error};
pub use etag::ETag;
pub use key::ObjectKey;
