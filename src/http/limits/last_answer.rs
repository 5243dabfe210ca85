//! An answer that leaves a part of its request's body unread.

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web;
use bytes::Bytes;
use std::pin::Pin;
use std::task::{Context, Poll};

/// An answer's body that keeps the request's unread one. As long as that lives the server knows that the client may
/// still be sending, and lingers after the answer, reading, before it closes; a dropped one it would read for ever.
pub(super) struct Held {
    body: BoxBody,
    _payload: web::Payload,
}

impl Held {
    pub(super) fn new(body: BoxBody, payload: web::Payload) -> Self {
        Self {
            body,
            _payload: payload,
        }
    }
}

impl MessageBody for Held {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}
