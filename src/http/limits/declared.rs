//! The length and framing of a body, as the head of its request states them.

use actix_web::http::header::{self, HeaderMap};

/// `Content-Length`, in bytes.
pub(crate) fn declared_bytes(headers: &HeaderMap) -> Option<u64> {
    let length = headers.get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

/// Whether the body has a transfer encoding, so that its length is not known before its end.
pub(crate) fn is_chunked(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING)
}
