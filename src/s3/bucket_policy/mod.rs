//! Bucket policies: what a bucket's owner allows everybody, and denies even those who sign.
//!
//! [`BucketPolicy::parse`] judges a policy when it is set: what could not be evaluated later is refused then, with the
//! reason, and never kept as if it worked. [`BucketPolicy::evaluate`] answers one question; a `Deny` wins. There is one
//! owner here, so a principal is everybody, or somebody by name; a policy may allow the latter something (which gives it
//! to nobody who is not the owner already) and may deny it nothing.
//!
//! Pure: it refuses to know who signed, and where addresses come from.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html>
use crate::s3::bucket_policy::condition::Condition;
use crate::s3::bucket_policy::json::Json;
use crate::s3::bucket_policy::pattern::Pattern;
use crate::s3::documents::tagging::Tags;
use crate::s3::values::bucket::BucketName;
use crate::s3::values::error::{ErrorCode, S3Error};
use std::net::IpAddr;

pub(super) mod action;
mod condition;
mod json;
mod opening;
mod pattern;
#[cfg(test)]
mod tests;

pub use action::{Action, Level, needed_for};
pub use opening::Opening;

/// AWS: 20 KB.
const MAX_BYTES: usize = 20 * 1024;
const ARN: &str = "arn:aws:s3:::";

#[derive(Debug)]
pub struct BucketPolicy {
    statements: Vec<Statement>,
}

#[derive(Debug)]
struct Statement {
    effect: Effect,
    principal: Principal,
    /// Of the names without `s3:`
    actions: Vec<Pattern>,
    /// Of `bucket` and `bucket/key`
    resources: Vec<Pattern>,
    conditions: Vec<Condition>,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Allow,
    Deny,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Principal {
    Everybody,
    /// Accounts and users of another house; none of them is here.
    Named,
}

/// One question to a policy: an action on a bucket or on a key in it, and what else conditions look at.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    pub action: Action,
    pub bucket: &'a BucketName,
    /// Of an action on objects
    pub key: Option<&'a str>,
    /// An address that is known, never one that was only claimed.
    pub source_ip: Option<IpAddr>,
    pub secure_transport: bool,
    pub referer: Option<&'a str>,
    pub user_agent: Option<&'a str>,
    /// Of a list
    pub prefix: Option<&'a str>,
    pub delimiter: Option<&'a str>,
    pub canned_acl: Option<&'a str>,
    /// Of the object that there is, for an action that [looks at them](Action::looks_at_tags).
    pub existing_tags: Option<&'a Tags>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Allowed,
    Denied,
    /// The policy says nothing of it.
    Silent,
}

impl BucketPolicy {
    /// # Errors
    /// `MalformedPolicy` with the reason: no JSON, no policy, or one that cannot be evaluated here.
    pub fn parse(text: &str, bucket: &BucketName) -> Result<Self, S3Error> {
        Self::read(text, bucket)
            // The reason repeats words of the document, which no log holds.
            .map_err(|reason| {
                S3Error::with_message(ErrorCode::MalformedPolicy, reason)
                    .logged("the bucket policy is not valid, is too long, or has a part that hangar does not evaluate")
            })
    }

    fn read(text: &str, bucket: &BucketName) -> Result<Self, String> {
        if text.len() > MAX_BYTES {
            return Err("Policy exceeds the maximum allowed document size.".to_owned());
        }
        let json: Json = serde_json::from_str(text).map_err(|error| {
            if error.is_data() {
                "Policies must not hold a name twice in one object".to_owned()
            } else {
                "This policy contains invalid Json".to_owned()
            }
        })?;
        let Json::Object(members) = json else {
            return Err("Policies must be valid JSON and the first byte must be '{'".to_owned());
        };
        let mut statements = None;
        for (name, value) in members {
            match (name.as_str(), value) {
                ("Version", Json::Text(version))
                    if matches!(version.as_str(), "2012-10-17" | "2008-10-17") => {}
                ("Version", _) => {
                    return Err("The policy must contain a valid version string".to_owned());
                }
                // AWS: `Id`. MinIO, and policies that were written for it, have `ID` too.
                ("Id" | "ID", Json::Text(_)) => {}
                ("Statement", value) => statements = Some(value.one_or_many()),
                (name, _) => return Err(format!("Unknown field {}", shortened(name))),
            }
        }
        let statements = statements
            .filter(|statements| !statements.is_empty())
            .ok_or("Missing required field Statement")?
            .into_iter()
            .map(|statement| Statement::read(statement, bucket))
            .collect::<Result<_, _>>()?;
        Ok(Self { statements })
    }

