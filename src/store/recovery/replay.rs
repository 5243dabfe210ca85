//! The start: is this the folder that the index knows, and what does the log hold that the index lacks?
//!
//! The same code serves a crash, a power cut, a folder that was copied, and an index that is gone.

use crate::clock::Clock;
use crate::db::{self, Checkpoints, DatabaseError, Leaves, Origin, Tables, Trust, Verified};
use crate::store::bodies::blobs;
use crate::store::bodies::free::free_bytes;
use crate::store::dir::Dir;
use crate::store::effect::EffectKind;
use crate::store::error::{OpenError, is_full};
use crate::store::folder::{
    ASIDE_LOG, CHECKPOINT_NOTE, DATABASE, Folder, Identity, identity, remove_database,
    remove_journals, way_out,
};
use crate::store::index;
use crate::store::index::damage::{self, IndexFile};
use crate::store::journal::locks::{LockSet, RowLock};
use crate::store::journal::log::Log;
use crate::store::progress::Progress;
use crate::store::record::reader::{self, Before, Found, Reader, ScanError};
use crate::store::record::segments::{self, End};
use crate::store::record::{Change, Draft, LogId, Record, Unreferenced};
use crate::store::recovery::salvage::{SalvageError, Salvaged, salvage};
use crate::store::recovery::snapshot;
use crate::store::recovery::snapshot::Survey;
use serde::{Deserialize, Serialize};
use sqlx::{Connection, SqliteConnection};
use std::sync::atomic::Ordering;

/// The database's journal, which holds its newest pages.
const JOURNAL: &str = "hangar.db-wal";
const MAKE_DO: &str = "`hangar rebuild` makes do with what is left";
/// Records that are applied in one transaction.
const BATCH: usize = 1000;
/// A database of at most so many bytes is verified before it is served; a larger one beside serving.
const VERIFIED_AT_ONCE_BYTES: u64 = 16 << 20;
/// What these may list, together ([`Change::rows`]).
const BATCH_ROWS: usize = 100_000;

/// The log's writing end and an index that holds all of it.
pub(in crate::store) struct Replayed {
    pub(in crate::store) log: Log,
    pub(in crate::store) index: SqliteConnection,
    /// The index is another than the one that was found; `None`: it is the same one.
    pub(in crate::store) rebuilt: Option<Rebuilt>,
}

/// What the rows of a start are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The index that is there; where it cannot be trusted, a snapshot.
    Index,
    /// The newest snapshot that the log reaches; where there is none, the log.
    Snapshot,
    /// The log alone.
    Log,
}

/// How an index was made again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuilt {
    /// The snapshot's last record; `None`: the log alone.
    pub snapshot: Option<u64>,
    /// Records of the log that were applied.
    pub records: u64,
    /// Rows whose bytes did not come along with a copy of the folder.
    pub salvaged: Salvaged,
}

