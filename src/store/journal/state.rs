//! The state of the vault in memory: the buckets with their settings, the caches, the contents in use, and whether
//! writing has failed.

use crate::cache::Caches;
use crate::s3::BucketName;
use crate::s3::bucket_policy::Opening;
use crate::store::bucket::Bucket;
use crate::store::content::Content;
use crate::store::folder::space::Space;
use crate::store::index::damage::IndexDamage;
use crate::store::journal::hook::CommitHook;
use crate::store::record::{Change, Record};
use crate::warnings::Warning;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{
    Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak,
};

pub(in crate::store) struct State {
    buckets: RwLock<BTreeMap<BucketName, Bucket>>,
    failure: OnceLock<String>,
    pub(in crate::store) index_damage: Arc<IndexDamage>,
    hook: Option<Arc<dyn CommitHook>>,
    pub(in crate::store) space: Arc<Space>,
    pub(in crate::store) caches: Caches,
    in_use: Mutex<InUse>,
    /// Each clone blocks reclamation of every body.
    held: Arc<()>,
    /// Bodies that were found damaged in the background.
    damages: AtomicU64,
    /// The warning about other programs' files in the data folder, as of the last check.
    foreign_files: Mutex<Option<Warning>>,
}

/// Contents that were looked up and are in use: a reader reads their bytes, or a copy will name them.
#[derive(Default)]
struct InUse {
    contents: Vec<Weak<Content>>,
    /// Past this many, contents that are no longer in use are removed.
    most: usize,
}

impl State {
    pub(in crate::store) fn of(
        buckets: Vec<Bucket>,
        space: Arc<Space>,
        index_damage: Arc<IndexDamage>,
    ) -> Self {
        let named = |bucket: Bucket| (bucket.name.clone(), bucket);
        Self {
            buckets: RwLock::new(buckets.into_iter().map(named).collect()),
            failure: OnceLock::new(),
            index_damage,
            hook: None,
            space,
            caches: Caches::default(),
            in_use: Mutex::default(),
            held: Arc::default(),
            damages: AtomicU64::new(0),
            foreign_files: Mutex::default(),
        }
    }

    pub(in crate::store) fn with_hook(self, hook: Option<Arc<dyn CommitHook>>) -> Self {
        Self { hook, ..self }
    }

    /// Keeps the bytes of a content on the disk for as long as it is in use.
    pub(in crate::store) fn use_content(&self, content: &Arc<Content>) {
        const FEWEST: usize = 64;
        let mut in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        if in_use.contents.len() >= in_use.most {
            in_use.contents.retain(|content| content.strong_count() > 0);
            in_use.most = (in_use.contents.len() * 2).max(FEWEST);
        }
        in_use.contents.push(Arc::downgrade(content));
    }

    pub(in crate::store) fn report_damages(&self, damages: u64) {
        self.damages.store(damages, Ordering::Relaxed);
    }

    pub(in crate::store) fn set_foreign_files(&self, found: Option<Warning>) {
        let mut foreign_files = (self.foreign_files.lock()).unwrap_or_else(PoisonError::into_inner);
        *foreign_files = found;
    }

    /// The warnings about the folder and its disk.
    pub(in crate::store) fn warnings(&self) -> Vec<Warning> {
        let count = self.damages.load(Ordering::Relaxed);
        let damaged = (count > 0).then_some(Warning::DamagedBodies { count });
        let foreign_files = (self.foreign_files.lock()).unwrap_or_else(PoisonError::into_inner);
        let warnings = [self.space.warning(), damaged, foreign_files.clone()];
        warnings.into_iter().flatten().collect()
    }

    /// The buckets that a policy opens to the public, and the actions that it opens.
    pub(in crate::store) fn open_buckets(&self) -> Vec<(BucketName, Opening)> {
        let buckets = self.read();
        let open = buckets.values().filter_map(|bucket| {
            let opening = bucket.opening()?;
            Some((bucket.name.clone(), opening.clone()))
        });
        open.collect()
    }

    /// Keeps all bytes on the disk until the returned value is dropped.
    pub(in crate::store) fn hold_bytes(&self) -> Arc<()> {
        self.held.clone()
    }

    pub(in crate::store) fn are_bytes_held(&self) -> bool {
        Arc::strong_count(&self.held) > 1
    }

    /// The bodies that are in use, also if the index says that they are unreferenced.
    pub(in crate::store) fn bodies_in_use(&self) -> BTreeSet<u64> {
        let in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        let contents = in_use.contents.iter().filter_map(Weak::upgrade);
        contents
            .flat_map(|content| content.bodies.keys().copied().collect::<Vec<_>>())
            .collect()
    }

    pub(in crate::store) fn hook(&self) -> Option<&dyn CommitHook> {
        self.hook.as_deref()
    }

    pub(in crate::store) fn has_bucket(&self, name: &BucketName) -> bool {
        self.read().contains_key(name)
    }

    pub(in crate::store) fn bucket(&self, name: &BucketName) -> Option<Bucket> {
        self.read().get(name).cloned()
    }

    pub(in crate::store) fn buckets(&self) -> Vec<Bucket> {
        self.read().values().cloned().collect()
    }

    /// Applies a record to the buckets in memory. Call it once the index holds the record.
    pub(in crate::store) fn follow(&self, record: &Record) {
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
    pub(in crate::store) fn failure(&self) -> Option<String> {
        self.index_damage
            .failure()
            .or_else(|| self.failure.get().cloned())
    }

    pub(in crate::store) fn fail(&self, why: &str) {
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

/// Fails the store when a thread panics: a panic must not leave a server that looks ready and writes nothing.
pub(in crate::store) struct FailWhenUnwinding(pub(in crate::store) Arc<State>);

impl Drop for FailWhenUnwinding {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail("the writer met a fault of its own");
        }
    }
}
