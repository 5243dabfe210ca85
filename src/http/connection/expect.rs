//! `Expect: 100-continue`: the server asks the client for the body when a handler first reads it, and not before.
//!
//! The request is carried out like any other. If the handler answers without reading the body (the signature does not
//! hold, the bucket does not exist, an `If-Match` fails), the client gets that response in place of the 100. When the
//! handler first reads the body, the client gets the 100 and the handler goes on. So no handler has to know of it. RFC
//! 9110, 10.1.1: <https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1>

use crate::http::connection::answering::ResponseFuture;
use actix_http::body::{BoxBody, MessageBody};
use actix_http::error::PayloadError;
use actix_http::{BoxedPayloadStream, HttpMessage, Payload, Request, Response};
use bytes::Bytes;
use futures_util::Stream;
use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// The handler of a request, paused until the body arrives.
struct PausedHandler(ResponseFuture);

/// Runs a request's handler until it reads the body. [`resume`] continues it once the 100 is sent.
///
/// # Errors
/// The response, where the handler did not read the body.
pub(super) async fn begin(
    answer: impl FnOnce(Request) -> ResponseFuture,
    request: Request,
) -> Result<Request, Response<BoxBody>> {
    let (request, payload) = request.replace_payload::<BoxedPayloadStream>(Payload::None);
    let wanted = Rc::new(Cell::new(false));
    let payload: BoxedPayloadStream = Box::pin(ObservedBody {
        payload,
        wanted: Rc::clone(&wanted),
    });
    let (request, _) = request.replace_payload(Payload::Stream { payload });
    let mut answering = answer(request);
    let answered = poll_fn(|cx| match answering.as_mut().poll(cx) {
        Poll::Ready(answered) => Poll::Ready(Some(answered)),
        Poll::Pending if wanted.get() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    match answered.await {
        None => {
            let request = Request::new();
            request.extensions_mut().insert(PausedHandler(answering));
            Ok(request)
        }
        Some(Ok(answered)) => Err(Response::from(answered).map_body(|_, body| body.boxed())),
        Some(Err(error)) => Err(error.into()),
    }
}

/// The paused handler to continue, where `request` is one that [`begin`] paused.
pub(super) fn resume(request: &Request) -> Option<ResponseFuture> {
    let paused = request.extensions_mut().remove::<PausedHandler>();
    paused.map(|paused| paused.0)
}

/// A body that records when it is first read.
struct ObservedBody {
    payload: Payload,
    wanted: Rc<Cell<bool>>,
}

impl Stream for ObservedBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.wanted.set(true);
        Pin::new(&mut self.payload).poll_next(cx)
    }
}
