//! What the answers of several operations have in common.

use crate::s3::checksum::Checksum;
use actix_web::{HttpResponse, HttpResponseBuilder};

pub(crate) fn xml_answer(text: String) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/xml")
        .body(text)
}

/// Checksums as headers.
pub(crate) fn state_checksums(answer: &mut HttpResponseBuilder, checksums: &[Checksum]) {
    for checksum in checksums {
        answer.insert_header((checksum.algorithm.header(), checksum.value.as_str()));
    }
}
