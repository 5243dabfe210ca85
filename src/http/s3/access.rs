//! Who may do what: from a request and its operation to the permission to carry it out.
//!
//! [`Permitted`] is made here alone, after a signature held (or nobody signed and a bucket's policy lets anybody), the
//! key's limits allowed the operation and no policy denied it. Handlers take it, so none runs before.
//!
//! A policy denies even the owner, who can always read, change and remove it. It allows those who do not sign what
//! concerns objects and lists, never what a bucket is; a key's limits it does not widen.

use super::{Exchange, error, verify};
use crate::auth::{AccessKey, KeyLimits};
use crate::cache::Stamp;
use crate::http::limits::Kept;
use crate::http::response_cache::Validity;
use crate::http::{origin, proxies};
use crate::s3::bucket_policy::{Action, Asked, BucketPolicy, Decision, Level, needed_for};
use crate::s3::op::{BucketOperation, ObjectOperation, Operation};
use crate::s3::policy::Grant;
use crate::s3::signature::Verified;
use crate::s3::sigv4::Payload;
use crate::s3::tagging::Tags;
use crate::s3::time::Timestamp;
use crate::s3::{BucketName, ErrorCode, ObjectKey, S3Error};
use crate::store::{Bucket, Object};
use std::net::IpAddr;
use std::sync::Arc;

/// A request that may be carried out.
pub(super) struct Permitted {
    requester: Requester,
    payload: Payload,
    is_for_browsers: bool,
    /// Until when the owner's signature would be verified again; of nobody else.
    repeats_until: Option<Timestamp>,
}

/// Who asks.
enum Requester {
    Anybody,
    /// Who holds the root key.
    Owner,
    Limited(Arc<AccessKey>),
}

/// # Errors
/// As section 1 of the protocol for the signature, `AccessDenied` for the rest; `NoSuchBucket` for those who did not
/// sign and ask for what others could be allowed.
pub(super) async fn permit(
    exchange: &mut Exchange<'_>,
    operation: &Operation,
) -> Result<Permitted, S3Error> {
    let verified = verify::verify(exchange)?;
    if let Some(verified) = &verified {
        exchange.read_as_signed(verified.plus())?;
    }
    let exchange = &*exchange;
    let (requester, payload) = match &verified {
        Some(verified) => (
            Requester::of(exchange, verified.access_key())?,
            verified.payload().clone(),
        ),
        None => (
            Requester::Anybody,
            Payload::without_sigv4(&verify::head(exchange), None)?,
        ),
    };
    let mut question = Question::of(exchange, operation);
    let needed = [needed_for(operation), question.needed_for_tags()];
    question.look_up_tags(exchange, needed).await?;
    for action in needed.into_iter().flatten() {
        requester.require(exchange, *action, &question)?;
    }
    let is_for_browsers =
        exchange.state.config.safe_reads && verified.as_ref().is_none_or(Verified::is_presigned);
    let is_owner = matches!(requester, Requester::Owner);
    let verified = verified.as_ref().filter(|_| is_owner);
    Ok(Permitted {
        repeats_until: verified.and_then(Verified::repeats_until),
        requester,
        payload,
        is_for_browsers,
    })
}

/// Whether who signed a form, or anybody where nobody did, may put an object where the form wants it.
///
/// # Errors
/// `AccessDenied`
pub(super) async fn permit_form(exchange: &Exchange<'_>, grant: &Grant) -> Result<(), S3Error> {
    let requester = match grant.access_key() {
        Some(access_key) => Requester::of(exchange, access_key)?,
        None => Requester::Anybody,
    };
    let fields = grant.fields();
    let stated = |names: [&str; 2]| names.into_iter().find_map(|name| fields.get(name));
    let mut question = Question {
        canned_acl: stated(["x-amz-acl", "acl"]),
        sets_tags: stated(["tagging", "x-amz-tagging"]).is_some(),
        ..Question::about(grant.bucket(), Some(grant.key()))
    };
    let needed = [&[Action::PutObject], question.needed_for_tags()];
    question.look_up_tags(exchange, needed).await?;
    for action in needed.into_iter().flatten() {
        let permitted = requester.require(exchange, *action, &question);
        permitted.map_err(|refusal| match requester {
            Requester::Anybody => S3Error {
                message: "Access Denied: the form has no field 'policy', and writing without a signature is not allowed here.".into(),
                ..refusal
            },
            Requester::Owner | Requester::Limited(_) => refusal,
        })?;
    }
    Ok(())
}

