//! Access control lists: one owner has everything, canned ones are accepted and grant nothing.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html>

use super::access::Permitted;
use super::bucket::{find, xml_answer};
use super::document::read_document;
use super::{Exchange, error, metadata};
use crate::http::limits::Body;
use crate::s3::acl::{self, CannedAcl};
use crate::s3::bucket_policy::Action;
use crate::s3::op::Operation;
use crate::s3::ownership::ObjectOwnership;
use crate::s3::{BucketName, BucketSetting, ErrorCode, ObjectKey, S3Error};
use crate::store::{Bucket, Object};
use actix_web::HttpResponse;
use actix_web::http::Method;

/// AWS: an ACL has at most 100 grants.
const POLICY_BYTES: usize = 64 * 1024;

/// The canned ACL that headers or a form's fields state. What they grant must be the owner's.
///
/// # Errors
/// `InvalidArgument` for an ACL that is none, `AccessControlListNotSupported` for grants to others, `InvalidRequest` for
/// both together.
pub(super) fn stated(fields: &[(String, String)]) -> Result<Option<CannedAcl>, S3Error> {
    let canned = metadata::field(fields, "x-amz-acl").or_else(|| metadata::field(fields, "acl"));
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

fn grants(fields: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    fields
        .iter()
        .filter(|(name, _)| name.starts_with("x-amz-grant-"))
        .map(|(name, value)| (name.as_str(), value.as_str()))
}

/// What the bucket says of the ACL that a write states, whatever it writes.
///
/// # Errors
/// As [`stated`] and [`judge_for`].
pub(super) fn refuse_blocked(
    exchange: &Exchange<'_>,
    operation: &Operation,
) -> Result<(), S3Error> {
    let writes = [Method::PUT, Method::POST].contains(exchange.req.method());
    let bucket = operation
        .bucket()
        .filter(|_| writes)
        .and_then(|name| exchange.state.store.bucket(name));
    match bucket {
        Some(bucket) => judge_for(&bucket, &exchange.headers),
        None => Ok(()),
    }
}

/// # Errors
/// As [`stated`]; `AccessControlListNotSupported` where the bucket's ACLs are disabled, `AccessDenied` where public ones
/// are blocked.
pub(super) fn judge_for(bucket: &Bucket, fields: &[(String, String)]) -> Result<(), S3Error> {
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

fn refuse_disabled(bucket: &Bucket) -> Result<(), S3Error> {
    let ownership = bucket
        .setting(BucketSetting::OwnershipControls)
        .and_then(|document| ObjectOwnership::parse(document).ok());
    if ownership == Some(ObjectOwnership::BucketOwnerEnforced) {
        return Err(acl::not_supported());
    }
    Ok(())
}

pub(super) fn get_bucket_acl(
    exchange: &Exchange<'_>,
    _permitted: &Permitted,
    bucket: &BucketName,
) -> Result<HttpResponse, S3Error> {
    find(exchange, bucket)?;
    Ok(xml_answer(acl::access_control_policy()))
}

pub(super) async fn put_bucket_acl(
    exchange: &Exchange<'_>,
    permitted: &Permitted,
    bucket: &BucketName,
    body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    let found = find(exchange, bucket)?;
    judge(exchange, permitted, &found, body).await?;
    Ok(HttpResponse::Ok().finish())
}

pub(super) async fn get_object_acl(
    exchange: &Exchange<'_>,
    permitted: &Permitted,
    bucket: &BucketName,
    key: &ObjectKey,
) -> Result<HttpResponse, S3Error> {
    find(exchange, bucket)?;
    let object = find_object(exchange, bucket, key).await?;
    permitted.require_of(exchange, Action::GetObjectAcl, &object)?;
    Ok(xml_answer(acl::access_control_policy()))
}

/// Nothing of the object changes, its time included.
pub(super) async fn put_object_acl(
    exchange: &Exchange<'_>,
    permitted: &Permitted,
    bucket: &BucketName,
    key: &ObjectKey,
    body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    let found = find(exchange, bucket)?;
    let object = find_object(exchange, bucket, key).await?;
    permitted.require_of(exchange, Action::PutObjectAcl, &object)?;
    judge(exchange, permitted, &found, body).await?;
    Ok(HttpResponse::Ok().finish())
}

/// The ACL that is put, by one of its three forms: a canned one, grants in headers, a document.
async fn judge(
    exchange: &Exchange<'_>,
    permitted: &Permitted,
    bucket: &Bucket,
    body: &mut Body,
) -> Result<(), S3Error> {
    let fields = &exchange.headers;
    let in_headers = stated(fields)?.is_some() || grants(fields).next().is_some();
    refuse_disabled(bucket)?;
    let document = read_document(exchange, permitted, body, POLICY_BYTES).await?;
    match (document.trim(), in_headers) {
        ("", true) => Ok(()),
        ("", false) => Err(S3Error::with_message(
            ErrorCode::MissingSecurityHeader,
            "Your request was missing a required header: x-amz-acl",
        )
        .extra("MissingHeaderName", "x-amz-acl")),
        (_, true) => Err(S3Error::with_message(
            ErrorCode::UnexpectedContent,
            "This request does not support content: the ACL is stated in a header.",
        )),
        (document, false) => acl::judge_policy(document),
    }
}

async fn find_object(
    exchange: &Exchange<'_>,
    bucket: &BucketName,
    key: &ObjectKey,
) -> Result<Object, S3Error> {
    let object = exchange.state.store.object(bucket, key).await?;
    object.ok_or_else(|| error::no_such_key(key))
}
