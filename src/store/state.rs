//! What is known without asking the index: the buckets with all that is set of them, and whether writing has failed.

use super::record::{Change, Record};
use super::{Bucket, Companion};
use crate::s3::BucketName;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

#[derive(Default)]
pub(super) struct State {
    buckets: RwLock<BTreeMap<BucketName, Bucket>>,
    failure: OnceLock<String>,
    companion: OnceLock<Arc<dyn Companion>>,
}

impl State {
    pub(super) fn of(buckets: Vec<Bucket>) -> Self {
        let named = |bucket: Bucket| (bucket.name.clone(), bucket);
        Self {
            buckets: RwLock::new(buckets.into_iter().map(named).collect()),
            ..Self::default()
        }
    }

    pub(super) fn accompany(&self, companion: Arc<dyn Companion>) {
        // Only the first one counts.
        drop(self.companion.set(companion));
    }

    pub(super) fn companion(&self) -> Option<&Arc<dyn Companion>> {
        self.companion.get()
    }

    pub(super) fn has_bucket(&self, name: &BucketName) -> bool {
        self.read().contains_key(name)
    }

    pub(super) fn bucket(&self, name: &BucketName) -> Option<Bucket> {
        self.read().get(name).cloned()
    }

    pub(super) fn buckets(&self) -> Vec<Bucket> {
        self.read().values().cloned().collect()
    }

    /// Takes in what a record says, once the index holds it.
    pub(super) fn follow(&self, record: &Record) {
        match &record.change {
            Change::BucketCreated { bucket, settings } => {
                let settings = settings.iter();
                let documents = settings.map(|(setting, text)| (*setting, text.as_str().into()));
                let created = Bucket::new(bucket.clone(), record.at, documents.collect());
                self.write().insert(bucket.clone(), created);
            }
            Change::BucketDeleted { bucket } => drop(self.write().remove(bucket)),
            Change::BucketSet {
                bucket,
                setting,
                document,
            } => {
                if let Some(bucket) = self.write().get_mut(bucket) {
                    bucket.set(*setting, document.as_deref());
                }
            }
            _ => {}
        }
    }

    /// Why nothing can be written any more.
    pub(super) fn failure(&self) -> Option<String> {
        self.failure.get().cloned()
    }

    pub(super) fn fail(&self, why: &str) {
        if self.failure.set(why.to_owned()).is_ok() {
            tracing::error!("storage takes no more writes until a restart: {why}");
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<BucketName, Bucket>> {
        self.buckets.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<BucketName, Bucket>> {
        self.buckets.write().unwrap_or_else(PoisonError::into_inner)
    }
}
