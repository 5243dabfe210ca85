//! The actions of S3's policies, and which of them each operation needs.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>

use crate::s3::bucket_policy::pattern::Pattern;
use crate::s3::op::{BucketOperation, Feature, ObjectOperation, Operation};
use crate::s3::values::bucket::BucketSetting;

/// What an action acts upon, and so which resources it goes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Service,
    Bucket,
    Object,
}

/// The callers that a policy can allow an action to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Any request that a policy allows it.
    Anybody,
    /// Signed requests.
    Signed,
    /// Only the owner of the buckets.
    Owner,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Reads,
    Writes,
}

/// Makes [`Action`] and its total mappings from one table.
macro_rules! actions {
    ($($action:ident $level:ident $effect:ident $reach:ident;)+) => {
        /// The actions that operations here need; `s3:` stands before the name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action {
            $($action,)+
        }
        impl Action {
            pub const ALL: &[Self] = &[$(Self::$action,)+];

            /// The name without `s3:`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$action => stringify!($action),)+
                }
            }
            #[must_use]
            pub fn level(self) -> Level {
                match self {
                    $(Self::$action => Level::$level,)+
                }
            }
            fn effect(self) -> Effect {
                match self {
                    $(Self::$action => Effect::$effect,)+
                }
            }
            fn reach(self) -> Reach {
                match self {
                    $(Self::$action => Reach::$reach,)+
                }
            }
        }
    };
}

actions! {
    ListAllMyBuckets Service Reads Signed;
    CreateBucket Bucket Writes Owner;
    DeleteBucket Bucket Writes Owner;
    ListBucket Bucket Reads Anybody;
    ListBucketVersions Bucket Reads Anybody;
    ListBucketMultipartUploads Bucket Reads Anybody;
    GetBucketLocation Bucket Reads Anybody;
    GetBucketPolicy Bucket Reads Owner;
    PutBucketPolicy Bucket Writes Owner;
    DeleteBucketPolicy Bucket Writes Owner;
    GetBucketPolicyStatus Bucket Reads Signed;
    GetBucketCORS Bucket Reads Signed;
    PutBucketCORS Bucket Writes Owner;
    GetBucketTagging Bucket Reads Signed;
    PutBucketTagging Bucket Writes Owner;
    GetLifecycleConfiguration Bucket Reads Signed;
    PutLifecycleConfiguration Bucket Writes Owner;
    GetBucketPublicAccessBlock Bucket Reads Signed;
    PutBucketPublicAccessBlock Bucket Writes Owner;
    GetBucketOwnershipControls Bucket Reads Signed;
    PutBucketOwnershipControls Bucket Writes Owner;
    GetBucketVersioning Bucket Reads Signed;
    PutBucketVersioning Bucket Writes Owner;
    GetBucketAcl Bucket Reads Signed;
    PutBucketAcl Bucket Writes Owner;
    GetEncryptionConfiguration Bucket Reads Signed;
    PutEncryptionConfiguration Bucket Writes Owner;
    GetBucketObjectLockConfiguration Bucket Reads Signed;
    GetReplicationConfiguration Bucket Reads Signed;
    PutReplicationConfiguration Bucket Writes Owner;
    GetBucketWebsite Bucket Reads Signed;
    DeleteBucketWebsite Bucket Writes Owner;
    GetBucketNotification Bucket Reads Signed;
    GetBucketLogging Bucket Reads Signed;
    GetBucketRequestPayment Bucket Reads Signed;
    GetAccelerateConfiguration Bucket Reads Signed;
    GetObject Object Reads Anybody;
    GetObjectAttributes Object Reads Anybody;
    PutObject Object Writes Anybody;
    DeleteObject Object Writes Anybody;
    GetObjectTagging Object Reads Anybody;
    PutObjectTagging Object Writes Anybody;
    DeleteObjectTagging Object Writes Anybody;
    GetObjectAcl Object Reads Signed;
    PutObjectAcl Object Writes Signed;
    ListMultipartUploadParts Object Reads Anybody;
    AbortMultipartUpload Object Writes Anybody;
}

