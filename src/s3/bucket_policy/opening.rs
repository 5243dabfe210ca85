//! What a policy opens to the public: to unsigned requests from any address.
//!
//! It counts what an `Allow` for everyone grants without a condition that narrows it to known addresses, minus what a
//! `Deny` for everyone takes back. A `Deny` that does not provably cover the whole `Allow` takes back nothing: one
//! warning too many is better than an open bucket without one. *Everyone* is measured as in
//! [`BucketPolicy::is_public`], which knows no `Deny` (AWS's answer to `GetBucketPolicyStatus` does not either).

use crate::s3::bucket_policy::action::{Action, Level};
use crate::s3::bucket_policy::condition::Condition;
use crate::s3::bucket_policy::effect::Effect;
use crate::s3::bucket_policy::json::shortened;
use crate::s3::bucket_policy::pattern::Pattern;
use crate::s3::bucket_policy::policy::BucketPolicy;
use crate::s3::bucket_policy::statement::{Principal, Statement};
use crate::s3::values::bucket::BucketName;
use std::collections::BTreeSet;
use std::fmt;

/// Patterns that a sentence names; more are counted.
const NAMED_PATTERNS: usize = 3;

/// What the public may do in a bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opening {
    /// Patterns of keys whose objects the public may read; `*`: all of them.
    read: BTreeSet<String>,
    /// Whether the public may list the bucket's keys, versions or unfinished uploads.
    list: bool,
    /// Patterns of keys at which the public may write, overwrite or delete.
    write: BTreeSet<String>,
}

impl Opening {
    fn is_nothing(&self) -> bool {
        self.read.is_empty() && !self.list && self.write.is_empty()
    }
}

/// As the end of "it lets everybody …".
impl fmt::Display for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.read.is_empty() {
            parts.push(format!("read {}", objects(&self.read)));
        }
        if self.list {
            parts.push("list its keys".to_owned());
        }
        if !self.write.is_empty() {
            parts.push(format!("write or delete {}", objects(&self.write)));
        }
        let last = parts.pop().unwrap_or_default();
        match parts.as_slice() {
            [] => f.write_str(&last),
            parts => write!(f, "{}, and {last}", parts.join(", ")),
        }
    }
}

fn objects(keys: &BTreeSet<String>) -> String {
    if keys.contains("*") {
        return "all objects".to_owned();
    }
    // The patterns are text that a client sent.
    let is_plain = |c: &char| !c.is_control();
    let mut named: Vec<String> = (keys.iter().take(NAMED_PATTERNS))
        .map(|keys| keys.chars().filter(is_plain).collect::<String>())
        .map(|keys| format!("{:?}", shortened(&keys)))
        .collect();
    let more = keys.len() - named.len();
    if more > 0 {
        named.push(format!("{more} more patterns"));
    }
    format!("the objects {}", named.join(", "))
}

impl BucketPolicy {
    /// What this policy of `bucket` opens to the public; `None`: nothing.
    #[must_use]
    pub fn opening(&self, bucket: &BucketName) -> Option<Opening> {
        let mut opening = Opening::default();
        for action in Action::ALL {
            // A bucket's location is not secret.
            if !action.is_open_to_anybody() || *action == Action::GetBucketLocation {
                continue;
            }
            for keys in self.opened(*action, bucket) {
                match (action.reads(), action.level()) {
                    (true, Level::Object) => drop(opening.read.insert(keys)),
                    (true, _) => opening.list = true,
                    (false, _) => drop(opening.write.insert(keys)),
                }
            }
        }
        (!opening.is_nothing()).then_some(opening)
    }

    /// The patterns of keys at which everyone is allowed an action.
    fn opened(&self, action: Action, bucket: &BucketName) -> Vec<String> {
        let allows = self.statements.iter().filter(|it| it.opens(action));
        allows
            .flat_map(|allow| &allow.resources)
            .filter_map(|resource| resource_of(resource, action.level(), bucket))
            .filter(|resource| !self.closes(action, resource))
            .map(|resource| {
                let below = resource.as_str().strip_prefix(bucket.as_str());
                let keys = below.and_then(|below| below.strip_prefix('/'));
                keys.unwrap_or(resource.as_str()).to_owned()
            })
            .collect()
    }

    /// Whether a `Deny` forbids everyone the action on all that the resource matches.
    fn closes(&self, action: Action, resource: &Pattern) -> bool {
        self.statements.iter().any(|deny| {
            deny.effect == Effect::Deny
                && deny.names(action)
                && deny.resources.iter().any(|denied| denied.covers(resource))
                && (deny.conditions.iter()).all(Condition::holds_for_all_but_known_addresses)
        })
    }
}

impl Statement {
    fn opens(&self, action: Action) -> bool {
        self.effect == Effect::Allow
            && self.principal == Principal::Everybody
            && self.names(action)
            && !(self.conditions.iter()).any(Condition::narrows_to_known_addresses)
    }
}

