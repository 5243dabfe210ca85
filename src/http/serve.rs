//! Serves a stored object over HTTP: whole or in part, conditionally, with or without its body.
//!
//! Guarantees: the announced length is the length sent, or the connection is cut; damage that is found before the first
//! byte gives an error response. Both faces that serve objects (S3 and static) go through [`respond`] and [`harden`],
//! and write a [`ServeRefusal`] in their own format. Knows no bucket policy, no asset and no signature. RFC 9110,
//! sections 13 to 15.

use crate::http::pace::{HANDED_BYTES, TooSlow, for_readers_at_pace};
use crate::http::response_cache::{Validity, offer};
use crate::s3::conditional::{ReadConditions, ReadVerdict, if_range_holds};
use crate::s3::range::{self, ByteRange, RangeRequest};
use crate::s3::time::http_date;
use crate::store::{Object, Reading, SmallBody, Store, StoreError};
use crate::telemetry::with_causes;
use actix_web::body::SizedStream;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder};
use bytes::Bytes;
use futures_util::{StreamExt, stream};

/// How a face presents an object: all headers of the response except those that [`respond`] makes itself (`ETag`,
/// `Last-Modified`, `Accept-Ranges`, `Content-Range`, `Content-Length`).
#[derive(Debug, Clone)]
pub(crate) struct Representation {
    pub(crate) content_type: String,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// Set where the response depends only on this and on the parts of a request that are in
    /// [`CacheableRequest`](crate::http::response_cache::CacheableRequest).
    pub(crate) validity: Option<Validity>,
}

impl Representation {
    /// Sets a header, in place of the one with the same name.
    pub(crate) fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.headers.retain(|(present, _)| *present != name);
        self.headers.push((name, value));
    }

    pub(crate) fn get(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.headers
            .iter()
            .find(|(present, _)| present == name)
            .map(|(_, value)| value)
    }
}

/// Why an object is not sent. Each face writes it in its own format.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeRefusal {
    /// 412
    #[error("a precondition of the read does not hold")]
    PreconditionFailed,
    /// 416; `size` is the object's, in bytes.
    #[error("the range does not lie within {size} bytes")]
    RangeNotSatisfiable { size: u64 },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Answers a GET or a HEAD of `object`: 200, 206 or 304.
///
/// # Errors
/// See [`ServeRefusal`].
pub(crate) async fn respond(
    req: &HttpRequest,
    store: &Store,
    object: &Object,
    representation: Representation,
) -> Result<HttpResponse, ServeRefusal> {
    if let Some(answer) = judge(req.headers(), object, &representation)? {
        return Ok(answer);
    }
    let selected = match requested_range(req.headers(), object) {
        RangeRequest::Whole => Selected::Whole,
        RangeRequest::Part(part) => Selected::Range(part),
        RangeRequest::Unsatisfiable => {
            return Err(ServeRefusal::RangeNotSatisfiable {
                size: object.size_bytes,
            });
        }
    };
    send(req, store, object, &representation, selected).await
}

/// Answers with the bytes of `object` from `start` to `end`, as a part of it, and ignores `Range`: 206 or 304.
///
/// # Errors
/// See [`ServeRefusal`].
pub(crate) async fn respond_with_part(
    req: &HttpRequest,
    store: &Store,
    object: &Object,
    representation: Representation,
    part: std::ops::Range<u64>,
) -> Result<HttpResponse, ServeRefusal> {
    if let Some(answer) = judge(req.headers(), object, &representation)? {
        return Ok(answer);
    }
    let selected = if part.is_empty() {
        Selected::EmptyPart
    } else {
        Selected::Range(ByteRange {
            start: part.start,
            end: part.end,
        })
    };
    send(req, store, object, &representation, selected).await
}

/// Which bytes of an object are sent.
#[derive(Debug, Clone, Copy)]
enum Selected {
    Whole,
    Range(ByteRange),
    /// No `Content-Range` can name it.
    EmptyPart,
}

async fn send(
    req: &HttpRequest,
    store: &Store,
    object: &Object,
    representation: &Representation,
    selected: Selected,
) -> Result<HttpResponse, ServeRefusal> {
    let mut answer = head_of_answer(object, representation, selected);
    let (range, length) = match selected {
        Selected::Whole => (None, object.size_bytes),
        Selected::Range(range) => (Some(range), range.len()),
        Selected::EmptyPart => (None, 0),
    };
    if req.method() == Method::HEAD {
        let none = stream::empty::<Result<Bytes, StoreError>>();
        let answer = answer.body(SizedStream::new(length, none));
        return Ok(offered(answer, representation, None));
    }
    if length == 0 {
        return Ok(answer.body(Bytes::new()));
    }
    let reading = store.read(object, range).await?.for_slow_reader();
    let is_all = reading.first.len() as u64 == length;
    let answer = if is_all && reading.first.len() <= HANDED_BYTES {
        answer.body(reading.first)
    } else {
        at_pace(answer, object, length, reading)
    };
    Ok(match store.small_body(object) {
        Some(body) if is_all => offered(answer, representation, Some(body)),
        _ => answer,
    })
}

