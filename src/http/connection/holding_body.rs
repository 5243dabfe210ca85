//! The body of a response that keeps a value until it was sent, or was given up.

use actix_http::body::{BodySize, BoxBody, MessageBody};
use bytes::Bytes;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Dropped together with the body.
pub(crate) struct HoldingBody<T> {
    body: BoxBody,
    _held: T,
}

impl<T> HoldingBody<T> {
    pub(crate) fn new(body: BoxBody, held: T) -> Self {
        Self { body, _held: held }
    }
}

impl<T: Default> From<BoxBody> for HoldingBody<T> {
    fn from(body: BoxBody) -> Self {
        Self::new(body, T::default())
    }
}

impl<T: Unpin> MessageBody for HoldingBody<T> {
    type Error = <BoxBody as MessageBody>::Error;

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
