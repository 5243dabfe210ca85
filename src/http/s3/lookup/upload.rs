//! The multipart upload under way that a request names: found by its id, its bucket and its key together, or not at all.

use crate::http::s3::access::Permitted;
use crate::http::s3::exchange::Exchange;
use crate::s3::{ErrorCode, ObjectKey, S3Error};
use crate::store::{StoreError, Upload, UploadId};

pub(crate) fn no_such_upload(exchange: &Exchange<'_>) -> S3Error {
    let sent: String = exchange
        .parameter("uploadId")
        .unwrap_or_default()
        .chars()
        .take(256)
        .collect();
    S3Error::new(ErrorCode::NoSuchUpload).extra("UploadId", sent)
}

pub(crate) fn about_upload(exchange: &Exchange<'_>, refusal: StoreError) -> S3Error {
    match refusal {
        StoreError::NoSuchUpload => no_such_upload(exchange),
        other => other.into(),
    }
}

pub(crate) fn requested_upload_id(exchange: &Exchange<'_>) -> Result<UploadId, S3Error> {
    UploadId::parse(exchange.parameter("uploadId").unwrap_or_default())
        .ok_or_else(|| no_such_upload(exchange))
}

/// The upload under way that the request names.
pub(crate) async fn find_upload(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    key: &ObjectKey,
) -> Result<Upload, S3Error> {
    let bucket = &permitted.bucket()?.name;
    let id = requested_upload_id(exchange)?;
    let store = permitted.store();
    store
        .upload(bucket, key, &id)
        .await
        .map_err(|refusal| about_upload(exchange, refusal))
}
