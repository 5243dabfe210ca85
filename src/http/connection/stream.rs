//! A connection of HTTP/1.1: which bytes actix reads, and when.
//!
//! Guarantees: actix gets one request at a time, head and body, and no byte of the next one before its response was
//! written. (actix decides by the last head that it read whether responses have bodies, so requests that it reads
//! together get each other's framing.) A head is forwarded when it is complete. After a response that says that the
//! connection closes, nothing is read as a request. Refuses to know what requests mean.

use crate::http::connection::fast_path::{Dispatch, FastPath, Sending};
use crate::http::connection::framing::{Remaining, answer_closes};
use crate::http::connection::head_memory::{HEAD_BYTES, HeadMemory, LongHead};
use crate::http::connection::state::ConnectionState;
use crate::http::connection::transport::Transport;
use crate::http::connection::unparsed;
use bytes::{Buf, Bytes, BytesMut};
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much is read at once, except of bodies.
const READ_BYTES: usize = 4096;
/// An incomplete head of up to this length is parsed whenever more of it arrives, a longer one at the end of each line.
const SHORT_HEAD_BYTES: usize = 4096;
/// How much is read from a client that goes on sending after the last response of its connection, so that it sees the
/// response.
const LINGER_BYTES: usize = 1024 * 1024;

/// The stream of a connection. It tells the connection's [`ConnectionState`] what it receives and sends, and replaces
/// actix's error responses without a body to requests that cannot be parsed ([`unparsed`]). Between two requests that
/// actix answers, the fast path answers requests whose responses are cached; actix does not see them. The first request
/// of a connection is always forwarded to actix, which limits the time of its head.
pub(super) struct Stream {
    transport: Transport,
    state: Rc<ConnectionState>,
    fast_path: FastPath,
    /// The response that the fast path is sending.
    sending: Option<Sending>,
    /// The full error response that replaces actix's bare one.
    refusal: Option<Bytes>,
    /// Received and not forwarded yet.
    received: BytesMut,
    /// This many bytes of it were parsed and are an incomplete head.
    incomplete: usize,
    heads: HeadMemory,
    /// The incomplete head is longer than [`SHORT_HEAD_BYTES`].
    long_head: Option<LongHead>,
    forward: ForwardState,
    /// actix has not begun to write its response.
    awaits_answer: bool,
    shutdown: Shutdown,
}

/// The state of the request that was forwarded to actix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ForwardState {
    /// actix has answered all that was forwarded.
    Idle,
    Request {
        remaining: Remaining,
        /// The number of responses before its own.
        answers: u64,
        /// Its response says that the connection closes.
        closes: bool,
    },
    /// The last request of this connection. Bytes after it are not read.
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shutdown {
    No,
    /// Our side is closed; this many bytes were read since.
    Lingering(usize),
}

impl Stream {
    pub(super) fn new(
        transport: Transport,
        state: Rc<ConnectionState>,
        fast_path: FastPath,
        heads: HeadMemory,
    ) -> Self {
        Self {
            transport,
            state,
            fast_path,
            sending: None,
            refusal: None,
            received: BytesMut::new(),
            incomplete: 0,
            heads,
            long_head: None,
            forward: ForwardState::Idle,
            awaits_answer: false,
            shutdown: Shutdown::No,
        }
    }

    pub(super) fn state(&self) -> &Rc<ConnectionState> {
        &self.state
    }

    /// Sends the response of the fast path.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(sending) = &mut self.sending {
            if sending.is_all_sent() {
                ready!(self.transport.poll_flush(cx))?;
                self.sending = None;
                self.state.note_sent_all();
                continue;
            }
            let Poll::Ready(sent) = self.transport.poll_write_vectored(cx, &sending.left()) else {
                sending.note_stalled();
                return Poll::Pending;
            };
            let sent = sent?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let advanced = sending.advance(sent);
            advanced.map_err(|_| io::ErrorKind::TimedOut)?;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_refuse(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(left) = &mut self.refusal {
            if !left.has_remaining() {
                ready!(self.transport.poll_flush(cx))?;
                self.refusal = None;
                // The refused request may still be coming.
                self.forward = ForwardState::Closed;
                continue;
            }
            let sent = ready!(self.transport.poll_write(cx, left))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            left.advance(sent);
        }
        Poll::Ready(Ok(()))
    }

