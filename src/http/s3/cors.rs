//! CORS of this face: any origin is allowed, without credentials, until a bucket has rules of its own, which then
//! replace this default entirely.
//! <https://fetch.spec.whatwg.org/#http-cors-protocol>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html>

use crate::http::s3::fields;
use crate::s3::bucket_policy::BucketPolicy;
use crate::s3::cors::{Allowed, CorsRules};
use crate::s3::op::{BucketOperation, Operation};
use crate::s3::signature::{self, RequestHead};
use crate::s3::{ErrorCode, S3Error};
use crate::store::Bucket;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

const METHODS: &str = "GET, HEAD, PUT, POST, DELETE";
/// The wildcard stands for user metadata, which can have any name; browsers honour it for requests without credentials.
const EXPOSED: &str = "ETag, Location, Accept-Ranges, Content-Range, Content-Disposition, Content-Encoding, \
     x-amz-request-id, x-amz-id-2, x-amz-checksum-crc32, x-amz-checksum-crc32c, x-amz-checksum-crc64nvme, \
     x-amz-checksum-sha1, x-amz-checksum-sha256, x-amz-checksum-type, x-amz-tagging-count, *";
const MAX_AGE_SECONDS: &str = "86400";
/// The headers that a response under a bucket's rules depends on.
const VARY: HeaderValue = HeaderValue::from_static(
    "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
);

/// Adds the headers that let a page of another origin read this response; where the bucket has no rules, a form's
/// response gets them even if the request has no `Origin`. A preflight response has its own headers.
pub(crate) fn allow(
    req: &HttpRequest,
    operation: Option<&Operation>,
    bucket: Option<&Bucket>,
    headers: &mut HeaderMap,
) {
    let always = match operation {
        Some(Operation::Preflight(_)) => return,
        Some(Operation::OnBucket(BucketOperation::PostObject, _)) => true,
        _ => false,
    };
    match bucket.and_then(Bucket::cors) {
        Some(rules) => allow_by_rules(req, rules, headers),
        None if !always && bucket.is_some_and(|it| opens_to_addresses(req, it)) => {}
        None => allow_any(req, always, headers),
    }
}

/// Whether only the client's address authorizes the request: a page in a browser at that address must not read the
/// response.
fn opens_to_addresses(req: &HttpRequest, bucket: &Bucket) -> bool {
    let policy = bucket.policy().ok().flatten();
    policy.is_some_and(BucketPolicy::looks_at_addresses) && !is_signed(req)
}

/// Whether the request has a signature of S3. Another `Authorization`, or a single name of a presigned query, is not
/// enough: a page can send both.
fn is_signed(req: &HttpRequest) -> bool {
    let headers = fields::header_fields(req.headers());
    signature::is_stated(&RequestHead {
        method: req.method().as_str(),
        raw_path: req.uri().path(),
        raw_query: req.uri().query().unwrap_or_default(),
        headers: &headers,
    })
}

fn allow_any(req: &HttpRequest, always: bool, headers: &mut HeaderMap) {
    if !always && [Method::GET, Method::HEAD].contains(req.method()) {
        // Otherwise a cache would give a response that was requested without an origin to a page, which then may not
        // read it.
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
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

fn allow_by_rules(req: &HttpRequest, rules: &CorsRules, headers: &mut HeaderMap) {
    headers.append(header::VARY, VARY);
    let Some(origin) = stated(req, &header::ORIGIN) else {
        return;
    };
    let method = stated(req, &header::ACCESS_CONTROL_REQUEST_METHOD);
    let method = method.unwrap_or(req.method().as_str());
    if let Some(allowed) = rules.allow(origin, method, "") {
        state(&allowed, origin, headers);
    }
}

/// A header's value, where it is text.
fn stated<'a>(req: &'a HttpRequest, name: &HeaderName) -> Option<&'a str> {
    req.headers().get(name)?.to_str().ok()
}

/// Never sends `Access-Control-Allow-Credentials`: only a signature authenticates the sender of a request.
fn state(allowed: &Allowed<'_>, origin: &str, headers: &mut HeaderMap) {
    let origin = if allowed.any_origin { "*" } else { origin };
    let lines = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, Some(origin.to_owned())),
        (
            header::ACCESS_CONTROL_ALLOW_METHODS,
            Some(allowed.methods()),
        ),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, allowed.exposed()),
        (
            header::ACCESS_CONTROL_MAX_AGE,
            allowed.max_age_seconds().map(|seconds| seconds.to_string()),
        ),
    ];
    for (name, value) in lines {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(name, value);
        }
    }
}

