//! `GetObjectAttributes`.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html>

use crate::http::s3::access::Permitted;
use crate::http::s3::exchange::Exchange;
use crate::http::s3::lookup::object::find_with_parts;
use crate::http::s3::response::xml_answer;
use crate::s3::attributes::{self, AskedAttributes, Attributes, PartAttributes};
use crate::s3::bucket_policy::Action;
use crate::s3::multipart::PartsQuery;
use crate::s3::time::http_date;
use crate::s3::{ObjectKey, S3Error};
use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};

pub(crate) async fn get_attributes(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    key: &ObjectKey,
) -> Result<HttpResponse, S3Error> {
    const MARKER: &str = "x-amz-part-number-marker";
    const MAX: &str = "x-amz-max-parts";
    let asked = AskedAttributes::parse(&requested_names(exchange))?;
    let page = PartsQuery::of_headers(
        (MARKER, exchange.header(MARKER)),
        (MAX, exchange.header(MAX)),
    )?;
    let bucket = permitted.bucket()?;
    let (object, made_of) = find_with_parts(permitted, key).await?;
    for action in [Action::GetObject, Action::GetObjectAttributes] {
        permitted.require_of(exchange, action, (bucket, &object))?;
    }
    let parts = made_of.map(|made_of| made_of.parts).unwrap_or_default();
    let attributes = Attributes {
        etag: &object.etag,
        size_bytes: object.size_bytes,
        storage_class: object.meta.storage_class.as_deref(),
        checksums: &object.meta.checksums,
        checksum_type: object.meta.checksum_type,
        parts: parts
            .iter()
            .map(|part| PartAttributes {
                size_bytes: part.size_bytes,
                checksums: &part.checksums,
            })
            .collect(),
    };
    let mut answer = xml_answer(attributes::document(asked, &page, &attributes));
    if let Ok(modified) = HeaderValue::from_str(&http_date(object.last_modified)) {
        answer.headers_mut().insert(header::LAST_MODIFIED, modified);
    }
    Ok(answer)
}

/// Some SDKs send each name in a header line of its own.
fn requested_names(exchange: &Exchange<'_>) -> String {
    let lines: Vec<&str> = exchange
        .headers
        .iter()
        .filter(|(name, _)| name == "x-amz-object-attributes")
        .map(|(_, names)| names.as_str())
        .collect();
    lines.join(",")
}
