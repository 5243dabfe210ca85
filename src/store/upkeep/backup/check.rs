//! Checking a backup in place.

use crate::db;
use crate::store::dir::Dir;
use crate::store::effect::EffectKind;
use crate::store::error::StoreError;
use crate::store::folder::{BACKUP, Places};
use crate::store::progress::Progress;
use crate::store::record::reader;
use crate::store::recovery::look::{self, ReadIndex};
use crate::store::recovery::snapshot;
use crate::store::upkeep::backup::folder::{lock_to_read, was_written};
use crate::store::upkeep::check::Check;
use crate::store::upkeep::findings::Checked;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Checks a backup. Creates and changes nothing in it, not even temporarily. Returns `None` if it is a data folder,
/// which the caller opens (for writing or read-only) and checks instead.
///
/// # Errors
/// `Refused` with a sentence when it cannot be read.
pub async fn check_backup(
    data_dir: &Path,
    effects: &[EffectKind],
    progress: Arc<Progress>,
) -> Result<Option<Checked>, BackupCheckError> {
    let refused = |what: &str| {
        let shown = data_dir.display();
        BackupCheckError::Refused(format!("{shown} {what}"))
    };
    let cannot = |error: &io::Error| refused(&format!("cannot be looked at: {error}"));
    let home = Dir::open(&data_dir.join("@hangar")).map_err(|error| cannot(&error))?;
    if !home.has(BACKUP).map_err(|error| cannot(&error))? {
        return Ok(None);
    }
    let places = Places::of(&home).map_err(|error| cannot(&error))?;
    let _lock = lock_to_read(&home, data_dir)
        .map_err(|error| BackupCheckError::Refused(error.sentence()))?;
    let snapshots = snapshot::all(&home).await.map_err(|error| cannot(&error))?;
    let index = match snapshot::first_whole(&home, &snapshots).await {
        Some(snapshot) => ReadIndex {
            readers: db::open_main_file_readers(&home.path_of(&snapshot.name)).await?,
            made_in: None,
        },
        // In this case a restore uses the log, and so does this check.
        None => match reader::find(&places.log) {
            Ok(reader::Found::Log(id)) if was_written(&home).map_err(|it| cannot(&it))? => {
                let made = look::index_of_log(&home, &places, id, None, effects).await;
                made.map_err(|error| {
                    let error = error.sentence();
                    refused(&format!("has no snapshot that is whole, and {error}"))
                })?
            }
            _ => {
                return Err(refused(
                    "holds no complete backup: run `hangar backup` to it again",
                ));
            }
        },
    };
    let readers = index.readers.clone();
    let check = Check::of_backup(home, places, index.readers, progress);
    let checked = check.run().await;
    readers.close().await;
    Ok(Some(checked?))
}

#[derive(Debug, thiserror::Error)]
pub enum BackupCheckError {
    /// One sentence that says what the operator can do.
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for BackupCheckError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}
