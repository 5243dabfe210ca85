//! Bytes that nothing names any more: found by one sweep, freed by a later one.
//!
//! Guarantees: a body goes only when two sweeps, a grace apart by the monotonic clock, found it unreferenced, when the
//! writer finds it so once more, in its own order, and when nobody reads or copies it; a synced record says so before a
//! byte of it is touched. The grace is for copies of the folder that are being made meanwhile. A blob that no body names,
//! and no upload holds, is left over of a crash and goes alike; no record needs to say so.

use super::blobs::{self, blob_path};
use super::content::Place;
use super::janitor::{Janitor, Mode};
use super::judging::Work;
use super::record::Unreferenced;
use super::{StoreError, log, meta, unavailable};
use crate::faults;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::sync::oneshot;

/// Bodies that are looked at, and named in one record.
const PAGE: u32 = 500;
/// The grace while the disk is nearly full.
const SHORT_GRACE: Duration = Duration::from_mins(1);

/// When, by the monotonic clock, what was found unreferenced was first found so.
#[derive(Debug, Default)]
pub(super) struct Seen {
    bodies: BTreeMap<u64, Duration>,
    blobs: HashMap<String, Duration>,
}

/// What was freed, or would be, and what waits for its grace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freed {
    pub bodies: u64,
    pub bytes: u64,
    /// Files of uploads that a crash cut off.
    pub left_over: u64,
    pub left_over_bytes: u64,
    /// Bodies and files that were found, and whose grace is not over.
    pub waiting: u64,
    pub waiting_bytes: u64,
}

impl Janitor {
    /// Frees what was unreferenced for a grace. `at_once`: nobody else can have the folder, and none is waited for.
    ///
    /// # Errors
    /// `Unavailable`, … The next sweep does what is left.
    pub async fn free(&mut self, mode: Mode, at_once: bool) -> Result<Freed, StoreError> {
        let inner = &self.store.inner;
        inner.state.memory.forget_outdated();
        let grace = match (at_once, !inner.state.space.admits_bytes()) {
            _ if inner.state.are_bytes_held() => Duration::MAX,
            (true, _) => Duration::ZERO,
            (false, true) => inner.grace.min(SHORT_GRACE),
            (false, false) => inner.grace,
        };
        let (now, space) = (inner.clock.elapsed(), inner.state.space.clone());
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
            let mut connection = self.store.inner.readers.acquire().await?;
            let page = meta::unreferenced(&mut connection, after, PAGE).await?;
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

    /// Answers those that nobody needed.
    async fn record_and_free(
        &self,
        due: Vec<Unreferenced>,
    ) -> Result<Vec<Unreferenced>, StoreError> {
        if due.is_empty() {
            return Ok(due);
        }
        let (freed, named) = oneshot::channel();
        let work = Work::Free { bodies: due, freed };
        if self.store.ask(Vec::new(), work).await?.is_none() {
            return Ok(Vec::new());
        }
        let gone = named.await.map_err(|_| super::stopped())?;
        faults::step("freeing-recorded");
        let (log, blobs) = (
            self.store.inner.folder.log(),
            self.store.inner.folder.blobs(),
        );
        tokio::task::spawn_blocking(move || {
            free_bytes(&log, &blobs, &gone);
            gone
        })
        .await
        .map_err(|_| super::stopped())
    }

    /// Blobs that no body names.
    async fn remove_left_over(
        &mut self,
        mode: Mode,
        now: Duration,
        grace: Duration,
        freed: &mut Freed,
    ) -> Result<(), StoreError> {
        let inner = &self.store.inner;
        let dir = inner.blobs.dir().to_owned();
        let mut pages = blobs::pages(&dir, PAGE as usize).map_err(|error| unavailable(&error))?;
        let mut seen = HashMap::new();
        loop {
            let (rest, page) = tokio::task::spawn_blocking(move || {
                let page = pages.next();
                (pages, page)
            })
            .await
            .map_err(|_| super::stopped())?;
            pages = rest;
            let Some(mut page) = page else {
                break;
            };
            page.retain(|id| !inner.blobs.is_under_way(id));
            let mut connection = inner.readers.acquire().await?;
            let known = meta::known_blobs(&mut connection, &page).await?;
            drop(connection);
            page.retain(|id| !known.contains(id));
            // Where writing has failed a record may name what the index does not.
            if inner.state.failure().is_some() {
                break;
            }
            for id in page {
                let first = self.seen.blobs.get(&id).copied().unwrap_or(now);
                let path = blob_path(&dir, &id);
                let size = std::fs::metadata(&path).map_or(0, |file| file.len());
                let is_due = now.saturating_sub(first) >= grace;
                if is_due && (mode == Mode::Tell || remove(&path)) {
                    freed.left_over += 1;
                    freed.left_over_bytes += size;
                } else {
                    freed.waiting += 1;
                    freed.waiting_bytes += size;
                    seen.insert(id, first);
                }
            }
        }
        self.seen.blobs = seen;
        Ok(())
    }
}

/// Frees the bytes of bodies whose record says that they may go; what is gone already is no trouble.
pub(super) fn free_bytes(log: &Path, blobs: &Path, bodies: &[Unreferenced]) {
    for free in bodies {
        match &free.place {
            Place::Log { segment, offset } => {
                if let Err(error) = log::punch(log, *segment, *offset, free.size_bytes)
                    && error.kind() != io::ErrorKind::NotFound
                {
                    tracing::warn!(%error, body = free.body, "could not free a body in the log");
                }
            }
            Place::Blob { id } => drop(remove(&blob_path(blobs, id))),
        }
    }
}

/// Whether it is gone.
fn remove(path: &Path) -> bool {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, path = %path.display(), "could not remove a blob");
            false
        }
        _ => true,
    }
}
