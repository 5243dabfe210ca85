//! AWS Signature Version 2, the older one: HMAC-SHA1 over a few lines of the request.
//!
//! It covers the method, `Content-MD5`, `Content-Type`, the date, every `x-amz-*` header, the path and the query's
//! sub-resources; not the host, and no other part of the query. A sub-resource that selects an operation is always
//! signed, and an `x-amz-*` parameter of a signed query counts as a header.
//!
//! The string to sign joins decoded values, so two requests may have the same one: `response-content-type=a%26acl` and
//! `response-content-type=a&acl`. Guarantees: of all requests with one string to sign, at most one meaning is accepted.
//! A request whose string could be read in another way is refused ([`refuse_ambiguity`]).
//!
//! Pure, as [`super::v4`] is; the proof is [`super::Verified`].
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html>
use crate::s3::op;
use crate::s3::signature::request::date::{check_skew, needs_a_date, parse_date};
use crate::s3::signature::request::head::RequestHead;
use crate::s3::signature::v4::payload::{CONTENT_SHA256, Payload};
use crate::s3::values::error::{ErrorCode, S3Error};
use crate::s3::values::time;
use crate::s3::values::time::Timestamp;
use crate::s3::values::uri;
use crate::s3::values::uri::Plus;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use subtle::ConstantTimeEq;

#[cfg(test)]
mod tests;

/// What the query signs beside the sub-resources that select an operation.
const SIGNED_PARAMETERS: &[&str] = &[
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "select-type",
    "versionId",
];
/// Selects an operation, and no client of this version signs it: what it selects is what its absence does, in other
/// words (`ListObjectsV2`).
const UNSIGNED_SELECTOR: &str = "list-type";

/// A signature of this version that has not been verified yet.
#[derive(Debug, Clone)]
pub struct Unverified {
    access_key: String,
    signature: String,
    place: Place,
}
#[derive(Debug, Clone)]
enum Place {
    /// `signed_date`: as the string to sign has it.
    Header {
        signed_at: Timestamp,
        signed_date: String,
    },
    /// `signed_date`: `Expires` as it was sent.
    Query {
        expires_at: Timestamp,
        signed_date: String,
    },
}

/// Reads `ACCESS_KEY:SIGNATURE`, what follows `AWS ` in the `Authorization` header.
/// # Errors
/// `InvalidArgument` where it has not this form, `AccessDenied` without a date.
pub(super) fn parse_header(stated: &str, head: &RequestHead<'_>) -> Result<Unverified, S3Error> {
    let (access_key, signature) = stated
        .rsplit_once(':')
        .map(|(access_key, signature)| (access_key, signature.trim()))
        .filter(|(access_key, signature)| !access_key.is_empty() && !signature.is_empty())
        .ok_or_else(|| {
            // AWS: its words, two spaces included
            S3Error::with_message(
                ErrorCode::InvalidArgument,
                "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature",
            )
            .extra("ArgumentName", "Authorization")
        })?;
    let (date, signed_date) = if let Some(date) = head.value("x-amz-date")? {
        // AWS: it is signed as a header, and stands in the place of `Date`, whose own line is empty then.
        (date, "")
    } else {
        let date = head.value("date")?.ok_or_else(needs_a_date)?;
        (date, date.trim())
    };
    Ok(Unverified {
        access_key: access_key.to_owned(),
        signature: signature.to_owned(),
        place: Place::Header {
            signed_at: parse_date(date.trim())?,
            signed_date: signed_date.to_owned(),
        },
    })
}

/// The parameters of a signed query, decoded.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    access_key: Option<String>,
    signature: Option<String>,
    expires: Option<String>,
    repeated: bool,
}
impl Parameters {
    /// The signature of this version that a query states. Names are decoded, values raw.
    pub(super) fn take_from(query: &mut Vec<(Cow<'_, [u8]>, &str)>) -> Option<Self> {
        let mut found = Self::default();
        query.retain(|(name, value)| !found.take(name, value));
        // Without the rest of it a broken one, not an anonymous request. The other names may be of anything.
        found.access_key.is_some().then_some(found)
    }

    fn take(&mut self, name: &[u8], raw_value: &str) -> bool {
        let slot = match name {
            b"AWSAccessKeyId" => &mut self.access_key,
            b"Signature" => &mut self.signature,
            b"Expires" => &mut self.expires,
            _ => return false,
        };
        // Base64 and digits: an unescaped `+` is itself.
        let value = String::from_utf8_lossy(&uri::decode_bytes(raw_value)).into_owned();
        self.repeated |= slot.replace(value).is_some();
        true
    }

    /// # Errors
    /// `AccessDenied` where one of the three is missing, or `Expires` is no number of seconds.
    pub(super) fn parse(self) -> Result<Unverified, S3Error> {
        let denied = |why: String| S3Error::with_message(ErrorCode::AccessDenied, why);
        let (Some(access_key), Some(signature), Some(expires), false) =
            (self.access_key, self.signature, self.expires, self.repeated)
        else {
            return Err(denied(
                "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
                    .to_owned(),
            ));
        };
        let is_number = !expires.is_empty() && expires.bytes().all(|byte| byte.is_ascii_digit());
        let seconds = expires.parse().ok().filter(|_| is_number).ok_or_else(|| {
            denied("Invalid date (should be seconds since epoch)".to_owned())
                .extra("Expires", expires.chars().take(64).collect::<String>())
        })?;
        Ok(Unverified {
            access_key,
            signature,
            place: Place::Query {
                expires_at: Timestamp::from_secs(seconds),
                signed_date: expires,
            },
        })
    }
}

impl Unverified {
    #[must_use]
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    #[must_use]
    pub fn is_presigned(&self) -> bool {
        matches!(self.place, Place::Query { .. })
    }

