//! A response that leaves a part of its request's body unread.

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web;
use bytes::Bytes;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The body of a response that keeps the unread body of its request alive. As long as that lives, actix knows that the
/// client may still be sending: after the response it reads on for a while before it closes. If the unread body were
/// dropped, actix would read it for ever.
pub(super) struct LingeringBody {
    body: BoxBody,
    _payload: web::Payload,
}

impl LingeringBody {
    pub(super) fn new(body: BoxBody, payload: web::Payload) -> Self {
        Self {
            body,
            _payload: payload,
        }
    }
}

impl MessageBody for LingeringBody {
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
