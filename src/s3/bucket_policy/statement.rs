//! One statement of a policy: its effect, principal, actions, resources and conditions.

use crate::s3::bucket_policy::action::{self, Action, Level};
use crate::s3::bucket_policy::condition::Condition;
use crate::s3::bucket_policy::effect::Effect;
use crate::s3::bucket_policy::json::{Json, shortened};
use crate::s3::bucket_policy::pattern::Pattern;
use crate::s3::bucket_policy::query::PolicyQuery;
use crate::s3::values::bucket::BucketName;

const ARN: &str = "arn:aws:s3:::";

#[derive(Debug)]
pub(super) struct Statement {
    pub(super) effect: Effect,
    pub(super) principal: Principal,
    /// Of the names without `s3:`
    pub(super) actions: Vec<Pattern>,
    /// Of `bucket` and `bucket/key`
    pub(super) resources: Vec<Pattern>,
    pub(super) conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Principal {
    Everybody,
    /// Named accounts and users; none of them exists here.
    Named,
}

impl Statement {
    pub(super) fn read(json: Json, bucket: &BucketName) -> Result<Self, String> {
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
            // AWS: its words. Such a statement would apply to nothing.
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

    pub(super) fn names(&self, action: Action) -> bool {
        self.actions
            .iter()
            .any(|pattern| pattern.matches_ignoring_case(action.name()))
    }

    pub(super) fn covers(&self, query: &PolicyQuery<'_>) -> bool {
        let resource = match query.key {
            Some(key) => format!("{}/{key}", query.bucket),
            None => query.bucket.as_str().to_owned(),
        };
        self.principal == Principal::Everybody
            && self.names(query.action)
            && self
                .resources
                .iter()
                .any(|pattern| pattern.matches(&resource))
            && self
                .conditions
                .iter()
                .all(|condition| condition.holds(query, self.effect))
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
