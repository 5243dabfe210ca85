//! Answers that may be given again as they are: whoever asks the same in the same words gets the same bytes, until a row
//! that the answer was made of changes.
//!
//! Guarantees: only what a handler offered ([`offer`]) is kept, and only of a plain request, whose every header is one
//! that such an answer cannot depend on; the head is the one that the handler's answer went out with, but for its date
//! and id. It refuses to know which answers these are, and how they are sent (`connection::lane`).

use crate::cache::{VersionStamp, VersionedCache};
use crate::clock::Timestamp;
use crate::http::proxies::{Proxy, TrustedProxies};
use crate::http::trace::{RequestId, X_AMZ_REQUEST_ID, X_REQUEST_ID};
use crate::store::{SmallBody, Store};
use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use std::sync::Arc;

/// What all may take in memory, their bytes not counted, which are the store's.
const MOST_BYTES: usize = 32 << 20;
const USUAL_BYTES: usize = 1024;
/// Longer targets and hosts are asked for in the ordinary way.
const KEY_BYTES: usize = 1024;

/// The answers. Cheap to clone.
#[derive(Clone)]
pub struct KnownAnswers(Arc<VersionedCache<Box<[u8]>, Arc<Repeat>>>);

/// An answer, ready to be sent.
pub(crate) struct Repeat {
    /// From the status line on, without what [`Repeat::rest_of_head`] adds.
    pub(crate) head: Box<[u8]>,
    /// `None`: there are no bytes.
    pub(crate) body: Option<Arc<SmallBody>>,
    /// When it ceases to hold, whatever happens.
    pub(crate) until: Option<Timestamp>,
    /// The header that tells the request's id.
    id_header: HeaderName,
}

impl Repeat {
    /// Of a head alone.
    #[cfg(test)]
    pub(crate) fn bare(head: &[u8]) -> Self {
        Self {
            head: head.into(),
            body: None,
            until: None,
            id_header: X_REQUEST_ID,
        }
    }

    /// What each head has of its own, `Date` and the request's id, and the line that ends it.
    pub(crate) fn rest_of_head(&self, date: &str, id: &RequestId) -> Vec<u8> {
        let mut rest = Vec::with_capacity(96);
        let name = self.id_header.as_str();
        for part in ["date: ", date, "\r\n", name, ": ", id.as_str(), "\r\n\r\n"] {
            rest.extend_from_slice(part.as_bytes());
        }
        rest
    }
}

/// For how long an answer holds.
#[derive(Debug, Clone)]
pub(crate) struct Repeats {
    /// As long as these rows stay as they are.
    pub(crate) stamp: VersionStamp,
    pub(crate) until: Option<Timestamp>,
}

/// What a handler says of its answer.
struct Offer {
    repeats: Repeats,
    /// Of a 200.
    body: Option<Arc<SmallBody>>,
}

/// Says that an answer depends on nothing but the request's method, target, host and `If-None-Match`, and on rows.
pub(crate) fn offer(answer: &mut HttpResponse, repeats: Repeats, body: Option<SmallBody>) {
    let body = body.map(Arc::new);
    answer.extensions_mut().insert(Offer { repeats, body });
}

/// What a request asks for, where it says nothing that would make its answer another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plain<'a> {
    pub(crate) method: &'a str,
    /// As it stands in the request line.
    pub(crate) target: &'a str,
    host: &'a [u8],
    /// What a proxy says of the host and scheme that it was asked for, and whether the peer is one that is believed.
    forwarded_host: Option<&'a [u8]>,
    forwarded_proto: Option<&'a [u8]>,
    proxy: Proxy,
    if_none_match: Option<&'a [u8]>,
}

impl<'a> Plain<'a> {
    /// `None`: the request is to be answered in the ordinary way.
    pub(crate) fn of(
        method: &'a str,
        target: &'a str,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        proxy: Proxy,
    ) -> Option<Self> {
        if !matches!(method, "GET" | "HEAD") || !target.starts_with('/') {
            return None;
        }
        let (mut host, mut if_none_match) = (None, None);
        let (mut forwarded_host, mut forwarded_proto) = (None, None);
        for (name, value) in headers {
            let told = match bearing(name) {
                Bearing::None => continue,
                Bearing::Host => host.replace(value),
                Bearing::ForwardedHost => forwarded_host.replace(value),
                Bearing::ForwardedProto => forwarded_proto.replace(value),
                Bearing::IfNoneMatch => if_none_match.replace(value),
                Bearing::OneOf(values) => {
                    let mut values = values.iter();
                    values.find(|one| one.as_bytes().eq_ignore_ascii_case(value))?;
                    continue;
                }
                Bearing::Unknown => return None,
            };
            // Sent twice, it is for the ordinary way to judge.
            if told.is_some() {
                return None;
            }
        }
        Some(Self {
            method,
            target,
            host: host?,
            forwarded_host,
            forwarded_proto,
            proxy,
            if_none_match,
        })
    }

