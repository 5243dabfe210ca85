//! Reads the signature of a request, of either version, and verifies it.

use crate::s3::signature::credential::keys::Keys;
use crate::s3::signature::credential::rules::{Rules, Sigv2, unsupported_mechanism};
use crate::s3::signature::request::head::RequestHead;
use crate::s3::signature::request::presigned_headers::refuse_contradictions;
use crate::s3::signature::v2;
use crate::s3::signature::v4;
use crate::s3::signature::v4::payload::Payload;
use crate::s3::values::error::{ErrorCode, S3Error};
use crate::s3::values::time::Timestamp;
use crate::s3::values::uri::{self, Plus};

/// An S3 signature (in the header or the query) that has not been verified yet.
#[derive(Debug, Clone)]
pub enum Unverified {
    V4(v4::unverified::Unverified),
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

fn only_one_mechanism() -> S3Error {
    S3Error::with_message(
        ErrorCode::InvalidArgument,
        "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified",
    )
    .extra("ArgumentName", "Authorization")
}
