//! The conditions of a statement: what else must hold of a request.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

use crate::s3::bucket_policy::effect::Effect;
use crate::s3::bucket_policy::json::{Json, shortened};
use crate::s3::bucket_policy::pattern::Pattern;
use crate::s3::bucket_policy::query::PolicyQuery;
use crate::s3::values::network::{self, Network};

/// One operator on one key: `"StringLike": {"aws:Referer": ["http://a/*", "http://b/*"]}`.
#[derive(Debug)]
pub(super) struct Condition {
    key: Key,
    test: Test,
    /// Whether the test must fail (`StringNotEquals`).
    negated: bool,
    /// `…IfExists`: a key that the request lacks does not matter.
    if_exists: bool,
}

/// The keys of a request that a condition can test.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    SourceIp,
    SecureTransport,
    Referer,
    UserAgent,
    Prefix,
    Delimiter,
    CannedAcl,
    /// The value that the object has under this key of its tags.
    ExistingTag(String),
}

/// Before the key of a tag.
const EXISTING_TAG: &str = "s3:existingobjecttag/";

#[derive(Debug)]
enum Test {
    /// Any of these
    Equals(Vec<String>),
    EqualsIgnoringCase(Vec<String>),
    Like(Vec<Pattern>),
    In(Vec<Network>),
    Is(bool),
    IsAbsent(bool),
}

impl Key {
    /// Names of keys are case-insensitive, those of tags are not.
    fn parse(name: &str) -> Option<Self> {
        let tag = name
            .split_at_checked(EXISTING_TAG.len())
            .filter(|(prefix, tag)| prefix.eq_ignore_ascii_case(EXISTING_TAG) && !tag.is_empty());
        if let Some((_, tag)) = tag {
            return Some(Self::ExistingTag(tag.to_owned()));
        }
        Some(match name.to_ascii_lowercase().as_str() {
            "aws:sourceip" => Self::SourceIp,
            "aws:securetransport" => Self::SecureTransport,
            "aws:referer" => Self::Referer,
            "aws:useragent" => Self::UserAgent,
            "s3:prefix" => Self::Prefix,
            "s3:delimiter" => Self::Delimiter,
            "s3:x-amz-acl" => Self::CannedAcl,
            _ => return None,
        })
    }

    fn text<'a>(&self, query: &PolicyQuery<'a>) -> Option<&'a str> {
        match self {
            Self::Referer => query.referer,
            Self::UserAgent => query.user_agent,
            Self::Prefix => query.prefix,
            Self::Delimiter => query.delimiter,
            Self::CannedAcl => query.canned_acl,
            Self::ExistingTag(key) => query.existing_tags?.value(key),
            Self::SourceIp | Self::SecureTransport => None,
        }
    }

    fn is_text(&self) -> bool {
        !matches!(self, Self::SourceIp | Self::SecureTransport)
    }
}

impl Condition {
    /// All conditions of a statement.
    /// # Errors
    /// Why one cannot be evaluated.
    pub(super) fn parse_all(block: Json) -> Result<Vec<Self>, String> {
        let Json::Object(operators) = block else {
            return Err("Conditions must be an object".to_owned());
        };
        let mut conditions = Vec::new();
        for (operator, keys) in operators {
            let Json::Object(keys) = keys else {
                return Err(format!(
                    "The condition {} must hold an object",
                    shortened(&operator)
                ));
            };
            for (key, values) in keys {
                conditions.push(Self::parse(&operator, &key, values)?);
            }
        }
        Ok(conditions)
    }

