//! Documents of buckets (policy, CORS rules, tags, lifecycle, …): kept as they were judged, given back as S3 writes them.

use super::Exchange;
use super::access::Permitted;
use crate::http::limits::Body;
use crate::s3::op::Feature;
use crate::s3::{BucketName, BucketSetting, S3Error};
use actix_web::HttpResponse;

pub(super) async fn get_setting(
    _exchange: &Exchange<'_>,
    _permitted: &Permitted,
    _bucket: &BucketName,
    _setting: BucketSetting,
) -> Result<HttpResponse, S3Error> {
    Err(crate::s3::ErrorCode::NotImplemented.into())
}

pub(super) async fn put_setting(
    _exchange: &Exchange<'_>,
    _permitted: &Permitted,
    _bucket: &BucketName,
    _setting: BucketSetting,
    _body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    Err(crate::s3::ErrorCode::NotImplemented.into())
}

pub(super) async fn delete_setting(
    _exchange: &Exchange<'_>,
    _permitted: &Permitted,
    _bucket: &BucketName,
    _setting: BucketSetting,
) -> Result<HttpResponse, S3Error> {
    Err(crate::s3::ErrorCode::NotImplemented.into())
}

pub(super) async fn get_policy_status(
    _exchange: &Exchange<'_>,
    _permitted: &Permitted,
    _bucket: &BucketName,
) -> Result<HttpResponse, S3Error> {
    Err(crate::s3::ErrorCode::NotImplemented.into())
}

pub(super) async fn get_versioning(
    _exchange: &Exchange<'_>,
    _permitted: &Permitted,
    _bucket: &BucketName,
) -> Result<HttpResponse, S3Error> {
    Err(crate::s3::ErrorCode::NotImplemented.into())
}

pub(super) async fn put_versioning(
    _exchange: &Exchange<'_>,
    _permitted: &Permitted,
    _bucket: &BucketName,
    _body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    Err(crate::s3::ErrorCode::NotImplemented.into())
}

pub(super) async fn get_unconfigured(
    _exchange: &Exchange<'_>,
    _permitted: &Permitted,
    _bucket: &BucketName,
    _feature: Feature,
) -> Result<HttpResponse, S3Error> {
    Err(crate::s3::ErrorCode::NotImplemented.into())
}
