//! Copying the log, and then the bodies, from one folder to another: a backup and a restore both do it.

use crate::store::blocking::blocking;
use crate::store::content::{Body, Place};
use crate::store::dir::Dir;
use crate::store::error::Unavailable;
use crate::store::folder::Places;
use crate::store::index;
use crate::store::progress::Progress;
use crate::store::record::segments::{self, End};
use crate::store::recovery::snapshot::{self, Snapshot};
use crate::store::upkeep::backup::copies::{Copies, Verify};
use crate::store::upkeep::backup::copying::{
    OnDamage, Outcome, check_in_log, copy_blob, copy_segment,
};
use crate::store::upkeep::backup::error::{BackupError, at_dir};
use crate::store::upkeep::backup::source::Source;
use crate::store::upkeep::findings::{Damage, Finding, MOST_FINDINGS};
use crate::store::upkeep::verify::verify_records;
use sqlx::{Connection, SqliteConnection};
use std::collections::HashSet;
use std::sync::atomic::Ordering;

/// How many bodies are copied at a time.
const PAGE: u32 = 500;

/// A copy in progress.
pub(super) struct Transfer<'a> {
    pub(super) from: &'a Places,
    pub(super) to: &'a Places,
    pub(super) verify: Verify,
    pub(super) on_damage: OnDamage,
    pub(super) progress: &'a Progress,
    pub(super) copies: Copies,
}

