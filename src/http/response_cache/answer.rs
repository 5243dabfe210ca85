//! An answer that is kept, and what a handler says of one that may be.

use crate::cache::Stamp;
use crate::clock::Timestamp;
use crate::http::trace::RequestId;
use crate::store::SmallBody;
use actix_web::HttpResponse;
use actix_web::http::header::HeaderName;
use std::sync::Arc;

/// An answer, ready to be sent.
pub(crate) struct Repeat {
    /// From the status line on, without what [`Repeat::rest_of_head`] adds.
    pub(crate) head: Box<[u8]>,
    /// `None`: there are no bytes.
    pub(crate) body: Option<Arc<SmallBody>>,
    /// When it ceases to hold, whatever happens.
    pub(crate) until: Option<Timestamp>,
    /// The header that tells the request's id.
    pub(super) id_header: HeaderName,
}

impl Repeat {
    /// Of a head alone.
    #[cfg(test)]
    pub(crate) fn bare(head: &[u8]) -> Self {
        Self {
            head: head.into(),
            body: None,
            until: None,
            id_header: crate::http::trace::X_REQUEST_ID,
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
    pub(crate) stamp: Stamp,
    pub(crate) until: Option<Timestamp>,
}

/// What a handler says of its answer.
pub(super) struct Offer {
    pub(super) repeats: Repeats,
    /// Of a 200.
    pub(super) body: Option<Arc<SmallBody>>,
}

/// Says that an answer depends on nothing but the request's method, target, host and `If-None-Match`, and on rows.
pub(crate) fn offer(answer: &mut HttpResponse, repeats: Repeats, body: Option<SmallBody>) {
    let body = body.map(Arc::new);
    answer.extensions_mut().insert(Offer { repeats, body });
}
