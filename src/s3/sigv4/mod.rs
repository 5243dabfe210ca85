//! AWS Signature Version 4: what was signed, by which key, and whether it holds.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html>
//!
//! Pure: the caller supplies the key's secret, the time and the host candidates.
use super::S3Error;
use crate::clock::Timestamp;

pub mod chunked;

/// `YYYYMMDD/REGION/s3/aws4_request`, without the access key. The region may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    pub day: String,
    pub region: String,
}
/// `ACCESS_KEY/YYYYMMDD/REGION/s3/aws4_request`; an access key may hold `/`, so split from the right.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Credential {
    pub access_key: String,
    pub scope: Scope,
}
impl Credential {
    /// # Errors
    /// A sentence that says which part is wrong (the caller maps it to the code of its place: header, query or form).
    pub fn parse(_text: &str) -> Result<Self, String> {
        todo!()
    }
}
impl std::fmt::Display for Credential {
    fn fmt(&self, _f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        todo!()
    }
}
/// The key derived from a secret, a day and a region. Its bytes never show in `Debug`.
#[derive(Clone)]
pub struct SigningKey([u8; 32]);
impl SigningKey {
    #[must_use]
    pub fn derive(_secret: &str, _scope: &Scope) -> Self {
        todo!()
    }
    /// Lower-case hex HMAC-SHA256 of a string to sign (or of a policy's base64 text).
    #[must_use]
    pub fn sign(&self, _string_to_sign: &[u8]) -> String {
        todo!()
    }
    /// Constant-time comparison of `signature` with the signature of `string_to_sign`.
    #[must_use]
    pub fn matches(&self, _string_to_sign: &[u8], _signature: &str) -> bool {
        todo!()
    }
}
/// A request as it came over the wire. Header names lower case, in any order, values as sent.
#[derive(Debug, Clone)]
pub struct RequestHead<'a> {
    pub method: &'a str,
    pub raw_path: &'a str,
    /// Without `?`; empty when there is none.
    pub raw_query: &'a str,
    pub headers: &'a [(String, String)],
}
/// How the body of a verified request is to be read.
#[derive(Debug, Clone)]
pub enum Payload {
    /// `UNSIGNED-PAYLOAD`, or a presigned URL's.
    Unsigned,
    /// The body's SHA-256 must be this (lower-case hex).
    Sha256(String),
    /// aws-chunked; the decoder verifies each chunk's signature where they are signed.
    Chunked(chunked::Framing),
}
/// Which regions a scope may name. Empty `configured`: any.
#[derive(Debug, Clone, Default)]
pub struct RegionRule {
    pub configured: String,
}
impl RegionRule {
    /// The configured region, `us-east-1` and the empty one are always taken.
    #[must_use]
    pub fn allows(&self, _region: &str) -> bool {
        todo!()
    }
}
/// A request that states an S3 signature (header or query) which nobody has checked yet.
#[derive(Debug, Clone)]
pub struct Unverified {}

/// Reads the signature that a request carries; `None`: it carries none (anonymous).
/// # Errors
/// As section 1 of the S3 contract: both places at once, malformed header or parameters, wrong service, …
pub fn parse(
    _head: &RequestHead<'_>,
    _regions: &RegionRule,
) -> Result<Option<Unverified>, S3Error> {
    todo!()
}
impl Unverified {
    #[must_use]
    pub fn credential(&self) -> &Credential {
        todo!()
    }
    /// Whether the signature came in the query (a presigned URL).
    #[must_use]
    pub fn is_presigned(&self) -> bool {
        todo!()
    }
    /// Checks time, signed headers and signature. `hosts`: candidates for the `host` header's value, the one received
    /// first; each is tried as given (the caller adds forms with and without default port). At most six are tried.
    /// # Errors
    /// `RequestTimeTooSkewed`, `AccessDenied` (expired, unsigned `x-amz-*`), `SignatureDoesNotMatch` with
    /// `StringToSign` and `CanonicalRequest` as extras and the missing signed header named.
    pub fn verify(
        self,
        _head: &RequestHead<'_>,
        _key: &SigningKey,
        _now: Timestamp,
        _hosts: &[&str],
    ) -> Result<Verified, S3Error> {
        todo!()
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
/// Makes a presigned URL's query (all parameters and the signature, `X-Amz-SignedHeaders=host`), in the order of
/// section 1.8 of the Plane contract: `extra` first, then `X-Amz-Algorithm` … `X-Amz-Signature`.
#[must_use]
pub fn presign_query(
    _method: &str,
    _host: &str,
    _path: &str,
    _extra: &[(&str, &str)],
    _credential: &Credential,
    _key: &SigningKey,
    _now: Timestamp,
    _expires_seconds: u64,
) -> String {
    todo!()
}
