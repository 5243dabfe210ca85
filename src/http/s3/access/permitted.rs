//! The permission to carry out an operation.
//!
//! Only [`Authorizer::permit`] and [`Authorizer::permit_form`] make it: after the signature was verified (or the
//! request is not signed and the bucket's policy allows the operation to the public), the key's limits allowed the
//! operation and no policy denied it. It proves that this operation may be carried out on the bucket and the key that
//! the request names. The vault is reached through it alone, so a handler without it does not compile.

use crate::cache::VersionStamp;
use crate::http::app_state::AppState;
use crate::http::limits::Kept;
use crate::http::response_cache::Validity;
use crate::http::s3::access::authorizer::Authorizer;
use crate::http::s3::access::question::{NamedBucket, Question, looks_at_tags};
use crate::http::s3::access::requester::{NOT_SIGNED, Requester, policy_of};
use crate::http::s3::access::verify;
use crate::http::s3::error::{access_denied, no_such_bucket};
use crate::http::s3::exchange::Exchange;
use crate::s3::bucket_policy::{Action, BucketPolicy, needed_for};
use crate::s3::op::Operation;
use crate::s3::policy::{FormFields, Grant, UnverifiedForm};
use crate::s3::signature::Verified;
use crate::s3::sigv4::Payload;
use crate::s3::time::Timestamp;
use crate::s3::{BucketName, ErrorCode, ObjectKey, S3Error};
use crate::store::{Bucket, Object, Store};
use std::borrow::Cow;

/// A request that may be carried out.
pub(crate) struct Permitted<'a> {
    authorizer: &'a Authorizer<'a>,
    operation: &'a Operation,
    requester: Requester,
    payload: Payload,
    is_for_browsers: bool,
    /// Until when the owner's signature can be verified again; `None` for every other requester.
    repeats_until: Option<Timestamp>,
}

impl<'a> Authorizer<'a> {
    /// # Errors
    /// As section 1 of the protocol for the signature, `AccessDenied` for the rest; `NoSuchBucket` for an unsigned
    /// request that a policy could allow.
    pub(crate) async fn permit(
        &'a self,
        exchange: &mut Exchange<'_>,
        operation: &'a Operation,
    ) -> Result<Permitted<'a>, S3Error> {
        let verified = verify::verify(exchange, self.state)?;
        if let Some(verified) = &verified {
            exchange.read_as_signed(verified.plus())?;
        }
        let exchange = &*exchange;
        let (requester, payload) = match &verified {
            Some(verified) => (
                Requester::of(&self.state.keys, verified.access_key())?,
                verified.payload().clone(),
            ),
            None => (
                Requester::Anonymous,
                Payload::without_sigv4(&verify::head(exchange), None)?,
            ),
        };
        let bucket = operation.bucket().map(|name| self.named(name));
        let mut question = Question::of(exchange, operation, bucket);
        let needed = [needed_for(operation), question.needed_for_tags()];
        question.look_up_tags(&self.state.store, needed).await?;
        for action in needed.into_iter().flatten() {
            requester.require(exchange, *action, &question)?;
        }
        let is_for_browsers =
            exchange.config.safe_reads && verified.as_ref().is_none_or(Verified::is_presigned);
        let is_owner = matches!(requester, Requester::Owner);
        let verified = verified.as_ref().filter(|_| is_owner);
        Ok(Permitted {
            authorizer: self,
            operation,
            repeats_until: verified.and_then(Verified::repeats_until),
            requester,
            payload,
            is_for_browsers,
        })
    }

    /// Checks a form by its fields (steps 2 to 8 of the contract's order), then permits its `operation` to the key that
    /// signed it, or, where it is not signed, to the public.
    ///
    /// # Errors
    /// As [`UnverifiedForm::parse`] and [`UnverifiedForm::evaluate`]; `AccessDenied`
    pub(crate) async fn permit_form(
        &'a self,
        exchange: &Exchange<'_>,
        (operation, bucket): (&'a Operation, &BucketName),
        fields: FormFields,
        file_name: Option<&str>,
    ) -> Result<(Grant, Permitted<'a>), S3Error> {
        let state = self.state;
        self.waited_for_client();
        let form = UnverifiedForm::parse(bucket, fields, file_name, &verify::rules(state))?;
        let now = state.clock.now();
        let grant = verify::with_keys(state, |keys| form.evaluate(keys, now))?;
        let requester = match grant.access_key() {
            Some(access_key) => Requester::of(&state.keys, access_key)?,
            None => Requester::Anonymous,
        };
        let named = self.named(grant.bucket());
        let mut question = Question::of_form(grant.fields(), named, grant.key());
        let needed = [&[Action::PutObject], question.needed_for_tags()];
        question.look_up_tags(&state.store, needed).await?;
        for action in needed.into_iter().flatten() {
            let permitted = requester.require(exchange, *action, &question);
            permitted.map_err(|refusal| match requester {
                Requester::Anonymous => S3Error {
                    message: "Access Denied: the form has no field 'policy', and writing without a signature is not allowed here.".into(),
                    ..refusal
                },
                Requester::Owner | Requester::Limited(_) => refusal,
            })?;
        }
        let permitted = Permitted {
            authorizer: self,
            operation,
            requester,
            payload: Payload::Unsigned,
            is_for_browsers: true,
            repeats_until: None,
        };
        Ok((grant, permitted))
    }

    /// Refuses an unsigned request: only signed requests get to know that an operation does not exist.
    ///
    /// # Errors
    /// As section 1 of the protocol, `AccessDenied` without a signature.
    pub(crate) fn require_signed(&self, exchange: &Exchange<'_>) -> Result<(), S3Error> {
        match verify::verify(exchange, self.state)? {
            Some(_) => Ok(()),
            None => Err(access_denied(NOT_SIGNED)),
        }
    }
}

