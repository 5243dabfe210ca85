//! The credential scope (day and region), and the signing key that is derived for it.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::s3::values::error::{ErrorCode, S3Error};
use crate::s3::values::time;

pub(in crate::s3) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const SERVICE: &str = "s3";
const TERMINATOR: &str = "aws4_request";
/// Bytes; AWS's own access keys end at 128.
const MAX_ACCESS_KEY: usize = 256;
/// Bytes of a region's name; AWS's longest has 14.
const MAX_REGION: usize = 64;

/// `YYYYMMDD/REGION/s3/aws4_request`, without the access key. The region may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    pub day: String,
    pub region: String,
}
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{SERVICE}/{TERMINATOR}", self.day, self.region)
    }
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
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut from_right = text.rsplitn(5, '/');
        let mut next = || from_right.next();
        let parts = (next(), next(), next(), next(), next());
        let (Some(terminator), Some(service), Some(region), Some(day), Some(access_key)) = parts
        else {
            return Err(Self::malformed());
        };
        if !is_access_key(access_key) || !is_region(region) {
            return Err(Self::malformed());
        }
        if !is_day(day) {
            return Err(format!(
                "incorrect date format {day:?}. This date in the credential must be in the format \"yyyyMMdd\"."
            ));
        }
        if terminator != TERMINATOR {
            return Err(format!(
                "incorrect terminator {terminator:?}. This endpoint uses \"{TERMINATOR}\"."
            ));
        }
        if service != SERVICE {
            return Err(format!(
                "incorrect service {service:?}. This endpoint belongs to \"{SERVICE}\"."
            ));
        }
        Ok(Self {
            access_key: access_key.to_owned(),
            scope: Scope {
                day: day.to_owned(),
                region: region.to_owned(),
            },
        })
    }

    fn malformed() -> String {
        format!(
            "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/{SERVICE}/{TERMINATOR}\"."
        )
    }
}
impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.access_key, self.scope)
    }
}

/// Which regions a scope may name. Empty `configured`: any.
#[derive(Debug, Clone, Default)]
pub struct RegionRule {
    pub configured: String,
}
impl RegionRule {
    /// The configured region, `us-east-1` and the empty one are always taken.
    // Plane: its shipped settings sign with an empty region, its export job with us-east-1 at the same time.
    #[must_use]
    pub fn allows(&self, region: &str) -> bool {
        self.configured.is_empty()
            || region.is_empty()
            || region == "us-east-1"
            || region == self.configured
    }
}

/// For the log, which never holds `Authorization` or a query; the answer to the client states which part is wrong.
pub(in crate::s3) const UNREADABLE_CREDENTIAL: &str =
    "the credential is not of the form KEY/YYYYMMDD/REGION/s3/aws4_request";

pub(in crate::s3) fn wrong_region(
    code: ErrorCode,
    place: &str,
    region: &str,
    regions: &RegionRule,
) -> S3Error {
    let expected = &regions.configured;
    S3Error::with_message(
        code,
        format!("{place}the region '{region}' is wrong; expecting '{expected}'"),
    )
    .extra("Region", expected.clone())
    .logged(format!("the region is wrong; expecting '{expected}'"))
}

/// The key derived from a secret, a day and a region. Its bytes never show in `Debug`.
#[derive(Clone)]
pub struct SigningKey([u8; 32]);
impl SigningKey {
    #[must_use]
    pub fn derive(secret: &str, scope: &Scope) -> Self {
        let of_day = hmac(format!("AWS4{secret}").as_bytes(), scope.day.as_bytes());
        let of_region = hmac(&of_day, scope.region.as_bytes());
        let of_service = hmac(&of_region, SERVICE.as_bytes());
        Self(hmac(&of_service, TERMINATOR.as_bytes()))
    }

    /// Lower-case hex HMAC-SHA256 of a string to sign (or of a policy's base64 text).
    #[must_use]
    pub fn sign(&self, string_to_sign: &[u8]) -> String {
        hex::encode(hmac(&self.0, string_to_sign))
    }

