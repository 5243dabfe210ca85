//! Multipart uploads: what the vault keeps of them until they are completed or given up.
//!
//! A part's bytes are a body like any other; completing an upload is one record that makes the parts' bodies the extents
//! of an object, and moves none. A part that was replaced, and the parts of an upload that was aborted, are released.

use super::ObjectMeta;
use super::meta::Extent;
use crate::clock::Timestamp;
use crate::s3::checksum::{Checksum, ChecksumAlgorithm, ChecksumType};
use crate::s3::{BucketName, ETag, ObjectKey};
use std::sync::Arc;

/// Id of a multipart upload: random, in order of creation (UUID version 7, 32 hex digits).
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct UploadId(Arc<str>);

impl UploadId {
    /// `None` where it cannot be the id of an upload.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let form = text.len() == 32
            && text
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        form.then(|| Self(text.into()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The checksum that an upload was begun with: each part has one of this algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct UploadChecksum {
    pub algorithm: ChecksumAlgorithm,
    pub checksum_type: ChecksumType,
}

/// What a new upload is to become.
#[derive(Debug, Clone)]
pub struct NewUpload {
    pub bucket: BucketName,
    pub key: ObjectKey,
    /// Without checksums: those are known at its end.
    pub meta: ObjectMeta,
    pub checksum: Option<UploadChecksum>,
}

/// An upload under way.
#[derive(Debug, Clone)]
pub struct Upload {
    pub id: UploadId,
    pub bucket: BucketName,
    pub key: ObjectKey,
    pub initiated_at: Timestamp,
    pub meta: Arc<ObjectMeta>,
    pub checksum: Option<UploadChecksum>,
}

/// A part of an upload under way.
#[derive(Debug, Clone)]
pub struct Part {
    /// 1 to 10,000
    pub number: u16,
    /// MD5 of its bytes
    pub etag: ETag,
    pub size_bytes: u64,
    pub last_modified: Timestamp,
    pub checksums: Vec<Checksum>,
    /// That of the record that brought it.
    pub(super) sequence: u64,
    pub(super) extents: Arc<[Extent]>,
}

#[derive(Debug, Clone, Default)]
pub struct PartPage {
    pub parts: Vec<Part>,
    /// Whether more follow.
    pub is_truncated: bool,
}

/// A part of an object that a multipart upload made.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ObjectPart {
    pub number: u16,
    pub size_bytes: u64,
    pub checksums: Vec<Checksum>,
}

/// What made an object of parts: kept with the object for `partNumber`, `GetObjectAttributes` and a repeated Complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectParts {
    /// `None` for a copy.
    pub upload: Option<UploadId>,
    pub parts: Vec<ObjectPart>,
}

/// Which uploads are listed. Order: key (UTF-8 bytes), then creation.
#[derive(Debug, Clone, Default)]
pub struct UploadListRequest {
    pub prefix: String,
    pub delimiter: Option<String>,
    /// Only keys (or common prefixes) after this one; with `after_upload` also later uploads of this very key.
    pub after_key: Option<String>,
    pub after_upload: Option<String>,
    pub max: u32,
}

#[derive(Debug, Clone, Default)]
pub struct UploadListPage {
    pub uploads: Vec<Upload>,
    pub common_prefixes: Vec<String>,
    /// Key (or common prefix) and upload id of the last entry, where more follow.
    pub next: Option<(String, String)>,
}

/// What makes an object of an upload's parts.
#[derive(Debug, Clone)]
pub struct Completion {
    /// In order of their numbers, as they were read from the vault.
    pub parts: Vec<Part>,
    /// `md5(md5s)-N`
    pub etag: ETag,
    /// Checksums of the whole, of the upload's type.
    pub checksums: Vec<Checksum>,
}
