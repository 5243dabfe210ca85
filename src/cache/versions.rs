//! Versions of rows: counters that a change increments, and stamps that say whether any of them was incremented since.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Rows share counters: a change of one row also makes the entries of about one in this many other rows stale.
const COUNTERS: usize = 1 << 14;

/// How often rows have changed, by the hashes of their names.
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

    /// Makes the entries of these rows stale. Call it once the index has the change, and before the caller of the
    /// change gets its result.
    pub(crate) fn have_changed<'r>(&self, rows: impl Iterator<Item = &'r str>) {
        for row in rows {
            self.counters[self.counter(row)].fetch_add(1, Ordering::Release);
        }
    }

    /// A stamp of the current versions of these rows. Take it before the rows are read.
    pub(crate) fn stamp<'r>(self: &Arc<Self>, rows: impl Iterator<Item = &'r str>) -> VersionStamp {
        let at = |row: &str| {
            let counter = self.counter(row);
            (counter, self.counters[counter].load(Ordering::Acquire))
        };
        VersionStamp {
            versions: self.clone(),
            seen: rows.map(at).collect(),
        }
    }
}

/// The versions of some rows at one moment, which say whether any of the rows has changed since.
#[derive(Debug, Clone)]
pub struct VersionStamp {
    versions: Arc<Versions>,
    /// The counters of the rows, and their values at that moment.
    seen: Arc<[(usize, u64)]>,
}

impl VersionStamp {
    #[must_use]
    pub fn is_current(&self) -> bool {
        let counters = &self.versions.counters;
        let mut seen = self.seen.iter();
        seen.all(|(counter, at)| counters[*counter].load(Ordering::Acquire) == *at)
    }

    /// A stamp of the rows of both stamps.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            versions: self.versions.clone(),
            seen: self.seen.iter().chain(&*other.seen).copied().collect(),
        }
    }
}
