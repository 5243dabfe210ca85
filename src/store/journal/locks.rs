//! Row locks: the rows that a change reads for its checks and writes, and which of them are locked.
//!
//! A change that needs a lock which another change holds waits until that change is in the index, or refused. So no row
//! that a check reads is about to change, and no two changes of one group write the same row.

use crate::s3::{BucketName, BucketSetting, ObjectKey};
use crate::store::effect::Effect;
use crate::store::record::{Change, Record};
use crate::store::upload::UploadId;
use std::collections::HashMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LockMode {
    /// Several changes hold it together: objects of one bucket, parts of one upload.
    Shared,
    Exclusive,
}

#[derive(Debug, Clone)]
pub(in crate::store) struct RowLock {
    text: Box<str>,
    mode: LockMode,
}

impl RowLock {
    fn new(mode: LockMode, text: String) -> Self {
        Self {
            text: text.into(),
            mode,
        }
    }

    /// The shared lock of a bucket, which must not be deleted meanwhile.
    fn bucket(bucket: &BucketName) -> Self {
        Self::new(LockMode::Shared, format!("bucket:{bucket}"))
    }

    pub(in crate::store) fn exclusive_bucket(bucket: &BucketName) -> Self {
        Self::new(LockMode::Exclusive, format!("bucket:{bucket}"))
    }

    /// The locks of one setting of a bucket.
    pub(in crate::store) fn of_setting(bucket: &BucketName, setting: BucketSetting) -> Vec<Self> {
        let name = format!("setting:{bucket}/{setting:?}");
        vec![Self::bucket(bucket), Self::new(LockMode::Exclusive, name)]
    }

    pub(in crate::store) fn of_object(bucket: &BucketName, key: &ObjectKey) -> Vec<Self> {
        let name = format!("object:{bucket}/{key}");
        vec![Self::bucket(bucket), Self::new(LockMode::Exclusive, name)]
    }

    /// The locks of an upload with all its parts.
    pub(in crate::store) fn of_upload(bucket: &BucketName, upload: &UploadId) -> Vec<Self> {
        let name = format!("upload:{}", upload.as_str());
        vec![Self::bucket(bucket), Self::new(LockMode::Exclusive, name)]
    }

    /// The locks of one part, and of its upload, which must not end meanwhile.
    pub(in crate::store) fn of_part(
        bucket: &BucketName,
        upload: &UploadId,
        number: u16,
    ) -> Vec<Self> {
        let upload = upload.as_str();
        vec![
            Self::bucket(bucket),
            Self::new(LockMode::Shared, format!("upload:{upload}")),
            Self::new(LockMode::Exclusive, format!("part:{upload}/{number}")),
        ]
    }

    /// The locks of an upload and of the object that it becomes.
    pub(in crate::store) fn of_completion(
        bucket: &BucketName,
        key: &ObjectKey,
        upload: &UploadId,
    ) -> Vec<Self> {
        let name = format!("upload:{}", upload.as_str());
        let mut locks = Self::of_object(bucket, key);
        locks.push(Self::new(LockMode::Exclusive, name));
        locks
    }

    /// The locks of the rows that an effect changes.
    pub(in crate::store) fn of_effect(effect: Option<&Effect>) -> impl Iterator<Item = Self> {
        effect
            .into_iter()
            .flat_map(|effect| &effect.rows)
            .map(|row| Self::row(row))
    }

    /// The locks of the rows that a record changes. Replay applies two records in one batch only if their locks do not
    /// conflict.
    pub(in crate::store) fn of_record(record: &Record) -> Vec<Self> {
        let mut locks = match &record.change {
            Change::Put(put) => Self::of_object(&put.bucket, &put.key),
            Change::Copied(copied) => Self::of_object(&copied.bucket, &copied.key),
            Change::Delete { bucket, key } | Change::Tagged { bucket, key, .. } => {
                Self::of_object(bucket, key)
            }
            Change::UploadCreated(created) => Self::of_upload(&created.bucket, &created.upload),
            Change::PartPut(part) => Self::of_part(&part.bucket, &part.upload, part.number),
            Change::PartCopied(part) => Self::of_part(&part.bucket, &part.upload, part.number),
            Change::PartLost {
                bucket,
                upload,
                number,
            } => Self::of_part(bucket, upload, *number),
            Change::UploadCompleted(completed) => {
                Self::of_completion(&completed.bucket, &completed.key, &completed.upload)
            }
            Change::UploadAborted { bucket, upload } => Self::of_upload(bucket, upload),
            Change::BucketCreated { bucket, .. } | Change::BucketDeleted { bucket } => {
                vec![Self::exclusive_bucket(bucket)]
            }
            Change::BucketSet {
                bucket, setting, ..
            } => Self::of_setting(bucket, *setting),
            // No row names a freed body, so only records before this one in the batch can touch it.
            Change::Begun { .. } | Change::Freed { .. } | Change::Domain => Vec::new(),
        };
        let touched = record.effect.iter().flat_map(|effect| &effect.touches);
        locks.extend(touched.map(|row| Self::row(row)));
        locks
    }