/// The part of a statement's resource that an action of this level acts upon; `None`: there is none.
fn resource_of(resource: &Pattern, level: Level, bucket: &BucketName) -> Option<Pattern> {
    let text = resource.as_str();
    match level {
        Level::Bucket => (resource.matches(bucket.as_str())).then(|| Pattern::new(bucket.as_str())),
        Level::Object if text == bucket.as_str() => None,
        // `bucket*`: all of its objects.
        Level::Object if text.trim_end_matches('*') == bucket.as_str() => {
            Some(Pattern::new(format!("{bucket}/*")))
        }
        Level::Object => Some(resource.clone()),
        Level::Service => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn opening(statements: &str) -> String {
        let bucket = BucketName::parse("uploads").unwrap();
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
        let policy = BucketPolicy::parse(&text, &bucket).unwrap();
        let opening = policy.opening(&bucket);
        opening.map_or_else(|| "nothing".to_owned(), |opening| opening.to_string())
    }

    fn statement(effect: &str, action: &str, resource: &str, condition: &str) -> String {
        let condition = match condition {
            "" => String::new(),
            condition => format!(r#","Condition":{{{condition}}}"#),
        };
        format!(
            r#"{{"Effect":"{effect}","Principal":"*","Action":"s3:{action}","Resource":"arn:aws:s3:::{resource}"{condition}}}"#
        )
    }

    fn allow(action: &str, resource: &str, condition: &str) -> String {
        statement("Allow", action, resource, condition)
    }

    const FROM_HERE: &str = r#""IpAddress":{"aws:SourceIp":"10.0.0.0/8"}"#;
    const FROM_ELSEWHERE: &str = r#""NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}"#;
    const FROM_ANYWHERE: &str = r#""IpAddress":{"aws:SourceIp":"0.0.0.0/0"}"#;
    const BY_REFERER: &str = r#""StringLike":{"aws:Referer":"https://plane.example.com/*"}"#;
    const WITHOUT_TLS: &str = r#""Bool":{"aws:SecureTransport":"false"}"#;

    #[rstest]
    #[case::all_read("GetObject", "uploads/*", "", "read all objects")]
    #[case::a_prefix_is_open_too(
        "GetObject",
        "uploads/public/*",
        "",
        r#"read the objects "public/*""#
    )]
    #[case::one_object("GetObject", "uploads/logo.png", "", r#"read the objects "logo.png""#)]
    #[case::list("ListBucket", "uploads", "", "list its keys")]
    #[case::write("PutObject", "uploads/*", "", "write or delete all objects")]
    #[case::delete("DeleteObject", "uploads/*", "", "write or delete all objects")]
    #[case::everything(
        "*",
        "uploads*",
        "",
        "read all objects, list its keys, and write or delete all objects"
    )]
    #[case::location_alone("GetBucketLocation", "uploads", "", "nothing")]
    #[case::owners_actions("PutBucketPolicy", "uploads", "", "nothing")]
    #[case::known_addresses("GetObject", "uploads/*", FROM_HERE, "nothing")]
    #[case::every_address("GetObject", "uploads/*", FROM_ANYWHERE, "read all objects")]
    #[case::all_but_some_addresses("GetObject", "uploads/*", FROM_ELSEWHERE, "read all objects")]
    #[case::a_referer_can_be_made_up("GetObject", "uploads/*", BY_REFERER, "read all objects")]
    fn an_allow_opens_its_keys_to_the_public(
        #[case] action: &str,
        #[case] resource: &str,
        #[case] condition: &str,
        #[case] opened: &str,
    ) {
        assert_eq!(opening(&allow(action, resource, condition)), opened);
    }

    #[test]
    fn a_principal_by_name_opens_nothing() {
        let named = r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"s3:*","Resource":"arn:aws:s3:::uploads/*"}"#;
        assert_eq!(opening(named), "nothing");
    }

    #[rstest]
    #[case::all("*", "uploads/*", "", "nothing")]
    #[case::wider("Get*", "uploads*", "", "nothing")]
    #[case::all_but_known_addresses("GetObject", "uploads/*", FROM_ELSEWHERE, "nothing")]
    #[case::another_action("PutObject", "uploads/*", "", "read all objects")]
    #[case::a_part("GetObject", "uploads/private/*", "", "read all objects")]
    #[case::known_addresses("GetObject", "uploads/*", FROM_HERE, "read all objects")]
    #[case::plain_http_alone("GetObject", "uploads/*", WITHOUT_TLS, "read all objects")]
    fn a_deny_closes_what_an_allow_opens(
        #[case] action: &str,
        #[case] resource: &str,
        #[case] condition: &str,
        #[case] opened: &str,
    ) {
        let deny = statement("Deny", action, resource, condition);
        let allow = allow("GetObject", "uploads/*", "");
        assert_eq!(opening(&format!("{allow},{deny}")), opened);
        assert_eq!(opening(&format!("{deny},{allow}")), opened);
    }

    #[test]
    fn a_sentence_names_few_patterns_and_no_control_characters() {
        let resources: Vec<String> = (0..9)
            .map(|at| format!(r#""arn:aws:s3:::uploads/{at}\n{}*""#, "x".repeat(200)))
            .collect();
        let statement = format!(
            r#"{{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":[{}]}}"#,
            resources.join(",")
        );
        let opened = opening(&statement);
        assert!(opened.ends_with(", 6 more patterns"), "{opened}");
        assert!(opened.len() < 300 && !opened.contains('\n'), "{opened}");
    }
}
