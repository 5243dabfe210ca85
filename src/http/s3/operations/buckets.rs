//! Buckets: creating, finding and listing them.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>

use crate::http::limits::Body;
use crate::http::s3::access::Permitted;
use crate::http::s3::exchange::Exchange;
use crate::http::s3::request;
use crate::http::s3::request::document::read_document;
use crate::http::s3::response::xml_answer;
use crate::s3::listing::{self, ListBucketsQuery};
use crate::s3::ownership::ObjectOwnership;
use crate::s3::xml;
use crate::s3::{BucketName, BucketSetting, ErrorCode, S3Error};
use crate::store::{Bucket, BucketCreation};
use actix_web::HttpResponse;
use actix_web::http::header;
use serde::Deserialize;
use serde::de::IgnoredAny;

const DEFAULT_REGION: &str = "us-east-1";
const MOST_REGION_BYTES: usize = 64;
/// A `CreateBucketConfiguration` is some hundred bytes.
const CONFIGURATION_BYTES: usize = 64 * 1024;

pub(crate) fn list_buckets(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
) -> Result<HttpResponse, S3Error> {
    let query = ListBucketsQuery::parse(&exchange.query)?;
    let buckets: Vec<_> = permitted
        .store()
        .buckets()
        .into_iter()
        .filter(|bucket| permitted.sees(&bucket.name))
        .map(|bucket| (bucket.name, bucket.created_at))
        .collect();
    let page = listing::list_buckets(&query, &buckets, region(exchange));
    Ok(xml_answer(page))
}

pub(crate) fn head_bucket(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
) -> Result<HttpResponse, S3Error> {
    let bucket = permitted.bucket()?;
    Ok(HttpResponse::Ok()
        .insert_header(("x-amz-bucket-region", region_of(exchange, bucket)))
        .content_type("application/xml")
        .finish())
}

/// The region of this server.
fn region<'a>(exchange: &Exchange<'a>) -> &'a str {
    match exchange.config.region.as_str() {
        "" => DEFAULT_REGION,
        region => region,
    }
}

/// The region of a bucket: where the server has no region configured, the one that the bucket was created in.
fn region_of<'a>(exchange: &Exchange<'a>, bucket: &'a Bucket) -> &'a str {
    match bucket.setting(BucketSetting::Location) {
        Some(stated) if exchange.config.region.is_empty() => stated,
        _ => region(exchange),
    }
}

pub(crate) async fn create_bucket(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    bucket: BucketName,
    body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    let ownership = judge_headers(exchange)?;
    let configuration = read_document(exchange, permitted, body, CONFIGURATION_BYTES).await?;
    let location = judge_configuration(exchange, &configuration)?;
    let store = permitted.store();
    let address = format!("/{bucket}");
    let stated = [
        (BucketSetting::Location, location),
        (BucketSetting::OwnershipControls, ownership),
    ];
    let stated = stated.into_iter();
    let settings = stated.filter_map(|(setting, document)| Some((setting, document?)));
    let creating = store.create_bucket_with(bucket.clone(), settings.collect());
    // AWS: in us-east-1 the owner may create a bucket again; elsewhere that is an error.
    // https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html#API_CreateBucket_Errors
    if creating.await? == BucketCreation::AlreadyThere && region(exchange) != DEFAULT_REGION {
        return Err(
            S3Error::new(ErrorCode::BucketAlreadyOwnedByYou).extra("BucketName", bucket.as_str())
        );
    }
    Ok(HttpResponse::Ok()
        .insert_header((header::LOCATION, address))
        .finish())
}

/// Checks the headers for a new bucket, and returns the document of its ownership controls.
fn judge_headers(exchange: &Exchange<'_>) -> Result<Option<String>, S3Error> {
    request::acl::stated(&exchange.headers)?;
    let Some(ownership) = exchange.header("x-amz-object-ownership") else {
        return Ok(None);
    };
    ObjectOwnership::from_name(ownership)
        .map(|ownership| Some(ownership.to_xml()))
        .ok_or_else(|| {
            S3Error::invalid_argument(
                "Invalid x-amz-object-ownership header",
                "x-amz-object-ownership",
                ownership,
            )
        })
}

#[derive(Deserialize)]
#[serde(rename = "CreateBucketConfiguration")]
struct CreateBucketConfiguration {
    #[serde(rename = "LocationConstraint", default)]
    location: Option<String>,
    /// Tags of the new bucket.
    #[serde(rename = "Tags", default)]
    tags: Option<IgnoredAny>,
}

/// Checks the configuration of a new bucket, and returns the region that it states.
fn judge_configuration(exchange: &Exchange<'_>, text: &str) -> Result<Option<String>, S3Error> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let configuration: CreateBucketConfiguration =
        xml::read(text).ok_or_else(|| S3Error::new(ErrorCode::MalformedXML))?;
    if configuration.tags.is_some() {
        return Err(S3Error::with_message(
            ErrorCode::NotImplemented,
            "hangar takes no tags with a new bucket: set them with PutBucketTagging.",
        ));
    }
    // Clients that work with several servers send `auto` for any region.
    let stated = configuration.location;
    let Some(location) = stated.filter(|text| !["", "auto"].contains(&text.as_str())) else {
        return Ok(None);
    };
    let is_region = location.len() <= MOST_REGION_BYTES
        && location
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let configured = exchange.config.region.as_str();
    let code = match configured {
        _ if !is_region => ErrorCode::InvalidLocationConstraint,
        // AWS: the error code of an endpoint of another region.
        configured if !configured.is_empty() && configured != location => {
            ErrorCode::IllegalLocationConstraintException
        }
        _ => return Ok(Some(location)),
    };
    Err(S3Error::new(code).extra("LocationConstraint", location))
}

pub(crate) async fn delete_bucket(permitted: &Permitted<'_>) -> Result<HttpResponse, S3Error> {
    let bucket = permitted.bucket()?.name.clone();
    permitted.store().delete_bucket(bucket).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// AWS: a bucket in us-east-1 has no constraint, unless it was made with one.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html>
pub(crate) fn get_location(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
) -> Result<HttpResponse, S3Error> {
    let bucket = permitted.bucket()?;
    let region = region_of(exchange, bucket);
    let stated = bucket.setting(BucketSetting::Location) == Some(region);
    let constraint = if region == DEFAULT_REGION && !stated {
        ""
    } else {
        region
    };
    Ok(xml_answer(xml::text_document(
        "LocationConstraint",
        constraint,
    )))
}
