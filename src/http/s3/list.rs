//! Listing objects: versions 1 and 2, and the versions of a bucket that has none.

use super::access::Permitted;
use super::bucket::xml_answer;
use super::{Exchange, error};
use crate::s3::xml::{self, ListV2Query, ListedObject, ListedPage};
use crate::s3::{BucketName, S3Error};
use crate::store::{ListPage, ListRequest};
use actix_web::HttpResponse;

pub(super) async fn list_objects(
    _exchange: &Exchange<'_>,
    _permitted: &Permitted,
    _bucket: &BucketName,
) -> Result<HttpResponse, S3Error> {
    Err(crate::s3::ErrorCode::NotImplemented.into())
}

pub(super) async fn list_object_versions(
    _exchange: &Exchange<'_>,
    _permitted: &Permitted,
    _bucket: &BucketName,
) -> Result<HttpResponse, S3Error> {
    Err(crate::s3::ErrorCode::NotImplemented.into())
}

pub(super) async fn list_objects_v2(
    exchange: &Exchange<'_>,
    _permitted: &Permitted,
    bucket: &BucketName,
) -> Result<HttpResponse, S3Error> {
    let store = &exchange.rooms.store;
    if store.bucket(bucket).is_none() {
        return Err(error::no_such_bucket(bucket));
    }
    let query = ListV2Query::parse(&exchange.query)?;
    let page = if query.max_keys == 0 {
        ListPage::default()
    } else {
        let request = ListRequest {
            prefix: query.prefix.clone(),
            delimiter: query.delimiter.clone(),
            after: query
                .continuation_token
                .clone()
                .or_else(|| query.start_after.clone()),
            max: query.max_keys,
        };
        store.list(bucket, &request).await?
    };
    let page = ListedPage {
        objects: page
            .objects
            .into_iter()
            .map(|object| ListedObject {
                key: object.key,
                etag: object.etag,
                size_bytes: object.size_bytes,
                last_modified: object.last_modified,
            })
            .collect(),
        common_prefixes: page.common_prefixes,
        next: page.next,
    };
    Ok(xml_answer(xml::list_objects_v2(bucket, &query, &page)))
}
