//! A bounded cache of recently used values, in two generations.
//!
//! Guarantees: it never holds more than twice its capacity; an entry that is looked up again stays; and a value that
//! was read before a [`TwoGenerationCache::forget_all`] cannot be inserted after it. It refuses to know what it holds.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A hit moves an entry to the young generation. When the young generation is full, it becomes the old one, and the
/// previous old one is dropped.
#[derive(Debug)]
pub(crate) struct TwoGenerationCache<K, V> {
    generations: Mutex<Generations<K, V>>,
    capacity: usize,
}
#[derive(Debug)]
struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    epoch: u64,
}
/// The number of times that all entries were dropped, by which a value that was read before the last time is recognized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Epoch(u64);

impl<K: Eq + Hash, V: Clone> TwoGenerationCache<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        let generations = Generations {
            young: HashMap::new(),
            old: HashMap::new(),
            epoch: 0,
        };
        Self {
            generations: Mutex::new(generations),
            capacity: capacity.max(1),
        }
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let mut generations = self.generations();
        if let Some(value) = generations.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = generations.old.remove_entry(key)?;
        self.keep(&mut generations, key, value.clone());
        Some(value)
    }

    /// The current epoch. Take it before the source of a value is read.
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(self.generations().epoch)
    }

    /// Inserts a value, unless all entries were dropped since `epoch`.
    pub(crate) fn insert_since(&self, epoch: Epoch, key: K, value: V) {
        let mut generations = self.generations();
        if generations.epoch == epoch.0 {
            self.keep(&mut generations, key, value);
        }
    }

    /// Inserts a value that never becomes stale.
    pub(crate) fn insert(&self, key: K, value: V) {
        self.keep(&mut self.generations(), key, value);
    }

    pub(crate) fn forget_all(&self) {
        let mut generations = self.generations();
        generations.epoch += 1;
        generations.young.clear();
        generations.old.clear();
    }

    fn keep(&self, generations: &mut Generations<K, V>, key: K, value: V) {
        if generations.young.len() >= self.capacity {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.young.insert(key, value);
    }

    /// No code can panic under this lock in the middle of a change, so a poisoned mutex still holds a consistent value.
    fn generations(&self) -> MutexGuard<'_, Generations<K, V>> {
        self.generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_is_looked_up_again_is_not_evicted_by_a_flood() {
        let cache = TwoGenerationCache::new(4);
        cache.insert(0, "kept");
        for other in 1..100 {
            assert_eq!(cache.get(&0), Some("kept"));
            cache.insert(other, "flood");
        }
        let generations = cache.generations();
        assert!(generations.young.len() + generations.old.len() <= 8);
    }

    #[test]
    fn a_value_read_before_the_cache_was_cleared_is_not_inserted() {
        let cache = TwoGenerationCache::new(4);
        let epoch = cache.epoch();
        cache.forget_all();
        cache.insert_since(epoch, 1, "stale");
        assert_eq!(cache.get(&1), None);
        cache.insert_since(cache.epoch(), 1, "fresh");
        assert_eq!(cache.get(&1), Some("fresh"));
    }
}
