//! The preconditions of a write: the condition of the headers on the existing object, and the refusal where it does not
//! hold.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>

use crate::http::s3::access::Permitted;
use crate::http::s3::error;
use crate::http::s3::exchange::Exchange;
use crate::s3::conditional::WritePrecondition;
use crate::s3::{ObjectKey, S3Error};
use crate::store::StoreError;

/// # Errors
/// `NotImplemented` for a form that no write supports.
pub(crate) fn parse(exchange: &Exchange<'_>) -> Result<WritePrecondition, S3Error> {
    WritePrecondition::parse(
        lines(exchange, "if-match").as_deref(),
        lines(exchange, "if-none-match").as_deref(),
    )
}

/// The whole value of a header: several lines are one list (RFC 9110, 5.3).
pub(crate) fn lines(exchange: &Exchange<'_>, name: &str) -> Option<String> {
    let lines = exchange.headers.iter().filter(|(sent, _)| sent == name);
    let values: Vec<&str> = lines.map(|(_, value)| value.as_str()).collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// The refusal of a write. AWS: `If-Match` on a key without an object is a 404.
pub(crate) async fn explain(
    permitted: &Permitted<'_>,
    key: &ObjectKey,
    precondition: &WritePrecondition,
    refusal: StoreError,
) -> S3Error {
    if !matches!(refusal, StoreError::PreconditionFailed) || !precondition.wants_object() {
        return refusal.into();
    }
    let bucket = match permitted.bucket() {
        Ok(bucket) => &bucket.name,
        Err(refusal) => return refusal,
    };
    match permitted.store().object(bucket, key).await {
        Ok(None) => error::no_such_key(key),
        Ok(Some(_)) => refusal.into(),
        Err(trouble) => trouble.into(),
    }
}
