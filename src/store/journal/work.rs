//! The changes that callers can request from the writer.
use crate::s3::conditional::WritePrecondition;
use crate::s3::{BucketName, BucketSetting, ObjectKey};
use crate::store::bodies::staging::Sealed;
use crate::store::content::Content;
use crate::store::effect::Effect;
use crate::store::index::view::ReadView;
use crate::store::object::{Object, Target};
use crate::store::record::{Copied, PartCopied, Unreferenced, UploadCompleted, UploadCreated};
use crate::store::upload::{Part, Upload, UploadId};
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Reads rows, decides which effect to record, and stores the result for the caller; `Err`: the check refused the change.
pub(in crate::store) type Check = Box<
    dyn for<'v> FnOnce(&'v mut ReadView) -> BoxFuture<'v, Result<Option<Effect>, Refused>> + Send,
>;

/// The check refused the change, and has stored the reason for its caller.
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
    /// Deletes an object together with a row of another module, if that module's check returns an effect.
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
        /// The parts as the caller looked them up.
        seen: Vec<Part>,
        precondition: WritePrecondition,
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
    /// Deletes bodies that were unreferenced when the janitor looked.
    Free {
        bodies: Vec<Unreferenced>,
        /// Gets the bodies that the record lists.
        freed: oneshot::Sender<Vec<Unreferenced>>,
    },
    Check(Check),
    /// A new row under a new id, which needs no check.
    New(Effect),
}

impl Work {
    /// About how many bytes of memory the change takes until it is written.
    pub(in crate::store) fn memory_bytes(&self) -> usize {
        /// About what an extent or a part takes in a statement.
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

    /// Whether the change adds data, for which the disk must have room.
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

    /// The key that gets an object by this change, so that the commit hook may add an effect; `None`: the hook does not
    /// run. Work with an effect of its own makes a new row, which no hook knows.
    pub(in crate::store) fn new_object(&self) -> Option<(&BucketName, &ObjectKey)> {
        match self {
            Self::Put(new) => Some((&new.target.bucket, &new.target.key)),
            Self::Copy {
                copied,
                effect: None,
                ..
            } => Some((&copied.bucket, &copied.key)),
            Self::CompleteUpload { completed, .. } => Some((&completed.bucket, &completed.key)),
            _ => None,
        }
    }
}

/// Sealed bytes for a key.
pub(in crate::store) struct NewBytes {
    pub(in crate::store) target: Target,
    pub(in crate::store) sealed: Sealed,
    pub(in crate::store) precondition: WritePrecondition,
}

/// Which object of a key is to be deleted, or to get tags.
pub(in crate::store) enum Which {
    /// Whichever object the key has.
    Current,
    /// Only the object that the caller looked up, with the tags that it had then.
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
