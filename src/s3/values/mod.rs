//! The values that requests and answers of S3 are made of: names, times, ranges, checksums, conditions, errors, and the
//! encodings (URI, XML) that they are written in.
//!
//! The bottom room of the protocol: it imports no other.

pub mod bucket;
pub mod checksum;
pub mod conditional;
pub mod error;
pub mod etag;
pub(super) mod header_parameters;
pub mod key;
pub mod network;
pub mod range;
pub mod time;
pub mod uri;
pub mod xml;
