//! HTTP/2, as a gateway to HTTP/1.1: what the rest sees is the head that a gateway would hand on.
//!
//! Guarantees: a connection's streams, heads and buffers are bounded, and those of all connections together ([`memory`]);
//! so is what frames may cost that get nothing done ([`flood`]), and each wait for a reader. A server that stops, and a
//! connection that idles, say so (GOAWAY) before they close.
//! RFC 9113: <https://www.rfc-editor.org/rfc/rfc9113>

mod flood;
mod memory;

use super::activity::{Activity, Overdue};
use super::transport::Transport;
use super::{Answering, HEAD_TIME, LINGER, STALLED_READER, UnderWay};
use crate::clock::Clock;
use crate::http::limits::Pace;
use crate::http::memory::{Client, Share, SharedMemory};
use crate::s3::time;
use ::http::request::Parts;
use actix_http::body::{BodySize, BoxBody, MessageBody};
use actix_http::error::PayloadError;
use actix_http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_http::{Method, Payload, Request, Response, StatusCode, Uri, Version};
use bytes::Bytes;
use flood::{ANSWER_GAIN, Budget, Metered, data_gain};
use futures_util::Stream;
use h2::server::{self, Connection, SendResponse};
use h2::{Reason, RecvStream, SendStream};
pub(in crate::http) use memory::Pools;
use memory::{Allowance, AtWork, Lease, Piece};
use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// Requests under way on one connection.
const STREAMS: u32 = 100;
/// As HTTP/2 counts them, with 32 bytes more for each field. `limits` holds heads to less.
const HEAD_BYTES: u32 = 32 * 1024;
/// As many as HTTP/1.1 takes. Of fields that a client repeats by their number in a table each costs it a byte.
const FIELDS: usize = 96;
/// What a request under way takes besides its head, about.
const REQUEST_BYTES: u32 = 8192;
/// What a client may send of one body that was not read yet, where the connection's window allows so much.
const STREAM_WINDOW_BYTES: u32 = 512 * 1024;
/// What of one answer waits to be written.
const SEND_BUFFER_BYTES: usize = 64 * 1024;
/// Streams that were reset and whose late frames are ignored.
const RESET_STREAMS: usize = 32;
/// How long a refused body is read on whose client does not pause. Longer than over HTTP/1.1, where a client sees that the
/// connection closes: here it may wait for its window.
const REFUSED_BODY_TIME: Duration = Duration::from_secs(30);
/// How long a client's answer, or last frame, may take to be seen before its stream, or connection, ends.
const LAST_WORD: Duration = Duration::from_secs(1);

/// What the requests of a connection share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) peer: Option<SocketAddr>,
    pub(super) activity: Rc<Activity>,
    pub(super) clock: Clock,
    pub(super) pools: Pools,
    pub(super) connections: SharedMemory,
}

/// Serves a connection until it closes. `stop` ends when no further request is to be taken.
pub(super) async fn serve(
    transport: Transport,
    shared: &Shared,
    answer: impl Fn(Request) -> Answering,
    stop: impl Future<Output = ()>,
) {
    let activity = &shared.activity;
    activity.is_multiplexed();
    let budget = Rc::new(Budget::new());
    let client = Client::of_peer(shared.peer);
    let at_work = Rc::new(AtWork::new(shared.connections.clone(), client));
    let metered = Metered::new(transport, Rc::clone(&budget), Rc::clone(&at_work));
    let handshake = server::Builder::new()
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD_BYTES)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(memory::WINDOW_BYTES)
        .max_send_buffer_size(SEND_BUFFER_BYTES)
        .max_concurrent_reset_streams(RESET_STREAMS)
        .handshake::<_, Piece>(metered);
    let mut connection = tokio::select! {
        begun = timeout(HEAD_TIME, handshake) => match begun {
            Ok(Ok(connection)) => connection,
            _ => return,
        },
        _ = activity.overdue() => return,
    };
    let mut taking = Taking {
        shared,
        requests: shared.pools.requests(),
        answers: shared.pools.answers(),
        budget: Rc::clone(&budget),
        at_work: Rc::clone(&at_work),
        wide_window: None,
    };
    let mut stop = pin!(stop);
    let mut stopping = false;
    let last_word = loop {
        tokio::select! {
            accepted = connection.accept() => match accepted {
                Some(Ok((request, respond))) => {
                    if !request.body().is_end_stream() {
                        taking.widen_window(&mut connection);
                    }
                    taking.take(request, respond, &answer);
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
            () = budget.exceeded() => {
                tracing::info!(peer = ?shared.peer, "closed an HTTP/2 connection that flooded the server with frames");
                connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                break LAST_WORD;
            }
            () = at_work.evicted() => {
                tracing::debug!(peer = ?shared.peer, "closed an HTTP/2 connection to make room for others");
                connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                break LAST_WORD;
            }
            overdue = activity.overdue(), if !stopping => match overdue {
                Overdue::Idle => {
                    connection.graceful_shutdown();
                    break LINGER;
                }
                Overdue::Evicted => {
                    connection.abrupt_shutdown(Reason::NO_ERROR);
                    break LAST_WORD;
                }
            },
        }
    };
    let closed = poll_fn(|cx| connection.poll_closed(cx));
    let _ = timeout(last_word, closed).await;
}

/// Takes requests, each with its part of the connection's memory.
struct Taking<'a> {
    shared: &'a Shared,
    requests: Allowance,
    answers: Allowance,
    budget: Rc<Budget>,
    at_work: Rc<AtWork>,
    wide_window: Option<Lease>,
}