/// Actions that AWS knows and nothing here needs: a policy may name them, and they allow and deny nothing.
const OF_BUCKETS_ELSEWHERE: &[&str] = &[
    "GetAnalyticsConfiguration",
    "GetIntelligentTieringConfiguration",
    "GetInventoryConfiguration",
    "GetMetricsConfiguration",
    "PutAccelerateConfiguration",
    "PutAnalyticsConfiguration",
    "PutBucketLogging",
    "PutBucketNotification",
    "PutBucketObjectLockConfiguration",
    "PutBucketRequestPayment",
    "PutBucketWebsite",
    "PutIntelligentTieringConfiguration",
    "PutInventoryConfiguration",
    "PutMetricsConfiguration",
];
const OF_OBJECTS_ELSEWHERE: &[&str] = &[
    "BypassGovernanceRetention",
    "DeleteObjectVersion",
    "DeleteObjectVersionTagging",
    "GetObjectLegalHold",
    "GetObjectRetention",
    "GetObjectTorrent",
    "GetObjectVersion",
    "GetObjectVersionAcl",
    "GetObjectVersionAttributes",
    "GetObjectVersionForReplication",
    "GetObjectVersionTagging",
    "GetObjectVersionTorrent",
    "ObjectOwnerOverrideToBucketOwner",
    "PutObjectLegalHold",
    "PutObjectRetention",
    "PutObjectVersionAcl",
    "PutObjectVersionTagging",
    "ReplicateDelete",
    "ReplicateObject",
    "ReplicateTags",
    "RestoreObject",
];

/// Actions of which a policy may look at the tags that the object has: not those that write or delete it.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/tagging-and-policies.html>
const LOOKING_AT_TAGS: &[Action] = &[
    Action::GetObject,
    Action::GetObjectAttributes,
    Action::GetObjectTagging,
    Action::PutObjectTagging,
    Action::DeleteObjectTagging,
    Action::GetObjectAcl,
    Action::PutObjectAcl,
];
const LOOKING_AT_TAGS_ELSEWHERE: &[&str] = &[
    "DeleteObjectVersionTagging",
    "GetObjectVersion",
    "GetObjectVersionAcl",
    "GetObjectVersionAttributes",
    "GetObjectVersionTagging",
    "PutObjectVersionAcl",
    "PutObjectVersionTagging",
];

impl Action {
    /// Whether a policy may look at the tags that the object has.
    #[must_use]
    pub fn looks_at_tags(self) -> bool {
        LOOKING_AT_TAGS.contains(&self)
    }
    /// Whether it changes nothing.
    #[must_use]
    pub fn reads(self) -> bool {
        self.effect() == Effect::Reads
    }
    /// Whether a policy may allow it to unsigned requests: objects and lists, never a bucket's own settings.
    #[must_use]
    pub fn is_open_to_anybody(self) -> bool {
        self.reach() == Reach::Anybody
    }
    /// Whether only the owner may do it: a bucket's own settings.
    #[must_use]
    pub fn is_owners(self) -> bool {
        self.reach() == Reach::Owner
    }
}

/// Whether one of the actions that a policy's pattern names may look at the tags that the object has.
pub(super) fn may_look_at_tags(pattern: &Pattern) -> bool {
    let ours = LOOKING_AT_TAGS.iter().map(|action| action.name());
    ours.chain(LOOKING_AT_TAGS_ELSEWHERE.iter().copied())
        .any(|name| pattern.matches_ignoring_case(name))
}

/// The levels of all actions that a policy's pattern (`s3:Get*`) names. Empty: AWS knows none of them.
pub(super) fn levels_named_by(pattern: &Pattern) -> Vec<Level> {
    let ours = Action::ALL
        .iter()
        .map(|action| (action.name(), action.level()));
    let elsewhere = [
        (OF_BUCKETS_ELSEWHERE, Level::Bucket),
        (OF_OBJECTS_ELSEWHERE, Level::Object),
    ]
    .into_iter()
    .flat_map(|(names, level)| names.iter().map(move |name| (*name, level)));
    ours.chain(elsewhere)
        .filter(|(name, _)| pattern.matches_ignoring_case(name))
        .map(|(_, level)| level)
        .collect()
}

/// All actions that an operation needs. `DeleteObjects` needs `DeleteObject` for each key that its body names.
#[must_use]
pub fn needed_for(operation: &Operation) -> &'static [Action] {
    match operation {
        Operation::ListBuckets => &[Action::ListAllMyBuckets],
        Operation::OnBucket(operation, _) => needed_of_bucket(*operation),
        Operation::OnObject(operation, ..) => needed_of_object(*operation),
        // Says what a browser may ask for, and does nothing.
        Operation::Preflight(_) => &[],
    }
}