    #[must_use]
    pub fn evaluate(&self, asked: &Asked<'_>) -> Decision {
        let says = |effect| {
            self.statements
                .iter()
                .any(|statement| statement.effect == effect && statement.covers(asked))
        };
        if says(Effect::Deny) {
            Decision::Denied
        } else if says(Effect::Allow) {
            Decision::Allowed
        } else {
            Decision::Silent
        }
    }

    /// Whether it may allow an action on some of what it is about: not that any one request is allowed.
    #[must_use]
    pub fn may_allow(&self, action: Action) -> bool {
        self.statements.iter().any(|statement| {
            statement.effect == Effect::Allow
                && statement.principal == Principal::Everybody
                && statement.names(action)
        })
    }

    /// Whether anything that it says depends on where a request came from.
    #[must_use]
    pub fn looks_at_addresses(&self) -> bool {
        let mut conditions = self.statements.iter().flat_map(|it| &it.conditions);
        conditions.any(Condition::looks_at_addresses)
    }

    /// Whether anything that it says of an action depends on the tags that the object has.
    #[must_use]
    pub fn looks_at_tags(&self, action: Action) -> bool {
        let mut statements = self.statements.iter();
        action.looks_at_tags()
            && statements
                .any(|it| it.names(action) && it.conditions.iter().any(Condition::looks_at_tags))
    }

    /// Whether anything that it says depends on more of a request than what is asked for.
    #[must_use]
    pub fn looks_at_requests(&self) -> bool {
        let mut statements = self.statements.iter();
        statements.any(|statement| !statement.conditions.is_empty())
    }

    /// Whether it allows everybody anything, or nearly everybody.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.statements.iter().any(|statement| {
            statement.effect == Effect::Allow
                && statement.principal == Principal::Everybody
                && !statement
                    .conditions
                    .iter()
                    .any(Condition::narrows_to_known_addresses)
        })
    }
}

impl Statement {
    fn read(json: Json, bucket: &BucketName) -> Result<Self, String> {
        let Json::Object(members) = json else {
            return Err("Statement must be an object or a list of objects".to_owned());
        };
        let (mut effect, mut principal, mut actions, mut resources) = (None, None, None, None);
        let mut conditions = Vec::new();
        for (name, value) in members {
            match name.as_str() {
                "Sid" if matches!(value, Json::Text(_)) => {}
                "Sid" => return Err("Sid must be a string".to_owned()),
                "Effect" => effect = Some(read_effect(value)?),
                "Principal" => principal = Some(read_principal(value)?),
                "Action" => actions = Some(value.texts().ok_or("Policy has invalid action")?),
                "Resource" => {
                    let texts = value.texts().ok_or(INVALID_RESOURCE)?;
                    resources = Some(
                        texts
                            .iter()
                            .map(|text| read_resource(text, bucket))
                            .collect::<Result<Vec<_>, _>>()?,
                    );
                }
                "Condition" => conditions = Condition::parse_all(value)?,
                "NotPrincipal" | "NotAction" | "NotResource" => {
                    return Err(format!("Policies with {name} are not evaluated"));
                }
                name => return Err(format!("Unknown field {}", shortened(name))),
            }
        }
        let effect = effect.ok_or("Missing required field Effect")?;
        let principal = principal.ok_or("Missing required field Principal")?;
        if (effect, principal) == (Effect::Deny, Principal::Named) {
            return Err(format!(
                "{INVALID_PRINCIPAL}: what is denied to somebody by name would be denied to nobody here"
            ));
        }
        let resources: Vec<Resource> = resources.ok_or("Missing required field Resource")?;
        let actions = actions
            .ok_or("Missing required field Action")?
            .iter()
            .map(|text| read_action(text, &resources))
            .collect::<Result<Vec<_>, _>>()?;
        let looks_at_tags = conditions.iter().any(Condition::looks_at_tags);
        if looks_at_tags && !actions.iter().all(action::may_look_at_tags) {
            // AWS: its words. It would be kept, and would hold of nothing.
            return Err(
                "Conditions do not apply to combination of actions and resources in statement"
                    .to_owned(),
            );
        }
        Ok(Self {
            effect,
            principal,
            actions,
            resources: resources.into_iter().map(|it| it.pattern).collect(),
            conditions,
        })
    }

