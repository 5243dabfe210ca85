//! HTTP/2, as a gateway to HTTP/1.1: what the rest sees is the head that a gateway would hand on.
//!
//! Guarantees: a connection's streams, heads and buffers are bounded, as is each wait for a reader; a server that stops,
//! and a connection that idles, say so (GOAWAY) before they close. actix's own dispatcher sets none of these bounds.
//! RFC 9113: <https://www.rfc-editor.org/rfc/rfc9113>

use super::stream::Stream;
use super::{Answering, HEAD_TIME, LINGER, STALLED_READER, UnderWay};
use crate::clock::Clock;
use crate::http::limits::Pace;
use crate::s3::time;
use actix_http::body::{BodySize, BoxBody, MessageBody};
use actix_http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_http::{Method, Payload, Request, Response, StatusCode, Uri, Version};
use bytes::Bytes;
use h2::server::{self, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

/// Requests under way on one connection.
const STREAMS: u32 = 100;
/// As HTTP/2 counts them, with 32 bytes more for each field. `limits` holds heads to less.
const HEAD_BYTES: u32 = 64 * 1024;
/// What a client may send that nobody has read yet: of one body, and on all of a connection.
const STREAM_WINDOW_BYTES: u32 = 512 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// What of one answer waits to be written.
const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// Serves a connection until it closes. `stop` ends when no further request is to be taken.
pub(super) async fn serve(
    stream: Stream,
    peer: Option<SocketAddr>,
    clock: &Clock,
    answer: impl Fn(Request) -> Answering,
    stop: impl Future<Output = ()>,
) {
    let activity = Rc::clone(stream.activity());
    activity.is_multiplexed();
    let handshake = server::Builder::new()
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD_BYTES)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buffer_size(SEND_BUFFER_BYTES)
        .handshake::<_, Bytes>(stream);
    let Ok(Ok(mut connection)) = timeout(HEAD_TIME, handshake).await else {
        return;
    };
    // h2 counts a stream no more once it was reset; what carries its request out may still be under way.
    let places = Arc::new(Semaphore::new(STREAMS as usize));
    let mut stop = pin!(stop);
    let mut stopping = false;
    loop {
        tokio::select! {
            accepted = connection.accept() => match accepted {
                Some(Ok((request, mut respond))) => {
                    let place = places.clone().try_acquire_owned();
                    match (as_http1(request, peer), place) {
                        (Some(request), Ok(place)) => {
                            let reply = Reply {
                                respond,
                                is_head: request.method() == Method::HEAD,
                                clock: clock.clone(),
                                _place: place,
                            };
                            actix_web::rt::spawn(reply.send(answer(request)));
                        }
                        (Some(_), Err(_)) => respond.send_reset(Reason::REFUSED_STREAM),
                        (None, _) => respond.send_reset(Reason::PROTOCOL_ERROR),
                    }
                }
                Some(Err(error)) => {
                    tracing::debug!(%error, "an HTTP/2 connection broke");
                    return;
                }
                None => return,
            },
            () = &mut stop, if !stopping => {
                stopping = true;
                connection.graceful_shutdown();
            }
            () = activity.overdue(), if !stopping => {
                connection.graceful_shutdown();
                let closed = poll_fn(|cx| connection.poll_closed(cx));
                let _ = timeout(LINGER, closed).await;
                return;
            }
        }
    }
}

/// The request as HTTP/1.1 would state it: `:authority` is `Host`, and a body of unstated length is chunked. `None`
/// where they name two hosts (RFC 9113, 8.3.1).
fn as_http1(request: ::http::Request<RecvStream>, peer: Option<SocketAddr>) -> Option<Request> {
    let (head, body) = request.into_parts();
    let mut headers = HeaderMap::from(head.headers);
    if let Some(authority) = head.uri.authority() {
        let host = HeaderValue::from_str(authority.as_str()).ok()?;
        let mut stated = headers.get_all(header::HOST);
        if stated.any(|stated| !stated.as_bytes().eq_ignore_ascii_case(host.as_bytes())) {
            return None;
        }
        headers.insert(header::HOST, host);
    }
    let is_empty = body.is_end_stream();
    if !is_empty && !headers.contains_key(header::CONTENT_LENGTH) {
        headers.insert(
            header::TRANSFER_ENCODING,
            HeaderValue::from_static("chunked"),
        );
    }
    let mut request = Request::with_payload(if is_empty {
        Payload::None
    } else {
        Payload::from(body)
    });
    let new = request.head_mut();
    new.uri = origin_form(&head.uri);
    new.method = head.method;
    new.version = Version::HTTP_2;
    new.headers = headers;
    new.peer_addr = peer;
    Some(request)
}

