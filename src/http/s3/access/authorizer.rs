//! The only way from a request to the vault: it holds the state of the server and the bucket that the request
//! addresses.
//!
//! Guarantees: the bucket is looked up once for each request, before any check, and once more if the request waited for
//! its client after that ([`Authorizer::waited_for_client`]), so that no client keeps a permission by sending slowly; an
//! operation reaches the vault through its [`Permitted`](super::Permitted) alone.

use crate::cache::VersionStamp;
use crate::http::app_state::AppState;
use crate::http::s3::access::question::NamedBucket;
use crate::http::s3::error::no_such_bucket;
use crate::s3::op::{self, Operation};
use crate::s3::{BucketName, S3Error};
use crate::store::Bucket;
use actix_web::HttpRequest;
use actix_web::http::{Method, header};
use std::borrow::Cow;
use std::cell::OnceCell;

/// Grants the permission for one request.
pub(crate) struct Authorizer<'a> {
    pub(super) state: &'a AppState,
    name: Option<BucketName>,
    /// The bucket as it was when the head of the request came.
    at_first: Option<Bucket>,
    /// The bucket as it was when the part of the body had come that the operation waits for before it is checked.
    after_waiting: OnceCell<Option<Bucket>>,
    /// The version stamp of the bucket's settings, where the response could be cached.
    pub(super) settings_stamp: Option<VersionStamp>,
}

impl<'a> Authorizer<'a> {
    pub(crate) fn new(
        req: &HttpRequest,
        state: &'a AppState,
        virtual_bucket: Option<&str>,
    ) -> Self {
        let name = op::addressed_bucket(req.uri().path(), virtual_bucket);
        // Taken before the bucket is read, so that a cached response is never made from older settings than its stamp
        // states.
        let settings_stamp = (name.as_ref().filter(|_| may_be_cached(req)))
            .map(|name| state.store.stamp_of_settings(name));
        Self {
            state,
            at_first: name.as_ref().and_then(|name| state.store.bucket(name)),
            after_waiting: OnceCell::new(),
            name,
            settings_stamp,
        }
    }

    /// The bucket that the request addresses, as it was looked up last.
    pub(crate) fn bucket(&self) -> Option<&Bucket> {
        let looked_up_last = self.after_waiting.get().unwrap_or(&self.at_first);
        looked_up_last.as_ref()
    }

    /// Looks the bucket up again: while the server waited for bytes of the client, its settings may have changed. What was
    /// permitted before stays permitted; later checks see the bucket as it is now.
    pub(crate) fn waited_for_client(&self) {
        let now = || {
            self.name
                .as_ref()
                .and_then(|name| self.state.store.bucket(name))
        };
        self.after_waiting.get_or_init(now);
    }

    /// The same bucket, as it is after `operation`.
    pub(crate) fn bucket_after(&self, operation: Option<&Operation>) -> Option<Cow<'_, Bucket>> {
        match operation {
            Some(operation) if operation.changes_the_bucket() => {
                let name = operation.bucket()?;
                self.state.store.bucket(name).map(Cow::Owned)
            }
            _ => self.bucket().map(Cow::Borrowed),
        }
    }

    /// # Errors
    /// `NoSuchBucket`
    pub(crate) fn require_bucket(&self, name: &BucketName) -> Result<&Bucket, S3Error> {
        self.find_bucket(name).ok_or_else(|| no_such_bucket(name))
    }

    /// The addressed bucket, if it has this name.
    pub(super) fn find_bucket(&self, name: &BucketName) -> Option<&Bucket> {
        self.bucket().filter(|bucket| bucket.name == *name)
    }

    pub(super) fn named<'b>(&'b self, name: &'b BucketName) -> NamedBucket<'b> {
        let found = self.find_bucket(name);
        NamedBucket { name, found }
    }
}

/// Only a presigned or an anonymous read: see [`Permitted::may_repeat`](super::Permitted::may_repeat).
fn may_be_cached(req: &HttpRequest) -> bool {
    let reads = [Method::GET, Method::HEAD].contains(req.method());
    reads && !req.headers().contains_key(header::AUTHORIZATION)
}
