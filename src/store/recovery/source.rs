//! From what a start builds the index, and how it was rebuilt.

use crate::store::recovery::salvage::Salvaged;
use serde::{Deserialize, Serialize};

/// From what a start builds the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The existing index; if it cannot be trusted, a snapshot.
    Index,
    /// The newest snapshot that the log reaches; if there is none, the log.
    Snapshot,
    /// The log alone.
    Log,
}

/// How an index was rebuilt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuilt {
    /// The snapshot's last record; `None` if the log alone was used.
    pub snapshot: Option<u64>,
    /// Records of the log that were applied.
    pub records: u64,
    /// Rows whose bytes are missing in a copied folder.
    pub salvaged: Salvaged,
}
