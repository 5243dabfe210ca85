//! The memory that connections of HTTP/2 may use for received bytes that were not read, for requests under way, and for
//! responses that were not written yet.
//!
//! One connection carries a hundred requests, so memory that suffices for one busy connection is too much for each of
//! some thousand hostile ones. Guarantees: each connection with a request under way has a little memory of its own
//! ([`CONNECTION_BYTES`]), with which it always makes progress. What it uses beyond that comes from pools that all
//! connections of the process share: at most [`WINDOWS_POOL`], [`REQUESTS_POOL`] and [`ANSWERS_POOL`] together. The
//! connections' own memory is counted too ([`AtWork`]): its sum is bounded, and the slowest connection is evicted
//! ([`crate::http::memory`]).

use crate::http::memory::Client;
use crate::http::memory::NoRoom;
use crate::http::memory::{Share, SharedMemory};
use bytes::{Buf, Bytes};
use std::cell::RefCell;
use std::future::pending;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The bytes that a client may send on one connection before the server reads them. HTTP/2 begins with this window and
/// cannot make it smaller.
pub(super) const WINDOW_BYTES: u32 = 65_535;
/// The same for a connection that has a part of the pool.
pub(super) const WIDE_WINDOW_BYTES: u32 = 1024 * 1024;
const WINDOWS_POOL: u32 = 64 * 1024 * 1024;

const REQUESTS_BYTES: u32 = 128 * 1024;
const REQUESTS_POOL: u32 = 64 * 1024 * 1024;

pub(super) const ANSWERS_BYTES: u32 = 128 * 1024;
const ANSWERS_POOL: u32 = 64 * 1024 * 1024;

/// The memory of its own that a connection with a request under way takes: the three above, and some for what surrounds
/// them.
const CONNECTION_BYTES: usize =
    (WINDOW_BYTES + REQUESTS_BYTES + ANSWERS_BYTES) as usize + 64 * 1024;

/// Memory in use. Dropping it gives the memory back.
pub(super) type Lease = OwnedSemaphorePermit;

/// The pools that all connections share. Cheap to clone.
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
    /// For a connection whose window is to be [`WIDE_WINDOW_BYTES`], for as long as it lasts: a window that the client
    /// was given cannot be taken back.
    pub(super) fn wide_window(&self) -> Option<Lease> {
        take(&self.windows, WIDE_WINDOW_BYTES - WINDOW_BYTES)
    }

    /// For the requests of one connection.
    pub(super) fn requests(&self) -> Allowance {
        Allowance::new(REQUESTS_BYTES, &self.requests)
    }

    /// For the responses of one connection.
    pub(super) fn answers(&self) -> Allowance {
        Allowance::new(ANSWERS_BYTES, &self.answers)
    }
}

/// The own memory of a connection with requests under way, as a share of the memory of all such connections. Its
/// requests, and the unwritten parts of their responses, hold it.
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
    /// Where there is no room for another connection with a request under way.
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

    /// Ends when the connection is evicted.
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

/// The memory that a connection may use: first its own, then the pool's. Cheap to clone.
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

    /// Waits, where nothing else is left, until some of the connection's own memory is given back. `bytes`: at most all
    /// of its own.
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

/// A part of a response's body, counted until it was written or its stream was reset.
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
