//! Unreferenced bytes: one sweep finds them, a later one frees them.
//!
//! Guarantees: a body is freed only when two sweeps, a grace period apart by the monotonic clock, found it
//! unreferenced, when the writer finds it unreferenced once more, in the order of its changes, and when no reader or
//! copy uses it; a synced record says so before a byte of it is touched. The grace period is for copies of the folder
//! that are being made meanwhile. A blob that no body references, no upload is writing and no record of the log names
//! was left by a crash. It is removed the same way, without a record.

use crate::faults;
use crate::store::bodies::blobs;
use crate::store::bodies::free::{free_bytes, remove};
use crate::store::content::{BlobId, Place};
use crate::store::dir::Dir;
use crate::store::error::{StoreError, stopped, unavailable};
use crate::store::folder::ASIDE_LOG;
use crate::store::index;
use crate::store::journal::work::Work;
use crate::store::record::LogId;
use crate::store::record::reader::{self, ScanError};
use crate::store::record::{BodyPlace, Change, Record, Unreferenced};
use crate::store::upkeep::janitor::{Janitor, Mode};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;
use tokio::sync::oneshot;

/// How many bodies are looked up at a time, and freed by one record.
const PAGE: u32 = 500;
/// The grace period while the disk is nearly full.
const SHORT_GRACE: Duration = Duration::from_mins(1);

/// What was freed or would be freed, and what waits for its grace period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freed {
    pub bodies: u64,
    pub bytes: u64,
    /// Files of uploads that a crash interrupted.
    pub left_over: u64,
    pub left_over_bytes: u64,
    /// Bodies and files that were found, and whose grace period is not over.
    pub waiting: u64,
    pub waiting_bytes: u64,
}

impl Janitor {
    /// Frees bytes that were unreferenced for a grace period. `at_once`: without waiting for it, since no other program
    /// can use the folder.
    ///
    /// # Errors
    /// `Unavailable`, … The next sweep frees what is left.
    pub async fn free(&mut self, mode: Mode, at_once: bool) -> Result<Freed, StoreError> {
        let vault = &self.vault;
        vault.state.caches.evict_stale();
        let grace = match (at_once, !vault.state.space.admits_bytes()) {
            _ if vault.state.are_bytes_held() => Duration::MAX,
            (true, _) => Duration::ZERO,
            (false, true) => vault.grace.min(SHORT_GRACE),
            (false, false) => vault.grace,
        };
        let (now, space) = (vault.clock.elapsed(), vault.state.space.clone());
        let mut freed = Freed::default();
        self.free_bodies(mode, now, grace, &mut freed).await?;
        self.remove_left_over(mode, now, grace, &mut freed).await?;
        space.recover();
        Ok(freed)
    }

    async fn free_bodies(
        &mut self,
        mode: Mode,
        now: Duration,
        grace: Duration,
        freed: &mut Freed,
    ) -> Result<(), StoreError> {
        let mut seen = BTreeMap::new();
        let mut after = 0;
        loop {
            let mut connection = self.vault.reads.readers.acquire().await?;
            let page = index::unreferenced(&mut connection, after, PAGE).await?;
            drop(connection);
            let Some(last) = page.last() else {
                break;
            };
            after = last.body;
            let mut due = Vec::new();
            for free in page {
                let first = self.seen.bodies.get(&free.body).copied().unwrap_or(now);
                seen.insert(free.body, first);
                if now.saturating_sub(first) >= grace {
                    due.push(free);
                } else {
                    freed.waiting += 1;
                    freed.waiting_bytes += free.size_bytes;
                }
            }
            let done = match mode {
                Mode::Tell => due,
                Mode::Do => self.record_and_free(due).await?,
            };
            for free in done {
                freed.bodies += 1;
                freed.bytes += free.size_bytes;
            }
        }
        self.seen.bodies = seen;
        Ok(())
    }

    /// Returns the bodies that were freed.
    async fn record_and_free(
        &self,
        due: Vec<Unreferenced>,
    ) -> Result<Vec<Unreferenced>, StoreError> {
        if due.is_empty() {
            return Ok(due);
        }
        let (freed, named) = oneshot::channel();
        let work = Work::Free { bodies: due, freed };
        if self.vault.changes.ask(Vec::new(), work).await?.is_none() {
            return Ok(Vec::new());
        }
        let gone = named.await.map_err(|_| stopped())?;
        faults::step("freeing-recorded");
        let places = self.vault.folder.places().clone();
        tokio::task::spawn_blocking(move || {
            free_bytes(&places, &gone);
            gone
        })
        .await
        .map_err(|_| stopped())
    }

