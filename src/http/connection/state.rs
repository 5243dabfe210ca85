//! The state of a connection: idle or at work, and how much of a body it buffers.
//!
//! A connection either carries requests, whose bodies and responses have a pace ([`crate::http::pace`]), or it is idle:
//! it waits for a handshake, for a head, for the next request. Guarantees: it is idle for no longer than
//! [`KEEP_ALIVE`], or [`HEAD_TIME`] once a head has begun (each give or take [`CHECK_EVERY`]). Refuses to know what is
//! sent.

use crate::http::connection::timeouts::{HEAD_TIME, KEEP_ALIVE};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// How much of a body may be in memory while it is read. Without this limit actix reads some 400 KB ahead.
const BUFFERED_BYTES: u64 = 64 * 1024;
/// A connection is evicted only after it was idle for this long: when many arrive at once, each has time to send a
/// request.
pub(super) const GRACE: Duration = Duration::from_millis(50);
/// How often a connection's timeout is checked.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// The state of one connection. Only the thread of its worker uses it.
#[derive(Debug)]
pub(crate) struct ConnectionState {
    /// The number of requests that are being answered.
    requests: Cell<u32>,
    idle_since: Cell<Instant>,
    /// Bytes came since the connection became idle: a head has begun.
    head_begun: Cell<bool>,
    /// HTTP/2: bytes that come between requests need not be a head.
    multiplexed: Cell<bool>,
    /// A part of the last response may not be sent yet.
    unsent: Cell<bool>,
    /// The number of responses so far.
    answers: Cell<u64>,
    /// Bytes of the current body that were forwarded and that its reader has not consumed.
    buffered: Cell<u64>,
    /// Bytes between the buffered ones: sizes of chunks and their extensions, which take memory as well.
    framing: Cell<u64>,
    /// The task that waits until it may forward more.
    forwarder: RefCell<Option<Waker>>,
    eviction: Notify,
    /// The connection was evicted, and has not closed yet.
    evicted: Cell<bool>,
    /// How much of a body may be in memory, where that is less than [`BUFFERED_BYTES`].
    read_ahead: Cell<u64>,
}

/// How much of a body is read before its reader asks for more ([`ConnectionState::read_ahead`]).
pub(crate) const READ_AHEAD_BYTES: u64 = 8 * 1024;

impl ConnectionState {
    /// The state of a connection that was just accepted.
    pub(super) fn begin() -> Self {
        Self {
            requests: Cell::new(0),
            idle_since: Cell::new(Instant::now()),
            head_begun: Cell::new(false),
            multiplexed: Cell::new(false),
            unsent: Cell::new(false),
            answers: Cell::new(0),
            buffered: Cell::new(0),
            framing: Cell::new(0),
            forwarder: RefCell::default(),
            eviction: Notify::new(),
            evicted: Cell::new(false),
            read_ahead: Cell::new(READ_AHEAD_BYTES),
        }
    }

    /// Allows reading `bytes` of a body ahead of its reader, up to [`BUFFERED_BYTES`].
    pub(crate) fn read_ahead(&self, bytes: u64) {
        self.read_ahead.set(bytes);
    }

    /// A request is being answered for as long as the guard lives.
    pub(super) fn begin_request(self: &Rc<Self>) -> RequestGuard {
        self.requests.set(self.requests.get() + 1);
        RequestGuard(Rc::clone(self))
    }

    /// Bytes were received.
    pub(super) fn note_received(&self) {
        if self.is_idle() && !self.head_begun.replace(true) {
            self.idle_since.set(Instant::now());
        }
    }

    /// All pending bytes have been sent.
    pub(super) fn note_sent_all(&self) {
        self.unsent.set(false);
    }

    /// No request is being answered.
    pub(super) fn is_idle(&self) -> bool {
        self.requests.get() == 0
    }

    pub(super) fn idle_since(&self) -> Instant {
        self.idle_since.get()
    }