    /// Constant-time comparison of `signature` with the signature of `string_to_sign`.
    #[must_use]
    pub fn matches(&self, string_to_sign: &[u8], signature: &str) -> bool {
        let expected = self.sign(string_to_sign);
        expected.as_bytes().ct_eq(signature.as_bytes()).into()
    }
}
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

fn hmac(key: &[u8], data: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("an HMAC takes a key of any length");
    mac.update(data);
    mac.finalize().into_bytes().into()
}

fn is_access_key(text: &str) -> bool {
    (1..=MAX_ACCESS_KEY).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn is_region(text: &str) -> bool {
    text.len() <= MAX_REGION && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_day(text: &str) -> bool {
    text.len() == 8 && time::parse_amz_date(&format!("{text}T000000Z")).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[test]
    fn an_access_key_may_hold_slashes_and_a_region_may_be_empty() {
        let credential = Credential::parse("team/a/20260101//s3/aws4_request").unwrap();
        assert_eq!(credential.access_key, "team/a");
        assert_eq!(credential.scope.day, "20260101");
        assert_eq!(credential.scope.region, "");
    }

    #[rstest]
    #[case("", "mal-formed")]
    #[case("AKID", "mal-formed")]
    #[case("20260101/us-east-1/s3/aws4_request", "mal-formed")]
    #[case("/20260101/us-east-1/s3/aws4_request", "mal-formed")]
    #[case("A/20260101/a\nb/s3/aws4_request", "mal-formed")]
    #[case("A\u{7f}/20260101/r/s3/aws4_request", "mal-formed")]
    #[case("A/2026011/r/s3/aws4_request", "incorrect date format \"2026011\"")]
    #[case("A/20261301/r/s3/aws4_request", "incorrect date format")]
    #[case("A/20260101/r/ec2/aws4_request", "incorrect service \"ec2\"")]
    #[case(
        "A/20260101/r/s3/aws5_request",
        "incorrect terminator \"aws5_request\""
    )]
    fn a_wrong_credential_says_what_is_wrong(#[case] text: &str, #[case] sentence: &str) {
        let error = Credential::parse(text).unwrap_err();
        assert!(error.contains(sentence), "{error}");
    }

    #[test]
    fn an_endless_access_key_is_refused() {
        let text = format!("{}/20260101/r/s3/aws4_request", "A".repeat(300));
        let error = Credential::parse(&text).unwrap_err();
        assert!(error.contains("the Credential is mal-formed"), "{error}");
    }

    #[rstest]
    #[case("", "anything", true)]
    #[case("eu-west-1", "eu-west-1", true)]
    #[case("eu-west-1", "us-east-1", true)]
    #[case("eu-west-1", "", true)]
    #[case("eu-west-1", "eu-west-2", false)]
    fn a_configured_region_still_takes_the_default_and_the_empty_one(
        #[case] configured: &str,
        #[case] region: &str,
        #[case] allowed: bool,
    ) {
        let rule = RegionRule {
            configured: configured.to_owned(),
        };
        assert_eq!(rule.allows(region), allowed);
    }

    #[test]
    fn a_signing_key_shows_nothing_of_itself() {
        let scope = Scope {
            day: "20260101".into(),
            region: String::new(),
        };
        let key = SigningKey::derive("secret", &scope);
        assert_eq!(format!("{key:?}"), "SigningKey(…)");
    }

    #[test]
    fn a_signature_matches_only_whole_and_in_lower_case() {
        let scope = Scope {
            day: "20260101".into(),
            region: String::new(),
        };
        let key = SigningKey::derive("secret", &scope);
        let signature = key.sign(b"text");
        assert!(key.matches(b"text", &signature));
        assert!(!key.matches(b"text", &signature[..63]));
        assert!(!key.matches(b"text", &signature.to_uppercase()));
        assert!(!key.matches(b"text", ""));
        assert!(!key.matches(b"texts", &signature));
    }

    proptest! {
        #[test]
        fn a_printed_credential_parses_back(
            access_key in "[!-~]{1,40}",
            region in "[a-z0-9-]{0,20}",
        ) {
            let scope = Scope { day: "20261123".to_owned(), region };
            let credential = Credential { access_key, scope };
            prop_assert_eq!(Credential::parse(&credential.to_string()), Ok(credential));
        }
    }
}
