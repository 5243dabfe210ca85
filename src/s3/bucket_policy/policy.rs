//! A whole policy: parsed when it is set, evaluated for each request.

use crate::s3::bucket_policy::action::Action;
use crate::s3::bucket_policy::condition::Condition;
use crate::s3::bucket_policy::effect::Effect;
use crate::s3::bucket_policy::json::{Json, shortened};
use crate::s3::bucket_policy::query::{Decision, PolicyQuery};
use crate::s3::bucket_policy::statement::{Principal, Statement};
use crate::s3::values::bucket::BucketName;
use crate::s3::values::error::{ErrorCode, S3Error};

/// AWS: 20 KB.
pub(super) const MAX_BYTES: usize = 20 * 1024;

#[derive(Debug)]
pub struct BucketPolicy {
    pub(super) statements: Vec<Statement>,
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
    pub fn evaluate(&self, query: &PolicyQuery<'_>) -> Decision {
        let says = |effect| {
            self.statements
                .iter()
                .any(|statement| statement.effect == effect && statement.covers(query))
        };
        if says(Effect::Deny) {
            Decision::Denied
        } else if says(Effect::Allow) {
            Decision::Allowed
        } else {
            Decision::Silent
        }
    }

    /// Whether it may allow an action on some resource; a single request may still be refused.
    #[must_use]
    pub fn may_allow(&self, action: Action) -> bool {
        self.statements.iter().any(|statement| {
            statement.effect == Effect::Allow
                && statement.principal == Principal::Everybody
                && statement.names(action)
        })
    }

    /// Whether any statement depends on the address of a request.
    #[must_use]
    pub fn looks_at_addresses(&self) -> bool {
        let mut conditions = self.statements.iter().flat_map(|it| &it.conditions);
        conditions.any(Condition::looks_at_addresses)
    }

    /// Whether any statement about an action depends on the tags of the object.
    #[must_use]
    pub fn looks_at_tags(&self, action: Action) -> bool {
        let mut statements = self.statements.iter();
        action.looks_at_tags()
            && statements
                .any(|it| it.names(action) && it.conditions.iter().any(Condition::looks_at_tags))
    }

    /// Whether any statement has a condition.
    #[must_use]
    pub fn looks_at_requests(&self) -> bool {
        let mut statements = self.statements.iter();
        statements.any(|statement| !statement.conditions.is_empty())
    }

    /// Whether it allows anything to everyone, or to nearly everyone.
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
