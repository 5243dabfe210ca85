//! Error responses for requests that cannot be parsed: S3's XML with an id, in place of a bare status.
//!
//! actix itself answers a head that it cannot read, that is too large or that does not arrive in time. No handler sees
//! these requests.

use crate::http::trace::refused_unparsed;
use crate::http::trace::{HOST_ID, RequestId};
use crate::s3::{ErrorCode, S3Error};
use bytes::Bytes;

/// A response without a request, ready to be sent. The connection is closed after it.
fn refusal(status: &str, refusal: &S3Error) -> Bytes {
    let id = RequestId::new();
    refused_unparsed(&id, status, refusal);
    let id = id.as_str();
    let xml = refusal.to_xml("", id, HOST_ID);
    let length = xml.len();
    let retry = match refusal.code {
        ErrorCode::ServiceUnavailable => "retry-after: 5\r\n",
        _ => "",
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\nserver: hangar\r\nx-amz-request-id: {id}\r\nx-amz-id-2: {HOST_ID}\r\n\
         x-content-type-options: nosniff\r\ncontent-type: application/xml\r\ncontent-length: {length}\r\n\
         {retry}connection: close\r\n\r\n{xml}"
    );
    Bytes::from(answer)
}

/// The response to send in place of `answer`, where that is actix's error response without a body.
pub(super) fn full_response(answer: &[u8]) -> Option<Bytes> {
    let head = answer.strip_prefix(b"HTTP/1.1 ")?;
    let end = head.windows(2).position(|two| two == b"\r\n")?;
    let status = std::str::from_utf8(&head[..end]).ok()?;
    let error = match status.get(..3)? {
        "400" => S3Error::with_message(
            ErrorCode::BadRequest,
            "An error occurred when parsing the HTTP request.",
        ),
        "408" => S3Error::with_message(
            ErrorCode::RequestTimeout,
            "The head of the request did not arrive in time.",
        ),
        "431" => S3Error::new(ErrorCode::RequestHeaderSectionTooLarge),
        _ => return None,
    };
    Some(refusal(status, &error))
}

/// The response to a head that is too large.
pub(super) fn head_too_large() -> Bytes {
    refusal(
        "431 Request Header Fields Too Large",
        &S3Error::new(ErrorCode::RequestHeaderSectionTooLarge),
    )
}

/// The response to a head for which no memory is left.
pub(super) fn no_room() -> Bytes {
    refusal(
        "503 Service Unavailable",
        &S3Error::new(ErrorCode::ServiceUnavailable),
    )
}

/// The response to plain HTTP on a port for TLS.
pub(super) fn not_tls() -> Bytes {
    refusal(
        "400 Bad Request",
        &S3Error::with_message(
            ErrorCode::BadRequest,
            "Client sent an HTTP request to an HTTPS server.",
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_refusal_gets_a_code_and_an_id_and_keeps_its_status() {
        let bare = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let full = String::from_utf8(full_response(bare).unwrap().to_vec()).unwrap();
        assert!(full.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{full}");
        let (head, xml) = full.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", xml.len())));
        assert!(xml.contains("<Code>BadRequest</Code>"), "{xml}");
    }

    #[test]
    fn other_answers_are_left_alone() {
        for other in [
            &b"HTTP/1.1 200 OK\r\n\r\n"[..],
            b"HTTP/1.1 4",
            b"<html>",
            b"HTTP/1.1 \xff\r\n",
            b"",
        ] {
            assert!(full_response(other).is_none());
        }
    }
}
