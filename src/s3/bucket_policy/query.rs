//! One question to a policy, and what the policy decides.

use crate::s3::bucket_policy::action::Action;
use crate::s3::documents::tagging::Tags;
use crate::s3::values::bucket::BucketName;
use std::net::IpAddr;

/// One question to a policy: an action on a bucket or on a key in it, and all that conditions test.
#[derive(Debug, Clone)]
pub struct PolicyQuery<'a> {
    pub action: Action,
    pub bucket: &'a BucketName,
    /// Of an action on objects
    pub key: Option<&'a str>,
    /// A known address, never a merely claimed one.
    pub source_ip: Option<IpAddr>,
    pub secure_transport: bool,
    pub referer: Option<&'a str>,
    pub user_agent: Option<&'a str>,
    /// Of a list
    pub prefix: Option<&'a str>,
    pub delimiter: Option<&'a str>,
    pub canned_acl: Option<&'a str>,
    /// Of the existing object, for an action that [looks at them](Action::looks_at_tags).
    pub existing_tags: Option<&'a Tags>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Allowed,
    Denied,
    /// No statement applies.
    Silent,
}
