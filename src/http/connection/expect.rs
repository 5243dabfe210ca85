//! `Expect: 100-continue`: the body is asked for when somebody wants to read it, and not before.
//!
//! The request is carried out as any other. Where it is answered without a look at its body (a signature that does not
//! hold, a bucket that is not there, an `If-Match` that fails), that answer is sent in place of the 100; where the body
//! is first read, the 100 is sent, and the rest goes on from there. So no handler knows of it.
//! RFC 9110, 10.1.1: <https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1>

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

/// A request that waits for its body.
struct Begun(ResponseFuture);

/// Carries out a request until its body is wanted. What it answers goes to [`resume`] once the 100 is sent.
///
/// # Errors
/// The answer, where the body was not wanted.
pub(super) async fn begin(
    answer: impl FnOnce(Request) -> ResponseFuture,
    request: Request,
) -> Result<Request, Response<BoxBody>> {
    let (request, payload) = request.replace_payload::<BoxedPayloadStream>(Payload::None);
    let wanted = Rc::new(Cell::new(false));
    let payload: BoxedPayloadStream = Box::pin(Awaited {
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
            request.extensions_mut().insert(Begun(answering));
            Ok(request)
        }
        Some(Ok(answered)) => Err(Response::from(answered).map_body(|_, body| body.boxed())),
        Some(Err(error)) => Err(error.into()),
    }
}

/// The rest of what was begun, where this request stands for one.
pub(super) fn resume(request: &Request) -> Option<ResponseFuture> {
    let begun = request.extensions_mut().remove::<Begun>();
    begun.map(|begun| begun.0)
}

/// A body that notes when it is first asked for.
struct Awaited {
    payload: Payload,
    wanted: Rc<Cell<bool>>,
}

impl Stream for Awaited {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.wanted.set(true);
        Pin::new(&mut self.payload).poll_next(cx)
    }
}
