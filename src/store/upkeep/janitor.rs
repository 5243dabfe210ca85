//! Expiry by age: a bucket's lifecycle for objects and unfinished uploads, and `HANGAR_MULTIPART_EXPIRES` for every
//! unfinished upload.
//!
//! Guarantees: after the wall clock jumped, nothing expires until it has kept step with the monotonic clock for an
//! hour; an object that was replaced since it was looked up stays; work is done in pages, so that clients' requests are
//! not blocked. An object is deleted as a client would delete it: by a record of the log.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html>

use crate::clock::Timestamp;
use crate::s3::BucketName;
use crate::s3::lifecycle::Lifecycle;
use crate::store::content::BlobId;
use crate::store::error::StoreError;
use crate::store::journal::work::Which;
use crate::store::object::{Deletion, Object};
use crate::store::parts::vault::Vault;
use crate::store::upkeep::handle::Upkeep;
use crate::store::upload::{Upload, UploadListRequest};
use crate::telemetry::with_causes;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// How many objects, or uploads, are looked up at a time.
const PAGE: u32 = 200;
/// Concurrent deletions: enough for the log to write them in groups, and few enough not to slow down clients.
const AT_ONCE: usize = 16;

/// Deletes expired objects and uploads, and frees unreferenced bytes. One for each store.
pub struct Janitor {
    pub(in crate::store) vault: Arc<Vault>,
    wall_clock: WallClock,
    pub(in crate::store) seen: Seen,
}

/// When, by the monotonic clock, bodies and blobs were first found unreferenced.
#[derive(Debug, Default)]
pub(in crate::store) struct Seen {
    pub(in crate::store) bodies: BTreeMap<u64, Duration>,
    pub(in crate::store) blobs: HashMap<BlobId, Duration>,
    /// Blobs that a record names although the index does not know them.
    pub(in crate::store) named: HashSet<BlobId>,
}

/// Whether a sweep acts on what it finds, or only counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Do,
    /// `--dry-run`
    Tell,
}

/// Counts of what expired.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Swept {
    pub objects: u64,
    pub uploads: u64,
}

impl Upkeep {
    /// Returns the store's janitor, which watches the clock from now on.
    #[must_use]
    pub fn janitor(&self) -> Janitor {
        let clock = &self.vault.clock;
        Janitor {
            vault: self.vault.clone(),
            wall_clock: WallClock::watch(clock.now(), clock.elapsed()),
            seen: Seen::default(),
        }
    }
}

impl Janitor {
    /// The time, if the wall clock has kept step with the monotonic one for an hour.
    pub fn believed_now(&mut self) -> Option<Timestamp> {
        let clock = &self.vault.clock;
        let now = clock.now();
        self.wall_clock
            .is_believed(now, clock.elapsed())
            .then_some(now)
    }

    /// Deletes the objects and aborts the uploads that have expired at `now`.
    ///
    /// # Errors
    /// `Unavailable`, `Full`, … The next sweep does what is left.
    pub async fn end_by_age(&mut self, now: Timestamp, mode: Mode) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        for bucket in self.vault.state.buckets() {
            if let Some(lifecycle) = bucket.lifecycle() {
                let rules = Rules {
                    vault: &self.vault,
                    bucket: &bucket.name,
                    lifecycle,
                    mode,
                };
                swept.objects += count_or_log(&bucket.name, rules.expire_objects(now).await);
                swept.uploads += count_or_log(&bucket.name, rules.abort_uploads(now).await);
            }
        }
        swept.uploads += self.abort_old_uploads(now, mode).await?;
        Ok(swept)
    }

    /// `HANGAR_MULTIPART_EXPIRES`
    async fn abort_old_uploads(&self, now: Timestamp, mode: Mode) -> Result<u64, StoreError> {
        let age = i64::try_from(self.vault.multipart_expires.as_millis()).unwrap_or(i64::MAX);
        let limit = Timestamp::from_millis(now.as_millis().saturating_sub(age));
        let mut aborted = 0;
        if mode == Mode::Tell {
            let uploads = self.vault.reads.uploads_before(limit, u32::MAX).await?;
            return Ok(uploads.len() as u64);
        }
        loop {
            let uploads = self.vault.reads.uploads_before(limit, PAGE).await?;
            let found = uploads.len();
            let ended = abort(&self.vault, uploads, mode).await?;
            aborted += ended;
            if found < PAGE as usize || ended == 0 {
                return Ok(aborted);
            }
        }
    }
}

