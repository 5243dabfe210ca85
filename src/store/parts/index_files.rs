//! The files of the index: the database, its checkpoint note, and its snapshots.

use crate::clock::Clock;
use crate::db::{self, CheckpointError, Checkpoints, Readers};
use crate::store::error::{StoreError, unavailable};
use crate::store::folder::{self, DATABASE, Folder, Identity};
use crate::store::index;
use crate::store::index::damage::{self, Found};
use crate::store::journal::state::State;
use crate::store::recovery::snapshot::{self, Renewal};
use crate::telemetry::with_causes;
use sqlx::{Connection, SqliteConnection};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub(in crate::store) struct IndexFiles {
    pub(in crate::store) folder: Arc<Folder>,
    pub(in crate::store) clock: Clock,
    pub(in crate::store) state: Arc<State>,
    pub(in crate::store) readers: Readers,
    pub(in crate::store) renewal: tokio::sync::Mutex<Renewal>,
    pub(in crate::store) checkpoints: Arc<tokio::sync::Mutex<Checkpoints>>,
    /// Damage of the index that was found when the vault was opened; the index is being rebuilt.
    pub(in crate::store) found_at_start: Mutex<Option<Found>>,
}

impl IndexFiles {
    pub(in crate::store) fn take_found_at_start(&self) -> Option<Found> {
        let mut found = (self.found_at_start.lock()).unwrap_or_else(PoisonError::into_inner);
        found.take()
    }

    /// Takes a snapshot if one is due.
    pub(in crate::store) async fn renew_snapshot(&self) -> Result<(), StoreError> {
        let mut renewal = self.renewal.lock().await;
        if !self.state.space.admits_bytes() {
            return Ok(());
        }
        let mut connection = self.readers.acquire().await?;
        let position = index::position(&mut connection).await?;
        drop(connection);
        let (now, folder) = (self.clock.elapsed(), &self.folder);
        let is_due = |(_, end)| renewal.is_due(folder, now, end);
        if !position
            .map_or(Ok(false), is_due)
            .map_err(|error| unavailable(&error))?
        {
            return Ok(());
        }
        renewal.was_tried(now);
        let taken = snapshot::take(&folder.database(), folder.home(), None).await;
        renewal.was_taken(&taken.map_err(snapshot::SnapshotError::into_trouble)?);
        Ok(())
    }

    /// Replaces a damaged snapshot by a new one, if there is space for it.
    pub(in crate::store) async fn replace_snapshot(&self, damaged: &str) -> Result<(), StoreError> {
        let home = self.folder.home();
        let mut renewal = self.renewal.lock().await;
        if self.state.space.admits_bytes() {
            let taken = snapshot::take(&self.folder.database(), home, None).await;
            let taken = taken.map_err(snapshot::SnapshotError::into_trouble)?;
            renewal.was_taken(&taken);
            if taken.name == damaged {
                return Ok(());
            }
        }
        folder::remove_database(home, damaged).map_err(|error| unavailable(&error))
    }

    /// Takes the last snapshot before the vault is closed, if that does not take long.
    pub(in crate::store) async fn leave_snapshot(&self, index: &mut SqliteConnection) {
        const PATIENCE: Duration = Duration::from_secs(3);
        let until = Instant::now() + PATIENCE;
        let mut renewal = self.renewal.lock().await;
        let position = index::position(index).await;
        let is_behind = matches!(position, Ok(Some((_, end))) if renewal.is_behind(end));
        if !is_behind || self.state.failure().is_some() || !self.state.space.admits_bytes() {
            return;
        }
        match snapshot::take(&self.folder.database(), self.folder.home(), Some(until)).await {
            Ok(taken) => renewal.was_taken(&taken),
            Err(error) => tracing::debug!(error = with_causes(&error), "no snapshot was left"),
        }
    }

    /// Marks the database as cleanly stopped, and leaves it without a journal. A damaged database stays as it is.
    pub(in crate::store) async fn leave_index(
        &self,
        index: &mut SqliteConnection,
    ) -> Result<(), CheckpointError> {
        if self.state.index_damage.is_found() {
            return Ok(());
        }
        remember(&self.folder, &self.checkpoints, None).await?;
        self.folder.remove_run();
        let position = index::position(index).await?;
        let sequence = position.map_or(0, |(_, end)| end.sequence);
        let mut checkpoints = self.checkpoints.lock().await;
        if (checkpoints.checkpoint(index, sequence, db::Leaves::Nothing)).await? {
            db::set_checkpoint_on_close(index, true).await?;
        }
        Ok(())
    }

    /// Writes `run`, and records its identity in the index.
    pub(in crate::store) async fn announce(&self, text: &str) -> Result<(), StoreError> {
        match self.write_run(text).await {
            Err(StoreError::Full) if self.folder.space().let_go() => self.write_run(text).await,
            written => written,
        }
    }

    async fn write_run(&self, text: &str) -> Result<(), StoreError> {
        let identity = self
            .folder
            .write_run(text)
            .map_err(|error| unavailable(&error))?;
        remember(&self.folder, &self.checkpoints, Some(identity))
            .await
            .map_err(StoreError::from)
    }
}

/// Records the identities of the index's files in the index, and syncs it: after a power cut they must not look like
/// copies.
pub(in crate::store) async fn remember(
    folder: &Folder,
    checkpoints: &tokio::sync::Mutex<Checkpoints>,
    run: Option<Identity>,
) -> Result<(), sqlx::Error> {
    // A checkpoint may only move what it has noted.
    let mut checkpoints = checkpoints.lock().await;
    let owner = damage::owner(folder).map_err(sqlx::Error::Io)?;
    checkpoints.set_owner(owner).map_err(sqlx::Error::Io)?;
    let database = folder::identity(folder.home(), DATABASE).map_err(sqlx::Error::Io)?;
    let database = database.ok_or_else(|| sqlx::Error::Io(io::ErrorKind::NotFound.into()))?;
    let mut index = db::open_durable(&folder.database()).await?;
    index::set_identities(&mut index, database, run).await?;
    index.close().await
}
