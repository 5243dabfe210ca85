//! Rebuilding the index: from the newest snapshot that the log reaches, or from nothing.

use crate::clock::Clock;
use crate::db::{DatabaseError, Origin};
use crate::store::dir::Dir;
use crate::store::error::OpenError;
use crate::store::folder::Folder;
use crate::store::index;
use crate::store::index::damage::IndexFile;
use crate::store::record::LogId;
use crate::store::record::reader::{Reader, ScanError};
use crate::store::record::segments::{self, End};
use crate::store::recovery::refusal::{
    database_trouble, full, log_trouble, lost, newer, refuse_lost_records,
};
use crate::store::recovery::set_aside::set_index_aside;
use crate::store::recovery::snapshot::{self, Survey};
use crate::store::recovery::source::Source;
use crate::telemetry::with_causes;
use sqlx::SqliteConnection;

/// Returns an index from a snapshot or without rows, the position from which to replay the log, the snapshot's last
/// record, and the survey of all snapshots. `is_own`: what is known from the previous index.
pub(in crate::store) async fn rebuild(
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
        // The existing index may be good. It must not be given up for one that cannot be built.
        let log = folder.log().clone();
        let read = tokio::task::spawn_blocking(move || read_through(&log, id, begin));
        let read = read.await.map_err(std::io::Error::other);
        read.map_err(ScanError::from)
            .flatten()
            .map_err(|error| log_trouble(&error))?;
    }
    let origin = match survey.is_own_by(is_own) {
        Some(true) => Origin::Own,
        Some(false) => Origin::Copy,
        None => Origin::Unknown,
    };
    // From here on the note says that there is a log. A killed start may have left the log in the page cache only.
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
                let error = with_causes(&error);
                tracing::warn!(error, "a snapshot cannot be used");
                set_index_aside(folder, clock, file, true, origin)?;
            }
        }
    }
    Ok((new_index(folder).await?, begin, None, survey))
}

/// Reads the log from a position to its end, to find out whether it can be read.
fn read_through(log: &Dir, id: LogId, from: End) -> Result<(), ScanError> {
    let mut reader = Reader::new(log, id, from)?;
    while reader.next()?.is_some() {}
    Ok(())
}

/// Creates an index without rows.
pub(in crate::store) async fn new_index(folder: &Folder) -> Result<SqliteConnection, OpenError> {
    index::open(folder)
        .await
        .map_err(|error| database_trouble(&error, error.is_full()))
}
