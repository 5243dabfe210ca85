//! Health: the state of the writer, the index, the folder and its disk, for readiness and the standing warnings.

use crate::s3::BucketName;
use crate::s3::bucket_policy::Opening;
use crate::store::index;
use crate::store::upkeep::folder::foreign_files;
use crate::store::upkeep::handle::Upkeep;
use crate::warnings::Warning;

/// The state that decides readiness.
#[derive(Debug, Clone, Default)]
pub struct Health {
    /// Why no write is possible until a restart.
    pub failed: Option<String>,
    /// Warnings about the folder and its disk.
    pub warnings: Vec<Warning>,
}

impl Upkeep {
    #[must_use]
    pub fn health(&self) -> Health {
        Health {
            failed: self.vault.state.failure(),
            warnings: self.vault.state.warnings(),
        }
    }

    /// The buckets whose policies make them public, and what each policy allows.
    #[must_use]
    pub fn open_buckets(&self) -> Vec<(BucketName, Opening)> {
        self.vault.state.open_buckets()
    }

    /// Whether the index can be queried now.
    pub async fn index_is_reachable(&self) -> bool {
        match self.vault.reads.readers.acquire().await {
            Ok(mut connection) => index::buckets(&mut connection).await.is_ok(),
            Err(_) => false,
        }
    }

    /// Whether less is free than `HANGAR_MIN_FREE`, or a write found the disk full.
    #[must_use]
    pub fn is_nearly_full(&self) -> bool {
        !self.vault.state.space.admits_bytes()
    }

    /// Tries a write if a failed upload has put further uploads in doubt. Callers call it before [`Upkeep::health`].
    pub async fn examine_disk(&self) {
        let space = self.vault.state.space.clone();
        if space.wants_examining() {
            drop(tokio::task::spawn_blocking(move || space.examine()).await);
        }
    }

    /// Checks what changes without hangar: the free space on the disk, and other programs' files in the data folder.
    pub async fn look_at_folder(&self) {
        self.examine_disk().await;
        let (vault, now) = (self.vault.clone(), self.vault.clock.elapsed());
        let look = move || {
            vault.state.space.sample(now);
            let data_dir = vault.folder.data_dir();
            vault.state.set_foreign_files(foreign_files(&data_dir));
        };
        drop(tokio::task::spawn_blocking(look).await);
    }

    /// Returns when the state of the disk has changed in a way that may deserve a warning.
    pub async fn disk_news(&self) {
        self.vault.state.space.news().await;
    }
}
