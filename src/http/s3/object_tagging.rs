//! Tags of an object: reading, setting, removing.

use super::Exchange;
use super::access::Permitted;
use crate::http::limits::Body;
use crate::s3::{BucketName, ObjectKey, S3Error};
use actix_web::HttpResponse;

pub(super) async fn get_tagging(
    _exchange: &Exchange<'_>,
    _permitted: &Permitted,
    _bucket: &BucketName,
    _key: &ObjectKey,
) -> Result<HttpResponse, S3Error> {
    Err(crate::s3::ErrorCode::NotImplemented.into())
}

pub(super) async fn put_tagging(
    _exchange: &Exchange<'_>,
    _permitted: &Permitted,
    _bucket: &BucketName,
    _key: &ObjectKey,
    _body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    Err(crate::s3::ErrorCode::NotImplemented.into())
}

pub(super) async fn delete_tagging(
    _exchange: &Exchange<'_>,
    _permitted: &Permitted,
    _bucket: &BucketName,
    _key: &ObjectKey,
) -> Result<HttpResponse, S3Error> {
    Err(crate::s3::ErrorCode::NotImplemented.into())
}
