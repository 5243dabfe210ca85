//! `PostObject`: an HTML form's file becomes the object of a key, under a policy that another party signed.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>
//!
//! The order is the design: the bucket, the form, the fields, the [`Grant`], and only then the file's bytes. Before the
//! grant the sender is not verified: the parser bounds the bytes that are read, and they are counted against memory
//! that all such senders share ([`crate::http::memory`]), and no byte is staged.

use crate::http::limits::{Body, Kept};
use crate::http::origin;
use crate::http::s3::access::{Authorizer, Permitted};
use crate::http::s3::error;
use crate::http::s3::exchange::Exchange;
use crate::http::s3::request::acl;
use crate::http::s3::request::checksums::{self, StatedChecksums};
use crate::http::s3::request::content_check::ContentCheck;
use crate::http::s3::request::headers;
use crate::http::s3::request::object_meta::object_meta;
use crate::s3::checksum::Wanted;
use crate::s3::conditional::WritePrecondition;
use crate::s3::form::{self, FormEvent, FormParser};
use crate::s3::op::Operation;
use crate::s3::policy::{self, Grant, SuccessAnswer, redirect_location};
use crate::s3::{BucketName, ErrorCode, S3Error};
use crate::store::{Committed, Expected, ObjectMeta, Staging, Target};
use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use bytes::Bytes;

/// How many bytes beyond the limit are still counted, to report the file's size to the client.
const COUNTED_PAST_LIMIT_BYTES: u64 = 256 * 1024;

/// AWS: the type of a file whose form names none.
const DEFAULT_TYPE: &str = "application/octet-stream";

pub(crate) async fn post_object(
    exchange: &Exchange<'_>,
    authorizer: &Authorizer<'_>,
    (operation, bucket): (&Operation, &BucketName),
    body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    authorizer.require_bucket(bucket)?;
    let boundary = form::boundary(exchange.header("content-type"))?;
    headers::judge_headers(exchange, operation.name())?;
    let mut parser = FormParser::new(&boundary);
    let mut events = Vec::new();
    body.count(Kept::Unverified);
    let mut upload: Option<Upload> = None;
    while let Some(bytes) = body.next().await? {
        parser.push(bytes, &mut events)?;
        for event in events.drain(..) {
            match (event, &mut upload) {
                (FormEvent::FileBegins { fields, file_name }, _) => {
                    // No byte of the file is read before.
                    let form = (operation, bucket);
                    let (grant, permitted) = authorizer
                        .permit_form(exchange, form, fields, file_name.as_deref())
                        .await?;
                    warn_of_lost_host(exchange);
                    upload = Some(Upload::begin(permitted, grant, body)?);
                    body.begin_upload().await?;
                }
                (FormEvent::Data(bytes), Some(upload)) => upload.write(bytes, body).await?,
                (FormEvent::FileEnds, Some(upload)) => upload.end()?,
                (FormEvent::Data(_) | FormEvent::FileEnds, None) => {
                    return Err(ErrorCode::MalformedPOSTRequest.into());
                }
            }
        }
    }
    parser.finish()?;
    match upload {
        Some(upload) => upload.commit(exchange).await,
        None => Err(ErrorCode::MalformedPOSTRequest.into()),
    }
}

/// Logs once for each start: every form that comes the same way would log it again.
fn warn_of_lost_host(exchange: &Exchange<'_>) {
    static WARNED: std::sync::Once = std::sync::Once::new();
    if WARNED.is_completed() {
        return;
    }
    let req = exchange.req.head();
    let Some(sent_to) = origin::host_lost_on_the_way(req, exchange.config) else {
        return;
    };
    WARNED.call_once(|| {
        tracing::warn!(
            received = exchange.header("host").unwrap_or_default(),
            sent_to,
            "a proxy changed the Host header of an upload form: forms work all the same, but presigned links for that host will be refused with 403. Let the proxy pass the header on with its port (nginx: `proxy_set_header Host $http_host;`), or set HANGAR_PUBLIC_URL to the address that clients use"
        );
    });
}

/// An arriving file, under its grant.
struct Upload<'a> {
    permitted: Permitted<'a>,
    grant: Grant,
    meta: ObjectMeta,
    expected: Expected,
    content: ContentCheck,
    /// `None`: the file is over its limit, and its bytes are only counted.
    staging: Option<Staging>,
    size_bytes: u64,
}

