//! What a backup, or a restore, is asked to verify, and what it says when it is done.

use crate::store::upkeep::findings::Finding;
use serde::{Deserialize, Serialize};

/// What of a backup is held against its checksums.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verify {
    /// All that the backup relies on.
    #[default]
    All,
    /// What is copied now; what was there before is believed by its length.
    New,
}

/// What a backup, or a restore, copied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copies {
    /// Records of the log that the copy holds.
    pub records: u64,
    pub blobs: u64,
    /// Of blobs and of the log.
    pub bytes: u64,
    /// Blobs that were there already.
    pub kept: u64,
    /// Bodies that were there already and had rotted, and are whole again.
    #[serde(default)]
    pub renewed: u64,
    /// Bodies that were there already and were not looked at.
    #[serde(default)]
    pub unverified: u64,
    /// Blobs that nothing named any more.
    pub removed: u64,
    /// Bodies that are not what was stored, in the folder that was copied.
    pub damages: u64,
    /// The first 1000.
    pub findings: Vec<Finding>,
}
