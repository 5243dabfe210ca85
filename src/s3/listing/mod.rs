//! Listings of buckets and of a bucket's objects: queries, pages and S3's answers.
//!
//! The three operations (`ListObjects`, `ListObjectsV2`, `ListObjectVersions`) list the same objects and differ in how a page
//! states where the next one begins; so one query and one answer serve all three. Keys are in the order of their UTF-8 bytes.
//! It does not know where objects are stored.
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
