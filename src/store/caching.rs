//! The caches of a store: an entry is current until a row that it was made of changes.

use crate::cache::{VersionStamp, VersionedCache, Weight};
use crate::s3::{BucketName, BucketSetting, ObjectKey};
use crate::store::Store;
use crate::store::journal::locks::Name;
use std::hash::Hash;
use std::sync::Arc;

impl Store {
    /// For answers that are made of a key's object.
    #[must_use]
    pub fn stamp_of_object(&self, bucket: &BucketName, key: &ObjectKey) -> VersionStamp {
        self.stamp(&Name::of_object(bucket, key))
    }

    /// For answers that are made of what is set of a bucket.
    #[must_use]
    pub fn stamp_of_settings(&self, bucket: &BucketName) -> VersionStamp {
        let settings = BucketSetting::ALL.into_iter();
        let names = settings.flat_map(|setting| Name::of_setting(bucket, setting));
        self.stamp(&names.collect::<Vec<_>>())
    }

    /// For answers that are made of a row of another module, by the name that it gave.
    #[must_use]
    pub fn stamp_of_row(&self, name: &str) -> VersionStamp {
        self.stamp(&[Name::row(name)])
    }

    fn stamp(&self, names: &[Name]) -> VersionStamp {
        let rows = Name::changing(names);
        self.inner.state.caches.versions.stamp(rows)
    }

    /// A new cache of about `most_bytes` at most; an entry usually takes `usual_bytes`.
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
        self.inner
            .state
            .caches
            .cache(most_bytes, usual_bytes, weight)
    }

    /// Clears the caches whenever nothing was looked up for a while, for as long as it is polled.
    pub async fn clear_caches_when_idle(&self) {
        self.inner.state.caches.clear_when_idle().await;
    }
}
