//! Reads everything that is kept and holds it against what was stored: every record of the log, every body, every object.
//!
//! Guarantees: a flipped byte, a missing or a truncated body, a damaged record and an object whose bytes do not add up are
//! each found and named, with the keys that they hurt; what is changed or freed meanwhile by others is no finding. It
//! changes nothing, but where a repair is wanted: then what is damaged is made again of the same bytes elsewhere.

use crate::db::{self, Readers, Verified};
use crate::s3::checksum::{CRC_BLOCK_BYTES, crc64_nvme};
use crate::store::bodies::blobs::{self, Blobs};
use crate::store::content::{Body, Place};
use crate::store::dir::Dir;
use crate::store::effect::EffectKind;
use crate::store::error::{StoreError, stopped, unavailable, with_causes};
use crate::store::folder::{BACKUP, DATABASE, Places};
use crate::store::index::damage::Found;
use crate::store::looking::{self, IndexRead, ReadIndex};
use crate::store::progress::Progress;
use crate::store::record::LogId;
use crate::store::record::reader::{self, Reader, ScanError};
use crate::store::record::segments::{self, End};
use crate::store::recovery::snapshot;
use crate::store::upkeep::mend;
use crate::store::{Store, index};
use serde::{Deserialize, Serialize};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Bodies, or objects, that are looked up together.
const PAGE: u32 = 500;
/// Past so many only the count goes on.
const MOST_FINDINGS: usize = 1000;

/// What a check read, and what it found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    pub records: u64,
    pub bodies: u64,
    pub bytes: u64,
    pub objects: u64,
    /// Files in `blobs/` that no body names, as a crash leaves them: no damage, and cleared away in time.
    pub left_over: u64,
    /// Bodies that were damaged and are whole again.
    pub mended: u64,
    /// Files of the index that were damaged and are made again from the log.
    #[serde(default)]
    pub index_mended: u64,
    pub damages: u64,
    /// The first 1000.
    pub findings: Vec<Finding>,
}

/// What makes a damaged index, or a damaged snapshot of it, again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// The server that was asked, by itself.
    Server,
    /// The folder was only looked at: the next start, or a repair.
    NextStart,
    /// It is a snapshot in a backup: the next backup to the same folder.
    NextBackup,
}

/// Whether damaged bytes are to be made whole, and from what beside the folder itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    pub wanted: bool,
    /// A backup.
    pub from: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub damage: Damage,
    /// Within `@hangar/`.
    pub file: String,
    /// Where in the file it begins, bytes.
    pub offset: u64,
    /// `BUCKET/KEY` of the objects that it hurts; `BUCKET/KEY (upload)` of uploads under way.
    pub hurts: Vec<String>,
    /// Of damage to the index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Remedy>,
}

