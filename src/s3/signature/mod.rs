//! Who signed a request, whichever version of AWS's signature it carries.
//!
//! [`parse`] reads what a request states, [`Unverified::verify`] proves it, and [`Verified`] is the proof: it has no
//! other maker. The versions differ in what is signed and how ([`v4`], [`v2`]); what is the same for
//! both, the one place where a signature may stand and the clock's slack, is here.
//!
//! Pure: the caller supplies the keys, the time and the host candidates. It refuses to know what the request asks for.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html>
use crate::s3::signature::v4::payload::Payload;
use crate::s3::signature::v4::scope::{Credential, RegionRule, SigningKey};
use crate::s3::values::checksum::ChecksumAlgorithm;
use crate::s3::values::error::{ErrorCode, S3Error};
use crate::s3::values::time;
use crate::s3::values::time::Timestamp;
use crate::s3::values::uri;
use crate::s3::values::uri::Plus;
use jiff::fmt::rfc2822::DateTimeParser;
use secrecy::SecretString;
use std::collections::BTreeSet;
use std::time::Duration;

pub mod v2;
pub mod v4;

/// How far a client's clock may be off.
pub(in crate::s3) const MAX_SKEW: Duration = Duration::from_mins(15);

/// A request as it came over the wire. Header names lower case, in any order, values as sent.
#[derive(Debug, Clone)]
pub struct RequestHead<'a> {
    pub method: &'a str,
    pub raw_path: &'a str,
    /// Without `?`; empty when there is none.
    pub raw_query: &'a str,
    pub headers: &'a [(String, String)],
}
impl<'a> RequestHead<'a> {
    pub(in crate::s3) fn values(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let headers = self.headers;
        headers
            .iter()
            .filter(move |(sent, _)| sent == name)
            .map(|(_, value)| value.as_str())
    }

    /// The one value of a header that may come once.
    pub(in crate::s3) fn value(&self, name: &'static str) -> Result<Option<&'a str>, S3Error> {
        let mut values = self.values(name);
        let first = values.next();
        match values.next() {
            Some(_) => Err(S3Error::with_message(
                ErrorCode::InvalidArgument,
                format!("The header {name} is given more than once."),
            )
            .extra("ArgumentName", name)),
            None => Ok(first),
        }
    }
}

/// Which signatures are believed.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    pub regions: RegionRule,
    pub sigv2: Sigv2,
}

/// Where Signature Version 2 is accepted beside Version 4.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sigv2 {
    Off,
    /// In presigned URLs and forms: what boto3, the AWS CLI, django-storages and s3fs make by default.
    #[default]
    Presigned,
    /// In the `Authorization` header too.
    On,
}
impl Sigv2 {
    pub const ACCEPTED: &'static str = "off, presigned or on";

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "off" | "false" | "no" | "0" => Some(Self::Off),
            "presigned" => Some(Self::Presigned),
            "on" | "true" | "yes" | "1" => Some(Self::On),
            _ => None,
        }
    }
}

/// Where the keys are found that signatures are checked with.
pub struct Keys<'a> {
    pub signing_key: &'a dyn Fn(&Credential) -> Option<SigningKey>,
    pub secret: &'a dyn Fn(&str) -> Option<SecretString>,
}
impl Keys<'_> {
    pub(in crate::s3) fn signing_key(
        &self,
        credential: &Credential,
    ) -> Result<SigningKey, S3Error> {
        (self.signing_key)(credential).ok_or_else(|| unknown_key(&credential.access_key))
    }

    pub(in crate::s3) fn secret(&self, access_key: &str) -> Result<SecretString, S3Error> {
        (self.secret)(access_key).ok_or_else(|| unknown_key(access_key))
    }
}

fn unknown_key(access_key: &str) -> S3Error {
    S3Error::new(ErrorCode::InvalidAccessKeyId)
        .extra("AWSAccessKeyId", access_key)
        .logged("the access key is not one of this server's")
}

/// A request that states an S3 signature (header or query) which nobody has checked yet.
#[derive(Debug, Clone)]
pub enum Unverified {
    V4(v4::Unverified),
    V2(v2::Unverified),
}

