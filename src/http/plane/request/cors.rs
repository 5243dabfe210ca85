//! Headers that every answer of the asset API carries, and cross-origin rules. Plane contract, section 2.6.
use crate::http::plane::routes::path::Found;
use crate::http::plane::routes::table::Access;
use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

const GENERAL: [(HeaderName, HeaderValue); 5] = [
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
const PREFLIGHT: [(HeaderName, HeaderValue); 3] = [
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

/// Puts them on an answer. `allowed`: `CORS_ALLOWED_ORIGINS`; empty: any.
pub(in crate::http) fn present(
    req: &HttpRequest,
    found: &Found,
    allowed: &[String],
    answer: &mut HeaderMap,
) {
    for (name, value) in GENERAL {
        // A redirect to a presigned URL has a stricter referrer policy of its own.
        if !answer.contains_key(&name) {
            answer.insert(name, value);
        }
    }
    let is_public =
        matches!(found, Found::Route(route, _) if matches!(route.access, Access::Public));
    let granted = if is_public {
        answer.insert(
            header::ACCESS_CONTROL_ALLOW_ORIGIN,
            HeaderValue::from_static("*"),
        );
        true
    } else {
        grant(req.headers().get(header::ORIGIN), allowed, answer)
    };
    if granted && is_preflight(req) {
        for (name, value) in PREFLIGHT {
            answer.insert(name, value);
        }
    }
}

/// Credentials only beside an origin that was named by the administrator, never beside an echoed one.
fn grant(origin: Option<&HeaderValue>, allowed: &[String], answer: &mut HeaderMap) -> bool {
    let Some(origin) = origin else {
        return false;
    };
    let is_named = allowed
        .iter()
        .any(|named| named.as_bytes() == origin.as_bytes());
    if !is_named && !allowed.is_empty() {
        return false;
    }
    answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    if is_named {
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
    use crate::http::plane::routes::path::find;
    use actix_web::test::TestRequest;

    const API: &str = "/api/v1/users/me/";
    const STATIC: &str = "/api/assets/v2/static/3999b15f-7a97-486e-b06b-d08ce45c00c9/";

    /// The cross-origin headers of an answer, sorted.
    fn cross_origin(request: TestRequest, path: &str, allowed: &[&str]) -> String {
        let req = request.uri(path).to_http_request();
        let allowed: Vec<String> = allowed.iter().map(|origin| (*origin).to_owned()).collect();
        let mut answer = HeaderMap::new();
        present(&req, &find(path), &allowed, &mut answer);
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
    fn without_a_list_any_origin_is_echoed_without_credentials() {
        insta::assert_snapshot!(cross_origin(get("https://a.example"), API, &[]), @"access-control-allow-origin: https://a.example");
    }

    #[test]
    fn a_listed_origin_gets_credentials_and_another_nothing() {
        let allowed = ["https://a.example"];
        insta::assert_snapshot!(cross_origin(get("https://a.example"), API, &allowed), @r"
        access-control-allow-credentials: true
        access-control-allow-origin: https://a.example
        ");
        assert_eq!(cross_origin(get("https://b.example"), API, &allowed), "");
        assert_eq!(cross_origin(TestRequest::get(), API, &allowed), "");
    }

    #[test]
    fn a_preflight_is_told_headers_methods_and_age() {
        insta::assert_snapshot!(cross_origin(preflight("https://a.example"), API, &["https://a.example"]), @r"
        access-control-allow-credentials: true
        access-control-allow-headers: accept, authorization, content-type, user-agent, x-csrftoken, x-requested-with, X-API-Key
        access-control-allow-methods: DELETE, GET, OPTIONS, PATCH, POST, PUT
        access-control-allow-origin: https://a.example
        access-control-max-age: 86400
        ");
    }

    #[test]
    fn the_static_route_always_answers_any_origin() {
        let allowed = ["https://a.example"];
        for request in [get("https://b.example"), TestRequest::get()] {
            insta::allow_duplicates! {
                insta::assert_snapshot!(cross_origin(request, STATIC, &allowed), @"access-control-allow-origin: *");
            }
        }
    }

    #[test]
    fn every_answer_carries_the_general_headers() {
        let mut answer = HeaderMap::new();
        let req = TestRequest::get().to_http_request();
        present(&req, &Found::Nothing, &[], &mut answer);
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
