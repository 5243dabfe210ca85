//! Whether the index in the folder can be trusted: whether it is whole, belongs to this log, and was left next to these
//! files.

use crate::db::{self, DatabaseError, Origin, Tables, Trust};
use crate::store::error::{OpenError, is_full};
use crate::store::folder::{CHECKPOINT_NOTE, DATABASE, Folder, Identity, identity};
use crate::store::index;
use crate::store::index::damage::{self, IndexFile};
use crate::store::record::LogId;
use crate::store::record::reader::{self, Found};
use crate::store::record::segments::End;
use crate::store::recovery::refusal::{
    MAKE_DO, database_trouble, log_trouble, lost, newer, not_before,
};
use crate::store::recovery::settle::{settle, with_checksums};
use crate::store::recovery::snapshot;
use crate::store::recovery::source::Source;
use crate::telemetry::with_causes;
use sqlx::{Connection, SqliteConnection};

/// The database's journal, which holds its newest pages.
const JOURNAL: &str = "hangar.db-wal";

/// What is known of the index in the folder.
pub(in crate::store) enum KnownIndex {
    /// There is no index, or it records no log.
    None,
    /// It belongs to this log, was left next to these very files, and records no more than the log holds.
    Trusted {
        index: SqliteConnection,
        id: LogId,
        end: End,
    },
    /// It records a log, but not this one in this state; or it is damaged. `is_own`: it was left in this folder, so the
    /// folder was not copied.
    Untrusted { is_own: bool },
}

/// What an index records about itself.
pub(in crate::store) struct IndexState {
    pub(in crate::store) tables: Tables,
    /// The identities of the database and of `run`.
    pub(in crate::store) identities: (Option<Identity>, Option<Identity>),
    pub(in crate::store) position: Option<(LogId, End)>,
}

pub(in crate::store) async fn read_state(
    index: &mut SqliteConnection,
) -> Result<IndexState, DatabaseError> {
    let tables = db::tables(index).await?;
    if tables == Tables::None {
        return Ok(IndexState {
            tables,
            identities: (None, None),
            position: None,
        });
    }
    Ok(IndexState {
        tables,
        identities: index::identities(index).await?,
        position: index::position(index).await?,
    })
}

/// The position that the database's own file records, without its journal; `None` if the file cannot be read.
async fn position_in_main_file(folder: &Folder) -> Option<(LogId, End)> {
    let mut index = db::open_main_file(&folder.database()).await.ok()?;
    let said = read_state(&mut index).await;
    drop(index.close().await);
    said.ok()?.position
}