impl Finding {
    /// `at`: within the body.
    pub(in crate::store) fn of(damage: Damage, place: &Place, at: u64, hurts: Vec<String>) -> Self {
        let (file, offset) = match place {
            Place::Log { segment, offset } => (segment_file(*segment), offset + at),
            Place::Blob { id } => (format!("blobs/{id}"), at),
        };
        Self {
            damage,
            file,
            offset,
            hurts,
            remedy: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Damage {
    /// Bytes are others than were stored.
    Changed,
    /// The file is not there.
    Missing,
    /// The file ends too early.
    Truncated,
    /// A record of the log cannot be read.
    Record,
    /// An object names bytes that the index does not have, or too few of them.
    Reference,
    /// The file cannot be read at all.
    Unreadable,
    /// A page of the index, or of a snapshot of it, is not what was written: it is made again from the log.
    Index,
}

impl Store {
    /// # Errors
    /// When the index, or the folder, does not answer.
    pub async fn check(
        &self,
        progress: Arc<Progress>,
        repair: Repair,
    ) -> Result<Checked, StoreError> {
        let inner = &self.inner;
        let check = Check {
            readers: inner.readers.clone(),
            home: inner.folder.home().clone(),
            store: Some(self.clone()),
            places: inner.folder.places().clone(),
            uploads: Some(inner.blobs.clone()),
            repair,
            progress,
            checked: Checked::default(),
            hurt: Vec::new(),
        };
        check.run().await
    }
}

/// Checks a backup. Nothing in it is changed or made, not even for a moment. `None`: it is a data folder, to be opened or
/// looked at and checked.
///
/// # Errors
/// `Refused` in words where it cannot be read.
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
    let _lock = crate::store::upkeep::backup::lock_to_read(&home, data_dir)
        .map_err(|error| BackupCheckError::Refused(error.sentence()))?;
    let snapshots = snapshot::all(&home).await.map_err(|error| cannot(&error))?;
    let index = match snapshot::first_whole(&home, &snapshots).await {
        Some(snapshot) => ReadIndex {
            readers: db::open_main_file_readers(&home.path_of(&snapshot.name)).await?,
            made_in: None,
        },
        // A restore goes by the log then, and so does this.
        None => match reader::find(&places.log) {
            Ok(reader::Found::Log(id))
                if crate::store::upkeep::backup::was_written(&home)
                    .map_err(|it| cannot(&it))? =>
            {
                let made = looking::index_of_log(&home, &places, id, None, effects).await;
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
    let check = Check {
        readers: index.readers,
        home,
        store: None,
        places,
        uploads: None,
        repair: Repair::default(),
        progress,
        checked: Checked::default(),
        hurt: Vec::new(),
    };
    let checked = check.run().await;
    readers.close().await;
    Ok(Some(checked?))
}

#[derive(Debug, thiserror::Error)]
pub enum BackupCheckError {
    /// One sentence that says what to do.
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

struct Check {
    readers: Readers,
    home: Dir,
    /// `None`: it is a backup.
    store: Option<Store>,
    places: Places,
    /// Blobs that uploads hold; `None`: there are no uploads.
    uploads: Option<Blobs>,
    repair: Repair,
    progress: Arc<Progress>,
    checked: Checked,
    /// The body of a finding, and which finding it is.
    hurt: Vec<(u64, usize)>,
}

impl Check {
    async fn run(mut self) -> Result<Checked, StoreError> {
        self.count().await?;
        let damaged_page = self.index().await?;
        self.snapshots(damaged_page.is_some()).await?;
        self.records().await?;
        self.bodies().await?;
        self.objects().await?;
        self.left_over().await?;
        self.name_the_hurt().await?;
        if let (Some(page), Some(store)) = (damaged_page, self.store)
            && store.inner.looks_at.is_none()
        {
            let damage = store.inner.state.index_damage.clone();
            damage.report_later(page);
            tokio::spawn(async move {
                /// The command is answered first: the report ends the server's run.
                const PATIENCE: Duration = Duration::from_secs(2);
                tokio::time::sleep(PATIENCE).await;
                damage.report_postponed();
            });
        }
        Ok(self.checked)
    }

    async fn count(&self) -> Result<(), StoreError> {
        let mut connection = self.readers.acquire().await?;
        let (_, bytes) = index::stored(&mut connection).await?;
        self.progress.total_bytes.store(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Each page of the index. Answers a damaged one: the index is made again once all else is checked.
    async fn index(&mut self) -> Result<Option<u32>, StoreError> {
        let Some(store) = self.store.clone() else {
            return Ok(None);
        };
        if let Some(Found { file, offset }) = store.take_found_at_start() {
            self.found_in_index(file, offset);
        }
        // What is not used is not judged: the next start makes it anew.
        if (store.inner.looks_at.as_ref()).is_some_and(|it| it.index == IndexRead::MadeAgain) {
            return Ok(None);
        }
        let file = store.inner.state.index_damage.file();
        let file = file.map_err(|error| unavailable(&error))?;
        let verified = db::verify_in_use(file, Duration::ZERO).await;
        let Verified::Damaged { page } = verified.map_err(|error| unavailable(&error))? else {
            return Ok(None);
        };
        self.found_in_index(DATABASE.to_owned(), db::offset_of(page));
        Ok(Some(page))
    }

    /// Each page of the snapshots. A damaged one is replaced, but in a backup, and not from a damaged index.
    async fn snapshots(&mut self, is_index_damaged: bool) -> Result<(), StoreError> {
        for name in snapshot::names(&self.home).map_err(|error| unavailable(&error))? {
            let page = snapshot::verify(&self.home, &name, Duration::ZERO).await;
            let Some(page) = page.map_err(|error| unavailable(&error))? else {
                continue;
            };
            self.found_in_index(name.clone(), db::offset_of(page));
            if !is_index_damaged
                && let Some(store) = &self.store
                && store.inner.looks_at.is_none()
            {
                store.replace_snapshot(&name).await?;
            }
        }
        Ok(())
    }

    /// Where a repair is wanted it is one already, or becomes one at once.
    fn found_in_index(&mut self, file: String, offset: u64) {
        if self.repair.wanted {
            self.checked.index_mended += 1;
        } else {
            self.found(Damage::Index, file, offset, None);
        }
    }

    fn found(&mut self, damage: Damage, file: String, offset: u64, body: Option<u64>) {
        self.checked.damages += 1;
        if self.checked.findings.len() == MOST_FINDINGS {
            return;
        }
        self.hurt
            .extend(body.map(|body| (body, self.checked.findings.len())));
        self.checked.findings.push(Finding {
            damage,
            file,
            offset,
            hurts: Vec::new(),
            remedy: (damage == Damage::Index).then(|| self.remedy()),
        });
    }

    /// What makes a damaged index again.
    fn remedy(&self) -> Remedy {
        match &self.store {
            None => Remedy::NextBackup,
            Some(store) if store.inner.looks_at.is_some() => Remedy::NextStart,
            Some(_) => Remedy::Server,
        }
    }

    /// Every record that the index has taken in.
    async fn records(&mut self) -> Result<(), StoreError> {
        let mut connection = self.readers.acquire().await?;
        let position = index::position(&mut connection).await?;
        drop(connection);
        let Some((id, until)) = position else {
            return Ok(());
        };
        let dir = self.places.log.clone();
        let (records, damaged) =
            blocking(move || read_records(&dir, id, until).map_err(|error| trouble(&error)))
                .await?;
        self.checked.records = records;
        for (segment, offset) in damaged {
            self.found(Damage::Record, segment_file(segment), offset, None);
        }
        Ok(())
    }

    async fn bodies(&mut self) -> Result<(), StoreError> {
        let mut after = 0;
        loop {
            let mut connection = self.readers.acquire().await?;
            let page = index::bodies_after(&mut connection, after, PAGE).await?;
            drop(connection);
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            after = *last;
            for (id, body) in page {
                self.body(id, body).await?;
            }
        }
    }

    async fn body(&mut self, id: u64, body: Body) -> Result<(), StoreError> {
        let (places, progress) = (self.places.clone(), self.progress.clone());
        let size_bytes = body.size_bytes;
        let place = body.place;
        let read = body.clone();
        let damage = blocking(move || Ok(read_body(&read, &places, &progress).err())).await?;
        self.checked.bodies += 1;
        self.checked.bytes += size_bytes;
        let Some((damage, at)) = damage else {
            return Ok(());
        };
        // It may have been freed meanwhile.
        let mut connection = self.readers.acquire().await?;
        let is_there = index::has_body(&mut connection, id).await?;
        drop(connection);
        if is_there && self.repair.wanted && self.mend(id, body).await? {
            self.checked.mended += 1;
        } else if is_there {
            let Finding { file, offset, .. } = Finding::of(damage, &place, at, Vec::new());
            self.found(damage, file, offset, Some(id));
        }
        Ok(())
    }

    /// Whether it is whole again, by a body that has the same bytes, or by the backup.
    async fn mend(&self, id: u64, body: Body) -> Result<bool, StoreError> {
        let home = self.places.clone();
        let mut connection = self.readers.acquire().await?;
        let twins = index::twins_of_body(&mut connection, id).await?;
        drop(connection);
        let mut sources: Vec<_> = twins
            .into_iter()
            .map(|place| (home.clone(), place))
            .collect();
        if let Some(backup) = &self.repair.from {
            let backup = Dir::open(&backup.join("@hangar")).and_then(|home| Places::of(&home));
            sources.push((backup.map_err(|error| unavailable(&error))?, body.place));
        }
        blocking(move || mend::mend(&body, &home, &sources).map_err(|error| unavailable(&error)))
            .await
    }

    /// Whether what objects name is there and adds up.
    async fn objects(&mut self) -> Result<(), StoreError> {
        let mut after: Option<(String, String)> = None;
        loop {
            let mut connection = self.readers.acquire().await?;
            let page = index::object_sums(&mut connection, after.as_ref(), PAGE).await?;
            drop(connection);
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some((last.bucket.clone(), last.key.clone()));
            for object in page {
                self.checked.objects += 1;
                if !object.adds_up {
                    self.found(Damage::Reference, "hangar.db".to_owned(), 0, None);
                    if let Some(finding) = self.checked.findings.last_mut() {
                        finding.hurts = vec![format!("{}/{}", object.bucket, object.key)];
                    }
                }
            }
        }
    }

    async fn left_over(&mut self) -> Result<(), StoreError> {
        let dir = self.places.blobs.clone();
        let pages = blocking(move || {
            let pages = blobs::pages(&dir, PAGE as usize).map_err(|error| unavailable(&error))?;
            Ok(pages.collect::<Vec<_>>())
        });
        for mut page in pages.await? {
            page.retain(|id| !self.uploads.as_ref().is_some_and(|it| it.is_under_way(*id)));
            let mut connection = self.readers.acquire().await?;
            let known = index::known_blobs(&mut connection, &page).await?;
            self.checked.left_over += (page.len() - known.len()) as u64;
        }
        Ok(())
    }

    async fn name_the_hurt(&mut self) -> Result<(), StoreError> {
        for page in self.hurt.chunks(PAGE as usize) {
            let ids: Vec<u64> = page.iter().map(|(body, _)| *body).collect();
            let mut connection = self.readers.acquire().await?;
            let users = index::users_of_bodies(&mut connection, &ids).await?;
            drop(connection);
            for (body, finding) in page {
                let named = users.iter().filter(|(used, _)| used == body);
                self.checked.findings[*finding]
                    .hurts
                    .extend(named.map(|(_, name)| name.clone()));
            }
        }
        Ok(())
    }
}

fn segment_file(segment: u64) -> String {
    format!("log/{}", segments::segment_name(segment))
}

fn trouble(error: &ScanError) -> StoreError {
    match error {
        ScanError::Io(error) => unavailable(error),
        other => StoreError::Unavailable(with_causes(other).into()),
    }
}

pub(in crate::store) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(stopped()))
}

/// How many records could be read up to `until`, and where (segment, byte) others could not: after one the rest of its
/// segment is not reached.
pub(in crate::store) fn read_records(
    dir: &Dir,
    id: LogId,
    until: End,
) -> Result<(u64, Vec<(u64, u64)>), ScanError> {
    let (mut records, mut damaged) = (0, Vec::new());
    let segments = segments::segments(dir)?;
    let mut begin = segments.first().copied();
    while let Some(segment) = begin.take() {
        let from = End {
            segment,
            offset: 0,
            sequence: segment - 1,
        };
        let mut reader = Reader::new(dir, id, from)?;
        let mut last = segment - 1;
        while last < until.sequence {
            match reader.next() {
                Ok(Some((record, _))) => {
                    records += 1;
                    last = record.sequence;
                }
                Ok(None) => {
                    damaged.push((reader.sure_end().segment, reader.sure_end().offset));
                    break;
                }
                Err(ScanError::Damaged {
                    segment, offset, ..
                }) => {
                    damaged.push((segment, offset));
                    begin = segments.iter().copied().find(|next| *next > segment);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok((records, damaged))
}

/// Holds each block of a body against its CRC; the damage and where in the body it begins.
pub(in crate::store) fn read_body(
    body: &Body,
    places: &Places,
    progress: &Progress,
) -> Result<(), (Damage, u64)> {
    let (file, start) = match &body.place {
        Place::Log { segment, offset } => {
            (places.log.read(&segments::segment_name(*segment)), *offset)
        }
        Place::Blob { id } => (places.blobs.read(&id.to_string()), 0),
    };
    let failed = |error: &io::Error, at: u64| match error.kind() {
        io::ErrorKind::NotFound => (Damage::Missing, at),
        io::ErrorKind::UnexpectedEof => (Damage::Truncated, at),
        _ => (Damage::Unreadable, at),
    };
    let file = file.map_err(|error| failed(&error, 0))?;
    let block_bytes = CRC_BLOCK_BYTES as u64;
    let mut buffer = vec![0; CRC_BLOCK_BYTES];
    let mut at = 0;
    let mut damage = None;
    for crc in &body.block_crcs {
        let length = block_bytes.min(body.size_bytes - at);
        let block = &mut buffer[..usize::try_from(length).expect("at most a MiB")];
        file.read_exact_at(block, start + at)
            .map_err(|error| failed(&error, at))?;
        progress.done_bytes.fetch_add(length, Ordering::Relaxed);
        if crc64_nvme(block) != *crc {
            damage = damage.or(Some((Damage::Changed, at)));
        }
        at += length;
    }
    if at < body.size_bytes {
        damage = damage.or(Some((Damage::Changed, at)));
    }
    damage.map_or(Ok(()), Err)
}
