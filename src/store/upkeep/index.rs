//! Upkeep of the index: verifying its pages and those of its snapshots, and renewing the snapshot.

use crate::db::{self, Verified};
use crate::store::error::{StoreError, unavailable};
use crate::store::recovery::snapshot;
use crate::store::upkeep::handle::Upkeep;
use std::time::Duration;

impl Upkeep {
    /// Verifies the index and its snapshots by their checksums, slowly. Reports a damaged index
    /// ([`Upkeep::index_is_damaged`]), and replaces a damaged snapshot by a new one.
    ///
    /// # Errors
    /// When the folder cannot be read, or a snapshot cannot be written.
    pub async fn verify_index(&self) -> Result<(), StoreError> {
        /// The pause after each MiB.
        const PAUSE: Duration = Duration::from_millis(10);
        let (folder, damage) = (&self.vault.folder, &self.vault.state.index_damage);
        let database = folder.database();
        let file = damage.file().map_err(|error| unavailable(&error))?;
        let verified = db::verify_in_use(file, PAUSE).await;
        if let Verified::Damaged { page } = verified.map_err(|error| unavailable(&error))? {
            damage.report_page(&database, page);
            return Ok(());
        }
        for name in snapshot::names(folder.home()).map_err(|error| unavailable(&error))? {
            let verified = snapshot::verify(folder.home(), &name, PAUSE).await;
            if let Some(page) = verified.map_err(|error| unavailable(&error))? {
                tracing::error!(
                    page,
                    name,
                    "a snapshot of the index is damaged: it is replaced"
                );
                self.vault.index_files.replace_snapshot(&name).await?;
            }
        }
        Ok(())
    }

    /// Takes a snapshot of the index if one is due, for a start that cannot trust the index.
    ///
    /// # Errors
    /// When there is no space for it, or it cannot be written.
    pub async fn renew_snapshot(&self) -> Result<(), StoreError> {
        self.vault.index_files.renew_snapshot().await
    }

    #[must_use]
    pub fn is_index_damaged(&self) -> bool {
        self.vault.state.index_damage.is_found()
    }

    /// Returns when damage of the index is found: then the store must be closed and opened again.
    pub async fn index_is_damaged(&self) {
        self.vault.state.index_damage.wait().await;
    }
}
