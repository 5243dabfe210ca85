//! A signature in the query: presigned URLs, read and made.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
use crate::s3::signature::credential::scope::{
    ALGORITHM, Credential, RegionRule, SigningKey, UNREADABLE_CREDENTIAL, wrong_region,
};
use crate::s3::signature::request::head::RequestHead;
use crate::s3::signature::v4::unverified::{Place, Unverified};
use std::borrow::Cow;
use std::time::Duration;

use crate::s3::signature::v4::canonical::{
    Reading, SignedHeaders, canonical_request, string_to_sign,
};
use crate::s3::signature::v4::payload::{self, PayloadTerm};
use crate::s3::values::error::{ErrorCode, S3Error};
use crate::s3::values::time;
use crate::s3::values::time::Timestamp;
use crate::s3::values::uri;

/// Seconds: a week.
const MAX_EXPIRES: u64 = 604_800;
const CODE: ErrorCode = ErrorCode::AuthorizationQueryParametersError;

/// The parameters of a signed query, decoded, each at most once.
#[derive(Debug, Default)]
pub(in crate::s3) struct Parameters {
    algorithm: Option<String>,
    credential: Option<String>,
    date: Option<String>,
    expires: Option<String>,
    signed_headers: Option<String>,
    signature: Option<String>,
    content_sha256: Option<String>,
    repeated: bool,
}
impl Parameters {
    /// The signature of this version that a query states; its parameters are taken out. Names are decoded, values raw.
    pub(in crate::s3) fn take_from(query: &mut Vec<(Cow<'_, [u8]>, &str)>) -> Option<Self> {
        let mut found = Self::default();
        query.retain(|(name, value)| !found.take(name, value));
        // Any of these three: a part of a signature alone is a broken one, not an anonymous request.
        let stated =
            found.algorithm.is_some() || found.credential.is_some() || found.signature.is_some();
        stated.then_some(found)
    }

    fn take(&mut self, name: &[u8], raw_value: &str) -> bool {
        let slot = match name {
            b"X-Amz-Algorithm" => &mut self.algorithm,
            b"X-Amz-Credential" => &mut self.credential,
            b"X-Amz-Date" => &mut self.date,
            b"X-Amz-Expires" => &mut self.expires,
            b"X-Amz-SignedHeaders" => &mut self.signed_headers,
            b"X-Amz-Signature" => &mut self.signature,
            // AWS: SDKs spell this one in several cases.
            _ if name.eq_ignore_ascii_case(b"x-amz-content-sha256") => &mut self.content_sha256,
            _ => return false,
        };
        // No value of these holds a space: an unescaped `+` is itself.
        let value = String::from_utf8_lossy(&uri::decode_bytes(raw_value)).into_owned();
        self.repeated |= slot.replace(value).is_some();
        true
    }

    /// # Errors
    /// `AuthorizationQueryParametersError` with the parameter that is wrong.
    pub(in crate::s3) fn parse(
        self,
        head: &RequestHead<'_>,
        regions: &RegionRule,
    ) -> Result<Unverified, S3Error> {
        if self.repeated {
            return Err(refused("A parameter of the signature is given twice."));
        }
        let payload = self.payload_term(head);
        let [
            algorithm,
            credential,
            date,
            expires,
            signed_headers,
            signature,
        ] = self.complete()?;
        if algorithm != ALGORITHM {
            return Err(refused(format!(
                "X-Amz-Algorithm only supports \"{ALGORITHM}\""
            )));
        }
        let credential = parse_credential(&credential, regions)?;
        let signed_at = time::parse_amz_date(&date).ok_or_else(|| {
            refused("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
        })?;
        let (day, scope_day) = (time::amz_day(signed_at), &credential.scope.day);
        if day != *scope_day {
            return Err(refused(format!(
                "Invalid credential date \"{scope_day}\". This date is not the same as X-Amz-Date: \"{day}\"."
            )));
        }
        let signed_headers = SignedHeaders::parse(&signed_headers)
            .ok_or_else(|| refused("X-Amz-SignedHeaders is no list of header names."))?;
        Ok(Unverified {
            place: Place::Query {
                expires: parse_expires(&expires)?,
            },
            credential,
            signed_at,
            signed_headers,
            signature,
            payload: payload?,
        })
    }

    /// Algorithm, credential, date, expiry, signed headers and signature.
    fn complete(self) -> Result<[String; 6], S3Error> {
        let incomplete = || {
            refused(
                "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
                 X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
            )
        };
        Ok([
            self.algorithm.ok_or_else(incomplete)?,
            self.credential.ok_or_else(incomplete)?,
            self.date.ok_or_else(incomplete)?,
            self.expires.ok_or_else(incomplete)?,
            self.signed_headers.ok_or_else(incomplete)?,
            self.signature.ok_or_else(incomplete)?,
        ])
    }

    /// Unsigned, unless `x-amz-content-sha256` is there as a header (which then must be signed) or as a parameter.
    fn payload_term(&self, head: &RequestHead<'_>) -> Result<PayloadTerm, S3Error> {
        let header = head.value("x-amz-content-sha256")?.map(str::trim);
        match (header, self.content_sha256.as_deref()) {
            (Some(header), Some(parameter)) if header != parameter => Err(S3Error::with_message(
                ErrorCode::InvalidArgument,
                "x-amz-content-sha256 is given as a header and as a parameter, and they differ.",
            )
            .extra("ArgumentName", "x-amz-content-sha256")
            .extra("ArgumentValue", parameter)),
            (Some(term), _) | (None, Some(term)) => PayloadTerm::parse(term),
            (None, None) => Ok(PayloadTerm::unsigned()),
        }
    }
}

fn parse_credential(text: &str, regions: &RegionRule) -> Result<Credential, S3Error> {
    const WHERE: &str = "Error parsing the X-Amz-Credential parameter; ";
    let credential = Credential::parse(text)
        .map_err(|why| refused(format!("{WHERE}{why}")).logged(UNREADABLE_CREDENTIAL))?;
    let region = &credential.scope.region;
    if !regions.allows(region) {
        return Err(wrong_region(CODE, WHERE, region, regions));
    }
    Ok(credential)
}

/// 0 to a week. 0 parses: it has expired at once.
fn parse_expires(text: &str) -> Result<Duration, S3Error> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if text.strip_prefix('-').is_some_and(is_number) {
        return Err(refused("X-Amz-Expires must be non-negative"));
    }
    if !is_number(text) {
        return Err(refused("X-Amz-Expires should be a number"));
    }
    // All digits: what does not parse is too large for a u64.
    match text.parse::<u64>() {
        Ok(seconds) if seconds <= MAX_EXPIRES => Ok(Duration::from_secs(seconds)),
        _ => Err(refused(format!(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be at most {MAX_EXPIRES} seconds"
        ))),
    }
}

fn refused(why: impl Into<Cow<'static, str>>) -> S3Error {
    S3Error::with_message(CODE, why)
}

/// Makes a presigned URL's query (all parameters and the signature, `X-Amz-SignedHeaders=host`), in the order of
/// section 1.8 of the Plane contract: `extra` first, then `X-Amz-Algorithm` … `X-Amz-Signature`.
///
/// `path` is percent-encoded, as it stands in the URL; `extra` is not; `host` has its port where the URL has one.
#[must_use]
#[expect(
    clippy::too_many_arguments,
    reason = "each is one part of the URL or of the signature"
)]
pub fn presign_query(
    method: &str,
    host: &str,
    path: &str,
    extra: &[(&str, &str)],
    credential: &Credential,
    key: &SigningKey,
    now: Timestamp,
    expires_seconds: u64,
) -> String {
    let (credential_text, date) = (credential.to_string(), time::amz_date(now));
    let expires = expires_seconds.to_string();
    let parameters = extra.iter().copied().chain([
        ("X-Amz-Algorithm", ALGORITHM),
        ("X-Amz-Credential", &credential_text),
        ("X-Amz-Date", &date),
        ("X-Amz-Expires", &expires),
        ("X-Amz-SignedHeaders", "host"),
    ]);
    let parameters: Vec<String> = parameters
        .map(|(name, value)| {
            let (name, value) = (uri::encode_query(name), uri::encode_query(value));
            format!("{name}={value}")
        })
        .collect();
    let query = parameters.join("&");
    let head = RequestHead {
        method,
        raw_path: path,
        raw_query: &query,
        headers: &[],
    };
    let signed = SignedHeaders::parse("host").expect("host is a header's name");
    let reading = Reading::default();
    let canonical = canonical_request(&head, &signed, host, payload::UNSIGNED, &reading);
    let signature = key.sign(string_to_sign(&date, &credential.scope, &canonical).as_bytes());
    format!("{query}&X-Amz-Signature={signature}")
}
