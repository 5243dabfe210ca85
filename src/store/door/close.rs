//! Closing a vault.

use crate::store::door::store::Store;
use crate::store::parts::changes::Tasks;
use crate::telemetry::with_causes;
use sqlx::Connection;

impl Store {
    /// Stops the writer once all queued changes are on disk, and marks the folder as cleanly stopped.
    pub async fn close(&self) {
        self.vault.state.index_damage.report_postponed();
        let Some(Tasks { writer, indexer }) = self.vault.changes.stop() else {
            return;
        };
        if let Err(error) = writer.await {
            tracing::error!(%error, "the writer stopped before its time");
        }
        self.vault.reads.readers.close().await;
        match indexer.await {
            Ok(mut index) => {
                let index_files = &self.vault.index_files;
                index_files.leave_snapshot(&mut index).await;
                if let Err(error) = index_files.leave_index(&mut index).await {
                    let error = with_causes(&error);
                    tracing::warn!(error, "could not leave the database as a clean stop does");
                }
                drop(index.close().await);
                self.vault.folder.release();
            }
            Err(error) => tracing::error!(%error, "the indexer stopped before its time"),
        }
    }
}
