//! The headers that the query of a presigned URL states, and when they contradict the headers that were sent.

use crate::s3::signature::request::head::RequestHead;
use crate::s3::values::checksum::ChecksumAlgorithm;
use crate::s3::values::error::S3Error;
use crate::s3::values::uri::{self, Plus};
use std::collections::BTreeSet;

/// Whether a decoded query states a signature.
#[must_use]
pub fn is_presigned(query: &[(String, String)]) -> bool {
    let states = |wanted: &str| query.iter().any(|(name, _)| name == wanted);
    states(V4_SIGNATURE) || (states("AWSAccessKeyId") && states("Signature"))
}

const V4_SIGNATURE: &str = "X-Amz-Signature";

const V4_SIGNED_HEADERS: &str = "X-Amz-SignedHeaders";

/// The parameters that make a signature, lower case: no headers of the request.
const OF_THE_SIGNATURE: [&str; 8] = [
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-signedheaders",
    "x-amz-signature",
    "x-amz-security-token",
    "x-amz-content-sha256",
];

/// The `x-amz-*` headers that a decoded query states, under lower-case names. A client may send them so only with a
/// presigned URL, where they count as sent unless the header itself was sent.
///
/// Not so a checksum that is not among the signed headers.
// AWS: the current SDK for JavaScript puts the checksum of an empty body into the query, and AWS does not look at it.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
#[must_use]
pub fn presigned_headers(query: &[(String, String)]) -> Vec<(String, String)> {
    if !is_presigned(query) {
        return Vec::new();
    }
    let signed_headers = query.iter().find(|(name, _)| name == V4_SIGNED_HEADERS);
    let counts = |header: &str| {
        let Some((_, names)) = signed_headers else {
            return true;
        };
        !is_about_a_checksum(header)
            || names
                .split(';')
                .any(|signed| signed.eq_ignore_ascii_case(header))
    };
    amz_headers(query)
        .filter(|(name, _)| !OF_THE_SIGNATURE.contains(&name.as_str()) && counts(name))
        .map(|(name, value)| (name, value.to_owned()))
        .collect()
}

fn is_about_a_checksum(header: &str) -> bool {
    header == "x-amz-sdk-checksum-algorithm" || ChecksumAlgorithm::from_header(header).is_some()
}

/// What a query states under names of headers of Amazon's, for the canonical request.
pub(in crate::s3) fn stated_headers(raw_query: &str, plus: Plus) -> Vec<(String, String)> {
    let query = uri::parse_query_as(raw_query, plus).unwrap_or_default();
    amz_headers(&query)
        .map(|(name, value)| (name, value.to_owned()))
        .collect()
}

fn amz_headers(query: &[(String, String)]) -> impl Iterator<Item = (String, &str)> {
    query
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.as_str()))
        .filter(|(name, _)| name.starts_with("x-amz-"))
}

/// The headers of an upload that some clients repeat in the query of a presigned URL, where AWS ignores them.
const REPEATED_IN_QUERIES: [&str; 6] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-md5",
    "content-type",
];

/// A presigned query states each header once, and nothing else than the headers that came with it.
pub(in crate::s3) fn refuse_contradictions(
    head: &RequestHead<'_>,
    plus: Plus,
) -> Result<(), S3Error> {
    let query = uri::parse_query_as(head.raw_query, plus).unwrap_or_default();
    let mut seen = BTreeSet::new();
    let is_upload = matches!(head.method, "PUT" | "POST");
    for (name, value) in &query {
        let name = name.to_ascii_lowercase();
        let is_amz = name.starts_with("x-amz-") && !OF_THE_SIGNATURE.contains(&name.as_str());
        let is_repeated = is_upload && REPEATED_IN_QUERIES.contains(&name.as_str());
        if !is_amz && !is_repeated {
            continue;
        }
        let differs = head.values(&name).any(|sent| sent.trim() != value.trim());
        if differs {
            return Err(S3Error::invalid_argument(
                "A header was sent with another value than the query of the presigned URL states.",
                name,
                value,
            ));
        }
        if is_amz && seen.contains(&name) {
            return Err(S3Error::invalid_argument(
                "The query of the presigned URL states this header more than once.",
                name,
                value,
            ));
        }
        seen.insert(name);
    }
    Ok(())
}
