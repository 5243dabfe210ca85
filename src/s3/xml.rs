//! The XML answers of S3 (namespace `http://s3.amazonaws.com/doc/2006-03-01/`), written with `quick-xml`.
//! A character that XML 1.0 cannot hold is never written: see `encoding-type=url`.
use super::{BucketName, ETag, ObjectKey};
use crate::clock::Timestamp;

pub struct ListedObject {
    pub key: ObjectKey,
    pub etag: ETag,
    pub size_bytes: u64,
    pub last_modified: Timestamp,
}
/// The parsed query of ListObjectsV2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListV2Query {
    pub prefix: String,
    pub delimiter: Option<String>,
    /// 0 to 1000
    pub max_keys: u32,
    pub start_after: Option<String>,
    /// Opaque to clients; here decoded to the last key or common prefix that was given.
    pub continuation_token: Option<String>,
    /// The token as the client sent it.
    pub raw_token: Option<String>,
    pub encode_url: bool,
    pub fetch_owner: bool,
}
impl ListV2Query {
    /// # Errors
    /// `InvalidArgument` for a bad `max-keys`, `encoding-type` or token.
    pub fn parse(_query: &[(String, String)]) -> Result<Self, super::S3Error> {
        todo!()
    }
}
pub struct ListedPage {
    pub objects: Vec<ListedObject>,
    pub common_prefixes: Vec<String>,
    /// The last key or common prefix of this page where more follow.
    pub next: Option<String>,
}
#[must_use]
pub fn list_objects_v2(_bucket: &BucketName, _query: &ListV2Query, _page: &ListedPage) -> String {
    todo!()
}
#[must_use]
pub fn list_buckets(_owner_id: &str, _buckets: &[(BucketName, Timestamp)]) -> String {
    todo!()
}
#[must_use]
pub fn post_response(
    _location: &str,
    _bucket: &BucketName,
    _key: &ObjectKey,
    _etag: &ETag,
) -> String {
    todo!()
}
