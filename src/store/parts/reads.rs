//! What reads need: connections to the index, the cache of objects' rows, and the reader of bodies.

use crate::cache::VersionedCache;
use crate::clock::Timestamp;
use crate::db::Readers;
use crate::s3::{BucketName, ObjectKey};
use crate::store::bodies::kept::KeptBodies;
use crate::store::bodies::read::{BodyReader, ReadMemory};
use crate::store::error::StoreError;
use crate::store::folder::Places;
use crate::store::index::{self, listing, upload_listing};
use crate::store::journal::state::State;
use crate::store::object::Object;
use crate::store::record::segments::OpenSegments;
use crate::store::upload::{Upload, UploadListPage, UploadListRequest};
use std::sync::Arc;

/// The limit of the cache of objects' rows, and the usual size of one row.
const HOT_ROWS_BYTES: usize = 16 << 20;
const HOT_ROW_BYTES: usize = 1024;

/// What reads need.
pub(in crate::store) struct Reads {
    pub(in crate::store) readers: Readers,
    /// A cache of objects' rows.
    pub(in crate::store) objects: Arc<VersionedCache<(BucketName, ObjectKey), Object>>,
    pub(in crate::store) bodies: Arc<BodyReader>,
    state: Arc<State>,
}

impl Reads {
    pub(in crate::store) fn of(readers: Readers, places: Places, state: Arc<State>) -> Self {
        let bodies = BodyReader {
            places,
            segments: OpenSegments::default(),
            memory: ReadMemory::default(),
            kept: KeptBodies::new(&state.caches),
        };
        let objects = state
            .caches
            .cache(HOT_ROWS_BYTES, HOT_ROW_BYTES, Object::weight_bytes);
        Self {
            readers,
            objects,
            bodies: Arc::new(bodies),
            state,
        }
    }

    fn require_bucket(&self, bucket: &BucketName) -> Result<(), StoreError> {
        if self.state.has_bucket(bucket) {
            Ok(())
        } else {
            Err(StoreError::NoSuchBucket)
        }
    }

    /// A page of whole objects: in order of their keys, those that begin with `prefix` and come after `after`, at most
    /// `max`. A page that is not full is the last.
    ///
    /// # Errors
    /// `NoSuchBucket`, or `Unavailable` when the index cannot be queried.
    pub(in crate::store) async fn sweep_page(
        &self,
        bucket: &BucketName,
        after: Option<&str>,
        prefix: &str,
        max: u32,
    ) -> Result<Vec<Object>, StoreError> {
        self.require_bucket(bucket)?;
        let after = after.filter(|after| *after >= prefix);
        let from = (after.unwrap_or(prefix), after);
        let end = listing::successor(prefix);
        let mut connection = self.readers.acquire().await?;
        Ok(index::objects(&mut connection, bucket, from, end.as_deref(), max).await?)
    }

    /// # Errors
    /// `NoSuchBucket`, or `Unavailable` when the index cannot be queried.
    pub(in crate::store) async fn list_uploads(
        &self,
        bucket: &BucketName,
        request: &UploadListRequest,
    ) -> Result<UploadListPage, StoreError> {
        self.require_bucket(bucket)?;
        let mut connection = self.readers.acquire().await?;
        Ok(upload_listing::list(&mut connection, bucket, request).await?)
    }

    /// The oldest uploads in progress that began before a time, at most `max`.
    ///
    /// # Errors
    /// `Unavailable` when the index cannot be queried.
    pub(in crate::store) async fn uploads_before(
        &self,
        initiated_before: Timestamp,
        max: u32,
    ) -> Result<Vec<Upload>, StoreError> {
        let mut connection = self.readers.acquire().await?;
        Ok(index::uploads_before(&mut connection, initiated_before, max).await?)
    }
}
