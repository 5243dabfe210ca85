//! The cache of values that are made from rows of the index.
//!
//! Guarantees: an entry is returned only while no row that it was read from has changed ([`VersionStamp`]), and entries
//! become stale before the caller of the change gets its result; the memory of all entries is bounded; and all caches
//! are cleared after [`IDLE_BEFORE_CLEARING`] without a lookup.

use crate::cache::versions::{VersionStamp, Versions};
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// All caches are cleared after this long without a lookup.
const IDLE_BEFORE_CLEARING: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_secs(1);
/// In how many ticks after that the allocator is made to return memory ([`have_allocator_return_memory`]).
const TICKS_AFTER_CLEARING: u32 = 4;
/// Ticks between evictions of stale entries that no lookup has met.
const TICKS_PER_EVICTION: u32 = 60;

/// About how many bytes of memory an entry takes.
pub type Weight<K, V> = fn(&K, &V) -> usize;

/// Entries of one kind by their keys. Entries that are looked up often stay longest.
pub struct VersionedCache<K, V> {
    entries: Cache<K, (VersionStamp, V), ByWeight<K, V>>,
    was_read: Arc<AtomicBool>,
}

impl<K: Eq + Hash, V: Clone> VersionedCache<K, V> {
    /// The value, if it is current.
    pub fn get<Q: Hash + Equivalent<K> + ?Sized>(&self, key: &Q) -> Option<V> {
        if !self.was_read.load(Ordering::Relaxed) {
            self.was_read.store(true, Ordering::Relaxed);
        }
        let (stamp, value) = self.entries.get(key)?;
        stamp.is_current().then_some(value)
    }

    /// Inserts a value that was read after `stamp` was taken.
    pub fn keep(&self, key: K, stamp: VersionStamp, value: V) {
        if stamp.is_current() {
            self.entries.insert(key, (stamp, value));
        }
    }
}

struct ByWeight<K, V>(Weight<K, V>);

impl<K, V> Clone for ByWeight<K, V> {
    fn clone(&self) -> Self {
        Self(self.0)
    }
}

impl<K, V> Weighter<K, (VersionStamp, V)> for ByWeight<K, V> {
    fn weight(&self, key: &K, (_, value): &(VersionStamp, V)) -> u64 {
        /// The entry itself, its stamp, and its place in the cache.
        const ENTRY_BYTES: usize = 256;
        (ENTRY_BYTES + (self.0)(key, value)) as u64
    }
}

/// All caches of a store. They share the versions of rows, and are cleared together.
#[derive(Default)]
pub(crate) struct Caches {
    pub(crate) versions: Arc<Versions>,
    caches: Mutex<Vec<Weak<dyn AnyCache>>>,
    was_read: Arc<AtomicBool>,
}

impl Caches {
    /// A new cache, whose entries together take about `most_bytes` at most; `usual_bytes` is the usual weight of an
    /// entry.
    pub(crate) fn cache<K, V>(
        &self,
        most_bytes: usize,
        usual_bytes: usize,
        weight: Weight<K, V>,
    ) -> Arc<VersionedCache<K, V>>
    where
        K: Eq + Hash + Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
    {
        let entries = Cache::with_weighter(
            most_bytes / usual_bytes,
            most_bytes as u64,
            ByWeight(weight),
        );
        let cache = Arc::new(VersionedCache {
            entries,
            was_read: self.was_read.clone(),
        });
        let weak: Weak<VersionedCache<K, V>> = Arc::downgrade(&cache);
        self.caches().push(weak);
        cache
    }

    fn caches(&self) -> MutexGuard<'_, Vec<Weak<dyn AnyCache>>> {
        self.caches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn in_use(&self) -> Vec<Arc<dyn AnyCache>> {
        self.caches().iter().filter_map(Weak::upgrade).collect()
    }

    /// Evicts stale entries, so that they pin no bodies on the disk.
    pub(crate) fn evict_stale(&self) {
        for cache in self.in_use() {
            cache.evict_stale();
        }
    }

    pub(crate) fn clear(&self) {
        for cache in self.in_use() {
            cache.clear();
        }
    }

