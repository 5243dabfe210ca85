//! A signature in the `Authorization` header.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html>
use crate::s3::signature::credential::rules::unsupported_mechanism;
use crate::s3::signature::credential::scope::{
    ALGORITHM, Credential, RegionRule, UNREADABLE_CREDENTIAL, wrong_region,
};
use crate::s3::signature::request::date::{needs_a_date, parse_date};
use crate::s3::signature::request::head::RequestHead;
use crate::s3::signature::v4::canonical::SignedHeaders;
use crate::s3::signature::v4::payload::PayloadTerm;
use crate::s3::signature::v4::unverified::{Place, Unverified};
use crate::s3::values::error::{ErrorCode, S3Error};
use crate::s3::values::time;
use crate::s3::values::time::Timestamp;

/// # Errors
/// `InvalidRequest` for other versions, `AuthorizationHeaderMalformed`, `AccessDenied` without a date,
/// and what is wrong with `x-amz-content-sha256`.
pub(in crate::s3) fn parse(
    authorization: &str,
    head: &RequestHead<'_>,
    regions: &RegionRule,
) -> Result<Unverified, S3Error> {
    let (algorithm, rest) = authorization.split_once(' ').unwrap_or((authorization, ""));
    if algorithm != ALGORITHM {
        return Err(unsupported_mechanism());
    }
    let parts = Parts::parse(rest)?;
    let credential = Credential::parse(parts.credential)
        .map_err(|why| malformed(&why).logged(UNREADABLE_CREDENTIAL))?;
    if !regions.allows(&credential.scope.region) {
        return Err(wrong_region(
            ErrorCode::AuthorizationHeaderMalformed,
            MALFORMED,
            &credential.scope.region,
            regions,
        ));
    }
    let signed_headers = SignedHeaders::parse(parts.signed_headers)
        .ok_or_else(|| malformed("the SignedHeaders are no list of header names."))?;
    let signed_at = signing_date(head)?;
    let day = time::amz_day(signed_at);
    if day != credential.scope.day {
        return Err(malformed(&format!(
            "Invalid credential date \"{}\". This date is not the same as X-Amz-Date: \"{day}\".",
            credential.scope.day
        )));
    }
    Ok(Unverified {
        credential,
        signed_at,
        signed_headers,
        signature: parts.signature.to_owned(),
        payload: payload_term(head)?,
        place: Place::Header,
    })
}

struct Parts<'a> {
    credential: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}
impl<'a> Parts<'a> {
    fn parse(text: &'a str) -> Result<Self, S3Error> {
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for part in text.split(',').map(str::trim) {
            let slot = match part.split_once('=') {
                Some(("Credential", value)) => (&mut credential, value),
                Some(("SignedHeaders", value)) => (&mut signed_headers, value),
                Some(("Signature", value)) => (&mut signature, value),
                _ => return Err(three_components()),
            };
            if slot.0.replace(slot.1).is_some() {
                return Err(three_components());
            }
        }
        match (credential, signed_headers, signature) {
            (Some(credential), Some(signed_headers), Some(signature)) if !signature.is_empty() => {
                Ok(Self {
                    credential,
                    signed_headers,
                    signature,
                })
            }
            _ => Err(three_components()),
        }
    }
}

/// `x-amz-date`, else `Date`, which may be in other forms too.
fn signing_date(head: &RequestHead<'_>) -> Result<Timestamp, S3Error> {
    match head.value("x-amz-date")? {
        Some(amz_date) => time::parse_amz_date(amz_date.trim()).ok_or_else(needs_a_date),
        None => parse_date(head.value("date")?.ok_or_else(needs_a_date)?.trim()),
    }
}

/// What the body was signed as. MinIO: without the header it is an empty body; curl 7.88 signs so.
fn payload_term(head: &RequestHead<'_>) -> Result<PayloadTerm, S3Error> {
    match head.value("x-amz-content-sha256")? {
        Some(term) => PayloadTerm::parse(term.trim()),
        None if announces_a_body(head) => Err(S3Error::with_message(
            ErrorCode::InvalidRequest,
            "Missing required header for this request: x-amz-content-sha256",
        )),
        // A body that comes all the same does not have this hash, and is refused.
        None => Ok(PayloadTerm::of_no_bytes()),
    }
}

fn announces_a_body(head: &RequestHead<'_>) -> bool {
    head.values("transfer-encoding").next().is_some()
        || head
            .values("content-length")
            .any(|length| length.trim() != "0")
}

const MALFORMED: &str = "The authorization header is malformed; ";

fn malformed(why: &str) -> S3Error {
    S3Error::with_message(
        ErrorCode::AuthorizationHeaderMalformed,
        format!("{MALFORMED}{why}"),
    )
}

fn three_components() -> S3Error {
    malformed(
        "the authorization header requires three components: Credential, SignedHeaders, and Signature.",
    )
}