pub(in crate::store) async fn known_index(
    folder: &Folder,
    log: Found,
    source: Source,
    file: &mut IndexFile,
    (trust, is_noted_own, making): (Trust, bool, Option<Origin>),
) -> Result<KnownIndex, OpenError> {
    let home = folder.home();
    let path = folder.database();
    let io_trouble = |error: std::io::Error| database_trouble(&error, is_full(&error));
    let look = |name: &str| identity(home, name).map_err(io_trouble);
    if let (Some(Origin::New), Found::Nothing) = (making, log) {
        // The first start was interrupted before it had written the log: an index can only be its own.
        return Ok(KnownIndex::None);
    }
    if let Some(origin) = making
        && log != Found::Nothing
    {
        tracing::warn!("the index was being made when the last start ended: it is made again");
        return Ok(match origin {
            Origin::Own => KnownIndex::Untrusted { is_own: true },
            Origin::Copy => KnownIndex::Untrusted { is_own: false },
            Origin::Unknown | Origin::New => KnownIndex::None,
        });
    }
    let damaged = KnownIndex::Untrusted {
        is_own: is_noted_own,
    };
    if damage::is_marked(home).map_err(io_trouble)? {
        tracing::warn!("the index was found damaged: it is made again");
        return Ok(damaged);
    }
    let Some(database) = look(DATABASE)? else {
        return Ok(KnownIndex::None);
    };
    let journal = look(JOURNAL)?;
    let has_checksums = db::has_checksums(&path).map_err(io_trouble)?;
    let is_under_way = matches!(trust, Trust::Whole { is_under_way, .. } if is_under_way);
    let was_changed_last =
        !is_under_way && was_changed_last(folder, database, journal).map_err(io_trouble)?;
    let is_distrusted = damage::is_distrusted(home).map_err(io_trouble)?;
    if was_changed_last && !is_distrusted {
        // Opening the database changes the journal's times, so the next start could not detect this any more.
        damage::distrust(home).map_err(io_trouble)?;
    }
    // A hangar that wrote no checkpoint notes left this index: the database's own file shows its position.
    let in_main_file = match trust {
        Trust::NoNote if !has_checksums => position_in_main_file(folder).await,
        _ => None,
    };
    let mut index = match db::open_as_it_is(&path).await {
        Ok(index) => index,
        Err(error) if error.is_damage() => {
            file.damage.report(&format!("it cannot be read: {error}"));
            return Ok(damaged);
        }
        Err(error) => return Err(database_trouble(&error, error.is_full())),
    };
    let said = match read_state(&mut index).await {
        Ok(said) => said,
        Err(DatabaseError::Newer) => {
            drop(index.close().await);
            return Err(newer("database"));
        }
        Err(error) => {
            drop(index.close().await);
            if error.is_damage() {
                file.damage.report(&format!("it cannot be read: {error}"));
                return Ok(damaged);
            }
            return Err(database_trouble(&error, error.is_full()));
        }
    };
    let Some((id, end)) = said.position else {
        drop(index.close().await);
        return Ok(KnownIndex::None);
    };
    let (known_database, known_run) = said.identities;
    let is_own = known_database.is_some_and(|known| known.is_same_file(database))
        && known_run == look("run")?;
    let is_its_log = match log {
        Found::Log(found) => found == id,
        // The beginning of the log cannot be read, and need not be: the index knows where the records begin that it
        // lacks.
        Found::Damaged => true,
        Found::Nothing => false,
    };
    if is_own && !is_its_log && source == Source::Index && log != Found::Nothing {
        drop(index.close().await);
        return Err(lost(&format!(
            "is not the one that its database belongs to ({MAKE_DO})"
        )));
    }
    if !is_own || !is_its_log {
        tracing::warn!("the data folder was copied or restored: its database is not trusted");
        drop(index.close().await);
        return Ok(KnownIndex::Untrusted { is_own: false });
    }
    let before = reader::look_before(folder.log(), id, end);
    let refusal = match before {
        Ok(before) => not_before(before, end.sequence),
        Err(error) => Some(log_trouble(&error)),
    };
    if let Some(refusal) = refusal {
        drop(index.close().await);
        if source != Source::Index {
            return Ok(KnownIndex::Untrusted { is_own });
        }
        return Err(refusal);
    }
    let broken = match trust {
        Trust::Whole { sequence, .. } if end.sequence >= sequence => None,
        Trust::Whole { .. } => Some("it is older than what its last checkpoint moved into it"),
        Trust::Broken(why) => Some(why),
        Trust::NoNote if has_checksums => Some("the note of its last checkpoint is missing"),
        Trust::NoNote
            if in_main_file
                .is_some_and(|(main_id, main)| main_id != id || main.sequence > end.sequence) =>
        {
            Some("its journal is older than it")
        }
        Trust::NoNote => None,
    };
    let of_another_time = if known_run.is_some() && journal.is_none() {
        Some("its journal is missing")
    } else if was_changed_last {
        Some("it was changed after its journal and after the note of its last checkpoint")
    } else if is_distrusted {
        Some("an earlier start found it so")
    } else {
        None
    };
    if let Some(why) = broken {
        drop(index.close().await);
        file.damage.report(why);
        return Ok(KnownIndex::Untrusted { is_own });
    }
    if let Some(why) = of_another_time {
        tracing::warn!(
            why,
            "the database and its journal may not belong together: the database is not trusted"
        );
        if !is_distrusted {
            damage::distrust(home).map_err(io_trouble)?;
        }
        drop(index.close().await);
        return Ok(KnownIndex::Untrusted { is_own });
    }
    let settled = settle(folder, &mut index, end, file).await;
    if let Some(page) = settled? {
        drop(index.close().await);
        file.damage.report_page(&path, page);
        return Ok(KnownIndex::Untrusted { is_own });
    }
    if !has_checksums && db::is_journal_empty(&path) {
        index = with_checksums(folder, index, file).await?;
    }
    if said.tables == Tables::Older
        && let Err(error) = snapshot::take(&path, home, None).await
    {
        let error = with_causes(&error);
        tracing::warn!(
            error,
            "no snapshot was made before the database's tables are changed"
        );
    }
    let prepared = async {
        db::bring_up_to_date(&mut index).await?;
        Ok(index::prepare(&mut index).await?)
    };
    if let Err(error) = prepared.await {
        let error: DatabaseError = error;
        drop(index.close().await);
        return Err(database_trouble(&error, error.is_full()));
    }
    Ok(KnownIndex::Trusted { index, id, end })
}

/// Whether a database with a journal is a copy from another time that replaced the journal's own database. Otherwise
/// the database is never written last: the journal is written first, and a checkpoint ends with its note.
fn was_changed_last(
    folder: &Folder,
    database: Identity,
    journal: Option<Identity>,
) -> std::io::Result<bool> {
    let home = folder.home();
    if home.length(JOURNAL)?.is_none_or(|bytes| bytes == 0) {
        return Ok(false);
    }
    let note = identity(home, CHECKPOINT_NOTE)?;
    let others = [journal, note].into_iter().flatten();
    let newest = others.map(|file| file.changed).max();
    Ok(newest.is_some_and(|newest| database.changed > newest))
}