/// What is nobody's operation is told only to those who sign.
///
/// # Errors
/// As section 1 of the protocol, `AccessDenied` without a signature.
pub(super) fn require_signed(exchange: &Exchange<'_>) -> Result<(), S3Error> {
    match verify::verify(exchange)? {
        Some(_) => Ok(()),
        None => Err(denied(NOT_SIGNED)),
    }
}

impl Permitted {
    /// Whose memory a document of this request takes: an unsigned one is counted with those of other unverified senders.
    pub(super) fn kept(&self) -> Kept {
        match self.requester {
            Requester::Anybody => Kept::Unverified,
            Requester::Owner | Requester::Limited(_) => Kept::Document,
        }
    }

    /// How the body was signed.
    pub(super) fn payload(&self) -> &Payload {
        &self.payload
    }

    /// Whether a browser can be made to ask this (presigned, anonymous), so that what it gets must be harmless.
    pub(super) fn is_for_browsers(&self) -> bool {
        self.is_for_browsers
    }

    /// Whether an answer to a read could be given again to whoever asks with the same method, target and host: the owner
    /// presigned it, or a policy lets anybody. A key with limits may be revoked.
    pub(super) fn may_repeat(&self) -> bool {
        match self.requester {
            Requester::Owner => self.repeats_until.is_some(),
            Requester::Anybody => true,
            Requester::Limited(_) => false,
        }
    }

    /// For how long it may, where it could. `stamp`: of the object and of what is set of its bucket, taken before either was
    /// looked at.
    pub(super) fn repeats(
        &self,
        exchange: &Exchange<'_>,
        bucket: &Bucket,
        key: &ObjectKey,
        stamp: Stamp,
    ) -> Option<Validity> {
        let policy = policy_of(bucket).ok()?;
        if !self.may_repeat() || policy.is_some_and(BucketPolicy::looks_at_requests) {
            return None;
        }
        // What permitted this request may have changed before the stamp was taken.
        let question = Question::about(&bucket.name, Some(key));
        let permitted = self
            .requester
            .require(exchange, Action::GetObject, &question);
        permitted.ok()?;
        Some(Validity {
            stamp,
            until: self.repeats_until,
        })
    }

    /// Whether somebody signed it.
    pub(super) fn is_signed(&self) -> bool {
        !matches!(self.requester, Requester::Anybody)
    }

    /// Whether this requester may also read another object: the source of a copy.
    ///
    /// # Errors
    /// `AccessDenied`
    pub(super) async fn require_read(
        &self,
        exchange: &Exchange<'_>,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> Result<(), S3Error> {
        let object = (bucket, key);
        self.require_about(exchange, Action::GetObject, object)
            .await
    }

    async fn require_about(
        &self,
        exchange: &Exchange<'_>,
        action: Action,
        (bucket, key): (&BucketName, &ObjectKey),
    ) -> Result<(), S3Error> {
        let mut question = Question::about(bucket, Some(key));
        question.look_up_tags(exchange, [&[action], &[]]).await?;
        self.requester.require(exchange, action, &question)
    }

    /// Whether an action that was permitted is permitted of this object too: it may have taken the place of the one whose
    /// tags were looked at.
    ///
    /// # Errors
    /// `AccessDenied`
    pub(super) fn require_of(
        &self,
        exchange: &Exchange<'_>,
        action: Action,
        object: &Object,
    ) -> Result<(), S3Error> {
        if !looks_at_tags(exchange, &object.bucket, [&[action], &[]]) {
            return Ok(());
        }
        let question = Question {
            existing_tags: tags_of(object),
            ..Question::about(&object.bucket, Some(&object.key))
        };
        self.requester.require(exchange, action, &question)
    }

    /// Whether this requester may also carry the tags of one object to another.
    ///
    /// # Errors
    /// `AccessDenied`
    pub(super) async fn require_tags(
        &self,
        exchange: &Exchange<'_>,
        source: &Object,
        target: (&BucketName, &ObjectKey),
    ) -> Result<(), S3Error> {
        let from = (&source.bucket, &source.key);
        self.require_about(exchange, Action::GetObjectTagging, from)
            .await?;
        self.require_of(exchange, Action::GetObjectTagging, source)?;
        self.require_about(exchange, Action::PutObjectTagging, target)
            .await
    }

    /// Whether this requester may also delete this object: one of the list of `DeleteObjects`.
    ///
    /// # Errors
    /// `AccessDenied`
    pub(super) fn require_delete(
        &self,
        exchange: &Exchange<'_>,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> Result<(), S3Error> {
        let question = Question::about(bucket, Some(key));
        self.requester
            .require(exchange, Action::DeleteObject, &question)
    }