/// Whether a request states a signature of any version, in its header or its query: then it does not count as anonymous.
#[must_use]
pub fn is_stated(head: &RequestHead<'_>) -> bool {
    !matches!(in_header(head), Ok(None)) || !matches!(in_query(head), (None, None))
}

/// Reads the signature that a request carries; `None`: it carries none (anonymous).
/// # Errors
/// As section 1 of the S3 contract: both places at once, malformed header or parameters, wrong service, …
pub fn parse(head: &RequestHead<'_>, rules: &Rules) -> Result<Option<Unverified>, S3Error> {
    let (v4, v2) = in_query(head);
    match (in_header(head)?, v4, v2) {
        (None, None, None) => Ok(None),
        (Some(authorization), None, None) => match authorization.strip_prefix("AWS") {
            Some(stated) if !stated.starts_with("4-") && rules.sigv2 == Sigv2::On => {
                v2::parse_header(stated.trim_start(), head).map(|v2| Some(Unverified::V2(v2)))
            }
            _ => v4::header::parse(authorization, head, &rules.regions)
                .map(|v4| Some(Unverified::V4(v4))),
        },
        // Plane: clients resend `Bearer` and `X-API-Key` after a redirect; neither is an S3 signature.
        (None, Some(parameters), None) => parameters
            .parse(head, &rules.regions)
            .map(|v4| Some(Unverified::V4(v4))),
        (None, None, Some(parameters)) if rules.sigv2 != Sigv2::Off => {
            parameters.parse().map(|v2| Some(Unverified::V2(v2)))
        }
        (None, None, Some(_)) => Err(unsupported_mechanism()),
        _ => Err(only_one_mechanism()),
    }
}

/// The `Authorization` that is an S3 signature, of any version. `Bearer` and the like are none.
fn in_header<'a>(head: &RequestHead<'a>) -> Result<Option<&'a str>, S3Error> {
    let mut stated = head
        .values("authorization")
        .map(str::trim)
        .filter(|value| value.starts_with("AWS4-") || *value == "AWS" || value.starts_with("AWS "));
    let first = stated.next();
    match stated.next() {
        Some(_) => Err(only_one_mechanism()),
        None => Ok(first),
    }
}

/// The parameters of either version.
fn in_query(head: &RequestHead<'_>) -> (Option<v4::presigned::Parameters>, Option<v2::Parameters>) {
    let mut parameters: Vec<_> = uri::split_query(head.raw_query)
        .map(|(name, value)| (uri::decode_bytes(name), value))
        .collect();
    let v4 = v4::presigned::Parameters::take_from(&mut parameters);
    (v4, v2::Parameters::take_from(&mut parameters))
}

impl Unverified {
    #[must_use]
    pub fn access_key(&self) -> &str {
        match self {
            Self::V4(v4) => &v4.credential().access_key,
            Self::V2(v2) => v2.access_key(),
        }
    }

    /// Whether the signature came in the query (a presigned URL).
    #[must_use]
    pub fn is_presigned(&self) -> bool {
        match self {
            Self::V4(v4) => v4.is_presigned(),
            Self::V2(v2) => v2.is_presigned(),
        }
    }

    /// Checks time, signed headers and signature. `hosts`: candidates for the `host` header's value, the one received
    /// first; each is tried as given (the caller adds forms with and without default port). At most six are tried, and
    /// no other host than these: without a candidate no signature of Version 4 holds. Version 2 signs no host, but the
    /// bucket that the host names: `virtual_bucket`.
    /// # Errors
    /// `InvalidAccessKeyId`, `RequestTimeTooSkewed`, `AccessDenied` (expired, unsigned `x-amz-*`),
    /// `SignatureDoesNotMatch` with `StringToSign` as an extra and the missing signed header named. Then, for an
    /// aws-chunked body, `MissingContentLength` and what else is wrong with its announcement.
    pub fn verify(
        self,
        head: &RequestHead<'_>,
        keys: &Keys<'_>,
        now: Timestamp,
        hosts: &[&str],
        virtual_bucket: Option<&str>,
    ) -> Result<Verified, S3Error> {
        let (payload, plus) = match &self {
            Self::V4(v4) => v4.check(head, &keys.signing_key(v4.credential())?, now, hosts)?,
            Self::V2(v2) => v2.check(head, &keys.secret(v2.access_key())?, now, virtual_bucket)?,
        };
        if self.is_presigned() {
            refuse_contradictions(head, plus)?;
        }
        let repeats_until = match &self {
            Self::V4(v4) => v4.repeats_until(),
            Self::V2(_) => None,
        };
        Ok(Verified {
            access_key: self.access_key().to_owned(),
            presigned: self.is_presigned(),
            repeats_until,
            payload,
            plus,
        })
    }
}

