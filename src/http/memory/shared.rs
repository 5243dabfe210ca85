//! Memory that bodies of one kind share, and one body's share of it.

use crate::http::memory::body_state::BodyState;
use crate::http::memory::bounds::{Bounds, charge};
use crate::http::memory::client::Client;
use crate::http::memory::ledger::{Eviction, Ledger, NoRoom};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often a body that waits for room tries again.
const RETRY_EVERY: Duration = Duration::from_millis(25);

/// How often it tries to evict a slow body, which takes a walk over all of them.
const EVICT_EVERY: Duration = Duration::from_millis(500);

/// Memory that bodies of one kind share. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct SharedMemory {
    bounds: Bounds,
    ledger: Arc<Mutex<Ledger>>,
}

impl SharedMemory {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            ledger: Arc::default(),
        }
    }

    /// Takes room for `bytes` of a body that arrived, and evicts slower bodies where there is none.
    ///
    /// # Errors
    /// Where no room was found in the time that a body waits.
    pub(crate) async fn begin(&self, client: Client, bytes: usize) -> Result<Share, NoRoom> {
        let share = self.begin_upload(client, bytes).await?;
        share.count(bytes);
        Ok(share)
    }

    /// As [`SharedMemory::begin`], for bytes that have not arrived yet.
    ///
    /// # Errors
    /// As [`SharedMemory::begin`].
    pub(crate) async fn begin_upload(&self, client: Client, bytes: usize) -> Result<Share, NoRoom> {
        let mut wait = Wait::begin(&self.bounds);
        loop {
            match self.begin_with(client, bytes, wait.eviction()) {
                Err(NoRoom) if !wait.is_over() => sleep(RETRY_EVERY).await,
                begun => return begun,
            }
        }
    }

    /// Takes room for `bytes` where there is some now, or slower bodies can be evicted.
    ///
    /// # Errors
    /// Where there is none.
    pub(crate) fn begin_at_once(&self, client: Client, bytes: usize) -> Result<Share, NoRoom> {
        self.begin_with(client, bytes, Eviction::Allowed)
    }

    fn begin_with(
        &self,
        client: Client,
        bytes: usize,
        eviction: Eviction,
    ) -> Result<Share, NoRoom> {
        let body = Arc::new(BodyState::begin());
        let mut ledger = self.ledger();
        let needed = (0, charge(bytes));
        ledger.make_room(&self.bounds, client, needed, f64::INFINITY, eviction)?;
        let id = ledger.enter(client, Arc::clone(&body));
        ledger.add(id, client, charge(bytes));
        drop(ledger);
        Ok(Share {
            memory: self.clone(),
            client,
            id,
            bytes,
            body,
        })
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body's wait for room.
struct Wait {
    began: Instant,
    waits_for: Duration,
    evicted_at: Option<Instant>,
}

impl Wait {
    fn begin(bounds: &Bounds) -> Self {
        Self {
            began: Instant::now(),
            waits_for: bounds.waits_for,
            evicted_at: None,
        }
    }

    fn eviction(&mut self) -> Eviction {
        if (self.evicted_at).is_none_or(|at| at.elapsed() >= EVICT_EVERY) {
            self.evicted_at = Some(Instant::now());
            Eviction::Allowed
        } else {
            Eviction::NotNow
        }
    }

    fn is_over(&self) -> bool {
        self.began.elapsed() >= self.waits_for
    }
}

/// A body's part of the memory, given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    memory: SharedMemory,
    client: Client,
    id: u64,
    bytes: usize,
    body: Arc<BodyState>,
}

impl Share {
    /// Takes room for `more` bytes that arrived.
    ///
    /// # Errors
    /// Where there was none in the time that a body waits, or the body was evicted.
    pub(crate) async fn grow(&mut self, more: usize) -> Result<(), NoRoom> {
        self.count(more);
        let bytes = self.bytes + more;
        let charged = charge(bytes) - charge(self.bytes);
        let mut wait = Wait::begin(&self.memory.bounds);
        while let Err(no_room) = self.take(charged, wait.eviction()) {
            if wait.is_over() || self.is_evicted() {
                return Err(no_room);
            }
            sleep(RETRY_EVERY).await;
        }
        self.bytes = bytes;
        Ok(())
    }

