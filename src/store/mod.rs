//! The vault: objects in buckets, kept in an append-only log with SQLite as its index.
//!
//! **An answer of success means: it is on disk.** Every change is one record of the log (`record`), written and synced
//! in groups by one task (`writer`) and then applied to the index in one transaction. A crash, a power cut or a cut
//! connection leave the old state or the new one. At start the log is replayed from where the index stands (`replay`).
//!
//! What it refuses to know: assets, users, tokens. Their changes travel in the same records as [`Effect`]s and are
//! applied by the statements that their modules registered.

mod bodies;
mod bucket;
mod caching;
mod content;
mod dir;
mod effect;
mod error;
mod folder;
mod index;
mod journal;
mod looking;
mod minio_files;
mod multipart;
mod object;
mod progress;
mod record;
mod recovery;
mod space;
#[cfg(test)]
mod tests;
mod upkeep;
mod upload;

pub use bodies::read::Reading;
pub use bodies::small::{SmallBody, SmallBytes};
pub use bodies::staging::{Sealed, Staging};
pub use bucket::Bucket;
pub use dir::Dir;
pub use effect::{Decision, Effect, EffectKind};
pub use error::{OpenError, RecordError, StageError, StoreError};
pub use folder::holds_data;
#[cfg(test)]
pub(crate) use index::bare::BareIndex;
pub use index::view::{ReadView, Row, Value, unreadable};
pub use journal::hook::{CommitHook, Registered};
pub use object::{
    BucketCreation, Committed, Deletion, Expected, ListRequest, Object, ObjectMeta, Target,
};
pub use progress::Progress;
pub use recovery::replay::{Rebuilt, Source};
pub use recovery::salvage::Salvaged;
pub use upkeep::backup::{BackupError, Copies, Verify, restore};
pub use upkeep::check::{BackupCheckError, Checked, Damage, Finding, Remedy, Repair, check_backup};
pub use upkeep::freeing::Freed;
pub use upkeep::janitor::{Janitor, Mode, Swept};
pub use upkeep::scrub::Scrub;
pub use upload::{
    Completion, NewUpload, ObjectPart, ObjectParts, Part, PartPage, Upload, UploadChecksum,
    UploadId, UploadListPage, UploadListRequest,
};

use error::{overloaded, stopped, unavailable};

use crate::cache::Hot;
use crate::clock::Clock;
use crate::db::{self, Readers};
use crate::s3::bucket_policy::Opening;
use crate::s3::checksum::{Digests, Wanted};
use crate::s3::conditional::WritePrecondition;
use crate::s3::listing::ListedPage;
use crate::s3::range::ByteRange;
use crate::s3::{BucketName, BucketSetting, ETag, ObjectKey};
use crate::warnings::Warning;
use bodies::kept::{KeptBodies, SMALL_BYTES};
use bodies::{blobs, read, staging};
use futures_util::future::BoxFuture;
use index::damage;
use index::damage::{Found, IndexFile};
use index::listing;
use journal::locks::RowLock;
use journal::planner::Planner;
use journal::request::{Recorded, Request};
use journal::state::State;
use journal::work::{Check, NewBytes, Refused, Which, Work};
use journal::{indexer, queue, writer};
use record::Copied;
use record::segments::OpenSegments;
use recovery::{replay, snapshot};
use sqlx::{Connection, SqliteConnection};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// How long a change waits for a place in the writer's queue.
const QUEUE_PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
/// What rows of objects may take in memory, and what one usually takes.
const HOT_ROWS_BYTES: usize = 16 << 20;
const HOT_ROW_BYTES: usize = 1024;

/// Settings of the vault.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// The data folder; all that hangar writes lies in `@hangar/` beneath it.
    pub data_dir: PathBuf,
    /// `HANGAR_ALLOW_UNSAFE_FS`
    pub allow_unsafe_fs: bool,
    /// `HANGAR_MULTIPART_EXPIRES`: an upload this old that nobody completed is given up.
    pub multipart_expires: std::time::Duration,
    /// `HANGAR_GRACE`: how long bytes that nothing names any more stay on the disk.
    pub grace: std::time::Duration,
    /// `HANGAR_MIN_FREE`: with less than this free no bytes are taken; `None`: a hundredth of the disk.
    pub min_free_bytes: Option<u64>,
}

/// What readiness is made of.
#[derive(Debug, Clone, Default)]
pub struct Health {
    /// Why nothing can be written until a restart.
    pub failed: Option<String>,
    /// Of the folder and its disk.
    pub warnings: Vec<Warning>,
}

