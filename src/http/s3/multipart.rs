//! Multipart uploads: begun, listed and given up; their parts are in `parts`, their end in `complete`.
//!
//! Guarantees: an upload is found by its id, its bucket and its key together, or not at all.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>

mod complete;
mod parts;

pub(super) use complete::complete;
pub(super) use parts::{list_parts, upload_part, upload_part_copy};

use super::access::Permitted;
use super::bucket::xml_answer;
use super::{Exchange, error, metadata};
use crate::s3::checksum::{ChecksumAlgorithm, ChecksumType};
use crate::s3::multipart::{self, InitiatedUpload, ListedUpload, ListedUploads, UnderWay};
use crate::s3::{BucketName, ErrorCode, ObjectKey, S3Error, time};
use crate::store::{
    NewUpload, StoreError, Upload, UploadChecksum, UploadId, UploadListPage, UploadListRequest,
};
use actix_web::HttpResponse;
use actix_web::http::header::{HeaderName, HeaderValue};

const INITIATED_TIME: &str = "x-amz-if-match-initiated-time";

pub(super) async fn create(
    exchange: &Exchange<'_>,
    _permitted: &Permitted,
    bucket: &BucketName,
    key: &ObjectKey,
) -> Result<HttpResponse, S3Error> {
    let checksum = multipart::parse_upload_checksum(
        exchange.header("x-amz-checksum-algorithm"),
        exchange.header("x-amz-checksum-type"),
    )?;
    let new = NewUpload {
        bucket: bucket.clone(),
        key: key.clone(),
        meta: metadata::object_meta(&exchange.headers)?,
        checksum: checksum.map(|(algorithm, checksum_type)| UploadChecksum {
            algorithm,
            checksum_type,
        }),
    };
    require_bucket(exchange, bucket)?;
    let upload = exchange.state.store.create_upload(new).await?;
    let mut answer = xml_answer(multipart::initiated(&named(&upload)));
    if let Some((algorithm, checksum_type)) = checksum {
        let headers = answer.headers_mut();
        for (name, value) in [
            ("x-amz-checksum-algorithm", algorithm.name()),
            ("x-amz-checksum-type", checksum_type.as_str()),
        ] {
            let name = HeaderName::from_static(name);
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    Ok(answer)
}

pub(super) async fn abort(
    exchange: &Exchange<'_>,
    _permitted: &Permitted,
    bucket: &BucketName,
    key: &ObjectKey,
) -> Result<HttpResponse, S3Error> {
    let upload = find_upload(exchange, bucket, key).await?;
    // AWS: evaluates this condition in directory buckets only. What was asked for is evaluated here.
    if let Some(stated) = exchange.header(INITIATED_TIME) {
        let initiated_at = time::parse_http_date(stated.trim()).ok_or_else(|| {
            S3Error::invalid_argument("The time is not an HTTP date.", INITIATED_TIME, stated)
        })?;
        if initiated_at.as_secs() != upload.initiated_at.as_secs() {
            return Err(ErrorCode::PreconditionFailed.into());
        }
    }
    exchange
        .state
        .store
        .abort_upload(bucket.clone(), key.clone(), upload.id)
        .await
        .map_err(|refusal| about_upload(exchange, refusal))?;
    Ok(HttpResponse::NoContent().finish())
}

pub(super) async fn list_uploads(
    exchange: &Exchange<'_>,
    _permitted: &Permitted,
    bucket: &BucketName,
) -> Result<HttpResponse, S3Error> {
    let query = multipart::UploadsQuery::parse(&exchange.query)?;
    require_bucket(exchange, bucket)?;
    let page = if query.max == 0 {
        UploadListPage::default()
    } else {
        let request = UploadListRequest {
            prefix: query.prefix.clone(),
            delimiter: query.delimiter.clone(),
            after_key: query.key_marker.clone(),
            after_upload: query.upload_id_marker.clone(),
            max: query.max,
        };
        exchange.state.store.list_uploads(bucket, &request).await?
    };
    let uploads: Vec<_> = page
        .uploads
        .iter()
        .map(|upload| ListedUpload {
            key: &upload.key,
            id: upload.id.as_str(),
            initiated_at: upload.initiated_at,
            under_way: under_way(upload),
        })
        .collect();
    let next = page.next.as_ref();
    let page = ListedUploads {
        uploads: &uploads,
        common_prefixes: &page.common_prefixes,
        next: next.map(|(key, id)| (key.as_str(), id.as_str())),
    };
    Ok(xml_answer(multipart::list_uploads(bucket, &query, &page)))
}

fn require_bucket(exchange: &Exchange<'_>, bucket: &BucketName) -> Result<(), S3Error> {
    match exchange.state.store.bucket(bucket) {
        Some(_) => Ok(()),
        None => Err(error::no_such_bucket(bucket)),
    }
}

fn parameter<'a>(exchange: &'a Exchange<'_>, name: &str) -> &'a str {
    metadata::field(&exchange.query, name).unwrap_or_default()
}

fn no_such_upload(exchange: &Exchange<'_>) -> S3Error {
    let sent: String = parameter(exchange, "uploadId").chars().take(256).collect();
    S3Error::new(ErrorCode::NoSuchUpload).extra("UploadId", sent)
}

fn about_upload(exchange: &Exchange<'_>, refusal: StoreError) -> S3Error {
    match refusal {
        StoreError::NoSuchUpload => no_such_upload(exchange),
        other => other.into(),
    }
}

fn asked_id(exchange: &Exchange<'_>) -> Result<UploadId, S3Error> {
    UploadId::parse(parameter(exchange, "uploadId")).ok_or_else(|| no_such_upload(exchange))
}

/// The upload under way that the request names.
async fn find_upload(
    exchange: &Exchange<'_>,
    bucket: &BucketName,
    key: &ObjectKey,
) -> Result<Upload, S3Error> {
    require_bucket(exchange, bucket)?;
    let id = asked_id(exchange)?;
    let store = &exchange.state.store;
    store
        .upload(bucket, key, &id)
        .await
        .map_err(|refusal| about_upload(exchange, refusal))
}

fn named(upload: &Upload) -> InitiatedUpload<'_> {
    InitiatedUpload {
        bucket: &upload.bucket,
        key: &upload.key,
        id: upload.id.as_str(),
    }
}

fn under_way(upload: &Upload) -> UnderWay<'_> {
    UnderWay {
        storage_class: upload.meta.storage_class.as_deref(),
        checksum: begun_with(upload),
    }
}

fn begun_with(upload: &Upload) -> Option<(ChecksumAlgorithm, ChecksumType)> {
    upload
        .checksum
        .map(|checksum| (checksum.algorithm, checksum.checksum_type))
}