/// Proof: this request was signed by a key we hold. Only [`Unverified::verify`] makes it.
#[derive(Debug, Clone)]
pub struct Verified {
    access_key: String,
    payload: Payload,
    presigned: bool,
    repeats_until: Option<Timestamp>,
    plus: Plus,
}
impl Verified {
    #[must_use]
    pub fn access_key(&self) -> &str {
        &self.access_key
    }
    #[must_use]
    pub fn payload(&self) -> &Payload {
        &self.payload
    }
    #[must_use]
    pub fn is_presigned(&self) -> bool {
        self.presigned
    }
    /// What an unescaped `+` in the query stands for, as the client signed it.
    #[must_use]
    pub fn plus(&self) -> Plus {
        self.plus
    }
    /// Until when a request with the same method, target and host would be verified again, whatever its other headers: it
    /// is presigned and signs none of them.
    #[must_use]
    pub fn repeats_until(&self) -> Option<Timestamp> {
        self.repeats_until
    }
}

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
fn refuse_contradictions(head: &RequestHead<'_>, plus: Plus) -> Result<(), S3Error> {
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

/// The date of a request whose signature stands in a header.
/// # Errors
/// `RequestTimeTooSkewed`
pub(in crate::s3) fn check_skew(signed_at: Timestamp, now: Timestamp) -> Result<(), S3Error> {
    if signed_at <= now.plus(MAX_SKEW) && now <= signed_at.plus(MAX_SKEW) {
        return Ok(());
    }
    Err(S3Error::new(ErrorCode::RequestTimeTooSkewed)
        .extra("RequestTime", time::amz_date(signed_at))
        .extra("ServerTime", time::iso8601_secs(now))
        .extra(
            "MaxAllowedSkewMilliseconds",
            MAX_SKEW.as_millis().to_string(),
        ))
}

/// A date as `Date` has it: `Tue, 27 Mar 2007 19:36:42 +0000` and its like, or `20070327T193642Z`.
// AWS: does not look at the day of the week; botocore writes `-0000` for the zone.
/// # Errors
/// `AccessDenied`
pub(in crate::s3) fn parse_date(text: &str) -> Result<Timestamp, S3Error> {
    const PARSER: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);
    time::parse_amz_date(text)
        .or_else(|| {
            let parsed = PARSER.parse_timestamp(text).ok()?;
            Some(Timestamp::from_millis(parsed.as_millisecond()))
        })
        .or_else(|| time::parse_http_date(text))
        // Before there were clocks that count from 1970 nobody signed anything.
        .filter(|at| at.as_millis() >= 0)
        .ok_or_else(needs_a_date)
}

/// AWS: the words for a date that is missing or is none.
pub(in crate::s3) fn needs_a_date() -> S3Error {
    S3Error::with_message(
        ErrorCode::AccessDenied,
        "AWS authentication requires a valid Date or x-amz-date header",
    )
}

fn only_one_mechanism() -> S3Error {
    S3Error::with_message(
        ErrorCode::InvalidArgument,
        "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified",
    )
    .extra("ArgumentName", "Authorization")
}

/// Version 2 where it is not accepted, and unknown versions.
pub(in crate::s3) fn unsupported_mechanism() -> S3Error {
    S3Error::with_message(
        ErrorCode::InvalidRequest,
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
    )
    .logged("neither Signature Version 4 nor, where HANGAR_S3_SIGV2 accepts it, Version 2: `presigned` accepts it in URLs and forms, `on` in the Authorization header too")
}