fn needed_of_bucket(operation: BucketOperation) -> &'static [Action] {
    use BucketOperation as Op;
    match operation {
        Op::Create => &[Action::CreateBucket],
        Op::Delete => &[Action::DeleteBucket],
        Op::Head | Op::ListObjects | Op::ListObjectsV2 => &[Action::ListBucket],
        Op::ListObjectVersions => &[Action::ListBucketVersions],
        Op::ListMultipartUploads => &[Action::ListBucketMultipartUploads],
        Op::GetLocation => &[Action::GetBucketLocation],
        Op::DeleteObjects => &[Action::DeleteObject],
        Op::PostObject => &[Action::PutObject],
        Op::GetSetting(setting) => needed_to_get(setting),
        Op::DeleteSetting(BucketSetting::Policy) => &[Action::DeleteBucketPolicy],
        // AWS: to delete one of the others is to put none.
        Op::PutSetting(setting) | Op::DeleteSetting(setting) => needed_to_put(setting),
        Op::GetPolicyStatus => &[Action::GetBucketPolicyStatus],
        Op::GetVersioning => &[Action::GetBucketVersioning],
        Op::PutVersioning => &[Action::PutBucketVersioning],
        Op::GetAcl => &[Action::GetBucketAcl],
        Op::PutAcl => &[Action::PutBucketAcl],
        Op::GetUnconfigured(feature) => match feature {
            Feature::Encryption => &[Action::GetEncryptionConfiguration],
            Feature::ObjectLock => &[Action::GetBucketObjectLockConfiguration],
            Feature::Replication => &[Action::GetReplicationConfiguration],
            Feature::Website => &[Action::GetBucketWebsite],
            Feature::Notification => &[Action::GetBucketNotification],
            Feature::Logging => &[Action::GetBucketLogging],
            Feature::RequestPayment => &[Action::GetBucketRequestPayment],
            Feature::Accelerate => &[Action::GetAccelerateConfiguration],
        },
        Op::DeleteUnconfigured(feature) => needed_to_remove(feature),
    }
}

fn needed_to_remove(feature: Feature) -> &'static [Action] {
    match feature {
        Feature::Encryption => &[Action::PutEncryptionConfiguration],
        Feature::Replication => &[Action::PutReplicationConfiguration],
        Feature::Website => &[Action::DeleteBucketWebsite],
        // S3 removes none of these; only the owner could.
        Feature::ObjectLock
        | Feature::Notification
        | Feature::Logging
        | Feature::RequestPayment
        | Feature::Accelerate => &[Action::DeleteBucket],
    }
}

fn needed_to_get(setting: BucketSetting) -> &'static [Action] {
    match setting {
        BucketSetting::Policy => &[Action::GetBucketPolicy],
        BucketSetting::Cors => &[Action::GetBucketCORS],
        BucketSetting::Tagging => &[Action::GetBucketTagging],
        BucketSetting::Lifecycle => &[Action::GetLifecycleConfiguration],
        BucketSetting::PublicAccessBlock => &[Action::GetBucketPublicAccessBlock],
        BucketSetting::OwnershipControls => &[Action::GetBucketOwnershipControls],
        BucketSetting::Location => &[Action::GetBucketLocation],
    }
}

fn needed_to_put(setting: BucketSetting) -> &'static [Action] {
    match setting {
        BucketSetting::Policy => &[Action::PutBucketPolicy],
        BucketSetting::Cors => &[Action::PutBucketCORS],
        BucketSetting::Tagging => &[Action::PutBucketTagging],
        BucketSetting::Lifecycle => &[Action::PutLifecycleConfiguration],
        BucketSetting::PublicAccessBlock => &[Action::PutBucketPublicAccessBlock],
        BucketSetting::OwnershipControls => &[Action::PutBucketOwnershipControls],
        // Stated when the bucket is made.
        BucketSetting::Location => &[Action::CreateBucket],
    }
}

fn needed_of_object(operation: ObjectOperation) -> &'static [Action] {
    use ObjectOperation as Op;
    match operation {
        Op::Get | Op::Head => &[Action::GetObject],
        Op::GetAttributes => &[Action::GetObject, Action::GetObjectAttributes],
        // The source of a copy is asked for by itself.
        Op::Put
        | Op::Copy
        | Op::CreateMultipartUpload
        | Op::UploadPart
        | Op::UploadPartCopy
        | Op::CompleteMultipartUpload => &[Action::PutObject],
        Op::Delete => &[Action::DeleteObject],
        Op::GetTagging => &[Action::GetObjectTagging],
        Op::PutTagging => &[Action::PutObjectTagging],
        Op::DeleteTagging => &[Action::DeleteObjectTagging],
        Op::GetAcl => &[Action::GetObjectAcl],
        Op::PutAcl => &[Action::PutObjectAcl],
        Op::ListParts => &[Action::ListMultipartUploadParts],
        Op::AbortMultipartUpload => &[Action::AbortMultipartUpload],
    }
}
