//! A cached response, and the mark by which a handler states that its response may be cached.

use crate::cache::VersionStamp;
use crate::clock::Timestamp;
use crate::http::trace::{CachedLine, RequestId};
use crate::store::SmallBody;
use actix_web::HttpResponse;
use actix_web::http::header::HeaderName;
use std::sync::Arc;

/// A response, ready to be sent.
pub(crate) struct CachedResponse {
    /// From the status line on, without what [`CachedResponse::rest_of_head`] adds.
    pub(crate) head: Box<[u8]>,
    /// `None`: the response has no body.
    pub(crate) body: Option<Arc<SmallBody>>,
    /// When it expires, even if none of its rows changes.
    pub(crate) until: Option<Timestamp>,
    /// The header that carries the id of the request.
    pub(super) id_header: HeaderName,
    pub(crate) line: CachedLine,
}

impl CachedResponse {
    /// A response that is a head alone.
    #[cfg(test)]
    pub(crate) fn bare(head: &[u8]) -> Self {
        let request = actix_web::test::TestRequest::get().to_srv_request();
        let answer = request.into_response(HttpResponse::Ok().finish());
        Self {
            head: head.into(),
            body: None,
            until: None,
            id_header: crate::http::trace::X_REQUEST_ID,
            line: CachedLine::of(&answer, crate::http::face::Face::Api),
        }
    }

    /// The part of the head that differs for each response: `Date`, the request's id, and the empty line.
    pub(crate) fn rest_of_head(&self, date: &str, id: &RequestId) -> Vec<u8> {
        let mut rest = Vec::with_capacity(96);
        let name = self.id_header.as_str();
        for part in ["date: ", date, "\r\n", name, ": ", id.as_str(), "\r\n\r\n"] {
            rest.extend_from_slice(part.as_bytes());
        }
        rest
    }
}

/// How long a response is valid.
#[derive(Debug, Clone)]
pub(crate) struct Validity {
    /// Until one of these rows changes.
    pub(crate) stamp: VersionStamp,
    /// Until this moment at most.
    pub(crate) until: Option<Timestamp>,
}

/// The mark of a response that may be cached.
pub(super) struct Offer {
    pub(super) validity: Validity,
    /// The body of a 200.
    pub(super) body: Option<Arc<SmallBody>>,
}

/// Marks a response as one that may be cached: it depends on nothing but the request's method, target, host and
/// `If-None-Match`, and on rows.
pub(crate) fn offer(answer: &mut HttpResponse, validity: Validity, body: Option<SmallBody>) {
    let body = body.map(Arc::new);
    answer.extensions_mut().insert(Offer { validity, body });
}
