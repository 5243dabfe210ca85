//! Answers kept in memory: rows that were looked up, bodies that were read, and what else was made of them.
//!
//! Guarantees: an answer is given only while no row that it was read from has changed since ([`Stamp`]), and a change
//! counts before its caller hears of it; what all of them may take is bounded; and all of it is let go after [`REST`]
//! without requests. It refuses to know what it holds.

use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};
use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// Without requests for so long, all is let go.
const REST: Duration = Duration::from_secs(5);
const GLANCE: Duration = Duration::from_secs(1);
/// Glances after that at which the allocator is reminded ([`have_allocator_give_back`]).
const REMINDERS: u32 = 4;
/// Glances between two looks for what was outdated and nobody asked for again.
const TIDY_EVERY: u32 = 60;
/// Rows share counters: a change makes the answers about one in so many other rows be looked up again.
const COUNTERS: usize = 1 << 14;

/// How often rows have changed.
#[derive(Debug)]
pub(crate) struct Versions {
    counters: Box<[AtomicU64]>,
    hasher: std::hash::RandomState,
}

impl Default for Versions {
    fn default() -> Self {
        Self {
            counters: (0..COUNTERS).map(|_| AtomicU64::new(0)).collect(),
            hasher: std::hash::RandomState::new(),
        }
    }
}

impl Versions {
    fn counter(&self, row: &str) -> usize {
        let hash = self.hasher.hash_one(row);
        usize::try_from(hash % COUNTERS as u64).expect("it is below the number of counters")
    }

    /// To be called when the index has the change, and before its caller is told.
    pub(crate) fn have_changed<'r>(&self, rows: impl Iterator<Item = &'r str>) {
        for row in rows {
            self.counters[self.counter(row)].fetch_add(1, Ordering::Release);
        }
    }

    /// To be taken before the rows are read.
    pub(crate) fn stamp<'r>(self: &Arc<Self>, rows: impl Iterator<Item = &'r str>) -> Stamp {
        let at = |row: &str| {
            let counter = self.counter(row);
            (counter, self.counters[counter].load(Ordering::Acquire))
        };
        Stamp {
            versions: self.clone(),
            seen: rows.map(at).collect(),
        }
    }
}

/// A moment in the life of some rows: whether they have changed since.
#[derive(Debug, Clone)]
pub struct Stamp {
    versions: Arc<Versions>,
    /// Counters, and where they stood.
    seen: Arc<[(usize, u64)]>,
}

impl Stamp {
    #[must_use]
    pub fn is_current(&self) -> bool {
        let counters = &self.versions.counters;
        let mut seen = self.seen.iter();
        seen.all(|(counter, at)| counters[*counter].load(Ordering::Acquire) == *at)
    }

    /// The same of both's rows.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            versions: self.versions.clone(),
            seen: self.seen.iter().chain(&*other.seen).copied().collect(),
        }
    }
}

/// Bytes of memory that an answer takes, more or less.
pub type Weight<K, V> = fn(&K, &V) -> usize;

/// Answers of one kind, by what was asked. Those that are asked for again and again stay.
pub struct Hot<K, V> {
    answers: Cache<K, (Stamp, V), ByWeight<K, V>>,
    asked: Arc<AtomicBool>,
}

impl<K: Eq + Hash, V: Clone> Hot<K, V> {
    /// The answer, where it still holds.
    pub fn get<Q: Hash + Equivalent<K> + ?Sized>(&self, key: &Q) -> Option<V> {
        if !self.asked.load(Ordering::Relaxed) {
            self.asked.store(true, Ordering::Relaxed);
        }
        let (stamp, answer) = self.answers.get(key)?;
        stamp.is_current().then_some(answer)
    }

    /// Keeps an answer that was read after `stamp` was taken.
    pub fn keep(&self, key: K, stamp: Stamp, answer: V) {
        if stamp.is_current() {
            self.answers.insert(key, (stamp, answer));
        }
    }
}

struct ByWeight<K, V>(Weight<K, V>);

impl<K, V> Clone for ByWeight<K, V> {
    fn clone(&self) -> Self {
        Self(self.0)
    }
}

impl<K, V> Weighter<K, (Stamp, V)> for ByWeight<K, V> {
    fn weight(&self, key: &K, (_, answer): &(Stamp, V)) -> u64 {
        /// The entry itself, its stamp, and its place in the cache.
        const ENTRY_BYTES: usize = 256;
        (ENTRY_BYTES + (self.0)(key, answer)) as u64
    }
}

/// All that is kept, of every kind.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) versions: Arc<Versions>,
    kinds: Mutex<Vec<Weak<dyn LetGo>>>,
    asked: Arc<AtomicBool>,
}

impl Memory {
    /// A new kind of answers, which together take at most `most_bytes`, more or less; `usual_bytes` is one's weight.
    pub(crate) fn kind<K, V>(
        &self,
        most_bytes: usize,
        usual_bytes: usize,
        weight: Weight<K, V>,
    ) -> Arc<Hot<K, V>>
    where
        K: Eq + Hash + Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
    {
        let answers = Cache::with_weighter(
            most_bytes / usual_bytes,
            most_bytes as u64,
            ByWeight(weight),
        );
        let kind = Arc::new(Hot {
            answers,
            asked: self.asked.clone(),
        });
        let weak: Weak<Hot<K, V>> = Arc::downgrade(&kind);
        self.kinds().push(weak);
        kind
    }

