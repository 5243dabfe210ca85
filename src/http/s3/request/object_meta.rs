//! The metadata that a request states for an object: in headers of a PUT, or in fields of a form. Both are a list of
//! lower-case names and values, and mean the same.

use crate::http::s3::fields::field;
use crate::http::s3::request::acl;
use crate::s3::tagging::{Tagged, Tags};
use crate::s3::{ErrorCode, S3Error};
use crate::store::ObjectMeta;
use actix_web::http::header::{HeaderName, HeaderValue};

/// The limit on names and values of all user metadata together.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>
const USER_METADATA_BYTES: usize = 2 * 1024;

/// Without `GLACIER` and `DEEP_ARCHIVE`: clients skip listed objects of these classes, or request their restoration
/// first. Objects of `GLACIER_IR` can be read at once, and clients do so.
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

/// All metadata that is stored with an object, except its checksums.
///
/// # Errors
/// `InvalidArgument`, `MetadataTooLarge`, `InvalidStorageClass`, `InvalidRedirectLocation`, or
/// `AccessControlListNotSupported` for grants.
pub(crate) fn object_meta(fields: &[(String, String)]) -> Result<ObjectMeta, S3Error> {
    acl::stated(fields)?;
    let kept = |name: &str| -> Result<Option<String>, S3Error> {
        let value = field(fields, name).map(str::trim);
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        refuse_invalid_value(name, value)?;
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

/// Tags that a header or a form's field states, in their stored form.
///
/// # Errors
/// As [`Tags::from_header`] and [`Tags::from_xml`].
pub(crate) fn tags(fields: &[(String, String)]) -> Result<Option<String>, S3Error> {
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

/// AWS: the code and the text.
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
    refuse_invalid_value(NAME, location)?;
    Ok(Some(location.to_owned()))
}

/// # Errors
/// `InvalidArgument` where a value cannot stand in a header.
fn refuse_invalid_value(name: &str, value: &str) -> Result<(), S3Error> {
    if HeaderValue::from_bytes(value.as_bytes()).is_ok() {
        return Ok(());
    }
    let message = "The value holds characters that a header cannot hold.";
    Err(S3Error::invalid_argument(message, name, ""))
}
