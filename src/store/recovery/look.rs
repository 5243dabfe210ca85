//! The index of a folder that is opened read-only, for commands on a folder without a running server.
//!
//! Guarantees: no byte, name or time in the folder changes, and a command reads no row that the next start would not
//! have. The index of a folder that was stopped cleanly is read in place. For every other folder (a crash, a copy, a
//! damaged index) an index is built from a snapshot and the log, in a temporary folder.

use crate::db::{self, Checkpoints, DatabaseError, Noted, Owner, Readers, Tables, Trust, Verified};
use crate::store::blocking::blocking;
use crate::store::dir::Dir;
use crate::store::effect::EffectKind;
use crate::store::error::{OpenError, unavailable};
use crate::store::folder::{CHECKPOINT_NOTE, DATABASE, Folder, Identity, Places, identity};
use crate::store::index;
use crate::store::index::damage::{self, Found};
use crate::store::progress::Progress;
use crate::store::record::LogId;
use crate::store::record::reader::{self, Reader, ScanError};
use crate::store::record::segments::{self, End};
use crate::store::recovery::known_index::{self, IndexState};
use crate::store::recovery::refusal;
use crate::store::recovery::replay::Replay;
use crate::store::recovery::snapshot;
use sqlx::Connection;
use std::io;
use std::path::Path;
use tempfile::TempDir;

/// A folder in TMPDIR that only this user can open. Its name tells the operator its origin if a SIGKILL leaves it.
pub(in crate::store) fn temporary_folder() -> io::Result<TempDir> {
    tempfile::Builder::new().prefix("hangar-look-").tempdir()
}

/// An index to read, and the temporary folder that holds it if it was rebuilt.
pub(in crate::store) struct ReadIndex {
    pub(in crate::store) readers: Readers,
    pub(in crate::store) made_in: Option<TempDir>,
}

/// The state of a folder's index, determined without opening it for writing.
pub(in crate::store) enum IndexInPlace {
    /// It holds the whole log, and its journal is empty.
    Whole(Readers),
    /// It was left in this folder, and has a damaged page.
    Damaged(Found),
    /// It is missing, was not left in this folder, is from an older hangar, or was not left by a clean stop.
    Unknown,
}

/// `is_noted_own`: the note of the last checkpoint says that the index was left in this very folder.
pub(in crate::store) async fn index_in_place(
    folder: &Folder,
    id: LogId,
    noted: Noted,
    is_noted_own: bool,
) -> Result<IndexInPlace, OpenError> {
    let (home, path) = (folder.home(), folder.database());
    let trouble = |error: io::Error| database_trouble(&error.into());
    let Some(database) = identity(home, DATABASE).map_err(trouble)? else {
        return Ok(IndexInPlace::Unknown);
    };
    let damaged = |offset| {
        let file = DATABASE.to_owned();
        Ok(IndexInPlace::Damaged(Found { file, offset }))
    };
    if damage::is_marked(home).map_err(trouble)? {
        return damaged(0);
    }
    if matches!(noted.trust, Trust::Broken(_)) && is_noted_own {
        return damaged(0);
    }
    let is_trusted = match noted.trust {
        Trust::Whole { is_under_way, .. } => !is_under_way,
        Trust::NoNote => !db::has_checksums(&path).map_err(trouble)?,
        Trust::Broken(_) => false,
    };
    let was_stopped = is_trusted
        && noted.making.is_none()
        && db::is_journal_empty(&path)
        && !home.has("run").map_err(trouble)?
        && !damage::is_distrusted(home).map_err(trouble)?;
    if !was_stopped {
        return Ok(IndexInPlace::Unknown);
    }
    let file = home.read(DATABASE).map_err(trouble)?;
    let verified = blocking(move || db::verify(file).map_err(|error| unavailable(&error)));
    match verified.await {
        Ok(Verified::Damaged { page }) if is_noted_own => return damaged(db::offset_of(page)),
        Ok(Verified::Damaged { .. }) => return Ok(IndexInPlace::Unknown),
        Ok(Verified::Whole | Verified::WithoutChecksums) => {}
        Err(error) => return Err(refusal::database_trouble(&error, false)),
    }
    let said = match recorded_state(&path).await {
        Ok(said) => said,
        Err(DatabaseError::Newer) => return Err(refusal::newer("database")),
        Err(error) if error.is_damage() && is_noted_own => return damaged(0),
        Err(error) if error.is_damage() => return Ok(IndexInPlace::Unknown),
        Err(error) => return Err(database_trouble(&error)),
    };
    match said.position {
        Some((known, end)) if is_own(&said, database) => {
            if known != id {
                return Err(refusal::lost("is not the one that its database belongs to"));
            }
            let is_older =
                matches!(noted.trust, Trust::Whole { sequence, .. } if end.sequence < sequence);
            if is_older || said.tables != Tables::Current || !ends_at(folder, id, end).await? {
                return Ok(IndexInPlace::Unknown);
            }
        }
        _ => return Ok(IndexInPlace::Unknown),
    }
    let readers = db::open_main_file_readers(&path).await;
    let readers = readers.map_err(|error| database_trouble(&error.into()))?;
    Ok(IndexInPlace::Whole(readers))
}

async fn recorded_state(path: &Path) -> Result<IndexState, DatabaseError> {
    let mut index = db::open_main_file(path).await?;
    let said = known_index::read_state(&mut index).await;
    index.close().await?;
    said
}

