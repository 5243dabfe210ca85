//! The caches of a store: what is kept in memory holds until a row that it was made of changes.

use crate::cache::{Hot, Stamp, Weight};
use crate::s3::{BucketName, BucketSetting, ObjectKey};
use crate::store::Store;
use crate::store::journal::locks::RowLock;
use std::hash::Hash;
use std::sync::Arc;

impl Store {
    /// For answers that are made of a key's object.
    #[must_use]
    pub fn stamp_of_object(&self, bucket: &BucketName, key: &ObjectKey) -> Stamp {
        self.stamp(&RowLock::of_object(bucket, key))
    }

    /// For answers that are made of what is set of a bucket.
    #[must_use]
    pub fn stamp_of_settings(&self, bucket: &BucketName) -> Stamp {
        let settings = BucketSetting::ALL.into_iter();
        let names = settings.flat_map(|setting| RowLock::of_setting(bucket, setting));
        self.stamp(&names.collect::<Vec<_>>())
    }

    /// For answers that are made of a row of another module, by the name that it gave.
    #[must_use]
    pub fn stamp_of_row(&self, name: &str) -> Stamp {
        self.stamp(&[RowLock::row(name)])
    }

    fn stamp(&self, names: &[RowLock]) -> Stamp {
        let rows = RowLock::changing(names);
        self.inner.state.memory.versions.stamp(rows)
    }

    /// Memory for a kind of answers that are asked for again, `most_bytes` at most; one takes about `usual_bytes`.
    #[must_use]
    pub fn hot<K, V>(
        &self,
        most_bytes: usize,
        usual_bytes: usize,
        weight: Weight<K, V>,
    ) -> Arc<Hot<K, V>>
    where
        K: Eq + Hash + Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
    {
        let memory = &self.inner.state.memory;
        memory.kind(most_bytes, usual_bytes, weight)
    }

    /// Clears the caches whenever no request has come for a while, for as long as it is polled.
    pub async fn rest_when_idle(&self) {
        self.inner.state.memory.rest_when_idle().await;
    }
}
