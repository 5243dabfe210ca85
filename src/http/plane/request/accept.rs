//! Whether a client takes JSON. Plane contract, section 2.3: 406.
use actix_web::http::header::{self, HeaderMap};

/// True without `Accept`, and where one of its types is JSON or a wildcard over it. Weights and parameters say nothing.
// Plane: Django REST framework looks at the type alone, `q=0` included.
pub(in crate::http) fn takes_json(headers: &HeaderMap) -> bool {
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
    fn json_must_be_acceptable(#[case] lines: &[&str], #[case] takes: bool) {
        let request = lines
            .iter()
            .fold(TestRequest::get(), |request, line| {
                request.append_header((header::ACCEPT, *line))
            })
            .to_http_request();
        assert_eq!(takes_json(request.headers()), takes);
    }
}
