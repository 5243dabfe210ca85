//! The damage that a check, a backup or a restore reports, and the options of a repair.

use crate::store::content::Place;
use crate::store::record::segments;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Findings after this many are only counted.
pub(in crate::store) const MOST_FINDINGS: usize = 1000;

/// Counts of a check, and its findings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    pub records: u64,
    pub bodies: u64,
    pub bytes: u64,
    pub objects: u64,
    /// Files in `blobs/` that no body references, left by a crash. They are not damage, and the janitor removes them
    /// later.
    pub left_over: u64,
    /// Bodies that were damaged and were repaired.
    pub mended: u64,
    /// Damaged files of the index that are rebuilt from the log.
    #[serde(default)]
    pub index_mended: u64,
    pub damages: u64,
    /// The first 1000 of them.
    pub findings: Vec<Finding>,
}

/// Which step rebuilds a damaged index, or a damaged snapshot of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// The server that was asked does it by itself.
    Server,
    /// The folder was opened read-only: the next start or repair does it.
    NextStart,
    /// It is a snapshot in a backup: the next backup to the same folder does it.
    NextBackup,
}

/// Whether to repair damaged bytes, and which source to use in addition to the folder itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    pub wanted: bool,
    /// A backup as an additional source.
    pub from: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub damage: Damage,
    /// The path of the file, relative to `@hangar/`.
    pub file: String,
    /// Where the damage begins in the file, in bytes.
    pub offset: u64,
    /// `BUCKET/KEY` of affected objects; `BUCKET/KEY (upload)` of affected uploads in progress.
    pub hurts: Vec<String>,
    /// Only for damage to the index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Remedy>,
}

impl Finding {
    /// `at`: offset in the body.
    pub(in crate::store) fn of(damage: Damage, place: &Place, at: u64, hurts: Vec<String>) -> Self {
        let (file, offset) = match place {
            Place::Log { segment, offset } => (segment_file(*segment), offset + at),
            Place::Blob { id } => (format!("blobs/{id}"), at),
        };
        Self {
            damage,
            file,
            offset,
            hurts,
            remedy: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Damage {
    /// The bytes differ from those that were stored.
    Changed,
    /// The file does not exist.
    Missing,
    /// The file ends too early.
    Truncated,
    /// A record of the log cannot be read.
    Record,
    /// An object references bytes that the index does not have, or too few bytes.
    Reference,
    /// The file cannot be read at all.
    Unreadable,
    /// A page of the index or of a snapshot does not match its checksum; the file is rebuilt from the log.
    Index,
}

/// The path of a segment, relative to `@hangar/`.
pub(in crate::store) fn segment_file(segment: u64) -> String {
    format!("log/{}", segments::segment_name(segment))
}
