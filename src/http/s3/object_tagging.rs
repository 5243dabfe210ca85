//! Tags of an object: reading, setting, removing. Nothing else of it changes, its time included.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html>

use super::access::Permitted;
use super::bucket::{find, xml_answer};
use super::document::read_document;
use super::{Exchange, error};
use crate::http::limits::Body;
use crate::s3::bucket_policy::Action;
use crate::s3::tagging::{Tagged, Tags};
use crate::s3::{BucketName, ObjectKey, S3Error};
use crate::store::StoreError;
use actix_web::HttpResponse;

/// Ten tags of four-byte characters, each of which may be written as a reference.
const TAGGING_BYTES: usize = 64 * 1024;

pub(super) async fn get_tagging(
    exchange: &Exchange<'_>,
    permitted: &Permitted,
    bucket: &BucketName,
    key: &ObjectKey,
) -> Result<HttpResponse, S3Error> {
    find(exchange, bucket)?;
    let store = &exchange.rooms.store;
    let object = store
        .object(bucket, key)
        .await?
        .ok_or_else(|| error::no_such_key(key))?;
    permitted.require_of(exchange, Action::GetObjectTagging, &object)?;
    let tags = Tags::stored(object.meta.tagging.as_deref().unwrap_or_default());
    Ok(xml_answer(tags.to_xml()))
}

pub(super) async fn put_tagging(
    exchange: &Exchange<'_>,
    permitted: &Permitted,
    bucket: &BucketName,
    key: &ObjectKey,
    body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    let text = read_document(exchange, permitted, body, TAGGING_BYTES).await?;
    let tags = Tags::from_xml(&text, Tagged::Object)?;
    let kept = (!tags.is_empty()).then(|| tags.to_query());
    set(exchange, bucket, key, kept).await?;
    Ok(HttpResponse::Ok().finish())
}

pub(super) async fn delete_tagging(
    exchange: &Exchange<'_>,
    _permitted: &Permitted,
    bucket: &BucketName,
    key: &ObjectKey,
) -> Result<HttpResponse, S3Error> {
    set(exchange, bucket, key, None).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn set(
    exchange: &Exchange<'_>,
    bucket: &BucketName,
    key: &ObjectKey,
    tagging: Option<String>,
) -> Result<(), S3Error> {
    let store = &exchange.rooms.store;
    let set = store.set_tags(bucket.clone(), key.clone(), tagging).await;
    set.map_err(|trouble| match trouble {
        StoreError::NoSuchBucket => error::no_such_bucket(bucket),
        StoreError::NoSuchKey => error::no_such_key(key),
        trouble => trouble.into(),
    })
}
