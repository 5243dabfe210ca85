//! Tags of an object: reading, setting, removing. Nothing else of the object changes, not even its time.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html>

use crate::http::limits::Body;
use crate::http::s3::access::Permitted;
use crate::http::s3::access::looks_at_tags;
use crate::http::s3::error;
use crate::http::s3::exchange::Exchange;
use crate::http::s3::request::document::read_document;
use crate::http::s3::response::xml_answer;
use crate::s3::bucket_policy::Action;
use crate::s3::tagging::{Tagged, Tags};
use crate::s3::{ErrorCode, ObjectKey, S3Error};
use crate::store::StoreError;
use actix_web::HttpResponse;

/// How often the object is looked up again because other clients replace or tag it meanwhile.
const MAX_ATTEMPTS: usize = 8;
/// Ten tags of four-byte characters, each of which may be written as a reference.
const TAGGING_BYTES: usize = 64 * 1024;

pub(crate) async fn get_tagging(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    key: &ObjectKey,
) -> Result<HttpResponse, S3Error> {
    let bucket = permitted.bucket()?;
    let store = permitted.store();
    let object = store
        .object(&bucket.name, key)
        .await?
        .ok_or_else(|| error::no_such_key(key))?;
    permitted.require_of(exchange, Action::GetObjectTagging, (bucket, &object))?;
    let tags = Tags::stored(object.meta.tagging.as_deref().unwrap_or_default());
    Ok(xml_answer(tags.to_xml()))
}

pub(crate) async fn put_tagging(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    key: &ObjectKey,
    body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    let text = read_document(exchange, permitted, body, TAGGING_BYTES).await?;
    let tags = Tags::from_xml(&text, Tagged::Object)?;
    let kept = (!tags.is_empty()).then(|| tags.to_query());
    set(exchange, permitted, Action::PutObjectTagging, (key, kept)).await?;
    Ok(HttpResponse::Ok().finish())
}

pub(crate) async fn delete_tagging(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    key: &ObjectKey,
) -> Result<HttpResponse, S3Error> {
    set(
        exchange,
        permitted,
        Action::DeleteObjectTagging,
        (key, None),
    )
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Where a policy has a condition on tags, exactly the object that it was checked for gets the new tags: another client
/// may have taken away the permission, by replacing or tagging the object, while the document was arriving.
async fn set(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    action: Action,
    (key, tagging): (&ObjectKey, Option<String>),
) -> Result<(), S3Error> {
    let store = permitted.store();
    let bucket = permitted.bucket()?;
    for _ in 0..MAX_ATTEMPTS {
        let tagging = tagging.clone();
        let set = if looks_at_tags(bucket, [&[action], &[]]) {
            let object = store.object(&bucket.name, key).await?;
            let object = object.ok_or_else(|| error::no_such_key(key))?;
            permitted.require_of(exchange, action, (bucket, &object))?;
            store.set_tags_of_this(&object, tagging).await
        } else {
            store
                .set_tags(bucket.name.clone(), key.clone(), tagging)
                .await
        };
        match set {
            Ok(()) => return Ok(()),
            Err(StoreError::PreconditionFailed) => {}
            Err(StoreError::NoSuchBucket) => return Err(error::no_such_bucket(&bucket.name)),
            Err(StoreError::NoSuchKey) => return Err(error::no_such_key(key)),
            Err(trouble) => return Err(trouble.into()),
        }
    }
    Err(ErrorCode::OperationAborted.into())
}
