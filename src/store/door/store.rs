//! The handle of an open vault.

use crate::clock::Timestamp;
use crate::store::dir::Dir;
use crate::store::error::StoreError;
use crate::store::journal::locks::RowLock;
use crate::store::journal::request::Recorded;
use crate::store::journal::work::Work;
use crate::store::parts::vault::Vault;
use crate::store::upkeep::handle::Upkeep;
use std::path::Path;
use std::sync::Arc;

/// The vault. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(in crate::store) vault: Arc<Vault>,
}

impl Store {
    pub(super) fn over(vault: Vault) -> Self {
        Self {
            vault: Arc::new(vault),
        }
    }

    /// Background work on the vault. Cheap.
    #[must_use]
    pub fn upkeep(&self) -> Upkeep {
        Upkeep::of(self.vault.clone())
    }

    /// The time by the store's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.vault.clock.now()
    }

    /// `DATA/@hangar`
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home_dir().path()
    }

    /// `DATA/@hangar`, held open.
    #[must_use]
    pub fn home_dir(&self) -> &Dir {
        self.vault.folder.home()
    }

    /// Writes `run`, with which commands find the server that holds this folder.
    ///
    /// # Errors
    /// `Unavailable` or `Full`.
    pub async fn announce(&self, text: &str) -> Result<(), StoreError> {
        let index_files = &self.vault.index_files;
        // The server has reported it in its log already.
        drop(index_files.take_found_at_start());
        index_files.announce(text).await
    }

    /// Sends a change to the writer; `None`: there was nothing to record.
    pub(super) async fn ask(
        &self,
        names: Vec<RowLock>,
        work: Work,
    ) -> Result<Option<Recorded>, StoreError> {
        self.vault.changes.ask(names, work).await
    }

    /// Sends a change that the writer either refuses or records.
    pub(super) async fn change(
        &self,
        names: Vec<RowLock>,
        work: Work,
    ) -> Result<Recorded, StoreError> {
        self.vault.changes.change(names, work).await
    }
}
