//! The connections of a worker: each has a slot, and idle connections are evicted before no slot is left.

use crate::http::connection::state::ConnectionState;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

/// All connections of one worker.
#[derive(Debug, Default)]
struct ConnectionTable {
    connections: RefCell<HashMap<u64, Rc<ConnectionState>>>,
    next: Cell<u64>,
}

thread_local! {
    /// A worker is a thread, whatever the number of listeners that it serves.
    static TABLE: ConnectionTable = ConnectionTable::default();
}

/// A connection's slot in the table of its worker, given back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    id: u64,
    state: Rc<ConnectionState>,
}

impl Slot {
    /// Takes a slot of this worker's `capacity`. Where seven of eight slots are taken, or all but one, it evicts a 64th
    /// part of the connections, those that were idle longest, so that the next client gets a slot at once.
    pub(super) fn take(capacity: usize) -> Self {
        let state = Rc::new(ConnectionState::begin());
        let id = TABLE.with(|table| {
            if table.connections.borrow().len() >= capacity - (capacity / 8).max(1) {
                table.evict_idle((capacity / 64).max(1));
            }
            let id = table.next.replace(table.next.get() + 1);
            table.connections.borrow_mut().insert(id, Rc::clone(&state));
            id
        });
        Self { id, state }
    }

    pub(super) fn state(&self) -> &Rc<ConnectionState> {
        &self.state
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // A thread that is ending has no table any more.
        let _ = TABLE.try_with(|table| table.connections.borrow_mut().remove(&self.id));
    }
}

impl ConnectionTable {
    /// Evicts up to `count` connections: those that have been idle longest.
    fn evict_idle(&self, count: usize) {
        let connections = self.connections.borrow();
        let mut idle: Vec<_> = connections
            .values()
            .filter(|one| one.is_idle() && !one.is_evicted())
            .collect();
        let count = count.min(idle.len());
        if count == 0 {
            return;
        }
        idle.select_nth_unstable_by_key(count - 1, |one| one.idle_since());
        for longest in &idle[..count] {
            longest.evict();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::connection::state::{GRACE, Overdue};
    use crate::http::connection::timeouts::{HEAD_TIME, KEEP_ALIVE};
    use futures_util::FutureExt;
    use std::time::Duration;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_is_overdue_after_the_keep_alive_and_a_begun_head_sooner() {
        let began = Instant::now();
        let silent = Slot::take(64);
        silent.state().overdue().await;
        assert_eq!(began.elapsed(), KEEP_ALIVE);
        let trickling = Slot::take(64);
        trickling.state().note_received();
        let began = Instant::now();
        trickling.state().overdue().await;
        assert_eq!(began.elapsed(), HEAD_TIME);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_not_overdue_during_a_request_and_its_end_begins_a_new_wait() {
        let slot = Slot::take(64);
        let request = slot.state().begin_request();
        slot.state().note_received();
        let hours = tokio::time::sleep(Duration::from_hours(3));
        tokio::select! {
            _ = slot.state().overdue() => panic!("a request is under way"),
            () = hours => {}
        }
        drop(request);
        assert!(!slot.state().is_at_rest());
        let began = Instant::now();
        slot.state().overdue().await;
        assert!(began.elapsed() >= KEEP_ALIVE);
    }

    #[test]
    fn framing_between_small_chunks_is_buffered_with_them_and_alone_delays_no_body() {
        let slot = Slot::take(64);
        let state = slot.state();
        state.begin_forward();
        state.forward(0, 100_000);
        assert!(!state.buffers_enough(), "nothing would be taken");
        state.forward(1, 5_000);
        assert!(!state.buffers_enough());
        state.forward(1, 5_000);
        assert!(state.buffers_enough());
        state.consume(1);
        assert!(state.buffers_enough());
        state.consume(1);
        assert!(!state.buffers_enough());
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_slot_of_a_few_is_kept_free_too() {
        let idle = Slot::take(2);
        assert!(idle.state().overdue().now_or_never().is_none());
        tokio::time::advance(GRACE).await;
        let _next = Slot::take(2);
        let evicted = idle.state().overdue().now_or_never();
        assert_eq!(evicted, Some(Overdue::Evicted));
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_is_evicted_only_after_it_had_time_to_send_a_request() {
        for asks in [true, false] {
            let came = Slot::take(2);
            let _next = Slot::take(2);
            let mut overdue = std::pin::pin!(came.state().overdue());
            assert!(overdue.as_mut().now_or_never().is_none());
            let _request = asks.then(|| came.state().begin_request());
            tokio::time::advance(GRACE).await;
            let evicted = overdue.as_mut().now_or_never();
            assert_eq!(evicted, (!asks).then_some(Overdue::Evicted));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn of_many_connections_those_idle_longest_are_evicted_and_those_at_work_are_not() {
        let mut slots = Vec::new();
        for _ in 0..56 {
            slots.push(Slot::take(64));
            tokio::time::advance(Duration::from_millis(10)).await;
        }
        let _at_work = slots[0].state().begin_request();
        slots.push(Slot::take(64));
        slots.push(Slot::take(64));
        let gone: Vec<_> = slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.state().overdue().now_or_never().is_some())
            .map(|(at, _)| at)
            .collect();
        assert_eq!(gone, [1, 2]);
    }
}
