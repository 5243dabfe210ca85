//! Changes that wait for the writer, in their order of arrival.
//!
//! Guarantees: a change is taken only if its locks conflict neither with a lock that is held nor with one that an earlier
//! change waits for; no two changes of a group change the same row; and changes of one row alone can never fill the
//! queue.

use crate::store::journal::locks::{LockSet, RowLock};
use crate::store::journal::request::Request;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};

/// The number of changes that may wait in the queue; past it their callers wait.
pub(in crate::store) const PLACES: usize = 1024;
/// How many of these may change one row: each of them needs a group of its own.
const PLACES_OF_A_ROW: u32 = 256;
const GROUP_CHANGES: usize = 256;
const GROUP_BYTES: usize = 8 << 20;

#[derive(Default)]
pub(in crate::store) struct Queue {
    waiting: VecDeque<Request>,
    /// How many waiting changes change a row, by the hash of the row's name.
    rows: HashMap<u64, u32>,
    hasher: RandomState,
}

impl Queue {
    pub(in crate::store) fn has_place(&self) -> bool {
        self.waiting.len() < PLACES
    }

    pub(in crate::store) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Appends a change to the queue. Returns it if too many changes of one of its rows are waiting already.
    #[must_use]
    pub(in crate::store) fn push(&mut self, request: Request) -> Option<Request> {
        let is_full = |row| {
            self.rows
                .get(&row)
                .is_some_and(|count| *count >= PLACES_OF_A_ROW)
        };
        if self.rows_of(&request.locks).any(is_full) {
            return Some(request);
        }
        self.count(&request.locks);
        self.waiting.push_back(request);
        None
    }

    /// Puts changes that were taken back to the front of the queue, in their order.
    pub(in crate::store) fn push_front(&mut self, requests: Vec<Request>) {
        for request in requests.into_iter().rev() {
            self.count(&request.locks);
            self.waiting.push_front(request);
        }
    }

    pub(in crate::store) fn drain(&mut self) -> impl Iterator<Item = Request> {
        self.rows.clear();
        self.waiting.drain(..)
    }

    /// Takes the next group of changes and their locks. A change is passed over if its locks conflict with a lock that is
    /// held, or with a lock that an earlier change waits for.
    pub(in crate::store) fn take_group(&mut self, held: &mut LockSet) -> Vec<Request> {
        let mut group = Vec::new();
        let mut bytes = 0;
        let mut blocked = LockSet::default();
        let mut passed_over = VecDeque::new();
        while group.len() < GROUP_CHANGES && bytes < GROUP_BYTES {
            let Some(request) = self.waiting.pop_front() else {
                break;
            };
            if blocked.admits(&request.locks) && held.admits(&request.locks) {
                held.hold(&request.locks);
                bytes += request.work.memory_bytes();
                self.count_down(&request.locks);
                group.push(request);
            } else {
                blocked.hold(&request.locks);
                passed_over.push_back(request);
            }
        }
        passed_over.append(&mut self.waiting);
        self.waiting = passed_over;
        group
    }

    fn rows_of<'n>(&self, locks: &'n [RowLock]) -> impl Iterator<Item = u64> + use<'_, 'n> {
        RowLock::changing(locks).map(|row| self.hasher.hash_one(row))
    }

    fn count(&mut self, locks: &[RowLock]) {
        for row in self.rows_of(locks).collect::<Vec<_>>() {
            *self.rows.entry(row).or_default() += 1;
        }
    }

    fn count_down(&mut self, locks: &[RowLock]) {
        for row in self.rows_of(locks).collect::<Vec<_>>() {
            if let Some(count) = self.rows.get_mut(&row) {
                *count -= 1;
                if *count == 0 {
                    self.rows.remove(&row);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Effect;
    use crate::store::journal::work::Work;
    use proptest::prelude::*;

    fn request(rows: &[String]) -> Request {
        let effect = Effect::new("none", Vec::new(), &());
        let (answer, _) = tokio::sync::oneshot::channel();
        Request {
            locks: rows.iter().map(|row| RowLock::row(row)).collect(),
            work: Work::New(effect),
            answer,
        }
    }

    #[test]
    fn changes_of_one_row_cannot_fill_the_queue() {
        let mut queue = Queue::default();
        let pushed = (0..PLACES).filter(|_| queue.push(request(&["hot".to_owned()])).is_none());
        assert_eq!(pushed.count(), PLACES_OF_A_ROW as usize);
        assert!(queue.has_place());
        assert!(queue.push(request(&["other".to_owned()])).is_none());
        let mut held = LockSet::default();
        assert_eq!(queue.take_group(&mut held).len(), 2, "one of each row");
        assert!(
            queue.push(request(&["hot".to_owned()])).is_none(),
            "a place is free again"
        );
    }

    #[test]
    fn changes_of_a_thousand_rows_each_are_pushed_at_once() {
        let mut queue = Queue::default();
        for change in 0..PLACES {
            let rows: Vec<String> = (0..1000).map(|row| format!("{change}/{row}")).collect();
            assert!(queue.push(request(&rows)).is_none());
        }
        assert_eq!(
            queue.take_group(&mut LockSet::default()).len(),
            GROUP_CHANGES
        );
    }

    proptest! {
        #[test]
        fn the_counts_of_rows_match_the_waiting_changes(
            steps in prop::collection::vec((prop::collection::vec(0..5_u8, 0..4), 0..4_u8), 1..60),
        ) {
            let mut queue = Queue::default();
            for (rows, step) in steps {
                match step {
                    0 => {
                        let mut held = LockSet::default();
                        let taken = queue.take_group(&mut held);
                        queue.push_front(taken.into_iter().take(1).collect());
                    }
                    1 if rows.is_empty() => drop(queue.drain()),
                    _ => {
                        let rows: Vec<String> = rows.iter().map(u8::to_string).collect();
                        drop(queue.push(request(&rows)));
                    }
                }
                let mut expected: HashMap<u64, u32> = HashMap::new();
                for waiting in &queue.waiting {
                    for row in queue.rows_of(&waiting.locks) {
                        *expected.entry(row).or_default() += 1;
                    }
                }
                prop_assert_eq!(&queue.rows, &expected);
            }
        }
    }
}