    fn parse(operator: &str, name: &str, values: Json) -> Result<Self, String> {
        let (shown_operator, shown_name) = (shortened(operator), shortened(name));
        let unsupported =
            || format!("Policy has an invalid condition: {shown_operator} on {shown_name}");
        let key = Key::parse(name).ok_or_else(unsupported)?;
        // A Bool may be written as one.
        let values = match values {
            Json::Bool(value) => vec![value.to_string()],
            values => values.texts().ok_or_else(|| {
                format!("The condition {shown_operator} on {shown_name} must hold a string or a list of strings")
            })?,
        };
        if values.iter().any(|value| value.contains("${")) {
            return Err(format!(
                "Policy variables are not evaluated: the condition {shown_operator} on {shown_name}"
            ));
        }
        let (base, if_exists) = match operator.strip_suffix("IfExists") {
            Some(base) => (base, true),
            None => (operator, false),
        };
        let (base, negated) = match base.split_once("Not") {
            Some((before, after)) => (format!("{before}{after}"), true),
            None => (base.to_owned(), false),
        };
        let one_bool = || match values.as_slice() {
            [value] => value.to_ascii_lowercase().parse().ok(),
            _ => None,
        };
        let test = match base.as_str() {
            "StringEquals" if key.is_text() => Test::Equals(values),
            "StringEqualsIgnoreCase" if key.is_text() => Test::EqualsIgnoringCase(values),
            "StringLike" if key.is_text() => {
                Test::Like(values.into_iter().map(Pattern::new).collect())
            }
            "IpAddress" if key == Key::SourceIp => {
                let networks: Option<Vec<Network>> =
                    values.iter().map(|text| network::parse(text)).collect();
                Test::In(networks.ok_or_else(|| {
                    format!("The condition {shown_operator} on {shown_name} holds no network of addresses")
                })?)
            }
            "Bool" if key == Key::SecureTransport && !negated => {
                Test::Is(one_bool().ok_or_else(unsupported)?)
            }
            "Null" if !negated && !if_exists => Test::IsAbsent(one_bool().ok_or_else(unsupported)?),
            _ => return Err(unsupported()),
        };
        Ok(Self {
            key,
            test,
            negated,
            if_exists,
        })
    }

    pub(super) fn holds(&self, query: &PolicyQuery<'_>, effect: Effect) -> bool {
        // An unknown address never satisfies an Allow, and always satisfies a Deny.
        if self.looks_at_addresses() && query.source_ip.is_none() {
            return effect == Effect::Deny;
        }
        match self.passes(query) {
            Some(passes) => passes != self.negated,
            // AWS: an absent key equals nothing, so a negated test holds.
            None => self.negated || self.if_exists,
        }
    }

    /// `None`: the request lacks the key.
    fn passes(&self, query: &PolicyQuery<'_>) -> Option<bool> {
        let text = self.key.text(query);
        match &self.test {
            Test::Equals(values) => text.map(|text| values.iter().any(|value| value == text)),
            Test::EqualsIgnoringCase(values) => text.map(|text| {
                let text = text.to_lowercase();
                values.iter().any(|value| value.to_lowercase() == text)
            }),
            Test::Like(patterns) => {
                text.map(|text| patterns.iter().any(|pattern| pattern.matches(text)))
            }
            Test::In(networks) => query.source_ip.map(|address| {
                networks
                    .iter()
                    .any(|network| network::contains(*network, address))
            }),
            Test::Is(wanted) => Some(query.secure_transport == *wanted),
            Test::IsAbsent(wanted) => {
                let is_absent = match self.key {
                    Key::SourceIp | Key::SecureTransport => false,
                    _ => text.is_none(),
                };
                Some(is_absent == *wanted)
            }
        }
    }

    pub(super) fn looks_at_addresses(&self) -> bool {
        self.key == Key::SourceIp
    }

    pub(super) fn looks_at_tags(&self) -> bool {
        matches!(self.key, Key::ExistingTag(_))
    }

    /// Whether it holds for all but a few known addresses: a Deny under it spares only these.
    pub(super) fn holds_for_all_but_known_addresses(&self) -> bool {
        match &self.test {
            Test::In(networks) => self.negated && networks.iter().all(is_narrow),
            _ => false,
        }
    }

    /// Whether it narrows everyone down to known addresses.
    // AWS: a referer can be forged, and networks wider than /8 (IPv6: /32) count as everyone.
    // https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
    pub(super) fn narrows_to_known_addresses(&self) -> bool {
        match &self.test {
            Test::In(networks) => {
                !self.negated && !self.if_exists && networks.iter().all(is_narrow)
            }
            _ => false,
        }
    }
}

fn is_narrow((address, bits): &Network) -> bool {
    *bits >= if address.is_ipv4() { 8 } else { 32 }
}