/// A bucket's lifecycle rules, as the sweep applies them.
struct Rules<'a> {
    vault: &'a Vault,
    bucket: &'a BucketName,
    lifecycle: &'a Lifecycle,
    mode: Mode,
}

impl Rules<'_> {
    /// Whether the bucket still has these rules. If they were changed meanwhile, the next sweep applies the new ones.
    fn hold(&self) -> bool {
        let bucket = self.vault.state.bucket(self.bucket);
        bucket.is_some_and(|bucket| bucket.lifecycle() == Some(self.lifecycle))
    }

    async fn expire_objects(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut expired = 0;
        for prefix in self.lifecycle.expiring_prefixes() {
            let mut after: Option<String> = None;
            while self.hold() {
                let page = self
                    .vault
                    .reads
                    .sweep_page(self.bucket, after.as_deref(), prefix, PAGE)
                    .await;
                let page = unless_gone(page)?.unwrap_or_default();
                let is_last = page.len() < PAGE as usize;
                after = page.last().map(|object| object.key.as_str().to_owned());
                let ended = page
                    .into_iter()
                    .filter(|object| self.has_ended(object, now))
                    .collect();
                expired += delete(self.vault, ended, self.mode).await?;
                if is_last {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        Ok(expired)
    }

    fn has_ended(&self, object: &Object, now: Timestamp) -> bool {
        self.lifecycle
            .expiry(&object.as_subject())
            .is_some_and(|expiry| expiry.at <= now)
    }

    async fn abort_uploads(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut aborted = 0;
        for prefix in self.lifecycle.aborting_prefixes() {
            let mut request = UploadListRequest {
                prefix: prefix.to_owned(),
                max: PAGE,
                ..UploadListRequest::default()
            };
            while self.hold() {
                let page = self.vault.reads.list_uploads(self.bucket, &request).await;
                let page = unless_gone(page)?.unwrap_or_default();
                let ended = page
                    .uploads
                    .into_iter()
                    .filter(|upload| {
                        self.lifecycle
                            .upload_expiry(upload.key.as_str(), upload.initiated_at)
                            .is_some_and(|at| at <= now)
                    })
                    .collect();
                aborted += abort(self.vault, ended, self.mode).await?;
                let Some((key, upload)) = page.next else {
                    break;
                };
                request.after_key = Some(key);
                request.after_upload = Some(upload);
                tokio::task::yield_now().await;
            }
        }
        Ok(aborted)
    }
}

/// Deletes exactly these objects, and returns how many of them still existed.
async fn delete(vault: &Vault, objects: Vec<Object>, mode: Mode) -> Result<u64, StoreError> {
    if mode == Mode::Tell {
        return Ok(objects.len() as u64);
    }
    let deleted: Vec<Option<_>> = stream::iter(objects)
        .map(|object| async move { unless_gone(delete_this(vault, object).await) })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    Ok(deleted.iter().flatten().count() as u64)
}

async fn delete_this(vault: &Vault, object: Object) -> Result<Deletion, StoreError> {
    let which = Which::as_seen(&object);
    let changes = &vault.changes;
    changes.delete(object.bucket, object.key, which).await
}

/// Aborts these uploads, and returns how many of them were still in progress.
async fn abort(vault: &Vault, uploads: Vec<Upload>, mode: Mode) -> Result<u64, StoreError> {
    if mode == Mode::Tell {
        return Ok(uploads.len() as u64);
    }
    let aborted: Vec<Option<()>> = stream::iter(uploads)
        .map(|upload| async move {
            let aborted = vault
                .changes
                .abort_upload(upload.bucket, upload.key, upload.id)
                .await;
            unless_gone(aborted)
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    Ok(aborted.iter().flatten().count() as u64)
}

/// An error of one bucket is logged and does not stop the sweep of the others.
fn count_or_log(bucket: &BucketName, ended: Result<u64, StoreError>) -> u64 {
    ended.unwrap_or_else(|error| {
        let error = with_causes(&error);
        tracing::warn!(%bucket, error, "what ended by its age is deleted at the next sweep");
        0
    })
}

/// Returns `None` if another client removed or replaced it first.
fn unless_gone<T>(answer: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(
            StoreError::NoSuchBucket
            | StoreError::NoSuchKey
            | StoreError::NoSuchUpload
            | StoreError::PreconditionFailed,
        ) => Ok(None),
        Err(trouble) => Err(trouble),
    }
}

/// Compares the wall clock with the monotonic one.
#[derive(Debug)]
struct WallClock {
    /// How far the wall clock is ahead of the monotonic one, in milliseconds.
    ahead_millis: i64,
    /// Since when they have kept step, by the monotonic clock.
    in_step_since: Duration,
}

impl WallClock {
    /// How long they must keep step before the wall clock is believed.
    const PROBATION: Duration = Duration::from_hours(1);
    /// How far the wall clock may be slewed between two comparisons.
    const TOLERATED_MILLIS: u64 = 60_000;

    fn watch(wall: Timestamp, monotonic: Duration) -> Self {
        Self {
            ahead_millis: Self::ahead(wall, monotonic),
            in_step_since: monotonic,
        }
    }

    fn is_believed(&mut self, wall: Timestamp, monotonic: Duration) -> bool {
        let ahead_millis = Self::ahead(wall, monotonic);
        if ahead_millis.abs_diff(self.ahead_millis) > Self::TOLERATED_MILLIS {
            self.in_step_since = monotonic;
        }
        self.ahead_millis = ahead_millis;
        monotonic.saturating_sub(self.in_step_since) >= Self::PROBATION
    }

    fn ahead(wall: Timestamp, monotonic: Duration) -> i64 {
        let monotonic = i64::try_from(monotonic.as_millis()).unwrap_or(i64::MAX);
        wall.as_millis().saturating_sub(monotonic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn wall(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_795_425_490_215 + millis)
    }

    fn in_step(at: Duration) -> Timestamp {
        wall(i64::try_from(at.as_millis()).unwrap())
    }

    #[test]
    fn a_clock_is_believed_after_an_hour_in_step() {
        let mut clock = WallClock::watch(wall(0), Duration::ZERO);
        let almost = HOUR.checked_sub(Duration::from_secs(1)).unwrap();
        assert!(!clock.is_believed(in_step(almost), almost));
        assert!(clock.is_believed(in_step(HOUR), HOUR));
    }

    #[test]
    fn a_jump_and_its_correction_each_cost_an_hour() {
        let day = Duration::from_hours(24);
        let mut clock = WallClock::watch(wall(0), Duration::ZERO);
        assert!(!clock.is_believed(in_step(HOUR + day), HOUR));
        assert!(clock.is_believed(in_step(HOUR * 2 + day), HOUR * 2));
        assert!(!clock.is_believed(in_step(HOUR * 3), HOUR * 3));
        assert!(clock.is_believed(in_step(HOUR * 4), HOUR * 4));
    }

    #[test]
    fn a_slewed_clock_is_believed() {
        let mut clock = WallClock::watch(wall(0), Duration::ZERO);
        for hours in 1..100 {
            let slewed = in_step(HOUR * hours).plus(Duration::from_secs(2) * hours);
            assert!(clock.is_believed(slewed, HOUR * hours));
        }
    }
}
