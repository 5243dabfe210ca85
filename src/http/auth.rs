//! Where a request to the asset API carries its token. Plane contract, section 2.2.
//!
//! It reads headers alone: no cookie, query, body or address ever authenticates.
use actix_web::http::header::{self, HeaderMap};

/// The secret that a request presents; `None`: it presents none. Where the client sends both headers, `X-API-Key`
/// counts.
// Plane: an empty key is no key.
#[must_use]
pub(crate) fn presented_token(headers: &HeaderMap) -> Option<&[u8]> {
    let secret = match headers.get("x-api-key") {
        Some(key) => key.as_bytes(),
        None => bearer(headers.get(header::AUTHORIZATION)?.as_bytes())?,
    }
    .trim_ascii();
    (!secret.is_empty()).then_some(secret)
}

fn bearer(credentials: &[u8]) -> Option<&[u8]> {
    let (scheme, secret) = credentials.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use rstest::rstest;

    #[rstest]
    #[case(&[("X-API-Key", "a")], Some("a"))]
    #[case(&[("x-api-key", "a")], Some("a"))]
    #[case(&[("Authorization", "Bearer b")], Some("b"))]
    #[case(&[("Authorization", "bearer  b")], Some("b"))]
    #[case(&[("X-API-Key", "a"), ("Authorization", "Bearer b")], Some("a"))]
    #[case(&[("X-API-Key", "")], None)]
    #[case(&[("X-API-Key", " ")], None)]
    #[case(&[("Authorization", "Bearer")], None)]
    #[case(&[("Authorization", "Bearer ")], None)]
    #[case(&[("Authorization", "Token b")], None)]
    #[case(&[("Authorization", "Basic b")], None)]
    #[case(&[("Cookie", "session-id=a")], None)]
    #[case(&[], None)]
    fn a_token_comes_in_one_of_two_headers(
        #[case] headers: &[(&str, &str)],
        #[case] token: Option<&str>,
    ) {
        let request = headers
            .iter()
            .fold(TestRequest::get(), |request, header| {
                request.insert_header(*header)
            })
            .to_http_request();
        assert_eq!(presented_token(request.headers()), token.map(str::as_bytes));
    }
}
