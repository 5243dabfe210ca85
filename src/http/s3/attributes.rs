//! `GetObjectAttributes`.

use super::Exchange;
use super::access::Permitted;
use crate::s3::{BucketName, ObjectKey, S3Error};
use actix_web::HttpResponse;

pub(super) async fn get_attributes(
    _exchange: &Exchange<'_>,
    _permitted: &Permitted,
    _bucket: &BucketName,
    _key: &ObjectKey,
) -> Result<HttpResponse, S3Error> {
    Err(crate::s3::ErrorCode::NotImplemented.into())
}
