//! An object together with the parts that it was assembled from.

use crate::http::s3::access::Permitted;
use crate::http::s3::error;
use crate::s3::{ErrorCode, ObjectKey, S3Error};
use crate::store::{Object, ObjectParts, StoreError};

/// An object and the parts that it was assembled from, if any, both of the same moment.
///
/// # Errors
/// `NoSuchBucket`, `NoSuchKey`, or `OperationAborted` where the object is replaced at each attempt.
pub(crate) async fn find_with_parts(
    permitted: &Permitted<'_>,
    key: &ObjectKey,
) -> Result<(Object, Option<ObjectParts>), S3Error> {
    const ATTEMPTS: usize = 5;
    let (store, bucket) = (permitted.store(), &permitted.bucket()?.name);
    for _ in 0..ATTEMPTS {
        let object = store
            .object(bucket, key)
            .await?
            .ok_or_else(|| error::no_such_key(key))?;
        match store.object_parts(&object).await {
            Err(StoreError::UploadChanged) => {}
            parts => return Ok((object, parts?)),
        }
    }
    Err(ErrorCode::OperationAborted.into())
}
