//! The vault: objects in buckets, kept in an append-only log with SQLite as its index.
use crate::clock::{Clock, Timestamp};
use crate::db::Readers;
use crate::s3::checksum::{Checksum, Wanted};
use crate::s3::conditional::WritePrecondition;
use crate::s3::range::ByteRange;
use crate::s3::{BucketName, ETag, ObjectKey};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::path::PathBuf;

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
#[derive(Debug, thiserror::Error)]
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
    pub meta: std::sync::Arc<ObjectMeta>,
    pub sequence: u64,
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
#[derive(Debug, Clone, Default)]
pub struct ListPage {
    pub objects: Vec<Object>,
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
/// Bytes on their way in. Dropping it removes what was staged.
pub struct Staging {}
impl Staging {
    /// # Errors
    /// `TooLong` past the limit, or the disk's trouble.
    pub async fn write(&mut self, _bytes: Bytes) -> Result<(), StageError> {
        todo!()
    }
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        todo!()
    }
    /// # Errors
    /// The first thing of `expected` that does not hold.
    pub async fn seal(self, _expected: &Expected) -> Result<Sealed, StageError> {
        todo!()
    }
}
/// Proof: these bytes are staged whole and their length and checksums held. Only [`Staging::seal`] makes it.
pub struct Sealed {}
impl Sealed {
    #[must_use]
    pub fn etag(&self) -> ETag {
        todo!()
    }
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        todo!()
    }
    /// The first bytes of the body (up to 512), to judge what it is.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        todo!()
    }
    /// The checksums that were computed because `Wanted` named them.
    #[must_use]
    pub fn checksums(&self) -> &[Checksum] {
        todo!()
    }
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
pub struct Store {}
impl Store {
    /// Makes or opens the folder, takes its lock, migrates, replays the log.
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(
        _config: StoreConfig,
        _clock: Clock,
        _effects: Vec<EffectKind>,
    ) -> Result<Self, OpenError> {
        todo!()
    }
    #[must_use]
    pub fn readers(&self) -> Readers {
        todo!()
    }
    /// # Errors
    /// See [`StoreError`].
    pub async fn create_bucket(&self, _name: BucketName) -> Result<BucketCreation, StoreError> {
        todo!()
    }
    /// From memory.
    #[must_use]
    pub fn bucket(&self, _name: &BucketName) -> Option<Bucket> {
        todo!()
    }
    /// From memory, by name.
    #[must_use]
    pub fn buckets(&self) -> Vec<Bucket> {
        todo!()
    }
    /// Begins to take a body of at most `limit_bytes`.
    #[must_use]
    pub fn stage(&self, _wanted: Wanted, _limit_bytes: u64) -> Staging {
        todo!()
    }
    /// The only way in which a key gets new bytes. When it answers `Ok`, they are on disk.
    /// # Errors
    /// See [`StoreError`].
    pub async fn commit(
        &self,
        _target: Target,
        _sealed: Sealed,
        _precondition: WritePrecondition,
        _effect: Option<Effect>,
    ) -> Result<Committed, StoreError> {
        todo!()
    }
    /// # Errors
    /// See [`StoreError`].
    pub async fn delete(
        &self,
        _bucket: BucketName,
        _key: ObjectKey,
        _precondition: WritePrecondition,
    ) -> Result<Deletion, StoreError> {
        todo!()
    }
    /// Changes rows of the caller's own. `names` are the rows that it judges and touches; `judge` runs in the writer's
    /// order of arrival, against a database in which no change of those rows is under way.
    /// # Errors
    /// `Refused` with what the judge answered, or the store's trouble.
    pub async fn record<T, E, J>(&self, _names: Vec<String>, _judge: J) -> Result<T, RecordError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
        J: for<'c> FnOnce(&'c mut sqlx::SqliteConnection) -> BoxFuture<'c, Result<Judged<T>, E>>
            + Send
            + 'static,
    {
        todo!()
    }
    /// Records an effect that needs no judging (a new row under a new id).
    /// # Errors
    /// See [`StoreError`].
    pub async fn record_new(&self, _effect: Effect) -> Result<(), StoreError> {
        todo!()
    }
    /// The current object of a key.
    /// # Errors
    /// `Unavailable` when the index does not answer.
    pub async fn object(
        &self,
        _bucket: &BucketName,
        _key: &ObjectKey,
    ) -> Result<Option<Object>, StoreError> {
        todo!()
    }
    /// Reads a range of an object, verified (`None`: all of it).
    /// # Errors
    /// `Damaged` when the first piece is; later damage comes in the stream.
    pub async fn read(
        &self,
        _object: &Object,
        _range: Option<ByteRange>,
    ) -> Result<Reading, StoreError> {
        todo!()
    }
    /// # Errors
    /// See [`StoreError`].
    pub async fn list(
        &self,
        _bucket: &BucketName,
        _request: &ListRequest,
    ) -> Result<ListPage, StoreError> {
        todo!()
    }
    #[must_use]
    pub fn health(&self) -> Health {
        todo!()
    }
    /// Whether the index answers a query now.
    pub async fn answers(&self) -> bool {
        todo!()
    }
    /// `DATA/@hangar`, for `run` and `keys`.
    #[must_use]
    pub fn home(&self) -> &std::path::Path {
        todo!()
    }
    /// Stops the writer once what is queued is on disk.
    pub async fn close(&self) {
        todo!()
    }
}
