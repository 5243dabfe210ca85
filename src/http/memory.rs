//! Memory that the bodies of many clients share.
//!
//! Guarantees: no client ([`Client`]: an IPv4 address, or the /64 network of an IPv6 one) holds more than its part
//! ([`Bounds::of_one_client_bytes`]), and all of them together no more than the whole. Where there is no room for a
//! body, the slowest body makes room, if it is old enough to have a pace: of the same client where that client's part
//! is full, else of the client that holds most. A body never displaces one that is faster than itself, nor one whose
//! client is not waited for ([`Few`] has the one exception). What a body holds is given back when its [`Share`] is dropped, however its request ends. The module refuses to know what the
//! bodies are.

use super::TrustedProxies;
use super::proxies;
use actix_web::dev::RequestHead;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

/// What is held of a body is counted in these, and one more for what surrounds it: parser, connection, request.
const UNIT_BYTES: usize = 4096;
/// After this time the bytes that came count half when the pace of a body is judged.
const PACE_HALF_LIFE: Duration = Duration::from_secs(4);
/// How often a body that waits for room looks for it.
const LOOK_FOR_ROOM: Duration = Duration::from_millis(25);

/// How often it looks for one that is slow, which takes a walk over all.
const LOOK_FOR_SLOWEST: Duration = Duration::from_millis(500);

/// Bodies whose senders are not verified: the fields of a form before its file.
const UNVERIFIED: Bounds = Bounds {
    all_bytes: 16 << 20,
    of_one_client_bytes: 4 << 20,
    spared_for: Duration::from_millis(500),
    spared_above: u64::MAX,
    waits_for: Duration::from_secs(2),
    few: Few::DisplaceAnyOfTheGreatest,
};
/// JSON and XML documents of verified senders, which are held whole.
const DOCUMENTS: Bounds = Bounds {
    all_bytes: 32 << 20,
    of_one_client_bytes: 8 << 20,
    spared_for: Duration::from_secs(2),
    spared_above: u64::MAX,
    waits_for: Duration::from_secs(2),
    few: Few::WaitAsAll,
};

/// Uploads under way: 1,024, and 768 of one client. Stalled ones make room, those that come at a usual pace do not.
const UPLOADS: Bounds = Bounds {
    all_bytes: 1024 * charge(UPLOAD_BYTES),
    of_one_client_bytes: 768 * charge(UPLOAD_BYTES),
    spared_for: Duration::from_secs(5),
    spared_above: 16 * 1024,
    waits_for: Duration::from_secs(10),
    few: Few::WaitAsAll,
};
/// Connections of HTTP/2 with requests under way. One that moves little makes room; one at work does not.
const HTTP2_CONNECTIONS: Bounds = Bounds {
    all_bytes: 256 << 20,
    of_one_client_bytes: 192 << 20,
    spared_for: Duration::from_millis(500),
    spared_above: 64 * 1024,
    waits_for: Duration::ZERO,
    few: Few::DisplaceAnyOfTheGreatest,
};
/// What an upload under way is counted as, however long it is. With what the allocator keeps between its buffers that is
/// what a thousand at full speed were seen to take each.
pub(crate) const UPLOAD_BYTES: usize = 252 * 1024;

/// How much a [`SharedMemory`] holds, and when a body loses its share of it.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    all_bytes: usize,
    of_one_client_bytes: usize,
    /// So long a body is never displaced.
    spared_for: Duration,
    /// Nor is one that came faster than this lately, bytes a second.
    spared_above: u64,
    /// How long a body waits for room, unread.
    waits_for: Duration,
    few: Few,
}

/// What a client may do whose bodies hold less than half of what those of the greatest client hold, and a body that holds
/// less than half of the greatest of its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Few {
    /// It displaces that body, or the slowest of that client, however young and fast it is: many that come anew all the
    /// time do not keep out one that comes once.
    DisplaceAnyOfTheGreatest,
    WaitAsAll,
}

/// Whose part of the memory a body takes. Decides about limits alone, never about permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Client(IpAddr);