    /// A complete request was forwarded and is being answered. Bytes that arrive meanwhile wait. The end of the stream
    /// is reported only when the body's reader has taken all of it: otherwise actix takes the body for incomplete.
    fn poll_wait_for_answer(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.state.wait_to_forward(cx.waker());
        if self.received.is_empty() {
            ready!(self.poll_receive(cx))?;
        }
        if self.received.is_empty() && !self.state.buffers_any() {
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }

    /// Receives more bytes, and returns how many; 0 at the end of the stream.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = [MaybeUninit::uninit(); READ_BYTES];
        let mut read = ReadBuf::uninit(&mut space);
        ready!(self.transport.poll_read(cx, &mut read))?;
        if self.received.is_empty() {
            // A new buffer, not the rest of the old one: an idle connection keeps no buffer.
            self.received = BytesMut::from(read.filled());
        } else {
            self.received.extend_from_slice(read.filled());
        }
        Poll::Ready(Ok(read.filled().len()))
    }

    /// Notes whether the forwarded request has been answered.
    fn note_answer(&mut self) {
        if let ForwardState::Request {
            remaining,
            answers,
            closes,
        } = self.forward
            && self.state.is_at_rest()
            && self.state.answers() > answers
        {
            // The rest of a body that was answered early is forwarded: actix reads it and drops it.
            if remaining.is_nothing() && !closes {
                self.forward = ForwardState::Idle;
            } else if remaining.is_nothing() || remaining == Remaining::UntilClose {
                self.forward = ForwardState::Closed;
            }
        }
    }

    /// Answers requests whose responses are cached, until a complete request has arrived whose response is not, or no
    /// more bytes arrive. `received` then holds the bytes to forward.
    fn poll_fast_path(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_send(cx))?;
            ready!(self.poll_refuse(cx))?;
            self.note_answer();
            if self.forward != ForwardState::Idle {
                return Poll::Ready(Ok(()));
            }
            if !self.has_room_for_head(cx) {
                self.long_head = None;
                self.refusal = Some(unparsed::no_room());
                continue;
            }
            if self.received.len() == self.incomplete {
                if ready!(self.poll_receive(cx))? == 0 {
                    if !self.received.is_empty() {
                        self.begin_forward(Remaining::UntilClose);
                    }
                    return Poll::Ready(Ok(()));
                }
                self.state.note_received();
            }
            if self.incomplete > SHORT_HEAD_BYTES
                && !self.received[self.incomplete..].contains(&b'\n')
                && self.received.len() < HEAD_BYTES
            {
                self.incomplete = self.received.len();
                continue;
            }
            let answers = self.state.answers();
            match self.fast_path.dispatch(&self.received, answers > 0) {
                Dispatch::Cached { length, answer } => {
                    self.received.advance(length);
                    self.incomplete = 0;
                    self.long_head = None;
                    self.sending = Some(Sending::begin(answer, self.state.begin_request()));
                }
                Dispatch::Forward(remaining) => self.begin_forward(remaining),
                Dispatch::Incomplete if self.received.len() >= HEAD_BYTES => {
                    self.long_head = None;
                    self.refusal = Some(unparsed::head_too_large());
                }
                Dispatch::Incomplete => {
                    skip_empty_lines(&mut self.received);
                    self.incomplete = self.received.len();
                    // These bytes may have arrived before the previous request was answered.
                    self.state.note_received();
                }
            }
        }
    }

    /// Whether the incomplete head may stay in memory.
    fn has_room_for_head(&mut self, cx: &mut Context<'_>) -> bool {
        if self.incomplete <= SHORT_HEAD_BYTES {
            return true;
        }
        if self.long_head.is_none() {
            self.long_head = self.heads.begin();
        }
        let Some(head) = &mut self.long_head else {
            return false;
        };
        head.evicted.as_mut().poll(cx).is_pending()
    }

    fn begin_forward(&mut self, remaining: Remaining) {
        self.incomplete = 0;
        self.long_head = None;
        self.awaits_answer = true;
        self.forward = ForwardState::Request {
            remaining,
            answers: self.state.answers(),
            closes: false,
        };
        self.state.begin_forward();
    }

    /// Forwards those of `bytes` that belong to the request, records that, and returns how many they are.
    fn forward(&mut self, bytes: &[u8]) -> usize {
        let ForwardState::Request { remaining, .. } = &mut self.forward else {
            return 0;
        };
        let taken = remaining.take(bytes);
        if taken.bytes > 0 {
            self.state.forward(taken.body, taken.framing);
            self.state.note_received();
        }
        taken.bytes
    }

    /// Reads on for a moment after the last response if more bytes are arriving: closing now would make the kernel
    /// reset the connection, and the client might not see the response. Its [`ConnectionState`] ends the wait.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Shutdown::Lingering(mut seen) = self.shutdown else {
            return Poll::Ready(Ok(()));
        };
        self.state.note_received();
        while seen < LINGER_BYTES {
            let mut space = [MaybeUninit::uninit(); READ_BYTES];
            let mut read = ReadBuf::uninit(&mut space);
            ready!(self.transport.poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                break;
            }
            seen += read.filled().len();
            self.shutdown = Shutdown::Lingering(seen);
        }
        Poll::Ready(Ok(()))
    }
}

