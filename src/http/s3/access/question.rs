//! The question about a request that limits of keys and policies of buckets decide.

use crate::http::s3::exchange::Exchange;
use crate::s3::bucket_policy::Action;
use crate::s3::op::{BucketOperation, ObjectOperation, Operation};
use crate::s3::policy::FormFields;
use crate::s3::tagging::Tags;
use crate::s3::{BucketName, ObjectKey, S3Error};
use crate::store::{Bucket, Object, Store};

/// A bucket's name, and the bucket that the look-up found under it.
#[derive(Clone, Copy)]
pub(super) struct NamedBucket<'a> {
    pub(super) name: &'a BucketName,
    pub(super) found: Option<&'a Bucket>,
}

impl<'a> From<&'a Bucket> for NamedBucket<'a> {
    fn from(bucket: &'a Bucket) -> Self {
        Self {
            name: &bucket.name,
            found: Some(bucket),
        }
    }
}

/// The target of an action, and the other values that limits and conditions check.
pub(super) struct Question<'a> {
    pub(super) bucket: Option<NamedBucket<'a>>,
    pub(super) key: Option<&'a ObjectKey>,
    pub(super) is_list: bool,
    pub(super) prefix: Option<&'a str>,
    pub(super) delimiter: Option<&'a str>,
    pub(super) canned_acl: Option<&'a str>,
    sets_tags: bool,
    /// The tags of the existing object, where the bucket's policy has a condition on them.
    pub(super) existing_tags: Tags,
}

impl<'a> Question<'a> {
    pub(super) fn about(bucket: impl Into<NamedBucket<'a>>, key: Option<&'a ObjectKey>) -> Self {
        Self {
            bucket: Some(bucket.into()),
            key,
            is_list: false,
            prefix: None,
            delimiter: None,
            canned_acl: None,
            sets_tags: false,
            existing_tags: Tags::default(),
        }
    }

    pub(super) fn about_object(bucket: &'a Bucket, object: &'a Object) -> Self {
        Self {
            existing_tags: tags_of(object),
            ..Self::about(bucket, Some(&object.key))
        }
    }

    pub(super) fn of(
        exchange: &'a Exchange<'_>,
        operation: &'a Operation,
        bucket: Option<NamedBucket<'a>>,
    ) -> Self {
        use BucketOperation as B;
        use ObjectOperation as O;
        let is_list = matches!(
            operation,
            Operation::OnBucket(
                B::ListObjects | B::ListObjectsV2 | B::ListObjectVersions | B::ListMultipartUploads,
                _
            )
        );
        let takes_tags = matches!(
            operation,
            Operation::OnObject(O::Put | O::Copy | O::CreateMultipartUpload, ..)
        );
        Self {
            bucket,
            key: operation.key(),
            is_list,
            prefix: exchange.parameter("prefix").filter(|_| is_list),
            delimiter: exchange.parameter("delimiter").filter(|_| is_list),
            canned_acl: exchange.header("x-amz-acl"),
            sets_tags: takes_tags && exchange.header("x-amz-tagging").is_some(),
            existing_tags: Tags::default(),
        }
    }

    pub(super) fn of_form(
        fields: &'a FormFields,
        bucket: NamedBucket<'a>,
        key: &'a ObjectKey,
    ) -> Self {
        let stated = |names: [&str; 2]| names.into_iter().find_map(|name| fields.get(name));
        Self {
            canned_acl: stated(["x-amz-acl", "acl"]),
            sets_tags: stated(["tagging", "x-amz-tagging"]).is_some(),
            ..Self::about(bucket, Some(key))
        }
    }

    /// Must be called before the question is first decided. A policy decides alike for a missing object and an untagged
    /// one.
    pub(super) async fn look_up_tags(
        &mut self,
        store: &Store,
        actions: [&[Action]; 2],
    ) -> Result<(), S3Error> {
        if let (Some(bucket), Some(key)) = (self.bucket.and_then(|bucket| bucket.found), self.key)
            && looks_at_tags(bucket, actions)
        {
            let object = store.object(&bucket.name, key).await?;
            self.existing_tags = object.as_ref().map(tags_of).unwrap_or_default();
        }
        Ok(())
    }

    pub(super) fn needed_for_tags(&self) -> &'static [Action] {
        if self.sets_tags {
            &[Action::PutObjectTagging]
        } else {
            &[]
        }
    }
}

/// Whether the policy of a bucket has a condition on an object's tags for one of these actions.
pub(crate) fn looks_at_tags(bucket: &Bucket, actions: [&[Action]; 2]) -> bool {
    let policy = bucket.policy().ok().flatten();
    let mut actions = actions.into_iter().flatten();
    policy.is_some_and(|policy| actions.any(|action| policy.looks_at_tags(*action)))
}

fn tags_of(object: &Object) -> Tags {
    Tags::stored(object.meta.tagging.as_deref().unwrap_or_default())
}
