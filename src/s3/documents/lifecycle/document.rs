//! The `LifecycleConfiguration` document: parsed, checked and written.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html>

use crate::s3::documents::lifecycle::rule::{
    DAY_MILLIS, Expiration, Filter, FilterForm, Lifecycle, NoncurrentExpiration, Rule,
};
use crate::s3::documents::tagging::{self, TagElement};
use crate::s3::values::error::{ErrorCode, S3Error};
use crate::s3::values::time::{self, Timestamp};
use crate::s3::values::xml::{self, Elements, Namespace};
use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

const MOST_RULES: usize = 1000;
const ID_CHARACTERS: usize = 255;
const PREFIX_BYTES: usize = 1024;
const ENABLED: &str = "Enabled";
const DISABLED: &str = "Disabled";

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "Rule", default)]
    rules: Vec<RuleElement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RuleElement {
    #[serde(rename = "ID")]
    id: Option<String>,
    status: String,
    prefix: Option<String>,
    filter: Option<FilterElement>,
    expiration: Option<ExpirationElement>,
    abort_incomplete_multipart_upload: Option<AbortElement>,
    noncurrent_version_expiration: Option<NoncurrentElement>,
    #[serde(default)]
    transition: Vec<IgnoredAny>,
    #[serde(default)]
    noncurrent_version_transition: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct FilterElement {
    prefix: Option<String>,
    tag: Option<TagElement>,
    object_size_greater_than: Option<u64>,
    object_size_less_than: Option<u64>,
    and: Option<AndElement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct AndElement {
    prefix: Option<String>,
    #[serde(rename = "Tag", default)]
    tags: Vec<TagElement>,
    object_size_greater_than: Option<u64>,
    object_size_less_than: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ExpirationElement {
    days: Option<i32>,
    date: Option<String>,
    expired_object_delete_marker: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct AbortElement {
    days_after_initiation: i32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct NoncurrentElement {
    noncurrent_days: i32,
    newer_noncurrent_versions: Option<i32>,
}

pub(super) fn read(text: &str) -> Result<Lifecycle, S3Error> {
    let document: Document = xml::read(text).ok_or_else(malformed)?;
    if !(1..=MOST_RULES).contains(&document.rules.len()) {
        return Err(malformed());
    }
    let mut ids = BTreeSet::new();
    for id in document.rules.iter().filter_map(RuleElement::stated_id) {
        if !xml::can_hold(id) {
            return Err(malformed());
        }
        if id.chars().count() > ID_CHARACTERS {
            return Err(invalid_argument(
                "ID length should not exceed allowed limit of 255",
            ));
        }
        if !ids.insert(id.to_owned()) {
            return Err(invalid_argument(
                "Rule ID must be unique. Found same ID for more than one rule",
            ));
        }
    }
    let mut rules = Vec::with_capacity(document.rules.len());
    for (at, element) in document.rules.into_iter().enumerate() {
        let mut rule = element.checked()?;
        if rule.id.is_empty() {
            rule.id = new_id(at, &rule, &ids);
            ids.insert(rule.id.clone());
        }
        rules.push(rule);
    }
    Ok(Lifecycle { rules })
}

/// An id for a rule that came without one: the same for the same rule at the same place.
fn new_id(at: usize, rule: &Rule, taken: &BTreeSet<String>) -> String {
    let mut digest = Sha256::digest(format!("{at} {rule:?}"));
    loop {
        let id = hex::encode(&digest[..16]);
        if !taken.contains(&id) {
            return id;
        }
        digest = Sha256::digest(digest);
    }
}

impl RuleElement {
    fn stated_id(&self) -> Option<&str> {
        self.id.as_deref().filter(|id| !id.is_empty())
    }

    fn checked(self) -> Result<Rule, S3Error> {
        let is_enabled = match self.status.as_str() {
            ENABLED => true,
            DISABLED => false,
            _ => return Err(malformed()),
        };
        if !self.transition.is_empty() || !self.noncurrent_version_transition.is_empty() {
            return Err(S3Error::with_message(
                ErrorCode::NotImplemented,
                "hangar has one storage class: transitions are not carried out.",
            ));
        }
        let filter = match (self.prefix, self.filter) {
            (Some(prefix), None) => Filter {
                form: FilterForm::OldPrefix,
                prefix: Some(prefix),
                ..Filter::default()
            },
            (None, Some(filter)) => filter.checked()?,
            // AWS: one of them, and not both.
            (None, None) | (Some(_), Some(_)) => return Err(malformed()),
        };
        check_filter(&filter)?;
        let rule = Rule {
            id: self.id.unwrap_or_default(),
            is_enabled,
            expiration: self
                .expiration
                .map(ExpirationElement::checked)
                .transpose()?,
            abort_after_days: self
                .abort_incomplete_multipart_upload
                .map(|abort| {
                    positive(
                        abort.days_after_initiation,
                        "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer",
                    )
                })
                .transpose()?,
            noncurrent: self
                .noncurrent_version_expiration
                .map(NoncurrentElement::checked)
                .transpose()?,
            filter,
        };
        check_actions(&rule)?;
        Ok(rule)
    }
}

impl FilterElement {
    /// AWS: one condition alone; several go into `And`.
    fn checked(self) -> Result<Filter, S3Error> {
        let stated = usize::from(self.prefix.is_some())
            + usize::from(self.tag.is_some())
            + usize::from(self.object_size_greater_than.is_some())
            + usize::from(self.object_size_less_than.is_some())
            + usize::from(self.and.is_some());
        if stated > 1 {
            return Err(malformed());
        }
        let pair = |tag: TagElement| (tag.key, tag.value);
        Ok(match self.and {
            Some(and) => Filter {
                form: FilterForm::And,
                prefix: and.prefix,
                tags: and.tags.into_iter().map(pair).collect(),
                size_above: and.object_size_greater_than,
                size_below: and.object_size_less_than,
            },
            None => Filter {
                form: FilterForm::Single,
                prefix: self.prefix,
                tags: self.tag.into_iter().map(pair).collect(),
                size_above: self.object_size_greater_than,
                size_below: self.object_size_less_than,
            },
        })
    }
}

fn check_filter(filter: &Filter) -> Result<(), S3Error> {
    if filter
        .prefix
        .as_ref()
        .is_some_and(|prefix| prefix.len() > PREFIX_BYTES)
    {
        return Err(invalid_request("The maximum size of a prefix is 1024."));
    }
    // It would be kept as another prefix than the one that was put.
    if !filter.prefix.as_deref().is_none_or(xml::can_hold) {
        return Err(malformed());
    }
    for (key, value) in &filter.tags {
        tagging::check_tag(key, value)?;
    }
    if tagging::first_repeated(&filter.tags).is_some() {
        return Err(invalid_request("Duplicate Tag Keys are not allowed."));
    }
    if let (Some(above), Some(below)) = (filter.size_above, filter.size_below)
        && below <= above
    {
        return Err(invalid_request(
            "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.",
        ));
    }
    Ok(())
}

/// What goes with which filter, and that there is something to do at all.
fn check_actions(rule: &Rule) -> Result<(), S3Error> {
    if rule.expiration.is_none() && rule.abort_after_days.is_none() && rule.noncurrent.is_none() {
        return Err(invalid_request(
            "At least one action needs to be specified in a rule",
        ));
    }
    let has_tags = !rule.filter.tags.is_empty();
    let has_size = rule.filter.size_above.is_some() || rule.filter.size_below.is_some();
    if rule.abort_after_days.is_some() && (has_tags || has_size) {
        return Err(invalid_request(if has_tags {
            "AbortIncompleteMultipartUpload cannot be specified with Tags."
        } else {
            "AbortIncompleteMultipartUpload cannot be specified with Object Size."
        }));
    }
    if matches!(rule.expiration, Some(Expiration::DeleteMarker(_))) && has_tags {
        return Err(invalid_request(
            "ExpiredObjectDeleteMarker cannot be specified with Tags.",
        ));
    }
    Ok(())
}

impl ExpirationElement {
    fn checked(self) -> Result<Expiration, S3Error> {
        match (self.days, self.date, self.expired_object_delete_marker) {
            (Some(days), None, None) => positive(
                days,
                "'Days' for Expiration action must be a positive integer",
            )
            .map(Expiration::Days),
            (None, Some(date), None) => midnight(&date).map(Expiration::Date),
            (None, None, Some(marker)) => Ok(Expiration::DeleteMarker(marker)),
            _ => Err(malformed()),
        }
    }
}

impl NoncurrentElement {
    fn checked(self) -> Result<NoncurrentExpiration, S3Error> {
        Ok(NoncurrentExpiration {
            days: positive(
                self.noncurrent_days,
                "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer",
            )?,
            newer_kept: self
                .newer_noncurrent_versions
                .map(|kept| {
                    positive(
                        kept,
                        "'NewerNoncurrentVersions' for NoncurrentVersionExpiration action must be a positive integer",
                    )
                })
                .transpose()?,
        })
    }
}

/// A date, or a date with a time, which must be midnight UTC.
fn midnight(text: &str) -> Result<Timestamp, S3Error> {
    let text = text.trim();
    let utc = text.strip_suffix("+00:00").unwrap_or(text);
    let whole = match utc.len() {
        10 => format!("{utc}T00:00:00Z"),
        _ if utc.ends_with('Z') => utc.to_owned(),
        _ => format!("{utc}Z"),
    };
    let at = time::parse_iso8601(&whole).ok_or_else(malformed)?;
    if at.as_millis().rem_euclid(DAY_MILLIS) == 0 {
        Ok(at)
    } else {
        Err(invalid_argument("'Date' must be at midnight GMT"))
    }
}

fn positive(number: i32, refusal: &'static str) -> Result<u32, S3Error> {
    u32::try_from(number)
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| invalid_argument(refusal))
}

fn malformed() -> S3Error {
    S3Error::new(ErrorCode::MalformedXML)
}

fn invalid_argument(message: &'static str) -> S3Error {
    S3Error::with_message(ErrorCode::InvalidArgument, message)
}

fn invalid_request(message: &'static str) -> S3Error {
    S3Error::with_message(ErrorCode::InvalidRequest, message)
}

pub(super) fn write(lifecycle: &Lifecycle) -> String {
    xml::document("LifecycleConfiguration", Namespace::S3, |document| {
        for rule in &lifecycle.rules {
            document.element("Rule", |element| write_rule(element, rule));
        }
    })
}

fn write_rule(element: &mut Elements, rule: &Rule) {
    element.text("ID", &rule.id);
    match rule.filter.form {
        FilterForm::OldPrefix => write_conditions(element, &rule.filter),
        FilterForm::Single => element.element("Filter", |single| {
            write_conditions(single, &rule.filter);
        }),
        FilterForm::And => element.element("Filter", |filter| {
            filter.element("And", |and| write_conditions(and, &rule.filter));
        }),
    }
    element.text("Status", if rule.is_enabled { ENABLED } else { DISABLED });
    if let Some(expiration) = rule.expiration {
        element.element("Expiration", |element| match expiration {
            Expiration::Days(days) => element.text("Days", &days.to_string()),
            Expiration::Date(date) => element.text("Date", &time::iso8601_millis(date)),
            Expiration::DeleteMarker(marker) => {
                element.text("ExpiredObjectDeleteMarker", &marker.to_string());
            }
        });
    }
    if let Some(noncurrent) = rule.noncurrent {
        element.element("NoncurrentVersionExpiration", |element| {
            element.text("NoncurrentDays", &noncurrent.days.to_string());
            if let Some(kept) = noncurrent.newer_kept {
                element.text("NewerNoncurrentVersions", &kept.to_string());
            }
        });
    }
    if let Some(days) = rule.abort_after_days {
        element.element("AbortIncompleteMultipartUpload", |element| {
            element.text("DaysAfterInitiation", &days.to_string());
        });
    }
}

fn write_conditions(element: &mut Elements, filter: &Filter) {
    if let Some(prefix) = &filter.prefix {
        element.text("Prefix", prefix);
    }
    for (key, value) in &filter.tags {
        tagging::write_tag(element, key, value);
    }
    let sizes = [
        ("ObjectSizeGreaterThan", filter.size_above),
        ("ObjectSizeLessThan", filter.size_below),
    ];
    for (name, bytes) in sizes {
        if let Some(bytes) = bytes {
            element.text(name, &bytes.to_string());
        }
    }
}
