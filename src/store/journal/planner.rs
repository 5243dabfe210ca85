//! The planner: checks each change that a caller requests, and decides what to record.
//!
//! Changes are checked in their order of arrival, against an index in which no row that they lock is about to change.
//! So a check still holds when the record is applied. A record holds outcomes, and nothing that must be checked again.

use crate::clock::Clock;
use crate::s3::checksum::{CRC_BLOCK_BYTES, Digests};
use crate::s3::conditional::WritePrecondition;
use crate::s3::{BucketName, BucketSetting, ETag, ObjectKey};
use crate::store::bodies::share;
use crate::store::bodies::staging::{Sealed, SealedBody};
use crate::store::content::Content;
use crate::store::effect::Effect;
use crate::store::error::StoreError;
use crate::store::index;
use crate::store::index::view::ReadView;
use crate::store::journal::pinned::PinnedBytes;
use crate::store::journal::state::State;
use crate::store::journal::work::{Check, NewBytes, Refused, Which, Work};
use crate::store::object::Target;
use crate::store::record::{
    BodyHere, BodyPlace, Change, Copied, Draft, INLINE_LIMIT_BYTES, PartCopied, PartPut, Put,
    Unreferenced, UploadCompleted, UploadCreated,
};
use crate::store::upload::{Part, Upload, UploadId};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::oneshot;

/// What the writer does with a change.
pub(in crate::store) enum Plan {
    Record(Box<Draft>, PinnedBytes),
    /// Nothing is to be recorded: the state is already as the caller wants it, or the caller's own check refused.
    Nothing,
}

impl Plan {
    /// Pins the bytes of `source`: the record names them, and the index names them only later.
    fn pinning(self, source: Arc<Content>) -> Self {
        match self {
            Self::Record(draft, _) => Self::Record(draft, PinnedBytes::Source(source)),
            Self::Nothing => Self::Nothing,
        }
    }
}

/// Plans changes.
pub(in crate::store) struct Planner {
    /// The planner only reads the index.
    pub(in crate::store) view: ReadView,
    pub(in crate::store) state: Arc<State>,
    pub(in crate::store) clock: Clock,
}

impl Planner {
    /// The effect that the commit hook adds to a change.
    pub(in crate::store) async fn hook_effect(
        &mut self,
        work: &Work,
    ) -> Result<Option<Effect>, StoreError> {
        match (self.state.hook(), work.new_object()) {
            (Some(hook), Some((bucket, key))) => hook.effect(&mut self.view, bucket, key).await,
            _ => Ok(None),
        }
    }

    /// Plans a change. `hook_effect` is recorded with the object that the change makes.
    pub(in crate::store) async fn plan(
        &mut self,
        work: Work,
        hook_effect: Option<Effect>,
    ) -> Result<Plan, StoreError> {
        if work.brings_bytes() && !self.state.space.admits_bytes() {
            return Err(StoreError::Full);
        }
        match work {
            Work::Put(new) => self.put(*new, hook_effect).await,
            Work::Copy {
                copied,
                source,
                precondition,
                effect,
            } => {
                let effect = effect.or(hook_effect);
                let copy = self.copy(copied, precondition, effect).await?;
                Ok(copy.pinning(source))
            }
            Work::Delete { bucket, key, which } => self.delete(bucket, key, which).await,
            Work::DeleteWith { bucket, key, check } => self.delete_with(bucket, key, check).await,
            Work::SetTags {
                bucket,
                key,
                which,
                tagging,
            } => self.set_tags(bucket, key, &which, tagging).await,
            Work::CreateUpload(created) => self.create_upload(created),
            Work::PutPart {
                upload,
                number,
                sealed,
            } => self.put_part(upload, number, sealed).await,
            Work::CopyPart {
                upload,
                part,
                source,
            } => Ok(self.copy_part(upload, part).await?.pinning(source)),
            Work::CompleteUpload {
                completed,
                seen,
                precondition,
            } => {
                self.complete_upload(completed, seen, precondition, hook_effect)
                    .await
            }
            Work::AbortUpload {
                bucket,
                key,
                upload,
            } => self.abort_upload(bucket, key, upload).await,
            Work::CreateBucket { bucket, settings } => Ok(self.create_bucket(bucket, settings)),
            Work::DeleteBucket(bucket) => self.delete_bucket(bucket).await,
            Work::SetBucket {
                bucket,
                setting,
                document,
            } => self.set_bucket(bucket, setting, document),
            Work::Free { bodies, freed } => self.free(bodies, freed).await,
            Work::Check(check) => match check(&mut self.view).await {
                Ok(Some(effect)) => Ok(self.record(Change::Domain, Some(effect))),
                Ok(None) | Err(Refused) => Ok(Plan::Nothing),
            },
            Work::New(effect) => Ok(self.record(Change::Domain, Some(effect))),
        }
    }

