//! What a backup verifies, and what a backup or a restore reports when it is done.

use crate::store::upkeep::findings::Finding;
use serde::{Deserialize, Serialize};

/// Which parts of a backup are verified.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verify {
    /// All that the backup relies on.
    #[default]
    All,
    /// The bytes that are copied now; existing ones are trusted by their length.
    New,
}

/// Counts of a backup or a restore.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copies {
    /// Records of the log that the copy holds.
    pub records: u64,
    pub blobs: u64,
    /// Of blobs and of the log.
    pub bytes: u64,
    /// Blobs that existed already.
    pub kept: u64,
    /// Bodies that existed already and had rotted, and are whole again.
    #[serde(default)]
    pub renewed: u64,
    /// Bodies that existed already and were not read.
    #[serde(default)]
    pub unverified: u64,
    /// Unreferenced blobs.
    pub removed: u64,
    /// Damaged bodies of the folder that was copied.
    pub damages: u64,
    /// The first 1000.
    pub findings: Vec<Finding>,
}
