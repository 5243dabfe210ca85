//! The S3 face: from a request to an [`Operation`], to its answer.
//!
//! Guarantees: a signature is checked before anything is said of what exists; nothing of a body is stored before its
//! sender was verified; an error is S3's XML, and the client sees it. The protocol itself is in [`crate::s3`].
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>

mod access;
mod acl;
mod attributes;
mod bucket;
mod copy_object;
mod cors;
mod delete_object;
mod delete_objects;
mod document;
mod error;
mod list;
mod metadata;
mod multipart;
mod object;
mod object_tagging;
mod page;
mod post_object;
mod precondition;
mod put_object;
mod receive;
mod settings;
mod verify;

use crate::http::app_state::AppState;
use crate::http::health::reason_not_ready;
use crate::http::limits::Body;
use crate::http::{origin, serve, trace};
use crate::s3::op::{BucketOperation, ObjectOperation, Operation, POST_OBJECT};
use crate::s3::uri::{self, Plus};
use crate::s3::{BucketName, ErrorCode, ObjectKey, S3Error, form};
use access::Permitted;
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};

/// A request on its way to an answer.
struct Exchange<'a> {
    req: &'a HttpRequest,
    state: &'a AppState,
    /// Names lower case, values as sent; behind those that came as headers the ones that a presigned query states.
    headers: Vec<(String, String)>,
    /// How many came as headers.
    sent: usize,
    /// Decoded
    query: Vec<(String, String)>,
    /// How a `+` in the query is read.
    plus: Plus,
    virtual_bucket: Option<String>,
}

impl<'a> Exchange<'a> {
    fn new(req: &'a HttpRequest, state: &'a AppState) -> Result<Self, S3Error> {
        let headers = metadata::header_fields(req.headers());
        let mut exchange = Self {
            req,
            state,
            sent: headers.len(),
            headers,
            query: Vec::new(),
            plus: Plus::default(),
            virtual_bucket: origin::virtual_bucket(req.head(), &state.config),
        };
        exchange.read_query()?;
        Ok(exchange)
    }

    fn read_query(&mut self) -> Result<(), S3Error> {
        let raw = self.req.uri().query().unwrap_or_default();
        self.query = uri::parse_query_as(raw, self.plus).ok_or_else(|| {
            S3Error::with_message(
                ErrorCode::InvalidArgument,
                "The query string is not percent-encoded UTF-8.",
            )
        })?;
        self.headers.truncate(self.sent);
        metadata::add_presigned(&mut self.headers, &self.query);
        Ok(())
    }

    /// Reads the query as its client signed it. No name of a sub-resource has a `+` or a space in it, so the operation
    /// stays the same.
    fn read_as_signed(&mut self, plus: Plus) -> Result<(), S3Error> {
        if self.plus == plus {
            return Ok(());
        }
        self.plus = plus;
        self.read_query()
    }

    /// What came as headers: what a signature's headers are.
    fn sent_headers(&self) -> &[(String, String)] {
        &self.headers[..self.sent]
    }

    /// The value of a header, by its lower-case name.
    fn header(&self, name: &str) -> Option<&str> {
        metadata::field(&self.headers, name)
    }

    /// The value of a parameter of the query.
    fn parameter(&self, name: &str) -> Option<&str> {
        metadata::field(&self.query, name)
    }

    fn operation(&self) -> Result<Operation, S3Error> {
        Operation::from_request(
            self.req.method().as_str(),
            self.req.uri().path(),
            &self.query,
            &|name| self.header(name).map(str::to_owned),
            self.virtual_bucket.as_deref(),
        )
    }
}

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
    if page::is_asked_for(&exchange) {
        return Ok(page::answer());
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
    metadata::judge_headers(&exchange, operation.name())?;
    acl::refuse_blocked(&exchange, &operation)?;
    if !operation.takes_body() {
        // Read all the same: what was signed must be what came.
        document::read_signed(body, &permitted, document::NEEDLESS_BYTES).await?;
    }
    let answered = match operation.clone() {
        Operation::ListBuckets => bucket::list_buckets(&exchange, &permitted),
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
        Op::Create => bucket::create_bucket(exchange, permitted, bucket, body).await,
        Op::Head => bucket::head_bucket(exchange, &bucket),
        Op::Delete => bucket::delete_bucket(exchange, permitted, &bucket).await,
        Op::GetLocation => bucket::get_location(exchange, &bucket),
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
        Op::Get | Op::Head => object::read_object(exchange, permitted, &bucket, &key).await,
        Op::Put => put_object::put_object(exchange, permitted, bucket, key, body).await,
        Op::Delete => delete_object::delete_object(exchange, bucket, key).await,
        Op::Copy => copy_object::copy_object(exchange, permitted, &bucket, &key).await,
        Op::GetAttributes => attributes::get_attributes(exchange, permitted, &bucket, &key).await,
        Op::GetTagging => object_tagging::get_tagging(exchange, permitted, &bucket, &key).await,
        Op::PutTagging => {
            object_tagging::put_tagging(exchange, permitted, &bucket, &key, body).await
        }
        Op::DeleteTagging => {
            object_tagging::delete_tagging(exchange, permitted, &bucket, &key).await
        }
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

/// The answer to a head that is longer than anybody's.
pub(super) fn head_too_large(req: &HttpRequest) -> HttpResponse {
    let refusal = S3Error::new(ErrorCode::RequestHeaderSectionTooLarge);
    let mut answer = error::answer(req, "", refusal);
    *answer.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    answer
}

fn health(is_well: bool) -> HttpResponse {
    if is_well {
        HttpResponse::Ok().finish()
    } else {
        HttpResponse::ServiceUnavailable().finish()
    }
}

/// `/minio`: the health addresses that compose files and charts probe; MinIO's administration is not here.
pub(super) async fn minio(req: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    let reads = [Method::GET, Method::HEAD].contains(req.method());
    match req.uri().path() {
        "/minio/health/live" if reads => HttpResponse::Ok().finish(),
        // MinIO: `cluster/read` asks for the quorum of reads alone.
        "/minio/health/cluster/read" if reads => health(state.store.answers().await),
        "/minio/health/ready" | "/minio/health/cluster" if reads => {
            health(reason_not_ready(&state.store).await.is_none())
        }
        _ => error::answer(
            &req,
            "",
            S3Error::with_message(
                ErrorCode::NotImplemented,
                "hangar does not offer MinIO's administration API.",
            ),
        ),
    }
}