    fn kinds(&self) -> MutexGuard<'_, Vec<Weak<dyn LetGo>>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn those_in_use(&self) -> Vec<Arc<dyn LetGo>> {
        self.kinds().iter().filter_map(Weak::upgrade).collect()
    }

    /// Forgets answers that do not hold any more, so that they keep nothing on the disk.
    pub(crate) fn forget_outdated(&self) {
        for kind in self.those_in_use() {
            kind.forget_outdated();
        }
    }

    pub(crate) fn let_go(&self) {
        for kind in self.those_in_use() {
            kind.let_go();
        }
    }

    /// Clears all caches whenever no request has come for a while, for as long as it is polled.
    pub(crate) async fn rest_when_idle(&self) {
        let (mut rested, mut since_tidied, mut reminders) = (Duration::ZERO, 0, 0);
        loop {
            tokio::time::sleep(GLANCE).await;
            if reminders > 0 {
                reminders -= 1;
                have_allocator_give_back();
            }
            if self.asked.swap(false, Ordering::Relaxed) {
                rested = Duration::ZERO;
                since_tidied += 1;
                if since_tidied >= TIDY_EVERY {
                    since_tidied = 0;
                    self.forget_outdated();
                }
                continue;
            }
            if rested < REST {
                rested += GLANCE;
                if rested >= REST {
                    self.let_go();
                    reminders = REMINDERS;
                }
            }
        }
    }
}

/// mimalloc keeps freed memory for a second (`purge_delay`) and gives it back at the next occasion: that a thread frees a
/// whole page of the allocator's. Where all rest there is none, so this makes one.
fn have_allocator_give_back() {
    /// Longer than what shares a page, and no longer than that: this piece is what it keeps.
    const BYTES: usize = 640 << 10;
    drop(std::hint::black_box(Vec::<u8>::with_capacity(BYTES)));
}

/// What a kind of answers has to be able to do, whatever they are.
trait LetGo: Send + Sync {
    fn let_go(&self);
    fn forget_outdated(&self);
}

impl<K: Eq + Hash + Send + Sync, V: Clone + Send + Sync> LetGo for Hot<K, V> {
    fn let_go(&self) {
        self.answers.clear();
    }

    fn forget_outdated(&self) {
        self.answers.retain(|_, (stamp, _)| stamp.is_current());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(key: &str) -> std::iter::Once<&str> {
        std::iter::once(key)
    }

    fn kind(memory: &Memory) -> Arc<Hot<u64, Arc<str>>> {
        memory.kind(100_000, 1000, |_, text| text.len())
    }

    #[test]
    fn an_answer_holds_until_one_of_its_rows_changes() {
        let memory = Memory::default();
        let hot = kind(&memory);
        let (one, other) = (
            memory.versions.stamp(rows("a")),
            memory.versions.stamp(rows("b")),
        );
        hot.keep(1, one.clone(), "of a".into());
        hot.keep(2, one.and(&other), "of both".into());
        assert_eq!(
            (hot.get(&1).as_deref(), hot.get(&2).as_deref()),
            (Some("of a"), Some("of both"))
        );
        memory.versions.have_changed(rows("b"));
        assert_eq!((hot.get(&1).as_deref(), hot.get(&2)), (Some("of a"), None));
    }

    #[test]
    fn what_was_read_before_a_change_is_not_kept_after_it() {
        let memory = Memory::default();
        let hot = kind(&memory);
        let before = memory.versions.stamp(rows("a"));
        memory.versions.have_changed(rows("a"));
        hot.keep(1, before, "old".into());
        assert_eq!(hot.get(&1), None);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let memory = Memory::default();
        let hot = kind(&memory);
        let stamp = memory.versions.stamp(std::iter::empty());
        for at in 0..1000 {
            hot.keep(at, stamp.clone(), "x".repeat(1000).into());
        }
        assert!(hot.answers.weight() <= 100_000, "{}", hot.answers.weight());
        assert!(hot.answers.len() > 20);
    }

    #[tokio::test(start_paused = true)]
    async fn all_is_let_go_when_nobody_asks() {
        let memory = Memory::default();
        let hot = kind(&memory);
        hot.keep(1, memory.versions.stamp(std::iter::empty()), "kept".into());
        let busy = async {
            for _ in 0..20 {
                assert!(hot.get(&1).is_some());
                tokio::time::sleep(2 * GLANCE).await;
            }
            tokio::time::sleep(REST).await;
            assert!(hot.answers.is_empty());
        };
        tokio::select! {
            () = memory.rest_when_idle() => {}
            () = busy => {}
        }
    }

    #[test]
    fn what_is_outdated_is_forgotten_though_nobody_asks_again() {
        let memory = Memory::default();
        let hot = kind(&memory);
        hot.keep(1, memory.versions.stamp(rows("a")), "old".into());
        hot.keep(2, memory.versions.stamp(rows("b")), "kept".into());
        memory.versions.have_changed(rows("a"));
        memory.forget_outdated();
        assert_eq!(hot.answers.len(), 1);
    }
}
