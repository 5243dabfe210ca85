//! Buckets: making, finding and listing them.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>

use super::access::Permitted;
use super::document::read_document;
use super::{Exchange, error};
use crate::http::limits::Body;
use crate::s3::listing::{self, ListBucketsQuery};
use crate::s3::xml;
use crate::s3::{BucketName, ErrorCode, S3Error};
use crate::store::BucketCreation;
use actix_web::HttpResponse;
use actix_web::http::header;
use serde::Deserialize;

const DEFAULT_REGION: &str = "us-east-1";
/// A `CreateBucketConfiguration` is some hundred bytes.
const CONFIGURATION_BYTES: usize = 64 * 1024;

pub(super) fn xml_answer(text: String) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/xml")
        .body(text)
}

pub(super) fn list_buckets(
    exchange: &Exchange<'_>,
    permitted: &Permitted,
) -> Result<HttpResponse, S3Error> {
    let query = ListBucketsQuery::parse(&exchange.query)?;
    let buckets: Vec<_> = exchange
        .rooms
        .store
        .buckets()
        .into_iter()
        .filter(|bucket| permitted.sees(&bucket.name))
        .map(|bucket| (bucket.name, bucket.created_at))
        .collect();
    let page = listing::list_buckets(&query, &buckets, region(exchange));
    Ok(xml_answer(page))
}

pub(super) fn head_bucket(
    exchange: &Exchange<'_>,
    bucket: &BucketName,
) -> Result<HttpResponse, S3Error> {
    match exchange.rooms.store.bucket(bucket) {
        Some(_) => Ok(HttpResponse::Ok()
            .insert_header(("x-amz-bucket-region", region(exchange)))
            .content_type("application/xml")
            .finish()),
        None => Err(error::no_such_bucket(bucket)),
    }
}

fn region<'a>(exchange: &Exchange<'a>) -> &'a str {
    match exchange.rooms.config.region.as_str() {
        "" => DEFAULT_REGION,
        region => region,
    }
}

pub(super) async fn create_bucket(
    exchange: &Exchange<'_>,
    permitted: &Permitted,
    bucket: BucketName,
    body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    let locked = exchange
        .header("x-amz-bucket-object-lock-enabled")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if locked {
        return Err(S3Error::with_message(
            ErrorCode::NotImplemented,
            "hangar does not lock objects.",
        ));
    }
    let configuration = read_document(exchange, permitted, body, CONFIGURATION_BYTES).await?;
    judge_configuration(&configuration)?;
    let bucket = BucketName::parse_new(bucket.as_str()).map_err(|_| {
        S3Error::new(ErrorCode::InvalidBucketName).extra("BucketName", bucket.as_str())
    })?;
    let location = format!("/{bucket}");
    let created = exchange.rooms.store.create_bucket(bucket.clone()).await?;
    // AWS: in us-east-1 the owner may create a bucket again; elsewhere that is an error.
    // https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html#API_CreateBucket_Errors
    if created == BucketCreation::AlreadyThere && region(exchange) != DEFAULT_REGION {
        return Err(
            S3Error::new(ErrorCode::BucketAlreadyOwnedByYou).extra("BucketName", bucket.as_str())
        );
    }
    Ok(HttpResponse::Ok()
        .insert_header((header::LOCATION, location))
        .finish())
}

#[derive(Deserialize)]
#[serde(rename = "CreateBucketConfiguration")]
struct CreateBucketConfiguration {
    /// Any region is taken: there is one place.
    #[serde(rename = "LocationConstraint", default)]
    _location: String,
}

fn judge_configuration(text: &str) -> Result<(), S3Error> {
    if text.trim().is_empty() {
        return Ok(());
    }
    xml::read::<CreateBucketConfiguration>(text)
        .map(|_| ())
        .ok_or_else(|| S3Error::new(ErrorCode::MalformedXML))
}

pub(super) async fn delete_bucket(
    _exchange: &Exchange<'_>,
    _permitted: &Permitted,
    _bucket: &BucketName,
) -> Result<HttpResponse, S3Error> {
    Err(ErrorCode::NotImplemented.into())
}

pub(super) async fn get_location(
    _exchange: &Exchange<'_>,
    _permitted: &Permitted,
    _bucket: &BucketName,
) -> Result<HttpResponse, S3Error> {
    Err(ErrorCode::NotImplemented.into())
}
