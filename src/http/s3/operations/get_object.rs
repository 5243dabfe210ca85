//! Reading one object.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>

use crate::http::s3::access::Permitted;
use crate::http::s3::error;
use crate::http::s3::exchange::Exchange;
use crate::http::s3::fields::field;
use crate::http::s3::lookup::object::find_with_parts;
use crate::http::s3::response::expiration;
use crate::http::serve::{self, Representation, ServeRefusal};
use crate::s3::bucket_policy::Action;
use crate::s3::checksum::Checksum;
use crate::s3::{ErrorCode, ObjectKey, S3Error, header_text, multipart, tagging};
use crate::store::{Bucket, Object, ObjectMeta, ObjectParts};
use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use std::borrow::Cow;

/// AWS: the type of an object that was stored without one.
const DEFAULT_TYPE: &str = "binary/octet-stream";

/// The overrides in the query and the headers that they replace.
const OVERRIDES: [(&str, HeaderName); 6] = [
    ("response-content-type", header::CONTENT_TYPE),
    ("response-cache-control", header::CACHE_CONTROL),
    ("response-content-disposition", header::CONTENT_DISPOSITION),
    ("response-content-encoding", header::CONTENT_ENCODING),
    ("response-content-language", header::CONTENT_LANGUAGE),
    ("response-expires", header::EXPIRES),
];

/// `GetObject` and `HeadObject`.
pub(crate) async fn read_object(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    key: &ObjectKey,
) -> Result<HttpResponse, S3Error> {
    let (store, bucket) = (permitted.store(), permitted.bucket()?);
    // Taken before the object is read.
    let stamp = permitted
        .may_repeat()
        .then(|| store.stamp_of_object(&bucket.name, key));
    let (object, part) = find(exchange, permitted, key).await?;
    permitted.require_of(exchange, Action::GetObject, (bucket, &object))?;
    let mut representation = represent(exchange, (bucket, &object), part.as_ref());
    representation.validity = stamp
        .filter(|_| part.is_none())
        .and_then(|stamp| permitted.repeats(bucket, &stamp));
    apply_overrides(exchange, permitted, &mut representation)?;
    if permitted.is_for_browsers() {
        harden(exchange, &mut representation)?;
    }
    let answered = match part {
        // An empty object is its only part, and no Content-Range can name that.
        Some(part) if object.size_bytes > 0 => {
            serve::respond_with_part(exchange.req, store, &object, representation, part.bytes).await
        }
        _ => serve::respond(exchange.req, store, &object, representation).await,
    };
    answered.map_err(|refusal| match refusal {
        ServeRefusal::PreconditionFailed => S3Error::new(ErrorCode::PreconditionFailed),
        ServeRefusal::RangeNotSatisfiable { size } => {
            error::invalid_range(size, exchange.header("range").unwrap_or_default())
        }
        ServeRefusal::Store(trouble) => trouble.into(),
    })
}

async fn find(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    key: &ObjectKey,
) -> Result<(Object, Option<RequestedPart>), S3Error> {
    let Some(number) = requested_part_number(exchange)? else {
        let bucket = &permitted.bucket()?.name;
        let object = permitted.store().object(bucket, key).await?;
        return Ok((object.ok_or_else(|| error::no_such_key(key))?, None));
    };
    let (object, made_of) = find_with_parts(permitted, key).await?;
    let part = RequestedPart::of(&object, made_of, number)?;
    Ok((object, Some(part)))
}

/// Makes a response harmless in a browser, since a web page may have made the browser send the request.
fn harden(exchange: &Exchange<'_>, representation: &mut Representation) -> Result<(), S3Error> {
    serve::harden(exchange.req, representation).map_err(|refusal| {
        S3Error::with_message(
            ErrorCode::AccessDenied,
            "Uploaded files are not served as scripts, styles, workers or embedded documents.",
        )
        .logged(refusal.to_string())
    })?;
    if representation.get(&header::CACHE_CONTROL).is_none() {
        representation.set(header::CACHE_CONTROL, HeaderValue::from_static("private"));
    }
    Ok(())
}

/// The part that `partNumber` names.
struct RequestedPart {
    bytes: std::ops::Range<u64>,
    /// The number of parts; `None` for an object that no multipart upload made, which is one part.
    count: Option<usize>,
    checksums: Vec<Checksum>,
}

