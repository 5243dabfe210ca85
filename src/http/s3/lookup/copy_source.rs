//! The object that `x-amz-copy-source` names.

use crate::http::s3::access::Permitted;
use crate::http::s3::error;
use crate::http::s3::exchange::Exchange;
use crate::s3::bucket_policy::Action;
use crate::s3::copy::{self, CopySource};
use crate::s3::{ErrorCode, S3Error};
use crate::store::Object;

/// The object that `x-amz-copy-source` names, once its reader and the conditions on it were judged.
///
/// # Errors
/// `AccessDenied` before anything is said of what there is; `NoSuchBucket`, `NoSuchKey`, `PreconditionFailed`.
pub(crate) async fn find_source(
    exchange: &Exchange<'_>,
    permitted: &Permitted,
) -> Result<Object, S3Error> {
    let store = &exchange.state.store;
    let header = exchange.header(copy::SOURCE).unwrap_or_default();
    let source = CopySource::parse(header)?;
    permitted
        .require_read(exchange, &source.bucket, &source.key)
        .await?;
    if store.bucket(&source.bucket).is_none() {
        return Err(error::no_such_bucket(&source.bucket));
    }
    let object = match store.object(&source.bucket, &source.key).await? {
        Some(object) => object,
        None => find_literal(exchange, permitted, header)
            .await?
            .ok_or_else(|| {
                let refusal = error::no_such_key(&source.key);
                permitted.tell(exchange, Some(&source.bucket), refusal)
            })?,
    };
    permitted.require_of(exchange, Action::GetObject, &object)?;
    let header = |name| exchange.header(name);
    copy::judge_conditions(header, &object.etag, object.last_modified)?;
    Ok(object)
}

/// The object that the header names where a plus sign in it is one, for clients that do not encode it.
async fn find_literal(
    exchange: &Exchange<'_>,
    permitted: &Permitted,
    header: &str,
) -> Result<Option<Object>, S3Error> {
    let Some(CopySource { bucket, key }) = CopySource::with_plus_signs(header)? else {
        return Ok(None);
    };
    match permitted.require_read(exchange, &bucket, &key).await {
        Ok(()) => Ok(exchange.state.store.object(&bucket, &key).await?),
        Err(refusal) if refusal.code == ErrorCode::AccessDenied => Ok(None),
        Err(refusal) => Err(refusal),
    }
}
