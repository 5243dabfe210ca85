//! What a request states of an object beside its bytes: in headers of a PUT, in fields of a form. Both are a list of
//! lower-case names and values, and mean the same.

use super::{Exchange, acl};
use crate::s3::checksum::{Checksum, ChecksumAlgorithm};
use crate::s3::tagging::{Tagged, Tags};
use crate::s3::{ErrorCode, S3Error, request_headers, signature};
use crate::store::ObjectMeta;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Names and values of all user metadata together.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>
const USER_METADATA_BYTES: usize = 2 * 1024;

/// Not `GLACIER` and `DEEP_ARCHIVE`: clients skip the objects of a listing that have these, or ask for them to be restored
/// first. Those of `GLACIER_IR` can be read at once, and clients do.
const STORAGE_CLASSES: [&str; 9] = [
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER_IR",
    "OUTPOSTS",
    "SNOW",
    "EXPRESS_ONEZONE",
];

/// The headers of a request as fields. A value that is no UTF-8 is read byte by byte (ISO 8859-1).
pub(super) fn header_fields(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            let value = match std::str::from_utf8(value.as_bytes()) {
                Ok(text) => text.to_owned(),
                Err(_) => value
                    .as_bytes()
                    .iter()
                    .map(|byte| char::from(*byte))
                    .collect(),
            };
            (name.as_str().to_owned(), value)
        })
        .collect()
}

/// Adds the headers that a presigned query states and that were not sent.
pub(super) fn add_presigned(headers: &mut Vec<(String, String)>, query: &[(String, String)]) {
    for (name, value) in signature::presigned_headers(query) {
        if field(headers, &name).is_none() {
            headers.push((name, value));
        }
    }
}

/// The first value under a lower-case name.
pub(super) fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields
        .iter()
        .find(|(present, _)| present == name)
        .map(|(_, value)| value.as_str())
}

/// Refuses a request whose headers ask for what its operation does not do. A presigned query states headers too, those
/// of checksums included.
///
/// # Errors
/// As [`request_headers::judge`].
pub(super) fn judge_headers(exchange: &Exchange<'_>, operation: &str) -> Result<(), S3Error> {
    let headers = exchange.headers.iter();
    let headers = headers.map(|(name, value)| (name.as_str(), value.as_str()));
    request_headers::judge(operation, headers)?;
    if !signature::is_presigned(&exchange.query) {
        return Ok(());
    }
    for (name, value) in &exchange.query {
        let name = name.to_ascii_lowercase();
        if name.starts_with("x-amz-") {
            request_headers::judge(operation, [(name.as_str(), value.as_str())])?;
        }
    }
    Ok(())
}

/// All that is kept with an object, but for its checksums.
///
/// # Errors
/// `InvalidArgument`, `MetadataTooLarge`, `InvalidStorageClass`, `InvalidRedirectLocation`, or
/// `AccessControlListNotSupported` for grants.
pub(super) fn object_meta(fields: &[(String, String)]) -> Result<ObjectMeta, S3Error> {
    acl::stated(fields)?;
    let kept = |name: &str| -> Result<Option<String>, S3Error> {
        let value = field(fields, name).map(str::trim);
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        refuse_unheld(name, value)?;
        Ok(Some(value.to_owned()))
    };
    let mut meta = ObjectMeta {
        content_type: kept("content-type")?,
        cache_control: kept("cache-control")?,
        content_disposition: kept("content-disposition")?,
        content_encoding: kept("content-encoding")?.and_then(|coding| without_aws_chunked(&coding)),
        content_language: kept("content-language")?,
        expires: kept("expires")?,
        storage_class: storage_class(fields)?,
        website_redirect: website_redirect(fields)?,
        ..ObjectMeta::default()
    };
    add_user_metadata(fields, &mut meta)?;
    meta.tagging = tags(fields)?;
    Ok(meta)
}

/// Tags that a header or a form's field states, as they are kept.
///
/// # Errors
/// As [`Tags::from_header`] and [`Tags::from_xml`].
pub(super) fn tags(fields: &[(String, String)]) -> Result<Option<String>, S3Error> {
    let stated = match (field(fields, "x-amz-tagging"), field(fields, "tagging")) {
        (Some(query), _) if !query.is_empty() => Tags::from_header(query)?,
        (_, Some(xml)) if !xml.trim().is_empty() => Tags::from_xml(xml, Tagged::Object)?,
        _ => return Ok(None),
    };
    Ok((!stated.is_empty()).then(|| stated.to_query()))
}