    /// Clears all caches whenever nothing was looked up for [`IDLE_BEFORE_CLEARING`]. Runs for as long as it is polled.
    pub(crate) async fn clear_when_idle(&self) {
        let (mut idle, mut since_eviction, mut purges) = (Duration::ZERO, 0, 0);
        loop {
            tokio::time::sleep(TICK).await;
            if purges > 0 {
                purges -= 1;
                have_allocator_return_memory();
            }
            if self.was_read.swap(false, Ordering::Relaxed) {
                idle = Duration::ZERO;
                since_eviction += 1;
                if since_eviction >= TICKS_PER_EVICTION {
                    since_eviction = 0;
                    self.evict_stale();
                }
                continue;
            }
            if idle < IDLE_BEFORE_CLEARING {
                idle += TICK;
                if idle >= IDLE_BEFORE_CLEARING {
                    self.clear();
                    purges = TICKS_AFTER_CLEARING;
                }
            }
        }
    }
}

/// mimalloc keeps freed memory for a second (`purge_delay`) and returns it to the system at the next time that a thread
/// frees a whole page of the allocator's. While all threads are idle that never happens, so this frees one.
fn have_allocator_return_memory() {
    /// Just longer than the pieces that share a page: mimalloc keeps this piece.
    const BYTES: usize = 640 << 10;
    drop(std::hint::black_box(Vec::<u8>::with_capacity(BYTES)));
}

/// A cache of any keys and values.
trait AnyCache: Send + Sync {
    fn clear(&self);
    fn evict_stale(&self);
}

impl<K: Eq + Hash + Send + Sync, V: Clone + Send + Sync> AnyCache for VersionedCache<K, V> {
    fn clear(&self) {
        self.entries.clear();
    }

    fn evict_stale(&self) {
        self.entries.retain(|_, (stamp, _)| stamp.is_current());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(key: &str) -> std::iter::Once<&str> {
        std::iter::once(key)
    }

    fn cache(caches: &Caches) -> Arc<VersionedCache<u64, Arc<str>>> {
        caches.cache(100_000, 1000, |_, text| text.len())
    }

    #[test]
    fn a_value_is_current_until_one_of_its_rows_changes() {
        let caches = Caches::default();
        let cache = cache(&caches);
        let (one, other) = (
            caches.versions.stamp(rows("a")),
            caches.versions.stamp(rows("b")),
        );
        cache.keep(1, one.clone(), "of a".into());
        cache.keep(2, one.and(&other), "of both".into());
        assert_eq!(
            (cache.get(&1).as_deref(), cache.get(&2).as_deref()),
            (Some("of a"), Some("of both"))
        );
        caches.versions.have_changed(rows("b"));
        assert_eq!(
            (cache.get(&1).as_deref(), cache.get(&2)),
            (Some("of a"), None)
        );
    }

    #[test]
    fn a_value_read_before_a_change_is_not_inserted_after_it() {
        let caches = Caches::default();
        let cache = cache(&caches);
        let before = caches.versions.stamp(rows("a"));
        caches.versions.have_changed(rows("a"));
        cache.keep(1, before, "old".into());
        assert_eq!(cache.get(&1), None);
    }

    #[test]
    fn a_cache_is_bounded() {
        let caches = Caches::default();
        let cache = cache(&caches);
        let stamp = caches.versions.stamp(std::iter::empty());
        for at in 0..1000 {
            cache.keep(at, stamp.clone(), "x".repeat(1000).into());
        }
        assert!(
            cache.entries.weight() <= 100_000,
            "{}",
            cache.entries.weight()
        );
        assert!(cache.entries.len() > 20);
    }

    #[tokio::test(start_paused = true)]
    async fn caches_are_cleared_when_nothing_is_looked_up() {
        let caches = Caches::default();
        let cache = cache(&caches);
        cache.keep(1, caches.versions.stamp(std::iter::empty()), "kept".into());
        let busy = async {
            for _ in 0..20 {
                assert!(cache.get(&1).is_some());
                tokio::time::sleep(2 * TICK).await;
            }
            tokio::time::sleep(IDLE_BEFORE_CLEARING).await;
            assert!(cache.entries.is_empty());
        };
        tokio::select! {
            () = caches.clear_when_idle() => {}
            () = busy => {}
        }
    }

    #[test]
    fn stale_entries_are_evicted_without_a_lookup() {
        let caches = Caches::default();
        let cache = cache(&caches);
        cache.keep(1, caches.versions.stamp(rows("a")), "old".into());
        cache.keep(2, caches.versions.stamp(rows("b")), "kept".into());
        caches.versions.have_changed(rows("a"));
        caches.evict_stale();
        assert_eq!(cache.entries.len(), 1);
    }
}