impl Taking<'_> {
    /// A body comes: lets more of it be under way, where all connections together leave room for that.
    fn widen_window(&mut self, connection: &mut Connection<Metered, Piece>) {
        if self.wide_window.is_none() {
            self.wide_window = self.shared.pools.wide_window();
            if self.wide_window.is_some() {
                connection.set_target_window_size(memory::WIDE_WINDOW_BYTES);
            }
        }
    }

    fn take(
        &self,
        request: ::http::Request<RecvStream>,
        mut respond: SendResponse<Piece>,
        answer: impl Fn(Request) -> Answering,
    ) {
        let (head, body) = request.into_parts();
        if head.headers.len() > FIELDS {
            let mut refusal = ::http::Response::new(());
            *refusal.status_mut() = ::http::StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            let _ = respond.send_response(refusal, true);
            return;
        }
        let head_bytes = head_bytes(&head);
        let Ok(at_work) = self.at_work.begin() else {
            respond.send_reset(Reason::REFUSED_STREAM);
            return;
        };
        // h2 counts a stream no more once it was reset; what carries its request out may still be under way.
        let Some(memory) = self.requests.try_take(REQUEST_BYTES + head_bytes) else {
            respond.send_reset(Reason::REFUSED_STREAM);
            return;
        };
        let incoming = Rc::new(RefCell::new(Some(body)));
        let body = Body {
            incoming: Rc::clone(&incoming),
            budget: Rc::clone(&self.budget),
        };
        let Some(request) = as_http1(&head, body, self.shared.peer) else {
            respond.send_reset(Reason::PROTOCOL_ERROR);
            return;
        };
        let reply = Reply {
            respond,
            is_head: request.method() == Method::HEAD,
            clock: self.shared.clock.clone(),
            answers: self.answers.clone(),
            gain: ANSWER_GAIN + u64::from(head_bytes),
            budget: Rc::clone(&self.budget),
            incoming,
            at_work,
            _memory: memory,
        };
        actix_web::rt::spawn(reply.send(answer(request)));
    }
}

/// What names and values take, with the target.
fn head_bytes(head: &Parts) -> u32 {
    let target = head
        .uri
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    let fields = head.headers.iter();
    let fields = fields.map(|(name, value)| name.as_str().len() + value.len() + 32);
    u32::try_from(target + fields.sum::<usize>()).unwrap_or(HEAD_BYTES)
}

/// A body as it comes. Where its request was answered before all of it was read, there is none any more.
type Incoming = Rc<RefCell<Option<RecvStream>>>;

