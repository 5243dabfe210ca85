//! Multipart uploads, until they are completed or aborted.
//!
//! A part's bytes are a body like any other. Completing an upload is one record, which makes the parts' bodies the
//! extents of an object and moves no bytes. The bodies of replaced parts and of aborted uploads become unreferenced.

use crate::s3::checksum::Wanted;
use crate::s3::conditional::WritePrecondition;
use crate::s3::range::ByteRange;
use crate::s3::{BucketName, ETag, ObjectKey};
use crate::store::bodies::staging::Sealed;
use crate::store::content::{Extent, cut, joined};
use crate::store::door::store::Store;
use crate::store::error::StoreError;
use crate::store::index;
use crate::store::journal::locks::RowLock;
use crate::store::journal::work::Work;
use crate::store::object::{Committed, Object, ObjectMeta};
use crate::store::record::{PartCopied, UploadCompleted, UploadCreated};
use crate::store::upload::{
    Completion, NewUpload, ObjectPart, ObjectParts, Part, PartPage, Upload, UploadId,
    UploadListPage, UploadListRequest,
};
use std::sync::Arc;

/// The most extents of one object: the statement of a record with this many is far below its size limit.
const EXTENTS_LIMIT: usize = 100_000;

impl Store {
    /// # Errors
    /// `NoSuchBucket`, …
    pub async fn create_upload(&self, new: NewUpload) -> Result<Upload, StoreError> {
        let NewUpload {
            bucket,
            key,
            meta,
            checksum,
        } = new;
        let id = UploadId::new(self.vault.clock.now());
        let created = UploadCreated {
            upload: id.clone(),
            bucket: bucket.clone(),
            key: key.clone(),
            meta: meta.clone(),
            checksum,
        };
        let names = RowLock::of_upload(&bucket, &id);
        let work = Work::CreateUpload(Box::new(created));
        let recorded = self.change(names, work).await?;
        Ok(Upload {
            id,
            bucket,
            key,
            initiated_at: recorded.at,
            meta: Arc::new(meta),
            checksum,
        })
    }

    /// An upload in progress.
    ///
    /// # Errors
    /// `NoSuchUpload` if there is no upload with this id for this key.
    pub async fn upload(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        id: &UploadId,
    ) -> Result<Upload, StoreError> {
        let mut connection = self.vault.reads.readers.acquire().await?;
        let upload = index::upload(&mut connection, bucket, key, id).await?;
        upload.ok_or(StoreError::NoSuchUpload)
    }

    /// Makes sealed bytes part `number` (1 to 10,000) of an upload, and replaces an earlier one.
    ///
    /// # Errors
    /// `NoSuchUpload`, …
    pub async fn put_part(
        &self,
        upload: &Upload,
        number: u16,
        sealed: Sealed,
    ) -> Result<Part, StoreError> {
        let names = RowLock::of_part(&upload.bucket, &upload.id, number);
        let (etag, size_bytes) = (sealed.etag(), sealed.size_bytes());
        let checksums = sealed.checksums().to_vec();
        let work = Work::PutPart {
            upload: upload.clone(),
            number,
            sealed,
        };
        let recorded = self.change(names, work).await?;
        let extent = Extent::whole(recorded.sequence, size_bytes);
        Ok(Part {
            number,
            etag,
            size_bytes,
            last_modified: recorded.at,
            checksums,
            sequence: recorded.sequence,
            extents: extent.into_iter().collect(),
        })
    }

    /// Makes a range of an object part `number` of an upload, without moving bytes. The bytes are read for the part's
    /// MD5 and checksum.
    ///
    /// # Errors
    /// `NoSuchUpload`, …
    pub async fn copy_part(
        &self,
        upload: &Upload,
        number: u16,
        source: &Object,
        range: Option<ByteRange>,
    ) -> Result<Part, StoreError> {
        let range = range.unwrap_or_else(|| source.whole());
        let checksums = upload.checksum.iter();
        let wanted = Wanted {
            sha256: false,
            checksums: checksums.map(|checksum| checksum.algorithm).collect(),
        };
        let digests = self.digest(source, Some(range), &wanted).await?;
        let (etag, extents) = (
            ETag::from_md5(digests.md5),
            cut(&source.content.extents, range),
        );
        let copied = PartCopied {
            bucket: upload.bucket.clone(),
            upload: upload.id.clone(),
            number,
            etag: etag.clone(),
            size_bytes: digests.size_bytes,
            extents: extents.clone(),
            checksums: digests.checksums.clone(),
        };
        let names = RowLock::of_part(&upload.bucket, &upload.id, number);
        let work = Work::CopyPart {
            upload: upload.clone(),
            part: Box::new(copied),
            source: source.content.clone(),
        };
        let recorded = self.change(names, work).await?;
        Ok(Part {
            number,
            etag,
            size_bytes: digests.size_bytes,
            last_modified: recorded.at,
            checksums: digests.checksums,
            sequence: recorded.sequence,
            extents,
        })
    }

