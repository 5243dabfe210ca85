//! Buckets and their settings.

use crate::s3::{BucketName, BucketSetting};
use crate::store::bucket::Bucket;
use crate::store::door::store::Store;
use crate::store::error::StoreError;
use crate::store::journal::locks::RowLock;
use crate::store::journal::work::Work;
use crate::store::object::BucketCreation;
use std::collections::BTreeMap;

impl Store {
    /// # Errors
    /// See [`StoreError`].
    pub async fn create_bucket(&self, name: BucketName) -> Result<BucketCreation, StoreError> {
        self.create_bucket_with(name, BTreeMap::new()).await
    }

    /// Creates a bucket together with its settings. An existing bucket keeps its own settings.
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

    /// Looked up in memory.
    #[must_use]
    pub fn bucket(&self, name: &BucketName) -> Option<Bucket> {
        self.vault.state.bucket(name)
    }

    /// Looked up in memory, sorted by name.
    #[must_use]
    pub fn buckets(&self) -> Vec<Bucket> {
        self.vault.state.buckets()
    }

    /// # Errors
    /// `NoSuchBucket`, or `BucketNotEmpty` while it holds an object. Uploads in progress are deleted with it.
    pub async fn delete_bucket(&self, name: BucketName) -> Result<(), StoreError> {
        let names = vec![RowLock::exclusive_bucket(&name)];
        self.ask(names, Work::DeleteBucket(name)).await.map(drop)
    }

    /// Sets (or, with `None`, removes) one of a bucket's documents. The text is stored unchanged.
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
}
