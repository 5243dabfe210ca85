//! AWS Signature Version 4: what was signed, by which key, and whether it holds.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html>
//!
//! [`parse`] reads what a request states, [`Unverified::verify`] proves it, and [`Verified`] is the proof: it has no
//! other maker. What a request's signature does not cover (a header that a browser added, a query that it did not
//! sign) is refused or canonicalised in, never ignored.
//!
//! Pure: the caller supplies the key's secret, the time and the host candidates. It refuses to know which access keys
//! there are, and what the request asks for.
use std::time::Duration;

use super::{ErrorCode, S3Error, time};
use crate::s3::time::Timestamp;
use canonical::{SignedHeaders, canonical_request, string_to_sign};
use payload::{PayloadTerm, TermKind};

mod canonical;
pub mod chunked;
mod header;
mod payload;
mod presigned;
mod scope;
#[cfg(test)]
mod tests;

pub use payload::Payload;
pub use presigned::presign_query;
pub use scope::{Credential, RegionRule, Scope, SigningKey};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far a client's clock may be off.
const MAX_SKEW: Duration = Duration::from_mins(15);
/// Host candidates that are tried, the one received among them.
const MAX_HOSTS: usize = 6;

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
    fn values(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let headers = self.headers;
        headers
            .iter()
            .filter(move |(sent, _)| sent == name)
            .map(|(_, value)| value.as_str())
    }

    /// The one value of a header that may come once.
    fn value(&self, name: &'static str) -> Result<Option<&'a str>, S3Error> {
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

/// A request that states an S3 signature (header or query) which nobody has checked yet.
#[derive(Debug, Clone)]
pub struct Unverified {
    credential: Credential,
    signed_at: Timestamp,
    signed_headers: SignedHeaders,
    signature: String,
    payload: PayloadTerm,
    place: Place,
}
#[derive(Debug, Clone, Copy)]
enum Place {
    Header,
    Query { expires: Duration },
}

/// Reads the signature that a request carries; `None`: it carries none (anonymous).
/// # Errors
/// As section 1 of the S3 contract: both places at once, malformed header or parameters, wrong service, …
pub fn parse(head: &RequestHead<'_>, regions: &RegionRule) -> Result<Option<Unverified>, S3Error> {
    let in_query = presigned::Parameters::find(head.raw_query);
    match (header::find(head)?, in_query) {
        (None, None) => Ok(None),
        (Some(authorization), None) => header::parse(authorization, head, regions).map(Some),
        // Plane: clients resend `Bearer` and `X-API-Key` after a redirect; neither is an S3 signature.
        (None, Some(parameters)) => parameters.parse(head, regions).map(Some),
        (Some(_), Some(_)) => Err(only_one_mechanism()),
    }
}

impl Unverified {
    #[must_use]
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// Whether the signature came in the query (a presigned URL).
    #[must_use]
    pub fn is_presigned(&self) -> bool {
        matches!(self.place, Place::Query { .. })
    }

    /// Checks time, signed headers and signature. `hosts`: candidates for the `host` header's value, the one received
    /// first; each is tried as given (the caller adds forms with and without default port). At most six are tried, and
    /// no other host than these: without a candidate no signature holds.
    /// # Errors
    /// `RequestTimeTooSkewed`, `AccessDenied` (expired, unsigned `x-amz-*`), `SignatureDoesNotMatch` with
    /// `StringToSign` and `CanonicalRequest` as extras and the missing signed header named. Then, for an aws-chunked
    /// body, `MissingContentLength` and what else is wrong with its announcement.
    pub fn verify(
        self,
        head: &RequestHead<'_>,
        key: &SigningKey,
        now: Timestamp,
        hosts: &[&str],
    ) -> Result<Verified, S3Error> {
        self.check_time(now)?;
        let unsigned = self.signed_headers.unsigned_of(head);
        if !unsigned.is_empty() {
            return Err(S3Error::with_message(
                ErrorCode::AccessDenied,
                "There were headers present in the request which were not signed",
            )
            .extra("HeadersNotSigned", unsigned.join(", ")));
        }
        let tried = &hosts[..hosts.len().min(MAX_HOSTS)];
        if !tried.iter().any(|host| self.holds(head, key, host)) {
            return Err(self.mismatch(head, key, tried));
        }
        Ok(Verified {
            payload: self.payload(head, key)?,
            presigned: self.is_presigned(),
            access_key: self.credential.access_key,
        })
    }

    fn check_time(&self, now: Timestamp) -> Result<(), S3Error> {
        let too_early = self.signed_at > now.plus(MAX_SKEW);
        match self.place {
            Place::Header if too_early || now > self.signed_at.plus(MAX_SKEW) => {
                Err(S3Error::with_message(
                    ErrorCode::RequestTimeTooSkewed,
                    "The difference between the request time and the current time is too large.",
                )
                .extra("RequestTime", time::amz_date(self.signed_at))
                .extra("ServerTime", time::iso8601_secs(now))
                .extra(
                    "MaxAllowedSkewMilliseconds",
                    MAX_SKEW.as_millis().to_string(),
                ))
            }
            Place::Query { .. } if too_early => Err(S3Error::with_message(
                ErrorCode::AccessDenied,
                "Request is not valid yet",
            )
            .extra("ServerTime", time::iso8601_secs(now))),
            Place::Query { expires } if expires.is_zero() || now > self.signed_at.plus(expires) => {
                let end = self.signed_at.plus(expires);
                Err(
                    S3Error::with_message(ErrorCode::AccessDenied, "Request has expired")
                        .extra("X-Amz-Expires", expires.as_secs().to_string())
                        .extra("Expires", time::iso8601_secs(end))
                        .extra("ServerTime", time::iso8601_secs(now)),
                )
            }
            _ => Ok(()),
        }
    }

    fn canonical_request(&self, head: &RequestHead<'_>, host: &str) -> String {
        canonical_request(head, &self.signed_headers, host, self.payload.as_str())
    }

    fn string_to_sign(&self, canonical_request: &str) -> String {
        let date = time::amz_date(self.signed_at);
        string_to_sign(&date, &self.credential.scope, canonical_request)
    }

    fn holds(&self, head: &RequestHead<'_>, key: &SigningKey, host: &str) -> bool {
        let string_to_sign = self.string_to_sign(&self.canonical_request(head, host));
        key.matches(string_to_sign.as_bytes(), &self.signature)
    }

    /// Only after the signature held: the decoder starts from it.
    fn payload(&self, head: &RequestHead<'_>, key: &SigningKey) -> Result<Payload, S3Error> {
        Ok(match self.payload.kind() {
            TermKind::Unsigned => Payload::Unsigned,
            TermKind::Sha256 => Payload::Sha256(self.payload.as_str().to_ascii_lowercase()),
            TermKind::Streaming(kind) => Payload::Chunked(chunked::Framing::announced_by(
                head,
                *kind,
                chunked::Seed {
                    key: key.clone(),
                    date: time::amz_date(self.signed_at),
                    scope: self.credential.scope.clone(),
                    signature: self.signature.clone(),
                },
            )?),
        })
    }

    fn mismatch(&self, head: &RequestHead<'_>, key: &SigningKey, tried: &[&str]) -> S3Error {
        let shown = tried.first().copied().unwrap_or_default();
        let canonical_request = self.canonical_request(head, shown);
        let string_to_sign = self.string_to_sign(&canonical_request);
        let missing = self.signed_headers.missing_from(head).join(", ");
        let mut message = vec![SIGNATURE_DOES_NOT_MATCH.to_owned()];
        let mut log = vec![format!(
            "no signature by {:?} holds for the hosts {tried:?}",
            self.credential.access_key
        )];
        if !missing.is_empty() {
            message.push(format!(
                "These signed headers are missing from the request as it arrived, perhaps dropped by a proxy: {missing}."
            ));
            log.push(format!("the signed headers {missing} are missing"));
        }
        if let Some(host) = self.forwarded_host_that_holds(head, key) {
            log.push(format!(
                "it would hold for {host:?}, which X-Forwarded-Host claims: set HANGAR_PUBLIC_URL to that host, or name the proxy in HANGAR_TRUSTED_PROXIES"
            ));
        }
        S3Error::with_message(ErrorCode::SignatureDoesNotMatch, message.join(" "))
            .extra("AWSAccessKeyId", self.credential.access_key.clone())
            .extra("StringToSign", string_to_sign)
            .extra("SignatureProvided", self.signature.clone())
            .extra("CanonicalRequest", canonical_request)
            .logged(log.join("; "))
    }

    /// A host that was claimed but not trusted is tried too, for the administrator's log and never to let anyone in.
    fn forwarded_host_that_holds<'a>(
        &self,
        head: &RequestHead<'a>,
        key: &SigningKey,
    ) -> Option<&'a str> {
        head.values("x-forwarded-host")
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .take(2)
            .find(|host| self.holds(head, key, host))
    }
}

