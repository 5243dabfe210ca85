//! The vault: objects in buckets, kept in an append-only log with SQLite as its index.
//!
//! **An answer of success means: it is on disk.** Every change is one record of the log (`record`), written and synced
//! in groups by one task (`writer`) and then applied to the index in one transaction. A crash, a power cut or a cut
//! connection leave the old state or the new one. At start the log is replayed from where the index stands (`replay`).
//!
//! What it refuses to know: assets, users, tokens. Their changes travel in the same records as [`Effect`]s and are
//! applied by the functions that their owners registered.

mod blobs;
mod effect;
mod error;
mod folder;
mod listing;
mod log;
mod meta;
mod multipart;
mod names;
mod object;
mod read;
mod record;
mod replay;
mod staging;
#[cfg(test)]
mod tests;
mod writer;

pub use effect::{ApplyEffects, Effect, EffectKind, Judged};
pub use error::{OpenError, RecordError, StageError, StoreError};
pub use multipart::{
    Completion, NewUpload, ObjectPart, ObjectParts, Part, PartPage, Upload, UploadChecksum,
    UploadId, UploadListPage, UploadListRequest,
};
pub use object::{
    Bucket, BucketCreation, Committed, Deletion, Expected, ListRequest, Object, ObjectMeta,
    Reading, Target,
};
pub use staging::{Sealed, Staging};

use error::{misanswered, stopped, unavailable};

use crate::clock::Clock;
use crate::db::{self, Readers};
use crate::s3::checksum::{Digests, Wanted};
use crate::s3::conditional::WritePrecondition;
use crate::s3::listing::ListedPage;
use crate::s3::range::ByteRange;
use crate::s3::{BucketName, BucketSetting, ObjectKey};
use futures_util::future::BoxFuture;
use names::Name;
use sqlx::{Connection, SqliteConnection};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use writer::{NewBytes, Outcome, Request, Work};

/// Settings of the vault.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// The data folder; all that hangar writes lies in `@hangar/` beneath it.
    pub data_dir: PathBuf,
    /// `HANGAR_ALLOW_UNSAFE_FS`
    pub allow_unsafe_fs: bool,
    /// `HANGAR_MULTIPART_EXPIRES`: an upload this old that nobody completed is given up.
    pub multipart_expires: std::time::Duration,
}

/// What readiness says.
#[derive(Debug, Clone, Default)]
pub struct Health {
    /// Why nothing can be written until a restart.
    pub failed: Option<String>,
    /// Words for the body: low disk, …
    pub warnings: Vec<String>,
}
/// The vault. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    folder: Arc<folder::Folder>,
    state: Arc<State>,
    readers: Readers,
    bodies: Arc<read::BodyReader>,
    memory: staging::StagingMemory,
    /// `None` once it is closed.
    requests: RwLock<Option<mpsc::Sender<Request>>>,
    tasks: Mutex<Option<(JoinHandle<()>, JoinHandle<SqliteConnection>)>>,
}

/// What the writer knows without asking the index.
#[derive(Default)]
pub(crate) struct State {
    buckets: RwLock<BTreeMap<BucketName, Bucket>>,
    failure: OnceLock<String>,
}

impl State {
    fn has_bucket(&self, name: &BucketName) -> bool {
        read_lock(&self.buckets).contains_key(name)
    }

    fn add_bucket(&self, bucket: Bucket) {
        let mut buckets = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
        buckets.insert(bucket.name.clone(), bucket);
    }

    /// Why nothing can be written any more.
    fn failure(&self) -> Option<String> {
        self.failure.get().cloned()
    }

    fn fail(&self, why: &str) {
        if self.failure.set(why.to_owned()).is_ok() {
            tracing::error!("storage takes no more writes until a restart: {why}");
        }
    }
}