    /// No request is being answered, and no part of a response is left to send.
    pub(super) fn is_at_rest(&self) -> bool {
        self.is_idle() && !self.unsent.get()
    }

    /// How many responses there were.
    pub(super) fn answers(&self) -> u64 {
        self.answers.get()
    }

    /// The first bytes of a request are about to be forwarded.
    pub(super) fn begin_forward(&self) {
        self.buffered.set(0);
        self.framing.set(0);
    }

    /// `bytes` of a body were forwarded, and `framing` around them.
    pub(super) fn forward(&self, bytes: usize, framing: usize) {
        let before = if self.buffers_any() {
            self.framing.get()
        } else {
            0
        };
        self.framing.set(before + framing as u64);
        self.buffered.set(self.buffered.get() + bytes as u64);
    }

    /// Whether the part of the request in memory is so large that no more may be read.
    pub(super) fn buffers_enough(&self) -> bool {
        self.buffered.get() >= BUFFERED_BYTES.min(self.read_ahead.get())
            || self.buffers_any() && self.framing.get() >= READ_AHEAD_BYTES
    }

    /// Whether any of the body is in memory.
    pub(super) fn buffers_any(&self) -> bool {
        self.buffered.get() > 0
    }

    /// The body's reader consumed `bytes` of it.
    pub(crate) fn consume(&self, bytes: usize) {
        self.buffered
            .set(self.buffered.get().saturating_sub(bytes as u64));
        if !self.buffers_any() {
            self.framing.set(0);
        }
        if !self.buffers_enough() {
            self.wake_forwarder();
        }
    }

    /// Registers `forwarder`, which is woken when more may be forwarded.
    pub(super) fn wait_to_forward(&self, forwarder: &Waker) {
        self.forwarder.replace(Some(forwarder.clone()));
    }

    pub(super) fn wake_forwarder(&self) {
        if let Some(forwarder) = self.forwarder.take() {
            forwarder.wake();
        }
    }

    /// The connection speaks HTTP/2.
    pub(super) fn set_multiplexed(&self) {
        self.multiplexed.set(true);
        self.idle_since.set(Instant::now());
    }

    /// Tells the connection to make room for another one.
    pub(super) fn evict(&self) {
        self.evicted.set(true);
        self.eviction.notify_one();
    }

    pub(super) fn is_evicted(&self) -> bool {
        self.evicted.get()
    }

    fn times_out_at(&self) -> Option<Instant> {
        let timeout = if self.head_begun.get() && !self.multiplexed.get() {
            HEAD_TIME
        } else {
            KEEP_ALIVE
        };
        self.is_idle().then(|| self.idle_since.get() + timeout)
    }

    /// Ends when this connection was idle for too long, or was evicted, and returns which.
    pub(super) async fn overdue(&self) -> Overdue {
        loop {
            let now = Instant::now();
            if self.times_out_at().is_some_and(|at| at <= now) {
                return Overdue::Idle;
            }
            tokio::select! {
                () = sleep_until(now + CHECK_EVERY) => {}
                () = self.eviction.notified() => {
                    let since = self.idle_since.get();
                    sleep_until(since + GRACE).await;
                    if self.is_idle() && self.idle_since.get() == since {
                        return Overdue::Evicted;
                    }
                    // The client sent a request at the last moment.
                    self.evicted.set(false);
                }
            }
        }
    }
}

/// Why a connection is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    Idle,
    /// Another connection needs its slot.
    Evicted,
}

/// See [`ConnectionState::begin_request`].
#[derive(Debug)]
pub(super) struct RequestGuard(Rc<ConnectionState>);

impl Drop for RequestGuard {
    fn drop(&mut self) {
        let state = &self.0;
        state.requests.set(state.requests.get() - 1);
        state.idle_since.set(Instant::now());
        state.head_begun.set(false);
        state.unsent.set(true);
        state.answers.set(state.answers.get() + 1);
    }
}