fn at_pace(
    mut answer: HttpResponseBuilder,
    object: &Object,
    length: u64,
    reading: Reading,
) -> HttpResponse {
    let first = stream::once(async { Ok(reading.first) });
    let pieces = for_readers_at_pace(first.chain(reading.rest).boxed());
    let (bucket, key) = (object.bucket.clone(), object.key.clone());
    let pieces = pieces.inspect(move |piece| {
        if let Err(error) = piece {
            const CUT_SHORT: &str = "a response ended early: its connection is closed";
            if error.is::<TooSlow>() {
                // The reader was too slow.
                tracing::info!(%bucket, %key, %error, "{CUT_SHORT}");
            } else {
                let error = with_causes(&**error);
                tracing::error!(%bucket, %key, error, "{CUT_SHORT}");
            }
        }
    });
    answer.body(SizedStream::new(length, pieces.boxed_local()))
}

/// Marks the response where it may be cached.
fn offered(
    mut answer: HttpResponse,
    representation: &Representation,
    body: Option<SmallBody>,
) -> HttpResponse {
    if let Some(validity) = &representation.validity {
        offer(&mut answer, validity.clone(), body);
    }
    answer
}

/// The response where the preconditions leave nothing to send.
fn judge(
    headers: &HeaderMap,
    object: &Object,
    representation: &Representation,
) -> Result<Option<HttpResponse>, ServeRefusal> {
    let if_match = list_header(headers, &header::IF_MATCH);
    let if_none_match = list_header(headers, &header::IF_NONE_MATCH);
    let verdict = ReadConditions {
        if_match: if_match.as_deref(),
        if_none_match: if_none_match.as_deref(),
        if_modified_since: single_header(headers, &header::IF_MODIFIED_SINCE),
        if_unmodified_since: single_header(headers, &header::IF_UNMODIFIED_SINCE),
    }
    .evaluate(&object.etag, object.last_modified);
    match verdict {
        ReadVerdict::Proceed => Ok(None),
        ReadVerdict::NotModified => Ok(Some(not_modified(object, representation))),
        ReadVerdict::PreconditionFailed => Err(ServeRefusal::PreconditionFailed),
    }
}

fn requested_range(headers: &HeaderMap, object: &Object) -> RangeRequest {
    let stands = match headers.get(header::IF_RANGE) {
        None => true,
        Some(value) => value
            .to_str()
            .is_ok_and(|value| if_range_holds(value, &object.etag, object.last_modified)),
    };
    let range = single_header(headers, &header::RANGE).filter(|_| stands);
    range::parse(range, object.size_bytes)
}

/// A header that is a list: several lines are one list (RFC 9110, 5.3).
fn list_header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines: Vec<&str> = headers
        .get_all(name)
        .filter_map(|value| value.to_str().ok())
        .collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

/// A header with a single value: if it was sent twice, it is ignored.
fn single_header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut lines = headers.get_all(name);
    let first = lines.next()?;
    if lines.next().is_some() {
        return None;
    }
    first.to_str().ok()
}

fn validators(answer: &mut HttpResponseBuilder, object: &Object) {
    answer.insert_header((header::ETAG, object.etag.quoted()));
    answer.insert_header((header::LAST_MODIFIED, http_date(object.last_modified)));
    answer.insert_header((header::ACCEPT_RANGES, "bytes"));
}

fn head_of_answer(
    object: &Object,
    representation: &Representation,
    selected: Selected,
) -> HttpResponseBuilder {
    let status = match selected {
        Selected::Whole => StatusCode::OK,
        Selected::Range(_) | Selected::EmptyPart => StatusCode::PARTIAL_CONTENT,
    };
    let mut answer = HttpResponse::build(status);
    validators(&mut answer, object);
    for (name, value) in &representation.headers {
        answer.append_header((name.clone(), value.clone()));
    }
    answer.insert_header((
        header::CONTENT_TYPE,
        HeaderValue::from_bytes(representation.content_type.as_bytes())
            .unwrap_or(HeaderValue::from_static(UNKNOWN_TYPE)),
    ));
    answer.insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    if let Selected::Range(range) = selected {
        answer.insert_header((
            header::CONTENT_RANGE,
            range.content_range(object.size_bytes),
        ));
    }
    answer
}

/// A 304 has no headers that describe the bytes, but has those that govern a cache or a browser (RFC 9110, 15.4.5).
fn not_modified(object: &Object, representation: &Representation) -> HttpResponse {
    let mut answer = HttpResponse::NotModified();
    validators(&mut answer, object);
    let describes_bytes = [
        header::CONTENT_TYPE,
        header::CONTENT_ENCODING,
        header::CONTENT_LANGUAGE,
        header::CONTENT_DISPOSITION,
    ];
    for (name, value) in &representation.headers {
        // AWS: no checksum either; current boto3 would expect the bytes that it describes.
        if !describes_bytes.contains(name) && !name.as_str().starts_with("x-amz-checksum-") {
            answer.append_header((name.clone(), value.clone()));
        }
    }
    offered(answer.finish(), representation, None)
}