/// Proof: this request was signed by a key we hold. Only [`Unverified::verify`] makes it.
#[derive(Debug, Clone)]
pub struct Verified {
    access_key: String,
    payload: Payload,
    presigned: bool,
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
}

/// For the log, which holds nothing of `Authorization` or of a query; the client is told which part is wrong.
const UNREADABLE_CREDENTIAL: &str =
    "the credential is not of the form KEY/YYYYMMDD/REGION/s3/aws4_request";
const SIGNATURE_DOES_NOT_MATCH: &str = "The request signature we calculated does not match the signature you provided. Check your key and signing method.";

fn only_one_mechanism() -> S3Error {
    S3Error::with_message(
        ErrorCode::InvalidArgument,
        "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified",
    )
    .extra("ArgumentName", "Authorization")
}

fn unsupported_mechanism() -> S3Error {
    S3Error::with_message(
        ErrorCode::InvalidRequest,
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
    )
}

fn wrong_region(code: ErrorCode, place: &str, region: &str, regions: &RegionRule) -> S3Error {
    let expected = &regions.configured;
    S3Error::with_message(
        code,
        format!("{place}the region '{region}' is wrong; expecting '{expected}'"),
    )
    .extra("Region", expected.clone())
    .logged(format!("the region is wrong; expecting '{expected}'"))
}
