//! The indexer: applies records that are in the log to the index, and sends the results to the callers.
use crate::db::{self, Checkpoints, Leaves};
use crate::faults;
use crate::store::effect::EffectKind;
use crate::store::error::StoreError;
use crate::store::index;
use crate::store::journal::locks::RowLock;
use crate::store::journal::pinned::KeptBytes;
use crate::store::journal::request::{Answer, Recorded, answer};
use crate::store::journal::state::{FailWhenUnwinding, State};
use crate::store::record::segments::End;
use crate::store::record::{LogId, Record};
use sqlx::SqliteConnection;
use std::sync::Arc;
use tokio::sync::mpsc;

/// A change that is in the log, on the disk, and not in the index yet.
pub(in crate::store) struct Logged {
    pub(in crate::store) record: Record,
    /// Pinned until the index names them.
    pub(in crate::store) bytes: KeptBytes,
    pub(in crate::store) locks: Vec<RowLock>,
    pub(in crate::store) answer: Answer,
}

/// Applies logged changes to the index, and sends the results to the callers.
pub(in crate::store) struct Indexer {
    pub(in crate::store) groups: mpsc::Receiver<(Vec<Logged>, End)>,
    pub(in crate::store) index: SqliteConnection,
    pub(in crate::store) effects: Arc<[EffectKind]>,
    pub(in crate::store) log: LogId,
    /// The last sequence that the index holds.
    pub(in crate::store) committed: u64,
    pub(in crate::store) state: Arc<State>,
    pub(in crate::store) checkpoints: Arc<tokio::sync::Mutex<Checkpoints>>,
    pub(in crate::store) released: mpsc::UnboundedSender<Vec<RowLock>>,
}

impl Indexer {
    /// Runs until the writer has ended. Returns the connection, for the clean stop.
    pub(in crate::store) async fn run(mut self) -> SqliteConnection {
        let _unwinding = FailWhenUnwinding(self.state.clone());
        while let Some((group, end)) = self.groups.recv().await {
            let (records, callers): (Vec<Record>, Vec<_>) = group
                .into_iter()
                .map(
                    |Logged {
                         record,
                         bytes,
                         locks,
                         answer,
                     }| { (record, (bytes, locks, answer)) },
                )
                .unzip();
            let failure = match self.state.failure() {
                Some(failure) => Some(failure),
                None => self.apply(&records, end).await,
            };
            faults::step("index-committed");
            if failure.is_none() {
                for record in &records {
                    self.state.follow(record);
                }
                for (_, locks, _) in &callers {
                    self.state
                        .caches
                        .versions
                        .have_changed(RowLock::changing(locks));
                }
            }
            for (record, (bytes, locks, caller)) in records.iter().zip(callers) {
                drop(bytes);
                drop(self.released.send(locks));
                let recorded = Recorded {
                    sequence: record.sequence,
                    at: record.at,
                };
                match &failure {
                    None => {
                        answer(caller, Ok(Some(recorded)));
                        faults::step("answered");
                    }
                    Some(failure) => {
                        answer(caller, Err(StoreError::Unavailable(failure.clone().into())));
                    }
                }
            }
            if failure.is_none() {
                let mut checkpoints = self.checkpoints.lock().await;
                (checkpoints.after_commit(&mut self.index, end.sequence)).await;
            }
        }
        self.index
    }

    /// Moves the content of the database's journal into the database, as far as readers allow, so that its space is
    /// free again.
    async fn empty_journal(&mut self) {
        let mut checkpoints = self.checkpoints.lock().await;
        let emptied = checkpoints.checkpoint(&mut self.index, self.committed, Leaves::Nothing);
        if let Err(error) = emptied.await {
            tracing::debug!(%error, "the journal of the database stays as long as it is");
        }
    }

    async fn try_apply(&mut self, records: &[Record], end: End) -> Result<(), sqlx::Error> {
        index::apply(&mut self.index, records, &self.effects, self.log, end).await
    }

    async fn apply(&mut self, records: &[Record], end: End) -> Option<String> {
        let mut applied = self.try_apply(records, end).await;
        if applied.as_ref().is_err_and(db::is_full) {
            self.state.space.let_go();
            self.empty_journal().await;
            applied = self.try_apply(records, end).await;
        }
        if self.state.space.is_without_reserve() {
            // Else each delete would add to the journal until it is long enough for a checkpoint.
            self.empty_journal().await;
        }
        match applied {
            Ok(()) => {
                self.committed = end.sequence;
                None
            }
            Err(error) if db::is_damage(&error) => {
                let damage = &self.state.index_damage;
                damage.report(&format!("it could not take what the log holds: {error}"));
                damage.failure()
            }
            Err(error) => {
                let failure = format!("the index could not take what the log holds: {error}");
                self.state.fail(&failure);
                Some(failure)
            }
        }
    }
}
