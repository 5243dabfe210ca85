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
    /// Bytes of blobs and of the log.
    pub bytes: u64,
    /// Blobs that the copy had already.
    pub kept: u64,
    /// Bodies that the copy had already, had rotted, and were copied again.
    #[serde(default)]
    pub renewed: u64,
    /// Bodies that the copy had already, and that were not read.
    #[serde(default)]
    pub unverified: u64,
    /// Blobs that were removed from the copy because the backup no longer references them.
    pub removed: u64,
    /// Damaged bodies of the source folder.
    pub damages: u64,
    /// The first 1000 of them.
    pub findings: Vec<Finding>,
}
