//! A request of HTTP/2, translated to HTTP/1.1 as a gateway would do.

use crate::http::connection::http2::flood::{Budget, data_gain};
use ::http::request::Parts;
use actix_http::error::PayloadError;
use actix_http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_http::{Method, Payload, Request, Uri, Version};
use bytes::Bytes;
use futures_util::Stream;
use h2::RecvStream;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// The most bytes of a head, as HTTP/2 counts them, with 32 bytes more for each field. The limit of
/// [`crate::http::head_limit`] is lower.
pub(super) const HEAD_BYTES: u32 = 32 * 1024;

/// The bytes of names and values, with the target.
pub(super) fn head_bytes(head: &Parts) -> u32 {
    let target = head
        .uri
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    let fields = head.headers.iter();
    let fields = fields.map(|(name, value)| name.as_str().len() + value.len() + 32);
    u32::try_from(target + fields.sum::<usize>()).unwrap_or(HEAD_BYTES)
}

/// A body as it arrives. `None` once its request was answered before all of the body was read.
pub(super) type Incoming = Rc<RefCell<Option<RecvStream>>>;

pub(super) struct Body {
    pub(super) incoming: Incoming,
    pub(super) budget: Rc<Budget>,
}

impl Body {
    fn is_end(&self) -> bool {
        let incoming = self.incoming.borrow();
        incoming.as_ref().is_some_and(RecvStream::is_end_stream)
    }
}

impl Stream for Body {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut incoming = self.incoming.borrow_mut();
        let Some(stream) = incoming.as_mut() else {
            return Poll::Ready(Some(Err(PayloadError::Incomplete(None))));
        };
        let Some(piece) = ready!(stream.poll_data(cx)) else {
            return Poll::Ready(None);
        };
        let piece = piece.and_then(|piece| {
            let window = stream.flow_control();
            window.release_capacity(piece.len()).map(|()| piece)
        });
        Poll::Ready(Some(match piece {
            Ok(piece) => {
                self.budget.earn(data_gain(piece.len()));
                Ok(piece)
            }
            Err(error) => {
                tracing::debug!(%error, "a body of HTTP/2 ended early");
                Err(PayloadError::Incomplete(None))
            }
        }))
    }
}

/// The request as HTTP/1.1 would state it: `:authority` is `Host`, and a body of unstated length is chunked. `None`
/// where they name two hosts (RFC 9113, 8.3.1).
pub(super) fn as_http1(head: &Parts, body: Body, peer: Option<SocketAddr>) -> Option<Request> {
    let mut headers = HeaderMap::with_capacity(head.headers.len());
    for (name, value) in &head.headers {
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).ok()?);
    }
    if let Some(authority) = head.uri.authority() {
        let host = HeaderValue::from_str(authority.as_str()).ok()?;
        let mut stated = headers.get_all(header::HOST);
        if stated.any(|stated| !stated.as_bytes().eq_ignore_ascii_case(host.as_bytes())) {
            return None;
        }
        headers.insert(header::HOST, host);
    }
    if headers.get_all(header::HOST).count() > 1 {
        return None;
    }
    let is_empty = body.is_end();
    if !is_empty && !headers.contains_key(header::CONTENT_LENGTH) {
        headers.insert(
            header::TRANSFER_ENCODING,
            HeaderValue::from_static("chunked"),
        );
    }
    let payload: Payload = if is_empty {
        Payload::None
    } else {
        Payload::Stream {
            payload: Box::pin(body),
        }
    };
    let mut request = Request::with_payload(payload);
    let new = request.head_mut();
    new.uri = origin_form(&head.uri)?;
    new.method = Method::from_bytes(head.method.as_str().as_bytes()).ok()?;
    new.version = Version::HTTP_2;
    new.headers = headers;
    new.peer_addr = peer;
    Some(request)
}

/// Path and query alone.
fn origin_form(uri: &::http::Uri) -> Option<Uri> {
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    target.parse().ok()
}