    async fn put(&mut self, new: NewBytes, effect: Option<Effect>) -> Result<Plan, StoreError> {
        let NewBytes {
            target: Target { bucket, key, meta },
            sealed,
            precondition,
        } = new;
        self.require(&bucket, &key, &precondition).await?;
        let etag = sealed.etag();
        let Sealed { digests, body, .. } = sealed;
        let (place, here, blob) = placed(body, &digests);
        let put = Put {
            bucket,
            key,
            etag,
            size_bytes: digests.size_bytes,
            md5: hex::encode(digests.md5),
            block_crcs: index::crcs_to_hex(&digests.block_crcs),
            body: place,
            meta,
        };
        let mut draft = self.draft(Change::Put(Box::new(put)), effect);
        draft.body = here;
        Ok(Plan::Record(Box::new(draft), blob))
    }

    async fn copy(
        &mut self,
        copied: Box<Copied>,
        precondition: WritePrecondition,
        effect: Option<Effect>,
    ) -> Result<Plan, StoreError> {
        self.require(&copied.bucket, &copied.key, &precondition)
            .await?;
        Ok(self.record(Change::Copied(copied), effect))
    }

    async fn delete(
        &mut self,
        bucket: BucketName,
        key: ObjectKey,
        which: Which,
    ) -> Result<Plan, StoreError> {
        self.require_bucket(&bucket)?;
        if !self.is_there(&bucket, &key, &which).await? {
            return Ok(Plan::Nothing);
        }
        Ok(self.record(Change::Delete { bucket, key }, None))
    }

    /// Whether the key has an object.
    ///
    /// # Errors
    /// `PreconditionFailed` if it is not the object that `which` names.
    async fn is_there(
        &mut self,
        bucket: &BucketName,
        key: &ObjectKey,
        which: &Which,
    ) -> Result<bool, StoreError> {
        let Some(current) = index::current(self.view.connection(), bucket, key).await? else {
            return Ok(false);
        };
        match which {
            Which::This { sequence, tagging }
                if current.sequence != *sequence || current.tagging != *tagging =>
            {
                Err(StoreError::PreconditionFailed)
            }
            Which::Current | Which::This { .. } => Ok(true),
        }
    }

    async fn delete_with(
        &mut self,
        bucket: BucketName,
        key: ObjectKey,
        check: Check,
    ) -> Result<Plan, StoreError> {
        let Ok(Some(effect)) = check(&mut self.view).await else {
            return Ok(Plan::Nothing);
        };
        let is_there = self.state.has_bucket(&bucket) && self.etag(&bucket, &key).await?.is_some();
        let change = if is_there {
            Change::Delete { bucket, key }
        } else {
            Change::Domain
        };
        Ok(self.record(change, Some(effect)))
    }

    /// Records that bodies may be freed, if they are still unreferenced and no reader uses them.
    async fn free(
        &mut self,
        mut bodies: Vec<Unreferenced>,
        freed: oneshot::Sender<Vec<Unreferenced>>,
    ) -> Result<Plan, StoreError> {
        if self.state.are_bytes_held() {
            return Ok(Plan::Nothing);
        }
        let in_use = self.state.bodies_in_use();
        let ids: Vec<u64> = bodies.iter().map(|free| free.body).collect();
        let unreferenced = index::still_unreferenced(self.view.connection(), &ids).await?;
        bodies.retain(|free| unreferenced.contains(&free.body) && !in_use.contains(&free.body));
        if bodies.is_empty() {
            return Ok(Plan::Nothing);
        }
        // If the janitor has stopped meanwhile, the next start frees them.
        drop(freed.send(bodies.clone()));
        Ok(self.record(Change::Freed { bodies }, None))
    }

    async fn set_tags(
        &mut self,
        bucket: BucketName,
        key: ObjectKey,
        which: &Which,
        tagging: Option<String>,
    ) -> Result<Plan, StoreError> {
        self.require_bucket(&bucket)?;
        if !self.is_there(&bucket, &key, which).await? {
            return Err(StoreError::NoSuchKey);
        }
        let change = Change::Tagged {
            bucket,
            key,
            tagging,
        };
        Ok(self.record(change, None))
    }

    fn create_upload(&self, created: Box<UploadCreated>) -> Result<Plan, StoreError> {
        self.require_bucket(&created.bucket)?;
        Ok(self.record(Change::UploadCreated(created), None))
    }

    async fn put_part(
        &mut self,
        upload: Upload,
        number: u16,
        sealed: Sealed,
    ) -> Result<Plan, StoreError> {
        self.require_upload(&upload.bucket, &upload.key, &upload.id)
            .await?;
        let etag = sealed.etag();
        let Sealed { digests, body, .. } = sealed;
        let (place, here, blob) = placed(body, &digests);
        let put = PartPut {
            bucket: upload.bucket,
            upload: upload.id,
            number,
            etag,
            size_bytes: digests.size_bytes,
            md5: hex::encode(digests.md5),
            block_crcs: index::crcs_to_hex(&digests.block_crcs),
            body: place,
            checksums: digests.checksums,
        };
        let mut draft = self.draft(Change::PartPut(Box::new(put)), None);
        draft.body = here;
        Ok(Plan::Record(Box::new(draft), blob))
    }

