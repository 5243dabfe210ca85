//! The fields of a request: lower-case names and values, from its headers or from a form.

use crate::s3::signature;
use actix_web::http::header::HeaderMap;

/// The headers of a request as fields. A value that is not UTF-8 is read byte by byte (ISO 8859-1).
pub(crate) fn header_fields(headers: &HeaderMap) -> Vec<(String, String)> {
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
pub(crate) fn add_presigned(headers: &mut Vec<(String, String)>, query: &[(String, String)]) {
    for (name, value) in signature::presigned_headers(query) {
        if field(headers, &name).is_none() {
            headers.push((name, value));
        }
    }
}

/// The first value under a lower-case name.
pub(crate) fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields
        .iter()
        .find(|(present, _)| present == name)
        .map(|(_, value)| value.as_str())
}
