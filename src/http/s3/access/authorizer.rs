//! The only way from a request to the vault: it holds the state of the server and the bucket that the request
//! addresses.
//!
//! Guarantees: the bucket is looked up once for each request, before any check; an operation reaches the vault through
//! its [`Permitted`](super::Permitted) alone.

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

/// Grants the permission for one request.
pub(crate) struct Authorizer<'a> {
    pub(super) state: &'a AppState,
    bucket: Option<Bucket>,
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
            bucket: name.and_then(|name| state.store.bucket(&name)),
            settings_stamp,
        }
    }

    /// The bucket that the request addresses, as it was when the request came.
    pub(crate) fn bucket(&self) -> Option<&Bucket> {
        self.bucket.as_ref()
    }

    /// The same bucket, as it is after `operation`.
    pub(crate) fn bucket_after(&self, operation: Option<&Operation>) -> Option<Cow<'_, Bucket>> {
        match operation {
            Some(operation) if operation.changes_the_bucket() => {
                let name = operation.bucket()?;
                self.state.store.bucket(name).map(Cow::Owned)
            }
            _ => self.bucket.as_ref().map(Cow::Borrowed),
        }
    }

    /// # Errors
    /// `NoSuchBucket`
    pub(crate) fn require_bucket(&self, name: &BucketName) -> Result<&Bucket, S3Error> {
        self.find_bucket(name).ok_or_else(|| no_such_bucket(name))
    }

    /// The addressed bucket, if it has this name.
    pub(super) fn find_bucket(&self, name: &BucketName) -> Option<&Bucket> {
        self.bucket.as_ref().filter(|bucket| bucket.name == *name)
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
