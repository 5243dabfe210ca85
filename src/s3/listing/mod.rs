//! Listings of a bucket's objects: what is asked for, what a page holds, and S3's answers.
//!
//! The three operations (`ListObjects`, `ListObjectsV2`, `ListObjectVersions`) list the same and differ in how a page
//! says where the next one begins; so there is one query and one answer. Keys are in the order of their UTF-8 bytes.
//! Refuses to know where objects lie.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>

mod buckets;
pub(super) mod page;
pub(super) mod parameters;
mod query;
#[cfg(test)]
mod tests;
mod token;

pub use buckets::{ListBucketsQuery, list_buckets};
pub use page::{ListedObject, ListedPage, NULL_VERSION};
pub use parameters::{MAX_KEYS, parse_encoding_type, parse_max_keys};
pub use query::ListQuery;
