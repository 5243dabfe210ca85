//! Replaying the log: records applied to the index, many in one transaction.

use crate::clock::Clock;
use crate::db::{self, Checkpoints};
use crate::store::bodies::free::free_bytes;
use crate::store::dir::Dir;
use crate::store::effect::EffectKind;
use crate::store::error::OpenError;
use crate::store::folder::Folder;
use crate::store::index;
use crate::store::journal::locks::{LockSet, RowLock};
use crate::store::progress::Progress;
use crate::store::record::reader::{Reader, ScanError};
use crate::store::record::segments::{self, End};
use crate::store::record::{Change, LogId, Record, Unreferenced};
use crate::store::recovery::refusal::{database_trouble, log_trouble, newer};
use crate::store::recovery::set_aside::set_rest_aside;
use sqlx::SqliteConnection;
use std::sync::atomic::Ordering;

/// The most records that are applied in one transaction.
const BATCH: usize = 1000;
/// The most rows that these may list together ([`Change::rows`]).
const BATCH_ROWS: usize = 100_000;

pub(in crate::store) struct Replay<'a> {
    reader: Reader,
    index: &'a mut SqliteConnection,
    checkpoints: &'a mut Checkpoints,
    effects: &'a [EffectKind],
    id: LogId,
    batch: Vec<Record>,
    /// The rows that the batch changes.
    held: LockSet,
    /// How many rows the batch lists.
    rows: usize,
    /// Where the last record of the batch ends.
    end: End,
    applied: u64,
    freed: Vec<Unreferenced>,
    begun: End,
    dir: Dir,
    progress: &'a Progress,
}

impl<'a> Replay<'a> {
    pub(in crate::store) fn new(
        (dir, reader, id): (&Dir, Reader, LogId),
        from: End,
        (index, checkpoints): (&'a mut SqliteConnection, &'a mut Checkpoints),
        effects: &'a [EffectKind],
        progress: &'a Progress,
    ) -> Self {
        Self {
            reader,
            index,
            checkpoints,
            effects,
            id,
            batch: Vec::new(),
            held: LockSet::default(),
            rows: 0,
            end: from,
            applied: 0,
            freed: Vec::new(),
            begun: from,
            dir: dir.clone(),
            progress,
        }
    }

    /// Applies the whole log, and returns where it ends and how many records were applied.
    pub(in crate::store) async fn run(
        mut self,
        ends_at_damage: bool,
        folder: &Folder,
        clock: &Clock,
    ) -> Result<(End, u64), OpenError> {
        let is_damaged = self.apply_all(ends_at_damage).await?;
        let end = self.sure_end();
        if is_damaged {
            set_rest_aside(folder, clock, end.segment)
                .map_err(|error| log_trouble(&error.into()))?;
        }
        // A crash may have come between the record and the freeing of its bodies.
        free_bytes(folder.places(), &self.freed);
        if self.applied > 0 {
            tracing::info!(records = self.applied, "replayed the log");
        }
        Ok((end, self.applied))
    }

    /// The end of the last whole record.
    pub(in crate::store) fn sure_end(&self) -> End {
        self.reader.sure_end()
    }

    /// Applies the whole log to the index, and changes nothing else. With `ends_at_damage` a damaged record ends the
    /// log, and the result says whether there was one.
    pub(in crate::store) async fn apply_all(
        &mut self,
        ends_at_damage: bool,
    ) -> Result<bool, OpenError> {
        let last = segments::segments(&self.dir).and_then(|segments| {
            let last = segments.last().copied().unwrap_or(self.begun.segment);
            let offset = segments::length(&self.dir, last)?;
            let end = End {
                segment: last,
                offset,
                sequence: 0,
            };
            segments::bytes_between(&self.dir, Some(self.begun), end)
        });
        let total = last.map_err(|error| log_trouble(&error.into()))?;
        self.progress.total_bytes.store(total, Ordering::Relaxed);
        let mut damaged = false;
        loop {
            match self.reader.next() {
                Ok(Some((record, end))) => self.take(record, end).await?,
                Ok(None) => break,
                Err(ScanError::Damaged {
                    sequence,
                    segment,
                    offset,
                }) if ends_at_damage && sequence > 1 => {
                    tracing::warn!(
                        sequence,
                        segment,
                        offset,
                        "the copied log ends here; what lies behind is not used"
                    );
                    damaged = true;
                }
                Err(error) => return Err(log_trouble(&error)),
            }
        }
        self.apply().await?;
        Ok(damaged)
    }

    async fn take(&mut self, record: Record, end: End) -> Result<(), OpenError> {
        if let Some(effect) = &record.effect
            && !self.effects.iter().any(|known| known.kind == effect.kind)
        {
            return Err(newer("log"));
        }
        let names = RowLock::of_record(&record);
        let is_full = self.batch.len() == BATCH || self.rows > BATCH_ROWS;
        if is_full || !self.held.admits(&names) {
            self.apply().await?;
        }
        self.held.hold(&names);
        if let Change::Freed { bodies } = &record.change {
            self.freed.extend_from_slice(bodies);
        }
        self.rows += record.change.rows();
        self.batch.push(record);
        self.end = end;
        Ok(())
    }

    async fn apply(&mut self) -> Result<(), OpenError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        index::apply(self.index, &self.batch, self.effects, self.id, self.end)
            .await
            .map_err(|error| database_trouble(&error, db::is_full(&error)))?;
        (self.checkpoints)
            .after_commit(self.index, self.end.sequence)
            .await;
        self.applied += self.batch.len() as u64;
        let done = segments::bytes_between(&self.dir, Some(self.begun), self.end)
            .map_err(|error| log_trouble(&error.into()))?;
        self.progress.done_bytes.store(done, Ordering::Relaxed);
        self.batch.clear();
        self.held.clear();
        self.rows = 0;
        Ok(())
    }
}
