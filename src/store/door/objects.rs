//! Objects: staging, committing, copying, tagging and deleting them.

use crate::s3::checksum::Wanted;
use crate::s3::conditional::WritePrecondition;
use crate::s3::{BucketName, ObjectKey};
use crate::store::bodies::staging::{Sealed, Staging};
use crate::store::door::store::Store;
use crate::store::effect::Effect;
use crate::store::error::StoreError;
use crate::store::journal::locks::RowLock;
use crate::store::journal::work::{NewBytes, Which, Work};
use crate::store::object::{Committed, Deletion, Object, Target};
use crate::store::record::Copied;

impl Store {
    /// Begins to receive a body of at most `limit_bytes`.
    #[must_use]
    pub fn stage(&self, wanted: &Wanted, limit_bytes: u64) -> Staging {
        Staging::new(
            self.vault.staging_memory.clone(),
            self.vault.blobs.clone(),
            self.vault.state.space.clone(),
            wanted.clone(),
            limit_bytes,
        )
    }

    /// The rows that a new object of a key changes.
    pub(super) fn names_of_new(&self, bucket: &BucketName, key: &ObjectKey) -> Vec<RowLock> {
        let mut names = RowLock::of_object(bucket, key);
        if let Some(hook) = self.vault.state.hook() {
            let rows = hook.rows(bucket, key);
            names.extend(rows.iter().map(|row| RowLock::row(row)));
        }
        names
    }

    /// The only way to give a key new bytes. When it returns `Ok`, they are on disk.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn commit(
        &self,
        target: Target,
        sealed: Sealed,
        precondition: WritePrecondition,
    ) -> Result<Committed, StoreError> {
        let names = self.names_of_new(&target.bucket, &target.key);
        let etag = sealed.etag();
        let new = NewBytes {
            target,
            sealed,
            precondition,
        };
        let recorded = self.change(names, Work::Put(Box::new(new))).await?;
        Ok(Committed::new(etag, recorded.at, recorded.sequence))
    }

    /// Makes the bytes of `source` the object of another key, or of its own key with other metadata, without moving
    /// them. It uses `source` as it was looked up, even if it was replaced or deleted since. The copy has the source's
    /// `ETag` and its parts.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub async fn copy(
        &self,
        source: &Object,
        target: Target,
        precondition: WritePrecondition,
        effect: Option<Effect>,
    ) -> Result<Committed, StoreError> {
        let parts = match self.object_parts(source).await {
            Ok(parts) => parts.map(|parts| parts.of_copy(source, &target.meta)),
            // The source was replaced since: its bytes still exist, but its list of parts is gone.
            Err(StoreError::UploadChanged) => None,
            Err(error) => return Err(error),
        };
        let Target { bucket, key, meta } = target;
        let mut names = self.names_of_new(&bucket, &key);
        names.extend(RowLock::of_effect(effect.as_ref()));
        let copied = Copied {
            bucket,
            key,
            etag: source.etag.clone(),
            size_bytes: source.size_bytes,
            extents: source.content.extents.clone(),
            meta,
            parts,
        };
        let work = Work::Copy {
            copied: Box::new(copied),
            source: source.content.clone(),
            precondition,
            effect,
        };
        let recorded = self.change(names, work).await?;
        Ok(Committed::new(
            source.etag.clone(),
            recorded.at,
            recorded.sequence,
        ))
    }

    /// Deletes the current object of the key.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn delete(&self, bucket: BucketName, key: ObjectKey) -> Result<Deletion, StoreError> {
        self.vault.changes.delete(bucket, key, Which::Current).await
    }

    /// Deletes exactly this object: not an object that replaced it since it was looked up, and not if its tags changed.
    ///
    /// # Errors
    /// `PreconditionFailed` if the key has another object now.
    pub async fn delete_this(&self, object: &Object) -> Result<Deletion, StoreError> {
        self.vault
            .changes
            .delete(
                object.bucket.clone(),
                object.key.clone(),
                Which::as_seen(object),
            )
            .await
    }

    /// Sets (or, with `None`, removes) an object's tags (`k=v&k2=v2`). Nothing else of it changes; it keeps its
    /// sequence.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchKey`, …
    pub async fn set_tags(
        &self,
        bucket: BucketName,
        key: ObjectKey,
        tagging: Option<String>,
    ) -> Result<(), StoreError> {
        self.set_tags_of(bucket, key, Which::Current, tagging).await
    }

    /// As `set_tags`, for exactly this object: not for an object that replaced it, and not if its tags changed.
    ///
    /// # Errors
    /// `PreconditionFailed` if the key has another object now.
    pub async fn set_tags_of_this(
        &self,
        object: &Object,
        tagging: Option<String>,
    ) -> Result<(), StoreError> {
        let this = Which::as_seen(object);
        self.set_tags_of(object.bucket.clone(), object.key.clone(), this, tagging)
            .await
    }

    async fn set_tags_of(
        &self,
        bucket: BucketName,
        key: ObjectKey,
        which: Which,
        tagging: Option<String>,
    ) -> Result<(), StoreError> {
        let names = RowLock::of_object(&bucket, &key);
        let work = Work::SetTags {
            bucket,
            key,
            which,
            tagging,
        };
        self.ask(names, work).await.map(drop)
    }
}
