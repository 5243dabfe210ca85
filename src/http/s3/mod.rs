//! The S3 face: from a request to an [`Operation`], to its answer.
//!
//! Guarantees: a signature is checked before anything is said of what exists; nothing of a body is stored before its
//! sender was verified; an error is S3's XML, and the client sees it. The protocol itself is in [`crate::s3`].
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>

mod access;
mod cors;
mod error;
mod exchange;
mod fields;
mod landing_page;
mod lookup;
mod minio;
mod operations;
mod request;
mod response;

pub(super) use error::head_too_large;
pub(super) use minio::minio;

use crate::http::app_state::AppState;
use crate::http::limits::Body;
use crate::http::{serve, trace};
use crate::s3::op::{BucketOperation, ObjectOperation, Operation, POST_OBJECT};
use crate::s3::{BucketName, ErrorCode, ObjectKey, S3Error, form};
use access::Permitted;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use exchange::Exchange;
use operations::{
    acl, buckets, copy_object, delete_object, delete_objects, get_attributes, get_object, list,
    multipart, post_object, put_object, settings, tagging,
};
use request::{document, headers};

/// Answers whatever is not another face's.
pub(super) async fn answer(
    req: HttpRequest,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> HttpResponse {
    let mut body = Body::new(payload, &req);
    let mut operation = "";
    let answered = carry_out(&req, &state, &mut body, &mut operation).await;
    let mut answer = match answered {
        Ok(answer) => {
            trace::note(
                &req,
                trace::Note {
                    operation,
                    ..Default::default()
                },
            );
            answer
        }
        Err(refusal) => error::answer(&req, operation, refusal),
    };
    if req
        .uri()
        .query()
        .is_some_and(|query| query.contains("Signature="))
    {
        // The address is a key to the object: not for the pages that the answer leads to.
        let no_referrer = HeaderValue::from_static("no-referrer");
        answer
            .headers_mut()
            .insert(header::REFERRER_POLICY, no_referrer);
    }
    serve::vary_by_destination(&req, answer.headers_mut());
    if operation != PREFLIGHT {
        cors::allow(&req, &state, operation == POST_OBJECT, answer.headers_mut());
    }
    trace::waited_for_client(&req, body.waited());
    body.settle(answer).await
}

const PREFLIGHT: &str = "Preflight";

async fn carry_out(
    req: &HttpRequest,
    state: &AppState,
    body: &mut Body,
    name: &mut &'static str,
) -> Result<HttpResponse, S3Error> {
    let mut exchange = Exchange::new(req, state)?;
    if landing_page::is_asked_for(&exchange) {
        return Ok(landing_page::answer());
    }
    let operation = match exchange.operation() {
        Ok(operation) => operation,
        // A form's signature is in its fields, and a method that S3 has not is nobody's. Otherwise only who signed is
        // told what there is and what there is not.
        Err(refusal)
            if *req.method() == Method::OPTIONS
                || refusal.code == ErrorCode::MethodNotAllowed
                || form::boundary(exchange.header("content-type")).is_ok() =>
        {
            return Err(refusal);
        }
        Err(refusal) => {
            access::require_signed(&exchange)?;
            return Err(refusal);
        }
    };
    *name = operation.name();
    match operation {
        Operation::Preflight(bucket) => return cors::preflight(req, state, bucket.as_ref()),
        // A form's signature is in its fields.
        Operation::OnBucket(BucketOperation::PostObject, bucket) => {
            return post_object::post_object(&exchange, bucket, body).await;
        }
        _ => {}
    }
    let permitted = access::permit(&mut exchange, &operation).await?;
    headers::judge_headers(&exchange, operation.name())?;
    request::acl::refuse_blocked(&exchange, &operation)?;
    if !operation.takes_body() {
        // Read all the same: what was signed must be what came.
        document::read_signed(body, &permitted, document::NEEDLESS_BYTES).await?;
    }
    let answered = match operation.clone() {
        Operation::ListBuckets => buckets::list_buckets(&exchange, &permitted),
        Operation::OnBucket(operation, bucket) => {
            on_bucket(&exchange, &permitted, operation, bucket, body).await
        }
        Operation::OnObject(operation, bucket, key) => {
            on_object(&exchange, &permitted, operation, bucket, key, body).await
        }
        Operation::Preflight(_) => unreachable!("answered before a signature was asked for"),
    };
    answered.map_err(|refusal| permitted.tell(&exchange, operation.bucket(), refusal))
}

async fn on_bucket(
    exchange: &Exchange<'_>,
    permitted: &Permitted,
    operation: BucketOperation,
    bucket: BucketName,
    body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    use BucketOperation as Op;
    match operation {
        Op::Create => buckets::create_bucket(exchange, permitted, bucket, body).await,
        Op::Head => buckets::head_bucket(exchange, &bucket),
        Op::Delete => buckets::delete_bucket(exchange, permitted, &bucket).await,
        Op::GetLocation => buckets::get_location(exchange, &bucket),
        Op::ListObjects => list::list_objects(exchange, permitted, &bucket).await,
        Op::ListObjectsV2 => list::list_objects_v2(exchange, permitted, &bucket).await,
        Op::ListObjectVersions => list::list_object_versions(exchange, permitted, &bucket).await,
        Op::ListMultipartUploads => multipart::list_uploads(exchange, permitted, &bucket).await,
        Op::DeleteObjects => {
            delete_objects::delete_objects(exchange, permitted, &bucket, body).await
        }
        Op::GetSetting(setting) => settings::get_setting(exchange, permitted, &bucket, setting),
        Op::PutSetting(setting) => {
            settings::put_setting(exchange, permitted, &bucket, setting, body).await
        }
        Op::DeleteSetting(setting) => {
            settings::delete_setting(exchange, permitted, &bucket, setting).await
        }
        Op::GetPolicyStatus => settings::get_policy_status(exchange, permitted, &bucket),
        Op::GetVersioning => settings::get_versioning(exchange, permitted, &bucket),
        Op::PutVersioning => settings::put_versioning(exchange, permitted, &bucket, body).await,
        Op::GetUnconfigured(feature) => {
            settings::get_unconfigured(exchange, permitted, &bucket, feature)
        }
        Op::DeleteUnconfigured(_) => settings::delete_unconfigured(exchange, permitted, &bucket),
        Op::GetAcl => acl::get_bucket_acl(exchange, permitted, &bucket),
        Op::PutAcl => acl::put_bucket_acl(exchange, permitted, &bucket, body).await,
        Op::PostObject => unreachable!("answered before a signature was asked for"),
    }
}

async fn on_object(
    exchange: &Exchange<'_>,
    permitted: &Permitted,
    operation: ObjectOperation,
    bucket: BucketName,
    key: ObjectKey,
    body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    use ObjectOperation as Op;
    match operation {
        Op::Get | Op::Head => get_object::read_object(exchange, permitted, &bucket, &key).await,
        Op::Put => put_object::put_object(exchange, permitted, bucket, key, body).await,
        Op::Delete => delete_object::delete_object(exchange, bucket, key).await,
        Op::Copy => copy_object::copy_object(exchange, permitted, &bucket, &key).await,
        Op::GetAttributes => {
            get_attributes::get_attributes(exchange, permitted, &bucket, &key).await
        }
        Op::GetTagging => tagging::get_tagging(exchange, permitted, &bucket, &key).await,
        Op::PutTagging => tagging::put_tagging(exchange, permitted, &bucket, &key, body).await,
        Op::DeleteTagging => tagging::delete_tagging(exchange, permitted, &bucket, &key).await,
        Op::GetAcl => acl::get_object_acl(exchange, permitted, &bucket, &key).await,
        Op::PutAcl => acl::put_object_acl(exchange, permitted, &bucket, &key, body).await,
        Op::CreateMultipartUpload => multipart::create(exchange, permitted, &bucket, &key).await,
        Op::UploadPart => multipart::upload_part(exchange, permitted, &bucket, &key, body).await,
        Op::UploadPartCopy => multipart::upload_part_copy(exchange, permitted, &bucket, &key).await,
        Op::ListParts => multipart::list_parts(exchange, permitted, &bucket, &key).await,
        Op::CompleteMultipartUpload => {
            multipart::complete(exchange, permitted, &bucket, &key, body).await
        }
        Op::AbortMultipartUpload => multipart::abort(exchange, permitted, &bucket, &key).await,
    }
}