/// `OPTIONS`: whether a page may send a request. It reveals nothing of what exists beyond the rules of a bucket.
///
/// # Errors
/// 400 where the request is no preflight, 403 where the rules do not allow it.
pub(crate) fn preflight(
    req: &HttpRequest,
    bucket: Option<&Bucket>,
) -> Result<HttpResponse, S3Error> {
    let asked = Preflight::parse(req.headers())?;
    match bucket.and_then(Bucket::cors) {
        Some(rules) => asked.by_rules(rules),
        None => asked.by_default(),
    }
}

struct Preflight<'a> {
    origin: &'a HeaderValue,
    method: &'a HeaderValue,
    headers: Option<&'a HeaderValue>,
}

impl<'a> Preflight<'a> {
    fn parse(headers: &'a HeaderMap) -> Result<Self, S3Error> {
        let origin = headers.get(header::ORIGIN).ok_or_else(|| {
            S3Error::with_message(
                ErrorCode::BadRequest,
                "Insufficient information. Origin request header needed.",
            )
        })?;
        let method = headers
            .get(header::ACCESS_CONTROL_REQUEST_METHOD)
            .ok_or_else(|| {
                S3Error::with_message(
                    ErrorCode::BadRequest,
                    "Invalid Access-Control-Request-Method: null",
                )
            })?;
        Ok(Self {
            origin,
            method,
            headers: headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS),
        })
    }

    fn by_default(&self) -> Result<HttpResponse, S3Error> {
        if !METHODS
            .split(", ")
            .any(|allowed| allowed.as_bytes() == self.method.as_bytes())
        {
            return Err(S3Error::with_message(
                ErrorCode::AccessForbidden,
                "CORSResponse: This CORS request is not allowed: its method is none of GET, HEAD, PUT, POST, DELETE.",
            ));
        }
        let mut answer = HttpResponse::Ok();
        answer.insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, METHODS));
        answer.insert_header((header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS));
        answer.insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"));
        answer.insert_header((header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED));
        Ok(self.finish(answer.finish()))
    }

    fn by_rules(&self, rules: &CorsRules) -> Result<HttpResponse, S3Error> {
        let headers = self.headers.map_or(Ok(""), HeaderValue::to_str);
        let allowed = match (self.origin.to_str(), self.method.to_str(), headers) {
            (Ok(origin), Ok(method), Ok(headers)) => rules
                .allow(origin, method, headers)
                .map(|allowed| (allowed, origin)),
            _ => None,
        };
        let (allowed, origin) = allowed.ok_or_else(not_whitelisted)?;
        let mut answer = HttpResponse::Ok().finish();
        state(&allowed, origin, answer.headers_mut());
        Ok(self.finish(answer))
    }

    /// Echoes the requested headers rather than sending `*`, which would not cover Authorization.
    fn finish(&self, mut answer: HttpResponse) -> HttpResponse {
        let headers = answer.headers_mut();
        headers.insert(header::VARY, VARY);
        if let Some(asked) = self.headers.filter(|asked| !asked.is_empty()) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        }
        answer
    }
}

