//! What a connection is doing, so that one that does nothing cannot take the place of one that would.
//!
//! A connection either carries requests, whose bodies and answers have paces of their own ([`crate::http::pace`]), or
//! waits: for a handshake, for a head, for the next request. Guarantees: no wait is longer than [`KEEP_ALIVE`], nor
//! [`HEAD_TIME`] once a head has begun (each give or take [`GLANCE`]); where a worker has hardly a place left, those
//! that waited longest go. Refuses to know what is sent.

use crate::http::connection::timeouts::{HEAD_TIME, KEEP_ALIVE};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// What may be in memory of a body that is read. Left to itself actix reads some 400 KB ahead.
const HELD_BYTES: u64 = 64 * 1024;
/// How long a connection may wait before it can be evicted: where many come at once, each gets the time to send a request.
const TIME_TO_ASK: Duration = Duration::from_millis(50);
/// How often a connection's wait is looked at.
const GLANCE: Duration = Duration::from_secs(5);

/// One connection's doings. Its worker's thread alone sees it.
#[derive(Debug)]
pub(crate) struct Activity {
    /// Requests that are being answered.
    requests: Cell<u32>,
    waits_since: Cell<Instant>,
    /// Since it waits, bytes came: a head has begun.
    heard: Cell<bool>,
    /// HTTP/2: what comes between requests need not be a head.
    multiplexed: Cell<bool>,
    /// Of the last answer something may still have to be sent.
    unsent: Cell<bool>,
    /// Answers that were given.
    answers: Cell<u64>,
    /// Bytes of the body under way that were handed on, less those that its reader is done with.
    held: Cell<u64>,
    /// What came between the bytes that are held: sizes of chunks and their extensions, which keep memory as they do.
    framing: Cell<u64>,
    /// Who waits to hand on more.
    reader: RefCell<Option<Waker>>,
    shown_out: Notify,
    /// It was shown out, and has not gone yet.
    leaving: Cell<bool>,
    /// What may be in memory of a body, as far as it is less than [`HELD_BYTES`].
    read_ahead: Cell<u64>,
}

/// What is read of a body before its reader asks for more ([`Activity::read_ahead`]).
pub(crate) const READ_AHEAD_BYTES: u64 = 8 * 1024;

impl Activity {
    fn begin() -> Self {
        Self {
            requests: Cell::new(0),
            waits_since: Cell::new(Instant::now()),
            heard: Cell::new(false),
            multiplexed: Cell::new(false),
            unsent: Cell::new(false),
            answers: Cell::new(0),
            held: Cell::new(0),
            framing: Cell::new(0),
            reader: RefCell::default(),
            shown_out: Notify::new(),
            leaving: Cell::new(false),
            read_ahead: Cell::new(READ_AHEAD_BYTES),
        }
    }

    /// Has so much of a body read before its reader takes it, up to [`HELD_BYTES`].
    pub(crate) fn read_ahead(&self, bytes: u64) {
        self.read_ahead.set(bytes);
    }

    /// A request is being answered for as long as the guard lives.
    pub(super) fn request(self: &Rc<Self>) -> RequestUnderWay {
        self.requests.set(self.requests.get() + 1);
        RequestUnderWay(Rc::clone(self))
    }

    /// Bytes came.
    pub(super) fn hear(&self) {
        if self.waits() && !self.heard.replace(true) {
            self.waits_since.set(Instant::now());
        }
    }

    /// All that was to be sent has been.
    pub(super) fn has_sent_all(&self) {
        self.unsent.set(false);
    }

    /// Neither is a request under way, nor is anything of an answer left to be sent.
    pub(super) fn is_at_rest(&self) -> bool {
        self.waits() && !self.unsent.get()
    }

    /// How many answers were given.
    pub(super) fn answers(&self) -> u64 {
        self.answers.get()
    }

    /// The first bytes of a request are to be handed on.
    pub(super) fn begin_handing(&self) {
        self.held.set(0);
        self.framing.set(0);
    }

