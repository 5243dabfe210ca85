//! The vault: objects in buckets, kept in an append-only log with SQLite as its index.
//!
//! **An answer of success means: it is on disk.** Every change is one record of the log ([`record`]), written and synced
//! in groups by one task ([`writer`]) and then applied to the index in one transaction. A crash, a power cut or a cut
//! connection leave the old state or the new one. At start the log is replayed from where the index stands ([`replay`]).
//!
//! What it refuses to know: assets, users, tokens. Their changes travel in the same records as [`Effect`]s and are
//! applied by the functions that their owners registered.

mod blobs;
mod folder;
mod listing;
mod log;
mod meta;
mod names;
mod read;
mod record;
mod replay;
mod staging;
#[cfg(test)]
mod tests;
mod writer;

pub use staging::{Sealed, Staging};

use crate::clock::{Clock, Timestamp};
use crate::db::{self, Readers};
use crate::s3::checksum::{Checksum, Wanted};
use crate::s3::conditional::WritePrecondition;
use crate::s3::range::ByteRange;
use crate::s3::{BucketName, ETag, ObjectKey};
use bytes::Bytes;
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
}

/// Why the vault cannot be opened: each text is one sentence for the administrator which says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{0}")]
    Refused(String),
    /// Another hangar holds the folder's lock.
    #[error("{0}")]
    Locked(String),
}

/// Why a change or a read did not happen.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    #[error("there is no such bucket")]
    NoSuchBucket,
    #[error("the precondition does not hold")]
    PreconditionFailed,
    /// 507: the disk is full.
    #[error("the disk is full")]
    Full,
    /// 503 with Retry-After: overload, a failed sync, a folder that cannot be written.
    #[error("storage is unavailable: {0}")]
    Unavailable(String),
    /// 500: the stored bytes are not what was stored.
    #[error("stored bytes are damaged: {0}")]
    Damaged(String),
}

/// A change of another module's own kind, carried in the same record as the store's and applied in the same
/// transaction (and again at replay) by the function registered for its kind. It holds outcomes, never something to compute.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Effect {
    /// `asset.requested`, `token.created`, …
    pub kind: std::borrow::Cow<'static, str>,
    /// The rows that it touches, as lock names (`asset:<id>`, `token:<id>`).
    pub touches: Vec<String>,
    pub data: serde_json::Value,
}
/// Applies effects of one kind. `rows` is a JSON array of `{"sequence":N,"at":MILLIS,"data":{…}}`, to be read with
/// `json_each(?)`; no two rows of one call touch the same row. Must be deterministic.
pub type ApplyEffects = for<'c> fn(
    &'c mut sqlx::SqliteConnection,
    rows: &'c str,
) -> BoxFuture<'c, Result<(), sqlx::Error>>;
#[derive(Clone, Copy)]
pub struct EffectKind {
    pub kind: &'static str,
    pub apply: ApplyEffects,
}