impl Client {
    pub(crate) fn of(head: &RequestHead, trusted: &TrustedProxies) -> Self {
        let Some(peer) = head.peer_addr else {
            return Self::at(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        };
        let forwarded = proxies::forwarded_for(head.headers());
        Self::at(trusted.client_for_limits(peer.ip(), &forwarded))
    }

    /// Whose connection it is, before it stated anything.
    pub(crate) fn of_peer(peer: Option<SocketAddr>) -> Self {
        let unknown = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        Self::at(peer.map_or(unknown, |peer| peer.ip()))
    }

    /// A household or a server has a /64 network, and can send from any address of it.
    fn at(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = u128::from(address) & !u128::from(u64::MAX);
                IpAddr::V6(Ipv6Addr::from(network))
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

/// There is no room for a body, or it had to make room for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no memory for the body")]
pub(crate) struct NoRoom;

/// The memories of a server. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct BodyMemory {
    pub(crate) unverified: SharedMemory,
    pub(crate) documents: SharedMemory,
    pub(crate) uploads: SharedMemory,
    pub(crate) http2_connections: SharedMemory,
}

impl Default for BodyMemory {
    fn default() -> Self {
        Self {
            unverified: SharedMemory::new(UNVERIFIED),
            documents: SharedMemory::new(DOCUMENTS),
            uploads: SharedMemory::new(UPLOADS),
            http2_connections: SharedMemory::new(HTTP2_CONNECTIONS),
        }
    }
}

/// Memory that bodies of one kind share. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct SharedMemory {
    bounds: Bounds,
    ledger: Arc<Mutex<Ledger>>,
}

impl SharedMemory {
    fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            ledger: Arc::default(),
        }
    }

    /// Takes room for `bytes` that came of a body, and lets slower bodies make it where there is none.
    ///
    /// # Errors
    /// Where they did not in the time that a body waits.
    pub(crate) async fn begin(&self, client: Client, bytes: usize) -> Result<Share, NoRoom> {
        let share = self.begin_upload(client, bytes).await?;
        share.hear(bytes);
        Ok(share)
    }

    /// As [`SharedMemory::begin`]; the bytes are yet to come.
    ///
    /// # Errors
    /// As [`SharedMemory::begin`].
    pub(crate) async fn begin_upload(&self, client: Client, bytes: usize) -> Result<Share, NoRoom> {
        let mut wait = Wait::begin(&self.bounds);
        loop {
            match self.begin_with(client, bytes, wait.making()) {
                Err(NoRoom) if !wait.is_over() => sleep(LOOK_FOR_ROOM).await,
                begun => return begun,
            }
        }
    }

    /// Takes room for `bytes` if there is some now, or slower bodies make it.
    ///
    /// # Errors
    /// Where there is none.
    pub(crate) fn begin_at_once(&self, client: Client, bytes: usize) -> Result<Share, NoRoom> {
        self.begin_with(client, bytes, Making::Evicts)
    }

    fn begin_with(&self, client: Client, bytes: usize, making: Making) -> Result<Share, NoRoom> {
        let body = Arc::new(BodyState {
            began: Instant::now(),
            pace: Mutex::new(Pace::begin()),
            evicted: Notify::new(),
            waits: AtomicBool::new(true),
        });
        let mut ledger = self.ledger();
        let needed = (0, charge(bytes));
        ledger.make_room(&self.bounds, client, needed, f64::INFINITY, making)?;
        let id = ledger.next;
        ledger.next += 1;
        let entry = Entry {
            client,
            bytes: 0,
            body: Arc::clone(&body),
        };
        ledger.bodies.insert(id, entry);
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

    fn making(&mut self) -> Making {
        if (self.evicted_at).is_none_or(|at| at.elapsed() >= LOOK_FOR_SLOWEST) {
            self.evicted_at = Some(Instant::now());
            Making::Evicts
        } else {
            Making::Looks
        }
    }

    fn is_over(&self) -> bool {
        self.began.elapsed() >= self.waits_for
    }
}

/// What a body may do where there is no room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Making {
    Looks,
    Evicts,
}