    /// Checks time and signature, and returns how to read the body, which this version does not sign, and the query.
    pub(super) fn check(
        &self,
        head: &RequestHead<'_>,
        secret: &SecretString,
        now: Timestamp,
        virtual_bucket: Option<&str>,
    ) -> Result<(Payload, Plus), S3Error> {
        self.check_time(now)?;
        let resource = named_resource(head.raw_path, virtual_bucket);
        // AWS: a bucket is the same with a slash behind it and without, and botocore signs one and asks for the other.
        let other = other_name_of_a_bucket(&resource);
        let resources = [Some(resource.as_str()), other.as_deref()];
        for plus in Plus::readings(head.raw_query) {
            let query = decoded(head.raw_query, *plus);
            self.refuse_ambiguity(&query)?;
            let holds = resources.into_iter().flatten().any(|resource| {
                let string_to_sign = self.string_to_sign(head, &query, resource);
                matches(secret, string_to_sign.as_bytes(), &self.signature)
            });
            if holds {
                // It is signed as a header, wherever it stands.
                let mut stated = query.iter().filter(|_| self.is_presigned());
                let stated = stated.find(|(name, _)| name.eq_ignore_ascii_case(CONTENT_SHA256));
                let stated = stated.map(|(_, value)| value.as_str());
                return Ok((Payload::without_sigv4(head, stated)?, *plus));
            }
        }
        let query = decoded(head.raw_query, Plus::default());
        Err(S3Error::new(ErrorCode::SignatureDoesNotMatch)
            .extra("AWSAccessKeyId", self.access_key.clone())
            .extra("StringToSign", self.string_to_sign(head, &query, &resource))
            .extra("SignatureProvided", self.signature.clone())
            .logged(format!(
                "no signature of Version 2 by {:?} holds: the client signs with another secret key, or the request was changed on its way",
                self.access_key
            )))
    }

    fn check_time(&self, now: Timestamp) -> Result<(), S3Error> {
        match self.place {
            Place::Header { signed_at, .. } => check_skew(signed_at, now),
            Place::Query { expires_at, .. } if now >= expires_at => Err(S3Error::with_message(
                ErrorCode::AccessDenied,
                "Request has expired",
            )
            .extra("Expires", time::iso8601_secs(expires_at))
            .extra("ServerTime", time::iso8601_secs(now))),
            Place::Query { .. } => Ok(()),
        }
    }

    fn string_to_sign(&self, head: &RequestHead<'_>, query: &Query, resource: &str) -> String {
        let positional = |name| head.values(name).next().unwrap_or_default().trim();
        let (Place::Header { signed_date, .. } | Place::Query { signed_date, .. }) = &self.place;
        format!(
            "{}\n{}\n{}\n{signed_date}\n{}{resource}{}",
            head.method,
            positional("content-md5"),
            positional("content-type"),
            self.canonical_amz_headers(head, query),
            canonical_sub_resources(query),
        )
    }

    /// `name:value\n` of each `x-amz-*` header, sorted, repeated ones joined by `,`.
    fn canonical_amz_headers(&self, head: &RequestHead<'_>, query: &Query) -> String {
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        let mut add = |name: &str, value: &str| {
            headers
                .entry(name.to_owned())
                .and_modify(|values| {
                    values.push(',');
                    values.push_str(value.trim());
                })
                .or_insert_with(|| value.trim().to_owned());
        };
        for (name, value) in head.headers {
            if name.starts_with(AMZ) {
                add(name, value);
            }
        }
        if self.is_presigned() {
            for (name, value) in query {
                let name = name.to_ascii_lowercase();
                if name.starts_with(AMZ) && head.values(&name).next().is_none() {
                    add(&name, value);
                }
            }
        }
        let mut text = String::new();
        for (name, value) in &headers {
            for part in [name, ":", value, "\n"] {
                text.push_str(part);
            }
        }
        text
    }

