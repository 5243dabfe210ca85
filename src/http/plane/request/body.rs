//! Bodies of the asset API: JSON, URL-encoded and multipart forms give the same fields. Plane contract, sections 2.3
//! and 2.4.
//!
//! Guarantees: a body takes no more memory than its limit; a value stays as it was sent until a route asks for it by name,
//! so that an unknown field can neither fail nor cost time. It refuses to know what fields mean.
use crate::http::limits::{Body, Kept};
use crate::http::memory::Share;
use crate::http::plane::error::PlaneError;
use actix_multipart::Multipart;
use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::web::{self, Bytes};
use futures_util::{StreamExt, stream};
use serde_json::value::{RawValue, to_raw_value};
use std::collections::BTreeMap;

/// Plane's limit is `FILE_SIZE_LIMIT`; no legitimate body is nearly as large as this.
const MAX_BODY_BYTES: u64 = 1024 * 1024;
const MAX_NESTING: usize = 32;
/// The multipart parser buffers up to four pieces.
const PIECE_BYTES: usize = 16 * 1024;

/// A whole body, and its share of the memory of all bodies.
#[derive(Debug, Default)]
pub(in crate::http) struct BufferedBody {
    bytes: Vec<u8>,
    _share: Option<Share>,
}

/// The most bytes that a body may have.
fn max_bytes(file_size_limit: u64) -> u64 {
    MAX_BODY_BYTES.min(file_size_limit)
}

/// Refuses a body whose `Content-Length` is over the limit. No byte of it is read.
///
/// # Errors
/// `BodyTooLarge`
pub(in crate::http) fn check_stated_length(
    body: &Body,
    file_size_limit: u64,
) -> Result<(), PlaneError> {
    if body.declared() > Some(max_bytes(file_size_limit)) {
        return Err(PlaneError::BodyTooLarge);
    }
    Ok(())
}

