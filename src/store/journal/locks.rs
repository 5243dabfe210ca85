//! Names of rows that changes judge and touch, and which of them are under way.
//!
//! A change that meets a name under way waits until the change that holds it is in the index, or void. So a judge sees
//! a database in which nothing that it judges is about to change, and no two changes of one group touch one row.

use crate::s3::{BucketName, BucketSetting, ObjectKey};
use crate::store::effect::Effect;
use crate::store::record::{Change, Record};
use crate::store::upload::UploadId;
use std::collections::HashMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    /// With others of its kind: objects of one bucket, parts of one upload.
    Shared,
    Exclusive,
}

#[derive(Debug, Clone)]
pub(in crate::store) struct Name {
    text: Box<str>,
    hold: Hold,
}

impl Name {
    fn new(hold: Hold, text: String) -> Self {
        Self {
            text: text.into(),
            hold,
        }
    }

    /// A bucket's row as long as it stays.
    fn bucket(bucket: &BucketName) -> Self {
        Self::new(Hold::Shared, format!("bucket:{bucket}"))
    }

    pub(in crate::store) fn exclusive_bucket(bucket: &BucketName) -> Self {
        Self::new(Hold::Exclusive, format!("bucket:{bucket}"))
    }

    /// A document that is set of a bucket.
    pub(in crate::store) fn of_setting(bucket: &BucketName, setting: BucketSetting) -> Vec<Self> {
        let name = format!("setting:{bucket}/{setting:?}");
        vec![Self::bucket(bucket), Self::new(Hold::Exclusive, name)]
    }

    pub(in crate::store) fn of_object(bucket: &BucketName, key: &ObjectKey) -> Vec<Self> {
        let name = format!("object:{bucket}/{key}");
        vec![Self::bucket(bucket), Self::new(Hold::Exclusive, name)]
    }

    /// An upload with all its parts.
    pub(in crate::store) fn of_upload(bucket: &BucketName, upload: &UploadId) -> Vec<Self> {
        let name = format!("upload:{}", upload.as_str());
        vec![Self::bucket(bucket), Self::new(Hold::Exclusive, name)]
    }

    /// One part, and its upload as long as that stays.
    pub(in crate::store) fn of_part(
        bucket: &BucketName,
        upload: &UploadId,
        number: u16,
    ) -> Vec<Self> {
        let upload = upload.as_str();
        vec![
            Self::bucket(bucket),
            Self::new(Hold::Shared, format!("upload:{upload}")),
            Self::new(Hold::Exclusive, format!("part:{upload}/{number}")),
        ]
    }

    /// An upload and the object that it becomes.
    pub(in crate::store) fn of_completion(
        bucket: &BucketName,
        key: &ObjectKey,
        upload: &UploadId,
    ) -> Vec<Self> {
        let name = format!("upload:{}", upload.as_str());
        let mut names = Self::of_object(bucket, key);
        names.push(Self::new(Hold::Exclusive, name));
        names
    }

    /// The rows that an effect touches.
    pub(in crate::store) fn of_effect(effect: Option<&Effect>) -> impl Iterator<Item = Self> {
        effect
            .into_iter()
            .flat_map(|effect| &effect.touches)
            .map(|row| Self::row(row))
    }

    /// The rows that a record touches. Two records may be applied in one batch only where these do not meet.
    pub(in crate::store) fn of_record(record: &Record) -> Vec<Self> {
        let mut names = match &record.change {
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
            // What is freed is named by nothing, so nothing else of a batch touches it but what went before.
            Change::Begun { .. } | Change::Freed { .. } | Change::Domain => Vec::new(),
        };
        names.extend(Self::of_effect(record.effect.as_ref()));
        names
    }

    pub(in crate::store) fn text(&self) -> &str {
        &self.text
    }

    /// The rows among these that change, and do not only have to stay.
    pub(in crate::store) fn changing(names: &[Self]) -> impl Iterator<Item = &str> {
        let exclusive = names.iter().filter(|name| name.is_exclusive());
        exclusive.map(Self::text)
    }

    /// Whether it stands for a row that changes, and not for one that only has to stay.
    pub(in crate::store) fn is_exclusive(&self) -> bool {
        self.hold == Hold::Exclusive
    }

    pub(in crate::store) fn is(&self, other: &Self) -> bool {
        self.text == other.text
    }

    /// A row of another module, by the name that it gave.
    pub(in crate::store) fn row(name: &str) -> Self {
        Self::new(Hold::Exclusive, format!("row:{name}"))
    }
}

/// The names that are held.
#[derive(Debug, Default)]
pub(in crate::store) struct Held {
    /// How often each is held; `None`: exclusively.
    names: HashMap<Box<str>, Option<usize>>,
}

impl Held {
    pub(in crate::store) fn admits(&self, names: &[Name]) -> bool {
        names.iter().all(|name| match self.names.get(&name.text) {
            None => true,
            Some(None) => false,
            Some(Some(_)) => name.hold == Hold::Shared,
        })
    }

    /// Holds all of them. They may stand in the list more than once.
    pub(in crate::store) fn hold(&mut self, names: &[Name]) {
        for name in names {
            match (self.names.get_mut(&name.text), name.hold) {
                (Some(Some(count)), Hold::Shared) => *count += 1,
                (Some(None), _) => {}
                (Some(held), Hold::Exclusive) => *held = None,
                (None, Hold::Shared) => drop(self.names.insert(name.text.clone(), Some(1))),
                (None, Hold::Exclusive) => drop(self.names.insert(name.text.clone(), None)),
            }
        }
    }

    pub(in crate::store) fn release(&mut self, names: &[Name]) {
        for name in names {
            match self.names.get_mut(&name.text) {
                Some(Some(count)) if *count > 1 => *count -= 1,
                _ => drop(self.names.remove(&name.text)),
            }
        }
    }

    pub(in crate::store) fn clear(&mut self) {
        self.names.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(key: &str) -> Vec<Name> {
        let bucket = BucketName::parse("uploads").unwrap();
        Name::of_object(&bucket, &ObjectKey::parse(key).unwrap())
    }

    #[test]
    fn two_keys_of_one_bucket_go_together_and_one_key_goes_alone() {
        let mut held = Held::default();
        held.hold(&object("a"));
        assert!(held.admits(&object("b")));
        assert!(!held.admits(&object("a")));
        held.hold(&object("b"));
        held.release(&object("a"));
        assert!(held.admits(&object("a")));
        assert!(!held.admits(&object("b")));
    }

    #[test]
    fn the_bucket_of_an_object_only_has_to_stay() {
        let names = object("a");
        assert_eq!(
            Name::changing(&names).collect::<Vec<_>>(),
            ["object:uploads/a"]
        );
    }

    #[test]
    fn a_bucket_is_held_while_any_of_its_objects_is() {
        let bucket = Name::exclusive_bucket(&BucketName::parse("uploads").unwrap());
        let mut held = Held::default();
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