    /// Whether this requester may see this bucket in a list of buckets.
    pub(super) fn sees(&self, bucket: &BucketName) -> bool {
        match &self.requester {
            Requester::Anybody => false,
            Requester::Owner => true,
            Requester::Limited(key) => key.limits.bucket.as_ref().is_none_or(|it| it == bucket),
        }
    }

    /// A refusal as this requester may hear it.
    // AWS: that there is no such key is told to those only who may list the bucket.
    // https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    pub(super) fn tell(
        &self,
        exchange: &Exchange<'_>,
        bucket: Option<&BucketName>,
        refusal: S3Error,
    ) -> S3Error {
        let (ErrorCode::NoSuchKey, Some(bucket)) = (refusal.code, bucket) else {
            return refusal;
        };
        let question = Question::about(bucket, None);
        match self
            .requester
            .require(exchange, Action::ListBucket, &question)
        {
            Ok(()) => refusal,
            Err(_) => denied("there is no such key, and this requester may not list the bucket"),
        }
    }
}

/// What is asked for, and what limits and conditions look at beside it.
struct Question<'a> {
    bucket: Option<&'a BucketName>,
    key: Option<&'a ObjectKey>,
    is_list: bool,
    prefix: Option<&'a str>,
    delimiter: Option<&'a str>,
    canned_acl: Option<&'a str>,
    sets_tags: bool,
    /// Of the object that there is, where the bucket's policy looks at them.
    existing_tags: Tags,
}

impl<'a> Question<'a> {
    fn about(bucket: &'a BucketName, key: Option<&'a ObjectKey>) -> Self {
        Self {
            bucket: Some(bucket),
            key,
            is_list: false,
            prefix: None,
            delimiter: None,
            canned_acl: None,
            sets_tags: false,
            existing_tags: Tags::default(),
        }
    }

    fn of(exchange: &'a Exchange<'_>, operation: &'a Operation) -> Self {
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
            bucket: operation.bucket(),
            key: operation.key(),
            is_list,
            prefix: exchange.parameter("prefix").filter(|_| is_list),
            delimiter: exchange.parameter("delimiter").filter(|_| is_list),
            canned_acl: exchange.header("x-amz-acl"),
            sets_tags: takes_tags && exchange.header("x-amz-tagging").is_some(),
            existing_tags: Tags::default(),
        }
    }

    /// Before any answer to it. An object that is not there has none, so a policy says the same of it as of an untagged one.
    async fn look_up_tags(
        &mut self,
        exchange: &Exchange<'_>,
        actions: [&[Action]; 2],
    ) -> Result<(), S3Error> {
        if let (Some(bucket), Some(key)) = (self.bucket, self.key)
            && looks_at_tags(exchange, bucket, actions)
        {
            let object = exchange.state.store.object(bucket, key).await?;
            self.existing_tags = object.as_ref().map(tags_of).unwrap_or_default();
        }
        Ok(())
    }

    fn needed_for_tags(&self) -> &'static [Action] {
        if self.sets_tags {
            &[Action::PutObjectTagging]
        } else {
            &[]
        }
    }
}

impl Requester {
    fn of(exchange: &Exchange<'_>, access_key: &str) -> Result<Self, S3Error> {
        let keys = &exchange.state.keys;
        if access_key == keys.root().id {
            return Ok(Self::Owner);
        }
        // Revoked since its signature was checked.
        let key = keys.find(access_key).ok_or(ErrorCode::InvalidAccessKeyId)?;
        Ok(Self::Limited(key))
    }

    fn require(
        &self,
        exchange: &Exchange<'_>,
        action: Action,
        question: &Question<'_>,
    ) -> Result<(), S3Error> {
        match self {
            Self::Anybody if !action.is_open_to_anybody() => return Err(denied(NOT_SIGNED)),
            Self::Limited(access_key) => within(&access_key.limits, action, question)?,
            Self::Anybody | Self::Owner => {}
        }
        let Some(name) = question.bucket else {
            return Ok(());
        };
        let Some(bucket) = exchange.state.store.bucket(name) else {
            return match self {
                Self::Anybody => Err(error::no_such_bucket(name)),
                // Who signed hears it from the operation.
                Self::Owner | Self::Limited(_) => Ok(()),
            };
        };
        if matches!(self, Self::Owner) && is_of_the_policy(action) {
            return Ok(());
        }
        let Some(policy) = policy_of(&bucket)? else {
            return match self {
                Self::Anybody => Err(denied(NOT_SIGNED)),
                Self::Owner | Self::Limited(_) => Ok(()),
            };
        };
        match (decide(exchange, policy, name, action, question), self) {
            (Decision::Denied, _) => Err(denied("the bucket's policy denies it")),
            (_, Self::Owner | Self::Limited(_)) => Ok(()),
            (Decision::Silent, Self::Anybody) => Err(denied(NOT_SIGNED)),
            (Decision::Allowed, Self::Anybody) => {
                let block = bucket.public_access_block();
                if block.restrict_public_buckets && policy.is_public() {
                    return Err(denied(
                        "the bucket's public access block lets nobody in who does not sign",
                    ));
                }
                Ok(())
            }
        }
    }
}

