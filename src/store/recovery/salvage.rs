//! Repairs rows whose bytes are missing in a copied folder.
//!
//! Guarantees: each such row goes back to the last version in the log whose bytes exist, if the key was not deleted
//! since; otherwise the row is dropped. A record of its own says so, so that a replay of the log alone gives the same
//! rows. Nothing that was deleted comes back.

use crate::clock::Timestamp;
use crate::s3::checksum::{CRC_BLOCK_BYTES, crc64_nvme};
use crate::s3::{BucketName, ObjectKey};
use crate::store::content::{Extent, Place};
use crate::store::dir::Dir;
use crate::store::effect::EffectKind;
use crate::store::folder::Places;
use crate::store::index;
use crate::store::journal::log::Log;
use crate::store::record::LogId;
use crate::store::record::reader::{Reader, ScanError};
use crate::store::record::segments;
use crate::store::record::{
    Change, Copied, Draft, INLINE_LIMIT_BYTES, PartCopied, Record, Unreferenced,
};
use crate::store::upload::UploadId;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// How many bodies are checked, and records written, at a time.
const PAGE: u32 = 500;
/// How many keys the server's log names; the others are only counted.
const MOST_NAMED: usize = 20;

/// What became of rows whose bytes are missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Salvaged {
    /// Objects and parts that went back to an earlier version.
    pub fell_back: u64,
    /// Objects and parts without an earlier version.
    pub dropped: u64,
}