    fn take(&self, charged: usize, eviction: Eviction) -> Result<(), NoRoom> {
        let bounds = &self.memory.bounds;
        // A body that is too young to have a speed does not count as slow.
        let speed = if self.body.age() < bounds.protected_for {
            f64::INFINITY
        } else {
            self.body.speed()
        };
        let mut ledger = self.memory.ledger();
        if charged > 0 {
            let needed = (charge(self.bytes), charged);
            ledger.make_room(bounds, self.client, needed, speed, eviction)?;
        }
        // It may have been evicted before, or have been the slowest itself.
        if !ledger.has(self.id) {
            return Err(NoRoom);
        }
        ledger.add(self.id, self.client, charged);
        Ok(())
    }

    fn is_evicted(&self) -> bool {
        !self.memory.ledger().has(self.id)
    }

    /// Whether so little of the memory is held that a body may take more than the least.
    pub(crate) fn is_one_of_few(&self) -> bool {
        let bounds = &self.memory.bounds;
        self.memory.ledger().held_bytes <= bounds.all_bytes / 8
    }

    /// Counts bytes that arrived and take no more room.
    pub(crate) fn count(&self, bytes: usize) {
        self.body.count(bytes);
    }

    /// Ends when the body is evicted.
    pub(crate) async fn evicted(&self) {
        self.body.evicted().await;
    }

    /// As [`Share::evicted`], without keeping the share.
    pub(crate) fn eviction(&self) -> impl Future<Output = ()> + use<> {
        let body = Arc::clone(&self.body);
        async move { body.evicted().await }
    }

