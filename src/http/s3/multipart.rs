//! Multipart uploads: begun, their parts, listed, completed, given up.

use super::Exchange;
use super::access::Permitted;
use crate::http::limits::Body;
use crate::s3::{BucketName, ObjectKey, S3Error};
use actix_web::HttpResponse;

pub(super) async fn create(
    _exchange: &Exchange<'_>,
    _permitted: &Permitted,
    _bucket: &BucketName,
    _key: &ObjectKey,
) -> Result<HttpResponse, S3Error> {
    Err(crate::s3::ErrorCode::NotImplemented.into())
}

pub(super) async fn upload_part(
    _exchange: &Exchange<'_>,
    _permitted: &Permitted,
    _bucket: &BucketName,
    _key: &ObjectKey,
    _body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    Err(crate::s3::ErrorCode::NotImplemented.into())
}

pub(super) async fn upload_part_copy(
    _exchange: &Exchange<'_>,
    _permitted: &Permitted,
    _bucket: &BucketName,
    _key: &ObjectKey,
) -> Result<HttpResponse, S3Error> {
    Err(crate::s3::ErrorCode::NotImplemented.into())
}

pub(super) async fn list_parts(
    _exchange: &Exchange<'_>,
    _permitted: &Permitted,
    _bucket: &BucketName,
    _key: &ObjectKey,
) -> Result<HttpResponse, S3Error> {
    Err(crate::s3::ErrorCode::NotImplemented.into())
}

pub(super) async fn complete(
    _exchange: &Exchange<'_>,
    _permitted: &Permitted,
    _bucket: &BucketName,
    _key: &ObjectKey,
    _body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    Err(crate::s3::ErrorCode::NotImplemented.into())
}

pub(super) async fn abort(
    _exchange: &Exchange<'_>,
    _permitted: &Permitted,
    _bucket: &BucketName,
    _key: &ObjectKey,
) -> Result<HttpResponse, S3Error> {
    Err(crate::s3::ErrorCode::NotImplemented.into())
}

pub(super) async fn list_uploads(
    _exchange: &Exchange<'_>,
    _permitted: &Permitted,
    _bucket: &BucketName,
) -> Result<HttpResponse, S3Error> {
    Err(crate::s3::ErrorCode::NotImplemented.into())
}
