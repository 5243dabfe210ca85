//! Access control lists: one owner has all permissions; canned ACLs are accepted and grant nothing.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html>

use crate::http::limits::Body;
use crate::http::s3::access::Permitted;
use crate::http::s3::error;
use crate::http::s3::exchange::Exchange;
use crate::http::s3::request::acl::{grants, refuse_disabled, stated};
use crate::http::s3::request::document::read_document;
use crate::http::s3::response::xml_answer;
use crate::s3::acl;
use crate::s3::bucket_policy::Action;
use crate::s3::{ErrorCode, ObjectKey, S3Error};
use crate::store::{Bucket, Object};
use actix_web::HttpResponse;

/// AWS: an ACL has at most 100 grants.
const POLICY_BYTES: usize = 64 * 1024;

pub(crate) fn get_bucket_acl(permitted: &Permitted<'_>) -> Result<HttpResponse, S3Error> {
    permitted.bucket()?;
    Ok(xml_answer(acl::access_control_policy()))
}

pub(crate) async fn put_bucket_acl(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    let bucket = permitted.bucket()?;
    judge(exchange, permitted, bucket, body).await?;
    Ok(HttpResponse::Ok().finish())
}

pub(crate) async fn get_object_acl(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    key: &ObjectKey,
) -> Result<HttpResponse, S3Error> {
    let bucket = permitted.bucket()?;
    let object = find_object(permitted, bucket, key).await?;
    permitted.require_of(exchange, Action::GetObjectAcl, (bucket, &object))?;
    Ok(xml_answer(acl::access_control_policy()))
}

/// Does not change the object, not even its time.
pub(crate) async fn put_object_acl(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    key: &ObjectKey,
    body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    let bucket = permitted.bucket()?;
    let object = find_object(permitted, bucket, key).await?;
    permitted.require_of(exchange, Action::PutObjectAcl, (bucket, &object))?;
    judge(exchange, permitted, bucket, body).await?;
    Ok(HttpResponse::Ok().finish())
}

/// Checks the ACL of the request in one of its three forms: a canned one, grants in headers, a document.
async fn judge(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
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
    permitted: &Permitted<'_>,
    bucket: &Bucket,
    key: &ObjectKey,
) -> Result<Object, S3Error> {
    let object = permitted.store().object(&bucket.name, key).await?;
    object.ok_or_else(|| error::no_such_key(key))
}