fn read_lock<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    /// Makes or opens the folder, takes its lock, migrates, replays the log.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(
        config: StoreConfig,
        clock: Clock,
        effects: Vec<EffectKind>,
    ) -> Result<Self, OpenError> {
        let folder = Arc::new(folder::Folder::open(
            &config.data_dir,
            config.allow_unsafe_fs,
        )?);
        let replay::Replayed {
            log,
            mut index,
            rebuilt,
        } = replay::replay(&folder, &clock, &effects).await?;
        let cannot = |error: &dyn std::error::Error| {
            OpenError::Refused(format!(
                "the database in the data folder cannot be used: {error}"
            ))
        };
        if rebuilt {
            folder.remove_run();
            remember(&folder, None)
                .await
                .map_err(|error| cannot(&error))?;
        }
        let state = Arc::new(State::default());
        for bucket in meta::buckets(&mut index)
            .await
            .map_err(|error| cannot(&error))?
        {
            state.add_bucket(bucket);
        }
        let database = folder.database();
        let readers = db::open_readers(&database)
            .await
            .map_err(|error| cannot(&error))?;
        let judging = db::open_reader(&database)
            .await
            .map_err(|error| cannot(&error))?;
        let blobs = std::fs::File::open(folder.blobs()).map_err(|error| cannot(&error))?;
        let (requests, requested) = mpsc::channel(writer::QUEUE);
        let (logged, groups) = mpsc::channel(1);
        let (released, releases) = mpsc::unbounded_channel();
        let indexer = writer::Indexer {
            groups,
            index,
            effects: effects.into(),
            log: log.id(),
            state: state.clone(),
            released,
        };
        let writer = writer::Writer {
            requests: requested,
            end: log.end(),
            log: Some(log),
            judging,
            blobs: Arc::new(blobs),
            state: state.clone(),
            clock,
            indexer: logged,
            released: releases,
        };
        let tasks = (tokio::spawn(writer.run()), tokio::spawn(indexer.run()));
        let bodies = read::BodyReader {
            log: folder.log(),
            blobs: folder.blobs(),
            segments: log::OpenSegments::default(),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                folder,
                state,
                readers,
                bodies: Arc::new(bodies),
                memory: staging::StagingMemory::default(),
                requests: RwLock::new(Some(requests)),
                tasks: Mutex::new(Some(tasks)),
            }),
        })
    }

    /// For the statements of other modules.
    #[must_use]
    pub fn readers(&self) -> Readers {
        self.inner.readers.clone()
    }

    /// # Errors
    /// See [`StoreError`].
    pub async fn create_bucket(&self, name: BucketName) -> Result<BucketCreation, StoreError> {
        let names = vec![Name::exclusive_bucket(&name)];
        match self.ask(names, Work::CreateBucket(name)).await? {
            Outcome::Bucket(creation) => Ok(creation),
            other => Err(misanswered(&other)),
        }
    }

    /// From memory.
    #[must_use]
    pub fn bucket(&self, name: &BucketName) -> Option<Bucket> {
        read_lock(&self.inner.state.buckets).get(name).cloned()
    }

    /// From memory, by name.
    #[must_use]
    pub fn buckets(&self) -> Vec<Bucket> {
        read_lock(&self.inner.state.buckets)
            .values()
            .cloned()
            .collect()
    }

    /// Begins to take a body of at most `limit_bytes`.
    #[must_use]
    pub fn stage(&self, wanted: &Wanted, limit_bytes: u64) -> Staging {
        Staging::new(
            self.inner.memory.clone(),
            self.inner.folder.blobs(),
            wanted,
            limit_bytes,
        )
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
        effect: Option<Effect>,
    ) -> Result<Committed, StoreError> {
        let mut names = Name::of_object(&target.bucket, &target.key);
        names.extend(
            effect
                .iter()
                .flat_map(|effect| &effect.touches)
                .map(|row| Name::row(row)),
        );
        let new = NewBytes {
            target,
            sealed,
            precondition,
            effect,
        };
        let work = Work::Put(Box::new(new));
        match self.ask(names, work).await? {
            Outcome::Committed(committed) => Ok(committed),
            other => Err(misanswered(&other)),
        }
    }

    /// # Errors
    /// See [`StoreError`].
    pub async fn delete(
        &self,
        bucket: BucketName,
        key: ObjectKey,
        precondition: WritePrecondition,
    ) -> Result<Deletion, StoreError> {
        let names = Name::of_object(&bucket, &key);
        match self
            .ask(
                names,
                Work::Delete {
                    bucket,
                    key,
                    precondition,
                },
            )
            .await?
        {
            Outcome::Deleted(deletion) => Ok(deletion),
            other => Err(misanswered(&other)),
        }
    }

    /// # Errors
    /// `NoSuchBucket`, `BucketNotEmpty` while it holds an object. Uploads under way go with it.
    pub async fn delete_bucket(&self, name: BucketName) -> Result<(), StoreError> {
        todo!("{name}")
    }

    /// Sets (or, with `None`, removes) one of a bucket's documents.
    ///
    /// # Errors
    /// `NoSuchBucket`, …
    pub async fn set_bucket(
        &self,
        name: BucketName,
        setting: BucketSetting,
        document: Option<String>,
    ) -> Result<(), StoreError> {
        todo!("{name}{setting:?}{document:?}")
    }

    /// Sets (or, with `None`, removes) an object's tags (`k=v&k2=v2`); nothing else of it changes.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchKey`, …
    pub async fn set_tags(
        &self,
        bucket: BucketName,
        key: ObjectKey,
        tagging: Option<String>,
    ) -> Result<(), StoreError> {
        todo!("{bucket}{key}{tagging:?}")
    }

    /// Deletes exactly this object: not what took its place since it was looked up.
    ///
    /// # Errors
    /// `PreconditionFailed` where another is there now.
    pub async fn delete_this(
        &self,
        bucket: BucketName,
        key: ObjectKey,
        sequence: u64,
    ) -> Result<Deletion, StoreError> {
        todo!("{bucket}{key}{sequence}")
    }

    /// Makes the bytes of `source` (as it was looked up, whatever became of it since) the object of another key, or of
    /// its own with other metadata, without moving them. The copy has the source's `ETag`.
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
        todo!("{source:?}{target:?}{precondition:?}{effect:?}")
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
        todo!("{object:?}{range:?}{wanted:?}")
    }

    /// # Errors
    /// `NoSuchBucket`, …
    pub async fn create_upload(&self, new: NewUpload) -> Result<Upload, StoreError> {
        todo!("{new:?}")
    }

    /// An upload under way.
    ///
    /// # Errors
    /// `NoSuchUpload` where there is none of this id for this key.
    pub async fn upload(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        id: &UploadId,
    ) -> Result<Upload, StoreError> {
        todo!("{bucket}{key}{id:?}")
    }

    /// Makes sealed bytes part `number` (1 to 10,000) of an upload, in the place of an earlier one.
    ///
    /// # Errors
    /// `NoSuchUpload`, …
    pub async fn put_part(
        &self,
        upload: &Upload,
        number: u16,
        sealed: Sealed,
    ) -> Result<Part, StoreError> {
        todo!("{upload:?}{number}{:?}", sealed.checksums())
    }

    /// Makes a range of an object part `number` of an upload, without moving bytes; they are read for the part's MD5 and
    /// checksum.
    ///
    /// # Errors
    /// `NoSuchUpload`, …
    pub async fn copy_part(
        &self,
        upload: &Upload,
        number: u16,
        source: &Object,
        range: Option<ByteRange>,
    ) -> Result<Part, StoreError> {
        todo!("{upload:?}{number}{source:?}{range:?}")
    }

    /// The parts of an upload with numbers above `after`, in order, at most `max`.
    ///
    /// # Errors
    /// `Unavailable` when the index does not answer.
    pub async fn parts(
        &self,
        upload: &Upload,
        after: u16,
        max: u32,
    ) -> Result<PartPage, StoreError> {
        todo!("{upload:?}{after}{max}")
    }

    /// Makes the parts named the object of the upload's key; the upload and its other parts are gone. No byte moves.
    ///
    /// # Errors
    /// `NoSuchUpload`, `UploadChanged` where one of the parts was replaced since it was read, `PreconditionFailed`, …
    pub async fn complete_upload(
        &self,
        upload: &Upload,
        completion: Completion,
        precondition: WritePrecondition,
        effect: Option<Effect>,
    ) -> Result<Committed, StoreError> {
        todo!("{upload:?}{completion:?}{precondition:?}{effect:?}")
    }

    /// Gives an upload up.
    ///
    /// # Errors
    /// `NoSuchUpload`, …
    pub async fn abort_upload(
        &self,
        bucket: BucketName,
        key: ObjectKey,
        id: UploadId,
    ) -> Result<(), StoreError> {
        todo!("{bucket}{key}{id:?}")
    }

    /// # Errors
    /// `NoSuchBucket`, or `Unavailable` when the index does not answer.
    pub async fn list_uploads(
        &self,
        bucket: &BucketName,
        request: &UploadListRequest,
    ) -> Result<UploadListPage, StoreError> {
        todo!("{bucket}{request:?}")
    }

    /// The parts of an object that a multipart upload made (or a copy of one); `None` for any other.
    ///
    /// # Errors
    /// `Unavailable` when the index does not answer.
    pub async fn object_parts(&self, object: &Object) -> Result<Option<ObjectParts>, StoreError> {
        todo!("{object:?}")
    }

    /// Changes rows of the caller's own. `names` are the rows that it judges and touches; `judge` runs in the writer's
    /// order of arrival, against a database in which no change of those rows is under way.
    ///
    /// # Errors
    /// `Refused` with what the judge answered, or the store's trouble.
    pub async fn record<T, E, J>(&self, names: Vec<String>, judge: J) -> Result<T, RecordError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
        J: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<Judged<T>, E>>
            + Send
            + 'static,
    {
        let verdict: Arc<Mutex<Option<Result<T, E>>>> = Arc::default();
        let told = verdict.clone();
        let judge: writer::Judge = Box::new(move |connection| {
            let judged = judge(connection);
            Box::pin(async move {
                let (answer, effect) = match judged.await {
                    Ok(Judged { effect, answer }) => (Ok(answer), Ok(effect)),
                    Err(refusal) => (Err(refusal), Err(writer::Refused)),
                };
                *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
                effect
            })
        });
        let names = names.iter().map(|name| Name::row(name)).collect();
        self.ask(names, Work::Judge(judge))
            .await
            .map_err(RecordError::Store)?;
        let verdict = verdict
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match verdict {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(refusal)) => Err(RecordError::Refused(refusal)),
            None => Err(RecordError::Store(stopped())),
        }
    }

    /// Records an effect that needs no judging (a new row under a new id).
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn record_new(&self, effect: Effect) -> Result<(), StoreError> {
        let names = effect.touches.iter().map(|row| Name::row(row)).collect();
        self.ask(names, Work::New(effect)).await.map(drop)
    }

    async fn ask(&self, names: Vec<Name>, work: Work) -> Result<Outcome, StoreError> {
        let requests = read_lock(&self.inner.requests)
            .clone()
            .ok_or_else(stopped)?;
        let (answer, answered) = oneshot::channel();
        requests
            .send(Request {
                names,
                work,
                answer,
            })
            .await
            .map_err(|_| stopped())?;
        answered.await.unwrap_or_else(|_| Err(stopped()))
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
        let mut connection = self.inner.readers.acquire().await?;
        Ok(meta::object(&mut connection, bucket, key).await?)
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
        let range = range.unwrap_or(ByteRange {
            start: 0,
            end: object.size_bytes,
        });
        self.inner
            .bodies
            .clone()
            .read(object.extents.clone(), range)
            .await
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

    #[must_use]
    pub fn health(&self) -> Health {
        Health {
            failed: self.inner.state.failure(),
            warnings: Vec::new(),
        }
    }

    /// Whether the index answers a query now.
    pub async fn answers(&self) -> bool {
        match self.inner.readers.acquire().await {
            Ok(mut connection) => meta::buckets(&mut connection).await.is_ok(),
            Err(_) => false,
        }
    }

    /// `DATA/@hangar`
    #[must_use]
    pub fn home(&self) -> &std::path::Path {
        self.inner.folder.home()
    }

    /// Writes `run`, by which commands find the server that holds this folder.
    ///
    /// # Errors
    /// `Unavailable` or `Full`.
    pub async fn announce(&self, text: &str) -> Result<(), StoreError> {
        let folder = &self.inner.folder;
        let identity = folder
            .write_run(text)
            .map_err(|error| unavailable(&error))?;
        remember(folder, Some(identity))
            .await
            .map_err(StoreError::from)
    }

    /// Stops the writer once what is queued is on disk, and leaves the folder as a clean stop does.
    pub async fn close(&self) {
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
            Ok(index) => {
                if let Err(error) = remember(&self.inner.folder, None).await {
                    tracing::warn!(%error, "could not leave the database as a clean stop does");
                    return;
                }
                self.inner.folder.remove_run();
                drop(index.close().await);
                self.inner.folder.release();
            }
            Err(error) => tracing::error!(%error, "the indexer stopped before its time"),
        }
    }
}

/// Tells the index which files it lies beside, and that for sure: a power cut must not make them look like copies.
async fn remember(
    folder: &folder::Folder,
    run: Option<folder::Identity>,
) -> Result<(), sqlx::Error> {
    let database = folder::identity(&folder.database()).map_err(sqlx::Error::Io)?;
    let database = database.ok_or_else(|| sqlx::Error::Io(std::io::ErrorKind::NotFound.into()))?;
    let mut index = db::open_durable(&folder.database()).await?;
    meta::set_identities(&mut index, database, run).await?;
    index.close().await
}
