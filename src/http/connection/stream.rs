//! A connection of HTTP/1.1: which bytes actix reads, and when.
//!
//! Guarantees: actix gets one request at a time, head and body, and no byte of the next one before its answer was
//! written; it decides by the last head that it read whether answers have bodies, so requests that it reads together get
//! each other's framing. A head is handed on when it is whole. After an answer that says that the connection closes,
//! nothing is read as a request. Refuses to know what is asked.

use super::activity::Activity;
use super::framing::{Remaining, answer_closes};
use super::lane::{Dispatch, Lane, Sending};
use super::transport::Transport;
use super::unparsed;
use crate::http::memory::{Client, Share, SharedMemory};
use bytes::{Buf, Bytes, BytesMut};
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is read at once while no body is.
const READ_BYTES: usize = 4096;
/// What is waited for of one head. Names and values may have 16 KiB of it (`limits`).
const HEAD_BYTES: usize = 32 * 1024;
/// An incomplete head up to here is parsed whenever more of it comes, a longer one at the end of each line.
const SHORT_HEAD_BYTES: usize = 4096;
/// What a long head takes until it is whole.
struct LongHead {
    evicted: Pin<Box<dyn Future<Output = ()>>>,
    _share: Share,
}

/// The memory that long heads share with other bytes of senders that are not verified.
pub(super) struct HeadMemory {
    pub(super) memory: SharedMemory,
    pub(super) client: Client,
}

impl HeadMemory {
    fn begin(&self) -> Option<LongHead> {
        let share = self.memory.begin_at_once(self.client, HEAD_BYTES).ok()?;
        Some(LongHead {
            evicted: Box::pin(share.eviction()),
            _share: share,
        })
    }
}

/// What is read of a client that goes on sending after its connection's last answer, so that it sees that answer.
const LINGER_BYTES: usize = 1024 * 1024;

/// A connection's stream. It tells the connection's [`Activity`] what it hears and sends, and gives the server's own
/// refusals of what it could not read ([`unparsed`]) a body. Between two requests of actix's it answers what the lane
/// knows; actix then sees nothing of these requests. A connection's first one is always actix's, which times its head.
pub(super) struct Stream {
    transport: Transport,
    activity: Rc<Activity>,
    lane: Lane,
    /// The lane's answer on its way.
    sending: Option<Sending>,
    /// What is sent in place of a bare refusal.
    refusal: Option<Bytes>,
    /// Received and not handed on yet.
    received: BytesMut,
    /// So much of it is known to be no whole head.
    incomplete: usize,
    heads: HeadMemory,
    /// The head that is incomplete is longer than [`SHORT_HEAD_BYTES`].
    long_head: Option<LongHead>,
    forward: ForwardState,
    /// actix has not begun to write its answer.
    awaits_answer: bool,
    shutdown: Shutdown,
}

/// What actix was handed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ForwardState {
    /// Nothing that it has not answered.
    Idle,
    Request {
        remaining: Remaining,
        /// Those given before its own.
        answers: u64,
        /// Its answer says that the connection closes.
        closes: bool,
    },
    /// The last request of this connection. What follows it is not read.
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shutdown {
    No,
    /// The client was sent the end, and so many bytes were read since.
    Lingering(usize),
}