fn is_own(said: &IndexState, database: Identity) -> bool {
    let (known, run) = said.identities;
    run.is_none() && known.is_some_and(|known| known.is_same_file(database))
}

/// Whether the log has no record after the last one that the index records.
async fn ends_at(folder: &Folder, id: LogId, end: End) -> Result<bool, OpenError> {
    let log = folder.log().clone();
    let looked = blocking(move || {
        Ok((|| {
            let before = reader::look_before(&log, id, end)?;
            let refusal = refusal::not_before(before, end.sequence);
            let goes_on = match refusal {
                None => Reader::new(&log, id, end)?.next()?.is_some(),
                Some(_) => false,
            };
            Ok::<_, ScanError>((refusal, goes_on))
        })())
    });
    let looked = looked
        .await
        .map_err(|error| refusal::database_trouble(&error, false))?;
    match looked.map_err(|error| refusal::log_trouble(&error))? {
        (Some(refusal), _) => Err(refusal),
        (None, goes_on) => Ok(!goes_on),
    }
}

/// A start that trusts the index does not read the records that the index holds already. So it may succeed where a
/// read-only open, which reads them, cannot.
fn explain_read_only_refusal(error: OpenError) -> OpenError {
    match error {
        OpenError::Refused(refusal) => OpenError::Refused(
            format!(
                "{}. No server stopped here cleanly, so this look went by the log alone: a server that still starts here \
                 answers this command itself",
                refusal.sentence()
            )
            .into(),
        ),
        error => error,
    }
}

/// Builds an index in a temporary folder, from the newest whole snapshot (or from nothing) and the log after it.
/// `is_own`: whether the folder was not copied, if anything but the snapshots shows it.
pub(in crate::store) async fn index_of_log(
    home: &Dir,
    places: &Places,
    id: LogId,
    is_own: Option<bool>,
    effects: &[EffectKind],
) -> Result<ReadIndex, OpenError> {
    let begin =
        segments::begin(&places.log).map_err(|error| refusal::log_trouble(&error.into()))?;
    let begin = begin.filter(|begin| begin.segment == 1);
    let begin = begin.ok_or_else(|| refusal::lost("lacks its beginning"))?;
    let survey = snapshot::survey(home, &places.log, id).await;
    let survey = survey.map_err(|error| refusal::log_trouble(&error))?;
    refusal::refuse_lost_records(&survey)?;
    let snapshot = snapshot::first_whole(home, &survey.reached()).await;
    let temporary = temporary_folder().map_err(|error| no_room(&error))?;
    let made = Dir::open(temporary.path()).map_err(|error| no_room(&error))?;
    let path = made.path_of(DATABASE);
    if let Some(snapshot) = &snapshot {
        let from = home.path_of(&snapshot.name);
        let has_checksums = db::has_checksums(&from).map_err(|error| no_room(&error))?;
        if has_checksums {
            let copied = home.copy(&snapshot.name, &made, DATABASE);
            copied.map_err(|error| no_room(&error))?;
        } else {
            let copied = db::copy_with_checksums(&from, &path).await;
            copied.map_err(|error| index_trouble(&error))?;
        }
    }
    let mut index = db::open_writer(&path).await.map_err(|error| match error {
        DatabaseError::Newer => refusal::newer("database"),
        error => index_trouble(&error),
    })?;
    let prepared = index::prepare(&mut index).await;
    prepared.map_err(|error| index_trouble(&error.into()))?;
    let from = snapshot.map_or(begin, |snapshot| snapshot.end);
    let mut notes = Checkpoints::of(
        path.clone(),
        made.path_of(CHECKPOINT_NOTE),
        Owner::default(),
    );
    let reader = Reader::new(&places.log, id, from);
    let reader = reader.map_err(|error| refusal::log_trouble(&error.into()))?;
    let progress = Progress::default();
    let log = (&places.log, reader, id);
    let mut replay = Replay::new(log, from, (&mut index, &mut notes), effects, &progress);
    // The log of a copied folder may end at damage. In a folder that was not copied, damage stops the start.
    let is_copy = survey.is_own_by(is_own) == Some(false);
    let applied = replay.apply_all(is_copy).await;
    applied.map_err(|error| match is_own {
        Some(true) => explain_read_only_refusal(error),
        _ => error,
    })?;
    refusal::refuse_end_before(&survey, replay.sure_end())?;
    index
        .close()
        .await
        .map_err(|error| index_trouble(&error.into()))?;
    let readers = db::open_readers(&path).await;
    Ok(ReadIndex {
        readers: readers.map_err(|error| index_trouble(&error.into()))?,
        made_in: Some(temporary),
    })
}

pub(in crate::store) fn database_trouble(error: &DatabaseError) -> OpenError {
    refusal::database_trouble(error, error.is_full())
}

fn index_trouble(error: &DatabaseError) -> OpenError {
    if error.is_full() {
        return no_room(&io::ErrorKind::StorageFull.into());
    }
    OpenError::Refused(format!(
        "no index to read the folder with can be built: {error}; start the server, which rebuilds its own"
    ).into())
}

fn no_room(error: &io::Error) -> OpenError {
    OpenError::Refused(format!(
        "no index to read the folder with can be built in the folder for temporary files: {error}; set TMPDIR to a \
         folder with room, or start the server, which makes its own again"
    ).into())
}
