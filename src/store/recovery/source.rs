//! What the rows of a start are taken from, and how an index was made again.

use crate::store::recovery::salvage::Salvaged;
use serde::{Deserialize, Serialize};

/// What the rows of a start are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The index that is there; where it cannot be trusted, a snapshot.
    Index,
    /// The newest snapshot that the log reaches; where there is none, the log.
    Snapshot,
    /// The log alone.
    Log,
}

/// How an index was made again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuilt {
    /// The snapshot's last record; `None`: the log alone.
    pub snapshot: Option<u64>,
    /// Records of the log that were applied.
    pub records: u64,
    /// Rows whose bytes did not come along with a copy of the folder.
    pub salvaged: Salvaged,
}
