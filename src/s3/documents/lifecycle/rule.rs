//! The rules of a lifecycle, and which objects each one is for.

use crate::s3::documents::tagging::Tags;
use crate::s3::values::time::Timestamp;

pub(super) const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// The rules of a bucket: 1 to 1000.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifecycle {
    pub(super) rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    /// Never empty, no two alike.
    pub(super) id: String,
    pub(super) is_enabled: bool,
    pub(super) filter: Filter,
    pub(super) expiration: Option<Expiration>,
    /// Of unfinished uploads, from their beginning.
    pub(super) abort_after_days: Option<u32>,
    pub(super) noncurrent: Option<NoncurrentExpiration>,
}

/// Which objects a rule is for. All that is stated must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) form: FilterForm,
    pub(super) prefix: Option<String>,
    pub(super) tags: Vec<(String, String)>,
    /// Bytes, more than
    pub(super) size_above: Option<u64>,
    /// Bytes, less than
    pub(super) size_below: Option<u64>,
}

/// How a filter was written, so that it is returned in the same form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum FilterForm {
    /// `<Prefix>` of the rule itself
    OldPrefix,
    #[default]
    Single,
    And,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expiration {
    /// After the last modification, at the end of the day.
    Days(u32),
    /// At a midnight.
    Date(Timestamp),
    /// Of other versions, which do not exist here.
    DeleteMarker(bool),
}

/// Of other versions, which do not exist here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoncurrentExpiration {
    pub(super) days: u32,
    pub(super) newer_kept: Option<u32>,
}

/// The object that a rule is applied to.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub key: &'a str,
    pub size_bytes: u64,
    /// As [`Tags::to_query`] writes them.
    pub tagging: Option<&'a str>,
    pub last_modified: Timestamp,
}

impl Filter {
    pub(super) fn takes(&self, object: &Subject<'_>, tags: &Tags) -> bool {
        self.takes_prefix_of(object.key)
            && self
                .size_above
                .is_none_or(|bytes| object.size_bytes > bytes)
            && self
                .size_below
                .is_none_or(|bytes| object.size_bytes < bytes)
            && self.tags.iter().all(|(key, value)| tags.holds(key, value))
    }

    pub(super) fn takes_prefix_of(&self, key: &str) -> bool {
        key.starts_with(self.prefix.as_deref().unwrap_or_default())
    }
}