/// Opens log and index and makes them one.
pub(in crate::store) async fn replay(
    folder: &Folder,
    clock: &Clock,
    effects: &[EffectKind],
    source: Source,
    progress: &Progress,
    file: &mut IndexFile,
) -> Result<Replayed, OpenError> {
    let found = reader::find(folder.log()).map_err(|error| log_trouble(&error))?;
    let was_marked = damage::is_marked(folder.home())
        .map_err(|error| database_trouble(&error, is_full(&error)))?;
    let noted = (file.trust(folder)).map_err(|error| database_trouble(&error, is_full(&error)))?;
    let (trust, _, making) = noted;
    // No index is made of a log, and no checkpoint moves a record of one, where there never was one.
    let is_log_noted = match making {
        Some(Origin::New) => false,
        Some(Origin::Own | Origin::Copy | Origin::Unknown) => true,
        None => matches!(trust, Trust::Whole { sequence: 1.., .. }),
    };
    let mut known = known_index(folder, found, source, file, noted).await?;
    // Half an index is nothing to keep either.
    let was_damaged = was_marked || file.damage.is_found() || making.is_some();
    let mut is_own = match known {
        Index::Trusted { .. } => Some(true),
        Index::Untrusted { is_own } => Some(is_own),
        Index::None => None,
    };
    let mut said = Survey::default();
    if source != Source::Index
        && let Index::Trusted { index, .. } = known
    {
        drop(index.close().await);
        known = Index::Untrusted { is_own: true };
    }
    let mut rebuilt = None;
    let (mut index, id, from) = match (known, found) {
        (Index::Trusted { index, id, end }, _) => (index, id, end),
        (Index::Untrusted { .. } | Index::None, Found::Log(id)) => {
            let (index, from, snapshot, survey) =
                other_index(folder, clock, id, (source, is_own), file, was_damaged).await?;
            is_own = is_own_by(is_own, &survey);
            said = survey;
            rebuilt = Some(Rebuilt {
                snapshot,
                ..Rebuilt::default()
            });
            (index, id, from)
        }
        (Index::None, Found::Nothing) => {
            let trace = trace_of_a_log(folder);
            let trace = trace.map_err(|error| log_trouble(&error.into()))?;
            let noted = is_log_noted.then(|| CHECKPOINT_NOTE.to_owned());
            if let Some(trace) = trace.or(noted) {
                return Err(lost(&format!(
                    "is missing, and {trace} says that there was one"
                )));
            }
            set_index_aside(folder, clock, file, was_damaged, Origin::New)?;
            let mut index = new_index(folder).await?;
            let log = begin(folder, clock, &mut index, effects).await?;
            return Ok(Replayed {
                log,
                index,
                rebuilt: Some(Rebuilt::default()),
            });
        }
        (Index::Untrusted { .. }, Found::Nothing) => return Err(lost("is missing")),
        (_, Found::Damaged) => return Err(lost("is damaged where it begins")),
    };
    // A log may end at damage where the folder was copied, or where nothing says whether it was and `hangar rebuild` is to
    // take what is left.
    let is_copy = !is_own.unwrap_or(source == Source::Index);
    let reader = Reader::new(folder.log(), id, from).map_err(|error| log_trouble(&error.into()))?;
    reader.sync().map_err(|error| log_trouble(&error.into()))?;
    let index_and_notes = (&mut index, &mut file.checkpoints);
    let log = (folder.log(), reader, id);
    let replay = Replay::new(log, from, index_and_notes, effects, progress);
    let ends_at_damage = rebuilt.is_some() && is_copy;
    let (end, applied) = replay.run(ends_at_damage, folder, clock).await?;
    if source == Source::Index {
        refuse_end_before(&said, end)?;
    }
    let has_blobs = index::has_blobs(&mut index).await;
    let has_blobs = has_blobs.map_err(|error| database_trouble(&error, db::is_full(&error)))?;
    folder.make_missing_blobs(has_blobs)?;
    let mut log = Log::resume(folder.log(), id, end).map_err(|error| log_trouble(&error.into()))?;
    if let Some(rebuilt) = &mut rebuilt {
        rebuilt.records = applied;
        if is_copy {
            let salvaged = salvage(folder.places(), &mut index, &mut log, effects).await;
            rebuilt.salvaged = salvaged.map_err(|error| salvage_trouble(&error))?;
        }
        tell(rebuilt, was_damaged && !is_copy);
        let beyond = said.not_reached_by(end.sequence);
        set_snapshots_aside(folder, clock, &beyond).map_err(|error| log_trouble(&error.into()))?;
    }
    Ok(Replayed {
        log,
        index,
        rebuilt,
    })
}

fn tell(rebuilt: &Rebuilt, was_damaged: bool) {
    let Salvaged { fell_back, dropped } = rebuilt.salvaged;
    if was_damaged {
        tracing::warn!(
            snapshot = rebuilt.snapshot,
            records = rebuilt.records,
            "the damaged index was made again: from the snapshot, or without one from the beginning, and from the records \
             of the log after it"
        );
        return;
    }
    if fell_back + dropped == 0 {
        tracing::info!(
            snapshot = rebuilt.snapshot,
            records = rebuilt.records,
            "the database was made again: from the snapshot, or without one from the beginning, and from the records of \
             the log after it"
        );
        return;
    }
    tracing::warn!(
        snapshot = rebuilt.snapshot,
        records = rebuilt.records,
        fell_back,
        dropped,
        "the database was made again: from the snapshot, or without one from the beginning, and from the records of \
         the log after it; rows whose bytes did not come along fell back to what their key was before, or were dropped"
    );
}

/// Whether the folder was not copied, by what is known of its index and by its snapshots; `None`: nothing tells.
pub(in crate::store) fn is_own_by(known: Option<bool>, survey: &Survey) -> Option<bool> {
    match (known, survey.is_own()) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (known, said) => known.or(said),
    }
}

