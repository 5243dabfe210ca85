//! The cached responses, by request.

use crate::cache::VersionedCache;
use crate::http::config::HttpConfig;
use crate::http::face::Face;
use crate::http::response_cache::answer::{CachedResponse, Offer};
use crate::http::response_cache::request::CacheableRequest;
use crate::http::trace::{CachedLine, X_AMZ_REQUEST_ID, X_REQUEST_ID};
use crate::store::{SmallBody, Store};
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::{Method, StatusCode};
use std::sync::Arc;

/// How much memory all cached responses may take, without their bodies, which belong to the store.
const MOST_BYTES: usize = 32 << 20;
const USUAL_BYTES: usize = 1024;

/// The cached responses. Cheap to clone.
#[derive(Clone)]
pub struct ResponseCache(Arc<VersionedCache<Box<[u8]>, Arc<CachedResponse>>>);

impl ResponseCache {
    #[must_use]
    pub fn new(store: &Store) -> Self {
        Self(store.cache(MOST_BYTES, USUAL_BYTES, |key, cached| {
            key.len() + cached.head.len() + size_of::<(CachedResponse, SmallBody)>()
        }))
    }

    /// The cache of an empty store, and the folder that the store lies in.
    #[cfg(test)]
    pub(crate) async fn of_empty_store() -> (Self, Store, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let config = crate::store::StoreConfig {
            data_dir: dir.path().to_owned(),
            allow_unsafe_fs: true,
            multipart_expires: std::time::Duration::from_hours(1),
            grace: std::time::Duration::from_hours(1),
            min_free_bytes: Some(0),
        };
        let clock = crate::clock::Clock::default();
        let opening = Store::open(config, clock, crate::store::Registered::default());
        let store = opening.await.unwrap();
        (Self::new(&store), store, dir)
    }

    /// The cached response to a request like this. `space`: a reusable buffer for the key.
    pub(crate) fn find(
        &self,
        request: CacheableRequest<'_>,
        space: &mut Vec<u8>,
    ) -> Option<Arc<CachedResponse>> {
        self.0.get(request.key(space)?)
    }

    /// Keeps a response that its handler [marked](crate::http::response_cache::offer), as it is sent.
    pub(crate) fn keep(&self, answer: &ServiceResponse<BoxBody>, config: &HttpConfig) {
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
        let trust = config.trusted_proxies.trust_of(request.head().peer_addr);
        let Some(cacheable) =
            CacheableRequest::of(request.method().as_str(), target, headers, trust)
        else {
            return;
        };
        let etag = answer
            .headers()
            .get(header::ETAG)
            .map(HeaderValue::as_bytes);
        let body = match (status, cacheable.if_none_match) {
            (StatusCode::OK, None) if request.method() == Method::GET => offer.body.clone(),
            (StatusCode::OK, None) => None,
            // The form of `If-None-Match` that clients use: the one tag that they have cached.
            (StatusCode::NOT_MODIFIED, Some(known)) if etag == Some(known) => None,
            _ => return,
        };
        let mut space = Vec::new();
        let Some(key) = cacheable.key(&mut space) else {
            return;
        };
        let ids = [X_REQUEST_ID, X_AMZ_REQUEST_ID];
        let Some(id_header) = ids.into_iter().find(|id| answer.headers().contains_key(id)) else {
            return;
        };
        let cached = CachedResponse {
            id_header,
            line: CachedLine::of(answer, Face::of(request.head(), config)),
            until: offer.validity.until,
            head: head(status, answer.headers(), answer.response().body().size()),
            body,
        };
        let stamp = offer.validity.stamp.clone();
        self.0.keep(key.into(), stamp, Arc::new(cached));
    }
}

/// The head as HTTP/1.1 sends it.
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