struct Body {
    incoming: Incoming,
    budget: Rc<Budget>,
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
fn as_http1(head: &Parts, body: Body, peer: Option<SocketAddr>) -> Option<Request> {
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

/// Where an answer goes.
struct Reply {
    respond: SendResponse<Piece>,
    is_head: bool,
    clock: Clock,
    answers: Allowance,
    /// What the connection's budget gets back for the whole answer.
    gain: u64,
    budget: Rc<Budget>,
    incoming: Incoming,
    at_work: Rc<Share>,
    _memory: Lease,
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
        let unread = self.incoming.borrow_mut().take();
        let mut unread = unread.filter(|unread| !unread.is_end_stream());
        let mut discarded = 0;
        if !ends {
            let sent = tokio::select! {
                sent = send_body(&mut stream, body, &self.answers, &self.at_work) => sent,
                () = discard(unread.as_mut(), &mut discarded) => return,
            };
            if let Err(reason) = sent {
                stream.send_reset(reason);
                return;
            }
        }
        self.budget.earn(self.gain);
        // What is dropped unread is reset without an error (RFC 9113, 8.1). A client that sees this together with the answer
        // may take the upload for failed, and not look at the answer: curl 7.88 does.
        if let Some(unread) = &mut unread {
            self.read_on(&mut stream, unread, discarded).await;
            self.budget
                .earn(data_gain(unread.flow_control().used_capacity()));
        }
    }

    /// Reads what still comes of a refused body, until the client ends it, resets it or pauses: httpx does not look at the
    /// answer before it has sent all, and waits for the window meanwhile. `discarded`: bytes that were read and for which the
    /// window was not opened again.
    async fn read_on(
        &self,
        stream: &mut SendStream<Piece>,
        unread: &mut RecvStream,
        discarded: usize,
    ) {
        let end = Instant::now() + REFUSED_BODY_TIME;
        let mut read = discarded;
        loop {
            if read > 0 {
                let _ = unread.flow_control().release_capacity(read);
                self.budget.earn(data_gain(read));
            }
            let pause = (Instant::now() + LAST_WORD).min(end);
            let piece = tokio::select! {
                _ = poll_fn(|cx| stream.poll_reset(cx)) => return,
                piece = timeout_at(pause, unread.data()) => piece,
            };
            match piece {
                Ok(Some(Ok(piece))) => read = piece.len(),
                _ => return,
            }
        }
    }
}

/// Drops what comes of a body that is not read any more, for as long as the answer is sent: h2 would keep it, and with each
/// frame the buffer that it came in, of which other frames may have filled more than what the window counts. The window
/// stays as it is, so that little comes. It does not end.
async fn discard(unread: Option<&mut RecvStream>, discarded: &mut usize) {
    if let Some(unread) = unread {
        while let Some(Ok(piece)) = unread.data().await {
            *discarded += piece.len();
        }
    }
    pending::<()>().await;
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
    if let Ok(status) = ::http::StatusCode::from_u16(answer.status().as_u16()) {
        *head.status_mut() = status;
    }
    let headers = head.headers_mut();
    headers.reserve(answer.headers().len() + 2);
    for (name, value) in answer.headers() {
        if OF_A_CONNECTION.contains(name) {
            continue;
        }
        let name = ::http::HeaderName::from_bytes(name.as_str().as_bytes());
        let value = ::http::HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    if let BodySize::Sized(bytes) = size {
        headers.insert(::http::header::CONTENT_LENGTH, bytes.into());
    }
    if let Ok(date) = ::http::HeaderValue::from_str(&time::http_date(clock.now())) {
        headers.entry(::http::header::DATE).or_insert(date);
    }
    head
}

/// Sends a body to its end, or says why its stream is to be reset.
async fn send_body(
    stream: &mut SendStream<Piece>,
    body: UnderWay,
    answers: &Allowance,
    at_work: &Rc<Share>,
) -> Result<(), Reason> {
    let mut left = match body.size() {
        BodySize::Sized(bytes) => usize::try_from(bytes).ok(),
        _ => None,
    };
    let mut body = pin!(body);
    let mut pace = Pace::of_a_reader();
    let mut memory = None;
    loop {
        if let Some(left) = left.filter(|left| *left > 0) {
            // A piece that waits for its reader takes memory, so it is made when the reader takes some.
            let asked_at = Instant::now();
            capacity(stream, 1).await?;
            if memory.is_none() {
                memory = Some(lease(answers, left).await?);
            }
            pace.count(asked_at.elapsed(), 0)
                .map_err(|_| Reason::CANCEL)?;
        }
        let Some(piece) = poll_fn(|cx| body.as_mut().poll_next(cx)).await else {
            break;
        };
        // What was begun cannot be made good: the client must see that it is not whole.
        let mut piece = piece.map_err(|_| Reason::INTERNAL_ERROR)?;
        while !piece.is_empty() {
            let asked_at = Instant::now();
            let capacity = capacity(stream, piece.len()).await?;
            let mut from = match memory.take() {
                Some(memory) => memory,
                None => lease(answers, piece.len()).await?,
            };
            let bytes = capacity.min(piece.len()).min(from.num_permits());
            let Some(part_memory) = from.split(bytes) else {
                return Err(Reason::INTERNAL_ERROR);
            };
            // It is used up before more is asked for: two streams might wait for each other's.
            memory = Some(from).filter(|from| from.num_permits() > 0);
            pace.count(asked_at.elapsed(), bytes)
                .map_err(|_| Reason::CANCEL)?;
            let part = Piece::new(piece.split_to(bytes), part_memory, Rc::clone(at_work));
            stream.send_data(part, false).map_err(|_| Reason::CANCEL)?;
            left = left.map(|left| left.saturating_sub(bytes));
        }
    }
    stream
        .send_data(Piece::empty(), true)
        .map_err(|_| Reason::CANCEL)
}

/// Waits until some of `wanted` may be sent, and says how much. A reader of HTTP/2 can stall while its connection is well.
async fn capacity(stream: &mut SendStream<Piece>, wanted: usize) -> Result<usize, Reason> {
    stream.reserve_capacity(wanted);
    if stream.capacity() > 0 {
        return Ok(stream.capacity());
    }
    match timeout(STALLED_READER, poll_fn(|cx| stream.poll_capacity(cx))).await {
        Ok(Some(Ok(capacity))) => Ok(capacity),
        _ => Err(Reason::CANCEL),
    }
}

/// Memory for some of `wanted`.
async fn lease(answers: &Allowance, wanted: usize) -> Result<Lease, Reason> {
    let bytes = wanted.min(SEND_BUFFER_BYTES);
    let bytes = u32::try_from(bytes).unwrap_or(memory::ANSWERS_BYTES);
    match timeout(STALLED_READER, answers.take(bytes)).await {
        Ok(Some(lease)) => Ok(lease),
        _ => Err(Reason::CANCEL),
    }
}