/// What is stored with an object's bytes and given back with them.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ObjectMeta {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// Names lower case, without `x-amz-meta-`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub user: BTreeMap<String, String>,
    /// `k=v&k2=v2`, URL-encoded, as `x-amz-tagging` has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tagging: Option<String>,
    /// Checksums to hand out under `x-amz-checksum-mode: ENABLED`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checksums: Vec<Checksum>,
}
/// Where new bytes go.
#[derive(Debug, Clone)]
pub struct Target {
    pub bucket: BucketName,
    pub key: ObjectKey,
    pub meta: ObjectMeta,
}
#[derive(Debug, Clone)]
pub struct Committed {
    pub etag: ETag,
    pub last_modified: Timestamp,
    pub sequence: u64,
}
/// An object as its row has it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Object {
    pub bucket: BucketName,
    pub key: ObjectKey,
    pub etag: ETag,
    pub size_bytes: u64,
    pub last_modified: Timestamp,
    pub meta: Arc<ObjectMeta>,
    pub sequence: u64,
    extents: Arc<[meta::Extent]>,
}
#[derive(Debug, Clone)]
pub struct Bucket {
    pub name: BucketName,
    pub created_at: Timestamp,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketCreation {
    Created,
    AlreadyThere,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    Deleted,
    WasAbsent,
}
/// What a listing asks for. Order: UTF-8 bytes.
#[derive(Debug, Clone, Default)]
pub struct ListRequest {
    pub prefix: String,
    pub delimiter: Option<String>,
    /// Strictly after this key or common prefix.
    pub after: Option<String>,
    pub max: u32,
}
/// An object as listings show it.
#[derive(Debug, Clone)]
pub struct Listed {
    pub key: ObjectKey,
    pub etag: ETag,
    pub size_bytes: u64,
    pub last_modified: Timestamp,
}
#[derive(Debug, Clone, Default)]
pub struct ListPage {
    pub objects: Vec<Listed>,
    pub common_prefixes: Vec<String>,
    /// The last key or common prefix given, where more follow.
    pub next: Option<String>,
}
/// Verified bytes of an object: the first piece is already read (so damage in it is a clean error), the rest streams.
/// An error in the stream must cut the connection.
pub struct Reading {
    pub first: Bytes,
    pub rest: futures_util::stream::BoxStream<'static, Result<Bytes, StoreError>>,
}

/// What must hold of staged bytes before they are sealed.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// Bytes, at least.
    pub min_bytes: u64,
    /// Bytes, exactly (Content-Length, x-amz-decoded-content-length).
    pub exact_bytes: Option<u64>,
    pub sha256: Option<[u8; 32]>,
    pub md5: Option<[u8; 16]>,
    pub checksums: Vec<Checksum>,
}
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// More than the limit: nothing of it is kept.
    #[error("the body is longer than {limit_bytes} bytes")]
    TooLong { limit_bytes: u64 },
    #[error("the body has {actual_bytes} bytes, fewer than {min_bytes}")]
    TooShort { actual_bytes: u64, min_bytes: u64 },
    #[error("the body has {actual_bytes} bytes, not {expected_bytes}")]
    WrongLength {
        actual_bytes: u64,
        expected_bytes: u64,
    },
    #[error("the body's SHA-256 is another")]
    Sha256Mismatch,
    #[error("the body's MD5 is another")]
    Md5Mismatch,
    #[error("the body's {0:?} checksum is another")]
    ChecksumMismatch(crate::s3::checksum::ChecksumAlgorithm),
    #[error(transparent)]
    Store(#[from] StoreError),
}
/// What readiness says.
#[derive(Debug, Clone, Default)]
pub struct Health {
    /// Why nothing can be written until a restart.
    pub failed: Option<String>,
    /// Words for the body: low disk, …
    pub warnings: Vec<String>,
}
#[derive(Debug, thiserror::Error)]
pub enum RecordError<E> {
    #[error("refused")]
    Refused(E),
    #[error(transparent)]
    Store(StoreError),
}
/// What a judge answers: the effect to record (`None`: nothing to change) and the caller's answer.
pub struct Judged<T> {
    pub effect: Option<Effect>,
    pub answer: T,
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
        let mut connection = self.inner.readers.acquire().await.map_err(index_trouble)?;
        meta::object(&mut connection, bucket, key)
            .await
            .map_err(index_trouble)
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
    ) -> Result<ListPage, StoreError> {
        if !self.inner.state.has_bucket(bucket) {
            return Err(StoreError::NoSuchBucket);
        }
        let mut connection = self.inner.readers.acquire().await.map_err(index_trouble)?;
        listing::list(&mut connection, bucket, request)
            .await
            .map_err(index_trouble)
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
            .map_err(index_trouble)
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

fn stopped() -> StoreError {
    StoreError::Unavailable("the server is stopping".to_owned())
}

fn misanswered(outcome: &Outcome) -> StoreError {
    StoreError::Unavailable(format!("the writer answered another question: {outcome:?}"))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn index_trouble(error: sqlx::Error) -> StoreError {
    StoreError::Unavailable(format!("the index does not answer: {error}"))
}

/// A full disk is 507; all other trouble of the disk is 503.
fn unavailable(error: &std::io::Error) -> StoreError {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            StoreError::Full
        }
        _ => StoreError::Unavailable(error.to_string()),
    }
}
