//! The ACL that a write states, in headers or in a form's fields, and whether its bucket allows it.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html>

use crate::http::s3::access::Permitted;
use crate::http::s3::exchange::Exchange;
use crate::http::s3::fields::field;
use crate::s3::acl::{self, CannedAcl};
use crate::s3::ownership::ObjectOwnership;
use crate::s3::{BucketSetting, ErrorCode, S3Error};
use crate::store::Bucket;
use actix_web::http::Method;

/// The canned ACL that headers or a form's fields state. They may grant permissions to the owner alone.
///
/// # Errors
/// `InvalidArgument` for an unknown ACL, `AccessControlListNotSupported` for grants to others, `InvalidRequest` for
/// both together.
pub(crate) fn stated(fields: &[(String, String)]) -> Result<Option<CannedAcl>, S3Error> {
    let canned = field(fields, "x-amz-acl").or_else(|| field(fields, "acl"));
    for (name, value) in grants(fields) {
        if canned.is_some() {
            return Err(S3Error::with_message(
                ErrorCode::InvalidRequest,
                "Specifying both Canned ACLs and Header Grants is not allowed",
            ));
        }
        acl::judge_grant_header(value).map_err(|refusal| refusal.extra("Header", name))?;
    }
    canned.map(CannedAcl::parse).transpose()
}

pub(crate) fn grants(fields: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    fields
        .iter()
        .filter(|(name, _)| name.starts_with("x-amz-grant-"))
        .map(|(name, value)| (name.as_str(), value.as_str()))
}

/// Refuses an ACL that a write states and its bucket does not allow, for all kinds of writes.
///
/// # Errors
/// As [`stated`] and [`judge_for`].
pub(crate) fn refuse_blocked(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
) -> Result<(), S3Error> {
    let writes = [Method::PUT, Method::POST].contains(exchange.req.method());
    match permitted.bucket() {
        Ok(bucket) if writes => judge_for(bucket, &exchange.headers),
        // The operation itself reports a bucket that does not exist.
        _ => Ok(()),
    }
}

/// # Errors
/// As [`stated`]; `AccessControlListNotSupported` where the bucket's ACLs are disabled, `AccessDenied` where public ones
/// are blocked.
pub(crate) fn judge_for(bucket: &Bucket, fields: &[(String, String)]) -> Result<(), S3Error> {
    let Some(canned) = stated(fields)? else {
        return Ok(());
    };
    if canned != CannedAcl::BucketOwnerFullControl {
        refuse_disabled(bucket)?;
    }
    if canned.is_public() && bucket.public_access_block().block_public_acls {
        return Err(S3Error::new(ErrorCode::AccessDenied).logged(
            "the ACL is public, and the bucket's public access block refuses public ACLs",
        ));
    }
    Ok(())
}

pub(crate) fn refuse_disabled(bucket: &Bucket) -> Result<(), S3Error> {
    let ownership = bucket
        .setting(BucketSetting::OwnershipControls)
        .and_then(|document| ObjectOwnership::parse(document).ok());
    if ownership == Some(ObjectOwnership::BucketOwnerEnforced) {
        return Err(acl::not_supported());
    }
    Ok(())
}
