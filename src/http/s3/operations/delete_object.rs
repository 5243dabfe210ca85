//! Deleting one object, by `DeleteObject` or as one of the list of `DeleteObjects`.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html>

use crate::http::s3::access::Permitted;
use crate::http::s3::error;
use crate::http::s3::exchange::Exchange;
use crate::http::s3::request::precondition;
use crate::s3::conditional::DeleteCondition;
use crate::s3::{ErrorCode, ObjectKey, S3Error};
use crate::store::{Deletion, StoreError};
use actix_web::HttpResponse;

/// How often the object is looked up again because other clients replace it meanwhile.
const MAX_ATTEMPTS: usize = 8;

/// `DeleteObject`: 204, whether there was an object or not, unless a condition was stated.
pub(crate) async fn delete_object(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    key: ObjectKey,
) -> Result<HttpResponse, S3Error> {
    permitted.bucket()?;
    // AWS: evaluates the conditions on time and size in directory buckets only. They are evaluated here for all
    // buckets.
    let condition = DeleteCondition::parse(
        precondition::lines(exchange, "if-match").as_deref(),
        exchange.header("x-amz-if-match-last-modified-time"),
        exchange.header("x-amz-if-match-size"),
        ErrorCode::InvalidArgument,
    )?;
    delete_if(permitted, key, &condition).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Deletes exactly the object for which the condition holds: where another object took its place, the condition is
/// checked on that one.
///
/// # Errors
/// `PreconditionFailed`, or `NoSuchKey` for a condition on a key without an object.
pub(crate) async fn delete_if(
    permitted: &Permitted<'_>,
    key: ObjectKey,
    condition: &DeleteCondition,
) -> Result<(), S3Error> {
    let (store, bucket) = (permitted.store(), &permitted.bucket()?.name);
    if condition.is_none() {
        return Ok(store.delete(bucket.clone(), key).await.map(drop)?);
    }
    for _ in 0..MAX_ATTEMPTS {
        let object = store.object(bucket, &key).await?;
        let object = object.ok_or_else(|| error::no_such_key(&key))?;
        if !condition.holds(&object.etag, object.last_modified, object.size_bytes) {
            return Err(S3Error::new(ErrorCode::PreconditionFailed));
        }
        match store.delete_this(&object).await {
            Ok(Deletion::Deleted) => return Ok(()),
            Ok(Deletion::WasAbsent) => return Err(error::no_such_key(&key)),
            Err(StoreError::PreconditionFailed) => {}
            Err(trouble) => return Err(trouble.into()),
        }
    }
    Err(S3Error::new(ErrorCode::ConditionalRequestConflict))
}
