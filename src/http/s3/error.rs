//! Every error of this face as S3's XML: the total mapping of the errors of the store and of bodies.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>

use crate::http::limits::BodyError;
use crate::http::trace::{self, HOST_ID, Note, RequestId};
use crate::s3::{BucketName, ErrorCode, ObjectKey, S3Error};
use crate::store::{StageError, StoreError};
use crate::telemetry::with_causes;
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};

const RETRY_AFTER_SECONDS: &str = "2";

/// Makes the response to a refused request, and leaves its note for the log.
pub(crate) fn answer(req: &HttpRequest, operation: &'static str, refusal: S3Error) -> HttpResponse {
    let status =
        StatusCode::from_u16(refusal.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = HttpResponse::build(status);
    answer.content_type("application/xml");
    match refusal.code {
        ErrorCode::ServiceUnavailable => {
            answer.insert_header((header::RETRY_AFTER, RETRY_AFTER_SECONDS));
        }
        ErrorCode::MethodNotAllowed => {
            answer.insert_header((header::ALLOW, "GET, HEAD, PUT, POST, DELETE, OPTIONS"));
        }
        ErrorCode::InvalidRange => {
            let size = refusal
                .extras
                .iter()
                .find(|(name, _)| *name == ACTUAL_OBJECT_SIZE);
            if let Some((_, size)) = size {
                answer.insert_header((header::CONTENT_RANGE, format!("bytes */{size}")));
            }
        }
        _ => {}
    }
    let xml = refusal.to_xml(req.uri().path(), &RequestId::of(req), HOST_ID);
    trace::note(
        req,
        Note {
            operation,
            code: refusal.code.as_str(),
            // Messages name fields, headers and bounds; values that a client sent are in `extras`, which are never
            // logged.
            detail: Some(refusal.log.unwrap_or(refusal.message.into_owned())),
        },
    );
    answer.body(xml)
}

/// The response to a head that is too long.
pub(crate) fn head_too_large(req: &HttpRequest) -> HttpResponse {
    let refusal = S3Error::new(ErrorCode::RequestHeaderSectionTooLarge);
    let mut answer = answer(req, "", refusal);
    *answer.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    answer
}

const ACTUAL_OBJECT_SIZE: &str = "ActualObjectSize";

pub(crate) fn invalid_range(size_bytes: u64, requested: &str) -> S3Error {
    S3Error::new(ErrorCode::InvalidRange)
        .extra("RangeRequested", requested)
        .extra(ACTUAL_OBJECT_SIZE, size_bytes.to_string())
}

pub(crate) fn no_such_bucket(bucket: &BucketName) -> S3Error {
    S3Error::new(ErrorCode::NoSuchBucket).extra("BucketName", bucket.as_str())
}

pub(crate) fn no_such_key(key: &ObjectKey) -> S3Error {
    S3Error::new(ErrorCode::NoSuchKey).extra("Key", key.as_str())
}

pub(crate) fn too_large(limit_bytes: u64, proposed_bytes: u64) -> S3Error {
    S3Error::new(ErrorCode::EntityTooLarge)
        .extra("ProposedSize", proposed_bytes.to_string())
        .extra("MaxSizeAllowed", limit_bytes.to_string())
}

/// `why` goes to the log, never to the client.
pub(crate) fn access_denied(why: impl Into<String>) -> S3Error {
    S3Error::new(ErrorCode::AccessDenied).logged(why)
}

impl From<StoreError> for S3Error {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::NoSuchBucket => ErrorCode::NoSuchBucket,
            StoreError::BucketNotEmpty => ErrorCode::BucketNotEmpty,
            StoreError::NoSuchKey => ErrorCode::NoSuchKey,
            StoreError::NoSuchUpload => ErrorCode::NoSuchUpload,
            StoreError::UploadChanged => ErrorCode::OperationAborted,
            StoreError::TooManyPieces => ErrorCode::InvalidRequest,
            StoreError::PreconditionFailed => ErrorCode::PreconditionFailed,
            StoreError::Full => ErrorCode::InsufficientStorage,
            StoreError::Unavailable(_) => ErrorCode::ServiceUnavailable,
            StoreError::Damaged(_) => ErrorCode::InternalError,
        };
        Self::new(code).logged(with_causes(&error))
    }
}

impl From<StageError> for S3Error {
    fn from(error: StageError) -> Self {
        match error {
            StageError::TooLong { limit_bytes } => Self::new(ErrorCode::EntityTooLarge)
                .extra("MaxSizeAllowed", limit_bytes.to_string()),
            StageError::TooShort {
                actual_bytes,
                min_bytes,
            } => Self::new(ErrorCode::EntityTooSmall)
                .extra("ProposedSize", actual_bytes.to_string())
                .extra("MinSizeAllowed", min_bytes.to_string()),
            StageError::WrongLength { .. } => Self::new(ErrorCode::IncompleteBody),
            StageError::Sha256Mismatch => Self::new(ErrorCode::XAmzContentSHA256Mismatch),
            StageError::Md5Mismatch => Self::new(ErrorCode::BadDigest),
            StageError::ChecksumMismatch(algorithm) => Self::with_message(
                ErrorCode::BadDigest,
                format!(
                    "The {} you specified did not match the calculated checksum.",
                    algorithm
                        .header()
                        .trim_start_matches("x-amz-checksum-")
                        .to_ascii_uppercase()
                ),
            ),
            StageError::Store(error) => error.into(),
        }
    }
}

impl From<BodyError> for S3Error {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooSlow => Self::new(ErrorCode::RequestTimeout)
                .logged("the sender was slower than 1 KiB/s over 30 s"),
            BodyError::Incomplete => Self::new(ErrorCode::IncompleteBody),
            BodyError::Malformed => Self::with_message(
                ErrorCode::InvalidRequest,
                "The transfer encoding of the body is broken.",
            ),
            BodyError::NoRoom => Self::new(ErrorCode::ServiceUnavailable).logged(
                "the memory for bodies is in use, or the body was too slow to keep its part of it: many clients upload at once",
            ),
        }
    }
}
