//! Whether a client accepts JSON. Plane contract, section 2.3: 406.
use actix_web::http::header::{self, HeaderMap};

/// True without `Accept`, and where one of its types is JSON or a wildcard that matches JSON. Weights and parameters are
/// ignored.
// Plane: Django REST framework compares only the type, even with `q=0`.
pub(in crate::http) fn accepts_json(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(header::ACCEPT).peekable();
    if lines.peek().is_none() {
        return true;
    }
    lines.any(|line| {
        line.as_bytes().split(|byte| *byte == b',').any(|one| {
            let essence = one.split(|byte| *byte == b';').next().unwrap_or_default();
            let essence = essence.trim_ascii().to_ascii_lowercase();
            matches!(
                essence.as_slice(),
                b"application/json" | b"application/*" | b"*/*"
            )
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use rstest::rstest;

    #[rstest]
    #[case(&[], true)]
    #[case(&["*/*"], true)]
    #[case(&["application/json"], true)]
    #[case(&["Application/JSON; indent=4"], true)]
    #[case(&["application/*;q=0.1"], true)]
    #[case(&["text/html, application/xhtml+xml, */*;q=0.8"], true)]
    #[case(&["text/html", "application/json"], true)]
    #[case(&["text/html"], false)]
    #[case(&["application/xml, text/*"], false)]
    #[case(&["application/json+x"], false)]
    #[case(&[""], false)]
    fn a_client_accepts_json_by_name_or_by_wildcard(#[case] lines: &[&str], #[case] accepts: bool) {
        let request = lines
            .iter()
            .fold(TestRequest::get(), |request, line| {
                request.append_header((header::ACCEPT, *line))
            })
            .to_http_request();
        assert_eq!(accepts_json(request.headers()), accepts);
    }
}
