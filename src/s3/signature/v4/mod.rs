//! AWS Signature Version 4: what was signed, by which key, and whether it holds.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html>
//!
//! What [`signature::parse`](super::parse) finds in a header or a query is read and checked here; the proof of
//! it is [`signature::Verified`](super::Verified). What a request's signature does not cover (a header that a browser added, a query that it did not
//! sign) is refused or canonicalised in, never ignored.
//!
//! Pure: the caller supplies the key's secret, the time and the host candidates. It refuses to know which access keys
//! there are, and what the request asks for.
use std::time::Duration;

use crate::s3::signature::v4::canonical::{Canonical, Reading, SignedHeaders, string_to_sign};
use crate::s3::signature::v4::payload::{PayloadTerm, TermKind};
use crate::s3::signature::{MAX_SKEW, RequestHead, check_skew, stated_headers};
use crate::s3::values::error::{ErrorCode, S3Error};
use crate::s3::values::time;
use crate::s3::values::time::Timestamp;
use crate::s3::values::uri::Plus;

mod canonical;
pub mod chunked;
pub(super) mod header;
pub(super) mod payload;
pub(super) mod presigned;
pub(in crate::s3) mod scope;
#[cfg(test)]
mod tests;

pub use payload::Payload;
pub use presigned::presign_query;
pub use scope::{Credential, RegionRule, Scope, SigningKey};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// Host candidates that are tried, the one received among them.
const MAX_HOSTS: usize = 6;

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

    /// Checks time, signed headers and signature, and answers how the body was signed and how the query is to be read.
    /// What it needs and refuses is what [`Verified`](super::Verified)'s maker does.
    pub(super) fn check(
        &self,
        head: &RequestHead<'_>,
        key: &SigningKey,
        now: Timestamp,
        hosts: &[&str],
    ) -> Result<(Payload, Plus), S3Error> {
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
        for plus in Plus::readings(head.raw_query) {
            let canonical = self.canonical(head, &self.reading(head, *plus));
            if tried.iter().any(|host| self.holds(key, &canonical, host)) {
                return Ok((self.payload(head, key)?, *plus));
            }
        }
        Err(self.mismatch(head, key, tried))
    }

    fn reading(&self, head: &RequestHead<'_>, plus: Plus) -> Reading {
        let stated = if self.is_presigned() && !self.signed_headers.are_host_alone() {
            stated_headers(head.raw_query, plus)
        } else {
            Vec::new()
        };
        Reading { plus, stated }
    }

    fn check_time(&self, now: Timestamp) -> Result<(), S3Error> {
        match self.place {
            Place::Header => check_skew(self.signed_at, now),
            Place::Query { .. } if self.signed_at > now.plus(MAX_SKEW) => Err(
                S3Error::with_message(ErrorCode::AccessDenied, "Request is not valid yet")
                    .extra("ServerTime", time::iso8601_secs(now)),
            ),
            Place::Query { expires } if expires.is_zero() || now > self.signed_at.plus(expires) => {
                let end = self.signed_at.plus(expires);
                Err(
                    S3Error::with_message(ErrorCode::AccessDenied, "Request has expired")
                        .extra("X-Amz-Expires", expires.as_secs().to_string())
                        .extra("Expires", time::iso8601_secs(end))
                        .extra("ServerTime", time::iso8601_secs(now)),
                )
            }
            Place::Query { .. } => Ok(()),
        }
    }

    /// See [`Verified::repeats_until`](crate::s3::signature::Verified::repeats_until).
    pub(in crate::s3) fn repeats_until(&self) -> Option<Timestamp> {
        match &self.place {
            Place::Query { expires } if self.signed_headers.are_host_alone() => {
                Some(self.signed_at.plus(*expires))
            }
            _ => None,
        }
    }

    fn canonical(&self, head: &RequestHead<'_>, reading: &Reading) -> Canonical {
        Canonical::of(head, &self.signed_headers, self.payload.as_str(), reading)
    }

    fn string_to_sign(&self, canonical_request: &str) -> String {
        let date = time::amz_date(self.signed_at);
        string_to_sign(&date, &self.credential.scope, canonical_request)
    }

    fn holds(&self, key: &SigningKey, canonical: &Canonical, host: &str) -> bool {
        let string_to_sign = self.string_to_sign(&canonical.of_host(host));
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
                Some(chunked::Seed {
                    key: key.clone(),
                    date: time::amz_date(self.signed_at),
                    scope: self.credential.scope.clone(),
                    signature: self.signature.clone(),
                }),
            )?),
        })
    }

    fn mismatch(&self, head: &RequestHead<'_>, key: &SigningKey, tried: &[&str]) -> S3Error {
        let shown = tried.first().copied().unwrap_or_default();
        let reading = self.reading(head, Plus::default());
        let canonical = self.canonical(head, &reading);
        let string_to_sign = self.string_to_sign(&canonical.of_host(shown));
        let headers = without_credentials(head.headers);
        let shown_head = RequestHead {
            headers: &headers,
            ..*head
        };
        let canonical_request = self.canonical(&shown_head, &reading).of_host(shown);
        let missing = self.signed_headers.missing_from(head, &reading).join(", ");
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
        let claimed = claimed_hosts(head, shown).into_iter();
        let mut claimed = claimed.filter(|claimed| !tried.contains(&claimed.host.as_str()));
        match claimed.find(|claimed| self.holds(key, &canonical, &claimed.host)) {
            Some(claimed) => {
                message.push(format!(
                    "The signature holds for the host {:?}, and the request arrived with the host {shown:?}: a proxy on the way changed the Host header.",
                    claimed.host
                ));
                log.push(claimed.explained());
            }
            None if missing.is_empty() => {
                message.push(format!(
                    "Or a proxy on the way changed the Host header: the request arrived with the host {shown:?}."
                ));
                log.push(WRONG_SECRET_OR_HOST.to_owned());
            }
            None => {}
        }
        S3Error::with_message(ErrorCode::SignatureDoesNotMatch, message.join(" "))
            .extra("AWSAccessKeyId", self.credential.access_key.clone())
            .extra("StringToSign", string_to_sign)
            .extra("SignatureProvided", self.signature.clone())
            .extra("CanonicalRequest", canonical_request)
            .logged(log.join("; "))
    }
}

