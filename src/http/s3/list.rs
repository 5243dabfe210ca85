//! Listing objects: versions 1 and 2, and the versions of a bucket that has none.

use super::access::Permitted;
use super::bucket::xml_answer;
use super::{Exchange, error};
use crate::s3::listing::{ListQuery, ListedPage};
use crate::s3::{BucketName, S3Error};
use crate::store::{ListRequest, Store};
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
    let page = showable_page(store, bucket, &query, request).await?;
    Ok(xml_answer(query.answer(bucket, &page)))
}

/// A page that goes on is full, and ends in a name that the answer shows: it is where the client goes on.
async fn showable_page(
    store: &Store,
    bucket: &BucketName,
    query: &ListQuery,
    mut request: ListRequest,
) -> Result<ListedPage, S3Error> {
    let wanted = query.max_keys as usize;
    let mut shown = ListedPage::default();
    loop {
        let mut page = store.list(bucket, &request).await?;
        query.leave_showable(&mut page);
        shown.extend(page);
        if shown.next.is_none() {
            return Ok(shown);
        }
        let missing = wanted.saturating_sub(shown.entries());
        if missing == 0 {
            shown.next = shown.last().map(str::to_owned);
            return Ok(shown);
        }
        request.max = u32::try_from(missing).unwrap_or(query.max_keys);
        request.after = shown.next.take();
    }
}