/// AWS: the text, spelling included.
fn not_whitelisted() -> S3Error {
    S3Error::with_message(
        ErrorCode::AccessForbidden,
        "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, \
         request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by \
         the resource's CORS spec.",
    )
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

    fn asked(req: &HttpRequest) -> Result<HttpResponse, S3Error> {
        Preflight::parse(req.headers())?.by_default()
    }

    fn rules() -> CorsRules {
        CorsRules::parse(
            "<CORSConfiguration><CORSRule><AllowedOrigin>https://*.example.com</AllowedOrigin>\
             <AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT</AllowedMethod><AllowedHeader>x-amz-*</AllowedHeader>\
             <ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule>\
             <CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>HEAD</AllowedMethod></CORSRule></CORSConfiguration>",
        )
        .unwrap()
    }

    #[test]
    fn a_bucket_s_rules_replace_the_default_for_preflights() {
        let of = |origin: &'static str, method: &'static str, headers: &'static str| {
            TestRequest::default()
                .insert_header(("origin", origin))
                .insert_header(("access-control-request-method", method))
                .insert_header(("access-control-request-headers", headers))
                .to_http_request()
        };
        let judged = |req: &HttpRequest| Preflight::parse(req.headers())?.by_rules(&rules());
        let req = of("https://plane.example.com", "PUT", "X-Amz-Date");
        insta::assert_snapshot!(shown(&judged(&req).unwrap()), @r"
        200 OK
        access-control-allow-headers: X-Amz-Date
        access-control-allow-methods: GET, PUT
        access-control-allow-origin: https://plane.example.com
        access-control-max-age: 60
        vary: Origin, Access-Control-Request-Headers, Access-Control-Request-Method
        ");
        let req = of("https://elsewhere.com", "HEAD", "");
        insta::assert_snapshot!(shown(&judged(&req).unwrap()), @r"
        200 OK
        access-control-allow-methods: HEAD
        access-control-allow-origin: *
        vary: Origin, Access-Control-Request-Headers, Access-Control-Request-Method
        ");
        for refused in [
            of("https://plane.example.com", "DELETE", ""),
            of("https://plane.example.com", "PUT", "authorization"),
            of("https://elsewhere.com", "PUT", ""),
        ] {
            assert_eq!(
                judged(&refused).unwrap_err().code,
                ErrorCode::AccessForbidden
            );
        }
    }

    #[test]
    fn a_bucket_s_rules_replace_the_default_for_answers() {
        let answer = |origin: &'static str| {
            let req = TestRequest::default()
                .insert_header(("origin", origin))
                .to_http_request();
            let mut answer = HttpResponse::NotFound().finish();
            allow_by_rules(&req, &rules(), answer.headers_mut());
            shown(&answer)
        };
        insta::assert_snapshot!(answer("https://plane.example.com"), @r"
        404 Not Found
        access-control-allow-methods: GET, PUT
        access-control-allow-origin: https://plane.example.com
        access-control-max-age: 60
        vary: Origin, Access-Control-Request-Headers, Access-Control-Request-Method
        ");
        insta::assert_snapshot!(answer("https://elsewhere.com"), @r"
        404 Not Found
        vary: Origin, Access-Control-Request-Headers, Access-Control-Request-Method
        ");
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
        insta::assert_snapshot!(shown(&asked(&req).unwrap()), @r"
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
        assert_eq!(asked(&bare).unwrap_err().code, ErrorCode::BadRequest);
        let origin = TestRequest::default()
            .insert_header(("origin", "https://plane.example.com"))
            .to_http_request();
        assert_eq!(asked(&origin).unwrap_err().code, ErrorCode::BadRequest);
    }

    #[test]
    fn a_preflight_for_another_method_is_refused() {
        let req = TestRequest::default()
            .insert_header(("origin", "https://plane.example.com"))
            .insert_header(("access-control-request-method", "PATCH"))
            .to_http_request();
        assert_eq!(asked(&req).unwrap_err().code, ErrorCode::AccessForbidden);
    }

    #[test]
    fn an_answer_is_open_to_any_origin_and_never_with_credentials() {
        let req = TestRequest::default()
            .insert_header(("origin", "https://plane.example.com"))
            .to_http_request();
        let mut answer = HttpResponse::Forbidden().finish();
        allow_any(&req, false, answer.headers_mut());
        insta::assert_snapshot!(shown(&answer), @r"
        403 Forbidden
        access-control-allow-origin: *
        vary: Origin
        ");
    }

    #[test]
    fn an_answer_that_depends_on_the_origin_has_a_vary_header() {
        let answer = |method: Method, always| {
            let req = TestRequest::default().method(method).to_http_request();
            let mut answer = HttpResponse::Ok().finish();
            allow_any(&req, always, answer.headers_mut());
            shown(&answer)
        };
        for method in [Method::GET, Method::HEAD] {
            insta::allow_duplicates! {
                insta::assert_snapshot!(answer(method, false), @r"
                200 OK
                vary: Origin
                ");
            }
        }
        insta::assert_snapshot!(answer(Method::PUT, false), @"200 OK");
        insta::assert_snapshot!(answer(Method::POST, true), @r"
        200 OK
        access-control-allow-origin: *
        ");
    }
}