    async fn copy_part(
        &mut self,
        upload: Upload,
        part: Box<PartCopied>,
    ) -> Result<Plan, StoreError> {
        self.require_upload(&upload.bucket, &upload.key, &upload.id)
            .await?;
        Ok(self.record(Change::PartCopied(part), None))
    }

    async fn complete_upload(
        &mut self,
        completed: Box<UploadCompleted>,
        seen: Vec<Part>,
        precondition: WritePrecondition,
        effect: Option<Effect>,
    ) -> Result<Plan, StoreError> {
        let UploadCompleted {
            bucket,
            key,
            upload,
            ..
        } = &*completed;
        self.require_upload(bucket, key, upload).await?;
        self.require(bucket, key, &precondition).await?;
        if !index::are_unchanged(self.view.connection(), upload, &seen).await? {
            return Err(StoreError::UploadChanged);
        }
        Ok(self.record(Change::UploadCompleted(completed), effect))
    }

    async fn abort_upload(
        &mut self,
        bucket: BucketName,
        key: ObjectKey,
        upload: UploadId,
    ) -> Result<Plan, StoreError> {
        self.require_upload(&bucket, &key, &upload).await?;
        let change = Change::UploadAborted { bucket, upload };
        Ok(self.record(change, None))
    }

    fn create_bucket(&self, bucket: BucketName, settings: BTreeMap<BucketSetting, String>) -> Plan {
        if self.state.has_bucket(&bucket) {
            return Plan::Nothing;
        }
        self.record(Change::BucketCreated { bucket, settings }, None)
    }

    async fn delete_bucket(&mut self, bucket: BucketName) -> Result<Plan, StoreError> {
        self.require_bucket(&bucket)?;
        if index::has_objects(self.view.connection(), &bucket).await? {
            return Err(StoreError::BucketNotEmpty);
        }
        Ok(self.record(Change::BucketDeleted { bucket }, None))
    }

    fn set_bucket(
        &self,
        bucket: BucketName,
        setting: BucketSetting,
        document: Option<String>,
    ) -> Result<Plan, StoreError> {
        self.require_bucket(&bucket)?;
        let change = Change::BucketSet {
            bucket,
            setting,
            document,
        };
        Ok(self.record(change, None))
    }

    fn require_bucket(&self, bucket: &BucketName) -> Result<(), StoreError> {
        if self.state.has_bucket(bucket) {
            Ok(())
        } else {
            Err(StoreError::NoSuchBucket)
        }
    }

    /// Requires that the bucket exists, and that the precondition holds for the object that is about to be replaced.
    async fn require(
        &mut self,
        bucket: &BucketName,
        key: &ObjectKey,
        precondition: &WritePrecondition,
    ) -> Result<(), StoreError> {
        self.require_bucket(bucket)?;
        if *precondition == WritePrecondition::None {
            return Ok(());
        }
        let current = self.etag(bucket, key).await?;
        if precondition.holds(current.as_ref()) {
            Ok(())
        } else {
            Err(StoreError::PreconditionFailed)
        }
    }

    async fn require_upload(
        &mut self,
        bucket: &BucketName,
        key: &ObjectKey,
        upload: &UploadId,
    ) -> Result<(), StoreError> {
        self.require_bucket(bucket)?;
        match index::upload(self.view.connection(), bucket, key, upload).await? {
            Some(_) => Ok(()),
            None => Err(StoreError::NoSuchUpload),
        }
    }

    async fn etag(
        &mut self,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> Result<Option<ETag>, StoreError> {
        let current = index::current(self.view.connection(), bucket, key).await?;
        Ok(current.map(|current| current.etag))
    }

    fn draft(&self, change: Change, effect: Option<Effect>) -> Draft {
        Draft::new(self.clock.now(), change, effect)
    }

    fn record(&self, change: Change, effect: Option<Effect>) -> Plan {
        Plan::Record(Box::new(self.draft(change, effect)), PinnedBytes::Nothing)
    }
}

/// The place of a body that its record states, the bytes that the record holds, and the blob that it names.
fn placed(body: SealedBody, digests: &Digests) -> (BodyPlace, BodyHere, PinnedBytes) {
    const { assert!(INLINE_LIMIT_BYTES <= CRC_BLOCK_BYTES) };
    match (body, digests.block_crcs.first()) {
        (SealedBody::Memory { bytes, permits }, Some(crc)) => {
            let here = BodyHere {
                // The permits are held until the bytes are written.
                bytes: share::holding(bytes, permits),
                crc: *crc,
            };
            (BodyPlace::Here, here, PinnedBytes::Nothing)
        }
        (SealedBody::Memory { .. }, None) => {
            (BodyPlace::Empty, BodyHere::default(), PinnedBytes::Nothing)
        }
        (SealedBody::Blob(blob), _) => {
            let id = blob.id();
            (
                BodyPlace::Blob { id },
                BodyHere::default(),
                PinnedBytes::Blob(blob),
            )
        }
    }
}