impl RequestedPart {
    /// Parts are counted from 1 in their order, whatever numbers they were sent under.
    fn of(object: &Object, made_of: Option<ObjectParts>, number: u16) -> Result<Self, S3Error> {
        // AWS: 416 `InvalidPartNumber`. Ceph's clients expect this code; the text is AWS's.
        let no_such_part = || {
            S3Error::with_message(
                ErrorCode::InvalidPart,
                "The requested partnumber is not satisfiable",
            )
            .extra("PartNumber", number.to_string())
        };
        let before = usize::from(number) - 1;
        let Some(made_of) = made_of else {
            return match before {
                0 => Ok(Self {
                    bytes: 0..object.size_bytes,
                    count: None,
                    checksums: object.meta.checksums.clone(),
                }),
                _ => Err(no_such_part()),
            };
        };
        let part = made_of.parts.get(before).ok_or_else(no_such_part)?;
        let sizes = made_of.parts[..before].iter().map(|part| part.size_bytes);
        let start = sizes.sum::<u64>().min(object.size_bytes);
        let end = start.saturating_add(part.size_bytes).min(object.size_bytes);
        Ok(Self {
            bytes: start..end,
            count: Some(made_of.parts.len()),
            checksums: part.checksums.clone(),
        })
    }
}

fn requested_part_number(exchange: &Exchange<'_>) -> Result<Option<u16>, S3Error> {
    let Some(number) = field(&exchange.query, "partNumber") else {
        return Ok(None);
    };
    let number = multipart::parse_part_number(number)?;
    if exchange.header("range").is_some() {
        return Err(S3Error::with_message(
            ErrorCode::InvalidRequest,
            "Cannot specify both Range header and partNumber query parameter",
        ));
    }
    Ok(Some(number))
}

/// The response's headers: those that were stored with the object, and those that describe it.
fn represent(
    exchange: &Exchange<'_>,
    (bucket, object): (&Bucket, &Object),
    part: Option<&RequestedPart>,
) -> Representation {
    let meta = &object.meta;
    let content_type = meta.content_type.as_deref().unwrap_or(DEFAULT_TYPE);
    let mut representation = Representation {
        content_type: header_text::ascii(content_type).into_owned(),
        headers: Vec::new(),
        validity: None,
    };
    add_stored(meta, &mut representation);
    if let Some(tags) = &meta.tagging {
        let name = HeaderName::from_static("x-amz-tagging-count");
        put(&mut representation, name, &tagging::count(tags).to_string());
    }
    if let Some((name, value)) = expiration(bucket, &object.as_subject()) {
        put(&mut representation, name, &value);
    }
    if let Some(count) = part.and_then(|part| part.count) {
        let name = HeaderName::from_static("x-amz-mp-parts-count");
        put(&mut representation, name, &count.to_string());
    }
    let checksums = part.map_or(&object.meta.checksums, |part| &part.checksums);
    add_checksums(exchange, object, checksums, &mut representation);
    representation
}

fn add_stored(meta: &ObjectMeta, representation: &mut Representation) {
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
            let text = as_header(&name, value);
            put(representation, name, &text);
        }
    }
    if let Some(location) = &meta.website_redirect {
        let name = HeaderName::from_static("x-amz-website-redirect-location");
        put(representation, name, &header_text::address(location));
    }
    for (name, value) in &meta.user {
        // Objects imported from other servers may have names that no header can have.
        if let Ok(name) = HeaderName::from_bytes(format!("x-amz-meta-{name}").as_bytes()) {
            put(representation, name, &header_text::encoded_words(value));
        }
    }
}

/// The value of a header that is stored with an object, in a form that every client can read.
fn as_header<'a>(name: &HeaderName, value: &'a str) -> Cow<'a, str> {
    if *name == header::CONTENT_DISPOSITION {
        header_text::disposition(value)
    } else {
        header_text::ascii(value)
    }
}

fn put(representation: &mut Representation, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        representation.set(name, value);
    }
}

/// Adds checksums: a range of an object has none, a part of it has its own.
fn add_checksums(
    exchange: &Exchange<'_>,
    object: &Object,
    checksums: &[Checksum],
    representation: &mut Representation,
) {
    let enabled = exchange
        .header("x-amz-checksum-mode")
        .is_some_and(|mode| mode.eq_ignore_ascii_case("ENABLED"));
    if !enabled || exchange.header("range").is_some() || checksums.is_empty() {
        return;
    }
    for checksum in checksums {
        let name = HeaderName::from_static(checksum.algorithm.header());
        put(representation, name, &checksum.value);
    }
    let name = HeaderName::from_static("x-amz-checksum-type");
    put(representation, name, object.meta.checksum_type.as_str());
}

/// Replaces stored headers by the overrides of the query.
fn apply_overrides(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    representation: &mut Representation,
) -> Result<(), S3Error> {
    for (parameter, value) in &exchange.query {
        let overridden = OVERRIDES.iter().find(|(known, _)| known == parameter);
        let Some((_, name)) = overridden else {
            continue;
        };
        if !permitted.is_signed() {
            return Err(S3Error::with_message(
                ErrorCode::InvalidRequest,
                "Request specific response headers cannot be used for anonymous GET requests.",
            ));
        }
        let text = as_header(name, value);
        let header = HeaderValue::from_str(&text).map_err(|_| {
            S3Error::invalid_argument("The value cannot be a header's.", parameter, value)
        })?;
        if *name == header::CONTENT_TYPE {
            representation.content_type = text.into_owned();
        } else {
            representation.set(name.clone(), header);
        }
    }
    Ok(())
}