/// AWS: `aws-chunked` frames the request's body and is no encoding of the object.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>
fn without_aws_chunked(coding: &str) -> Option<String> {
    let kept: Vec<&str> = coding
        .split(',')
        .map(str::trim)
        .filter(|one| !one.is_empty() && !one.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    (!kept.is_empty()).then(|| kept.join(", "))
}

fn add_user_metadata(fields: &[(String, String)], meta: &mut ObjectMeta) -> Result<(), S3Error> {
    let mut size_bytes = 0;
    for (name, value) in fields {
        let Some(name) = name.strip_prefix("x-amz-meta-") else {
            continue;
        };
        let value = value.trim();
        if HeaderName::from_bytes(format!("x-amz-meta-{name}").as_bytes()).is_err()
            || HeaderValue::from_bytes(value.as_bytes()).is_err()
        {
            return Err(S3Error::invalid_argument(
                "User metadata holds characters that a header cannot hold.",
                "x-amz-meta-",
                name,
            ));
        }
        size_bytes += name.len() + value.len();
        if size_bytes > USER_METADATA_BYTES {
            return Err(S3Error::new(ErrorCode::MetadataTooLarge)
                .extra("MaxSizeAllowed", USER_METADATA_BYTES.to_string()));
        }
        meta.user
            .entry(name.to_owned())
            .and_modify(|present| {
                present.push(',');
                present.push_str(value);
            })
            .or_insert_with(|| value.to_owned());
    }
    Ok(())
}

fn storage_class(fields: &[(String, String)]) -> Result<Option<String>, S3Error> {
    match field(fields, "x-amz-storage-class") {
        None | Some("" | "STANDARD") => Ok(None),
        Some(class) if STORAGE_CLASSES.contains(&class) => Ok(Some(class.to_owned())),
        Some(class) => {
            Err(S3Error::new(ErrorCode::InvalidStorageClass).extra("StorageClassRequested", class))
        }
    }
}

/// AWS: the code and the words.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-page-redirect.html>
fn website_redirect(fields: &[(String, String)]) -> Result<Option<String>, S3Error> {
    const NAME: &str = "x-amz-website-redirect-location";
    const MOST_BYTES: usize = 2048;
    let Some(location) = field(fields, NAME).map(str::trim) else {
        return Ok(None);
    };
    let refusal = |text: &'static str| {
        Err(S3Error::with_message(
            ErrorCode::InvalidRedirectLocation,
            text,
        ))
    };
    if location.is_empty() {
        return refusal("The website redirect location must be non-empty.");
    }
    if !["/", "http://", "https://"]
        .iter()
        .any(|start| location.starts_with(start))
    {
        return Err(ErrorCode::InvalidRedirectLocation.into());
    }
    if location.len() > MOST_BYTES {
        return refusal("The length of website redirect location cannot exceed 2,048 characters.");
    }
    refuse_unheld(NAME, location)?;
    Ok(Some(location.to_owned()))
}

/// # Errors
/// `InvalidArgument` where no header can hold a value.
fn refuse_unheld(name: &str, value: &str) -> Result<(), S3Error> {
    if HeaderValue::from_bytes(value.as_bytes()).is_ok() {
        return Ok(());
    }
    let message = "The value holds characters that a header cannot hold.";
    Err(S3Error::invalid_argument(message, name, ""))
}

/// The checksums that a request states: their values, or which of them its trailer will state.
#[derive(Debug, Default)]
pub(super) struct StatedChecksums {
    pub(super) value: Option<Checksum>,
    pub(super) trailer: Option<ChecksumAlgorithm>,
}

impl StatedChecksums {
    /// # Errors
    /// `InvalidRequest` for a malformed value, several of them, or an algorithm without a value.
    pub(super) fn parse(fields: &[(String, String)]) -> Result<Self, S3Error> {
        let refusal =
            |text: &'static str| Err(S3Error::with_message(ErrorCode::InvalidRequest, text));
        let mut stated = Self::default();
        for algorithm in ChecksumAlgorithm::ALL {
            let Some(value) = field(fields, algorithm.header()) else {
                continue;
            };
            if stated.value.is_some() {
                return refusal(
                    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
                );
            }
            stated.value = Some(Checksum::parse(algorithm, value.trim())?);
        }
        if let Some(trailer) = field(fields, "x-amz-trailer") {
            let trailer = trailer.trim();
            stated.trailer = ChecksumAlgorithm::ALL
                .into_iter()
                .find(|algorithm| algorithm.header().eq_ignore_ascii_case(trailer));
            if stated.trailer.is_none() {
                return refusal("The value specified in the x-amz-trailer header is not supported");
            }
            if stated.value.is_some() {
                return refusal("Expecting a single x-amz-checksum- header");
            }
        }
        let named = field(fields, "x-amz-sdk-checksum-algorithm")
            .or_else(|| field(fields, "x-amz-checksum-algorithm"));
        if let Some(named) = named {
            let algorithm = ChecksumAlgorithm::parse(named.trim());
            if algorithm.is_none() {
                return refusal("Value for x-amz-sdk-checksum-algorithm header is invalid.");
            }
            if stated.algorithm().is_none() {
                return refusal(
                    "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
                );
            }
            if algorithm != stated.algorithm() {
                return refusal("Value for x-amz-sdk-checksum-algorithm header is invalid.");
            }
        }
        Ok(stated)
    }

    pub(super) fn algorithm(&self) -> Option<ChecksumAlgorithm> {
        self.value
            .as_ref()
            .map(|value| value.algorithm)
            .or(self.trailer)
    }
}

/// # Errors
/// `InvalidDigest` where `Content-MD5` is not the base64 of 16 bytes.
pub(super) fn content_md5(fields: &[(String, String)]) -> Result<Option<[u8; 16]>, S3Error> {
    let Some(text) = field(fields, "content-md5") else {
        return Ok(None);
    };
    STANDARD
        .decode(text.trim())
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .map(Some)
        .ok_or_else(|| S3Error::new(ErrorCode::InvalidDigest).extra("Content-MD5", text))
}
