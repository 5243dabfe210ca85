//! When an object or an unfinished upload expires by the rules of a lifecycle.

use crate::s3::documents::lifecycle::document;
use crate::s3::documents::lifecycle::rule::{DAY_MILLIS, Expiration, Lifecycle, Rule, Subject};
use crate::s3::documents::tagging::Tags;
use crate::s3::values::error::S3Error;
use crate::s3::values::time::{self, Timestamp};
use crate::s3::values::uri;
use std::borrow::Cow;

/// When an object expires, and by which rule.
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

    /// The document, as it is stored and returned: every rule has an id.
    #[must_use]
    pub fn to_xml(&self) -> String {
        document::write(self)
    }

    /// The earliest expiry by any rule.
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

    /// When an unfinished upload that was begun at this time expires.
    #[must_use]
    pub fn upload_expiry(&self, key: &str, initiated_at: Timestamp) -> Option<Timestamp> {
        self.enabled()
            .filter(|rule| rule.filter.takes_prefix_of(key))
            .filter_map(|rule| rule.abort_after_days)
            .map(|days| midnight_after(initiated_at, days))
            .min()
    }

    /// The prefixes of all keys that can expire by a rule; none begins with another.
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

    /// The prefixes of all keys whose unfinished uploads can expire by a rule; none begins with another.
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
pub(super) fn midnight_after(at: Timestamp, days: u32) -> Timestamp {
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
