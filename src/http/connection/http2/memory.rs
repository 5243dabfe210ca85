//! The memory that connections of HTTP/2 may use for what came and was not read, for requests under way, and for answers
//! that were not written yet.
//!
//! One connection carries a hundred requests, so what suffices for one connection at work is too much for each of some
//! thousand that mean harm. Guarantees: each connection with a request under way has a little of its own
//! ([`CONNECTION_BYTES`]), with which it always gets on, and what it uses beyond comes from pools that all connections of
//! the process share: at most [`WINDOWS_POOL`], [`REQUESTS_POOL`] and [`ANSWERS_POOL`] together. What is their own is
//! counted too ([`AtWork`]): all of it is bounded, and the slowest connection makes room ([`crate::http::memory`]).

use crate::http::memory::Client;
use crate::http::memory::NoRoom;
use crate::http::memory::{Share, SharedMemory};
use bytes::{Buf, Bytes};
use std::cell::RefCell;
use std::future::pending;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a client may send that was not read yet, on all of a connection. HTTP/2 begins with it, and knows no less.
pub(super) const WINDOW_BYTES: u32 = 65_535;
/// The same for a connection that got its part of the pool.
pub(super) const WIDE_WINDOW_BYTES: u32 = 1024 * 1024;
const WINDOWS_POOL: u32 = 64 * 1024 * 1024;

const REQUESTS_BYTES: u32 = 128 * 1024;
const REQUESTS_POOL: u32 = 64 * 1024 * 1024;

pub(super) const ANSWERS_BYTES: u32 = 128 * 1024;
const ANSWERS_POOL: u32 = 64 * 1024 * 1024;

/// What a connection with a request under way takes of its own: the three above, and some for what surrounds them.
const CONNECTION_BYTES: usize =
    (WINDOW_BYTES + REQUESTS_BYTES + ANSWERS_BYTES) as usize + 64 * 1024;

/// Memory in use. It is given back when dropped.
pub(super) type Lease = OwnedSemaphorePermit;

/// What all connections share. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Pools {
    windows: Arc<Semaphore>,
    requests: Arc<Semaphore>,
    answers: Arc<Semaphore>,
}

impl Default for Pools {
    fn default() -> Self {
        let pool = |bytes: u32| Arc::new(Semaphore::new(bytes as usize));
        Self {
            windows: pool(WINDOWS_POOL),
            requests: pool(REQUESTS_POOL),
            answers: pool(ANSWERS_POOL),
        }
    }
}

impl Pools {
    /// For a connection whose window is to be [`WIDE_WINDOW_BYTES`], for as long as it lasts: a window that was given cannot
    /// be taken back.
    pub(super) fn wide_window(&self) -> Option<Lease> {
        take(&self.windows, WIDE_WINDOW_BYTES - WINDOW_BYTES)
    }

    /// For the requests of one connection.
    pub(super) fn requests(&self) -> Allowance {
        Allowance::new(REQUESTS_BYTES, &self.requests)
    }

    /// For the answers of one connection.
    pub(super) fn answers(&self) -> Allowance {
        Allowance::new(ANSWERS_BYTES, &self.answers)
    }
}

/// A connection's share of what all connections with requests under way take of their own: held by these requests and
/// by what was not written of their answers.
pub(super) struct AtWork {
    memory: SharedMemory,
    client: Client,
    share: RefCell<Weak<Share>>,
}

impl AtWork {
    pub(super) fn new(memory: SharedMemory, client: Client) -> Self {
        Self {
            memory,
            client,
            share: RefCell::default(),
        }
    }

    /// For a request of this connection.
    ///
    /// # Errors
    /// Where there is no room for another connection that is at work.
    pub(super) fn begin(&self) -> Result<Rc<Share>, NoRoom> {
        if let Some(share) = self.share() {
            return Ok(share);
        }
        let share = self.memory.begin_at_once(self.client, CONNECTION_BYTES)?;
        let share = Rc::new(share);
        self.share.replace(Rc::downgrade(&share));
        Ok(share)
    }

    /// Bytes came or were written.
    pub(super) fn count(&self, bytes: usize) {
        if let Some(share) = self.share() {
            share.count(bytes);
        }
    }

    /// Ends when the connection has to make room.
    pub(super) async fn evicted(&self) {
        match self.share().map(|share| share.eviction()) {
            Some(eviction) => eviction.await,
            None => pending().await,
        }
    }

    fn share(&self) -> Option<Rc<Share>> {
        self.share.borrow().upgrade()
    }
}

/// What a connection may use: its own, and then the pool's. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Allowance {
    own: Arc<Semaphore>,
    pool: Arc<Semaphore>,
}

impl Allowance {
    fn new(own: u32, pool: &Arc<Semaphore>) -> Self {
        Self {
            own: Arc::new(Semaphore::new(own as usize)),
            pool: Arc::clone(pool),
        }
    }

    pub(super) fn try_take(&self, bytes: u32) -> Option<Lease> {
        take(&self.own, bytes).or_else(|| take(&self.pool, bytes))
    }

    /// Waits until some of the connection's own is given back where there is nothing else. `bytes`: at most all of its own.
    pub(super) async fn take(&self, bytes: u32) -> Option<Lease> {
        match self.try_take(bytes) {
            Some(lease) => Some(lease),
            None => Arc::clone(&self.own).acquire_many_owned(bytes).await.ok(),
        }
    }
}

fn take(from: &Arc<Semaphore>, bytes: u32) -> Option<Lease> {
    Arc::clone(from).try_acquire_many_owned(bytes).ok()
}

/// A part of an answer's body, counted until it was written or its stream reset.
pub(super) struct Piece {
    bytes: Bytes,
    _memory: Option<(Lease, Rc<Share>)>,
}

impl Piece {
    pub(super) fn new(bytes: Bytes, memory: Lease, at_work: Rc<Share>) -> Self {
        Self {
            bytes,
            _memory: Some((memory, at_work)),
        }
    }

    pub(super) fn empty() -> Self {
        Self {
            bytes: Bytes::new(),
            _memory: None,
        }
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, bytes: usize) {
        self.bytes.advance(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn a_connection_gets_on_with_its_own_when_others_use_all_of_the_pool() {
        let memory = Pools::default();
        let greedy = memory.answers();
        let mut leases = Vec::new();
        while let Some(lease) = greedy.try_take(ANSWERS_BYTES) {
            leases.push(lease);
        }
        assert_eq!(leases.len(), 1 + (ANSWERS_POOL / ANSWERS_BYTES) as usize);
        let modest = memory.answers();
        let first = modest.take(ANSWERS_BYTES).now_or_never().flatten();
        assert!(first.is_some());
        assert!(modest.take(1).now_or_never().is_none());
        drop(first);
        assert!(modest.take(1).now_or_never().flatten().is_some());
    }

    #[test]
    fn windows_are_wide_while_the_pool_lasts() {
        let memory = Pools::default();
        let wide: Vec<_> = std::iter::from_fn(|| memory.wide_window()).collect();
        let most = WINDOWS_POOL / (WIDE_WINDOW_BYTES - WINDOW_BYTES);
        assert_eq!(wide.len(), most as usize);
    }
}