impl Stream {
    pub(super) fn new(
        transport: Transport,
        activity: Rc<Activity>,
        lane: Lane,
        heads: HeadMemory,
    ) -> Self {
        Self {
            transport,
            activity,
            lane,
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

    /// A request was handed on whole and is being answered. What comes meanwhile waits. The end of the stream is reported
    /// only when the body's reader has taken all of it: else actix calls the body incomplete.
    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.activity.wait_to_hand(cx.waker());
        if self.received.is_empty() {
            ready!(self.poll_receive(cx))?;
        }
        if self.received.is_empty() && !self.activity.holds_any() {
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }

    /// Receives more. How much it was; nothing at the end of the stream.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = [MaybeUninit::uninit(); READ_BYTES];
        let mut read = ReadBuf::uninit(&mut space);
        ready!(self.transport.poll_read(cx, &mut read))?;
        if self.received.is_empty() {
            // Not what is left of the buffer before: an idle connection has none.
            self.received = BytesMut::from(read.filled());
        } else {
            self.received.extend_from_slice(read.filled());
        }
        Poll::Ready(Ok(read.filled().len()))
    }

    /// Notes whether what was handed on has been answered.
    fn note_answer(&mut self) {
        if let ForwardState::Request {
            remaining,
            answers,
            closes,
        } = self.forward
            && self.activity.is_at_rest()
            && self.activity.answers() > answers
        {
            // What is left of a body that was answered early is handed on: actix reads it and drops it.
            if remaining.is_nothing() && !closes {
                self.forward = ForwardState::Idle;
            } else if remaining.is_nothing() || remaining == Remaining::UntilClose {
                self.forward = ForwardState::Closed;
            }
        }
    }

    /// Answers requests whose answers are known, until one has come whole that is not, or nothing more comes. What is to be
    /// handed on then is in `received`.
    fn poll_lane(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
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
                self.activity.hear();
            }
            if self.incomplete > SHORT_HEAD_BYTES
                && !self.received[self.incomplete..].contains(&b'\n')
                && self.received.len() < HEAD_BYTES
            {
                self.incomplete = self.received.len();
                continue;
            }
            let answers = self.activity.answers();
            match self.lane.choose(&self.received, answers > 0) {
                Dispatch::Cached { length, answer } => {
                    self.received.advance(length);
                    self.incomplete = 0;
                    self.long_head = None;
                    self.sending = Some(Sending::begin(answer, self.activity.request()));
                }
                Dispatch::Forward(remaining) => self.begin_forward(remaining),
                Dispatch::Incomplete if self.received.len() >= HEAD_BYTES => {
                    self.long_head = None;
                    self.refusal = Some(unparsed::head_too_large());
                }
                Dispatch::Incomplete => {
                    skip_empty_lines(&mut self.received);
                    self.incomplete = self.received.len();
                    // It may have come before the answer to the request before it.
                    self.activity.hear();
                }
            }
        }
    }

    /// Whether the head that is incomplete may stay in memory, as far as it came.
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
            answers: self.activity.answers(),
            closes: false,
        };
        self.activity.begin_handing();
    }

    /// Hands `bytes` on as far as they belong to the request, and notes so. How many these are.
    fn hand(&mut self, bytes: &[u8]) -> usize {
        let ForwardState::Request { remaining, .. } = &mut self.forward else {
            return 0;
        };
        let taken = remaining.take(bytes);
        if taken.bytes > 0 {
            self.activity.hand(taken.body, taken.framing);
            self.activity.hear();
        }
        taken.bytes
    }

    /// Reads on for a moment after the last answer where more is coming: were it closed now, the system would reset the
    /// connection, and the client might not see the answer. Its [`Activity`] ends the wait.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Shutdown::Lingering(mut seen) = self.shutdown else {
            return Poll::Ready(Ok(()));
        };
        self.activity.hear();
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
        ready!(self.poll_lane(cx))?;
        match self.forward {
            // The end of the stream.
            ForwardState::Idle | ForwardState::Closed => return Poll::Ready(Ok(())),
            ForwardState::Request { remaining, .. } if remaining.is_nothing() => {
                return self.poll_wait(cx);
            }
            // Nothing reads what comes of a body after its answer, so it does not wait for a reader either.
            ForwardState::Request { .. }
                if self.activity.holds_enough() && !self.activity.is_at_rest() =>
            {
                self.activity.wait_to_hand(cx.waker());
                return Poll::Pending;
            }
            ForwardState::Request { .. } => {}
        }
        if self.received.is_empty() {
            let before = buf.filled().len();
            let read = self.transport.poll_read(cx, buf);
            let taken = self.hand(&buf.filled()[before..]);
            // The beginning of another request.
            self.received = BytesMut::from(&buf.filled()[before + taken..]);
            buf.set_filled(before + taken);
            return read;
        }
        let mut received = std::mem::take(&mut self.received);
        let most = received.len().min(buf.remaining());
        let taken = self.hand(&received[..most]);
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
            let is_at_rest = this.activity.is_at_rest();
            if is_at_rest && this.forward == ForwardState::Closed {
                // Its last answer was written.
                return Poll::Ready(Ok(buf.len()));
            }
            // Between two requests only actix's parser writes: its refusals.
            let Some(refusal) = is_at_rest.then(|| unparsed::told(buf)).flatten() else {
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
        self.activity.has_sent_all();
        if self.activity.is_at_rest() {
            self.activity.wake_reader();
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
        // An error of the client's side is the end of its connection too.
        let _ = ready!(self.poll_linger(cx));
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::http::connection::activity::Place;
    use crate::http::memory::BodyMemory;
    use crate::http::proxies::Proxy;
    use crate::http::repeat::KnownAnswers;
    use crate::store::{Registered, Store, StoreConfig};
    use futures_util::FutureExt;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    const PUT: &[u8] = b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
    const CHUNKS: &[u8] =
        b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";

    struct Server {
        store: Store,
        lane: Lane,
        heads: SharedMemory,
        place: Place,
        _dir: tempfile::TempDir,
    }

    impl Server {
        async fn start() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let config = StoreConfig {
                data_dir: dir.path().to_owned(),
                allow_unsafe_fs: true,
                multipart_expires: Duration::from_hours(1),
                grace: Duration::from_hours(1),
                min_free_bytes: Some(0),
            };
            let store = Store::open(config, Clock::default(), Registered::default())
                .await
                .unwrap();
            let known = KnownAnswers::new(&store);
            Self {
                lane: Lane::open(&known, &Clock::default(), Proxy::Nobody),
                store,
                heads: BodyMemory::default().unverified,
                place: Place::take(64),
                _dir: dir,
            }
        }

        async fn connect(&self) -> (TcpStream, Stream) {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
            let client = client.unwrap();
            client.set_nodelay(true).unwrap();
            let transport = Transport::Plain(accepted.unwrap().0);
            let activity = Rc::clone(self.place.activity());
            let heads = HeadMemory {
                memory: self.heads.clone(),
                client: Client::of_peer(None),
            };
            let stream = Stream::new(transport, activity, self.lane.clone(), heads);
            (client, stream)
        }
    }

    /// Reads a request, and sees that nothing follows it.
    async fn read(stream: &mut Stream, length: usize) -> Vec<u8> {
        let mut request = vec![0; length];
        stream.read_exact(&mut request).await.unwrap();
        assert!(stream.read(&mut [0; 64]).now_or_never().is_none());
        request
    }

    async fn answer(stream: &mut Stream, head: &str) {
        drop(stream.activity().request());
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
    }

    #[tokio::test]
    async fn a_request_is_handed_on_alone_and_the_next_after_its_answer_wherever_they_are_cut() {
        let server = Server::start().await;
        let requests = [GET, CHUNKS, PUT, GET];
        let whole = requests.concat();
        for cut in 1..whole.len() {
            let (mut client, mut stream) = server.connect().await;
            client.write_all(&whole[..cut]).await.unwrap();
            // What came is looked at before the rest comes.
            let mut first = vec![0; requests[0].len()];
            let seen = stream.read(&mut first).now_or_never();
            client.write_all(&whole[cut..]).await.unwrap();
            match seen {
                Some(read) => assert_eq!(read.unwrap(), first.len(), "cut at {cut}"),
                None => first = read(&mut stream, first.len()).await,
            }
            assert_eq!(first, requests[0], "cut at {cut}");
            answer(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            for request in &requests[1..] {
                assert_eq!(
                    &read(&mut stream, request.len()).await,
                    request,
                    "cut at {cut}"
                );
                answer(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            }
        }
        server.store.close().await;
    }

    /// The beginning of a head whose end does not come.
    fn long_head() -> Vec<u8> {
        let field = format!("X: {}\r\n", "x".repeat(100));
        [&GET[..GET.len() - 2], field.repeat(50).as_bytes()].concat()
    }

    #[tokio::test]
    async fn long_heads_that_do_not_end_take_no_more_memory_than_is_counted() {
        const HEADS_OF_ONE_CLIENT: usize = (4 << 20) / (HEAD_BYTES + 4096);
        let server = Server::start().await;
        let mut begun = Vec::new();
        for _ in 0..HEADS_OF_ONE_CLIENT + 50 {
            let (mut client, mut stream) = server.connect().await;
            client.write_all(&long_head()).await.unwrap();
            while stream.long_head.is_none() && stream.forward == ForwardState::Idle {
                assert!(
                    stream
                        .read(&mut [0; 64])
                        .now_or_never()
                        .is_none_or(|read| read.is_ok())
                );
                tokio::task::yield_now().await;
            }
            begun.push((client, stream));
        }
        let mut waiting = Vec::new();
        for (mut client, mut stream) in begun {
            match stream.read(&mut [0; 64]).now_or_never() {
                None => waiting.push((client, stream)),
                Some(read) => {
                    assert_eq!(read.unwrap(), 0);
                    drop(stream);
                    let mut answer = Vec::new();
                    client.read_to_end(&mut answer).await.unwrap();
                    assert!(answer.starts_with(b"HTTP/1.1 503 "));
                }
            }
        }
        assert_eq!(waiting.len(), HEADS_OF_ONE_CLIENT);
        // One that goes makes room for another.
        let (mut client, mut stream) = waiting.pop().unwrap();
        client.write_all(b"\r\n").await.unwrap();
        let whole = [&long_head()[..], b"\r\n"].concat();
        assert_eq!(read(&mut stream, whole.len()).await, whole);
        let (mut client, mut stream) = server.connect().await;
        client.write_all(&whole).await.unwrap();
        assert_eq!(read(&mut stream, whole.len()).await, whole);
        server.store.close().await;
    }

    #[tokio::test]
    async fn nothing_is_read_as_a_request_after_an_answer_that_closes() {
        let server = Server::start().await;
        let upgrade = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n".as_slice();
        for (request, head) in [
            (GET, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"),
            (GET, "HTTP/1.0 200 OK\r\n\r\n"),
        ] {
            let (mut client, mut stream) = server.connect().await;
            client.write_all(&[request, GET].concat()).await.unwrap();
            assert_eq!(read(&mut stream, request.len()).await, request);
            answer(&mut stream, head).await;
            assert_eq!(stream.read(&mut [0; 64]).await.unwrap(), 0);
        }
        let (mut client, mut stream) = server.connect().await;
        client.write_all(upgrade).await.unwrap();
        assert_eq!(read(&mut stream, upgrade.len()).await, upgrade);
        answer(&mut stream, "HTTP/1.1 200 OK\r\n\r\n").await;
        client.write_all(GET).await.unwrap();
        assert_eq!(stream.read(&mut [0; 64]).await.unwrap(), 0);
        server.store.close().await;
    }
}
