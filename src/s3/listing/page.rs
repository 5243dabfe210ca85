//! One page of a bucket's objects.

use crate::s3::values::checksum::{ChecksumAlgorithm, ChecksumType};
use crate::s3::values::etag::ETag;
use crate::s3::values::key::ObjectKey;
use crate::s3::values::time::Timestamp;

/// The version id of objects in a bucket without versions.
pub const NULL_VERSION: &str = "null";

/// An object in a listing.
#[derive(Debug, Clone)]
pub struct ListedObject {
    pub key: ObjectKey,
    pub etag: ETag,
    pub size_bytes: u64,
    pub last_modified: Timestamp,
    /// `None`: `STANDARD`
    pub storage_class: Option<String>,
    /// Of the checksums that are stored with it.
    pub checksum_algorithms: Vec<ChecksumAlgorithm>,
    pub checksum_type: ChecksumType,
}

#[derive(Debug, Clone, Default)]
pub struct ListedPage {
    pub objects: Vec<ListedObject>,
    pub common_prefixes: Vec<String>,
    /// If more follow: the last key or common prefix of this page, or a later text; the next page begins after it.
    pub next: Option<String>,
}

impl ListedPage {
    /// Keys and common prefixes.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.objects.len() + self.common_prefixes.len()
    }

    /// Appends the page that follows this one.
    pub fn extend(&mut self, following: Self) {
        self.objects.extend(following.objects);
        self.common_prefixes.extend(following.common_prefixes);
        self.next = following.next;
    }

    /// Keeps at most this many keys and common prefixes, the first ones in order.
    pub fn truncate(&mut self, entries: usize) {
        while self.entries() > entries {
            let key = self.objects.last().map(|object| object.key.as_str());
            if key > self.common_prefixes.last().map(String::as_str) {
                self.objects.pop();
            } else {
                self.common_prefixes.pop();
            }
        }
    }

    /// The greatest key or common prefix.
    #[must_use]
    pub fn last(&self) -> Option<&str> {
        let key = self.objects.last().map(|object| object.key.as_str());
        key.max(self.common_prefixes.last().map(String::as_str))
    }
}