    fn key<'k>(&self, space: &'k mut Vec<u8>) -> Option<&'k [u8]> {
        space.clear();
        let parts = [
            self.method.as_bytes(),
            self.target.as_bytes(),
            self.host,
            self.forwarded_host.unwrap_or_default(),
            self.forwarded_proto.unwrap_or_default(),
            match self.proxy {
                Proxy::Trusted => b"trusted",
                Proxy::Nobody => b"",
            },
            self.if_none_match.unwrap_or_default(),
        ];
        for part in parts {
            space.extend_from_slice(part);
            // No part can hold it.
            space.push(b'\n');
        }
        (space.len() <= KEY_BYTES).then_some(space)
    }
}

/// What a header has to do with an answer that may be given again.
enum Bearing {
    None,
    Host,
    ForwardedHost,
    ForwardedProto,
    IfNoneMatch,
    /// Nothing, where it says one of these.
    OneOf(&'static [&'static str]),
    /// Who knows: ranges, other preconditions, signatures, origins, bodies.
    Unknown,
}

fn bearing(name: &str) -> Bearing {
    const LONGEST: usize = 32;
    let mut space = [0; LONGEST];
    let Some(lower) = space.get_mut(..name.len()) else {
        return Bearing::Unknown;
    };
    lower.copy_from_slice(name.as_bytes());
    lower.make_ascii_lowercase();
    match &*lower {
        b"host" => Bearing::Host,
        b"x-forwarded-host" => Bearing::ForwardedHost,
        b"x-forwarded-proto" => Bearing::ForwardedProto,
        b"if-none-match" => Bearing::IfNoneMatch,
        b"connection" => Bearing::OneOf(&["keep-alive"]),
        b"sec-fetch-dest" => Bearing::OneOf(&["image", "empty", "document"]),
        b"user-agent"
        | b"accept"
        | b"accept-encoding"
        | b"accept-language"
        | b"cookie"
        | b"referer"
        | b"cache-control"
        | b"pragma"
        | b"dnt"
        | b"sec-gpc"
        | b"priority"
        | b"save-data"
        | b"upgrade-insecure-requests"
        | b"sec-fetch-site"
        | b"sec-fetch-mode"
        | b"sec-fetch-user"
        | b"sec-ch-ua"
        | b"sec-ch-ua-mobile"
        | b"sec-ch-ua-platform"
        | b"via"
        | b"forwarded"
        | b"x-forwarded-for"
        | b"x-forwarded-port"
        | b"x-forwarded-server"
        | b"x-real-ip"
        | b"x-request-id"
        | b"traceparent"
        | b"tracestate" => Bearing::None,
        _ => Bearing::Unknown,
    }
}

impl KnownAnswers {
    #[must_use]
    pub fn new(store: &Store) -> Self {
        Self(store.cache(MOST_BYTES, USUAL_BYTES, |key, repeat| {
            key.len() + repeat.head.len() + size_of::<(Repeat, SmallBody)>()
        }))
    }

    /// The answer to a request like this, if one is known. `space` is for the look-up, to be used again.
    pub(crate) fn find(&self, asked: Plain<'_>, space: &mut Vec<u8>) -> Option<Arc<Repeat>> {
        self.0.get(asked.key(space)?)
    }

    /// Keeps an answer that was offered, as it goes out.
    pub(crate) fn keep(&self, answer: &ServiceResponse<BoxBody>, proxies: &TrustedProxies) {
        let offer = answer.response().extensions();
        let (Some(offer), status) = (offer.get::<Offer>(), answer.status()) else {
            return;
        };
        let request = answer.request();
        let headers = request.headers().iter();
        let headers = headers.map(|(name, value)| (name.as_str(), value.as_bytes()));
        let target = request
            .uri()
            .path_and_query()
            .map_or("", |target| target.as_str());
        let proxy = proxies.standing(request.head().peer_addr);
        let Some(asked) = Plain::of(request.method().as_str(), target, headers, proxy) else {
            return;
        };
        let etag = answer
            .headers()
            .get(header::ETAG)
            .map(HeaderValue::as_bytes);
        let body = match (status, asked.if_none_match) {
            (StatusCode::OK, None) if request.method() == Method::GET => offer.body.clone(),
            (StatusCode::OK, None) => None,
            // Of all the ways in which one can ask whether it has changed the one that everybody uses.
            (StatusCode::NOT_MODIFIED, Some(known)) if etag == Some(known) => None,
            _ => return,
        };
        let mut space = Vec::new();
        let Some(key) = asked.key(&mut space) else {
            return;
        };
        let ids = [X_REQUEST_ID, X_AMZ_REQUEST_ID];
        let Some(id_header) = ids.into_iter().find(|id| answer.headers().contains_key(id)) else {
            return;
        };
        let repeat = Repeat {
            id_header,
            until: offer.repeats.until,
            head: head(status, answer.headers(), answer.response().body().size()),
            body,
        };
        let stamp = offer.repeats.stamp.clone();
        self.0.keep(key.into(), stamp, Arc::new(repeat));
    }
}

