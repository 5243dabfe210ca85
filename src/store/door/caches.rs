//! The caches of a store: an entry is valid until one of the rows that it depends on changes.

use crate::cache::{VersionStamp, VersionedCache, Weight};
use crate::s3::{BucketName, BucketSetting, ObjectKey};
use crate::store::door::store::Store;
use crate::store::journal::locks::RowLock;
use std::hash::Hash;
use std::sync::Arc;

impl Store {
    /// For responses that depend on a key's object.
    #[must_use]
    pub fn stamp_of_object(&self, bucket: &BucketName, key: &ObjectKey) -> VersionStamp {
        self.stamp(&RowLock::of_object(bucket, key))
    }

    /// For responses that depend on a bucket's settings.
    #[must_use]
    pub fn stamp_of_settings(&self, bucket: &BucketName) -> VersionStamp {
        let settings = BucketSetting::ALL.into_iter();
        let names = settings.flat_map(|setting| RowLock::of_setting(bucket, setting));
        // A bucket that was deleted and created again has no settings.
        let names = names.chain([RowLock::exclusive_bucket(bucket)]);
        self.stamp(&names.collect::<Vec<_>>())
    }

    /// For responses that depend on a row of another module, by the name that the module gave it.
    #[must_use]
    pub fn stamp_of_row(&self, name: &str) -> VersionStamp {
        self.stamp(&[RowLock::row(name)])
    }

    fn stamp(&self, names: &[RowLock]) -> VersionStamp {
        let rows = RowLock::changing(names);
        self.vault.state.caches.versions.stamp(rows)
    }

    /// A cache for one kind of response, of at most `most_bytes`; one response takes about `usual_bytes`.
    #[must_use]
    pub fn cache<K, V>(
        &self,
        most_bytes: usize,
        usual_bytes: usize,
        weight: Weight<K, V>,
    ) -> Arc<VersionedCache<K, V>>
    where
        K: Eq + Hash + Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
    {
        let caches = &self.vault.state.caches;
        caches.cache(most_bytes, usual_bytes, weight)
    }
}