    /// `bytes` of a body were handed on, and `framing` around them.
    pub(super) fn hand(&self, bytes: usize, framing: usize) {
        let before = if self.holds_any() {
            self.framing.get()
        } else {
            0
        };
        self.framing.set(before + framing as u64);
        self.held.set(self.held.get() + bytes as u64);
    }

    /// Whether so much of the request is in memory that no more is to be read.
    pub(super) fn holds_enough(&self) -> bool {
        self.held.get() >= HELD_BYTES.min(self.read_ahead.get())
            || self.holds_any() && self.framing.get() >= READ_AHEAD_BYTES
    }

    /// Whether any of the body is in memory.
    pub(super) fn holds_any(&self) -> bool {
        self.held.get() > 0
    }

    /// The body's reader is done with so many bytes of it.
    pub(crate) fn take(&self, bytes: usize) {
        self.held.set(self.held.get().saturating_sub(bytes as u64));
        if !self.holds_any() {
            self.framing.set(0);
        }
        if !self.holds_enough() {
            self.wake_reader();
        }
    }

    /// To be woken when more may be handed on.
    pub(super) fn wait_to_hand(&self, reader: &Waker) {
        self.reader.replace(Some(reader.clone()));
    }

    pub(super) fn wake_reader(&self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    pub(super) fn is_multiplexed(&self) {
        self.multiplexed.set(true);
        self.waits_since.set(Instant::now());
    }

    fn waits(&self) -> bool {
        self.requests.get() == 0
    }

    fn overdue_at(&self) -> Option<Instant> {
        let patience = if self.heard.get() && !self.multiplexed.get() {
            HEAD_TIME
        } else {
            KEEP_ALIVE
        };
        self.waits().then(|| self.waits_since.get() + patience)
    }

    /// Ends when this connection has waited too long, or its place is needed, and says which.
    pub(super) async fn overdue(&self) -> Overdue {
        loop {
            let now = Instant::now();
            if self.overdue_at().is_some_and(|at| at <= now) {
                return Overdue::Idle;
            }
            tokio::select! {
                () = sleep_until(now + GLANCE) => {}
                () = self.shown_out.notified() => {
                    let since = self.waits_since.get();
                    sleep_until(since + TIME_TO_ASK).await;
                    if self.waits() && self.waits_since.get() == since {
                        return Overdue::Evicted;
                    }
                    // It asked at the last moment.
                    self.leaving.set(false);
                }
            }
        }
    }
}

/// Why a connection is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    Idle,
    /// Another one needs its place.
    Evicted,
}

/// See [`Activity::request`].
#[derive(Debug)]
pub(super) struct RequestUnderWay(Rc<Activity>);

impl Drop for RequestUnderWay {
    fn drop(&mut self) {
        let activity = &self.0;
        activity.requests.set(activity.requests.get() - 1);
        activity.waits_since.set(Instant::now());
        activity.heard.set(false);
        activity.unsent.set(true);
        activity.answers.set(activity.answers.get() + 1);
    }
}

/// All connections of one worker.
#[derive(Debug, Default)]
struct Crowd {
    members: RefCell<HashMap<u64, Rc<Activity>>>,
    next: Cell<u64>,
}

thread_local! {
    /// A worker is a thread, whatever the number of listeners that it serves.
    static CROWD: Crowd = Crowd::default();
}

/// A connection's place among those of its worker, given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    id: u64,
    activity: Rc<Activity>,
}

impl Place {
    /// Takes a place of this worker's `capacity`. Where seven of eight are taken, or all but one, the one in 64 that waited
    /// longest are evicted, so that the next client that asks at once finds a place.
    pub(super) fn take(capacity: usize) -> Self {
        let activity = Rc::new(Activity::begin());
        let id = CROWD.with(|crowd| {
            if crowd.members.borrow().len() >= capacity - (capacity / 8).max(1) {
                crowd.show_out((capacity / 64).max(1));
            }
            let id = crowd.next.replace(crowd.next.get() + 1);
            crowd.members.borrow_mut().insert(id, Rc::clone(&activity));
            id
        });
        Self { id, activity }
    }

