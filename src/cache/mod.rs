//! Caches in memory: rows that were looked up, bodies that were read, and responses that were made from them.
//!
//! There are two caches, for two kinds of sources. [`VersionedCache`] holds values that are made from rows of the
//! index: an entry is valid while no row that it was read from has changed ([`VersionStamp`]). [`TwoGenerationCache`]
//! holds values that never become stale, or that are invalidated all at once. Both are bounded, and neither knows what
//! it holds.

mod two_generations;
mod versioned;
mod versions;

pub(crate) use two_generations::TwoGenerationCache;
pub(crate) use versioned::Caches;
pub use versioned::{VersionedCache, Weight};
pub use versions::VersionStamp;
