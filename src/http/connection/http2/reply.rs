//! Sends the response to a request of HTTP/2, and reads the rest of a body that the response refuses.

use crate::clock::Clock;
use crate::http::connection::answering::{ResponseFuture, TrackedBody};
use crate::http::connection::http2::flood::{Budget, data_gain};
use crate::http::connection::http2::memory::{ANSWERS_BYTES, Allowance, Lease, Piece};
use crate::http::connection::http2::request::Incoming;
use crate::http::connection::timeouts::STALLED_READER;
use crate::http::memory::Share;
use crate::http::pace::Pace;
use crate::s3::time::http_date;
use actix_http::body::{BodySize, BoxBody, MessageBody};
use actix_http::header::{self, HeaderName};
use actix_http::{Response, StatusCode};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// How much of one response may wait to be written.
pub(super) const SEND_BUFFER_BYTES: usize = 64 * 1024;
/// How long the rest of a refused body is read while its client does not pause. Longer than over HTTP/1.1, where a
/// client sees that the connection closes: here it may wait for its window.
const REFUSED_BODY_TIME: Duration = Duration::from_secs(30);
/// How long a response, or a last frame, may take to reach the client before its stream, or connection, ends.
pub(super) const LAST_WORD: Duration = Duration::from_secs(1);

/// The stream that a response is sent on.
pub(super) struct Reply {
    pub(super) respond: SendResponse<Piece>,
    pub(super) is_head: bool,
    pub(super) clock: Clock,
    pub(super) answers: Allowance,
    /// The amount that the connection's budget gets back for the whole response.
    pub(super) gain: u64,
    pub(super) budget: Rc<Budget>,
    pub(super) incoming: Incoming,
    pub(super) at_work: Rc<Share>,
    pub(super) _memory: Lease,
}

impl Reply {
    /// Sends the response. A failure ends this stream alone.
    pub(super) async fn send(mut self, answering: ResponseFuture) {
        let answered = tokio::select! {
            answered = answering => answered,
            // The client reset the stream: as with a closed connection of HTTP/1.1, no client waits for the response
            // any more.
            _ = poll_fn(|cx| self.respond.poll_reset(cx)) => return,
        };
        let answer: Response<TrackedBody> = match answered {
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
        // A body that is dropped unread is reset without an error (RFC 9113, 8.1). A client that sees this together
        // with the response may take the upload for failed, and ignore the response: curl 7.88 does.
        if let Some(unread) = &mut unread {
            self.read_on(&mut stream, unread, discarded).await;
            self.budget
                .earn(data_gain(unread.flow_control().used_capacity()));
        }
    }

    /// Reads the rest of a refused body until the client ends it, resets it or pauses: httpx does not look at the
    /// response before it has sent all, and waits for the window meanwhile. `discarded`: bytes that were read without
    /// opening the window again.
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

/// Drops the arriving bytes of a body that is not read any more, for as long as the response is being sent. Otherwise
/// h2 would keep them, and with each frame its whole receive buffer, which other frames may have filled with more than
/// the window counts. The window stays as it is, so that few bytes arrive. Never ends.
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
    /// RFC 9113, 8.2.2: headers that concern a connection of HTTP/1.1.
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
    if let Ok(date) = ::http::HeaderValue::from_str(&http_date(clock.now())) {
        headers.entry(::http::header::DATE).or_insert(date);
    }
    head
}

/// Sends a body to its end, or returns the reason for which its stream must be reset.
async fn send_body(
    stream: &mut SendStream<Piece>,
    body: TrackedBody,
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
            // A piece that waits for its reader takes memory, so it is made only once the reader has room for some.
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
        // A body that was begun cannot be replaced: the client must see that it is incomplete.
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
            // A lease is used up before more is requested: otherwise two streams might wait for each other's.
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

/// Waits until some of `wanted` may be sent, and says how much. A reader of HTTP/2 can stall while its connection
/// works.
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
    let bytes = u32::try_from(bytes).unwrap_or(ANSWERS_BYTES);
    match timeout(STALLED_READER, answers.take(bytes)).await {
        Ok(Some(lease)) => Ok(lease),
        _ => Err(Reason::CANCEL),
    }
}
