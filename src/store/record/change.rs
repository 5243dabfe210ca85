//! The content of a record: a change of the store, as the record's statement holds it.

use crate::s3::checksum::Checksum;
use crate::s3::{BucketName, BucketSetting, ETag, ObjectKey};
use crate::store::content::{BlobId, Extent, Place};
use crate::store::object::ObjectMeta;
use crate::store::upload::{ObjectParts, UploadChecksum, UploadId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a record changes in the store itself. A kind never changes its meaning; new meanings are new kinds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::store) enum Change {
    /// The first record of every log.
    Begun {
        hangar: String,
    },
    Put(Box<Put>),
    Delete {
        bucket: BucketName,
        key: ObjectKey,
    },
    /// A key gets an object that is made of bytes already stored.
    Copied(Box<Copied>),
    /// An object gets other tags, or none; nothing else of it changes.
    Tagged {
        bucket: BucketName,
        key: ObjectKey,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tagging: Option<String>,
    },
    UploadCreated(Box<UploadCreated>),
    PartPut(Box<PartPut>),
    PartCopied(Box<PartCopied>),
    /// A part whose bytes are missing in a copy of the folder.
    PartLost {
        bucket: BucketName,
        upload: UploadId,
        number: u16,
    },
    /// Parts of an upload become an object. The upload and its other parts are deleted.
    UploadCompleted(Box<UploadCompleted>),
    UploadAborted {
        bucket: BucketName,
        upload: UploadId,
    },
    BucketCreated {
        bucket: BucketName,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        settings: BTreeMap<BucketSetting, String>,
    },
    /// A bucket is deleted, with its uploads and its settings.
    BucketDeleted {
        bucket: BucketName,
    },
    BucketSet {
        bucket: BucketName,
        setting: BucketSetting,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        document: Option<String>,
    },
    /// Unreferenced bodies: from this record on their bytes may be gone from the disk.
    Freed {
        bodies: Vec<Unreferenced>,
    },
    /// Nothing of the store changes: the record has only an effect.
    Domain,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::store) struct Put {
    pub(in crate::store) bucket: BucketName,
    pub(in crate::store) key: ObjectKey,
    pub(in crate::store) etag: ETag,
    #[serde(rename = "size")]
    pub(in crate::store) size_bytes: u64,
    /// Hex
    pub(in crate::store) md5: String,
    /// CRC64-NVME of each MiB, 16 hex digits each
    pub(in crate::store) block_crcs: String,
    pub(in crate::store) body: BodyPlace,
    pub(in crate::store) meta: ObjectMeta,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::store) struct Copied {
    pub(in crate::store) bucket: BucketName,
    pub(in crate::store) key: ObjectKey,
    pub(in crate::store) etag: ETag,
    #[serde(rename = "size")]
    pub(in crate::store) size_bytes: u64,
    pub(in crate::store) extents: Vec<Extent>,
    pub(in crate::store) meta: ObjectMeta,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::store) parts: Option<ObjectParts>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::store) struct UploadCreated {
    pub(in crate::store) upload: UploadId,
    pub(in crate::store) bucket: BucketName,
    pub(in crate::store) key: ObjectKey,
    pub(in crate::store) meta: ObjectMeta,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::store) checksum: Option<UploadChecksum>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::store) struct PartPut {
    pub(in crate::store) bucket: BucketName,
    pub(in crate::store) upload: UploadId,
    pub(in crate::store) number: u16,
    pub(in crate::store) etag: ETag,
    #[serde(rename = "size")]
    pub(in crate::store) size_bytes: u64,
    /// Hex
    pub(in crate::store) md5: String,
    /// CRC64-NVME of each MiB, 16 hex digits each
    pub(in crate::store) block_crcs: String,
    pub(in crate::store) body: BodyPlace,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::store) checksums: Vec<Checksum>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::store) struct PartCopied {
    pub(in crate::store) bucket: BucketName,
    pub(in crate::store) upload: UploadId,
    pub(in crate::store) number: u16,
    pub(in crate::store) etag: ETag,
    #[serde(rename = "size")]
    pub(in crate::store) size_bytes: u64,
    pub(in crate::store) extents: Vec<Extent>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::store) checksums: Vec<Checksum>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::store) struct UploadCompleted {
    pub(in crate::store) upload: UploadId,
    pub(in crate::store) bucket: BucketName,
    pub(in crate::store) key: ObjectKey,
    pub(in crate::store) etag: ETag,
    #[serde(rename = "size")]
    pub(in crate::store) size_bytes: u64,
    pub(in crate::store) extents: Vec<Extent>,
    pub(in crate::store) meta: ObjectMeta,
    /// Holds the upload's id once more.
    pub(in crate::store) parts: ObjectParts,
}

/// A body that no object and no part names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct Unreferenced {
    pub(in crate::store) body: u64,
    pub(in crate::store) place: Place,
    #[serde(rename = "size")]
    pub(in crate::store) size_bytes: u64,
}

impl Copied {
    pub(in crate::store) fn rows(&self) -> usize {
        self.extents.len() + self.parts.as_ref().map_or(0, |parts| parts.parts.len())
    }
}

impl UploadCompleted {
    pub(in crate::store) fn rows(&self) -> usize {
        self.extents.len() + self.parts.parts.len()
    }
}

/// Where a record says that its body is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::store) enum BodyPlace {
    /// The body has no bytes.
    Empty,
    /// In the record itself.
    Here,
    Blob {
        id: BlobId,
    },
}

impl Change {
    /// The number of extents, parts or bodies that it lists, which makes some statements a thousand times longer than
    /// others.
    pub(in crate::store) fn rows(&self) -> usize {
        match self {
            Self::Copied(copied) => copied.rows(),
            Self::PartCopied(part) => part.extents.len(),
            Self::UploadCompleted(completed) => completed.rows(),
            Self::Freed { bodies } => bodies.len(),
            _ => 0,
        }
    }

    /// The number in the record's head. 30 and 31 are reserved for adopted and moved objects; 33 was never written.
    pub(in crate::store::record) fn kind(&self) -> u16 {
        match self {
            Self::Begun { .. } => 1,
            Self::Put(_) => 10,
            Self::Copied(_) => 11,
            Self::Delete { .. } => 12,
            Self::Tagged { .. } => 13,
            Self::UploadCreated(_) => 20,
            Self::PartPut(_) => 21,
            Self::UploadCompleted(_) => 22,
            Self::UploadAborted { .. } => 23,
            Self::PartCopied(_) => 24,
            Self::PartLost { .. } => 25,
            Self::Freed { .. } => 32,
            Self::BucketCreated { .. } => 40,
            Self::BucketDeleted { .. } => 41,
            Self::BucketSet { .. } => 42,
            Self::Domain => 50,
        }
    }
}
