//! Reading objects, and listing them.

use crate::s3::checksum::{Digests, Wanted};
use crate::s3::listing::ListedPage;
use crate::s3::range::ByteRange;
use crate::s3::{BucketName, ETag, ObjectKey};
use crate::store::bodies::kept::SMALL_BYTES;
use crate::store::bodies::read::Reading;
use crate::store::bodies::small::SmallBody;
use crate::store::door::store::Store;
use crate::store::error::StoreError;
use crate::store::index::{self, listing};
use crate::store::object::{self, ListRequest, Object};

impl Store {
    /// The current object of a key.
    ///
    /// # Errors
    /// `Unavailable` when the index cannot be queried.
    pub async fn object(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> Result<Option<Object>, StoreError> {
        let reads = &self.vault.reads;
        if let Some(object) = reads.objects.get(&object::At(bucket, key)) {
            return Ok(Some(object));
        }
        let stamp = self.stamp_of_object(bucket, key);
        let mut connection = reads.readers.acquire().await?;
        let object = index::object(&mut connection, bucket, key).await?;
        if let Some(object) = &object {
            self.vault.state.use_content(&object.content);
            let at = (bucket.clone(), key.clone());
            reads.objects.keep(at, stamp, object.clone());
        }
        Ok(object)
    }

    /// Reads a range of an object, verified (`None`: the whole object).
    ///
    /// # Errors
    /// `Damaged` when the first piece is damaged; the stream reports later damage.
    pub async fn read(
        &self,
        object: &Object,
        range: Option<ByteRange>,
    ) -> Result<Reading, StoreError> {
        let range = range.unwrap_or_else(|| object.whole());
        let bodies = self.vault.reads.bodies.clone();
        if object.size_bytes <= SMALL_BYTES {
            return bodies.read_small(object, range).await;
        }
        bodies.read(object.content.clone(), range).await
    }

    /// An object's bytes for a response that may be cached; `None` if it is not small.
    #[must_use]
    pub fn small_body(&self, object: &Object) -> Option<SmallBody> {
        SmallBody::of(object, &self.vault.reads.bodies)
    }

    /// Reads a whole object (or a range of it), verified, for digests that were not stored with it.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn digest(
        &self,
        object: &Object,
        range: Option<ByteRange>,
        wanted: &Wanted,
    ) -> Result<Digests, StoreError> {
        let is_whole = range.is_none();
        let range = range.unwrap_or_else(|| object.whole());
        let bodies = self.vault.reads.bodies.clone();
        let digests = (bodies.digest(object.content.clone(), range, wanted)).await?;
        // The `ETag` of a multipart object is not an MD5.
        let is_md5 = !object.etag.as_str().contains('-');
        if is_whole && is_md5 && ETag::from_md5(digests.md5) != object.etag {
            let why = "an object's bytes are not those that its ETag names";
            return Err(StoreError::Damaged(why.into()));
        }
        Ok(digests)
    }

    /// # Errors
    /// `NoSuchBucket`, or `Unavailable` when the index cannot be queried.
    pub async fn list(
        &self,
        bucket: &BucketName,
        request: &ListRequest,
    ) -> Result<ListedPage, StoreError> {
        if !self.vault.state.has_bucket(bucket) {
            return Err(StoreError::NoSuchBucket);
        }
        let mut connection = self.vault.reads.readers.acquire().await?;
        Ok(listing::list(&mut connection, bucket, request).await?)
    }
}
