//! Who may do what: from a request and its operation to the permission to carry it out.
//!
//! [`Permitted`] is made here alone, after a signature held (or nobody signed and a bucket's policy lets anybody), the
//! key's limits allowed the operation and no policy denied it. Handlers take it, so none runs before.

use super::{Exchange, verify};
use crate::auth::AccessKey;
use crate::s3::op::Operation;
use crate::s3::sigv4::{Payload, Verified};
use crate::s3::{BucketName, ObjectKey, S3Error};
use std::sync::Arc;

/// A request that may be carried out.
pub(super) struct Permitted {
    verified: Verified,
    #[expect(dead_code, reason = "limits are judged next")]
    key: Arc<AccessKey>,
}

impl Permitted {
    /// How the body was signed.
    pub(super) fn payload(&self) -> &Payload {
        self.verified.payload()
    }

    /// Whether a browser can be made to ask this (presigned, anonymous), so that what it gets must be harmless.
    pub(super) fn is_for_browsers(&self) -> bool {
        self.verified.is_presigned()
    }

    /// Whether somebody signed it.
    pub(super) fn is_signed(&self) -> bool {
        true
    }

    /// Whether this requester may also read another object: the source of a copy.
    ///
    /// # Errors
    /// `AccessDenied`
    pub(super) fn require_read(
        &self,
        _exchange: &Exchange<'_>,
        _bucket: &BucketName,
        _key: &ObjectKey,
    ) -> Result<(), S3Error> {
        Ok(())
    }

    /// Whether this requester may also delete this object: one of the list of `DeleteObjects`.
    ///
    /// # Errors
    /// `AccessDenied`
    pub(super) fn require_delete(
        &self,
        _exchange: &Exchange<'_>,
        _bucket: &BucketName,
        _key: &ObjectKey,
    ) -> Result<(), S3Error> {
        Ok(())
    }

    /// Whether this requester may see this bucket in a list of buckets.
    pub(super) fn sees(&self, _bucket: &BucketName) -> bool {
        true
    }
}

/// # Errors
/// As section 1 of the protocol for the signature, `AccessDenied` for the rest.
pub(super) fn permit(
    exchange: &Exchange<'_>,
    _operation: &Operation,
) -> Result<Permitted, S3Error> {
    let verified = verify::verify(exchange)?;
    let key = exchange
        .rooms
        .keys
        .find(verified.access_key())
        .ok_or(crate::s3::ErrorCode::InvalidAccessKeyId)?;
    Ok(Permitted { verified, key })
}
