//! The damage that a check, a backup or a restore reports, and what a repair is asked for.

use crate::store::content::Place;
use crate::store::record::segments;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Later ones are only counted.
pub(in crate::store) const MOST_FINDINGS: usize = 1000;

/// Counts of a check, and its findings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    pub records: u64,
    pub bodies: u64,
    pub bytes: u64,
    pub objects: u64,
    /// Files in `blobs/` that no body names, as a crash leaves them: no damage, and cleared away in time.
    pub left_over: u64,
    /// Bodies that were damaged and are whole again.
    pub mended: u64,
    /// Files of the index that were damaged and are made again from the log.
    #[serde(default)]
    pub index_mended: u64,
    pub damages: u64,
    /// The first 1000.
    pub findings: Vec<Finding>,
}

/// Which step rebuilds a damaged index, or a damaged snapshot of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// The server that was asked, by itself.
    Server,
    /// The folder was only looked at: the next start, or a repair.
    NextStart,
    /// It is a snapshot in a backup: the next backup to the same folder.
    NextBackup,
}

/// Whether damaged bytes are to be made whole, and from what beside the folder itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    pub wanted: bool,
    /// A backup.
    pub from: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub damage: Damage,
    /// Within `@hangar/`.
    pub file: String,
    /// Where in the file it begins, bytes.
    pub offset: u64,
    /// `BUCKET/KEY` of the objects that it affects; `BUCKET/KEY (upload)` of uploads under way.
    pub hurts: Vec<String>,
    /// Of damage to the index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Remedy>,
}

impl Finding {
    /// `at`: within the body.
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
    /// The file is not there.
    Missing,
    /// The file ends too early.
    Truncated,
    /// A record of the log cannot be read.
    Record,
    /// An object names bytes that the index does not have, or too few of them.
    Reference,
    /// The file cannot be read at all.
    Unreadable,
    /// A page of the index, or of a snapshot of it, is not what was written: it is rebuilt from the log.
    Index,
}

/// Within `@hangar/`.
pub(in crate::store) fn segment_file(segment: u64) -> String {
    format!("log/{}", segments::segment_name(segment))
}