impl<'a> Permitted<'a> {
    pub(crate) fn operation(&self) -> &'a Operation {
        self.operation
    }

    pub(crate) fn state(&self) -> &'a AppState {
        self.authorizer.state
    }

    pub(crate) fn store(&self) -> &'a Store {
        &self.authorizer.state.store
    }

    /// See [`Authorizer::waited_for_client`].
    pub(crate) fn waited_for_client(&self) {
        self.authorizer.waited_for_client();
    }

    /// The bucket of the operation, as it was looked up last. The vault checks again where it writes.
    ///
    /// # Errors
    /// `NoSuchBucket`
    pub(crate) fn bucket(&self) -> Result<&'a Bucket, S3Error> {
        let name = self.operation.bucket();
        let name = name.ok_or_else(|| S3Error::new(ErrorCode::NoSuchBucket))?;
        self.authorizer.require_bucket(name)
    }

    /// The memory in which a document of this request is counted: an unsigned request shares it with all unverified
    /// senders.
    pub(crate) fn kept(&self) -> Kept {
        match self.requester {
            Requester::Anonymous => Kept::Unverified,
            Requester::Owner | Requester::Limited(_) => Kept::Document,
        }
    }

    /// How the body was signed.
    pub(crate) fn payload(&self) -> &Payload {
        &self.payload
    }

    /// Whether a web page can make a browser send this request (presigned, anonymous), so that its response must be
    /// harmless.
    pub(crate) fn is_for_browsers(&self) -> bool {
        self.is_for_browsers
    }

    /// Whether the response to a read may be cached for all requests with the same method, target and host: the owner
    /// presigned it, or a policy makes the object public. A key with limits may be revoked.
    pub(crate) fn may_repeat(&self) -> bool {
        match self.requester {
            Requester::Owner => self.repeats_until.is_some(),
            Requester::Anonymous => true,
            Requester::Limited(_) => false,
        }
    }

    /// How long the response may be cached, if at all. `stamp`: the object's stamp, taken before the object was read.
    pub(crate) fn repeats(&self, bucket: &Bucket, stamp: &VersionStamp) -> Option<Validity> {
        let policy = policy_of(bucket).ok()?;
        if !self.may_repeat() || policy.is_some_and(BucketPolicy::looks_at_requests) {
            return None;
        }
        Some(Validity {
            stamp: stamp.and(self.authorizer.settings_stamp.as_ref()?),
            until: self.repeats_until,
        })
    }

    pub(crate) fn is_signed(&self) -> bool {
        !matches!(self.requester, Requester::Anonymous)
    }

    /// The bucket that holds the source of a copy, and whether this requester may read `key` in it.
    ///
    /// # Errors
    /// `AccessDenied` before `NoSuchBucket`.
    pub(crate) async fn require_source(
        &self,
        exchange: &Exchange<'_>,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> Result<Cow<'a, Bucket>, S3Error> {
        let found = match self.authorizer.find_bucket(bucket) {
            Some(addressed) => Some(Cow::Borrowed(addressed)),
            None => self.store().bucket(bucket).map(Cow::Owned),
        };
        let named = NamedBucket {
            name: bucket,
            found: found.as_deref(),
        };
        self.require_about(exchange, Action::GetObject, (named, key))
            .await?;
        found.ok_or_else(|| no_such_bucket(bucket))
    }

    /// Whether this requester may also read another object of the bucket that holds the source of a copy.
    ///
    /// # Errors
    /// `AccessDenied`
    pub(crate) async fn require_read(
        &self,
        exchange: &Exchange<'_>,
        bucket: &Bucket,
        key: &ObjectKey,
    ) -> Result<(), S3Error> {
        let object = (bucket.into(), key);
        self.require_about(exchange, Action::GetObject, object)
            .await
    }

    async fn require_about(
        &self,
        exchange: &Exchange<'_>,
        action: Action,
        (bucket, key): (NamedBucket<'_>, &ObjectKey),
    ) -> Result<(), S3Error> {
        let mut question = Question::about(bucket, Some(key));
        question
            .look_up_tags(self.store(), [&[action], &[]])
            .await?;
        self.requester.require(exchange, action, &question)
    }

    /// Checks a permitted action again, on this object of `bucket`: it may have replaced the object whose tags were
    /// checked.
    ///
    /// # Errors
    /// `AccessDenied`
    pub(crate) fn require_of(
        &self,
        exchange: &Exchange<'_>,
        action: Action,
        (bucket, object): (&Bucket, &Object),
    ) -> Result<(), S3Error> {
        if !looks_at_tags(bucket, [&[action], &[]]) {
            return Ok(());
        }
        let question = Question::about_object(bucket, object);
        self.requester.require(exchange, action, &question)
    }

    /// Whether this requester may also copy the tags of one object to another.
    ///
    /// # Errors
    /// `AccessDenied`
    pub(crate) async fn require_tags(
        &self,
        exchange: &Exchange<'_>,
        (from, source): (&Bucket, &Object),
        (to, key): (&Bucket, &ObjectKey),
    ) -> Result<(), S3Error> {
        let read = Action::GetObjectTagging;
        self.require_about(exchange, read, (from.into(), &source.key))
            .await?;
        self.require_of(exchange, read, (from, source))?;
        self.require_about(exchange, Action::PutObjectTagging, (to.into(), key))
            .await
    }

    /// Whether this requester may also delete this object: one of the list of `DeleteObjects`.
    ///
    /// # Errors
    /// `AccessDenied`
    pub(crate) fn require_delete(
        &self,
        exchange: &Exchange<'_>,
        bucket: &Bucket,
        key: &ObjectKey,
    ) -> Result<(), S3Error> {
        let question = Question::about(bucket, Some(key));
        self.requester
            .require(exchange, Action::DeleteObject, &question)
    }

    /// Whether this requester may see this bucket in a list of buckets.
    pub(crate) fn sees(&self, bucket: &BucketName) -> bool {
        match &self.requester {
            Requester::Anonymous => false,
            Requester::Owner => true,
            Requester::Limited(key) => key.limits.bucket.as_ref().is_none_or(|it| it == bucket),
        }
    }

    /// Turns `NoSuchKey` into `AccessDenied` for a requester that may not list `bucket`.
    // AWS: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    pub(crate) fn hide_missing_key(
        &self,
        exchange: &Exchange<'_>,
        bucket: &Bucket,
        refusal: S3Error,
    ) -> S3Error {
        if refusal.code != ErrorCode::NoSuchKey {
            return refusal;
        }
        let question = Question::about(bucket, None);
        match self
            .requester
            .require(exchange, Action::ListBucket, &question)
        {
            Ok(()) => refusal,
            Err(_) => {
                access_denied("there is no such key, and this requester may not list the bucket")
            }
        }
    }
}