    pub(in crate::store) fn text(&self) -> &str {
        &self.text
    }

    /// The names of the rows that change, without those that are only locked against removal.
    pub(in crate::store) fn changing(locks: &[Self]) -> impl Iterator<Item = &str> {
        let exclusive = locks.iter().filter(|lock| lock.is_exclusive());
        exclusive.map(Self::text)
    }

    /// Whether the row changes. Else it is only locked against removal.
    pub(in crate::store) fn is_exclusive(&self) -> bool {
        self.mode == LockMode::Exclusive
    }

    pub(in crate::store) fn is(&self, other: &Self) -> bool {
        self.text == other.text
    }

    /// The lock of another module's row, by the name that the module gives it.
    pub(in crate::store) fn row(name: &str) -> Self {
        Self::new(LockMode::Exclusive, format!("row:{name}"))
    }
}

/// The locks that are held.
#[derive(Debug, Default)]
pub(in crate::store) struct LockSet {
    /// How many changes hold each lock; `None`: one holds it exclusively.
    locks: HashMap<Box<str>, Option<usize>>,
}

impl LockSet {
    pub(in crate::store) fn admits(&self, locks: &[RowLock]) -> bool {
        locks.iter().all(|lock| match self.locks.get(&lock.text) {
            None => true,
            Some(None) => false,
            Some(Some(_)) => lock.mode == LockMode::Shared,
        })
    }

    /// Takes all of these locks. The list may contain a lock more than once.
    pub(in crate::store) fn hold(&mut self, locks: &[RowLock]) {
        for lock in locks {
            match (self.locks.get_mut(&lock.text), lock.mode) {
                (Some(Some(count)), LockMode::Shared) => *count += 1,
                (Some(None), _) => {}
                (Some(held), LockMode::Exclusive) => *held = None,
                (None, LockMode::Shared) => drop(self.locks.insert(lock.text.clone(), Some(1))),
                (None, LockMode::Exclusive) => drop(self.locks.insert(lock.text.clone(), None)),
            }
        }
    }

    pub(in crate::store) fn release(&mut self, locks: &[RowLock]) {
        for lock in locks {
            match self.locks.get_mut(&lock.text) {
                Some(Some(count)) if *count > 1 => *count -= 1,
                _ => drop(self.locks.remove(&lock.text)),
            }
        }
    }

    pub(in crate::store) fn clear(&mut self) {
        self.locks.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(key: &str) -> Vec<RowLock> {
        let bucket = BucketName::parse("uploads").unwrap();
        RowLock::of_object(&bucket, &ObjectKey::parse(key).unwrap())
    }

    #[test]
    fn two_keys_of_one_bucket_are_locked_independently() {
        let mut held = LockSet::default();
        held.hold(&object("a"));
        assert!(held.admits(&object("b")));
        assert!(!held.admits(&object("a")));
        held.hold(&object("b"));
        held.release(&object("a"));
        assert!(held.admits(&object("a")));
        assert!(!held.admits(&object("b")));
    }

    #[test]
    fn the_lock_of_an_objects_bucket_is_shared() {
        let locks = object("a");
        assert_eq!(
            RowLock::changing(&locks).collect::<Vec<_>>(),
            ["object:uploads/a"]
        );
    }

    #[test]
    fn a_bucket_is_locked_while_any_of_its_objects_is() {
        let bucket = RowLock::exclusive_bucket(&BucketName::parse("uploads").unwrap());
        let mut held = LockSet::default();
        held.hold(&object("a"));
        held.hold(&object("b"));
        held.release(&object("a"));
        assert!(!held.admits(std::slice::from_ref(&bucket)));
        held.release(&object("b"));
        assert!(held.admits(std::slice::from_ref(&bucket)));
        held.hold(std::slice::from_ref(&bucket));
        assert!(!held.admits(&object("a")));
    }
}
