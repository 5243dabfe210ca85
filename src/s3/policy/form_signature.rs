//! The fields that sign a form's policy, of either version of the signature.

use crate::s3::policy::fields::{FormFields, missing_field};
use crate::s3::signature::credential::keys::Keys;
use crate::s3::signature::credential::rules::{Rules, Sigv2};
use crate::s3::signature::credential::scope::{ALGORITHM, Credential, RegionRule};
use crate::s3::signature::v2;
use crate::s3::values::error::{ErrorCode, S3Error};
use crate::s3::values::time::{self, Timestamp};

/// The fields that sign a form by Version 4.
pub(super) const V4_FIELDS: &[&str] = &[
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-signature",
];

/// The fields that sign a form by Version 2, as AWS writes them.
pub(super) const V2_FIELDS: &[&str] = &["AWSAccessKeyId", "signature"];

/// The fields that sign a policy by Signature Version 4, well formed.
#[derive(Debug)]
pub(super) struct V4Fields {
    pub(super) credential: Credential,
    pub(super) date: Timestamp,
    pub(super) signature: String,
}

impl V4Fields {
    fn parse(fields: &FormFields, regions: &RegionRule) -> Result<Self, S3Error> {
        let invalid = |message: &str, name: &'static str, value: &str| {
            let shown: String = value.chars().take(256).collect();
            S3Error::invalid_argument(message.to_owned(), name, shown)
        };
        let algorithm = fields.required("x-amz-algorithm")?;
        if algorithm != ALGORITHM {
            return Err(invalid(
                "x-amz-algorithm must be AWS4-HMAC-SHA256.",
                "x-amz-algorithm",
                algorithm,
            ));
        }
        let stated = fields.required("x-amz-credential")?;
        let credential = Credential::parse(stated).map_err(|reason| {
            invalid(&reason, "x-amz-credential", stated)
                .logged("x-amz-credential is not of its form")
        })?;
        let stated_date = fields.required("x-amz-date")?;
        let date = time::parse_amz_date(stated_date).ok_or_else(|| {
            invalid(
                "x-amz-date must be YYYYMMDDTHHMMSSZ.",
                "x-amz-date",
                stated_date,
            )
        })?;
        if stated_date.get(..8) != Some(credential.scope.day.as_str()) {
            return Err(invalid(
                "The day of x-amz-credential is not the day of x-amz-date.",
                "x-amz-credential",
                stated,
            ));
        }
        let signature = fields.required("x-amz-signature")?;
        if signature.len() != 64 || !signature.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(invalid(
                "x-amz-signature must be 64 hexadecimal digits.",
                "x-amz-signature",
                signature,
            ));
        }
        if !regions.allows(&credential.scope.region) {
            return Err(S3Error::with_message(
                ErrorCode::AccessDenied,
                format!(
                    "The region of x-amz-credential is wrong; expecting '{}'.",
                    regions.configured
                ),
            )
            .extra("Region", regions.configured.clone()));
        }
        Ok(Self {
            signature: signature.to_owned(),
            credential,
            date,
        })
    }
}

/// The error for a form that has a policy and lacks fields of its signature. It names the missing fields of each version
/// of which the form has some.
fn incompletely_signed(
    lacks_v4: &[&'static str],
    lacks_v2: &[&'static str],
    sigv2: Sigv2,
) -> S3Error {
    let begins_v4 = lacks_v4.len() < V4_FIELDS.len();
    let begins_v2 = lacks_v2.len() < V2_FIELDS.len();
    let accepts_v2 = sigv2 != Sigv2::Off;
    let lacks = |version: u8, names: &[&str]| {
        let names = names.join("', '");
        format!(" Of Signature Version {version} the form lacks '{names}'.")
    };
    let mut more = String::new();
    if begins_v4 || !accepts_v2 {
        more += &lacks(4, lacks_v4);
    }
    if begins_v2 && accepts_v2 {
        more += &lacks(2, lacks_v2);
    }
    if begins_v2 && !accepts_v2 {
        more += " Signature Version 2 is not accepted here.";
    }
    let named = if begins_v4 || !accepts_v2 {
        lacks_v4
    } else {
        lacks_v2
    };
    let first = named.first().copied().unwrap_or("signature");
    let refusal = missing_field(first, &more);
    if begins_v2 && !accepts_v2 {
        return refusal.logged(
            "a form signed by Signature Version 2, which HANGAR_S3_SIGV2=presigned accepts",
        );
    }
    refusal
}

/// The signature that a form states for its policy.
#[derive(Debug)]
pub(super) enum FormSignature {
    V4(V4Fields),
    V2 {
        access_key: String,
        signature: String,
    },
    /// The form is unsigned and states no policy.
    Absent,
}

impl FormSignature {
    pub(super) fn parse(fields: &FormFields, rules: &Rules) -> Result<Self, S3Error> {
        if fields.get("policy").is_none() {
            return Ok(Self::Absent);
        }
        let has = |name: &str| fields.get(name).is_some();
        if has("x-amz-signature") && has("signature") {
            return Err(S3Error::invalid_argument(
                "The form is signed twice: 'x-amz-signature' is a field of Signature Version 4, 'signature' one of Version 2. Post one of them.",
                "signature",
                "",
            ));
        }
        let lacks_v4 = fields.missing_of(V4_FIELDS);
        if lacks_v4.is_empty() {
            return V4Fields::parse(fields, &rules.regions).map(Self::V4);
        }
        let lacks_v2 = fields.missing_of(V2_FIELDS);
        if lacks_v2.is_empty() && rules.sigv2 != Sigv2::Off {
            return Ok(Self::V2 {
                access_key: fields.required("AWSAccessKeyId")?.to_owned(),
                signature: fields.required("signature")?.to_owned(),
            });
        }
        Err(incompletely_signed(&lacks_v4, &lacks_v2, rules.sigv2))
    }

    /// Step 4, and the form's date.
    pub(super) fn verify(&self, policy: &str, keys: &Keys<'_>) -> Result<Option<String>, S3Error> {
        let (holds, access_key) = match self {
            Self::Absent => return Ok(None),
            Self::V4(signed) => {
                let key = keys.signing_key(&signed.credential)?;
                (
                    key.matches(policy.as_bytes(), &signed.signature),
                    &signed.credential.access_key,
                )
            }
            Self::V2 {
                access_key,
                signature,
            } => {
                let secret = keys.secret(access_key)?;
                (
                    v2::matches(&secret, policy.as_bytes(), signature),
                    access_key,
                )
            }
        };
        if holds {
            return Ok(Some(access_key.clone()));
        }
        Err(S3Error::new(ErrorCode::SignatureDoesNotMatch)
            .extra("StringToSign", policy)
            .logged("a form's policy and its signature do not match"))
    }
}