/// Path and query alone.
fn origin_form(uri: &Uri) -> Uri {
    uri.path_and_query()
        .cloned()
        .map_or_else(|| Uri::from_static("/"), Uri::from)
}

/// Where an answer goes.
struct Reply {
    respond: SendResponse<Bytes>,
    is_head: bool,
    clock: Clock,
    _place: OwnedSemaphorePermit,
}

impl Reply {
    /// Sends what is answered. Whatever ends it early ends this stream alone.
    async fn send(mut self, answering: Answering) {
        let answered = tokio::select! {
            answered = answering => answered,
            // As with a client of HTTP/1.1 that went away: nobody waits for it any more.
            _ = poll_fn(|cx| self.respond.poll_reset(cx)) => return,
        };
        let answer: Response<UnderWay> = match answered {
            Ok(answer) => answer.into(),
            Err(error) => Response::<BoxBody>::from(error).map_body(|_, body| body.into()),
        };
        let (answer, body) = answer.into_parts();
        let size = body_size(answer.status(), body.size());
        let ends = self.is_head || matches!(size, BodySize::None | BodySize::Sized(0));
        let head = as_http2(&answer, size, &self.clock);
        let Ok(mut stream) = self.respond.send_response(head, ends) else {
            return;
        };
        if !ends && let Err(reason) = send_body(&mut stream, body).await {
            stream.send_reset(reason);
        }
    }
}

fn body_size(status: StatusCode, size: BodySize) -> BodySize {
    if [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status) {
        BodySize::None
    } else {
        size
    }
}

fn as_http2(answer: &Response<()>, size: BodySize, clock: &Clock) -> ::http::Response<()> {
    /// RFC 9113, 8.2.2: what concerns a connection of HTTP/1.1.
    const OF_A_CONNECTION: [HeaderName; 4] = [
        header::CONNECTION,
        HeaderName::from_static("keep-alive"),
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    let mut head = ::http::Response::new(());
    *head.status_mut() = answer.status();
    let headers = head.headers_mut();
    for (name, value) in answer.headers() {
        if !OF_A_CONNECTION.contains(name) {
            headers.append(name, value.clone());
        }
    }
    if let BodySize::Sized(bytes) = size {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    }
    if let Ok(date) = HeaderValue::from_str(&time::http_date(clock.now())) {
        headers.entry(header::DATE).or_insert(date);
    }
    head
}

/// Sends a body to its end, or says why its stream is to be reset.
async fn send_body(stream: &mut SendStream<Bytes>, body: UnderWay) -> Result<(), Reason> {
    let mut body = pin!(body);
    let mut pace = Pace::of_a_reader();
    while let Some(piece) = poll_fn(|cx| body.as_mut().poll_next(cx)).await {
        // What was begun cannot be made good: the client must see that it is not whole.
        let mut piece = piece.map_err(|_| Reason::INTERNAL_ERROR)?;
        while !piece.is_empty() {
            stream.reserve_capacity(piece.len());
            // A reader of HTTP/2 can stall while its connection is well.
            let asked_at = Instant::now();
            let capacity = timeout(STALLED_READER, poll_fn(|cx| stream.poll_capacity(cx)));
            let Ok(Some(Ok(capacity))) = capacity.await else {
                return Err(Reason::CANCEL);
            };
            let part = piece.split_to(capacity.min(piece.len()));
            pace.count(asked_at.elapsed(), part.len())
                .map_err(|_| Reason::CANCEL)?;
            stream.send_data(part, false).map_err(|_| Reason::CANCEL)?;
        }
    }
    stream
        .send_data(Bytes::new(), true)
        .map_err(|_| Reason::CANCEL)
}