    /// Removes blobs that no body references.
    async fn remove_left_over(
        &mut self,
        mode: Mode,
        now: Duration,
        grace: Duration,
        freed: &mut Freed,
    ) -> Result<(), StoreError> {
        let vault = &self.vault;
        let dir = vault.blobs.dir().clone();
        let mut pages = blobs::pages(&dir, PAGE as usize).map_err(|error| unavailable(&error))?;
        let (mut seen, mut due) = (HashMap::new(), Vec::new());
        loop {
            let (rest, page) = tokio::task::spawn_blocking(move || {
                let page = pages.next();
                (pages, page)
            })
            .await
            .map_err(|_| stopped())?;
            pages = rest;
            let Some(mut page) = page else {
                break;
            };
            page.retain(|id| !vault.blobs.is_under_way(*id) && !self.seen.named.contains(id));
            let mut connection = vault.reads.readers.acquire().await?;
            let known = index::known_blobs(&mut connection, &page).await?;
            drop(connection);
            page.retain(|id| !known.contains(id));
            // After a failed write, a record may name a blob that the index does not know.
            if vault.state.failure().is_some() {
                break;
            }
            for id in page {
                let first = self.seen.blobs.get(&id).copied().unwrap_or(now);
                if now.saturating_sub(first) >= grace {
                    due.push(id);
                } else {
                    freed.waiting += 1;
                    freed.waiting_bytes += length(&dir, id);
                }
                seen.insert(id, first);
            }
        }
        let due = self.without_named(due).await?;
        for id in due {
            let size = length(&dir, id);
            if mode == Mode::Tell || remove(&dir, id) {
                freed.left_over += 1;
                freed.left_over_bytes += size;
                if mode == Mode::Do {
                    seen.remove(&id);
                }
            } else {
                freed.waiting += 1;
                freed.waiting_bytes += size;
            }
        }
        self.seen.blobs = seen;
        Ok(())
    }

    /// Keeps blobs that a record of the log names and the index does not know: in that case the index is wrong.
    async fn without_named(&mut self, mut due: Vec<BlobId>) -> Result<Vec<BlobId>, StoreError> {
        if due.is_empty() {
            return Ok(due);
        }
        let vault = &self.vault;
        let mut connection = vault.reads.readers.acquire().await?;
        let position = index::position(&mut connection).await?;
        drop(connection);
        let Some((id, _)) = position else {
            return Ok(Vec::new());
        };
        let (home, log) = (vault.folder.home().clone(), vault.folder.log().clone());
        let asked = due.clone();
        let named = tokio::task::spawn_blocking(move || named_in_log(&home, &log, id, &asked))
            .await
            .map_err(|_| stopped())?;
        let named = match named {
            Ok(named) => named,
            Err(error) => {
                tracing::warn!(%error, "the log could not be searched: files in blobs that the database does not know stay");
                return Ok(Vec::new());
            }
        };
        if !named.is_empty() {
            tracing::error!(
                blobs = named.len(),
                "the log, or a part of it that was set aside, names files in blobs that the database does not know; they stay: `hangar rebuild --from-log` makes the database again"
            );
        }
        due.retain(|id| !named.contains(id));
        self.seen.named.extend(named);
        Ok(due)
    }
}

/// The blobs among these that a record names and no record frees, in the log and in parts of it that were set aside.
/// Records after damage are searched too.
fn named_in_log(
    home: &Dir,
    log: &Dir,
    id: LogId,
    blobs: &[BlobId],
) -> Result<HashSet<BlobId>, ScanError> {
    let asked: HashSet<BlobId> = blobs.iter().copied().collect();
    let (mut named, mut gone) = (HashSet::new(), HashSet::new());
    let mut take = |record: Record| match &record.change {
        Change::Put(put) => named.extend(blob_of(&put.body)),
        Change::PartPut(part) => named.extend(blob_of(&part.body)),
        Change::Freed { bodies } => {
            gone.extend(bodies.iter().filter_map(|freed| match &freed.place {
                Place::Blob { id } => Some(*id),
                Place::Log { .. } => None,
            }));
        }
        _ => {}
    };
    reader::each_whole_record(log, id, &mut take)?;
    for name in home.names()? {
        let name = name?;
        if name.starts_with(ASIDE_LOG) {
            reader::each_whole_record(&home.folder(&name)?, id, &mut take)?;
        }
    }
    named.retain(|id| asked.contains(id) && !gone.contains(id));
    Ok(named)
}

fn blob_of(body: &BodyPlace) -> Option<BlobId> {
    match body {
        BodyPlace::Blob { id } => Some(*id),
        BodyPlace::Empty | BodyPlace::Here => None,
    }
}

fn length(blobs: &Dir, id: BlobId) -> u64 {
    let length = blobs.length(&id.to_string());
    length.ok().flatten().unwrap_or(0)
}