    /// The parts of an upload with numbers above `after`, in order, at most `max`.
    ///
    /// # Errors
    /// `Unavailable` when the index cannot be queried.
    pub async fn parts(
        &self,
        upload: &Upload,
        after: u16,
        max: u32,
    ) -> Result<PartPage, StoreError> {
        let mut connection = self.vault.reads.readers.acquire().await?;
        let look = max.saturating_add(1);
        let mut parts = index::parts(&mut connection, &upload.id, after, look).await?;
        let most = usize::try_from(max).unwrap_or(usize::MAX);
        let is_truncated = parts.len() > most;
        parts.truncate(most);
        Ok(PartPage {
            parts,
            is_truncated,
        })
    }

    /// Makes the named parts the object of the upload's key, and deletes the upload with its other parts. No byte
    /// moves.
    ///
    /// # Errors
    /// `NoSuchUpload`, `UploadChanged` if one of the parts was replaced since it was read, `PreconditionFailed`,
    /// `TooManyPieces`, …
    pub async fn complete_upload(
        &self,
        upload: &Upload,
        completion: Completion,
        precondition: WritePrecondition,
    ) -> Result<Committed, StoreError> {
        let Completion {
            parts: seen,
            etag,
            checksums,
        } = completion;
        let extents = joined(seen.iter().flat_map(|part| part.extents.iter().copied()));
        if extents.len() > EXTENTS_LIMIT {
            return Err(StoreError::TooManyPieces);
        }
        let parts = seen.iter().map(|part| ObjectPart {
            number: part.number,
            size_bytes: part.size_bytes,
            checksums: part.checksums.clone(),
        });
        let completed = UploadCompleted {
            upload: upload.id.clone(),
            bucket: upload.bucket.clone(),
            key: upload.key.clone(),
            etag: etag.clone(),
            size_bytes: seen.iter().map(|part| part.size_bytes).sum(),
            extents,
            meta: ObjectMeta {
                checksums,
                checksum_type: upload
                    .checksum
                    .map(|checksum| checksum.checksum_type)
                    .unwrap_or_default(),
                ..(*upload.meta).clone()
            },
            parts: ObjectParts {
                upload: Some(upload.id.clone()),
                parts: parts.collect(),
            },
        };
        let mut names = RowLock::of_completion(&upload.bucket, &upload.key, &upload.id);
        names.extend(self.names_of_new(&upload.bucket, &upload.key));
        let work = Work::CompleteUpload {
            completed: Box::new(completed),
            seen,
            precondition,
        };
        let recorded = self.change(names, work).await?;
        Ok(Committed::new(etag, recorded.at, recorded.sequence))
    }

    /// Aborts an upload.
    ///
    /// # Errors
    /// `NoSuchUpload`, …
    pub async fn abort_upload(
        &self,
        bucket: BucketName,
        key: ObjectKey,
        id: UploadId,
    ) -> Result<(), StoreError> {
        let changes = &self.vault.changes;
        changes.abort_upload(bucket, key, id).await
    }

    /// # Errors
    /// `NoSuchBucket`, or `Unavailable` when the index cannot be queried.
    pub async fn list_uploads(
        &self,
        bucket: &BucketName,
        request: &UploadListRequest,
    ) -> Result<UploadListPage, StoreError> {
        self.vault.reads.list_uploads(bucket, request).await
    }

    /// The parts of an object that a multipart upload created (or of a copy of one); `None` for any other object.
    ///
    /// # Errors
    /// `UploadChanged` if the key no longer has this very object, `Unavailable` when the index cannot be queried.
    pub async fn object_parts(&self, object: &Object) -> Result<Option<ObjectParts>, StoreError> {
        let mut connection = self.vault.reads.readers.acquire().await?;
        let parts = index::object_parts(&mut connection, object).await?;
        parts.ok_or(StoreError::UploadChanged)
    }
}
