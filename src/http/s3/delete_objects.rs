//! `DeleteObjects`: up to a thousand keys in one request.

use super::Exchange;
use super::access::Permitted;
use crate::http::limits::Body;
use crate::s3::{BucketName, S3Error};
use actix_web::HttpResponse;

pub(super) async fn delete_objects(
    _exchange: &Exchange<'_>,
    _permitted: &Permitted,
    _bucket: &BucketName,
    _body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    Err(crate::s3::ErrorCode::NotImplemented.into())
}