/// As HTTP/1.1 sends it.
fn head(status: StatusCode, headers: &HeaderMap, size: BodySize) -> Box<[u8]> {
    let mut head = format!("HTTP/1.1 {status}\r\n").into_bytes();
    for (name, value) in headers {
        let added = [
            header::DATE,
            header::CONTENT_LENGTH,
            X_REQUEST_ID,
            X_AMZ_REQUEST_ID,
        ];
        if added.contains(name) {
            continue;
        }
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    if let (BodySize::Sized(length), true) = (size, status != StatusCode::NOT_MODIFIED) {
        head.extend_from_slice(format!("content-length: {length}\r\n").as_bytes());
    }
    head.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn plain<'a>(headers: &[(&'a str, &'a str)]) -> Option<Plain<'a>> {
        let headers = headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()));
        Plain::of("GET", "/api/", headers, Proxy::Nobody)
    }

    #[test]
    fn a_browser_asks_plainly() {
        let headers = [
            ("Host", "h"),
            ("User-Agent", "x"),
            ("Accept", "image/*"),
            ("Connection", "Keep-Alive"),
            ("Sec-Fetch-Dest", "image"),
            ("Cookie", "session=1"),
            ("If-None-Match", "\"e\""),
        ];
        let asked = plain(&headers).unwrap();
        assert_eq!(
            (asked.host, asked.if_none_match),
            (&b"h"[..], Some(&b"\"e\""[..]))
        );
    }

    #[rstest]
    #[case::range("Range", "bytes=0-1")]
    #[case::origin("Origin", "https://a.example")]
    #[case::body("Content-Length", "0")]
    #[case::chunked("Transfer-Encoding", "chunked")]
    #[case::expect("Expect", "100-continue")]
    #[case::closes("Connection", "close")]
    #[case::upgrades("Connection", "keep-alive, upgrade")]
    #[case::runs("Sec-Fetch-Dest", "script")]
    #[case::worker("Service-Worker", "script")]
    #[case::since("If-Modified-Since", "Mon, 30 Nov 2026 00:00:00 GMT")]
    #[case::matches("If-Match", "*")]
    #[case::signed("Authorization", "AWS4-HMAC-SHA256 x")]
    #[case::amz("x-amz-date", "20261130T000000Z")]
    #[case::two_hosts("Host", "other")]
    #[case::unheard_of("X-Who-Knows", "1")]
    #[case::long("x-forwarded-for-and-a-name-that-has-no-end", "1")]
    fn what_may_change_an_answer_takes_the_ordinary_way(#[case] name: &str, #[case] value: &str) {
        assert_eq!(plain(&[("Host", "h"), (name, value)]), None);
    }

    #[test]
    fn other_methods_hosts_and_tags_are_other_questions() {
        let headers = |host: &'static [u8]| [("host", host)];
        let ask =
            |method, target, host, proxy| Plain::of(method, target, headers(host), proxy).unwrap();
        let asked = [
            ask("GET", "/a", b"h", Proxy::Nobody),
            ask("HEAD", "/a", b"h", Proxy::Nobody),
            ask("GET", "/a?", b"h", Proxy::Nobody),
            ask("GET", "/a", b"i", Proxy::Nobody),
            ask("GET", "/a", b"h", Proxy::Trusted),
            plain(&[("host", "h"), ("if-none-match", "\"e\"")]).unwrap(),
            plain(&[("host", "h"), ("x-forwarded-host", "\"e\"")]).unwrap(),
            plain(&[("host", "h"), ("x-forwarded-proto", "\"e\"")]).unwrap(),
        ];
        let mut keys: Vec<Vec<u8>> = Vec::new();
        for asked in asked {
            keys.push(asked.key(&mut Vec::new()).unwrap().to_vec());
        }
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 8);
    }

    #[test]
    fn what_says_no_host_or_posts_takes_the_ordinary_way() {
        assert_eq!(plain(&[]), None);
        assert_eq!(
            Plain::of("POST", "/a", [("host", &b"h"[..])], Proxy::Nobody),
            None
        );
        assert_eq!(
            Plain::of("GET", "http://h/a", [("host", &b"h"[..])], Proxy::Nobody),
            None
        );
        assert_eq!(
            Plain::of("OPTIONS", "*", [("host", &b"h"[..])], Proxy::Nobody),
            None
        );
    }
}
