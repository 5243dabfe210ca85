//! What is kept in memory: rows that were looked up, bodies that were read, and answers that were made of them.
//!
//! Two caches, for two kinds of sources. [`VersionedCache`] keeps what is made of rows of the index: an entry is valid
//! while no row that it was read from has changed ([`VersionStamp`]). [`TwoGenerationCache`] keeps what can never be
//! outdated, or what is forgotten all at once. Both are bounded, and neither knows what it holds.

mod two_generations;
mod versioned;
mod versions;

pub(crate) use two_generations::TwoGenerationCache;
pub(crate) use versioned::Caches;
pub use versioned::{VersionedCache, Weight};
pub use versions::VersionStamp;
