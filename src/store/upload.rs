//! Multipart uploads: what is known of them and of their parts.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>

use crate::clock::Timestamp;
use crate::s3::checksum::{Checksum, ChecksumAlgorithm, ChecksumType};
use crate::s3::{BucketName, ETag, ObjectKey};
use crate::store::content::Extent;
use crate::store::object::{Object, ObjectMeta};
use std::sync::Arc;

/// Id of a multipart upload: random, in order of creation (UUID version 7, 32 hex digits).
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct UploadId(Arc<str>);

impl UploadId {
    pub(in crate::store) fn new(at: Timestamp) -> Self {
        let seconds = u64::try_from(at.as_secs()).unwrap_or_default();
        let nanos = u32::try_from(at.as_millis().rem_euclid(1000)).unwrap_or_default() * 1_000_000;
        let at = uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos);
        Self(uuid::Uuid::new_v7(at).simple().to_string().into())
    }

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
    pub(in crate::store) sequence: u64,
    pub(in crate::store) extents: Vec<Extent>,
}

#[derive(Debug, Clone, Default)]
pub struct PartPage {
    pub parts: Vec<Part>,
    /// Whether more follow.
    pub is_truncated: bool,
}

/// A part of an object that a multipart upload made. Records and rows have it as `[number, bytes, checksums]`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(from = "(u16, u64, Vec<Checksum>)", into = "(u16, u64, Vec<Checksum>)")]
pub struct ObjectPart {
    pub number: u16,
    pub size_bytes: u64,
    pub checksums: Vec<Checksum>,
}

impl From<(u16, u64, Vec<Checksum>)> for ObjectPart {
    fn from((number, size_bytes, checksums): (u16, u64, Vec<Checksum>)) -> Self {
        Self {
            number,
            size_bytes,
            checksums,
        }
    }
}

impl From<ObjectPart> for (u16, u64, Vec<Checksum>) {
    fn from(part: ObjectPart) -> Self {
        (part.number, part.size_bytes, part.checksums)
    }
}

/// What made an object of parts: kept with the object for `partNumber`, `GetObjectAttributes` and a repeated Complete.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ObjectParts {
    /// `None` for a copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<UploadId>,
    pub parts: Vec<ObjectPart>,
}

impl ObjectParts {
    /// What a copy keeps: the parts' checksums only where the whole keeps those that are made of them.
    pub(in crate::store) fn of_copy(self, source: &Object, copy: &ObjectMeta) -> Self {
        let keeps = copy.checksums == source.meta.checksums;
        let mut parts = self.parts;
        for part in &mut parts {
            part.checksums.retain(|_| keeps);
        }
        let upload = None;
        Self { upload, parts }
    }
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
