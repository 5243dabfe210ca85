//! Listing objects: versions 1 and 2, and the versions of a bucket that has none.

use super::access::Permitted;
use super::bucket::xml_answer;
use super::{Exchange, error};
use crate::s3::listing::ListQuery;
use crate::s3::{BucketName, S3Error};
use crate::store::ListRequest;
use actix_web::HttpResponse;

pub(super) async fn list_objects(
    exchange: &Exchange<'_>,
    _permitted: &Permitted,
    bucket: &BucketName,
) -> Result<HttpResponse, S3Error> {
    list(exchange, bucket, ListQuery::objects(&exchange.query)?).await
}

pub(super) async fn list_objects_v2(
    exchange: &Exchange<'_>,
    _permitted: &Permitted,
    bucket: &BucketName,
) -> Result<HttpResponse, S3Error> {
    let query = ListQuery::objects_v2(bucket, &exchange.query)?;
    list(exchange, bucket, query).await
}

pub(super) async fn list_object_versions(
    exchange: &Exchange<'_>,
    _permitted: &Permitted,
    bucket: &BucketName,
) -> Result<HttpResponse, S3Error> {
    list(exchange, bucket, ListQuery::versions(&exchange.query)?).await
}

async fn list(
    exchange: &Exchange<'_>,
    bucket: &BucketName,
    query: ListQuery,
) -> Result<HttpResponse, S3Error> {
    let store = &exchange.rooms.store;
    if store.bucket(bucket).is_none() {
        return Err(error::no_such_bucket(bucket));
    }
    let request = ListRequest {
        prefix: query.prefix.clone(),
        delimiter: query.delimiter.clone(),
        after: query.after().map(str::to_owned),
        max: query.max_keys,
    };
    let page = store.list(bucket, &request).await?;
    Ok(xml_answer(query.answer(bucket, &page)))
}
