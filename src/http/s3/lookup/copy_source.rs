//! The object that `x-amz-copy-source` names.

use crate::http::s3::access::Permitted;
use crate::http::s3::error;
use crate::http::s3::exchange::Exchange;
use crate::s3::bucket_policy::Action;
use crate::s3::copy::{self, CopySource};
use crate::s3::{ErrorCode, S3Error};
use crate::store::{Bucket, Object};
use std::borrow::Cow;

/// The source of a copy, as it was read.
pub(crate) struct Source<'a> {
    pub(crate) bucket: Cow<'a, Bucket>,
    pub(crate) object: Object,
}

/// The object that `x-amz-copy-source` names, after the permission to read it and the conditions on it were checked.
///
/// # Errors
/// `AccessDenied` before the response reveals whether anything exists; `NoSuchBucket`, `NoSuchKey`,
/// `PreconditionFailed`.
pub(crate) async fn find_source<'a>(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'a>,
) -> Result<Source<'a>, S3Error> {
    let header = exchange.header(copy::SOURCE).unwrap_or_default();
    let CopySource { bucket, key } = CopySource::parse(header)?;
    let bucket = permitted.require_source(exchange, &bucket, &key).await?;
    let object = match permitted.store().object(&bucket.name, &key).await? {
        Some(object) => object,
        None => find_literal(exchange, permitted, (&bucket, header))
            .await?
            .ok_or_else(|| {
                let refusal = error::no_such_key(&key);
                permitted.hide_missing_key(exchange, &bucket, refusal)
            })?,
    };
    permitted.require_of(exchange, Action::GetObject, (&bucket, &object))?;
    let header = |name| exchange.header(name);
    copy::judge_conditions(header, &object.etag, object.last_modified)?;
    Ok(Source { bucket, object })
}

/// The object that the header names if a plus sign in it is read literally, for clients that do not encode it. No
/// bucket's name has a plus sign, so the object is in the same bucket.
async fn find_literal(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    (bucket, header): (&Bucket, &str),
) -> Result<Option<Object>, S3Error> {
    let Some(CopySource { key, .. }) = CopySource::with_plus_signs(header)? else {
        return Ok(None);
    };
    match permitted.require_read(exchange, bucket, &key).await {
        Ok(()) => Ok(permitted.store().object(&bucket.name, &key).await?),
        Err(refusal) if refusal.code == ErrorCode::AccessDenied => Ok(None),
        Err(refusal) => Err(refusal),
    }
}