/// Whether the policy of a bucket looks at the tags of an object when it is asked about one of these actions.
pub(super) fn looks_at_tags(
    exchange: &Exchange<'_>,
    bucket: &BucketName,
    actions: [&[Action]; 2],
) -> bool {
    exchange.state.store.bucket(bucket).is_some_and(|bucket| {
        let policy = bucket.policy().ok().flatten();
        let mut actions = actions.into_iter().flatten();
        policy.is_some_and(|policy| actions.any(|action| policy.looks_at_tags(*action)))
    })
}

fn tags_of(object: &Object) -> Tags {
    Tags::stored(object.meta.tagging.as_deref().unwrap_or_default())
}

const NOT_SIGNED: &str = "the request was not signed";

fn is_of_the_policy(action: Action) -> bool {
    matches!(
        action,
        Action::GetBucketPolicy | Action::PutBucketPolicy | Action::DeleteBucketPolicy
    )
}

fn within(limits: &KeyLimits, action: Action, question: &Question<'_>) -> Result<(), S3Error> {
    if action.is_owners() {
        return Err(denied(
            "what a bucket is, only the root key may ask and change",
        ));
    }
    if limits.read_only && !action.reads() {
        return Err(denied("the access key may only read"));
    }
    if let (Some(limit), Some(bucket)) = (&limits.bucket, question.bucket)
        && limit != bucket
    {
        return Err(denied("the access key is for another bucket"));
    }
    let Some(prefix) = &limits.prefix else {
        return Ok(());
    };
    let is_below = match (action, question.key) {
        (_, Some(key)) => key.as_str().starts_with(prefix),
        // The keys of a list of objects to delete are asked for one by one.
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
        Err(denied("the access key is for keys below a prefix"))
    }
}

/// # Errors
/// `AccessDenied` where it cannot be read.
fn policy_of(bucket: &Bucket) -> Result<Option<&BucketPolicy>, S3Error> {
    bucket
        .policy()
        .map_err(|_| denied("the bucket's policy cannot be evaluated: set it anew"))
}

/// What a bucket's policy says.
fn decide(
    exchange: &Exchange<'_>,
    policy: &BucketPolicy,
    bucket: &BucketName,
    action: Action,
    question: &Question<'_>,
) -> Decision {
    if action.level() == Level::Object && question.key.is_none() {
        // The keys of a list of objects to delete are asked for one by one.
        return if policy.may_allow(action) {
            Decision::Allowed
        } else {
            Decision::Silent
        };
    }
    let sender = Sender::of(exchange);
    policy.evaluate(&Asked {
        action,
        bucket,
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

/// Where a request came from and how, as far as that is known and not only claimed.
struct Sender {
    address: Option<IpAddr>,
    came_by_tls: bool,
}

impl Sender {
    fn of(exchange: &Exchange<'_>) -> Self {
        let trusted = &exchange.state.config.trusted_proxies;
        let req = exchange.req;
        let forwarded = proxies::forwarded_for(req.headers());
        let peer = req.peer_addr().map(|peer| peer.ip());
        let is_hidden = peer.is_some_and(|peer| trusted.may_hide_a_client(peer))
            && FORWARDING
                .iter()
                .any(|name| req.headers().contains_key(*name));
        if is_hidden {
            tell_of_hidden_clients();
        }
        Self {
            address: peer
                .filter(|_| !is_hidden)
                .map(|peer| trusted.client(peer, &forwarded)),
            came_by_tls: origin::came_by_tls(req.head(), &exchange.state.config),
        }
    }
}

/// What only a proxy sends.
const FORWARDING: [&str; 3] = ["x-forwarded-for", "x-forwarded-host", "forwarded"];

/// Once for each start: behind a proxy each request would say it.
fn tell_of_hidden_clients() {
    static TOLD: std::sync::Once = std::sync::Once::new();
    TOLD.call_once(|| {
        tracing::warn!(
            "a bucket policy was asked about a request that came through a proxy which nobody named: its conditions on addresses open nothing until HANGAR_TRUSTED_PROXIES names the proxy"
        );
    });
}

fn denied(why: impl Into<String>) -> S3Error {
    S3Error::new(ErrorCode::AccessDenied).logged(why)
}