/// For the administrator: what makes a signature fail, and the line that mends each cause.
const WRONG_SECRET_OR_HOST: &str = "either the client signs with another secret key, or a proxy changed the Host header: \
     let it pass the header on with its port (nginx: `proxy_set_header Host $http_host;`), \
     or set HANGAR_PUBLIC_URL to the address that clients use";

/// A host that a header names beside `Host`. It is never believed: a signature is tried with it for the log alone.
struct ClaimedHost {
    host: String,
    header: &'static str,
}
impl ClaimedHost {
    fn explained(&self) -> String {
        let Self { host, header } = self;
        if *header == FORWARDED_HOST {
            return format!(
                "it would hold for {host:?}, which X-Forwarded-Host claims: set HANGAR_PUBLIC_URL to that host, or name the proxy in HANGAR_TRUSTED_PROXIES"
            );
        }
        format!(
            "it would hold for {host:?}, which the header {header} names: a proxy changed the Host header. Let it pass the header on with its port (nginx: `proxy_set_header Host $http_host;`), or set HANGAR_PUBLIC_URL to the address with that host"
        )
    }
}

const FORWARDED_HOST: &str = "x-forwarded-host";

/// The hosts that a client may have signed before a proxy changed `Host`: as the headers of proxies and browsers tell it.
fn claimed_hosts(head: &RequestHead<'_>, received: &str) -> Vec<ClaimedHost> {
    const MOST_OF_EACH: usize = 2;
    let listed = |name: &'static str| {
        let values = head.values(name).flat_map(|value| value.split(','));
        values.map(str::trim).take(MOST_OF_EACH)
    };
    let mut claimed: Vec<ClaimedHost> = listed(FORWARDED_HOST)
        .map(|host| (host.to_owned(), FORWARDED_HOST))
        .chain(listed("x-forwarded-port").map(|port| {
            (
                format!("{}:{port}", without_port(received)),
                "x-forwarded-port",
            )
        }))
        .chain(["origin", "referer"].into_iter().filter_map(|header| {
            let (_, rest) = head.values(header).next()?.split_once("://")?;
            let host = rest.split('/').next().unwrap_or_default();
            Some((host.to_owned(), header))
        }))
        .map(|(host, header)| ClaimedHost { host, header })
        .collect();
    claimed.dedup_by(|one, other| one.host == other.host);
    claimed
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// What a page must not learn from an answer to a request that its browser made: cookies it may not read, tokens.
fn without_credentials(headers: &[(String, String)]) -> Vec<(String, String)> {
    const CREDENTIALS: [&str; 4] = [
        "authorization",
        "cookie",
        "proxy-authorization",
        "x-api-key",
    ];
    let shown = headers.iter().map(|(name, value)| {
        let is_secret = CREDENTIALS.contains(&name.as_str());
        let value = if is_secret { "…" } else { value };
        (name.clone(), value.to_owned())
    });
    shown.collect()
}

/// For the log, which holds nothing of `Authorization` or of a query; the client is told which part is wrong.
const UNREADABLE_CREDENTIAL: &str =
    "the credential is not of the form KEY/YYYYMMDD/REGION/s3/aws4_request";
const SIGNATURE_DOES_NOT_MATCH: &str = "The request signature we calculated does not match the signature you provided. Check your key and signing method.";

fn wrong_region(code: ErrorCode, place: &str, region: &str, regions: &RegionRule) -> S3Error {
    let expected = &regions.configured;
    S3Error::with_message(
        code,
        format!("{place}the region '{region}' is wrong; expecting '{expected}'"),
    )
    .extra("Region", expected.clone())
    .logged(format!("the region is wrong; expecting '{expected}'"))
}
