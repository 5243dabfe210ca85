//! Prepares the file of a trusted index before it is used: checkpoints its journal, verifies its pages, and adds
//! checksums to an index that an older hangar made.

use crate::db::{self, DatabaseError, Leaves, Verified};
use crate::store::error::OpenError;
use crate::store::folder::{DATABASE, Folder, identity, remove_database, remove_journals};
use crate::store::index;
use crate::store::index::damage::IndexFile;
use crate::store::record::segments::End;
use crate::store::recovery::refusal::database_trouble;
use crate::telemetry::with_causes;
use sqlx::{Connection, SqliteConnection};

/// A database up to this size is verified before the server starts; a larger one in the background.
const VERIFIED_AT_ONCE_BYTES: u64 = 16 << 20;

/// Checkpoints the journal that a crash left, so that all pages are in the database, and verifies them if the database
/// is small. Returns the first damaged page.
pub(in crate::store) async fn settle(
    folder: &Folder,
    index: &mut SqliteConnection,
    end: End,
    file: &mut IndexFile,
) -> Result<Option<u32>, OpenError> {
    let checkpoint = (file.checkpoints).checkpoint(index, end.sequence, Leaves::Nothing);
    let is_settled = match checkpoint.await {
        Ok(is_settled) => is_settled,
        Err(error) => {
            let error = with_causes(&error);
            tracing::warn!(error, "the index is not verified before it is used");
            false
        }
    };
    let io_trouble = |error: std::io::Error| database_trouble(&error, false);
    let bytes = folder.home().length(DATABASE).map_err(io_trouble)?;
    if !is_settled || bytes.is_none_or(|bytes| bytes > VERIFIED_AT_ONCE_BYTES) {
        return Ok(None);
    }
    let database = file.damage.file().map_err(io_trouble)?;
    let verified = tokio::task::spawn_blocking(move || db::verify(database));
    let verified = verified
        .await
        .unwrap_or_else(|error| Err(std::io::Error::other(error)));
    match verified.map_err(io_trouble)? {
        Verified::Damaged { page } => Ok(Some(page)),
        Verified::Whole | Verified::WithoutChecksums => Ok(None),
    }
}

/// Replaces an index that an older hangar made by a copy with checksums. If that fails, the index stays as it is until
/// the next start.
pub(in crate::store) async fn with_checksums(
    folder: &Folder,
    mut index: SqliteConnection,
    file: &mut IndexFile,
) -> Result<SqliteConnection, OpenError> {
    const NEW: &str = "hangar.db.new";
    let home = folder.home();
    let (path, new) = (folder.database(), home.path_of(NEW));
    let run = identity(home, "run").map_err(|error| database_trouble(&error, false))?;
    let made = async {
        remove_database(home, NEW)?;
        db::copy_with_checksums(&path, &new).await?;
        let mut copy = db::open_copy(&new).await?;
        let is_named = match identity(home, NEW)? {
            Some(identity) => index::set_identities(&mut copy, identity, run).await,
            None => Err(sqlx::Error::Io(std::io::ErrorKind::NotFound.into())),
        };
        copy.close().await?;
        is_named?;
        home.read(NEW)?.sync_all()?;
        Ok::<_, DatabaseError>(())
    };
    if let Err(error) = made.await {
        if error.is_damage() {
            file.damage.report("it cannot be read whole");
            drop(index.close().await);
            return Err(database_trouble(&error, false));
        }
        drop(remove_database(home, NEW));
        let error = with_causes(&error);
        tracing::warn!(
            error,
            "the index could not be given checksums: the next start tries again"
        );
        return Ok(index);
    }
    let placed = async {
        // The journal's content is in the database already.
        db::set_checkpoint_on_close(&mut index, true).await?;
        index.close().await?;
        remove_journals(home, DATABASE)?;
        file.checkpoints.begin_anew(None)?;
        home.rename(NEW, home, DATABASE)?;
        home.sync()?;
        db::open_as_it_is(&path).await
    };
    let index = placed.await;
    let index = index.map_err(|error: DatabaseError| database_trouble(&error, error.is_full()))?;
    tracing::info!("each page of the index has a checksum from now on");
    Ok(index)
}
