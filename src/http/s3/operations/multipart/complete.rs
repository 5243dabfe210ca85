//! `CompleteMultipartUpload`: the named parts become the object of the key.
//!
//! Guarantees: exactly the parts that were checked become the object, since the vault refuses where a part was replaced
//! in between; a repeated request that succeeded before succeeds again.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>

use crate::http::limits::Body;
use crate::http::s3::access::Permitted;
use crate::http::s3::exchange::Exchange;
use crate::http::s3::lookup::object::find_with_parts;
use crate::http::s3::lookup::upload::about_upload;
use crate::http::s3::lookup::upload::no_such_upload;
use crate::http::s3::lookup::upload::requested_upload_id;
use crate::http::s3::operations::multipart::described::begun_with;
use crate::http::s3::operations::multipart::described::held;
use crate::http::s3::request::document::read_document;
use crate::http::s3::request::precondition;
use crate::http::s3::response::xml_answer;
use crate::s3::multipart::{self, StatedPart, StatedWhole, Whole};
use crate::s3::{ErrorCode, ObjectKey, S3Error};
use crate::store::{Completion, Part, StoreError, Upload, UploadId};
use actix_web::HttpResponse;

/// 10,000 parts with their tags and their longest checksums.
const DOCUMENT_BYTES: usize = 2 * 1024 * 1024;
/// How often the parts are read again because other clients replaced them during the check.
const ATTEMPTS: usize = 5;
/// Parts that are read at once.
const PAGE: u32 = 1000;

pub(crate) async fn complete(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    key: &ObjectKey,
    body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    let document = read_document(exchange, permitted, body, DOCUMENT_BYTES).await?;
    let stated = multipart::parse_completion(&document)?;
    let whole = StatedWhole::parse(|name| exchange.header(name))?;
    let precondition = precondition::parse(exchange)?;
    let (store, bucket) = (permitted.store(), &permitted.bucket()?.name);
    let id = requested_upload_id(exchange)?;
    for _ in 0..ATTEMPTS {
        let upload = match store.upload(bucket, key, &id).await {
            Err(StoreError::NoSuchUpload) => {
                return answer_again(exchange, permitted, key, &id).await;
            }
            found => found?,
        };
        let completion = judge(permitted, &upload, &stated, &whole).await?;
        let (etag, checksums) = (completion.etag.clone(), completion.checksums.clone());
        let completed = store.complete_upload(&upload, completion, precondition.clone());
        match completed.await {
            Ok(_) => {
                let checksum_type = begun_with(&upload).map(|(_, kind)| kind);
                return Ok(xml_answer(multipart::completed(
                    &exchange.location_of(bucket, key),
                    (bucket, key),
                    &etag,
                    &checksums,
                    checksum_type.unwrap_or_default(),
                )));
            }
            // Another client replaced a part, or ended the upload: try again.
            Err(StoreError::UploadChanged | StoreError::NoSuchUpload) => {}
            Err(refusal @ StoreError::PreconditionFailed) => {
                return Err(precondition::explain(permitted, key, &precondition, refusal).await);
            }
            Err(refusal) => return Err(about_upload(exchange, refusal)),
        }
    }
    Err(ErrorCode::OperationAborted.into())
}

/// Checks the named parts against those in the vault, and returns the object that they make.
async fn judge(
    permitted: &Permitted<'_>,
    upload: &Upload,
    stated: &[StatedPart],
    whole: &StatedWhole,
) -> Result<Completion, S3Error> {
    let parts = all_parts(permitted, upload).await?;
    let named: Vec<Part> = stated
        .iter()
        .map(|stated| {
            parts
                .binary_search_by_key(&stated.number, |part| part.number)
                .ok()
                .map(|at| &parts[at])
                .filter(|part| stated.is(&held(part)))
                .cloned()
                .ok_or_else(|| stated.refuse())
        })
        .collect::<Result<_, _>>()?;
    let lent: Vec<_> = named.iter().map(held).collect();
    let made = Whole::of(&lent, begun_with(upload), whole)?;
    Ok(Completion {
        parts: named,
        etag: made.etag,
        checksums: made.checksum.into_iter().collect(),
    })
}

async fn all_parts(permitted: &Permitted<'_>, upload: &Upload) -> Result<Vec<Part>, S3Error> {
    let mut parts: Vec<Part> = Vec::new();
    loop {
        let after = parts.last().map_or(0, |part| part.number);
        let page = permitted.store().parts(upload, after, PAGE).await?;
        let more_follow = page.is_truncated && !page.parts.is_empty();
        parts.extend(page.parts);
        if !more_follow {
            return Ok(parts);
        }
    }
}

/// The response to a repeated request: clients repeat a request whose response they did not get.
async fn answer_again(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    key: &ObjectKey,
    id: &UploadId,
) -> Result<HttpResponse, S3Error> {
    let (object, made_of) = match find_with_parts(permitted, key).await {
        Err(refusal) if refusal.code == ErrorCode::NoSuchKey => {
            return Err(no_such_upload(exchange));
        }
        found => found?,
    };
    if made_of.and_then(|made_of| made_of.upload).as_ref() != Some(id) {
        return Err(no_such_upload(exchange));
    }
    let bucket = &permitted.bucket()?.name;
    Ok(xml_answer(multipart::completed(
        &exchange.location_of(bucket, key),
        (bucket, key),
        &object.etag,
        &object.meta.checksums,
        object.meta.checksum_type,
    )))
}