    pub(super) fn activity(&self) -> &Rc<Activity> {
        &self.activity
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Where the thread is ending, so is its crowd.
        let _ = CROWD.try_with(|crowd| crowd.members.borrow_mut().remove(&self.id));
    }
}

impl Crowd {
    fn show_out(&self, count: usize) {
        let members = self.members.borrow();
        let mut waiting: Vec<_> = members
            .values()
            .filter(|one| one.waits() && !one.leaving.get())
            .collect();
        let count = count.min(waiting.len());
        if count == 0 {
            return;
        }
        waiting.select_nth_unstable_by_key(count - 1, |one| one.waits_since.get());
        for longest in &waiting[..count] {
            longest.leaving.set(true);
            longest.shown_out.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_says_nothing_is_overdue_after_the_keep_alive_and_a_begun_head_sooner()
     {
        let began = Instant::now();
        let silent = Place::take(64);
        silent.activity().overdue().await;
        assert_eq!(began.elapsed(), KEEP_ALIVE);
        let trickling = Place::take(64);
        trickling.activity().hear();
        let began = Instant::now();
        trickling.activity().overdue().await;
        assert_eq!(began.elapsed(), HEAD_TIME);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_under_way_is_waited_for_and_its_end_begins_a_new_wait() {
        let place = Place::take(64);
        let request = place.activity().request();
        place.activity().hear();
        let hours = tokio::time::sleep(Duration::from_hours(3));
        tokio::select! {
            _ = place.activity().overdue() => panic!("a request is under way"),
            () = hours => {}
        }
        drop(request);
        assert!(!place.activity().is_at_rest());
        let began = Instant::now();
        place.activity().overdue().await;
        assert!(began.elapsed() >= KEEP_ALIVE);
    }

    #[test]
    fn what_stands_between_small_chunks_is_held_with_them_and_keeps_no_body_waiting_alone() {
        let place = Place::take(64);
        let activity = place.activity();
        activity.begin_handing();
        activity.hand(0, 100_000);
        assert!(!activity.holds_enough(), "nothing would be taken");
        activity.hand(1, 5_000);
        assert!(!activity.holds_enough());
        activity.hand(1, 5_000);
        assert!(activity.holds_enough());
        activity.take(1);
        assert!(activity.holds_enough());
        activity.take(1);
        assert!(!activity.holds_enough());
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_place_of_a_few_is_kept_free_too() {
        let idle = Place::take(2);
        assert!(idle.activity().overdue().now_or_never().is_none());
        tokio::time::advance(TIME_TO_ASK).await;
        let _next = Place::take(2);
        let evicted = idle.activity().overdue().now_or_never();
        assert_eq!(evicted, Some(Overdue::Evicted));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_just_came_is_evicted_only_after_it_had_time_to_ask() {
        for asks in [true, false] {
            let came = Place::take(2);
            let _next = Place::take(2);
            let mut overdue = std::pin::pin!(came.activity().overdue());
            assert!(overdue.as_mut().now_or_never().is_none());
            let _request = asks.then(|| came.activity().request());
            tokio::time::advance(TIME_TO_ASK).await;
            let evicted = overdue.as_mut().now_or_never();
            assert_eq!(evicted, (!asks).then_some(Overdue::Evicted));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn in_a_crowd_those_that_waited_longest_make_place_and_those_at_work_do_not() {
        let mut places = Vec::new();
        for _ in 0..56 {
            places.push(Place::take(64));
            tokio::time::advance(Duration::from_millis(10)).await;
        }
        let _at_work = places[0].activity().request();
        places.push(Place::take(64));
        places.push(Place::take(64));
        let gone: Vec<_> = places
            .iter()
            .enumerate()
            .filter(|(_, place)| place.activity().overdue().now_or_never().is_some())
            .map(|(at, _)| at)
            .collect();
        assert_eq!(gone, [1, 2]);
    }
}
