//! An open vault: all its parts together.

use crate::clock::Clock;
use crate::db::{Checkpoints, Readers};
use crate::store::bodies::blobs::Blobs;
use crate::store::bodies::staging_memory::StagingMemory;
use crate::store::folder::Folder;
use crate::store::index::damage::Found;
use crate::store::journal::state::State;
use crate::store::parts::changes::Changes;
use crate::store::parts::config::StoreConfig;
use crate::store::parts::index_files::IndexFiles;
use crate::store::parts::read_only::ReadOnly;
use crate::store::parts::reads::Reads;
use crate::store::recovery::snapshot::Renewal;
use std::sync::Arc;
use std::time::Duration;

pub(in crate::store) struct Vault {
    pub(in crate::store) folder: Arc<Folder>,
    pub(in crate::store) clock: Clock,
    pub(in crate::store) multipart_expires: Duration,
    pub(in crate::store) grace: Duration,
    pub(in crate::store) state: Arc<State>,
    pub(in crate::store) reads: Reads,
    pub(in crate::store) changes: Changes,
    /// Where new bodies are staged.
    pub(in crate::store) blobs: Blobs,
    pub(in crate::store) staging_memory: StagingMemory,
    pub(in crate::store) index_files: IndexFiles,
    /// `None`: the vault has a writer.
    pub(in crate::store) read_only: Option<ReadOnly>,
}

/// The result of opening a folder, for writing or read-only.
pub(in crate::store) struct Opened {
    pub(in crate::store) folder: Arc<Folder>,
    pub(in crate::store) clock: Clock,
    pub(in crate::store) state: Arc<State>,
    pub(in crate::store) readers: Readers,
    pub(in crate::store) changes: Changes,
    pub(in crate::store) checkpoints: Arc<tokio::sync::Mutex<Checkpoints>>,
    pub(in crate::store) renewal: Renewal,
    /// Damage of the index that was found at the start; the index is being rebuilt.
    pub(in crate::store) found_at_start: Option<Found>,
    pub(in crate::store) read_only: Option<ReadOnly>,
}

impl Vault {
    pub(in crate::store) fn of(opened: Opened, config: &StoreConfig) -> Self {
        let (folder, state, clock) = (opened.folder, opened.state, opened.clock);
        let places = folder.places().clone();
        let reads = Reads::of(opened.readers.clone(), places, state.clone());
        Self {
            multipart_expires: config.multipart_expires,
            grace: config.grace,
            reads,
            changes: opened.changes,
            blobs: Blobs::in_folder(folder.blobs().clone()),
            staging_memory: StagingMemory::default(),
            index_files: IndexFiles {
                folder: folder.clone(),
                clock: clock.clone(),
                state: state.clone(),
                readers: opened.readers,
                renewal: tokio::sync::Mutex::new(opened.renewal),
                checkpoints: opened.checkpoints,
                found_at_start: std::sync::Mutex::new(opened.found_at_start),
            },
            read_only: opened.read_only,
            folder,
            clock,
            state,
        }
    }
}