impl Transfer<'_> {
    /// `former`: the snapshot up to which the copy's log was whole before.
    pub(super) async fn back_up(
        mut self,
        home: &Dir,
        snapshot: &Snapshot,
        former: Option<&Snapshot>,
    ) -> Result<Copies, BackupError> {
        let mut index = snapshot::open(home, &snapshot.name).await?;
        let (_, total) = index::stored(&mut index).await?;
        self.progress.total_bytes.store(total, Ordering::Relaxed);
        self.copies.records = snapshot.end.sequence;
        let covered = former.map(|former| former.end);
        self.log(snapshot.end, covered).await?;
        self.records(snapshot).await?;
        self.bodies(&mut index, covered, &HashSet::new()).await?;
        index.close().await?;
        self.sync()?;
        Ok(self.copies)
    }

    pub(super) async fn restore(mut self, source: &Source) -> Result<Copies, BackupError> {
        let sizes = source
            .after
            .blobs
            .iter()
            .map(|(_, body, _)| body.size_bytes);
        let mut total = sizes.fold(0, u64::saturating_add);
        self.copies.records = source.end.sequence;
        self.log(source.end, None).await?;
        if let Some(snapshot) = &source.snapshot {
            let mut index = snapshot::open(&source.home, &snapshot.name).await?;
            let (_, stored) = index::stored(&mut index).await?;
            total = total.saturating_add(stored);
            self.progress.total_bytes.store(total, Ordering::Relaxed);
            self.bodies(&mut index, None, &source.after.freed).await?;
            index.close().await?;
        }
        for page in source.after.blobs.chunks(PAGE as usize) {
            let bodies = page.iter().map(|(id, body, _)| (*id, body.clone()));
            let outcomes = self.copy(bodies.collect(), 0).await?;
            for ((id, body, outcome), (_, _, name)) in outcomes.into_iter().zip(page) {
                if let Some((damage, at)) = self.count(&body, &outcome)
                    && !source.after.freed.contains(&id)
                {
                    self.found(Finding::of(damage, &body.place, at, vec![name.clone()]));
                }
            }
        }
        self.sync()?;
        Ok(self.copies)
    }

    fn sync(&self) -> Result<(), BackupError> {
        self.to.blobs.sync().map_err(at_dir(&self.to.blobs))
    }

    async fn log(&mut self, end: End, covered: Option<End>) -> Result<(), BackupError> {
        for segment in segments::segments(&self.from.log).map_err(at_dir(&self.from.log))? {
            // The former snapshot does not vouch for later bytes that the copy has.
            let whole = match covered {
                Some(covered) if segment < covered.segment => u64::MAX,
                Some(covered) if segment == covered.segment => covered.offset,
                _ => 0,
            };
            if segment <= end.segment {
                self.segment(segment, end, whole).await?;
            }
        }
        self.to.log.sync().map_err(at_dir(&self.to.log))
    }

    /// Continues a segment whose first `whole` bytes were copied before.
    async fn segment(&mut self, segment: u64, end: End, whole: u64) -> Result<(), BackupError> {
        let until = (segment == end.segment).then_some(end.offset);
        let (from, to) = (self.from.log.clone(), self.to.log.clone());
        let copied = blocking(move || Ok(copy_segment(&from, &to, segment, whole, until)));
        self.copies.bytes += copied.await?.map_err(at_dir(&self.from.log))?;
        Ok(())
    }

    /// Verifies the copied records, and copies a segment with damaged ones again.
    async fn records(&mut self, snapshot: &Snapshot) -> Result<(), BackupError> {
        if self.verify == Verify::New {
            return Ok(());
        }
        let rotted = damaged_records(&self.to.log, snapshot).await?;
        if rotted.is_empty() {
            return Ok(());
        }
        let in_source = damaged_records(&self.from.log, snapshot).await?;
        let mut segments: Vec<u64> = rotted.iter().map(|(segment, _)| *segment).collect();
        segments.dedup();
        for segment in segments {
            if !in_source.iter().any(|(damaged, _)| *damaged == segment) {
                self.segment(segment, snapshot.end, 0).await?;
                self.copies.renewed += 1;
            }
        }
        for (segment, offset) in damaged_records(&self.to.log, snapshot).await? {
            let place = Place::Log { segment, offset };
            self.found(Finding::of(Damage::Record, &place, 0, Vec::new()));
        }
        Ok(())
    }

    /// `gone`: bodies that are unreferenced at the end.
    async fn bodies(
        &mut self,
        index: &mut SqliteConnection,
        covered: Option<End>,
        gone: &HashSet<u64>,
    ) -> Result<(), BackupError> {
        let covered = covered.map_or(0, |covered| covered.sequence);
        let mut after = 0;
        loop {
            let page = index::bodies_after(index, after, PAGE).await?;
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            after = *last;
            for (id, body, outcome) in self.copy(page, covered).await? {
                let Some((damage, at)) = self.count(&body, &outcome) else {
                    continue;
                };
                let users = index::users_of_bodies(index, &[id]).await?;
                // The bytes of unreferenced bodies may be freed.
                if !users.is_empty() && !gone.contains(&id) {
                    let hurts = users.into_iter().map(|(_, name)| name).collect();
                    self.found(Finding::of(damage, &body.place, at, hurts));
                }
            }
        }
    }

    /// Copies bodies in blobs, and verifies bodies in the log. `covered`: the last body that the copy's log had before.
    async fn copy(
        &self,
        bodies: Vec<(u64, Body)>,
        covered: u64,
    ) -> Result<Vec<(u64, Body, Outcome)>, BackupError> {
        let (from, to) = (self.from.clone(), self.to.clone());
        let (verify, on_damage) = (self.verify, self.on_damage);
        let outcomes = blocking(move || {
            let copied = bodies.into_iter().map(|(id, body)| {
                let outcome = match body.place {
                    Place::Log { .. } if id <= covered && verify == Verify::New => {
                        Ok(Outcome::Unverified)
                    }
                    Place::Log { .. } => check_in_log(&body, &from, &to, id <= covered),
                    Place::Blob { id } => copy_blob(id, &body, (&from, &to), verify, on_damage),
                };
                (id, body, outcome)
            });
            Ok(copied.collect::<Vec<_>>())
        });
        let mut done = Vec::new();
        for (id, body, outcome) in outcomes.await? {
            let outcome = outcome.map_err(at_dir(&self.to.blobs))?;
            done.push((id, body, outcome));
        }
        Ok(done)
    }

    /// Counts the outcome, and returns the damage of the source.
    fn count(&mut self, body: &Body, outcome: &Outcome) -> Option<(Damage, u64)> {
        let is_blob = matches!(body.place, Place::Blob { .. });
        let copies = &mut self.copies;
        let done = &self.progress.done_bytes;
        done.fetch_add(body.size_bytes, Ordering::Relaxed);
        match outcome {
            Outcome::Copied if is_blob => {
                copies.blobs += 1;
                copies.bytes += body.size_bytes;
            }
            Outcome::Renewed => {
                copies.renewed += 1;
                copies.kept += u64::from(is_blob);
                copies.bytes += body.size_bytes;
            }
            Outcome::Unverified => {
                copies.unverified += 1;
                copies.kept += u64::from(is_blob);
            }
            Outcome::Kept => copies.kept += u64::from(is_blob),
            Outcome::Copied => {}
            Outcome::Damaged(damage, at) => return Some((*damage, *at)),
        }
        None
    }

    fn found(&mut self, finding: Finding) {
        self.copies.damages += 1;
        if self.copies.findings.len() < MOST_FINDINGS {
            self.copies.findings.push(finding);
        }
    }
}

async fn damaged_records(log: &Dir, snapshot: &Snapshot) -> Result<Vec<(u64, u64)>, BackupError> {
    let (log, id, end) = (log.clone(), snapshot.log, snapshot.end);
    let read = blocking(move || {
        verify_records(&log, id, end)
            .map_err(|error| Unavailable::because("the log cannot be read", error).into())
    });
    Ok(read.await?.1)
}