/// An index from a snapshot or without rows, where the log goes on, the snapshot's last record, and what all snapshots say.
/// `is_own`: by what is known of the index that was there.
async fn other_index(
    folder: &Folder,
    clock: &Clock,
    id: LogId,
    (source, is_own): (Source, Option<bool>),
    file: &mut IndexFile,
    was_damaged: bool,
) -> Result<(SqliteConnection, End, Option<u64>, Survey), OpenError> {
    let home = folder.home();
    let begin = segments::begin(folder.log()).map_err(|error| log_trouble(&error.into()))?;
    let begin = begin
        .filter(|begin| begin.segment == 1)
        .ok_or_else(|| lost("lacks its beginning"))?;
    let survey = snapshot::survey(home, folder.log(), id)
        .await
        .map_err(|error| log_trouble(&error))?;
    if source == Source::Index {
        refuse_lost_records(&survey)?;
    }
    for (snapshot, _) in survey.of_log.iter().filter(|(_, is_reached)| !is_reached) {
        let (sequence, name) = (snapshot.end.sequence, &snapshot.name);
        tracing::warn!(
            sequence,
            snapshot = name,
            "the copied log does not go on to a snapshot that lies beside it: changes that came last are not here"
        );
    }
    let snapshot = match source {
        Source::Log => None,
        Source::Index | Source::Snapshot => snapshot::first_whole(home, &survey.reached()).await,
    };
    if source != Source::Index && is_own == Some(true) {
        // The index that is there may be good, and is not given for one that could not be made.
        let log = folder.log().clone();
        let read = tokio::task::spawn_blocking(move || read_through(&log, id, begin));
        let read = read.await.map_err(std::io::Error::other);
        read.map_err(ScanError::from)
            .flatten()
            .map_err(|error| log_trouble(&error))?;
    }
    let origin = match is_own_by(is_own, &survey) {
        Some(true) => Origin::Own,
        Some(false) => Origin::Copy,
        None => Origin::Unknown,
    };
    // From here on the note says that there is a log. A start that was killed may have left it to the system's memory alone.
    let first = folder.log().read(&segments::segment_name(begin.segment));
    let synced = first.and_then(|first| first.sync_all());
    let synced = synced.and_then(|()| folder.log().sync());
    synced.map_err(|error| log_trouble(&error.into()))?;
    set_index_aside(folder, clock, file, was_damaged, origin)?;
    if let Some(snapshot) = snapshot {
        match snapshot::restore(&snapshot, folder).await {
            Ok(index) => {
                let sequence = Some(snapshot.end.sequence);
                return Ok((index, snapshot.end, sequence, survey));
            }
            Err(DatabaseError::Newer) => return Err(newer("database")),
            Err(error) if error.is_full() => return Err(full()),
            Err(error) => {
                tracing::warn!(%error, "a snapshot cannot be used");
                set_index_aside(folder, clock, file, true, origin)?;
            }
        }
    }
    Ok((new_index(folder).await?, begin, None, survey))
}

/// Whether the snapshots of this folder say that its log was another one, or went on.
pub(in crate::store) fn refuse_lost_records(survey: &Survey) -> Result<(), OpenError> {
    if let Some(name) = &survey.own_of_another {
        return Err(lost(&format!(
            "is not the one that {name} was made from ({MAKE_DO})"
        )));
    }
    let mut lost_ones = survey.of_log.iter().filter(|(_, is_reached)| !is_reached);
    match lost_ones.find(|(snapshot, _)| snapshot.is_own) {
        None => Ok(()),
        Some((snapshot, _)) => Err(lost(&format!(
            "does not go on to record {} without damage, which {} holds ({MAKE_DO})",
            snapshot.end.sequence, snapshot.name
        ))),
    }
}

/// Whether a snapshot that cannot be read says by its name that the log went on.
pub(in crate::store) fn refuse_end_before(survey: &Survey, end: End) -> Result<(), OpenError> {
    match &survey.unread {
        Some((name, sequence)) if *sequence > end.sequence => Err(lost(&format!(
            "ends before record {sequence}, which the name of {name} says ({MAKE_DO})"
        ))),
        _ => Ok(()),
    }
}