/// What the operator of a folder should know of it, by a look from outside: a server may hold it, and nothing in it is
/// changed.
#[must_use]
pub fn folder_warnings(config: &StoreConfig) -> Vec<Warning> {
    let home = Dir::open(&config.data_dir.join("@hangar")).ok();
    let of_disk =
        home.and_then(|home| space::Space::beside(&home, config.min_free_bytes).warning());
    let warnings = [of_disk, foreign_files(&config.data_dir)];
    warnings.into_iter().flatten().collect()
}

fn foreign_files(data_dir: &std::path::Path) -> Option<Warning> {
    let found = minio_files::find(data_dir)?;
    Some(Warning::MinioFiles {
        data_dir: data_dir.to_owned(),
        buckets: found.buckets,
        count: found.count,
    })
}

/// The vault. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    folder: Arc<folder::Folder>,
    clock: Clock,
    multipart_expires: std::time::Duration,
    grace: std::time::Duration,
    blobs: blobs::Blobs,
    state: Arc<State>,
    readers: Readers,
    /// Rows of objects.
    objects: Arc<Hot<(BucketName, ObjectKey), Object>>,
    bodies: Arc<read::BodyReader>,
    memory: staging::StagingMemory,
    /// `None` once it is closed.
    renewal: tokio::sync::Mutex<snapshot::Renewal>,
    checkpoints: Arc<tokio::sync::Mutex<db::Checkpoints>>,
    /// What was damaged of the index when the store was opened, and is made again.
    found_at_start: Mutex<Option<Found>>,
    /// Of a store that is only looked at.
    looks_at: Option<looking::LooksAt>,
    requests: RwLock<Option<mpsc::Sender<Request>>>,
    tasks: Mutex<Option<(oneshot::Receiver<()>, JoinHandle<SqliteConnection>)>>,
}

/// A folder that is open, and its index.
struct Opened {
    folder: Arc<folder::Folder>,
    clock: Clock,
    state: Arc<State>,
    readers: Readers,
    checkpoints: Arc<tokio::sync::Mutex<db::Checkpoints>>,
    renewal: snapshot::Renewal,
    found_at_start: Option<Found>,
}

impl Opened {
    /// Without a writer: every change is refused.
    fn into_inner(self, config: &StoreConfig) -> Inner {
        let (folder, state) = (self.folder, self.state);
        let bodies = read::BodyReader {
            places: folder.places().clone(),
            segments: OpenSegments::default(),
            memory: read::ReadMemory::default(),
            kept: KeptBodies::in_memory(&state.memory),
        };
        let objects = (state.memory).kind(HOT_ROWS_BYTES, HOT_ROW_BYTES, Object::weight_bytes);
        Inner {
            clock: self.clock,
            multipart_expires: config.multipart_expires,
            grace: config.grace,
            blobs: blobs::Blobs::in_folder(folder.blobs().clone()),
            folder,
            state,
            readers: self.readers,
            objects,
            bodies: Arc::new(bodies),
            memory: staging::StagingMemory::default(),
            renewal: tokio::sync::Mutex::new(self.renewal),
            checkpoints: self.checkpoints,
            found_at_start: Mutex::new(self.found_at_start),
            looks_at: None,
            requests: RwLock::new(None),
            tasks: Mutex::new(None),
        }
    }
}

