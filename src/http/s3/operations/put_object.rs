//! `PutObject`: a signed request's body becomes the object of a key.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>

use crate::http::limits::Body;
use crate::http::s3::access::Permitted;
use crate::http::s3::exchange::Exchange;
use crate::http::s3::request::content_check::ContentCheck;
use crate::http::s3::request::object_meta::object_meta;
use crate::http::s3::request::precondition;
use crate::http::s3::request::upload_body::Announced;
use crate::http::s3::response::expiration;
use crate::http::s3::response::state_checksums;
use crate::s3::checksum::{Checksum, ChecksumType};
use crate::s3::lifecycle::Subject;
use crate::s3::{ObjectKey, S3Error};
use crate::store::{Bucket, Committed, ObjectMeta, Target};
use actix_web::HttpResponse;
use actix_web::http::header;

pub(crate) async fn put_object(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    key: ObjectKey,
    body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    let store = permitted.store();
    let announced = Announced::parse(exchange, permitted.payload())?;
    let meta = object_meta(&exchange.headers)?;
    let precondition = precondition::parse(exchange)?;
    let bucket = permitted.bucket()?;
    let algorithm = announced.algorithm();
    let sealed = announced
        .receive(permitted, body, algorithm, ContentCheck::of(&key))
        .await?;
    let checksums = sealed.checksums().to_vec();
    let (size_bytes, tagging) = (sealed.size_bytes(), meta.tagging.clone());
    let target = Target {
        bucket: bucket.name.clone(),
        key: key.clone(),
        meta: ObjectMeta {
            checksums: checksums.clone(),
            ..meta
        },
    };
    match store.commit(target, sealed, precondition.clone()).await {
        Ok(committed) => {
            let subject = Subject {
                key: key.as_str(),
                size_bytes,
                tagging: tagging.as_deref(),
                last_modified: committed.last_modified,
            };
            Ok(answer(bucket, &committed, &subject, &checksums))
        }
        Err(refusal) => Err(precondition::explain(permitted, &key, &precondition, refusal).await),
    }
}

fn answer(
    bucket: &Bucket,
    committed: &Committed,
    object: &Subject<'_>,
    checksums: &[Checksum],
) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::ETAG, committed.etag.quoted()));
    if let Some(expiration) = expiration(bucket, object) {
        answer.insert_header(expiration);
    }
    state_checksums(&mut answer, checksums);
    if !checksums.is_empty() {
        let whole = ChecksumType::FullObject;
        answer.insert_header(("x-amz-checksum-type", whole.as_str()));
    }
    answer.finish()
}