/// A client may send empty lines before a request (RFC 9112, 2.2).
fn skip_empty_lines(received: &mut BytesMut) {
    while let Some(line) = [&b"\r\n"[..], b"\n"]
        .into_iter()
        .find(|line| received.starts_with(line))
    {
        received.advance(line.len());
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_fast_path(cx))?;
        match self.forward {
            // The end of the stream.
            ForwardState::Idle | ForwardState::Closed => return Poll::Ready(Ok(())),
            ForwardState::Request { remaining, .. } if remaining.is_nothing() => {
                return self.poll_wait_for_answer(cx);
            }
            // No handler reads the rest of a body after its response, so the rest does not wait for a reader.
            ForwardState::Request { .. }
                if self.state.buffers_enough() && !self.state.is_at_rest() =>
            {
                self.state.wait_to_forward(cx.waker());
                return Poll::Pending;
            }
            ForwardState::Request { .. } => {}
        }
        if self.received.is_empty() {
            let before = buf.filled().len();
            let read = self.transport.poll_read(cx, buf);
            let taken = self.forward(&buf.filled()[before..]);
            // The beginning of another request.
            self.received = BytesMut::from(&buf.filled()[before + taken..]);
            buf.set_filled(before + taken);
            return read;
        }
        let mut received = std::mem::take(&mut self.received);
        let most = received.len().min(buf.remaining());
        let taken = self.forward(&received[..most]);
        buf.put_slice(&received[..taken]);
        received.advance(taken);
        if !received.is_empty() {
            self.received = received;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.refusal.is_none() {
            let is_at_rest = this.state.is_at_rest();
            if is_at_rest && this.forward == ForwardState::Closed {
                // The last response was written.
                return Poll::Ready(Ok(buf.len()));
            }
            // Between two requests only actix's parser writes: its error responses.
            let Some(refusal) = is_at_rest.then(|| unparsed::full_response(buf)).flatten() else {
                if this.awaits_answer
                    && let Some(says) = answer_closes(buf)
                {
                    this.awaits_answer = false;
                    if let ForwardState::Request { closes, .. } = &mut this.forward {
                        *closes = says;
                    }
                }
                return this.transport.poll_write(cx, buf);
            };
            this.refusal = Some(refusal);
        }
        ready!(this.poll_refuse(cx))?;
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        // HTTP/1.1 flushes when its buffer is empty.
        self.state.note_sent_all();
        if self.state.is_at_rest() {
            self.state.wake_forwarder();
        }
        self.transport.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        ready!(self.poll_refuse(cx))?;
        if self.shutdown == Shutdown::No {
            ready!(self.transport.poll_shutdown(cx))?;
            let more_may_come = self.forward == ForwardState::Closed || !self.received.is_empty();
            if !more_may_come {
                return Poll::Ready(Ok(()));
            }
            self.received = BytesMut::new();
            self.shutdown = Shutdown::Lingering(0);
        }
        // An error on the client's side ends its connection too.
        let _ = ready!(self.poll_linger(cx));
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