    /// # Errors
    /// `InvalidRequest` where a request with another meaning has the same string to sign, or is likely to.
    fn refuse_ambiguity(&self, query: &Query) -> Result<(), S3Error> {
        let mut seen = BTreeSet::new();
        for (name, value) in query {
            let is_header = self.is_presigned() && is_amz(name);
            if !is_header && !is_signed(name) {
                continue;
            }
            // A line break would begin a header of its own.
            if is_header && !is_header_line(name, value) {
                return Err(ambiguous(name, "is not the name and value of a header"));
            }
            if is_signed(name) && reads_as_sub_resources(value) {
                return Err(ambiguous(name, "holds `&` and the name of a sub-resource"));
            }
            let name = if is_header {
                name.to_ascii_lowercase()
            } else {
                name.clone()
            };
            if let Some(again) = seen.replace(name) {
                return Err(ambiguous(&again, "is given more than once"));
            }
        }
        Ok(())
    }
}

/// Names and values of a query, decoded.
type Query = Vec<(String, String)>;

/// Bytes that are no UTF-8 are replaced: such a query is refused elsewhere.
fn decoded(raw_query: &str, plus: Plus) -> Query {
    let text = |raw| String::from_utf8_lossy(&uri::decode_query_bytes(raw, plus)).into_owned();
    uri::split_query(raw_query)
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

const AMZ: &str = "x-amz-";

fn is_amz(name: &str) -> bool {
    name.get(..AMZ.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(AMZ))
}

fn is_header_line(name: &str, value: &str) -> bool {
    let is_in_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.bytes().all(is_in_name) && !value.contains(|c: char| c.is_control())
}

/// Whether a value, joined behind `name=`, could be taken for a shorter value and further sub-resources.
fn reads_as_sub_resources(value: &str) -> bool {
    let mut pieces = value.split('&').skip(1);
    pieces.any(|piece| is_signed(piece.split('=').next().unwrap_or_default()))
}

fn ambiguous(name: &str, why: &str) -> S3Error {
    let shown: String = name.chars().take(64).collect();
    S3Error::with_message(
        ErrorCode::InvalidRequest,
        format!(
            "The parameter '{shown}' {why}, so that Signature Version 2 does not say unambiguously what was signed. Sign this request with Signature Version 4."
        ),
    )
    // Its name is part of the query, which is never logged.
    .logged(format!(
        "ambiguous under Signature Version 2: a parameter {why}; the client must sign with Version 4"
    ))
}

/// The bucket of a virtual host and the path as it was sent.
fn named_resource(raw_path: &str, virtual_bucket: Option<&str>) -> String {
    let path = if raw_path.is_empty() { "/" } else { raw_path };
    match virtual_bucket {
        Some(bucket) => format!("/{bucket}{path}"),
        None => path.to_owned(),
    }
}

/// Of `/bucket` `/bucket/`, and the other way round.
fn other_name_of_a_bucket(resource: &str) -> Option<String> {
    let bucket = resource.strip_prefix('/')?;
    match bucket.split_once('/') {
        None if !bucket.is_empty() => Some(format!("{resource}/")),
        Some((bucket, "")) if !bucket.is_empty() => Some(format!("/{bucket}")),
        _ => None,
    }
}

/// Sorted, values decoded.
fn canonical_sub_resources(query: &Query) -> String {
    let mut signed: Vec<(&str, &str)> = query
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| is_signed(name))
        .collect();
    signed.sort_by_key(|(name, _)| *name);
    let mut text = String::new();
    for (index, (name, value)) in signed.into_iter().enumerate() {
        text.push(if index == 0 { '?' } else { '&' });
        text.push_str(name);
        if !value.is_empty() {
            text.push('=');
            text.push_str(value);
        }
    }
    text
}

fn is_signed(name: &str) -> bool {
    SIGNED_PARAMETERS.contains(&name) || (op::is_sub_resource(name) && name != UNSIGNED_SELECTOR)
}

/// Constant-time comparison of `signature`, in base64, with the HMAC-SHA1 of a string to sign (or of a policy's text).
pub(in crate::s3) fn matches(
    secret: &SecretString,
    string_to_sign: &[u8],
    signature: &str,
) -> bool {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.expose_secret().as_bytes())
        .expect("an HMAC takes a key of any length");
    mac.update(string_to_sign);
    let expected = STANDARD.encode(mac.finalize().into_bytes());
    expected.as_bytes().ct_eq(signature.as_bytes()).into()
}