/// Why an index that knows a record does not belong to the log that lies beside it; `None`: it does.
pub(in crate::store) fn not_before(before: Before, sequence: u64) -> Option<OpenError> {
    match before {
        Before::ThisLog => None,
        Before::Shorter => Some(lost(&format!(
            "ends before record {sequence}, which its database knows ({MAKE_DO})"
        ))),
        Before::Other => Some(lost(&format!(
            "is not the one that its database knows: a segment before record {sequence} is missing, or belongs to another log"
        ))),
    }
}

/// Whether the log can be read from a position to its end.
fn read_through(log: &Dir, id: LogId, from: End) -> Result<(), ScanError> {
    let mut reader = Reader::new(log, id, from)?;
    while reader.next()?.is_some() {}
    Ok(())
}

/// What lies at the index's place.
enum Index {
    /// Nothing, or nothing that knows a log.
    None,
    /// It belongs to this log, was left beside these very files, and is no further than the log.
    Trusted {
        index: SqliteConnection,
        id: LogId,
        end: End,
    },
    /// It knows a log, and not this one as it is; or it is damaged. `is_own`: it was left in this folder, so that the
    /// folder was not copied.
    Untrusted { is_own: bool },
}

/// What an index says of itself.
pub(in crate::store) struct Said {
    pub(in crate::store) tables: Tables,
    /// Of the database, and of `run`.
    pub(in crate::store) identities: (Option<Identity>, Option<Identity>),
    pub(in crate::store) position: Option<(LogId, End)>,
}

pub(in crate::store) async fn ask(index: &mut SqliteConnection) -> Result<Said, DatabaseError> {
    let tables = db::tables(index).await?;
    if tables == Tables::None {
        return Ok(Said {
            tables,
            identities: (None, None),
            position: None,
        });
    }
    Ok(Said {
        tables,
        identities: index::identities(index).await?,
        position: index::position(index).await?,
    })
}

/// What the database's own file says, before what its journal adds; `None`: nothing that could be read.
async fn ask_main_file(folder: &Folder) -> Option<(LogId, End)> {
    let mut index = db::open_main_file(&folder.database()).await.ok()?;
    let said = ask(&mut index).await;
    drop(index.close().await);
    said.ok()?.position
}

