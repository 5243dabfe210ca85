//! A client's bytes, over TLS or not.

use super::activity::Activity;
use super::unparsed;
use bytes::{Buf, Bytes};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A connection's stream. It tells the connection's [`Activity`] what it hears and sends, and gives the server's own
/// refusals of what it could not read ([`unparsed`]) a body.
pub(super) struct Stream {
    transport: Transport,
    activity: Rc<Activity>,
    /// What is sent in place of a bare refusal.
    refusal: Option<Bytes>,
}

pub(super) enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    pub(super) fn new(transport: Transport, activity: Rc<Activity>) -> Self {
        Self {
            transport,
            activity,
            refusal: None,
        }
    }

    pub(super) fn activity(&self) -> &Rc<Activity> {
        &self.activity
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = match &mut self.transport {
            Transport::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            Transport::Tls(socket) => Pin::new(socket).poll_read(cx, buf),
        };
        if buf.filled().len() > before {
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
        // HTTP/1.1 flushes when its buffer is empty.
        self.activity.has_sent_all();
        match &mut self.transport {
            Transport::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Transport::Tls(socket) => Pin::new(socket).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
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

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, buf),
            Self::Tls(socket) => Pin::new(socket).poll_write(cx, buf),
        }
    }
}