const UNKNOWN_TYPE: &str = "application/octet-stream";

/// 403: a browser asked for uploaded bytes in order to run them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("uploaded files are not served as scripts, styles, workers or embedded documents")]
pub(crate) struct RunsUploads;

/// Set on a request whose response depends on the browser's purpose for the bytes.
struct DependsOnDestination;

const DESTINATION: HeaderValue = HeaderValue::from_static("Sec-Fetch-Dest, Service-Worker");

/// Adds `Vary` to any response for which [`harden`] looked at the browser's purpose for the bytes: otherwise a cache
/// would give an image's bytes to a script, or a script's 403 to an image.
pub(crate) fn vary_by_destination(req: &HttpRequest, answer: &mut HeaderMap) {
    if req.extensions().contains::<DependsOnDestination>() {
        answer.append(header::VARY, DESTINATION);
    }
}

/// Makes uploaded bytes harmless in a browser: must be called, after all overrides, for every request that a browser
/// can send without signing a header (presigned, anonymous, static). Active types become attachments in a sandbox. The
/// face then calls [`vary_by_destination`] on its response.
///
/// # Errors
/// When the browser states that it would run or embed the bytes.
pub(crate) fn harden(
    req: &HttpRequest,
    representation: &mut Representation,
) -> Result<(), RunsUploads> {
    req.extensions_mut().insert(DependsOnDestination);
    let is_pdf = essence(&representation.content_type) == "application/pdf";
    if runs_uploads(req.headers(), is_pdf) {
        return Err(RunsUploads);
    }
    if is_active(&representation.content_type) {
        let disposition = attachment(representation.get(&header::CONTENT_DISPOSITION));
        representation.set(header::CONTENT_DISPOSITION, disposition);
        representation.set(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; sandbox"),
        );
    }
    Ok(())
}

fn runs_uploads(headers: &HeaderMap, is_pdf: bool) -> bool {
    let says = |name: &str, values: &[&str]| {
        headers
            .get_all(name)
            .filter_map(|value| value.to_str().ok())
            .any(|sent| {
                values
                    .iter()
                    .any(|value| sent.trim().eq_ignore_ascii_case(value))
            })
    };
    says("service-worker", &["script"])
        || says(
            "sec-fetch-dest",
            &[
                "script", "style", "worker", "sharedworker", "serviceworker", "xslt",
                "audioworklet", "paintworklet",
            ],
        )
        // In some browsers the viewer of a PDF is an embedded document.
        || (!is_pdf && says("sec-fetch-dest", &["embed", "object"]))
}

/// The type without its parameters, lower case.
fn essence(content_type: &str) -> String {
    let end = content_type.find(';').unwrap_or(content_type.len());
    content_type[..end].trim().to_ascii_lowercase()
}

/// Whether a browser may run bytes of this type. Of several types in one value (joined by commas) browsers take the
/// last that parses, so one active type makes the whole value active. So does a value that is not a type, since
/// browsers then guess.
fn is_active(content_type: &str) -> bool {
    const NAMED: [&str; 12] = [
        "text/html",
        "text/css",
        "text/vbscript",
        "text/x-component",
        "text/cache-manifest",
        "text/xsl",
        "message/rfc822",
        "application/wasm",
        "application/hta",
        "application/x-mimearchive",
        "application/x-shockwave-flash",
        "application/speculationrules+json",
    ];
    content_type.split(',').any(|one| {
        let essence = essence(one);
        let Some((family, kind)) = essence.split_once('/') else {
            return true;
        };
        let is_token = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
        };
        !is_token(family)
            || !is_token(kind)
            || essence == "unknown/unknown"
            || essence == "application/unknown"
            || family == "multipart"
            || kind == "xml"
            || kind.ends_with("+xml")
            || kind.starts_with("xml-")
            || ["html", "javascript", "ecmascript", "jscript", "livescript"]
                .iter()
                .any(|word| kind.contains(word))
            || NAMED.contains(&essence.as_str())
    })
}

/// A disposition that downloads the file and keeps its parameters (the file's name).
fn attachment(present: Option<&HeaderValue>) -> HeaderValue {
    let plain = HeaderValue::from_static("attachment");
    let Some(present) = present else {
        return plain;
    };
    let bytes = present.as_bytes();
    match bytes.iter().position(|byte| *byte == b';') {
        Some(at) => {
            HeaderValue::from_bytes(&[b"attachment", &bytes[at..]].concat()).unwrap_or(plain)
        }
        None => plain,
    }
}

#[cfg(test)]
mod tests;