/// Reads a body whole, up to its limit. The token of its sender must have been checked.
///
/// # Errors
/// Those of [`Body::next`]; `BodyTooLarge` for a body that stated no length.
pub(in crate::http) async fn receive(
    body: &mut Body,
    file_size_limit: u64,
) -> Result<BufferedBody, PlaneError> {
    body.count(Kept::Document);
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await? {
        if body.received() > max_bytes(file_size_limit) {
            return Err(PlaneError::BodyTooLarge);
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(BufferedBody {
        bytes,
        _share: body.take_share(),
    })
}

/// The fields of a body, by name, each as the JSON text of its value. Of two fields with one name the last counts.
#[derive(Debug, Default)]
pub(in crate::http) struct Fields(BTreeMap<String, Box<RawValue>>);

/// The value of a field that should be a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) enum Text {
    Absent,
    /// `null`, a number, a list, …
    OtherType,
    Given(String),
}

impl Fields {
    /// Parses a body by its `Content-Type`. An empty body has no fields, whatever its type.
    pub(in crate::http) async fn parse(
        req: &HttpRequest,
        body: BufferedBody,
    ) -> Result<Self, PlaneError> {
        if body.bytes.is_empty() {
            return Ok(Self::default());
        }
        let sent = req
            .headers()
            .get(header::CONTENT_TYPE)
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .unwrap_or_default();
        let essence = sent.split(';').next().unwrap_or_default();
        match essence.trim().to_ascii_lowercase().as_str() {
            "application/json" => Self::of_json(&body.bytes),
            "application/x-www-form-urlencoded" => Self::of_urlencoded(&body.bytes),
            "multipart/form-data" => Self::of_multipart(req, body.bytes).await,
            _ => Err(PlaneError::UnsupportedMediaType(sent.into_owned())),
        }
    }

    fn of_json(bytes: &[u8]) -> Result<Self, PlaneError> {
        let text = std::str::from_utf8(bytes).map_err(not_json)?;
        let value: &RawValue = serde_json::from_str(text).map_err(not_json)?;
        if nesting(value.get()) > MAX_NESTING {
            let reason = format!("nested deeper than {MAX_NESTING} levels");
            return Err(not_json(reason));
        }
        if !value.get().starts_with('{') {
            return Err(PlaneError::NotAnObject);
        }
        serde_json::from_str(value.get())
            .map(Self)
            .map_err(not_json)
    }

    fn of_urlencoded(bytes: &[u8]) -> Result<Self, PlaneError> {
        let text = String::from_utf8_lossy(bytes);
        let pairs = web::Query::<Vec<(String, String)>>::from_query(&text)
            .map_err(|error| not_a_form("Form", error))?;
        pairs.into_inner().into_iter().map(raw_text).collect()
    }

    async fn of_multipart(req: &HttpRequest, bytes: Vec<u8>) -> Result<Self, PlaneError> {
        let broken = |error: actix_multipart::MultipartError| not_a_form("Multipart form", error);
        let bytes = Bytes::from(bytes);
        let starts = (0..bytes.len()).step_by(PIECE_BYTES);
        let pieces = starts.map(move |start| {
            let end = bytes.len().min(start + PIECE_BYTES);
            Ok::<_, PayloadError>(bytes.slice(start..end))
        });
        let mut parts = Multipart::new(req.headers(), stream::iter(pieces));
        let mut fields = Vec::new();
        while let Some(part) = parts.next().await {
            let mut part = part.map_err(broken)?;
            let is_file = part
                .content_disposition()
                .is_some_and(|disposition| disposition.get_filename().is_some());
            let name = part.name().unwrap_or_default().to_owned();
            let mut value = Vec::new();
            while let Some(piece) = part.next().await {
                let piece = piece.map_err(broken)?;
                if !is_file {
                    value.extend_from_slice(&piece);
                }
            }
            if !is_file {
                fields.push((name, String::from_utf8_lossy(&value).into_owned()));
            }
        }
        fields.into_iter().map(raw_text).collect()
    }

    /// The value of a field, as it was sent.
    pub(in crate::http) fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.get(name).map(AsRef::as_ref)
    }

    pub(in crate::http) fn text(&self, name: &str) -> Result<Text, PlaneError> {
        match self.get(name) {
            None => Ok(Text::Absent),
            // The body is valid JSON; only a lone surrogate is no text.
            Some(value) if value.get().starts_with('"') => serde_json::from_str(value.get())
                .map(Text::Given)
                .map_err(not_json),
            Some(_) => Ok(Text::OtherType),
        }
    }
}

impl FromIterator<(String, Box<RawValue>)> for Fields {
    fn from_iter<I: IntoIterator<Item = (String, Box<RawValue>)>>(fields: I) -> Self {
        Self(fields.into_iter().collect())
    }
}

#[cfg(test)]
impl Fields {
    /// The fields of a JSON body.
    pub(in crate::http) fn of(body: &serde_json::Value) -> Self {
        Self::of_json(body.to_string().as_bytes()).expect("an object is a body")
    }
}

fn raw_text((name, text): (String, String)) -> Result<(String, Box<RawValue>), PlaneError> {
    let value = to_raw_value(&text).map_err(|error| not_a_form("Form", error))?;
    Ok((name, value))
}