/// What `bytes` of a body are counted as.
const fn charge(bytes: usize) -> usize {
    (bytes.div_ceil(UNIT_BYTES) + 1) * UNIT_BYTES
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
    /// Takes room for `more` bytes that came.
    ///
    /// # Errors
    /// Where there was none in the time that a body waits, or the body was evicted.
    pub(crate) async fn grow(&mut self, more: usize) -> Result<(), NoRoom> {
        self.hear(more);
        let bytes = self.bytes + more;
        let charged = charge(bytes) - charge(self.bytes);
        let mut wait = Wait::begin(&self.memory.bounds);
        while let Err(no_room) = self.take(charged, wait.making()) {
            if wait.is_over() || self.is_evicted() {
                return Err(no_room);
            }
            sleep(LOOK_FOR_ROOM).await;
        }
        self.bytes = bytes;
        Ok(())
    }

    fn take(&self, charged: usize, making: Making) -> Result<(), NoRoom> {
        let bounds = &self.memory.bounds;
        // A body that has no pace yet is not slow.
        let speed = if self.body.began.elapsed() < bounds.spared_for {
            f64::INFINITY
        } else {
            self.body.speed()
        };
        let mut ledger = self.memory.ledger();
        if charged > 0 {
            let needed = (charge(self.bytes), charged);
            ledger.make_room(bounds, self.client, needed, speed, making)?;
        }
        // It may have been evicted before, or have been the slowest itself.
        if !ledger.bodies.contains_key(&self.id) {
            return Err(NoRoom);
        }
        ledger.add(self.id, self.client, charged);
        Ok(())
    }

    fn is_evicted(&self) -> bool {
        !self.memory.ledger().bodies.contains_key(&self.id)
    }

    /// Whether there is so much room that a body may take more than the least.
    pub(crate) fn is_one_of_few(&self) -> bool {
        let bounds = &self.memory.bounds;
        self.memory.ledger().held_bytes <= bounds.all_bytes / 8
    }

    /// Bytes came that take no more room.
    pub(crate) fn hear(&self, bytes: usize) {
        self.body.pace().count(bytes);
    }

    /// Ends when the body has to make room.
    pub(crate) async fn evicted(&self) {
        self.body.evicted.notified().await;
    }

    /// As [`Share::evicted`], without keeping the share.
    pub(crate) fn eviction(&self) -> impl Future<Output = ()> + use<> {
        let body = Arc::clone(&self.body);
        async move { body.evicted.notified().await }
    }

    /// Whether the body's client is waited for. One that is not is not slow, and makes room for no other.
    pub(crate) fn waits_for_client(&self, waits: bool) {
        self.body.waits.store(waits, Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.ledger().remove(self.id);
    }
}

/// What is held, and for which bodies.
#[derive(Debug, Default)]
struct Ledger {
    held_bytes: usize,
    /// What is held for each client; none for which nothing is.
    clients: HashMap<Client, usize>,
    bodies: HashMap<u64, Entry>,
    next: u64,
}

#[derive(Debug)]
struct Entry {
    client: Client,
    bytes: usize,
    body: Arc<BodyState>,
}

impl Ledger {
    /// Sees to it that `bytes` more of `client` have room. `own_bytes`: what their body holds; `speed`: of that body, bytes a
    /// second.
    fn make_room(
        &mut self,
        bounds: &Bounds,
        client: Client,
        (own_bytes, bytes): (usize, usize),
        speed: f64,
        making: Making,
    ) -> Result<(), NoRoom> {
        loop {
            let of_client = self.clients.get(&client).copied().unwrap_or(0);
            let is_part_full = of_client + bytes > bounds.of_one_client_bytes;
            if !is_part_full && self.held_bytes + bytes <= bounds.all_bytes {
                return Ok(());
            }
            if making == Making::Looks {
                return Err(NoRoom);
            }
            let slowest = if is_part_full {
                let greatest = Some(client).filter(|_| bounds.few == Few::DisplaceAnyOfTheGreatest);
                let greatest = greatest.and_then(|client| self.greatest_body(client));
                greatest
                    .filter(|(_, held)| 2 * (own_bytes + bytes) < *held)
                    .map(|(id, _)| id)
                    .or_else(|| self.slowest(bounds, speed, Some(client)))
            } else {
                let greatest = self.clients.iter().max_by_key(|(_, bytes)| **bytes);
                let (greatest, held) = greatest.map_or((None, 0), |(it, held)| (Some(*it), *held));
                if bounds.few == Few::DisplaceAnyOfTheGreatest && 2 * (of_client + bytes) < held {
                    let any = Bounds {
                        spared_for: Duration::ZERO,
                        ..*bounds
                    };
                    self.slowest(&any, f64::INFINITY, greatest)
                } else {
                    self.slowest(bounds, speed, greatest)
                        .or_else(|| self.slowest(bounds, speed, None))
                }
            };
            let entry = slowest.and_then(|id| self.remove(id)).ok_or(NoRoom)?;
            entry.body.evicted.notify_one();
        }
    }

    /// The slowest body that may be evicted for one of `speed`, of a client or of all.
    fn slowest(&self, bounds: &Bounds, speed: f64, of: Option<Client>) -> Option<u64> {
        #[expect(clippy::cast_precision_loss, reason = "a bound on speed is no count")]
        let spared_above = bounds.spared_above as f64;
        let candidates = self.bodies.iter().filter(|(_, entry)| {
            of.is_none_or(|client| entry.client == client)
                && entry.body.waits.load(Ordering::Relaxed)
                && entry.body.began.elapsed() >= bounds.spared_for
        });
        candidates
            .map(|(id, entry)| (*id, entry.body.speed()))
            .filter(|(_, its_speed)| *its_speed <= spared_above && *its_speed < speed)
            .min_by(|(_, one), (_, other)| one.total_cmp(other))
            .map(|(id, _)| id)
    }

    /// The body of a client that holds most and waits for its client.
    fn greatest_body(&self, client: Client) -> Option<(u64, usize)> {
        let bodies = self.bodies.iter().filter(|(_, entry)| {
            entry.client == client && entry.body.waits.load(Ordering::Relaxed)
        });
        bodies
            .map(|(id, entry)| (*id, entry.bytes))
            .max_by_key(|(_, bytes)| *bytes)
    }

    fn add(&mut self, id: u64, client: Client, bytes: usize) {
        if let Some(entry) = self.bodies.get_mut(&id) {
            entry.bytes += bytes;
            self.held_bytes += bytes;
            *self.clients.entry(client).or_default() += bytes;
        }
    }

    fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.bodies.remove(&id)?;
        self.held_bytes -= entry.bytes;
        if let Some(held) = self.clients.get_mut(&entry.client) {
            *held -= entry.bytes;
            if *held == 0 {
                self.clients.remove(&entry.client);
            }
        }
        Some(entry)
    }
}

