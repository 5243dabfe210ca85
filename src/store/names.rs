//! Names of rows that changes judge and touch, and which of them are under way.
//!
//! A change that meets a name under way waits until the change that holds it is in the index, or void. So a judge sees
//! a database in which nothing that it judges is about to change, and no two changes of one group touch one row.

use crate::s3::{BucketName, ObjectKey};
use std::collections::HashMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    /// With others of its kind: uploads into one bucket.
    Shared,
    Exclusive,
}

#[derive(Debug, Clone)]
pub(super) struct Name {
    text: Box<str>,
    hold: Hold,
}

impl Name {
    /// An object's row, and its bucket's as long as it stays.
    pub(super) fn of_object(bucket: &BucketName, key: &ObjectKey) -> Vec<Self> {
        vec![
            Self {
                text: format!("bucket:{bucket}").into(),
                hold: Hold::Shared,
            },
            Self {
                text: format!("object:{bucket}/{key}").into(),
                hold: Hold::Exclusive,
            },
        ]
    }

    pub(super) fn exclusive_bucket(bucket: &BucketName) -> Self {
        Self {
            text: format!("bucket:{bucket}").into(),
            hold: Hold::Exclusive,
        }
    }

    /// A row of another module, by the name that it gave.
    pub(super) fn row(name: &str) -> Self {
        Self {
            text: format!("row:{name}").into(),
            hold: Hold::Exclusive,
        }
    }
}

/// The names that are held.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// How often each is held; `None`: exclusively.
    names: HashMap<Box<str>, Option<usize>>,
}

impl Held {
    pub(super) fn admits(&self, names: &[Name]) -> bool {
        names.iter().all(|name| match self.names.get(&name.text) {
            None => true,
            Some(None) => false,
            Some(Some(_)) => name.hold == Hold::Shared,
        })
    }

    /// Holds all of them. They may stand in the list more than once.
    pub(super) fn hold(&mut self, names: &[Name]) {
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

    pub(super) fn release(&mut self, names: &[Name]) {
        for name in names {
            match self.names.get_mut(&name.text) {
                Some(Some(count)) if *count > 1 => *count -= 1,
                _ => drop(self.names.remove(&name.text)),
            }
        }
    }

    pub(super) fn clear(&mut self) {
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
