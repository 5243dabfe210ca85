//! Multipart uploads and their parts.
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

    /// `None` if the text cannot be the id of an upload.
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

/// The checksum that was requested when an upload was begun: each part has one of this algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct UploadChecksum {
    pub algorithm: ChecksumAlgorithm,
    pub checksum_type: ChecksumType,
}

/// The object that a new upload is to become.
#[derive(Debug, Clone)]
pub struct NewUpload {
    pub bucket: BucketName,
    pub key: ObjectKey,
    /// Without checksums, which are known only when the upload is completed.
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
    /// The sequence of the record that brought the part.
    pub(in crate::store) sequence: u64,
    pub(in crate::store) extents: Vec<Extent>,
}

#[derive(Debug, Clone, Default)]
pub struct PartPage {
    pub parts: Vec<Part>,
    /// Whether more follow.
    pub is_truncated: bool,
}

/// A part of an object that was made by a multipart upload. Records and rows store it as `[number, bytes, checksums]`.
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

/// The parts that an object was made of, and its upload. They are stored with the object for `partNumber`,
/// `GetObjectAttributes` and a repeated Complete.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ObjectParts {
    /// `None` for a copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<UploadId>,
    pub parts: Vec<ObjectPart>,
}

impl ObjectParts {
    /// The parts of a copy. They keep their checksums only if the copy keeps the checksums of the whole, which are
    /// computed from them.
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

/// A request for a page of uploads. They are in the order of their keys (UTF-8 bytes), then of their creation.
#[derive(Debug, Clone, Default)]
pub struct UploadListRequest {
    pub prefix: String,
    pub delimiter: Option<String>,
    /// Only keys (or common prefixes) after this one; with `after_upload` also later uploads of this key.
    pub after_key: Option<String>,
    pub after_upload: Option<String>,
    pub max: u32,
}

#[derive(Debug, Clone, Default)]
pub struct UploadListPage {
    pub uploads: Vec<Upload>,
    pub common_prefixes: Vec<String>,
    /// The key (or common prefix) and the upload id of the last entry, if more follow.
    pub next: Option<(String, String)>,
}

/// A request to make an object from an upload's parts.
#[derive(Debug, Clone)]
pub struct Completion {
    /// In the order of their numbers, as they were read from the vault.
    pub parts: Vec<Part>,
    /// `md5(md5s)-N`
    pub etag: ETag,
    /// Checksums of the whole object, of the type that the upload has.
    pub checksums: Vec<Checksum>,
}
