//! The requester: the owner, a key with limits, or the public; and whether an action is permitted to it.
//!
//! A policy can deny even the owner, but the owner can always read, change and remove the policy. It can allow unsigned
//! requests operations on objects and lists, never on a bucket's settings. It does not widen a key's limits.

use crate::auth::{AccessKey, AccessKeys, KeyLimits};
use crate::http::s3::access::question::Question;
use crate::http::s3::access::sender::Sender;
use crate::http::s3::error::{access_denied, no_such_bucket};
use crate::http::s3::exchange::Exchange;
use crate::s3::bucket_policy::{Action, Asked, BucketPolicy, Decision, Level};
use crate::s3::{ErrorCode, ObjectKey, S3Error};
use crate::store::Bucket;
use std::sync::Arc;

pub(super) enum Requester {
    /// The request is not signed.
    Anonymous,
    /// The request is signed with the root key.
    Owner,
    Limited(Arc<AccessKey>),
}

impl Requester {
    pub(super) fn of(keys: &AccessKeys, access_key: &str) -> Result<Self, S3Error> {
        if access_key == keys.root().id {
            return Ok(Self::Owner);
        }
        // The key may have been revoked since its signature was checked.
        let key = keys.find(access_key).ok_or(ErrorCode::InvalidAccessKeyId)?;
        Ok(Self::Limited(key))
    }

    /// # Errors
    /// `AccessDenied`; `NoSuchBucket` for an unsigned request.
    pub(super) fn require(
        &self,
        exchange: &Exchange<'_>,
        action: Action,
        question: &Question<'_>,
    ) -> Result<(), S3Error> {
        match self {
            Self::Anonymous if !action.is_open_to_anybody() => {
                return Err(access_denied(NOT_SIGNED));
            }
            Self::Limited(access_key) => within(&access_key.limits, action, question)?,
            Self::Anonymous | Self::Owner => {}
        }
        let Some(named) = question.bucket else {
            return Ok(());
        };
        let Some(bucket) = named.found else {
            return match self {
                Self::Anonymous => Err(no_such_bucket(named.name)),
                // A signed request gets the operation's own error.
                Self::Owner | Self::Limited(_) => Ok(()),
            };
        };
        if matches!(self, Self::Owner) && is_of_the_policy(action) {
            return Ok(());
        }
        let Some(policy) = policy_of(bucket)? else {
            return match self {
                Self::Anonymous => Err(access_denied(NOT_SIGNED)),
                Self::Owner | Self::Limited(_) => Ok(()),
            };
        };
        match (decide(exchange, policy, bucket, action, question), self) {
            (Decision::Denied, _) => Err(access_denied("the bucket's policy denies it")),
            (_, Self::Owner | Self::Limited(_)) => Ok(()),
            (Decision::Silent, Self::Anonymous) => Err(access_denied(NOT_SIGNED)),
            (Decision::Allowed, Self::Anonymous) => {
                let block = bucket.public_access_block();
                if block.restrict_public_buckets && policy.is_public() {
                    return Err(access_denied(
                        "the bucket's public access block refuses unsigned requests",
                    ));
                }
                Ok(())
            }
        }
    }
}

pub(super) const NOT_SIGNED: &str = "the request was not signed";

fn is_of_the_policy(action: Action) -> bool {
    matches!(
        action,
        Action::GetBucketPolicy | Action::PutBucketPolicy | Action::DeleteBucketPolicy
    )
}

fn within(limits: &KeyLimits, action: Action, question: &Question<'_>) -> Result<(), S3Error> {
    if action.is_owners() {
        return Err(access_denied(
            "what a bucket is, only the root key may ask and change",
        ));
    }
    if limits.read_only && !action.reads() {
        return Err(access_denied("the access key may only read"));
    }
    if let (Some(limit), Some(bucket)) = (&limits.bucket, question.bucket)
        && limit != bucket.name
    {
        return Err(access_denied("the access key is for another bucket"));
    }
    let Some(prefix) = &limits.prefix else {
        return Ok(());
    };
    let is_below = match (action, question.key) {
        (_, Some(key)) => key.as_str().starts_with(prefix),
        // The keys in a list of objects to delete are checked one by one.
        (Action::DeleteObject, None) => true,
        (_, None) if question.is_list => question
            .prefix
            .is_some_and(|listed| listed.starts_with(prefix)),
        (Action::ListAllMyBuckets | Action::ListBucket | Action::GetBucketLocation, None) => true,
        (_, None) => action.level() == Level::Object,
    };
    if is_below {
        Ok(())
    } else {
        Err(access_denied("the access key is for keys below a prefix"))
    }
}

/// # Errors
/// `AccessDenied` where it cannot be read.
pub(super) fn policy_of(bucket: &Bucket) -> Result<Option<&BucketPolicy>, S3Error> {
    bucket
        .policy()
        .map_err(|_| access_denied("the bucket's policy cannot be evaluated: set it anew"))
}

/// The decision of a bucket's policy.
fn decide(
    exchange: &Exchange<'_>,
    policy: &BucketPolicy,
    bucket: &Bucket,
    action: Action,
    question: &Question<'_>,
) -> Decision {
    if action.level() == Level::Object && question.key.is_none() {
        // The keys in a list of objects to delete are checked one by one.
        return if policy.may_allow(action) {
            Decision::Allowed
        } else {
            Decision::Silent
        };
    }
    let sender = Sender::of(exchange);
    policy.evaluate(&Asked {
        action,
        bucket: &bucket.name,
        key: question.key.map(ObjectKey::as_str),
        source_ip: sender.address,
        secure_transport: sender.came_by_tls,
        referer: exchange.header("referer"),
        user_agent: exchange.header("user-agent"),
        prefix: question.prefix,
        delimiter: question.delimiter,
        canned_acl: question.canned_acl,
        existing_tags: Some(&question.existing_tags),
    })
}