/// What is known of a body that is on its way.
#[derive(Debug)]
struct BodyState {
    began: Instant,
    pace: Mutex<Pace>,
    evicted: Notify,
    /// Its client is waited for.
    waits: AtomicBool,
}

impl BodyState {
    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How fast it came lately, bytes a second.
    fn speed(&self) -> f64 {
        self.pace().speed(self.began.elapsed())
    }
}

/// Bytes that came, the older ones counted less.
#[derive(Debug)]
struct Pace {
    recent: f64,
    at: Instant,
}

impl Pace {
    fn begin() -> Self {
        Self {
            recent: 0.0,
            at: Instant::now(),
        }
    }

    fn count(&mut self, bytes: usize) {
        #[expect(clippy::cast_precision_loss, reason = "a pace is no count")]
        let bytes = bytes as f64;
        self.recent = self.recent * fading(self.at.elapsed()) + bytes;
        self.at = Instant::now();
    }

    fn speed(&self, age: Duration) -> f64 {
        let recent = self.recent * fading(self.at.elapsed());
        let seconds = PACE_HALF_LIFE.as_secs_f64() / std::f64::consts::LN_2;
        // A young body had less time to send what counts.
        let share_of_time = (1.0 - fading(age)).max(0.01);
        recent / (seconds * share_of_time)
    }
}

fn fading(time: Duration) -> f64 {
    (-time.as_secs_f64() / PACE_HALF_LIFE.as_secs_f64()).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use tokio::time::advance;

    const UNIT: usize = UNIT_BYTES;

    /// Ten units in all, six for each client; a body is spared for a second.
    fn memory() -> SharedMemory {
        SharedMemory::new(Bounds {
            all_bytes: 10 * UNIT,
            of_one_client_bytes: 6 * UNIT,
            spared_for: Duration::from_secs(1),
            spared_above: u64::MAX,
            waits_for: Duration::from_secs(10),
            few: Few::WaitAsAll,
        })
    }

    impl SharedMemory {
        /// What there is room for now.
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
    async fn what_is_dropped_or_evicted_is_given_back_once() {
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
        let ledger = memory.ledger();
        assert_eq!(ledger.held_bytes, 0);
        assert!(ledger.clients.is_empty() && ledger.bodies.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn of_one_client_the_slowest_makes_room_and_no_other_client_does() {
        let memory = memory();
        let other = memory.begin_now(client(2), UNIT).unwrap();
        let mut steady = memory.begin_now(client(1), UNIT).unwrap();
        let silent = memory.begin_now(client(1), UNIT).unwrap();
        let trickling = memory.begin_now(client(1), 1).unwrap();
        for _ in 0..20 {
            advance(Duration::from_secs(1)).await;
            trickling.hear(100);
            steady.hear(1000);
        }
        let _newcomer = memory.begin_now(client(1), UNIT).unwrap();
        assert!(is_evicted(&silent));
        assert!(![&other, &steady, &trickling].into_iter().any(is_evicted));
        steady.grow_now(UNIT).unwrap();
        assert!(is_evicted(&trickling));
        assert!(!is_evicted(&other));
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_is_taken_the_client_that_holds_most_makes_room() {
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
                share.hear(10_000);
            }
        }
        let _newcomer = memory.begin_now(client(4), UNIT).unwrap();
        assert_eq!(fast.iter().filter(|share| is_evicted(share)).count(), 1);
        assert!(!slow.iter().any(is_evicted));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_of_few_bodies_displaces_those_of_the_greatest_at_any_age() {
        let mut memory = memory();
        memory.bounds.few = Few::DisplaceAnyOfTheGreatest;
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
        memory.bounds.few = Few::DisplaceAnyOfTheGreatest;
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
        fast.hear(10_000);
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
            steady.hear(500);
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

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let of = |text: &str| Client::at(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1:2:3"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
