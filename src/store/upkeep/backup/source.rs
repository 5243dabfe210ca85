//! The source of a restore: a backup, or a plain copy of a data folder, and where its log ends.

use crate::store::blocking::blocking;
use crate::store::content::{Body, Place};
use crate::store::dir::Dir;
use crate::store::folder::{BACKUP, DATABASE, Places};
use crate::store::index;
use crate::store::record::reader::{self, Found, Reader, ScanError};
use crate::store::record::segments::{self, End};
use crate::store::record::{BodyPlace, Change, LogId, Record};
use crate::store::recovery::snapshot::{self, Snapshot};
use crate::store::upkeep::backup::error::{BackupError, at, at_dir};
use crate::store::upkeep::backup::folder::{BACKING_UP, lock_to_read};
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::Path;

/// The source of a restore.
pub(super) struct Source {
    pub(super) home: Dir,
    pub(super) places: Places,
    pub(super) snapshot: Option<Snapshot>,
    /// Where the part of the log ends that is to be copied.
    pub(super) end: End,
    /// What the log records after the snapshot.
    pub(super) after: After,
    _lock: Option<File>,
}

/// Bodies of records after the snapshot.
#[derive(Default)]
pub(super) struct After {
    /// Bodies in blobs, each with the name of the row that it was uploaded for.
    pub(super) blobs: Vec<(u64, Body, String)>,
    /// Bodies whose bytes may be freed.
    pub(super) freed: HashSet<u64>,
}

impl Source {
    pub(super) async fn open(from: &Path) -> Result<Self, BackupError> {
        let shown = from.display();
        let none = || {
            BackupError::Refused(format!(
                "{shown} holds no complete backup: name the folder that `hangar backup` was given; if that backup was \
                 interrupted, run it again"
            ))
        };
        let path = from.join("@hangar");
        let home = match Dir::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !from.exists() => {
                return Err(BackupError::Refused(format!(
                    "there is no folder {shown}: name the folder that `hangar backup` was given"
                )));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(none()),
            opened => opened.map_err(at(&path))?,
        };
        let places = match Places::of(&home) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(none()),
            opened => opened.map_err(at(&path))?,
        };
        let lock = lock_to_read(&home, from)?;
        let has = |name: &str| home.has(name).map_err(at_dir(&home));
        let (is_backup, is_cut_off) = (has(BACKUP)?, has(BACKING_UP)?);
        let damaged = |what: &str| {
            // No server starts in a folder with that file.
            let without = if is_backup {
                " without its file @hangar/backup"
            } else {
                ""
            };
            BackupError::Refused(format!(
                "the log in {shown} {what}: restore another backup. A server that is started in a copy of this \
                 folder{without} takes what is before that"
            ))
        };
        let id = match reader::find(&places.log).map_err(|error| damaged(&error.to_string()))? {
            Found::Log(id) => id,
            Found::Nothing => return Err(none()),
            Found::Damaged => return Err(damaged("is damaged where it begins")),
        };
        for name in snapshot::names(&home).map_err(at_dir(&home))? {
            // Refuses a link or a pipe in the place of a snapshot; a damaged snapshot is fine.
            home.length(&name).map_err(at_dir(&home))?;
        }
        let survey = snapshot::survey(&home, &places.log, id).await;
        let survey = survey.map_err(|error| damaged(&error.to_string()))?;
        if let Some((newest, false)) = survey.of_log.first()
            && is_backup
        {
            let sequence = newest.end.sequence;
            return Err(damaged(&format!(
                "does not go on to record {sequence} without damage"
            )));
        }
        let snapshot = snapshot::first_whole(&home, &survey.reached()).await;
        // Without a snapshot the log alone is enough, but not if a backup was interrupted. A complete backup has a
        // snapshot, whole or damaged.
        let is_log_enough = if is_backup {
            !snapshot::names(&home).map_err(at_dir(&home))?.is_empty()
        } else {
            has(DATABASE)?
        };
        if snapshot.is_none() && (is_cut_off || !is_log_enough) {
            return Err(none());
        }
        let until = match &snapshot {
            Some(snapshot) if is_cut_off => Some(snapshot.end),
            _ => None,
        };
        let (log, base) = (places.log.clone(), snapshot.as_ref().map(|it| it.end));
        let read = blocking(move || Ok(read_after(&log, id, base, until)));
        let (end, after) = read.await?.map_err(|error| damaged(&error.to_string()))?;
        if let Some((name, sequence)) = &survey.unreadable
            && *sequence > end.sequence
        {
            return Err(damaged(&format!(
                "ends before record {sequence}, which the name of {name} says"
            )));
        }
        Ok(Self {
            home,
            places,
            snapshot,
            end,
            after,
            _lock: lock,
        })
    }
}

/// Reads the log from its beginning. Returns where it ends, and what it records after `base`.
fn read_after(
    log: &Dir,
    id: LogId,
    base: Option<End>,
    until: Option<End>,
) -> Result<(End, After), ScanError> {
    let mut after = After::default();
    let begin = segments::begin(log)?.filter(|begin| begin.segment == 1);
    let mut end = begin
        .ok_or(io::ErrorKind::NotFound)
        .map_err(io::Error::from)?;
    let mut reader = Reader::new(log, id, end)?;
    while until != Some(end) {
        let (record, next) = match reader.next() {
            Ok(Some(read)) => read,
            Ok(None) => break,
            // The damage may be after `until`: then the reader returns the records before it, up to `until`.
            Err(ScanError::Damaged { .. }) if until.is_some() => continue,
            Err(error) => return Err(error),
        };
        end = next;
        if base.is_none_or(|base| record.sequence > base.sequence) {
            after.take(record);
        }
    }
    Ok((end, after))
}

impl After {
    fn take(&mut self, record: Record) {
        let (name, body, size_bytes, crcs) = match record.change {
            Change::Put(put) => {
                let name = format!("{}/{}", put.bucket.as_str(), put.key.as_str());
                (name, put.body, put.size_bytes, put.block_crcs)
            }
            Change::PartPut(part) => {
                let name = format!("{}, part of an upload", part.bucket.as_str());
                (name, part.body, part.size_bytes, part.block_crcs)
            }
            Change::Freed { bodies } => {
                self.freed.extend(bodies.iter().map(|freed| freed.body));
                return;
            }
            _ => return,
        };
        if let BodyPlace::Blob { id } = body {
            let body = Body {
                size_bytes,
                place: Place::Blob { id },
                block_crcs: index::crcs_from_hex(&crcs).unwrap_or_default(),
            };
            self.blobs.push((record.sequence, body, name));
        }
    }
}
