//! Helpers for the responses of several operations.

use crate::s3::checksum::Checksum;
use crate::s3::lifecycle::Subject;
use crate::store::Bucket;
use actix_web::http::header::HeaderName;
use actix_web::{HttpResponse, HttpResponseBuilder};

pub(crate) fn xml_answer(text: String) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/xml")
        .body(text)
}

/// Adds checksums as headers.
pub(crate) fn state_checksums(answer: &mut HttpResponseBuilder, checksums: &[Checksum]) {
    for checksum in checksums {
        answer.insert_header((checksum.algorithm.header(), checksum.value.as_str()));
    }
}

/// `x-amz-expiration` of an object, where the bucket's lifecycle expires it.
pub(crate) fn expiration(bucket: &Bucket, object: &Subject<'_>) -> Option<(HeaderName, String)> {
    let expiry = bucket.lifecycle()?.expiry(object)?;
    Some((HeaderName::from_static("x-amz-expiration"), expiry.header()))
}
