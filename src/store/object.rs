//! Objects and their metadata, and the values of requests to the vault.

use crate::clock::Timestamp;
use crate::s3::checksum::{Checksum, ChecksumType, Digests};
use crate::s3::lifecycle::Subject;
use crate::s3::range::ByteRange;
use crate::s3::{BucketName, ETag, ObjectKey};
use crate::store::content::Content;
use crate::store::error::StageError;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The metadata that is stored with an object's bytes and returned with them.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ObjectMeta {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// The URL that a website endpoint would redirect to. It is only stored and returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub website_redirect: Option<String>,
    /// User metadata. Names are lower case, without `x-amz-meta-`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub user: BTreeMap<String, String>,
    /// `k=v&k2=v2`, URL-encoded, as in `x-amz-tagging`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tagging: Option<String>,
    /// Checksums that are returned for `x-amz-checksum-mode: ENABLED`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checksums: Vec<Checksum>,
    /// The type of those checksums.
    #[serde(default, skip_serializing_if = "is_default")]
    pub checksum_type: ChecksumType,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_default(checksum_type: &ChecksumType) -> bool {
    *checksum_type == ChecksumType::default()
}

/// The key that new bytes are stored under, and their metadata.
#[derive(Debug, Clone)]
pub struct Target {
    pub bucket: BucketName,
    pub key: ObjectKey,
    pub meta: ObjectMeta,
}
#[derive(Debug, Clone)]
pub struct Committed {
    pub etag: ETag,
    pub last_modified: Timestamp,
    pub sequence: u64,
}
impl Committed {
    pub(in crate::store) fn new(etag: ETag, at: Timestamp, sequence: u64) -> Self {
        Self {
            etag,
            last_modified: at,
            sequence,
        }
    }
}
/// An object, as read from its row. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Object {
    pub bucket: BucketName,
    pub key: ObjectKey,
    pub etag: ETag,
    pub size_bytes: u64,
    pub last_modified: Timestamp,
    pub meta: Arc<ObjectMeta>,
    pub sequence: u64,
    pub(in crate::store) content: Arc<Content>,
}
impl Object {
    pub(in crate::store) fn whole(&self) -> ByteRange {
        ByteRange {
            start: 0,
            end: self.size_bytes,
        }
    }
}
/// A bucket and a key, to look an object up in the cache without cloning them.
#[derive(Hash)]
pub(in crate::store) struct At<'a>(
    pub(in crate::store) &'a BucketName,
    pub(in crate::store) &'a ObjectKey,
);

impl quick_cache::Equivalent<(BucketName, ObjectKey)> for At<'_> {
    fn equivalent(&self, (bucket, key): &(BucketName, ObjectKey)) -> bool {
        self.0 == bucket && self.1 == key
    }
}

impl Object {
    /// About how many bytes of memory an entry of the cache takes.
    pub(in crate::store) fn weight_bytes(
        (_, key): &(BucketName, ObjectKey),
        object: &Self,
    ) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let meta = &object.meta;
        let texts = [
            &meta.content_type,
            &meta.cache_control,
            &meta.content_disposition,
            &meta.content_encoding,
            &meta.content_language,
            &meta.expires,
            &meta.storage_class,
            &meta.website_redirect,
            &meta.tagging,
        ];
        let user = meta.user.iter();
        let user: usize = user
            .map(|(name, value)| name.len() + value.len() + 64)
            .sum();
        let bodies = object.content.bodies.values();
        let bodies: usize = bodies.map(|body| 128 + body.block_crcs.len() * 8).sum();
        size_of::<Self>()
            + size_of::<ObjectMeta>()
            + key.as_str().len()
            + texts.into_iter().map(text).sum::<usize>()
            + user
            + meta.checksums.len() * 64
            + bodies
            + object.content.extents.len() * 24
    }

    /// The properties that the rules of a lifecycle match against.
    #[must_use]
    pub fn as_subject(&self) -> Subject<'_> {
        Subject {
            key: self.key.as_str(),
            size_bytes: self.size_bytes,
            tagging: self.meta.tagging.as_deref(),
            last_modified: self.last_modified,
        }
    }
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketCreation {
    Created,
    AlreadyThere,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    Deleted,
    WasAbsent,
}
/// A request for a page of a listing. Keys are in the order of their UTF-8 bytes.
#[derive(Debug, Clone, Default)]
pub struct ListRequest {
    pub prefix: String,
    pub delimiter: Option<String>,
    /// The listing begins strictly after this key or common prefix.
    pub after: Option<String>,
    /// The listing begins at this text, which is after everything that earlier pages held.
    pub from: Option<String>,
    pub max: u32,
}
/// What a client announced of a body, and staged bytes must fulfil before they are sealed.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// Bytes, at least.
    pub min_bytes: u64,
    /// Bytes, exactly (Content-Length, x-amz-decoded-content-length).
    pub exact_bytes: Option<u64>,
    pub sha256: Option<[u8; 32]>,
    pub md5: Option<[u8; 16]>,
    pub checksums: Vec<Checksum>,
}

impl Expected {
    /// Compares the computed digests of a body with the announced ones.
    ///
    /// # Errors
    /// The first digest that differs.
    pub(in crate::store) fn check(&self, digests: &Digests) -> Result<(), StageError> {
        if self.sha256.is_some() && self.sha256 != digests.sha256 {
            return Err(StageError::Sha256Mismatch);
        }
        if self.md5.is_some_and(|md5| md5 != digests.md5) {
            return Err(StageError::Md5Mismatch);
        }
        for checksum in &self.checksums {
            if !digests.checksums.contains(checksum) {
                return Err(StageError::ChecksumMismatch(checksum.algorithm));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_of_an_older_log_is_read_and_written_unchanged() {
        let older = r#"{"content_type":"image/png","user":{"a":"b"},"tagging":"k=v"}"#;
        let meta: ObjectMeta = serde_json::from_str(older).unwrap();
        assert_eq!(meta.website_redirect, None);
        assert_eq!(serde_json::to_string(&meta).unwrap(), older);
        let redirected = ObjectMeta {
            website_redirect: Some("/other".to_owned()),
            ..meta
        };
        let written = serde_json::to_string(&redirected).unwrap();
        assert_eq!(
            serde_json::from_str::<ObjectMeta>(&written).unwrap(),
            redirected
        );
    }
}
