//! Access control lists: one owner has everything, canned ones are accepted and grant nothing.
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
use crate::s3::{BucketName, ErrorCode, ObjectKey, S3Error};
use crate::store::{Bucket, Object};
use actix_web::HttpResponse;

/// AWS: an ACL has at most 100 grants.
const POLICY_BYTES: usize = 64 * 1024;

pub(crate) fn get_bucket_acl(
    exchange: &Exchange<'_>,
    _permitted: &Permitted,
    bucket: &BucketName,
) -> Result<HttpResponse, S3Error> {
    exchange.find_bucket(bucket)?;
    Ok(xml_answer(acl::access_control_policy()))
}

pub(crate) async fn put_bucket_acl(
    exchange: &Exchange<'_>,
    permitted: &Permitted,
    bucket: &BucketName,
    body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    let found = exchange.find_bucket(bucket)?;
    judge(exchange, permitted, &found, body).await?;
    Ok(HttpResponse::Ok().finish())
}

pub(crate) async fn get_object_acl(
    exchange: &Exchange<'_>,
    permitted: &Permitted,
    bucket: &BucketName,
    key: &ObjectKey,
) -> Result<HttpResponse, S3Error> {
    exchange.find_bucket(bucket)?;
    let object = find_object(exchange, bucket, key).await?;
    permitted.require_of(exchange, Action::GetObjectAcl, &object)?;
    Ok(xml_answer(acl::access_control_policy()))
}

/// Nothing of the object changes, its time included.
pub(crate) async fn put_object_acl(
    exchange: &Exchange<'_>,
    permitted: &Permitted,
    bucket: &BucketName,
    key: &ObjectKey,
    body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    let found = exchange.find_bucket(bucket)?;
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