    /// Sets whether the server waits for the body's client. While it does not, the body does not count as slow and is
    /// not evicted.
    pub(crate) fn waits_for_client(&self, waits: bool) {
        self.body.set_waits_for_client(waits);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.ledger().leave(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::memory::bounds::{SmallHolders, UNIT_BYTES};
    use futures_util::FutureExt;
    use std::net::IpAddr;
    use tokio::time::advance;

    const UNIT: usize = UNIT_BYTES;

    /// Ten units in all, six for each client; a body younger than a second is not evicted.
    fn memory() -> SharedMemory {
        SharedMemory::new(Bounds {
            all_bytes: 10 * UNIT,
            of_one_client_bytes: 6 * UNIT,
            protected_for: Duration::from_secs(1),
            protected_above: u64::MAX,
            waits_for: Duration::from_secs(10),
            small_holders: SmallHolders::WaitLikeAll,
        })
    }

    impl SharedMemory {
        /// Takes room where there is some now, without waiting.
        fn begin_now(&self, client: Client, bytes: usize) -> Result<Share, NoRoom> {
            self.begin(client, bytes)
                .now_or_never()
                .unwrap_or(Err(NoRoom))
        }
    }

    impl Share {
        fn grow_now(&mut self, more: usize) -> Result<(), NoRoom> {
            self.grow(more).now_or_never().unwrap_or(Err(NoRoom))
        }
    }

    fn client(number: u8) -> Client {
        Client::at(IpAddr::from([198, 51, 100, number]))
    }

    fn is_evicted(share: &Share) -> bool {
        share.evicted().now_or_never().is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn one_client_takes_no_more_than_its_part() {
        let memory = memory();
        let _held: Vec<_> = (0..3)
            .map(|_| memory.begin_now(client(1), UNIT).unwrap())
            .collect();
        assert_eq!(memory.begin_now(client(1), UNIT).unwrap_err(), NoRoom);
        memory.begin_now(client(2), UNIT).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_or_evicted_share_is_given_back_once() {
        let memory = memory();
        let mut shares: Vec<_> = (0..3)
            .map(|_| memory.begin_now(client(1), UNIT).unwrap())
            .collect();
        advance(Duration::from_secs(2)).await;
        let newcomer = memory.begin_now(client(1), UNIT).unwrap();
        let evicted = shares.iter().position(is_evicted).unwrap();
        assert_eq!(shares[evicted].grow_now(1), Err(NoRoom));
        drop(shares);
        drop(newcomer);
        assert!(memory.ledger().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_slowest_body_of_a_full_client_is_evicted_and_none_of_another_client() {
        let memory = memory();
        let other = memory.begin_now(client(2), UNIT).unwrap();
        let mut steady = memory.begin_now(client(1), UNIT).unwrap();
        let silent = memory.begin_now(client(1), UNIT).unwrap();
        let trickling = memory.begin_now(client(1), 1).unwrap();
        for _ in 0..20 {
            advance(Duration::from_secs(1)).await;
            trickling.count(100);
            steady.count(1000);
        }
        let _newcomer = memory.begin_now(client(1), UNIT).unwrap();
        assert!(is_evicted(&silent));
        assert!(![&other, &steady, &trickling].into_iter().any(is_evicted));
        steady.grow_now(UNIT).unwrap();
        assert!(is_evicted(&trickling));
        assert!(!is_evicted(&other));
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_memory_is_taken_the_client_that_holds_most_loses_a_body() {
        let memory = memory();
        let fast: Vec<_> = (0..3)
            .map(|_| memory.begin_now(client(1), UNIT).unwrap())
            .collect();
        let slow: Vec<_> = (2..4)
            .map(|number| memory.begin_now(client(number), UNIT).unwrap())
            .collect();
        for _ in 0..5 {
            advance(Duration::from_secs(1)).await;
            for share in &fast {
                share.count(10_000);
            }
        }
        let _newcomer = memory.begin_now(client(4), UNIT).unwrap();
        assert_eq!(fast.iter().filter(|share| is_evicted(share)).count(), 1);
        assert!(!slow.iter().any(is_evicted));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_of_few_bodies_displaces_those_of_the_greatest_at_any_age() {
        let mut memory = memory();
        memory.bounds.small_holders = SmallHolders::MayDisplaceAny;
        let greatest: Vec<_> = (0..3)
            .map(|_| memory.begin_now(client(1), UNIT).unwrap())
            .collect();
        let equals: Vec<_> = (2..4)
            .map(|number| memory.begin_now(client(number), UNIT).unwrap())
            .collect();
        let _newcomer = memory.begin_now(client(4), UNIT).unwrap();
        assert_eq!(greatest.iter().filter(|share| is_evicted(share)).count(), 1);
        assert!(!equals.iter().any(is_evicted));
        assert_eq!(memory.begin_now(client(5), UNIT).unwrap_err(), NoRoom);
    }

    #[tokio::test(start_paused = true)]
    async fn a_small_body_displaces_the_greatest_of_its_client_at_any_age() {
        let mut memory = memory();
        memory.bounds.small_holders = SmallHolders::MayDisplaceAny;
        let greatest = memory.begin_now(client(1), 4 * UNIT).unwrap();
        let middle = memory.begin_now(client(1), 2 * UNIT);
        assert_eq!(middle.unwrap_err(), NoRoom);
        let _small = memory.begin_now(client(1), 1).unwrap();
        assert!(is_evicted(&greatest));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_displaces_none_that_is_faster_or_younger_or_does_not_wait_for_its_client() {
        let memory = memory();
        let mut slow = memory.begin_now(client(1), UNIT).unwrap();
        let fast = memory.begin_now(client(1), UNIT).unwrap();
        advance(Duration::from_secs(10)).await;
        fast.count(10_000);
        let young = memory.begin_now(client(1), UNIT).unwrap();
        assert_eq!(slow.grow_now(UNIT), Err(NoRoom));
        assert!(![&slow, &fast, &young].into_iter().any(is_evicted));
        slow.waits_for_client(false);
        fast.waits_for_client(false);
        assert_eq!(memory.begin_now(client(1), UNIT).unwrap_err(), NoRoom);
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_does_not_make_a_silent_body_fast() {
        let memory = memory();
        let burst = memory.begin_now(client(1), 3 * UNIT).unwrap();
        let steady = memory.begin_now(client(1), 1).unwrap();
        for _ in 0..30 {
            advance(Duration::from_secs(1)).await;
            steady.count(500);
        }
        let _newcomer = memory.begin_now(client(1), UNIT).unwrap();
        assert!(is_evicted(&burst) && !is_evicted(&steady));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_finds_no_room_waits_for_it_and_not_for_ever() {
        let memory = memory();
        let all: Vec<_> = (0..3)
            .map(|_| memory.begin_now(client(1), UNIT).unwrap())
            .collect();
        for share in &all {
            share.waits_for_client(false);
        }
        let began = Instant::now();
        let refused = memory.begin_upload(client(1), UNIT).await;
        assert_eq!(refused.unwrap_err(), NoRoom);
        assert!(began.elapsed() >= Duration::from_secs(10));
        let waits = memory.begin_upload(client(1), UNIT);
        let (begun, ()) = tokio::join!(waits, async {
            sleep(Duration::from_secs(3)).await;
            drop(all);
        });
        begun.unwrap();
    }
}
