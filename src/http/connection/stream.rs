//! A client's bytes, over TLS or not.

use super::activity::Activity;
use super::lane::{HEAD_BYTES, Handed, Lane, Sending, Way};
use super::unparsed;
use bytes::{Buf, Bytes};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A connection's stream. It tells the connection's [`Activity`] what it hears and sends, and gives the server's own
/// refusals of what it could not read ([`unparsed`]) a body. Between two requests of actix's it answers what the lane
/// knows; actix then sees nothing of these requests. A connection's first one is always actix's, which times its head.
pub(super) struct Stream {
    transport: Transport,
    activity: Rc<Activity>,
    /// What is sent in place of a bare refusal.
    refusal: Option<Bytes>,
    /// `None`: HTTP/2.
    lane: Option<Lane>,
    /// The lane's answer on its way.
    sending: Option<Sending>,
    /// What came and was not read on yet.
    came: Bytes,
    handed: Handed,
}

pub(super) enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    pub(super) fn new(transport: Transport, activity: Rc<Activity>, lane: Option<Lane>) -> Self {
        Self {
            transport,
            activity,
            refusal: None,
            lane,
            sending: None,
            came: Bytes::new(),
            handed: Handed::Nothing,
        }
    }

    pub(super) fn activity(&self) -> &Rc<Activity> {
        &self.activity
    }

    /// Sends what the lane has to send.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(sending) = &mut self.sending {
            if sending.is_all_sent() {
                ready!(self.transport.poll_flush(cx))?;
                self.sending = None;
                self.activity.has_sent_all();
                continue;
            }
            let Poll::Ready(sent) = self.transport.poll_write_vectored(cx, &sending.left()) else {
                sending.waits();
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

    /// A request is being answered that was handed on whole. What comes meanwhile waits: actix mixes up the answers of
    /// requests that it reads together (whether they have bodies is told by the last one's method). The end of the stream
    /// is told at once.
    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.activity.wait_to_hand(cx.waker());
        ready!(self.poll_come(cx))?;
        if self.came.is_empty() {
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }

    /// Sees to it that something has come; nothing at the end of the stream.
    fn poll_come(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.came.is_empty() {
            let mut space = [MaybeUninit::uninit(); HEAD_BYTES];
            let mut read = ReadBuf::uninit(&mut space);
            ready!(self.transport.poll_read(cx, &mut read))?;
            self.came = Bytes::copy_from_slice(read.filled());
        }
        Poll::Ready(Ok(()))
    }

    /// Answers requests whose answers are known, until one comes that is not, or nothing more comes. What is to be read on
    /// then is in `came`.
    fn poll_lane(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_send(cx))?;
            let answers = self.activity.answers();
            if self.activity.is_at_rest() {
                self.handed = if self.activity.is_closing() {
                    Handed::Unclear
                } else {
                    self.handed.at_rest(answers)
                };
            }
            if self.lane.is_none() || self.handed != Handed::Nothing {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_come(cx))?;
            let Some(lane) = self.lane.as_ref().filter(|_| !self.came.is_empty()) else {
                return Poll::Ready(Ok(()));
            };
            match lane.choose(&self.came, answers > 0) {
                Way::Known { length, answer } => {
                    self.came.advance(length);
                    self.sending = Some(Sending::begin(answer, self.activity.request()));
                }
                Way::Ordinary { bytes } => {
                    self.handed = Handed::begin(bytes, answers);
                    self.activity.begin_handing();
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_lane(cx))?;
        if self.handed.most() == Some(0) {
            return self.poll_wait(cx);
        }
        if self.handed.most().is_some() && self.activity.holds_enough() {
            self.activity.wait_to_hand(cx.waker());
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let most = usize::try_from(self.handed.most().unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let read = if self.came.is_empty() {
            let read = self.transport.poll_read(cx, buf);
            if buf.filled().len() - before > most {
                // The beginning of another request.
                self.came = Bytes::copy_from_slice(&buf.filled()[before + most..]);
                buf.set_filled(before + most);
            }
            read
        } else {
            let length = self.came.len().min(buf.remaining()).min(most);
            buf.put_slice(&self.came.split_to(length));
            Poll::Ready(Ok(()))
        };
        let bytes = buf.filled().len() - before;
        if bytes > 0 {
            self.handed = self.handed.more(bytes);
            self.activity.hand(bytes);
            self.activity.hear();
        }
        read
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
            // Between a request's end and the next one nobody but the parser has anything to say.
            let bare = this.activity.is_at_rest().then(|| unparsed::told(buf));
            match bare.flatten() {
                Some(told) => this.refusal = Some(told),
                None => return this.transport.poll_write(cx, buf),
            }
        }
        while let Some(left) = &mut this.refusal
            && left.has_remaining()
        {
            let sent = ready!(this.transport.poll_write(cx, left))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            left.advance(sent);
        }
        this.refusal = None;
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        // HTTP/1.1 flushes when its buffer is empty.
        self.activity.has_sent_all();
        if self.activity.is_at_rest() {
            self.activity.wake_reader();
        }
        self.transport.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        match &mut self.transport {
            Transport::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Transport::Tls(socket) => Pin::new(socket).poll_shutdown(cx),
        }
    }
}

impl Transport {
    /// Whether client and server agreed on HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(socket) => socket.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            Self::Tls(socket) => Pin::new(socket).poll_read(cx, buf),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Self::Tls(socket) => Pin::new(socket).poll_flush(cx),
        }
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, parts),
            Self::Tls(socket) => Pin::new(socket).poll_write_vectored(cx, parts),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, buf),
            Self::Tls(socket) => Pin::new(socket).poll_write(cx, buf),
        }
    }
}
