//! Opening a folder read-only, for commands.

use crate::clock::Clock;
use crate::db::{self, Checkpoints, Owner};
use crate::store::dir::Dir;
use crate::store::door::store::Store;
use crate::store::effect::EffectKind;
use crate::store::error::OpenError;
use crate::store::folder::{CHECKPOINT_NOTE, Folder, unusable};
use crate::store::index;
use crate::store::index::damage::{self, IndexDamage};
use crate::store::journal::state::State;
use crate::store::parts::changes::Changes;
use crate::store::parts::config::StoreConfig;
use crate::store::parts::read_only::{IndexRead, ReadOnly};
use crate::store::parts::vault::{Opened, Vault};
use crate::store::record::reader;
use crate::store::recovery::look::{
    IndexInPlace, ReadIndex, database_trouble, index_in_place, index_of_log, temporary_folder,
};
use crate::store::recovery::{refusal, snapshot};
use std::io;
use std::sync::Arc;

impl Store {
    /// Opens a folder read-only: refuses every change, and creates and changes nothing in the folder.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn look(
        config: &StoreConfig,
        clock: Clock,
        effects: Vec<EffectKind>,
    ) -> Result<Self, OpenError> {
        let mut no_blobs = None;
        let folder = Folder::look(&config.data_dir, || {
            let empty = temporary_folder()?;
            let dir = Dir::open(empty.path())?;
            no_blobs = Some(empty);
            Ok(dir)
        })?;
        let folder = Arc::new(folder);
        let found = reader::find(folder.log()).map_err(|error| refusal::log_trouble(&error))?;
        let id = match found {
            reader::Found::Log(id) => id,
            reader::Found::Nothing => return Err(refusal::lost("is missing")),
            reader::Found::Damaged => return Err(refusal::lost("is damaged where it begins")),
        };
        let cannot = |error: io::Error| unusable(&config.data_dir, &error);
        let note = folder.home().path_of(CHECKPOINT_NOTE);
        let noted = db::trust(&folder.database(), &note).map_err(cannot)?;
        // The index was left in this very folder: the folder was not copied.
        let is_own = noted.owner == Some(damage::owner(&folder).map_err(cannot)?);
        let (whole, damage) = match index_in_place(&folder, id, noted, is_own).await? {
            IndexInPlace::Whole(readers) => (Some(readers), None),
            IndexInPlace::Damaged(found) => (None, Some(found)),
            IndexInPlace::Unknown => (None, None),
        };
        let index = if let Some(readers) = whole {
            let made_in = None;
            ReadIndex { readers, made_in }
        } else {
            let is_own = is_own.then_some(true);
            index_of_log(folder.home(), folder.places(), id, is_own, &effects).await?
        };
        let index_damage = IndexDamage::looked_at(&folder).map_err(cannot)?;
        let buckets = async { index::buckets(&mut *index.readers.acquire().await?).await };
        let buckets = buckets
            .await
            .map_err(|error| database_trouble(&error.into()))?;
        // A read-only vault never writes to it.
        let notes = Checkpoints::of(folder.database(), note, Owner::default());
        let index_read = if index.made_in.is_some() {
            IndexRead::Rebuilt
        } else {
            IndexRead::InPlace
        };
        let temporary = [index.made_in, no_blobs].into_iter().flatten().collect();
        let opened = Opened {
            state: Arc::new(State::of(buckets, folder.space().clone(), index_damage)),
            folder,
            clock,
            readers: index.readers,
            changes: Changes::refused(),
            checkpoints: Arc::new(tokio::sync::Mutex::new(notes)),
            renewal: snapshot::Renewal::none(),
            found_at_start: damage,
            read_only: Some(ReadOnly::of(index_read, temporary)),
        };
        Ok(Self::over(Vault::of(opened, config)))
    }
}