    fn names(&self, action: Action) -> bool {
        self.actions
            .iter()
            .any(|pattern| pattern.matches_ignoring_case(action.name()))
    }

    fn covers(&self, asked: &Asked<'_>) -> bool {
        let resource = match asked.key {
            Some(key) => format!("{}/{key}", asked.bucket),
            None => asked.bucket.as_str().to_owned(),
        };
        self.principal == Principal::Everybody
            && self.names(asked.action)
            && self
                .resources
                .iter()
                .any(|pattern| pattern.matches(&resource))
            && self
                .conditions
                .iter()
                .all(|condition| condition.holds(asked, self.effect))
    }
}

const INVALID_PRINCIPAL: &str = "Invalid principal in policy";
const INVALID_RESOURCE: &str = "Policy has invalid resource";

fn read_effect(value: Json) -> Result<Effect, String> {
    match value.text().as_deref() {
        Some("Allow") => Ok(Effect::Allow),
        Some("Deny") => Ok(Effect::Deny),
        _ => Err("Effect must be Allow or Deny".to_owned()),
    }
}

/// `"*"`, `{"AWS": "*"}`, `{"AWS": ["*"]}`; or accounts and users by name.
fn read_principal(value: Json) -> Result<Principal, String> {
    let names = match value {
        Json::Text(everybody) if everybody == "*" => return Ok(Principal::Everybody),
        Json::Object(mut members) if members.len() == 1 => match members.pop() {
            Some((kind, value)) if kind == "AWS" || kind == "CanonicalUser" => value.texts(),
            _ => None,
        },
        _ => None,
    };
    let names = names.ok_or(INVALID_PRINCIPAL)?;
    if names.iter().any(|name| name == "*") {
        return Ok(Principal::Everybody);
    }
    let is_named = |name: &String| {
        let is_id = matches!(name.len(), 12 | 64) && name.bytes().all(|b| b.is_ascii_hexdigit());
        let is_arn = name.strip_prefix("arn:aws:").is_some_and(|rest| {
            (rest.starts_with("iam::") || rest.starts_with("sts::")) && !rest.contains(['*', '?'])
        });
        is_id || is_arn
    };
    if names.iter().all(is_named) {
        Ok(Principal::Named)
    } else {
        Err(INVALID_PRINCIPAL.to_owned())
    }
}

struct Resource {
    pattern: Pattern,
    /// Whether it can be the bucket, and whether it can be an object.
    levels: Vec<Level>,
}

/// `arn:aws:s3:::bucket`, `arn:aws:s3:::bucket/key*`, `arn:aws:s3:::bucket*`.
fn read_resource(text: &str, bucket: &BucketName) -> Result<Resource, String> {
    let pattern = text.strip_prefix(ARN).ok_or(INVALID_RESOURCE)?;
    if pattern.contains("${") {
        return Err("Policy variables are not evaluated: Resource".to_owned());
    }
    let below = pattern
        .strip_prefix(bucket.as_str())
        .ok_or(INVALID_RESOURCE)?;
    let levels = match below.chars().next() {
        None => vec![Level::Bucket],
        Some('*') if below.chars().all(|c| c == '*') => vec![Level::Bucket, Level::Object],
        Some('*' | '/') => vec![Level::Object],
        Some(_) => return Err(INVALID_RESOURCE.to_owned()),
    };
    Ok(Resource {
        pattern: Pattern::new(pattern),
        levels,
    })
}

/// `s3:GetObject`, `s3:Get*`, `s3:*` or `*`. AWS knows what it names, and one of the resources is of that kind.
fn read_action(text: &str, resources: &[Resource]) -> Result<Pattern, String> {
    let name = match text.split_once(':') {
        Some((service, name)) if service.eq_ignore_ascii_case("s3") => name,
        None if text == "*" => text,
        _ => return Err("Policy has invalid action".to_owned()),
    };
    let pattern = Pattern::new(name);
    let levels = action::levels_named_by(&pattern);
    if levels.is_empty() {
        return Err("Policy has invalid action".to_owned());
    }
    let applies = resources
        .iter()
        .flat_map(|resource| &resource.levels)
        .any(|level| levels.contains(level));
    if !applies {
        return Err("Action does not apply to any resource(s) in statement".to_owned());
    }
    Ok(pattern)
}

/// What an error repeats of a client's text: enough to know it again.
fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}
