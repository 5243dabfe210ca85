//! The security headers of every answer of the asset API, and CORS. Plane contract, section 2.6.
use crate::http::plane::routes::path::RouteMatch;
use crate::http::plane::routes::table::Access;
use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

const SECURITY_HEADERS: [(HeaderName, HeaderValue); 5] = [
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("same-origin"),
    ),
    (
        header::CROSS_ORIGIN_OPENER_POLICY,
        HeaderValue::from_static("same-origin"),
    ),
    (header::VARY, HeaderValue::from_static("origin")),
];
const PREFLIGHT_HEADERS: [(HeaderName, HeaderValue); 3] = [
    (
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(
            "accept, authorization, content-type, user-agent, x-csrftoken, x-requested-with, X-API-Key",
        ),
    ),
    (
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("DELETE, GET, OPTIONS, PATCH, POST, PUT"),
    ),
    (
        header::ACCESS_CONTROL_MAX_AGE,
        HeaderValue::from_static("86400"),
    ),
];

pub(in crate::http) fn is_preflight(req: &HttpRequest) -> bool {
    req.method() == Method::OPTIONS
        && req
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Adds the headers to an answer. `allowed`: `CORS_ALLOWED_ORIGINS`; an empty list allows every origin.
pub(in crate::http) fn add_headers(
    req: &HttpRequest,
    route_match: &RouteMatch,
    allowed: &[String],
    answer: &mut HeaderMap,
) {
    for (name, value) in SECURITY_HEADERS {
        // A redirect to a presigned URL has a stricter referrer policy of its own.
        if !answer.contains_key(&name) {
            answer.insert(name, value);
        }
    }
    let is_public = matches!(route_match, RouteMatch::Route(route, _) if matches!(route.access, Access::Public));
    let is_allowed = if is_public {
        answer.insert(
            header::ACCESS_CONTROL_ALLOW_ORIGIN,
            HeaderValue::from_static("*"),
        );
        true
    } else {
        allow_origin(req.headers().get(header::ORIGIN), allowed, answer)
    };
    if is_allowed && is_preflight(req) {
        for (name, value) in PREFLIGHT_HEADERS {
            answer.insert(name, value);
        }
    }
}

/// Adds the headers of an allowed origin. Credentials are allowed only for an origin that the administrator listed, never
/// for one that is echoed because the list is empty.
fn allow_origin(origin: Option<&HeaderValue>, allowed: &[String], answer: &mut HeaderMap) -> bool {
    let Some(origin) = origin else {
        return false;
    };
    let is_listed = allowed
        .iter()
        .any(|listed| listed.as_bytes() == origin.as_bytes());
    if !is_listed && !allowed.is_empty() {
        return false;
    }
    answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    if is_listed {
        answer.insert(
            header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
            HeaderValue::from_static("true"),
        );
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::plane::routes::path::find_route;
    use actix_web::test::TestRequest;

    const API: &str = "/api/v1/users/me/";
    const STATIC: &str = "/api/assets/v2/static/3999b15f-7a97-486e-b06b-d08ce45c00c9/";

    /// The CORS headers of an answer, sorted.
    fn cors_headers(request: TestRequest, path: &str, allowed: &[&str]) -> String {
        let req = request.uri(path).to_http_request();
        let allowed: Vec<String> = allowed.iter().map(|origin| (*origin).to_owned()).collect();
        let mut answer = HeaderMap::new();
        add_headers(&req, &find_route(path), &allowed, &mut answer);
        let mut lines: Vec<String> = answer
            .iter()
            .filter(|(name, _)| name.as_str().starts_with("access-control"))
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        lines.sort();
        lines.join("\n")
    }
    fn get(origin: &str) -> TestRequest {
        TestRequest::get().insert_header((header::ORIGIN, origin))
    }
    fn preflight(origin: &str) -> TestRequest {
        get(origin)
            .method(Method::OPTIONS)
            .insert_header((header::ACCESS_CONTROL_REQUEST_METHOD, "POST"))
    }

    #[test]
    fn without_a_list_every_origin_is_echoed_without_credentials() {
        insta::assert_snapshot!(cors_headers(get("https://a.example"), API, &[]), @"access-control-allow-origin: https://a.example");
    }

    #[test]
    fn a_listed_origin_gets_credentials_and_another_one_gets_no_header() {
        let allowed = ["https://a.example"];
        insta::assert_snapshot!(cors_headers(get("https://a.example"), API, &allowed), @r"
        access-control-allow-credentials: true
        access-control-allow-origin: https://a.example
        ");
        assert_eq!(cors_headers(get("https://b.example"), API, &allowed), "");
        assert_eq!(cors_headers(TestRequest::get(), API, &allowed), "");
    }

    #[test]
    fn the_answer_to_a_preflight_lists_headers_methods_and_age() {
        insta::assert_snapshot!(cors_headers(preflight("https://a.example"), API, &["https://a.example"]), @r"
        access-control-allow-credentials: true
        access-control-allow-headers: accept, authorization, content-type, user-agent, x-csrftoken, x-requested-with, X-API-Key
        access-control-allow-methods: DELETE, GET, OPTIONS, PATCH, POST, PUT
        access-control-allow-origin: https://a.example
        access-control-max-age: 86400
        ");
    }

    #[test]
    fn the_static_route_allows_every_origin() {
        let allowed = ["https://a.example"];
        for request in [get("https://b.example"), TestRequest::get()] {
            insta::allow_duplicates! {
                insta::assert_snapshot!(cors_headers(request, STATIC, &allowed), @"access-control-allow-origin: *");
            }
        }
    }

    #[test]
    fn every_answer_has_the_security_headers() {
        let mut answer = HeaderMap::new();
        let req = TestRequest::get().to_http_request();
        add_headers(&req, &RouteMatch::NotFound, &[], &mut answer);
        let mut lines: Vec<String> = answer
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        lines.sort();
        insta::assert_snapshot!(lines.join("\n"), @r"
        cross-origin-opener-policy: same-origin
        referrer-policy: same-origin
        vary: origin
        x-content-type-options: nosniff
        x-frame-options: DENY
        ");
    }
}
