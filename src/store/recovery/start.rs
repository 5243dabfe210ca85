//! The start: is this the folder that the index records, and which records of the log does the index lack?
//!
//! The same code handles a crash, a power cut, a copied folder, and a missing index.

use crate::clock::Clock;
use crate::db::{self, Origin, Trust};
use crate::store::bodies::blobs;
use crate::store::effect::EffectKind;
use crate::store::error::{OpenError, is_full};
use crate::store::folder::{CHECKPOINT_NOTE, Folder};
use crate::store::index;
use crate::store::index::damage::{self, IndexFile};
use crate::store::journal::log::Log;
use crate::store::progress::Progress;
use crate::store::record::reader::{self, Found, Reader};
use crate::store::record::{Change, Draft, LogId};
use crate::store::recovery::known_index::{KnownIndex, known_index};
use crate::store::recovery::rebuild::{new_index, rebuild};
use crate::store::recovery::refusal::{
    database_trouble, log_trouble, lost, refuse_end_before, salvage_trouble,
};
use crate::store::recovery::replay::Replay;
use crate::store::recovery::salvage::{Salvaged, salvage};
use crate::store::recovery::set_aside::{set_index_aside, set_snapshots_aside};
use crate::store::recovery::snapshot::{self, Survey};
use crate::store::recovery::source::{Rebuilt, Source};
use sqlx::{Connection, SqliteConnection};

/// The open end of the log, and an index that holds the whole log.
pub(in crate::store) struct Started {
    pub(in crate::store) log: Log,
    pub(in crate::store) index: SqliteConnection,
    /// How the index was rebuilt; `None` if the existing one is used.
    pub(in crate::store) rebuilt: Option<Rebuilt>,
}

/// Opens the log and the index, and applies to the index what it lacks.
pub(in crate::store) async fn start(
    folder: &Folder,
    clock: &Clock,
    effects: &[EffectKind],
    source: Source,
    progress: &Progress,
    file: &mut IndexFile,
) -> Result<Started, OpenError> {
    let found = reader::find(folder.log()).map_err(|error| log_trouble(&error))?;
    let was_marked = damage::is_marked(folder.home())
        .map_err(|error| database_trouble(&error, is_full(&error)))?;
    let noted = (file.trust(folder)).map_err(|error| database_trouble(&error, is_full(&error)))?;
    let (trust, _, making) = noted;
    // If the note says that an index was made from a log, or that a checkpoint moved a record, then there was a log.
    let is_log_noted = match making {
        Some(Origin::New) => false,
        Some(Origin::Own | Origin::Copy | Origin::Unknown) => true,
        None => matches!(trust, Trust::Whole { sequence: 1.., .. }),
    };
    let mut known = known_index(folder, found, source, file, noted).await?;
    // A half-made index is not worth keeping either.
    let was_damaged = was_marked || file.damage.is_found() || making.is_some();
    let mut is_own = match known {
        KnownIndex::Trusted { .. } => Some(true),
        KnownIndex::Untrusted { is_own } => Some(is_own),
        KnownIndex::None => None,
    };
    let mut said = Survey::default();
    if source != Source::Index
        && let KnownIndex::Trusted { index, .. } = known
    {
        drop(index.close().await);
        known = KnownIndex::Untrusted { is_own: true };
    }
    let mut rebuilt = None;
    let (mut index, id, from) = match (known, found) {
        (KnownIndex::Trusted { index, id, end }, _) => (index, id, end),
        (KnownIndex::Untrusted { .. } | KnownIndex::None, Found::Log(id)) => {
            let (index, from, snapshot, survey) =
                rebuild(folder, clock, id, (source, is_own), file, was_damaged).await?;
            is_own = survey.is_own_by(is_own);
            said = survey;
            rebuilt = Some(Rebuilt {
                snapshot,
                ..Rebuilt::default()
            });
            (index, id, from)
        }
        (KnownIndex::None, Found::Nothing) => {
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
            return Ok(Started {
                log,
                index,
                rebuilt: Some(Rebuilt::default()),
            });
        }
        (KnownIndex::Untrusted { .. }, Found::Nothing) => return Err(lost("is missing")),
        (_, Found::Damaged) => return Err(lost("is damaged where it begins")),
    };
    // A log may end at damage if the folder was copied. It also may if nothing shows whether it was copied and `hangar
    // rebuild` is to take what is left.
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
        report(rebuilt, was_damaged && !is_copy);
        let beyond = said.not_reached_by(end.sequence);
        set_snapshots_aside(folder, clock, &beyond).map_err(|error| log_trouble(&error.into()))?;
    }
    Ok(Started {
        log,
        index,
        rebuilt,
    })
}

fn report(rebuilt: &Rebuilt, was_damaged: bool) {
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

/// Begins a new log with its first record.
async fn begin(
    folder: &Folder,
    clock: &Clock,
    index: &mut SqliteConnection,
    effects: &[EffectKind],
) -> Result<Log, OpenError> {
    let begin_log = || {
        let mut log = Log::create(folder.log(), LogId::random())?;
        let change = Change::Begun {
            hangar: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let draft = Draft::new(clock.now(), change, None);
        log.append(&[draft]).map_err(std::io::Error::other)?;
        Ok::<_, std::io::Error>(log)
    };
    let log = begin_log().map_err(|error| log_trouble(&error.into()))?;
    index::apply(index, &[], effects, log.id(), log.end())
        .await
        .map_err(|error| database_trouble(&error, db::is_full(&error)))?;
    Ok(log)
}

/// A file that exists only in a folder with a log, as the subject of a sentence; `None` if there is no such file.
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
