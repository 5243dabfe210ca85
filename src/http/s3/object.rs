//! Reading and deleting one object.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>

use super::access::Permitted;
use super::{Exchange, error, tagging};
use crate::http::serve::{self, Representation, ServeRefusal};
use crate::s3::conditional::WritePrecondition;
use crate::s3::{BucketName, ErrorCode, ObjectKey, S3Error};
use crate::store::Object;
use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderName, HeaderValue};

/// AWS: the type of an object that was stored without one.
const DEFAULT_TYPE: &str = "binary/octet-stream";

/// The query's overrides and the headers that they stand for.
const OVERRIDES: [(&str, HeaderName); 5] = [
    ("response-cache-control", header::CACHE_CONTROL),
    ("response-content-disposition", header::CONTENT_DISPOSITION),
    ("response-content-encoding", header::CONTENT_ENCODING),
    ("response-content-language", header::CONTENT_LANGUAGE),
    ("response-expires", header::EXPIRES),
];

/// `GetObject` and `HeadObject`.
pub(super) async fn read_object(
    exchange: &Exchange<'_>,
    permitted: &Permitted,
    bucket: &BucketName,
    key: &ObjectKey,
) -> Result<HttpResponse, S3Error> {
    let store = &exchange.rooms.store;
    if store.bucket(bucket).is_none() {
        return Err(error::no_such_bucket(bucket));
    }
    let object = store
        .object(bucket, key)
        .await?
        .ok_or_else(|| error::no_such_key(key))?;
    let mut representation = represent(exchange, &object)?;
    if permitted.is_for_browsers() {
        serve::harden(exchange.req, &mut representation).map_err(|refusal| {
            S3Error::with_message(
                ErrorCode::AccessDenied,
                "Uploaded files are not served as scripts, styles, workers or embedded documents.",
            )
            .logged(refusal.to_string())
        })?;
        if representation.get(&header::CACHE_CONTROL).is_none() {
            representation.set(header::CACHE_CONTROL, HeaderValue::from_static("private"));
        }
    }
    serve::respond(exchange.req, store, &object, representation)
        .await
        .map_err(|refusal| match refusal {
            ServeRefusal::PreconditionFailed => S3Error::new(ErrorCode::PreconditionFailed),
            ServeRefusal::RangeNotSatisfiable { size } => {
                error::invalid_range(size, exchange.header("range").unwrap_or_default())
            }
            ServeRefusal::Store(trouble) => trouble.into(),
        })
}

/// What was stored with the object, and what the query puts in its place.
fn represent(exchange: &Exchange<'_>, object: &Object) -> Result<Representation, S3Error> {
    let meta = &object.meta;
    let mut representation = Representation {
        content_type: meta
            .content_type
            .clone()
            .unwrap_or_else(|| DEFAULT_TYPE.to_owned()),
        headers: Vec::new(),
    };
    let stored = [
        (header::CACHE_CONTROL, &meta.cache_control),
        (header::CONTENT_DISPOSITION, &meta.content_disposition),
        (header::CONTENT_ENCODING, &meta.content_encoding),
        (header::CONTENT_LANGUAGE, &meta.content_language),
        (header::EXPIRES, &meta.expires),
        (
            HeaderName::from_static("x-amz-storage-class"),
            &meta.storage_class,
        ),
    ];
    for (name, value) in stored {
        if let Some(value) = value {
            put(&mut representation, name, value);
        }
    }
    for (name, value) in &meta.user {
        // What other servers stored before may hold names that are no header's.
        if let Ok(name) = HeaderName::from_bytes(format!("x-amz-meta-{name}").as_bytes()) {
            put(&mut representation, name, value);
        }
    }
    if let Some(tags) = &meta.tagging {
        let count = tagging::count(tags).to_string();
        put(
            &mut representation,
            HeaderName::from_static("x-amz-tagging-count"),
            &count,
        );
    }
    add_checksums(exchange, object, &mut representation);
    apply_overrides(exchange, &mut representation)?;
    Ok(representation)
}

fn put(representation: &mut Representation, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        representation.set(name, value);
    }
}

/// A part of an object has other checksums than the object.
fn add_checksums(exchange: &Exchange<'_>, object: &Object, representation: &mut Representation) {
    let enabled = exchange
        .header("x-amz-checksum-mode")
        .is_some_and(|mode| mode.eq_ignore_ascii_case("ENABLED"));
    if !enabled || exchange.header("range").is_some() || object.meta.checksums.is_empty() {
        return;
    }
    for checksum in &object.meta.checksums {
        let name = HeaderName::from_static(checksum.algorithm.header());
        put(representation, name, &checksum.value);
    }
    put(
        representation,
        HeaderName::from_static("x-amz-checksum-type"),
        "FULL_OBJECT",
    );
}

fn apply_overrides(
    exchange: &Exchange<'_>,
    representation: &mut Representation,
) -> Result<(), S3Error> {
    for (parameter, value) in &exchange.query {
        let refusal =
            || S3Error::invalid_argument("The value cannot be a header's.", parameter, value);
        if parameter == "response-content-type" {
            HeaderValue::from_bytes(value.as_bytes()).map_err(|_| refusal())?;
            representation.content_type.clone_from(value);
        } else if let Some((_, name)) = OVERRIDES.iter().find(|(known, _)| known == parameter) {
            let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| refusal())?;
            representation.set(name.clone(), value);
        }
    }
    Ok(())
}

/// `DeleteObject`: 204, whether there was an object or not.
pub(super) async fn delete_object(
    exchange: &Exchange<'_>,
    bucket: BucketName,
    key: ObjectKey,
) -> Result<HttpResponse, S3Error> {
    let store = &exchange.rooms.store;
    if store.bucket(&bucket).is_none() {
        return Err(error::no_such_bucket(&bucket));
    }
    let precondition = WritePrecondition::parse(exchange.header("if-match"), None)?;
    store.delete(bucket, key, precondition).await?;
    Ok(HttpResponse::NoContent().finish())
}
