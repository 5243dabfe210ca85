//! A bucket's lifecycle: which objects end when, and which unfinished uploads.
//!
//! Guarantees: what is taken is carried out, or has no effect where each object has one version and one class
//! (`NoncurrentVersionExpiration`, `ExpiredObjectDeleteMarker`); transitions are refused. The clock is the caller's.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html>

mod document;

use crate::s3::documents::tagging::Tags;
use crate::s3::values::error::S3Error;
use crate::s3::values::time::{self, Timestamp};
use crate::s3::values::uri;
use std::borrow::Cow;

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// The rules of a bucket: 1 to 1000.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifecycle {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    /// Never empty, no two alike.
    id: String,
    is_enabled: bool,
    filter: Filter,
    expiration: Option<Expiration>,
    /// Of unfinished uploads, from their beginning.
    abort_after_days: Option<u32>,
    noncurrent: Option<NoncurrentExpiration>,
}

/// Which objects a rule is for. All that is stated must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Filter {
    form: FilterForm,
    prefix: Option<String>,
    tags: Vec<(String, String)>,
    /// Bytes, more than
    size_above: Option<u64>,
    /// Bytes, less than
    size_below: Option<u64>,
}

/// How a filter was written, so that it is given back so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum FilterForm {
    /// `<Prefix>` of the rule itself
    OldPrefix,
    #[default]
    Single,
    And,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expiration {
    /// After the last modification, at the end of the day.
    Days(u32),
    /// At a midnight.
    Date(Timestamp),
    /// Of versions that there are none of.
    DeleteMarker(bool),
}

/// Of versions that there are none of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NoncurrentExpiration {
    days: u32,
    newer_kept: Option<u32>,
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub key: &'a str,
    pub size_bytes: u64,
    /// As [`Tags::to_query`] writes them.
    pub tagging: Option<&'a str>,
    pub last_modified: Timestamp,
}

/// When an object ends, and by which rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry<'a> {
    /// A midnight
    pub at: Timestamp,
    pub rule_id: &'a str,
}

impl Lifecycle {
    /// # Errors
    /// `MalformedXML`, `InvalidArgument` and `InvalidRequest` as AWS has them; `NotImplemented` for transitions.
    pub fn parse(text: &str) -> Result<Self, S3Error> {
        document::read(text)
    }

    /// The document, as it is kept and given back: every rule has an id.
    #[must_use]
    pub fn to_xml(&self) -> String {
        document::write(self)
    }

    /// The first end that any rule sets.
    #[must_use]
    pub fn expiry(&self, object: &Subject<'_>) -> Option<Expiry<'_>> {
        let tags = match object.tagging {
            Some(tagging) if self.looks_at_tags() => Cow::Owned(Tags::stored(tagging)),
            _ => Cow::Owned(Tags::default()),
        };
        self.enabled()
            .filter(|rule| rule.filter.takes(object, &tags))
            .filter_map(|rule| {
                let at = match rule.expiration? {
                    Expiration::Days(days) => midnight_after(object.last_modified, days),
                    Expiration::Date(date) => date,
                    Expiration::DeleteMarker(_) => return None,
                };
                Some(Expiry {
                    at,
                    rule_id: &rule.id,
                })
            })
            .min_by_key(|expiry| expiry.at)
    }

    /// When an upload that was begun then, and is not finished, ends.
    #[must_use]
    pub fn upload_expiry(&self, key: &str, initiated_at: Timestamp) -> Option<Timestamp> {
        self.enabled()
            .filter(|rule| rule.filter.takes_prefix_of(key))
            .filter_map(|rule| rule.abort_after_days)
            .map(|days| midnight_after(initiated_at, days))
            .min()
    }

    /// Prefixes of all keys that an object must have to end by a rule; none begins with another.
    #[must_use]
    pub fn expiring_prefixes(&self) -> Vec<&str> {
        let ends = |rule: &&Rule| {
            matches!(
                rule.expiration,
                Some(Expiration::Days(_) | Expiration::Date(_))
            )
        };
        outermost(self.enabled().filter(ends))
    }

    /// Prefixes of all keys whose unfinished uploads end by a rule; none begins with another.
    #[must_use]
    pub fn aborting_prefixes(&self) -> Vec<&str> {
        outermost(
            self.enabled()
                .filter(|rule| rule.abort_after_days.is_some()),
        )
    }

    fn enabled(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| rule.is_enabled)
    }

    fn looks_at_tags(&self) -> bool {
        self.enabled().any(|rule| !rule.filter.tags.is_empty())
    }
}

impl Filter {
    fn takes(&self, object: &Subject<'_>, tags: &Tags) -> bool {
        self.takes_prefix_of(object.key)
            && self
                .size_above
                .is_none_or(|bytes| object.size_bytes > bytes)
            && self
                .size_below
                .is_none_or(|bytes| object.size_bytes < bytes)
            && self.tags.iter().all(|(key, value)| tags.holds(key, value))
    }

    fn takes_prefix_of(&self, key: &str) -> bool {
        key.starts_with(self.prefix.as_deref().unwrap_or_default())
    }
}

impl Expiry<'_> {
    /// The value of `x-amz-expiration`.
    #[must_use]
    pub fn header(&self) -> String {
        format!(
            "expiry-date=\"{}\", rule-id=\"{}\"",
            time::http_date(self.at),
            uri::encode_query(self.rule_id)
        )
    }
}

/// AWS: the days are added to the time, and the result rounded up to the next midnight UTC.
fn midnight_after(at: Timestamp, days: u32) -> Timestamp {
    let day = at.as_millis().div_euclid(DAY_MILLIS)
        + i64::from(at.as_millis().rem_euclid(DAY_MILLIS) > 0);
    Timestamp::from_millis((day + i64::from(days)).saturating_mul(DAY_MILLIS))
}

fn outermost<'a>(rules: impl Iterator<Item = &'a Rule>) -> Vec<&'a str> {
    let mut prefixes: Vec<&str> = rules
        .map(|rule| rule.filter.prefix.as_deref().unwrap_or_default())
        .collect();
    prefixes.sort_unstable();
    // What begins with a prefix sorts behind it, before all that does not.
    prefixes.dedup_by(|later, earlier| later.starts_with(*earlier));
    prefixes
}

#[cfg(test)]
mod tests;
