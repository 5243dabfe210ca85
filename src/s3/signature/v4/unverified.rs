//! A stated signature of Version 4, and whether it holds for the request.

use crate::s3::signature::credential::scope::{Credential, SigningKey};
use crate::s3::signature::request::date::{MAX_SKEW, check_skew};
use crate::s3::signature::request::head::RequestHead;
use crate::s3::signature::request::presigned_headers::stated_headers;
use crate::s3::signature::v4::canonical::{Canonical, Reading, SignedHeaders, string_to_sign};
use crate::s3::signature::v4::chunked;
use crate::s3::signature::v4::claimed_hosts::{WRONG_SECRET_OR_HOST, claimed_hosts};
use crate::s3::signature::v4::payload::{Payload, PayloadTerm, TermKind};
use crate::s3::values::error::{ErrorCode, S3Error};
use crate::s3::values::time::{self, Timestamp};
use crate::s3::values::uri::Plus;
use std::time::Duration;

/// Host candidates that are tried, the one received among them.
const MAX_HOSTS: usize = 6;

/// A signature of Version 4 (in the header or the query) that has not been verified yet.
#[derive(Debug, Clone)]
pub struct Unverified {
    pub(super) credential: Credential,
    pub(super) signed_at: Timestamp,
    pub(super) signed_headers: SignedHeaders,
    pub(super) signature: String,
    pub(super) payload: PayloadTerm,
    pub(super) place: Place,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
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

    /// Checks time, signed headers and signature, and returns how the body was signed and how to read the query.
    /// What it needs and refuses is what [`Verified`](crate::s3::signature::Verified)'s maker does.
    pub(in crate::s3) fn check(
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
        let mut message = vec![
            ErrorCode::SignatureDoesNotMatch
                .default_message()
                .to_owned(),
        ];
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