async fn known_index(
    folder: &Folder,
    log: Found,
    source: Source,
    file: &mut IndexFile,
    (trust, is_noted_own, making): (Trust, bool, Option<Origin>),
) -> Result<Index, OpenError> {
    let home = folder.home();
    let path = folder.database();
    let io_trouble = |error: std::io::Error| database_trouble(&error, is_full(&error));
    let look = |name: &str| identity(home, name).map_err(io_trouble);
    if let (Some(Origin::New), Found::Nothing) = (making, log) {
        // The first start was cut off before its log was there: whatever lies in the index is of that start.
        return Ok(Index::None);
    }
    if let Some(origin) = making
        && log != Found::Nothing
    {
        tracing::warn!("the index was being made when the last start ended: it is made again");
        return Ok(match origin {
            Origin::Own => Index::Untrusted { is_own: true },
            Origin::Copy => Index::Untrusted { is_own: false },
            Origin::Unknown | Origin::New => Index::None,
        });
    }
    let damaged = Index::Untrusted {
        is_own: is_noted_own,
    };
    if damage::is_marked(home).map_err(io_trouble)? {
        tracing::warn!("the index was found damaged: it is made again");
        return Ok(damaged);
    }
    let Some(database) = look(DATABASE)? else {
        return Ok(Index::None);
    };
    let journal = look(JOURNAL)?;
    let has_checksums = db::has_checksums(&path).map_err(io_trouble)?;
    let is_under_way = matches!(trust, Trust::Whole { is_under_way, .. } if is_under_way);
    let was_changed_last =
        !is_under_way && was_changed_last(folder, database, journal).map_err(io_trouble)?;
    let is_distrusted = damage::is_distrusted(home).map_err(io_trouble)?;
    if was_changed_last && !is_distrusted {
        // Opening the database touches the journal: the next start could not tell any more.
        damage::distrust(home).map_err(io_trouble)?;
    }
    // A hangar that wrote no notes left it: what lies in the database's own file is asked of that file.
    let in_main_file = match trust {
        Trust::NoNote if !has_checksums => ask_main_file(folder).await,
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
    let said = match ask(&mut index).await {
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
        return Ok(Index::None);
    };
    let (known_database, known_run) = said.identities;
    let is_own = known_database.is_some_and(|known| known.is_same_file(database))
        && known_run == look("run")?;
    let is_its_log = match log {
        Found::Log(found) => found == id,
        // Its beginning cannot be read, and need not be: what follows the index is found by the index.
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
        return Ok(Index::Untrusted { is_own: false });
    }
    let before = reader::look_before(folder.log(), id, end);
    let refusal = match before {
        Ok(before) => not_before(before, end.sequence),
        Err(error) => Some(log_trouble(&error)),
    };
    if let Some(refusal) = refusal {
        drop(index.close().await);
        if source != Source::Index {
            return Ok(Index::Untrusted { is_own });
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
        return Ok(Index::Untrusted { is_own });
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
        return Ok(Index::Untrusted { is_own });
    }
    let settled = settle(folder, &mut index, end, file).await;
    if let Some(page) = settled? {
        drop(index.close().await);
        file.damage.report_page(&path, page);
        return Ok(Index::Untrusted { is_own });
    }
    if !has_checksums && db::is_journal_empty(&path) {
        index = with_checksums(folder, index, file).await?;
    }
    if said.tables == Tables::Older
        && let Err(error) = snapshot::take(&path, home, None).await
    {
        tracing::warn!(%error, "no snapshot was made before the database's tables are changed");
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
    Ok(Index::Trusted { index, id, end })
}

/// Whether a database with a journal is a copy of another time, put into the place of the one that the journal is of: the
/// journal is written first, and a checkpoint ends with its note.
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

/// Moves the journal that a crash left into the database, so that each page lies where it is to be, and verifies those
/// where they are few. Answers the first damaged one.
async fn settle(
    folder: &Folder,
    index: &mut SqliteConnection,
    end: End,
    file: &mut IndexFile,
) -> Result<Option<u32>, OpenError> {
    let checkpoint = (file.checkpoints).checkpoint(index, end.sequence, Leaves::Nothing);
    let is_settled = match checkpoint.await {
        Ok(is_settled) => is_settled,
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            let cause = error.source().map(ToString::to_string);
            tracing::warn!(%error, cause, "the index is not verified before it is used");
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

/// Puts a copy with checksums in the place of an index that an older hangar made. Where that cannot be, it stays as it is
/// until the next start.
async fn with_checksums(
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
        let error: &dyn std::error::Error = &error;
        let cause = error.source().map(ToString::to_string);
        tracing::warn!(%error, cause, "the index could not be given checksums: the next start tries again");
        return Ok(index);
    }
    let placed = async {
        // What the journal held is in the database already.
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

/// Moves the index away, so that the next one to be opened in its place is a new one.
fn set_index_aside(
    folder: &Folder,
    clock: &Clock,
    file: &mut IndexFile,
    was_damaged: bool,
    origin: Origin,
) -> Result<(), OpenError> {
    let mut set_aside = || {
        if let Some(mut aside) = folder.set_index_aside(clock.now().as_millis())? {
            if was_damaged {
                aside = damage::keep_aside(folder.home(), &aside)?;
            }
            tracing::warn!(aside = %folder.home().path_of(&aside).display(), "the database was set aside");
        }
        file.checkpoints.begin_anew(Some(origin))
    };
    set_aside().map_err(|error| database_trouble(&error, is_full(&error)))
}

/// An index without rows.
async fn new_index(folder: &Folder) -> Result<SqliteConnection, OpenError> {
    index::open(folder)
        .await
        .map_err(|error| database_trouble(&error, error.is_full()))
}

/// A log begins with a record that says so.
async fn begin(
    folder: &Folder,
    clock: &Clock,
    index: &mut SqliteConnection,
    effects: &[EffectKind],
) -> Result<Log, OpenError> {
    let begun = async {
        let mut log = Log::create(folder.log(), LogId::random())?;
        let change = Change::Begun {
            hangar: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let draft = Draft::new(clock.now(), change, None);
        log.append(&[draft]).map_err(std::io::Error::other)?;
        Ok::<_, std::io::Error>(log)
    };
    let log = begun.await.map_err(|error| log_trouble(&error.into()))?;
    index::apply(index, &[], effects, log.id(), log.end())
        .await
        .map_err(|error| database_trouble(&error, db::is_full(&error)))?;
    Ok(log)
}

pub(in crate::store) struct Replay<'a> {
    reader: Reader,
    index: &'a mut SqliteConnection,
    checkpoints: &'a mut Checkpoints,
    effects: &'a [EffectKind],
    id: LogId,
    batch: Vec<Record>,
    /// What the batch touches.
    held: LockSet,
    /// What the batch lists.
    rows: usize,
    /// Where the last record of the batch ends.
    end: End,
    applied: u64,
    freed: Vec<Unreferenced>,
    begun: End,
    dir: Dir,
    progress: &'a Progress,
}

impl<'a> Replay<'a> {
    pub(in crate::store) fn new(
        (dir, reader, id): (&Dir, Reader, LogId),
        from: End,
        (index, checkpoints): (&'a mut SqliteConnection, &'a mut Checkpoints),
        effects: &'a [EffectKind],
        progress: &'a Progress,
    ) -> Self {
        Self {
            reader,
            index,
            checkpoints,
            effects,
            id,
            batch: Vec::new(),
            held: LockSet::default(),
            rows: 0,
            end: from,
            applied: 0,
            freed: Vec::new(),
            begun: from,
            dir: dir.clone(),
            progress,
        }
    }

    /// Applies all that the log holds and answers where it ends, and how many records that were.
    async fn run(
        mut self,
        ends_at_damage: bool,
        folder: &Folder,
        clock: &Clock,
    ) -> Result<(End, u64), OpenError> {
        let is_damaged = self.apply_all(ends_at_damage).await?;
        let end = self.sure_end();
        if is_damaged {
            set_rest_aside(folder, clock, end.segment)
                .map_err(|error| log_trouble(&error.into()))?;
        }
        // A crash may have come between the record and the deed.
        free_bytes(folder.places(), &self.freed);
        if self.applied > 0 {
            tracing::info!(records = self.applied, "replayed the log");
        }
        Ok((end, self.applied))
    }

    /// Where the last whole record ends.
    pub(in crate::store) fn sure_end(&self) -> End {
        self.reader.sure_end()
    }

    /// Applies all that the log holds to the index, and changes nothing else. `ends_at_damage`: the log ends at damage,
    /// and this answers whether it did.
    pub(in crate::store) async fn apply_all(
        &mut self,
        ends_at_damage: bool,
    ) -> Result<bool, OpenError> {
        let last = segments::segments(&self.dir).and_then(|segments| {
            let last = segments.last().copied().unwrap_or(self.begun.segment);
            let offset = segments::length(&self.dir, last)?;
            let end = End {
                segment: last,
                offset,
                sequence: 0,
            };
            segments::bytes_between(&self.dir, Some(self.begun), end)
        });
        let total = last.map_err(|error| log_trouble(&error.into()))?;
        self.progress.total_bytes.store(total, Ordering::Relaxed);
        let mut damaged = false;
        loop {
            match self.reader.next() {
                Ok(Some((record, end))) => self.take(record, end).await?,
                Ok(None) => break,
                Err(ScanError::Damaged {
                    sequence,
                    segment,
                    offset,
                }) if ends_at_damage && sequence > 1 => {
                    tracing::warn!(
                        sequence,
                        segment,
                        offset,
                        "the copied log ends here; what lies behind is not used"
                    );
                    damaged = true;
                }
                Err(error) => return Err(log_trouble(&error)),
            }
        }
        self.apply().await?;
        Ok(damaged)
    }

    async fn take(&mut self, record: Record, end: End) -> Result<(), OpenError> {
        if let Some(effect) = &record.effect
            && !self.effects.iter().any(|known| known.kind == effect.kind)
        {
            return Err(newer("log"));
        }
        let names = RowLock::of_record(&record);
        let is_full = self.batch.len() == BATCH || self.rows > BATCH_ROWS;
        if is_full || !self.held.admits(&names) {
            self.apply().await?;
        }
        self.held.hold(&names);
        if let Change::Freed { bodies } = &record.change {
            self.freed.extend_from_slice(bodies);
        }
        self.rows += record.change.rows();
        self.batch.push(record);
        self.end = end;
        Ok(())
    }

    async fn apply(&mut self) -> Result<(), OpenError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        index::apply(self.index, &self.batch, self.effects, self.id, self.end)
            .await
            .map_err(|error| database_trouble(&error, db::is_full(&error)))?;
        (self.checkpoints)
            .after_commit(self.index, self.end.sequence)
            .await;
        self.applied += self.batch.len() as u64;
        let done = segments::bytes_between(&self.dir, Some(self.begun), self.end)
            .map_err(|error| log_trouble(&error.into()))?;
        self.progress.done_bytes.store(done, Ordering::Relaxed);
        self.batch.clear();
        self.held.clear();
        self.rows = 0;
        Ok(())
    }
}

/// Keeps snapshots that the log does not reach: once it has gone on, it would reach them with other records.
fn set_snapshots_aside(folder: &Folder, clock: &Clock, names: &[String]) -> std::io::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let home = folder.home();
    let aside = folder.make_aside(&format!("aside-snapshots-{}", clock.now().as_millis()))?;
    for name in names {
        home.rename(name, &aside, name)?;
    }
    aside.sync()?;
    home.sync()
}

/// Keeps what lies behind the end of a copied log: the segment in which it ends as a copy, later ones as they are.
fn set_rest_aside(folder: &Folder, clock: &Clock, last: u64) -> std::io::Result<()> {
    let aside = folder.make_aside(&format!("{ASIDE_LOG}{}", clock.now().as_millis()))?;
    let log = folder.log();
    for first in segments::segments(log)? {
        let name = segments::segment_name(first);
        match first.cmp(&last) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => drop(log.copy(&name, &aside, &name)?),
            std::cmp::Ordering::Greater => log.rename(&name, &aside, &name)?,
        }
    }
    aside.sync()?;
    folder.home().sync()?;
    log.sync()
}

/// What only a folder has in which a log was begun, as a sentence's subject; `None`: nothing.
fn trace_of_a_log(folder: &Folder) -> std::io::Result<Option<String>> {
    for name in folder.home().names()? {
        let name = name?;
        let is_trace = snapshot::is_name(&name) || matches!(&*name, "run" | "keys");
        if is_trace {
            return Ok(Some(name));
        }
    }
    let blob = blobs::pages(folder.blobs(), 1)?.next();
    Ok(blob.map(|page| format!("blobs/{}", page[0])))
}

pub(in crate::store) fn lost(how: &str) -> OpenError {
    OpenError::Refused(format!(
        "the log in the data folder {how}; restore the folder from a backup, or set HANGAR_DATA_DIR (--data-dir) to \
         another folder"
    ))
}

pub(in crate::store) fn newer(what: &str) -> OpenError {
    OpenError::Refused(format!(
        "the {what} in the data folder was written by a newer hangar; start that version, or set HANGAR_DATA_DIR \
         (--data-dir) to another folder"
    ))
}

pub(in crate::store) fn log_trouble(error: &ScanError) -> OpenError {
    match error {
        ScanError::Newer(_) | ScanError::Unread(_) => newer("log"),
        ScanError::Damaged { .. } | ScanError::Mixed { .. } => OpenError::Refused(format!(
            "{error}; restore the data folder from a backup, or set HANGAR_DATA_DIR (--data-dir) to another folder"
        )),
        ScanError::Io(source) if is_full(source) => full(),
        ScanError::Io(source) => OpenError::Refused(format!(
            "the log in the data folder cannot be used: {source}; {}",
            way_out(source)
        )),
    }
}

fn salvage_trouble(error: &SalvageError) -> OpenError {
    match error {
        SalvageError::Index(error) => database_trouble(error, db::is_full(error)),
        SalvageError::Log(error) => log_trouble(error),
        SalvageError::Io(error) if is_full(error) => full(),
        SalvageError::Io(error) => OpenError::Refused(format!(
            "the bodies in the data folder cannot be looked at: {error}; {}",
            way_out(error)
        )),
    }
}

pub(in crate::store) fn database_trouble(
    error: &dyn std::error::Error,
    is_full: bool,
) -> OpenError {
    if is_full {
        return full();
    }
    let cause = error
        .source()
        .map_or_else(String::new, |cause| format!(" ({cause})"));
    OpenError::Refused(format!(
        "the database in the data folder cannot be used: {error}{cause}; set HANGAR_DATA_DIR (--data-dir) to a folder that \
         this user may write"
    ))
}

fn full() -> OpenError {
    OpenError::Full(
        "the disk of the data folder is full, and its reserve is used up: free some MiB on it, or give it a larger disk"
            .to_owned(),
    )
}
