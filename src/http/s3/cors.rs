//! What a browser's page may do with this face: any origin, without credentials.
//! <https://fetch.spec.whatwg.org/#http-cors-protocol>

use crate::s3::{ErrorCode, S3Error};
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

const METHODS: &str = "GET, HEAD, PUT, POST, DELETE";
/// The wildcard stands for user metadata, whose names nobody can list; browsers take it for requests without credentials.
const EXPOSED: &str = "ETag, Location, Accept-Ranges, Content-Range, Content-Disposition, Content-Encoding, \
     x-amz-request-id, x-amz-id-2, x-amz-checksum-crc32, x-amz-checksum-crc32c, x-amz-checksum-crc64nvme, \
     x-amz-checksum-sha1, x-amz-checksum-sha256, x-amz-checksum-type, x-amz-tagging-count, *";
const MAX_AGE_SECONDS: &str = "86400";

/// Adds what lets a page of another origin read this answer. `Always`: a form's answer, whoever asks.
pub(super) fn allow(req: &HttpRequest, always: bool, headers: &mut HeaderMap) {
    if always || req.headers().contains_key(header::ORIGIN) {
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_ORIGIN,
            HeaderValue::from_static("*"),
        );
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static(EXPOSED),
        );
    }
}

/// `OPTIONS`: may a page send this? It says nothing of what exists.
///
/// # Errors
/// 400 where it is no preflight, 403 for a method that is not allowed.
pub(super) fn preflight(req: &HttpRequest) -> Result<HttpResponse, S3Error> {
    let headers = req.headers();
    if !headers.contains_key(header::ORIGIN) {
        return Err(S3Error::with_message(
            ErrorCode::BadRequest,
            "Insufficient information. Origin request header needed.",
        ));
    }
    let Some(method) = headers.get(header::ACCESS_CONTROL_REQUEST_METHOD) else {
        return Err(S3Error::with_message(
            ErrorCode::BadRequest,
            "Invalid Access-Control-Request-Method: null",
        ));
    };
    if !METHODS
        .split(", ")
        .any(|allowed| allowed.as_bytes() == method.as_bytes())
    {
        return Err(S3Error::with_message(
            ErrorCode::CORSForbidden,
            "CORSResponse: This CORS request is not allowed: its method is none of GET, HEAD, PUT, POST, DELETE.",
        ));
    }
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, METHODS));
    answer.insert_header((header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS));
    answer.insert_header((
        header::VARY,
        "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
    ));
    // Echoed rather than `*`, which would leave out Authorization.
    if let Some(asked) = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        answer.insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone()));
    }
    let mut answer = answer.finish();
    allow(req, true, answer.headers_mut());
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn shown(answer: &HttpResponse) -> String {
        let mut lines: Vec<String> = answer
            .headers()
            .iter()
            .filter(|(name, _)| **name != header::ACCESS_CONTROL_EXPOSE_HEADERS)
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        lines.sort();
        lines.insert(0, answer.status().to_string());
        lines.join("\n")
    }

    #[test]
    fn a_preflight_of_any_origin_is_allowed_without_credentials() {
        let req = TestRequest::default()
            .insert_header(("origin", "https://plane.example.com"))
            .insert_header(("access-control-request-method", "PUT"))
            .insert_header((
                "access-control-request-headers",
                "authorization,content-type",
            ))
            .to_http_request();
        insta::assert_snapshot!(shown(&preflight(&req).unwrap()), @r"
        200 OK
        access-control-allow-headers: authorization,content-type
        access-control-allow-methods: GET, HEAD, PUT, POST, DELETE
        access-control-allow-origin: *
        access-control-max-age: 86400
        vary: Origin, Access-Control-Request-Headers, Access-Control-Request-Method
        ");
    }

    #[test]
    fn options_without_origin_or_method_is_no_preflight() {
        let bare = TestRequest::default().to_http_request();
        assert_eq!(preflight(&bare).unwrap_err().code, ErrorCode::BadRequest);
        let origin = TestRequest::default()
            .insert_header(("origin", "https://plane.example.com"))
            .to_http_request();
        assert_eq!(preflight(&origin).unwrap_err().code, ErrorCode::BadRequest);
    }

    #[test]
    fn a_preflight_for_another_method_is_refused() {
        let req = TestRequest::default()
            .insert_header(("origin", "https://plane.example.com"))
            .insert_header(("access-control-request-method", "PATCH"))
            .to_http_request();
        assert_eq!(preflight(&req).unwrap_err().code, ErrorCode::CORSForbidden);
    }

    #[test]
    fn an_answer_is_open_to_any_origin_and_never_with_credentials() {
        let req = TestRequest::default()
            .insert_header(("origin", "https://plane.example.com"))
            .to_http_request();
        let mut answer = HttpResponse::Forbidden().finish();
        allow(&req, false, answer.headers_mut());
        insta::assert_snapshot!(shown(&answer), @r"
        403 Forbidden
        access-control-allow-origin: *
        ");
    }
}