impl<'a> Upload<'a> {
    fn begin(permitted: Permitted<'a>, grant: Grant, body: &Body) -> Result<Self, S3Error> {
        let fields = &grant.fields().fields;
        acl::judge_for(permitted.bucket()?, fields)?;
        let checksums = StatedChecksums::parse(fields)?;
        let mut meta = object_meta(fields)?;
        meta.content_type
            .get_or_insert_with(|| DEFAULT_TYPE.to_owned());
        let expected = Expected {
            min_bytes: *grant.length().start(),
            exact_bytes: None,
            sha256: None,
            md5: checksums::content_md5(fields)?,
            checksums: checksums.value.clone().into_iter().collect(),
        };
        let wanted = Wanted {
            sha256: false,
            checksums: checksums
                .value
                .map(|value| value.algorithm)
                .into_iter()
                .collect(),
        };
        let to_come = body
            .declared()
            .map(|all| all.saturating_sub(body.received()));
        let staging = permitted.store().stage(&wanted, *grant.length().end());
        let staging = staging.announced(to_come);
        Ok(Self {
            permitted,
            content: ContentCheck::of(grant.key()),
            grant,
            meta,
            expected,
            staging: Some(staging),
            size_bytes: 0,
        })
    }

    fn limit_bytes(&self) -> u64 {
        *self.grant.length().end()
    }

    /// Stages the bytes within the limit. Bytes past it are counted for a while and never staged.
    async fn write(&mut self, bytes: Bytes, body: &Body) -> Result<(), S3Error> {
        self.size_bytes += bytes.len() as u64;
        if self.size_bytes > self.limit_bytes() {
            // Dropping the staging deletes the bytes staged so far.
            self.staging = None;
            if self.size_bytes - self.limit_bytes() > COUNTED_PAST_LIMIT_BYTES {
                let proposed = body.declared().unwrap_or(self.size_bytes);
                return Err(error::too_large(self.limit_bytes(), proposed));
            }
        }
        if let Some(staging) = &mut self.staging {
            staging.write(bytes).await?;
            self.content.see(&self.permitted, staging).await?;
        }
        Ok(())
    }

    fn end(&self) -> Result<(), S3Error> {
        if self.size_bytes > self.limit_bytes() {
            return Err(error::too_large(self.limit_bytes(), self.size_bytes));
        }
        Ok(())
    }

    async fn commit(self, exchange: &Exchange<'_>) -> Result<HttpResponse, S3Error> {
        let staging = self.staging.ok_or(ErrorCode::MalformedPOSTRequest)?;
        let sealed = staging.seal(&self.expected).await?;
        let (bucket, key) = (self.grant.bucket(), self.grant.key());
        self.content.finish(&self.permitted, &sealed).await?;
        let target = Target {
            bucket: bucket.clone(),
            key: key.clone(),
            meta: ObjectMeta {
                checksums: sealed.checksums().to_vec(),
                ..self.meta
            },
        };
        let store = self.permitted.store();
        let committed = store
            .commit(target, sealed, WritePrecondition::None)
            .await?;
        Ok(success(exchange, &self.grant, &committed))
    }
}

/// The response that the form requested.
fn success(exchange: &Exchange<'_>, grant: &Grant, committed: &Committed) -> HttpResponse {
    let etag = &committed.etag;
    let place = exchange.location_of(grant.bucket(), grant.key());
    let (status, location, document) = match grant.success() {
        SuccessAnswer::Redirect(url) => (
            303,
            redirect_location(url, grant.bucket(), grant.key(), etag),
            None,
        ),
        SuccessAnswer::Status(201) => {
            let document = policy::post_response(&place, grant.bucket(), grant.key(), etag);
            (201, place, Some(document))
        }
        SuccessAnswer::Status(200) => (200, place, None),
        SuccessAnswer::Status(_) => (204, place, None),
    };
    let status = StatusCode::from_u16(status).expect("each of the four is a status");
    let mut answer = HttpResponse::build(status);
    answer.insert_header((header::ETAG, etag.quoted()));
    answer.insert_header((header::LOCATION, location));
    match document {
        Some(xml) => answer.content_type("application/xml").body(xml),
        None => answer.finish(),
    }
}
