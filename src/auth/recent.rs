//! A bounded memory of what was looked up lately.
//!
//! Guarantees: never more than twice its capacity; what is asked for again stays; and an answer that was read before a
//! [`Recent::forget_all`] cannot be put in after it. It knows nothing of what it holds.
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Two generations: a hit moves an entry to the young one; when that is full it becomes the old one, and the old one goes.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    held: Mutex<Held<K, V>>,
    capacity: usize,
}
#[derive(Debug)]
struct Held<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    epoch: u64,
}
/// When something was read: before or after all was forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Epoch(u64);

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        let held = Held {
            young: HashMap::new(),
            old: HashMap::new(),
            epoch: 0,
        };
        Self {
            held: Mutex::new(held),
            capacity: capacity.max(1),
        }
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let mut held = self.held();
        if let Some(value) = held.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = held.old.remove_entry(key)?;
        self.keep(&mut held, key, value.clone());
        Some(value)
    }

    /// To be taken before the source of an answer is read.
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(self.held().epoch)
    }

    /// Keeps an answer, unless all was forgotten since `epoch`.
    pub(crate) fn insert_since(&self, epoch: Epoch, key: K, value: V) {
        let mut held = self.held();
        if held.epoch == epoch.0 {
            self.keep(&mut held, key, value);
        }
    }

    /// Keeps an answer that can never be outdated.
    pub(crate) fn insert(&self, key: K, value: V) {
        self.keep(&mut self.held(), key, value);
    }

    pub(crate) fn forget_all(&self) {
        let mut held = self.held();
        held.epoch += 1;
        held.young.clear();
        held.old.clear();
    }

    fn keep(&self, held: &mut Held<K, V>, key: K, value: V) {
        if held.young.len() >= self.capacity {
            held.old = std::mem::take(&mut held.young);
        }
        held.young.insert(key, value);
    }

    /// No code under this lock can panic half-way through a change, so a poisoned one is whole.
    fn held(&self) -> MutexGuard<'_, Held<K, V>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_again_outlives_a_flood() {
        let recent = Recent::new(4);
        recent.insert(0, "kept");
        for other in 1..100 {
            assert_eq!(recent.get(&0), Some("kept"));
            recent.insert(other, "flood");
        }
        let held = recent.held();
        assert!(held.young.len() + held.old.len() <= 8);
    }

    #[test]
    fn an_answer_read_before_all_was_forgotten_is_not_kept() {
        let recent = Recent::new(4);
        let epoch = recent.epoch();
        recent.forget_all();
        recent.insert_since(epoch, 1, "stale");
        assert_eq!(recent.get(&1), None);
        recent.insert_since(recent.epoch(), 1, "fresh");
        assert_eq!(recent.get(&1), Some("fresh"));
    }
}
