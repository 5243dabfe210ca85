//! The S3 face: from a request to an [`Operation`], to its response.
//!
//! Guarantees: a signature is checked before a response reveals what exists; no byte of a body is stored before its
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
use crate::http::{origin, serve, trace};
use crate::s3::op::{BucketOperation, ObjectOperation, Operation};
use crate::s3::{BucketName, ErrorCode, ObjectKey, S3Error, form};
use access::{Authorizer, Permitted};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use exchange::Exchange;
use operations::{
    acl, buckets, copy_object, delete_object, delete_objects, get_attributes, get_object, list,
    multipart, post_object, put_object, settings, tagging,
};
use request::{document, headers};

/// Answers every request that is not for another face.
pub(super) async fn answer(
    req: HttpRequest,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> HttpResponse {
    let mut body = Body::new(payload, &req);
    let virtual_bucket = origin::virtual_bucket(req.head(), &state.config);
    let authorizer = Authorizer::new(&req, &state, virtual_bucket.as_deref());
    let (operation, answered) = match Exchange::new(&req, &state.config, virtual_bucket) {
        Ok(mut exchange) => ask(&mut exchange, &authorizer, &mut body).await,
        Err(refusal) => (None, Err(refusal)),
    };
    let name = operation.as_ref().map_or("", Operation::name);
    let mut answer = match answered {
        Ok(answer) => {
            let note = trace::Note {
                operation: name,
                ..Default::default()
            };
            trace::note(&req, note);
            answer
        }
        Err(refusal) => error::answer(&req, name, refusal),
    };
    let headers = answer.headers_mut();
    keep_address_private(&req, headers);
    serve::vary_by_destination(&req, headers);
    let bucket = authorizer.bucket_after(operation.as_ref());
    cors::allow(&req, operation.as_ref(), bucket.as_deref(), headers);
    trace::waited_for_client(&req, body.waited());
    body.settle(answer).await
}

/// A presigned URL is a key to the object: it must not reach the pages that the response links to.
fn keep_address_private(req: &HttpRequest, headers: &mut HeaderMap) {
    let query = req.uri().query();
    if query.is_some_and(|query| query.contains("Signature=")) {
        let no_referrer = HeaderValue::from_static("no-referrer");
        headers.insert(header::REFERRER_POLICY, no_referrer);
    }
}

/// The operation that the request asks for, where there is one, and the response.
async fn ask(
    exchange: &mut Exchange<'_>,
    authorizer: &Authorizer<'_>,
    body: &mut Body,
) -> (Option<Operation>, Result<HttpResponse, S3Error>) {
    if landing_page::is_asked_for(exchange) {
        return (None, Ok(landing_page::answer()));
    }
    match exchange.operation() {
        Ok(operation) => {
            let answered = carry_out(exchange, authorizer, &operation, body).await;
            (Some(operation), answered)
        }
        Err(refusal) => (None, Err(refuse(exchange, authorizer, refusal))),
    }
}

/// The refusal of a request that asks for no operation. A form's signature is in its fields, and an unsupported method
/// needs no authentication; otherwise only signed requests get to know what exists and what does not.
fn refuse(exchange: &Exchange<'_>, authorizer: &Authorizer<'_>, refusal: S3Error) -> S3Error {
    let needs_no_signature = *exchange.req.method() == Method::OPTIONS
        || refusal.code == ErrorCode::MethodNotAllowed
        || form::boundary(exchange.header("content-type")).is_ok();
    if needs_no_signature {
        return refusal;
    }
    match authorizer.require_signed(exchange) {
        Ok(()) => refusal,
        Err(unsigned) => unsigned,
    }
}

async fn carry_out(
    exchange: &mut Exchange<'_>,
    authorizer: &Authorizer<'_>,
    operation: &Operation,
    body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    match operation {
        Operation::Preflight(_) => return cors::preflight(exchange.req, authorizer.bucket()),
        // A form's signature is in its fields.
        Operation::OnBucket(BucketOperation::PostObject, bucket) => {
            return post_object::post_object(exchange, authorizer, (operation, bucket), body).await;
        }
        _ => {}
    }
    let permitted = authorizer.permit(exchange, operation).await?;
    headers::judge_headers(exchange, operation.name())?;
    request::acl::refuse_blocked(exchange, &permitted)?;
    if !operation.takes_body() {
        // The body is read even here, since it must be the one that was signed.
        document::read_signed(body, &permitted, document::NEEDLESS_BYTES).await?;
    }
    let answered = match permitted.operation().clone() {
        Operation::ListBuckets => buckets::list_buckets(exchange, &permitted),
        Operation::OnBucket(operation, bucket) => {
            on_bucket(exchange, &permitted, operation, bucket, body).await
        }
        Operation::OnObject(operation, _, key) => {
            on_object(exchange, &permitted, operation, key, body).await
        }
        Operation::Preflight(_) => unreachable!("answered before a signature was asked for"),
    };
    answered.map_err(|refusal| match permitted.bucket() {
        Ok(bucket) => permitted.hide_missing_key(exchange, bucket, refusal),
        Err(_) => refusal,
    })
}

async fn on_bucket(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    operation: BucketOperation,
    bucket: BucketName,
    body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    use BucketOperation as Op;
    match operation {
        Op::Create => buckets::create_bucket(exchange, permitted, bucket, body).await,
        Op::Head => buckets::head_bucket(exchange, permitted),
        Op::Delete => buckets::delete_bucket(permitted).await,
        Op::GetLocation => buckets::get_location(exchange, permitted),
        Op::ListObjects => list::list_objects(exchange, permitted).await,
        Op::ListObjectsV2 => list::list_objects_v2(exchange, permitted, &bucket).await,
        Op::ListObjectVersions => list::list_object_versions(exchange, permitted).await,
        Op::ListMultipartUploads => multipart::list_uploads(exchange, permitted).await,
        Op::DeleteObjects => delete_objects::delete_objects(exchange, permitted, body).await,
        Op::GetSetting(setting) => settings::get_setting(permitted, setting),
        Op::PutSetting(setting) => settings::put_setting(exchange, permitted, setting, body).await,
        Op::DeleteSetting(setting) => settings::delete_setting(permitted, setting).await,
        Op::GetPolicyStatus => settings::get_policy_status(permitted),
        Op::GetVersioning => settings::get_versioning(permitted),
        Op::PutVersioning => settings::put_versioning(exchange, permitted, body).await,
        Op::GetUnconfigured(feature) => settings::get_unconfigured(permitted, feature),
        Op::DeleteUnconfigured(_) => settings::delete_unconfigured(permitted),
        Op::GetAcl => acl::get_bucket_acl(permitted),
        Op::PutAcl => acl::put_bucket_acl(exchange, permitted, body).await,
        Op::PostObject => unreachable!("answered before a signature was asked for"),
    }
}

async fn on_object(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    operation: ObjectOperation,
    key: ObjectKey,
    body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    use ObjectOperation as Op;
    match operation {
        Op::Get | Op::Head => get_object::read_object(exchange, permitted, &key).await,
        Op::Put => put_object::put_object(exchange, permitted, key, body).await,
        Op::Delete => delete_object::delete_object(exchange, permitted, key).await,
        Op::Copy => copy_object::copy_object(exchange, permitted, &key).await,
        Op::GetAttributes => get_attributes::get_attributes(exchange, permitted, &key).await,
        Op::GetTagging => tagging::get_tagging(exchange, permitted, &key).await,
        Op::PutTagging => tagging::put_tagging(exchange, permitted, &key, body).await,
        Op::DeleteTagging => tagging::delete_tagging(exchange, permitted, &key).await,
        Op::GetAcl => acl::get_object_acl(exchange, permitted, &key).await,
        Op::PutAcl => acl::put_object_acl(exchange, permitted, &key, body).await,
        Op::CreateMultipartUpload => multipart::create(exchange, permitted, &key).await,
        Op::UploadPart => multipart::upload_part(exchange, permitted, &key, body).await,
        Op::UploadPartCopy => multipart::upload_part_copy(exchange, permitted, &key).await,
        Op::ListParts => multipart::list_parts(exchange, permitted, &key).await,
        Op::CompleteMultipartUpload => multipart::complete(exchange, permitted, &key, body).await,
        Op::AbortMultipartUpload => multipart::abort(exchange, permitted, &key).await,
    }
}