impl Store {
    /// Makes or opens the folder, takes its lock, migrates, replays the log.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(
        config: StoreConfig,
        clock: Clock,
        registered: Registered,
    ) -> Result<Self, OpenError> {
        let progress = Progress::default();
        let opened = Self::open_from(config, clock, registered, Source::Index, &progress).await;
        opened.map(|(store, _)| store)
    }

    /// As [`Store::open`], with rows from elsewhere than the index that is there, which is set aside. `progress` is told
    /// in bytes of the log. Answers how the index was made, where it was.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open_from(
        config: StoreConfig,
        clock: Clock,
        registered: Registered,
        source: Source,
        progress: &Progress,
    ) -> Result<(Self, Option<Rebuilt>), OpenError> {
        let folder = Arc::new(folder::Folder::open(
            &config.data_dir,
            config.allow_unsafe_fs,
            config.min_free_bytes,
        )?);
        let mut file = IndexFile::of(&folder)
            .map_err(|error| replay::database_trouble(&error, error::is_full(&error)))?;
        let replay = async |file: &mut IndexFile| {
            replay::replay(&folder, &clock, &registered.effects, source, progress, file).await
        };
        let mut replayed = replay(&mut file).await;
        if matches!(replayed, Err(OpenError::Full(_))) && folder.space().let_go() {
            replayed = replay(&mut file).await;
        }
        if replayed.is_err() && file.damage.is_found() {
            // It was found on the way: from here on the index is made again.
            file.damage.try_again();
            replayed = replay(&mut file).await;
        }
        let replayed = replayed?;
        let (rebuilt, damage) = (replayed.rebuilt, file.damage.clone());
        match Self::over(replayed, file, &folder, &config, &clock, &registered).await {
            Err(_) if damage.is_found() => {}
            opened => return Ok((opened?, rebuilt)),
        }
        // As above.
        drop(damage);
        let mut file = IndexFile::of(&folder)
            .map_err(|error| replay::database_trouble(&error, error::is_full(&error)))?;
        let replayed = replay(&mut file).await?;
        let rebuilt = replayed.rebuilt;
        let store = Self::over(replayed, file, &folder, &config, &clock, &registered).await?;
        Ok((store, rebuilt))
    }

    async fn over(
        replayed: replay::Replayed,
        file: IndexFile,
        folder: &Arc<folder::Folder>,
        config: &StoreConfig,
        clock: &Clock,
        registered: &Registered,
    ) -> Result<Self, OpenError> {
        let replay::Replayed {
            log,
            mut index,
            rebuilt,
        } = replayed;
        let IndexFile {
            damage: index_damage,
            checkpoints,
            ..
        } = file;
        let checkpoints = Arc::new(tokio::sync::Mutex::new(checkpoints));
        let found_at_start = index_damage.found();
        let cannot = |error: &sqlx::Error| replay::database_trouble(error, db::is_full(error));
        if rebuilt.is_some() {
            folder.remove_run();
            remember(folder, &checkpoints, None)
                .await
                .map_err(|error| cannot(&error))?;
            let made = checkpoints.lock().await.is_made();
            made.and_then(|()| index_damage.is_made_again())
                .map_err(|error| replay::database_trouble(&error, error::is_full(&error)))?;
        }
        let buckets = index::buckets(&mut index)
            .await
            .map_err(|error| cannot(&error))?;
        let space = folder.space().clone();
        let state = State::of(buckets, space, index_damage);
        let state = Arc::new(state.with_hook(registered.hook.clone()));
        state.set_foreign_files(foreign_files(&folder.data_dir()));
        let database = folder.database();
        let readers = db::open_readers(&database)
            .await
            .map_err(|error| cannot(&error))?;
        let planning_reader = db::open_reader(&database)
            .await
            .map_err(|error| cannot(&error))?;
        let blobs = folder.blobs().clone();
        let renewal = snapshot::Renewal::after(folder.home(), log.id()).await;
        let (requests, requested) = mpsc::channel(queue::PLACES);
        let (logged, groups) = mpsc::channel(1);
        let (released, releases) = mpsc::unbounded_channel();
        let indexer = indexer::Indexer {
            groups,
            index,
            effects: registered.effects.clone().into(),
            log: log.id(),
            committed: log.end().sequence,
            state: state.clone(),
            checkpoints: checkpoints.clone(),
            released,
        };
        let planner = Planner {
            view: ReadView::own(planning_reader),
            state: state.clone(),
            clock: clock.clone(),
        };
        let writer = writer::Writer {
            requests: requested,
            log,
            planner,
            blobs,
            state: state.clone(),
            indexer: logged,
            released: releases,
        };
        let writing = writer.start().map_err(|error| {
            let why = "the writer's thread cannot be started";
            OpenError::Refused(format!("{why}: {error}; allow more processes (ulimit -u)"))
        })?;
        let tasks = (writing, tokio::spawn(indexer.run()));
        let opened = Opened {
            folder: folder.clone(),
            clock: clock.clone(),
            state,
            readers,
            checkpoints,
            renewal,
            found_at_start,
        };
        let inner = Inner {
            requests: RwLock::new(Some(requests)),
            tasks: Mutex::new(Some(tasks)),
            ..opened.into_inner(config)
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// For looking up rows of other modules.
    ///
    /// # Errors
    /// `Unavailable` when the index does not answer.
    pub async fn read_view(&self) -> Result<ReadView, StoreError> {
        Ok(ReadView::pooled(self.inner.readers.acquire().await?))
    }

    /// # Errors
    /// See [`StoreError`].
    pub async fn create_bucket(&self, name: BucketName) -> Result<BucketCreation, StoreError> {
        self.create_bucket_with(name, BTreeMap::new()).await
    }

    /// Makes a bucket together with what is set of it. One that is there keeps what it has.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn create_bucket_with(
        &self,
        name: BucketName,
        settings: BTreeMap<BucketSetting, String>,
    ) -> Result<BucketCreation, StoreError> {
        let names = vec![RowLock::exclusive_bucket(&name)];
        let work = Work::CreateBucket {
            bucket: name,
            settings,
        };
        Ok(match self.ask(names, work).await? {
            Some(_) => BucketCreation::Created,
            None => BucketCreation::AlreadyThere,
        })
    }

    /// From memory.
    #[must_use]
    pub fn bucket(&self, name: &BucketName) -> Option<Bucket> {
        self.inner.state.bucket(name)
    }

    /// From memory, by name.
    #[must_use]
    pub fn buckets(&self) -> Vec<Bucket> {
        self.inner.state.buckets()
    }

    /// # Errors
    /// `NoSuchBucket`, `BucketNotEmpty` while it holds an object. Uploads under way go with it.
    pub async fn delete_bucket(&self, name: BucketName) -> Result<(), StoreError> {
        let names = vec![RowLock::exclusive_bucket(&name)];
        self.ask(names, Work::DeleteBucket(name)).await.map(drop)
    }

    /// Sets (or, with `None`, removes) one of a bucket's documents. The text is kept as it is.
    ///
    /// # Errors
    /// `NoSuchBucket`, …
    pub async fn set_bucket(
        &self,
        name: BucketName,
        setting: BucketSetting,
        document: Option<String>,
    ) -> Result<(), StoreError> {
        let names = RowLock::of_setting(&name, setting);
        let work = Work::SetBucket {
            bucket: name,
            setting,
            document,
        };
        self.ask(names, work).await.map(drop)
    }

    /// Begins to take a body of at most `limit_bytes`.
    #[must_use]
    pub fn stage(&self, wanted: &Wanted, limit_bytes: u64) -> Staging {
        Staging::new(
            self.inner.memory.clone(),
            self.inner.blobs.clone(),
            self.inner.state.space.clone(),
            wanted.clone(),
            limit_bytes,
        )
    }

    /// The locks for an object that comes to a key.
    fn names_of_new(&self, bucket: &BucketName, key: &ObjectKey) -> Vec<RowLock> {
        let mut names = RowLock::of_object(bucket, key);
        if let Some(hook) = self.inner.state.hook() {
            let rows = hook.rows(bucket, key);
            names.extend(rows.iter().map(|row| RowLock::row(row)));
        }
        names
    }

    /// The only way in which a key gets new bytes. When it answers `Ok`, they are on disk.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn commit(
        &self,
        target: Target,
        sealed: Sealed,
        precondition: WritePrecondition,
    ) -> Result<Committed, StoreError> {
        let names = self.names_of_new(&target.bucket, &target.key);
        let etag = sealed.etag();
        let new = NewBytes {
            target,
            sealed,
            precondition,
        };
        let recorded = self.change(names, Work::Put(Box::new(new))).await?;
        Ok(Committed::new(etag, recorded.at, recorded.sequence))
    }

    /// Makes the bytes of `source` (as it was looked up, whatever became of it since) the object of another key, or of
    /// its own with other metadata, without moving them. The copy has the source's `ETag` and its parts.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub async fn copy(
        &self,
        source: &Object,
        target: Target,
        precondition: WritePrecondition,
        effect: Option<Effect>,
    ) -> Result<Committed, StoreError> {
        let parts = match self.object_parts(source).await {
            Ok(parts) => parts.map(|parts| parts.of_copy(source, &target.meta)),
            // It was replaced since: its bytes are there, of what parts they were made is not known any more.
            Err(StoreError::UploadChanged) => None,
            Err(error) => return Err(error),
        };
        let Target { bucket, key, meta } = target;
        let mut names = self.names_of_new(&bucket, &key);
        names.extend(RowLock::of_effect(effect.as_ref()));
        let copied = Copied {
            bucket,
            key,
            etag: source.etag.clone(),
            size_bytes: source.size_bytes,
            extents: source.content.extents.clone(),
            meta,
            parts,
        };
        let work = Work::Copy {
            copied: Box::new(copied),
            source: source.content.clone(),
            precondition,
            effect,
        };
        let recorded = self.change(names, work).await?;
        Ok(Committed::new(
            source.etag.clone(),
            recorded.at,
            recorded.sequence,
        ))
    }

    /// Deletes whichever object of the key there is.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn delete(&self, bucket: BucketName, key: ObjectKey) -> Result<Deletion, StoreError> {
        self.delete_which(bucket, key, Which::Current).await
    }

    /// Deletes exactly this object: not what took its place since it was looked up, and not with other tags.
    ///
    /// # Errors
    /// `PreconditionFailed` where another is there now.
    pub async fn delete_this(&self, object: &Object) -> Result<Deletion, StoreError> {
        self.delete_which(
            object.bucket.clone(),
            object.key.clone(),
            Which::as_seen(object),
        )
        .await
    }

    async fn delete_which(
        &self,
        bucket: BucketName,
        key: ObjectKey,
        which: Which,
    ) -> Result<Deletion, StoreError> {
        let names = RowLock::of_object(&bucket, &key);
        let work = Work::Delete { bucket, key, which };
        Ok(match self.ask(names, work).await? {
            Some(_) => Deletion::Deleted,
            None => Deletion::WasAbsent,
        })
    }

    /// Deletes the object of a key, if there is one, together with a row of the caller's own: one record for both.
    /// `rows` names those that `check` reads and changes; it runs as in [`Store::record`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn delete_with<C>(
        &self,
        bucket: BucketName,
        key: ObjectKey,
        rows: Vec<String>,
        check: C,
    ) -> Result<bool, StoreError>
    where
        C: for<'v> FnOnce(&'v mut ReadView) -> BoxFuture<'v, Result<Option<Effect>, StoreError>>
            + Send
            + 'static,
    {
        let check: Check = Box::new(move |view| {
            let checking = check(view);
            Box::pin(async move {
                checking.await.map_err(|error| {
                    tracing::warn!(%error, "the check of an object that is to be deleted failed");
                    Refused
                })
            })
        });
        let mut locks = RowLock::of_object(&bucket, &key);
        locks.extend(rows.iter().map(|row| RowLock::row(row)));
        let work = Work::DeleteWith { bucket, key, check };
        Ok(self.ask(locks, work).await?.is_some())
    }

    /// Sets (or, with `None`, removes) an object's tags (`k=v&k2=v2`); nothing else of it changes, its sequence included.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchKey`, …
    pub async fn set_tags(
        &self,
        bucket: BucketName,
        key: ObjectKey,
        tagging: Option<String>,
    ) -> Result<(), StoreError> {
        self.set_tags_of(bucket, key, Which::Current, tagging).await
    }

    /// The same for exactly this object: not for what took its place since it was looked up, and not with other tags.
    ///
    /// # Errors
    /// `PreconditionFailed` where another is there now.
    pub async fn set_tags_of_this(
        &self,
        object: &Object,
        tagging: Option<String>,
    ) -> Result<(), StoreError> {
        let this = Which::as_seen(object);
        self.set_tags_of(object.bucket.clone(), object.key.clone(), this, tagging)
            .await
    }

    async fn set_tags_of(
        &self,
        bucket: BucketName,
        key: ObjectKey,
        which: Which,
        tagging: Option<String>,
    ) -> Result<(), StoreError> {
        let names = RowLock::of_object(&bucket, &key);
        let work = Work::SetTags {
            bucket,
            key,
            which,
            tagging,
        };
        self.ask(names, work).await.map(drop)
    }

    /// Changes rows of the caller's own. `rows` names those that it reads and changes; `check` runs in the writer's order
    /// of arrival, against an index in which no change of those rows is under way.
    ///
    /// # Errors
    /// `Refused` with the answer of the check, or the store's own error.
    pub async fn record<T, E, C>(&self, rows: Vec<String>, check: C) -> Result<T, RecordError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
        C: for<'v> FnOnce(&'v mut ReadView) -> BoxFuture<'v, Result<Decision<T>, E>>
            + Send
            + 'static,
    {
        let decided: Arc<Mutex<Option<Result<T, E>>>> = Arc::default();
        let told = decided.clone();
        let check: Check = Box::new(move |view| {
            let checking = check(view);
            Box::pin(async move {
                let (answer, effect) = match checking.await {
                    Ok(Decision { effect, answer }) => (Ok(answer), Ok(effect)),
                    Err(refusal) => (Err(refusal), Err(Refused)),
                };
                *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
                effect
            })
        });
        let locks = rows.iter().map(|row| RowLock::row(row)).collect();
        self.ask(locks, Work::Check(check))
            .await
            .map_err(RecordError::Store)?;
        let decided = decided
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match decided {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(refusal)) => Err(RecordError::Refused(refusal)),
            None => Err(RecordError::Store(stopped())),
        }
    }

    /// Records an effect that needs no check (a new row under a new id).
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn record_new(&self, effect: Effect) -> Result<(), StoreError> {
        let names = effect.rows.iter().map(|row| RowLock::row(row)).collect();
        self.ask(names, Work::New(effect)).await.map(drop)
    }

    /// Asks the writer for a change; `None`: there was nothing to record.
    async fn ask(&self, names: Vec<RowLock>, work: Work) -> Result<Option<Recorded>, StoreError> {
        let requests = self.inner.requests.read();
        let requests = requests
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .ok_or_else(stopped)?;
        let (answer, answered) = oneshot::channel();
        let place = tokio::time::timeout(QUEUE_PATIENCE, requests.reserve());
        let place = place.await.map_err(|_| overloaded())?;
        place.map_err(|_| stopped())?.send(Request {
            locks: names,
            work,
            answer,
        });
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Asks for a change that is refused or recorded.
    async fn change(&self, names: Vec<RowLock>, work: Work) -> Result<Recorded, StoreError> {
        self.ask(names, work).await?.ok_or_else(|| {
            StoreError::Unavailable("the writer recorded nothing of a change".to_owned())
        })
    }

    /// The current object of a key.
    ///
    /// # Errors
    /// `Unavailable` when the index does not answer.
    pub async fn object(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> Result<Option<Object>, StoreError> {
        let inner = &self.inner;
        if let Some(object) = inner.objects.get(&object::At(bucket, key)) {
            return Ok(Some(object));
        }
        let stamp = self.stamp_of_object(bucket, key);
        let mut connection = inner.readers.acquire().await?;
        let object = index::object(&mut connection, bucket, key).await?;
        if let Some(object) = &object {
            inner.state.use_content(&object.content);
            let at = (bucket.clone(), key.clone());
            inner.objects.keep(at, stamp, object.clone());
        }
        Ok(object)
    }

    /// Reads a range of an object, verified (`None`: all of it).
    ///
    /// # Errors
    /// `Damaged` when the first piece is; later damage comes in the stream.
    pub async fn read(
        &self,
        object: &Object,
        range: Option<ByteRange>,
    ) -> Result<Reading, StoreError> {
        let range = range.unwrap_or_else(|| object.whole());
        let bodies = self.inner.bodies.clone();
        if object.size_bytes <= SMALL_BYTES {
            return bodies.read_small(object, range).await;
        }
        bodies.read(object.content.clone(), range).await
    }

    /// An object's bytes for an answer that may be given again; `None` where it is not small.
    #[must_use]
    pub fn small_body(&self, object: &Object) -> Option<SmallBody> {
        SmallBody::of(object, &self.inner.bodies)
    }

    /// Reads all of an object (or a range of it), verified, for digests that were not stored with it.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn digest(
        &self,
        object: &Object,
        range: Option<ByteRange>,
        wanted: &Wanted,
    ) -> Result<Digests, StoreError> {
        let is_whole = range.is_none();
        let range = range.unwrap_or_else(|| object.whole());
        let bodies = self.inner.bodies.clone();
        let digests = (bodies.digest(object.content.clone(), range, wanted)).await?;
        // An object of parts has another tag.
        let is_md5 = !object.etag.as_str().contains('-');
        if is_whole && is_md5 && ETag::from_md5(digests.md5) != object.etag {
            let why = "an object's bytes are not those that its ETag names";
            return Err(StoreError::Damaged(why.to_owned()));
        }
        Ok(digests)
    }

    /// # Errors
    /// `NoSuchBucket`, or `Unavailable` when the index does not answer.
    pub async fn list(
        &self,
        bucket: &BucketName,
        request: &ListRequest,
    ) -> Result<ListedPage, StoreError> {
        if !self.inner.state.has_bucket(bucket) {
            return Err(StoreError::NoSuchBucket);
        }
        let mut connection = self.inner.readers.acquire().await?;
        Ok(listing::list(&mut connection, bucket, request).await?)
    }

    /// A page of whole objects, for looking at each: in order of their keys, those that begin with `prefix` and come
    /// after `after`, at most `max`. A page that is not full is the last.
    ///
    /// # Errors
    /// `NoSuchBucket`, or `Unavailable` when the index does not answer.
    pub async fn sweep_page(
        &self,
        bucket: &BucketName,
        after: Option<&str>,
        prefix: &str,
        max: u32,
    ) -> Result<Vec<Object>, StoreError> {
        if !self.inner.state.has_bucket(bucket) {
            return Err(StoreError::NoSuchBucket);
        }
        let after = after.filter(|after| *after >= prefix);
        let from = (after.unwrap_or(prefix), after);
        let end = listing::successor(prefix);
        let mut connection = self.inner.readers.acquire().await?;
        Ok(index::objects(&mut connection, bucket, from, end.as_deref(), max).await?)
    }

    #[must_use]
    pub fn health(&self) -> Health {
        Health {
            failed: self.inner.state.failure(),
            warnings: self.inner.state.warnings(),
        }
    }

    /// The buckets that everybody gains from by their policies, and what.
    #[must_use]
    pub fn open_buckets(&self) -> Vec<(BucketName, Opening)> {
        self.inner.state.open_buckets()
    }

    /// Finds out whether uploads are taken, where an upload that failed has made that doubtful. To be asked before
    /// [`Store::health`].
    pub async fn examine_disk(&self) {
        let space = self.inner.state.space.clone();
        if space.wants_examining() {
            drop(tokio::task::spawn_blocking(move || space.examine()).await);
        }
    }

    /// Looks at what changes without hangar: how much is free on the disk, and what else lies in the data folder.
    pub async fn look_at_folder(&self) {
        self.examine_disk().await;
        let (inner, now) = (self.inner.clone(), self.inner.clock.elapsed());
        let look = move || {
            inner.state.space.sample(now);
            let data_dir = inner.folder.data_dir();
            inner.state.set_foreign_files(foreign_files(&data_dir));
        };
        drop(tokio::task::spawn_blocking(look).await);
    }

    /// Answers once something was found out of the disk that may be worth a warning.
    pub async fn disk_news(&self) {
        self.inner.state.space.news().await;
    }

    /// Whether the index answers a query now.
    pub async fn answers(&self) -> bool {
        match self.inner.readers.acquire().await {
            Ok(mut connection) => index::buckets(&mut connection).await.is_ok(),
            Err(_) => false,
        }
    }

    /// `HANGAR_GRACE`
    #[must_use]
    pub fn grace(&self) -> std::time::Duration {
        self.inner.grace
    }

    /// Whether less is free than `HANGAR_MIN_FREE`, or the disk was found full.
    #[must_use]
    pub fn is_nearly_full(&self) -> bool {
        !self.inner.state.space.admits_bytes()
    }

    /// By the store's clock.
    #[must_use]
    pub fn now(&self) -> crate::clock::Timestamp {
        self.inner.clock.now()
    }

    /// `DATA/@hangar`
    #[must_use]
    pub fn home(&self) -> &std::path::Path {
        self.home_dir().path()
    }

    /// `DATA/@hangar`, held open.
    #[must_use]
    pub fn home_dir(&self) -> &Dir {
        self.inner.folder.home()
    }

    /// Writes `run`, by which commands find the server that holds this folder.
    ///
    /// # Errors
    /// `Unavailable` or `Full`.
    pub async fn announce(&self, text: &str) -> Result<(), StoreError> {
        let folder = &self.inner.folder;
        let checkpoints = &self.inner.checkpoints;
        // A server has said it in its log.
        drop(self.take_found_at_start());
        match announce(folder, checkpoints, text).await {
            Err(StoreError::Full) if folder.space().let_go() => {
                announce(folder, checkpoints, text).await
            }
            announced => announced,
        }
    }

    /// Makes a snapshot of the index where one is due, for a start that cannot trust the index.
    ///
    /// # Errors
    /// When there is no room for it, or the folder does not take it.
    pub async fn renew_snapshot(&self) -> Result<(), StoreError> {
        let inner = &self.inner;
        let mut renewal = inner.renewal.lock().await;
        if !inner.state.space.admits_bytes() {
            return Ok(());
        }
        let mut connection = inner.readers.acquire().await?;
        let position = index::position(&mut connection).await?;
        drop(connection);
        let (now, folder) = (inner.clock.elapsed(), &inner.folder);
        let is_due = |(_, end)| renewal.is_due(folder, now, end);
        if !position
            .map_or(Ok(false), is_due)
            .map_err(|error| unavailable(&error))?
        {
            return Ok(());
        }
        renewal.was_tried(now);
        let taken = snapshot::take(&folder.database(), folder.home(), None).await;
        renewal.was_taken(&taken.map_err(|error| StoreError::Unavailable(error.to_string()))?);
        Ok(())
    }

    /// Puts a new snapshot in a damaged one's place, where there is room for one.
    async fn replace_snapshot(&self, damaged: &str) -> Result<(), StoreError> {
        let inner = &self.inner;
        let home = inner.folder.home();
        let mut renewal = inner.renewal.lock().await;
        if inner.state.space.admits_bytes() {
            let taken = snapshot::take(&inner.folder.database(), home, None).await;
            let taken = taken.map_err(|error| StoreError::Unavailable(error.to_string()))?;
            renewal.was_taken(&taken);
            if taken.name == damaged {
                return Ok(());
            }
        }
        folder::remove_database(home, damaged).map_err(|error| unavailable(&error))
    }

    /// The last snapshot, where it does not take long.
    async fn leave_snapshot(&self, index: &mut SqliteConnection) {
        const PATIENCE: std::time::Duration = std::time::Duration::from_secs(3);
        let (inner, until) = (&self.inner, std::time::Instant::now() + PATIENCE);
        let mut renewal = inner.renewal.lock().await;
        let position = index::position(index).await;
        let is_behind = matches!(position, Ok(Some((_, end))) if renewal.is_behind(end));
        if !is_behind || inner.state.failure().is_some() || !inner.state.space.admits_bytes() {
            return;
        }
        let folder = &inner.folder;
        match snapshot::take(&folder.database(), folder.home(), Some(until)).await {
            Ok(taken) => renewal.was_taken(&taken),
            Err(error) => tracing::debug!(%error, "no snapshot was left"),
        }
    }

    /// Has the database say that it was left by a clean stop, and leaves it without a journal. A damaged one is left as
    /// it is.
    async fn leave_index(&self, index: &mut SqliteConnection) -> Result<(), db::CheckpointError> {
        let inner = &self.inner;
        if inner.state.index_damage.is_found() {
            return Ok(());
        }
        remember(&inner.folder, &inner.checkpoints, None).await?;
        inner.folder.remove_run();
        let position = index::position(index).await?;
        let sequence = position.map_or(0, |(_, end)| end.sequence);
        let mut checkpoints = inner.checkpoints.lock().await;
        if (checkpoints.checkpoint(index, sequence, db::Leaves::Nothing)).await? {
            db::set_checkpoint_on_close(index, true).await?;
        }
        Ok(())
    }

    fn take_found_at_start(&self) -> Option<Found> {
        let mut found = (self.inner.found_at_start.lock()).unwrap_or_else(PoisonError::into_inner);
        found.take()
    }

    #[must_use]
    pub fn is_index_damaged(&self) -> bool {
        self.inner.state.index_damage.is_found()
    }

    /// Answers once damage of the index is found: then the store is to be closed, and opened again.
    pub async fn index_is_damaged(&self) {
        self.inner.state.index_damage.wait().await;
    }

    /// Stops the writer once what is queued is on disk, and leaves the folder as a clean stop does.
    pub async fn close(&self) {
        self.inner.state.index_damage.report_postponed();
        drop(
            self.inner
                .requests
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        let tasks = self
            .inner
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some((writer, indexer)) = tasks else {
            return;
        };
        if let Err(error) = writer.await {
            tracing::error!(%error, "the writer stopped before its time");
        }
        self.inner.readers.close().await;
        match indexer.await {
            Ok(mut index) => {
                self.leave_snapshot(&mut index).await;
                if let Err(error) = self.leave_index(&mut index).await {
                    let error: &dyn std::error::Error = &error;
                    let cause = error.source().map(ToString::to_string);
                    tracing::warn!(%error, cause, "could not leave the database as a clean stop does");
                }
                drop(index.close().await);
                self.inner.folder.release();
            }
            Err(error) => tracing::error!(%error, "the indexer stopped before its time"),
        }
    }
}

async fn announce(
    folder: &folder::Folder,
    checkpoints: &tokio::sync::Mutex<db::Checkpoints>,
    text: &str,
) -> Result<(), StoreError> {
    let identity = folder
        .write_run(text)
        .map_err(|error| unavailable(&error))?;
    remember(folder, checkpoints, Some(identity))
        .await
        .map_err(StoreError::from)
}

/// Tells the index which files it lies beside, and that for sure: a power cut must not make them look like copies.
async fn remember(
    folder: &folder::Folder,
    checkpoints: &tokio::sync::Mutex<db::Checkpoints>,
    run: Option<folder::Identity>,
) -> Result<(), sqlx::Error> {
    // No checkpoint moves what it did not note.
    let mut checkpoints = checkpoints.lock().await;
    let owner = damage::owner(folder).map_err(sqlx::Error::Io)?;
    checkpoints.set_owner(owner).map_err(sqlx::Error::Io)?;
    let database = folder::identity(folder.home(), folder::DATABASE).map_err(sqlx::Error::Io)?;
    let database = database.ok_or_else(|| sqlx::Error::Io(std::io::ErrorKind::NotFound.into()))?;
    let mut index = db::open_durable(&folder.database()).await?;
    index::set_identities(&mut index, database, run).await?;
    index.close().await
}
