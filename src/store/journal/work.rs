//! What callers ask of the writer.
use crate::s3::conditional::WritePrecondition;
use crate::s3::{BucketName, BucketSetting, ObjectKey};
use crate::store::bodies::staging::Sealed;
use crate::store::content::Content;
use crate::store::effect::Effect;
use crate::store::object::{Object, Target};
use crate::store::record::{Copied, PartCopied, Unreferenced, UploadCompleted, UploadCreated};
use crate::store::upload::{Part, Upload, UploadId};
use futures_util::future::BoxFuture;
use sqlx::SqliteConnection;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Looks at rows and says what to record, keeping the caller's answer for itself; `Err`: it refused.
pub(in crate::store) type Check = Box<
    dyn for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<Option<Effect>, Refused>>
        + Send,
>;

/// The judge has told its caller why.
pub(in crate::store) struct Refused;

pub(in crate::store) enum Work {
    Put(Box<NewBytes>),
    Copy {
        copied: Box<Copied>,
        source: Arc<Content>,
        precondition: WritePrecondition,
        effect: Option<Effect>,
    },
    Delete {
        bucket: BucketName,
        key: ObjectKey,
        which: Which,
    },
    /// An object goes together with a row of another module, where that module's judge says so.
    DeleteWith {
        bucket: BucketName,
        key: ObjectKey,
        check: Check,
    },
    SetTags {
        bucket: BucketName,
        key: ObjectKey,
        which: Which,
        tagging: Option<String>,
    },
    CreateUpload(Box<UploadCreated>),
    PutPart {
        upload: Upload,
        number: u16,
        sealed: Sealed,
    },
    CopyPart {
        upload: Upload,
        part: Box<PartCopied>,
        source: Arc<Content>,
    },
    CompleteUpload {
        completed: Box<UploadCompleted>,
        /// The parts as they were when they were looked up.
        seen: Vec<Part>,
        precondition: WritePrecondition,
        effect: Option<Effect>,
    },
    AbortUpload {
        bucket: BucketName,
        key: ObjectKey,
        upload: UploadId,
    },
    CreateBucket {
        bucket: BucketName,
        settings: BTreeMap<BucketSetting, String>,
    },
    DeleteBucket(BucketName),
    SetBucket {
        bucket: BucketName,
        setting: BucketSetting,
        document: Option<String>,
    },
    /// Bodies that nothing named when they were looked at.
    Free {
        bodies: Vec<Unreferenced>,
        /// Gets those that are named in the record.
        freed: oneshot::Sender<Vec<Unreferenced>>,
    },
    Check(Check),
    /// Needs no judging: a new row under a new id.
    New(Effect),
}

impl Work {
    /// What it takes of memory until it is written, about, bytes.
    pub(in crate::store) fn memory_bytes(&self) -> usize {
        /// Of an extent and of a part in a statement.
        const ROW_BYTES: usize = 100;
        let rows = match self {
            Self::Put(new) => return new.sealed.memory_bytes(),
            Self::PutPart { sealed, .. } => return sealed.memory_bytes(),
            Self::Copy { copied, .. } => copied.rows(),
            Self::CopyPart { part, .. } => part.extents.len(),
            Self::Free { bodies, .. } => bodies.len(),
            Self::CompleteUpload { completed, .. } => completed.rows(),
            _ => 0,
        };
        rows * ROW_BYTES
    }

    /// Whether the disk must have room for what it brings.
    pub(in crate::store) fn brings_bytes(&self) -> bool {
        matches!(
            self,
            Self::Put(_)
                | Self::PutPart { .. }
                | Self::Copy { .. }
                | Self::CopyPart { .. }
                | Self::CreateUpload(_)
        )
    }

    /// The key that gets an object by it, and the effect of its record.
    pub(in crate::store) fn coming(
        &mut self,
    ) -> Option<(&BucketName, &ObjectKey, &mut Option<Effect>)> {
        match self {
            Self::Put(new) => {
                let NewBytes { target, effect, .. } = &mut **new;
                Some((&target.bucket, &target.key, effect))
            }
            Self::Copy { copied, effect, .. } => Some((&copied.bucket, &copied.key, effect)),
            Self::CompleteUpload {
                completed, effect, ..
            } => Some((&completed.bucket, &completed.key, effect)),
            _ => None,
        }
    }
}

/// Sealed bytes for a key.
pub(in crate::store) struct NewBytes {
    pub(in crate::store) target: Target,
    pub(in crate::store) sealed: Sealed,
    pub(in crate::store) precondition: WritePrecondition,
    pub(in crate::store) effect: Option<Effect>,
}

/// Which object of a key is to go, or to get tags.
pub(in crate::store) enum Which {
    /// Whichever is there.
    Current,
    /// One as it was looked up.
    This {
        sequence: u64,
        tagging: Option<String>,
    },
}

impl Which {
    pub(in crate::store) fn as_seen(object: &Object) -> Self {
        Self::This {
            sequence: object.sequence,
            tagging: object.meta.tagging.clone(),
        }
    }
}