/// The depth of nested objects and lists in a text that is JSON.
fn nesting(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_text, mut escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[expect(clippy::needless_pass_by_value, reason = "`map_err` passes a value")]
fn not_json(reason: impl ToString) -> PlaneError {
    PlaneError::Unparsable {
        syntax: "JSON",
        reason: reason.to_string(),
    }
}
#[expect(clippy::needless_pass_by_value, reason = "`map_err` passes a value")]
fn not_a_form(syntax: &'static str, error: impl ToString) -> PlaneError {
    PlaneError::Unparsable {
        syntax,
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use proptest::prelude::*;
    use rstest::rstest;

    async fn parse(content_type: Option<&str>, body: &[u8]) -> Result<Fields, PlaneError> {
        let mut request = TestRequest::post();
        if let Some(content_type) = content_type {
            request = request.insert_header((header::CONTENT_TYPE, content_type));
        }
        let received = BufferedBody {
            bytes: body.to_vec(),
            ..BufferedBody::default()
        };
        Fields::parse(&request.to_http_request(), received).await
    }
    async fn refusal(content_type: Option<&str>, body: &[u8]) -> String {
        let error = parse(content_type, body).await.unwrap_err();
        match error {
            PlaneError::Unparsable { syntax, .. } => format!("no {syntax}"),
            PlaneError::NotAnObject => "no object".to_owned(),
            PlaneError::UnsupportedMediaType(sent) => format!("type {sent:?}"),
            other => panic!("{other}"),
        }
    }

    const MULTIPART: &[u8] = b"--b\r\nContent-Disposition: form-data; name=\"size\"\r\n\r\n73\r\n\
        --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\nContent-Type: a/b\r\n\r\nbytes\r\n\
        --b\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nme \xc5\xbc\r\n--b--\r\n";

    #[rstest]
    #[case("application/json", r#"{"size":"73","name":"me ż"}"#.as_bytes())]
    #[case("Application/JSON; charset=latin-1", r#" {"name":"x","size":"73","name":"me ż"} "#.as_bytes())]
    #[case("application/x-www-form-urlencoded", b"name=x&size=73&name=me+%C5%BC")]
    #[case("multipart/form-data; boundary=b", MULTIPART)]
    #[actix_web::test]
    async fn json_urlencoded_and_multipart_bodies_give_the_same_fields(
        #[case] content_type: &str,
        #[case] body: &[u8],
    ) {
        let fields = parse(Some(content_type), body).await.unwrap();
        let name = fields.text("name").unwrap();
        assert_eq!(name, Text::Given("me ż".to_owned()));
        assert_eq!(fields.get("size").unwrap().get(), r#""73""#);
        assert_eq!(fields.text("file").unwrap(), Text::Absent);
    }

    #[actix_web::test]
    async fn a_multipart_field_may_be_large() {
        let text = "x".repeat(900_000);
        let body = format!(
            "--b\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\n{text}\r\n--b--\r\n"
        );
        let fields = parse(Some("multipart/form-data; boundary=b"), body.as_bytes()).await;
        assert_eq!(fields.unwrap().text("name").unwrap(), Text::Given(text));
    }

    #[rstest]
    #[case(None)]
    #[case(Some("application/json"))]
    #[case(Some("text/plain"))]
    #[case(Some("multipart/form-data"))]
    #[actix_web::test]
    async fn an_empty_body_has_no_fields_whatever_its_type(#[case] content_type: Option<&str>) {
        assert!(parse(content_type, b"").await.unwrap().0.is_empty());
    }

    #[rstest]
    #[case(None, b"{}", r#"type """#)]
    #[case(Some("text/plain"), b"{}", r#"type "text/plain""#)]
    #[case(
        Some("text/plain; charset=utf-8"),
        b"{}",
        r#"type "text/plain; charset=utf-8""#
    )]
    #[case(Some("application/json"), b"{", "no JSON")]
    #[case(Some("application/json"), b" ", "no JSON")]
    #[case(Some("application/json"), b"{} x", "no JSON")]
    #[case(Some("application/json"), b"{\"a\":NaN}", "no JSON")]
    #[case(Some("application/json"), b"{\"a\":-Infinity}", "no JSON")]
    #[case(Some("application/json"), b"\xef\xbb\xbf{}", "no JSON")]
    #[case(Some("application/json"), b"{\"a\":\"\xff\"}", "no JSON")]
    #[case(Some("application/json"), b"{\"a\":\"\n\"}", "no JSON")]
    #[case(Some("application/json"), b"[]", "no object")]
    #[case(Some("application/json"), b"\"a\"", "no object")]
    #[case(Some("application/json"), b"1", "no object")]
    #[case(Some("application/json"), b"true", "no object")]
    #[case(Some("application/json"), b"null", "no object")]
    #[case(Some("multipart/form-data"), b"x", "no Multipart form")]
    #[case(Some("multipart/form-data; boundary=b"), b"x", "no Multipart form")]
    #[actix_web::test]
    async fn each_kind_of_unreadable_body_has_its_own_refusal(
        #[case] content_type: Option<&str>,
        #[case] body: &[u8],
        #[case] expected: &str,
    ) {
        assert_eq!(refusal(content_type, body).await, expected);
    }

    #[rstest]
    #[case(32, true)]
    #[case(33, false)]
    #[case(400_000, false)]
    #[actix_web::test]
    async fn nesting_is_bounded(#[case] levels: usize, #[case] is_accepted: bool) {
        let lists = levels - 1;
        let body = format!("{{\"a\":{}{}}}", "[".repeat(lists), "]".repeat(lists));
        match parse(Some("application/json"), body.as_bytes()).await {
            Ok(fields) => assert!(is_accepted && fields.get("a").is_some()),
            Err(PlaneError::Unparsable { syntax, .. }) => {
                assert_eq!((is_accepted, syntax), (false, "JSON"));
            }
            Err(other) => panic!("{other}"),
        }
    }

    #[actix_web::test]
    async fn brackets_inside_texts_do_not_count_as_nesting() {
        let body = format!(r#"{{"a":"\"{}"}}"#, "[{".repeat(100));
        let fields = parse(Some("application/json"), body.as_bytes()).await;
        let text = Text::Given(format!("\"{}", "[{".repeat(100)));
        assert_eq!(fields.unwrap().text("a").unwrap(), text);
    }

    #[actix_web::test]
    async fn a_value_that_no_route_asks_for_cannot_fail() {
        let body = br#"{"odd":"\ud800","huge":1e999,"size":1}"#;
        let fields = parse(Some("application/json"), body).await.unwrap();
        assert_eq!(fields.get("size").unwrap().get(), "1");
        let odd = fields.text("odd").unwrap_err();
        assert!(
            matches!(odd, PlaneError::Unparsable { syntax: "JSON", .. }),
            "{odd}"
        );
        assert_eq!(fields.text("huge").unwrap(), Text::OtherType);
    }

    proptest! {
        #[test]
        fn no_body_causes_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Fields::of_json(&bytes);
            let _ = Fields::of_urlencoded(&bytes);
        }
    }

    mod fuzz {
        use super::*;
        use crate::assets::{AskedSize, AssetName};
        use crate::tests::fuzz;
        use futures_util::FutureExt;
        use serde::de::IgnoredAny;

        /// Reads the fields as routes do.
        fn read_like_a_route(fields: &Fields) {
            for value in fields.0.values() {
                assert!(serde_json::from_str::<IgnoredAny>(value.get()).is_ok());
            }
            if let Some(bytes) = AskedSize::read(fields.get("size")).clamped(73) {
                assert!((1..=73).contains(&bytes));
            }
            if let Ok(Text::Given(name)) = fields.text("name") {
                let _ = AssetName::clean(&name);
            }
        }

        /// The first line is the content type.
        #[test]
        fn any_whole_body_is_parsed_without_waiting_and_its_fields_are_those_it_holds() {
            fuzz::check(module_path!(), |input| {
                let (content_type, body) = fuzz::first_line(input);
                let Ok(content_type) = header::HeaderValue::from_bytes(content_type) else {
                    return;
                };
                let request = TestRequest::post()
                    .insert_header((header::CONTENT_TYPE, content_type))
                    .to_http_request();
                let received = BufferedBody {
                    bytes: body.to_vec(),
                    ..BufferedBody::default()
                };
                let parsed = Fields::parse(&request, received).now_or_never();
                if let Ok(fields) = parsed.expect("the whole body is in memory") {
                    read_like_a_route(&fields);
                    // A byte that is not UTF-8 becomes three bytes, and an escape takes six.
                    let held: usize = fields.0.values().map(|value| value.get().len()).sum();
                    assert!(held <= 8 * body.len() + 2 * fields.0.len());
                }
                if let Ok(fields) = Fields::of_json(body) {
                    read_like_a_route(&fields);
                    assert!(nesting(std::str::from_utf8(body).unwrap()) <= MAX_NESTING);
                    if let Ok(value) = serde_json::from_slice::<serde_json::Value>(body) {
                        let names: Vec<&String> = value.as_object().unwrap().keys().collect();
                        let read: Vec<&String> = fields.0.keys().collect();
                        assert_eq!(read, names);
                    }
                }
            });
        }
    }
}