#[derive(Debug, thiserror::Error)]
pub(in crate::store) enum SalvageError {
    #[error(transparent)]
    Index(#[from] sqlx::Error),
    #[error(transparent)]
    Log(#[from] ScanError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Bodies whose bytes are missing.
type Lost = BTreeMap<u64, Unreferenced>;

/// A row that references bodies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Row {
    Object(BucketName, ObjectKey),
    Part(BucketName, UploadId, u16),
}

/// An earlier or current version of a row.
struct Version {
    sequence: u64,
    at: Timestamp,
    extents: Vec<Extent>,
    /// The change that restores the row to this version.
    change: Change,
}

/// Checks that the bytes of every body exist, and repairs the rows that reference a missing one.
pub(in crate::store) async fn salvage(
    places: &Places,
    index: &mut SqliteConnection,
    log: &mut Log,
    effects: &[EffectKind],
) -> Result<Salvaged, SalvageError> {
    let lost = lost_bodies(places, index).await?;
    let mut salvaged = Salvaged::default();
    if lost.is_empty() {
        return Ok(salvaged);
    }
    let rows = rows_of(index, &lost).await?;
    let mut history = history(&places.log, log.id(), &rows)?;
    let mut drafts = Vec::new();
    for (row, sequence) in rows {
        let versions = history.remove(&row).unwrap_or_default();
        let mut earlier = None;
        for version in versions.into_iter().rev() {
            if version.sequence < sequence && is_there(index, &version, &lost).await? {
                earlier = Some(version);
                break;
            }
        }
        if drafts.len() < MOST_NAMED {
            tracing::warn!(row = %row, falls_back = earlier.is_some(), "its bytes are not there");
        }
        let (at, change) = if let Some(version) = earlier {
            salvaged.fell_back += 1;
            (version.at, version.change)
        } else {
            salvaged.dropped += 1;
            (Timestamp::from_millis(0), row.gone())
        };
        drafts.push(Draft::new(at, change, None));
    }
    for page in drafts.chunks(PAGE as usize) {
        record(index, log, effects, page).await?;
    }
    // No row references them any more.
    let lost: Vec<Unreferenced> = lost.into_values().collect();
    for page in lost.chunks(PAGE as usize) {
        let bodies = page.to_vec();
        let freed = Draft::new(Timestamp::from_millis(0), Change::Freed { bodies }, None);
        record(index, log, effects, &[freed]).await?;
    }
    Ok(salvaged)
}

async fn record(
    index: &mut SqliteConnection,
    log: &mut Log,
    effects: &[EffectKind],
    drafts: &[Draft],
) -> Result<(), SalvageError> {
    let written = log.append(drafts).map_err(io::Error::other)?;
    let records: Vec<Record> = (drafts.iter().zip(written))
        .map(|(draft, written)| Record {
            sequence: written.sequence,
            at: draft.at,
            change: draft.change.clone(),
            effect: None,
            segment: written.segment,
            body_offset: written.body_offset,
        })
        .collect();
    Ok(index::apply(index, &records, effects, log.id(), log.end()).await?)
}

/// The bodies whose bytes are missing: blobs that are missing or have another length, and bodies in the log whose bytes
/// were punched out while it was copied.
async fn lost_bodies(places: &Places, index: &mut SqliteConnection) -> Result<Lost, SalvageError> {
    let mut lost = Lost::new();
    let mut segments: HashMap<u64, File> = HashMap::new();
    let mut after = 0;
    loop {
        let page = index::bodies_after(index, after, PAGE).await?;
        let Some((last, _)) = page.last() else {
            return Ok(lost);
        };
        after = *last;
        for (id, body) in page {
            let is_there = match &body.place {
                Place::Blob { id } => (places.blobs.length(&id.to_string()))
                    .is_ok_and(|length| length == Some(body.size_bytes)),
                Place::Log { segment, offset } => {
                    let file = match segments.entry(*segment) {
                        std::collections::hash_map::Entry::Occupied(open) => open.into_mut(),
                        std::collections::hash_map::Entry::Vacant(place) => {
                            place.insert(places.log.read(&segments::segment_name(*segment))?)
                        }
                    };
                    !is_punched(file, *offset, body.size_bytes, &body.block_crcs)
                }
            };
            if !is_there {
                let gone = Unreferenced {
                    body: id,
                    place: body.place,
                    size_bytes: body.size_bytes,
                };
                lost.insert(id, gone);
            }
        }
    }
}

/// Punched-out bytes read as zeros. Few other bodies begin with zeros, so only those are read whole.
fn is_punched(file: &File, offset: u64, size_bytes: u64, crcs: &[u64]) -> bool {
    if size_bytes > INLINE_LIMIT_BYTES as u64 {
        return true;
    }
    let mut first = [0; 16];
    let begin = &mut first[..usize::try_from(size_bytes).map_or(16, |size| size.min(16))];
    if file.read_exact_at(begin, offset).is_err() {
        return true;
    }
    if begin.iter().any(|byte| *byte != 0) {
        return false;
    }
    let mut body = vec![0; usize::try_from(size_bytes).unwrap_or(0)];
    let is_whole = file.read_exact_at(&mut body, offset).is_ok()
        && (body.chunks(CRC_BLOCK_BYTES).zip(crcs)).all(|(block, crc)| crc64_nvme(block) == *crc);
    !is_whole
}

/// The rows that reference a lost body, with the sequence of the record that made each.
async fn rows_of(
    index: &mut SqliteConnection,
    lost: &Lost,
) -> Result<BTreeMap<Row, u64>, SalvageError> {
    let lost: Vec<u64> = lost.keys().copied().collect();
    let mut rows = BTreeMap::new();
    // Each query scans every row.
    for page in lost.chunks(50_000) {
        for (bucket, key, sequence) in index::objects_of_bodies(index, page).await? {
            rows.insert(Row::Object(bucket, key), sequence);
        }
        for (bucket, upload, number, sequence) in index::parts_of_bodies(index, page).await? {
            rows.insert(Row::Part(bucket, upload, number), sequence);
        }
    }
    Ok(rows)
}

/// The versions of these rows since they last did not exist, the oldest first.
fn history(
    dir: &Dir,
    id: LogId,
    rows: &BTreeMap<Row, u64>,
) -> Result<BTreeMap<Row, Vec<Version>>, SalvageError> {
    let mut history: BTreeMap<Row, Vec<Version>> = BTreeMap::new();
    let Some(begin) = segments::begin(dir)? else {
        return Ok(history);
    };
    let mut reader = Reader::new(dir, id, begin)?;
    while let Some((record, _)) = reader.next()? {
        match &record.change {
            Change::Delete { bucket, key } => {
                history.remove(&Row::Object(bucket.clone(), key.clone()));
            }
            Change::BucketDeleted { bucket } => history.retain(|row, _| row.bucket() != bucket),
            Change::Tagged {
                bucket,
                key,
                tagging,
            } => {
                let row = Row::Object(bucket.clone(), key.clone());
                if let Some(Change::Copied(copied)) = history
                    .get_mut(&row)
                    .and_then(|versions| versions.last_mut())
                    .map(|version| &mut version.change)
                {
                    copied.meta.tagging.clone_from(tagging);
                }
            }
            _ => {
                if let Some((row, version)) = version(&record)
                    && rows.contains_key(&row)
                {
                    history.entry(row).or_default().push(version);
                }
            }
        }
    }
    Ok(history)
}

/// The row that a record makes, and its version.
fn version(record: &Record) -> Option<(Row, Version)> {
    let (row, extents, change) = match &record.change {
        Change::Put(put) => {
            let extents: Vec<Extent> = Extent::whole(record.sequence, put.size_bytes)
                .into_iter()
                .collect();
            let copied = Copied {
                bucket: put.bucket.clone(),
                key: put.key.clone(),
                etag: put.etag.clone(),
                size_bytes: put.size_bytes,
                extents: extents.clone(),
                meta: put.meta.clone(),
                parts: None,
            };
            let row = Row::Object(put.bucket.clone(), put.key.clone());
            (row, extents, Change::Copied(Box::new(copied)))
        }
        Change::Copied(copied) => {
            let row = Row::Object(copied.bucket.clone(), copied.key.clone());
            (row, copied.extents.clone(), record.change.clone())
        }
        Change::UploadCompleted(completed) => {
            let copied = Copied {
                bucket: completed.bucket.clone(),
                key: completed.key.clone(),
                etag: completed.etag.clone(),
                size_bytes: completed.size_bytes,
                extents: completed.extents.clone(),
                meta: completed.meta.clone(),
                parts: Some(completed.parts.clone()),
            };
            let row = Row::Object(completed.bucket.clone(), completed.key.clone());
            let extents = completed.extents.clone();
            (row, extents, Change::Copied(Box::new(copied)))
        }
        Change::PartPut(part) => {
            let extents: Vec<Extent> = Extent::whole(record.sequence, part.size_bytes)
                .into_iter()
                .collect();
            let copied = PartCopied {
                bucket: part.bucket.clone(),
                upload: part.upload.clone(),
                number: part.number,
                etag: part.etag.clone(),
                size_bytes: part.size_bytes,
                extents: extents.clone(),
                checksums: part.checksums.clone(),
            };
            let row = Row::Part(part.bucket.clone(), part.upload.clone(), part.number);
            (row, extents, Change::PartCopied(Box::new(copied)))
        }
        Change::PartCopied(part) => {
            let row = Row::Part(part.bucket.clone(), part.upload.clone(), part.number);
            (row, part.extents.clone(), record.change.clone())
        }
        _ => return None,
    };
    let version = Version {
        sequence: record.sequence,
        at: record.at,
        extents,
        change,
    };
    Some((row, version))
}

async fn is_there(
    index: &mut SqliteConnection,
    version: &Version,
    lost: &Lost,
) -> Result<bool, sqlx::Error> {
    for extent in &version.extents {
        if lost.contains_key(&extent.body) || !index::has_body(index, extent.body).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Row {
    fn bucket(&self) -> &BucketName {
        match self {
            Self::Object(bucket, _) | Self::Part(bucket, ..) => bucket,
        }
    }

    fn gone(self) -> Change {
        match self {
            Self::Object(bucket, key) => Change::Delete { bucket, key },
            Self::Part(bucket, upload, number) => Change::PartLost {
                bucket,
                upload,
                number,
            },
        }
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, text: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Object(bucket, key) => write!(text, "{}/{}", bucket.as_str(), key.as_str()),
            Self::Part(bucket, upload, number) => {
                let (bucket, upload) = (bucket.as_str(), upload.as_str());
                write!(text, "{bucket}, part {number} of upload {upload}")
            }
        }
    }
}
