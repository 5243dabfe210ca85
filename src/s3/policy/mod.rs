//! POST policies: built and signed for clients, parsed and evaluated when a form comes.
//!
//! A [`Grant`] proves that a form's signature, expiration and every condition held, in the order of section 2 of the
//! S3 contract: nothing of a policy is read before its signature held. A form that states no policy proves nothing, and
//! its grant says so ([`Grant::access_key`]): whether anybody may write there is its caller's to ask. It refuses to know
//! which access keys there are and what the file holds.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>
use crate::s3::headers::request_headers;
use crate::s3::op;
use crate::s3::policy::condition::Condition;
use crate::s3::policy::document::Document;
use crate::s3::signature::v2;
use crate::s3::signature::v4::scope::{Credential, RegionRule, SigningKey};
use crate::s3::signature::{Keys, MAX_SKEW, Rules, Sigv2};
use crate::s3::values::bucket::BucketName;
use crate::s3::values::error::{ErrorCode, S3Error};
use crate::s3::values::key::ObjectKey;
use crate::s3::values::time;
use crate::s3::values::time::Timestamp;
pub use presign::{PostPolicy, PresignedPost};
use std::ops::RangeInclusive;
pub use success::{SuccessAnswer, redirect_location};

mod condition;
mod document;
pub(super) mod file_name;
mod presign;
mod success;
#[cfg(test)]
mod tests;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// Bytes of one object that comes in one request. AWS: 5 GiB.
const MAX_OBJECT_BYTES: u64 = 5 << 30;
/// Bytes of all names (without `x-amz-meta-`) and values of user metadata. AWS: 2 KB.
const MAX_METADATA_BYTES: usize = 2048;
const METADATA_PREFIX: &str = "x-amz-meta-";

/// The fields of a form that stand before `file`. Names lower case, unique.
#[derive(Debug, Clone, Default)]
pub struct FormFields {
    pub fields: Vec<(String, String)>,
}
impl FormFields {
    #[must_use]
    pub fn get(&self, lower_case_name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(name, _)| name == lower_case_name)
            .map(|(_, value)| value.as_str())
    }
    /// As [`FormFields::get`], for a field that the form must have.
    fn required(&self, name: &'static str) -> Result<&str, S3Error> {
        self.get(&name.to_ascii_lowercase())
            .ok_or_else(|| missing_field(name, ""))
    }
    /// Those of `names` that the form does not have.
    fn missing_of(&self, names: &[&'static str]) -> Vec<&'static str> {
        let is_missing = |name: &&&str| self.get(&name.to_ascii_lowercase()).is_none();
        names.iter().filter(is_missing).copied().collect()
    }
}

// AWS: the words for a missing field, whichever it is
fn missing_field(name: &'static str, more: &str) -> S3Error {
    S3Error::invalid_argument(
        format!(
            "Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields.{more}"
        ),
        name,
        "",
    )
}

/// The fields that sign a policy by Signature Version 4, well formed.
#[derive(Debug)]
struct V4Fields {
    credential: Credential,
    date: Timestamp,
    signature: String,
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

/// The refusal of a form that has a policy and not all fields of either version of the signature: it says which ones
/// are missing of the version, or versions, of which it has some.
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

/// Who a form says has signed its policy.
#[derive(Debug)]
enum Signed {
    V4(V4Fields),
    V2 {
        access_key: String,
        signature: String,
    },
    /// No policy either: anybody's form.
    Nobody,
}
impl Signed {
    fn parse(fields: &FormFields, rules: &Rules) -> Result<Self, S3Error> {
        if fields.get("policy").is_none() {
            return Ok(Self::Nobody);
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
    fn verify(&self, policy: &str, keys: &Keys<'_>) -> Result<Option<String>, S3Error> {
        let (holds, access_key) = match self {
            Self::Nobody => return Ok(None),
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

/// A form whose policy and signature are there and well formed, or none of them is; checked by nobody yet (steps 2 and
/// 3 of section 2).
#[derive(Debug)]
pub struct UnverifiedForm {
    bucket: BucketName,
    fields: FormFields,
    file_name: String,
    signed: Signed,
}
impl UnverifiedForm {
    /// `file_name`: of the file part, for `${filename}`.
    /// # Errors
    /// Steps 2 and 3 of *Order of checks*.
    pub fn parse(
        bucket: &BucketName,
        fields: FormFields,
        file_name: Option<&str>,
        rules: &Rules,
    ) -> Result<Self, S3Error> {
        refuse_mangled(&fields)?;
        let signed = Signed::parse(&fields, rules)?;
        fields.required("key")?;
        Ok(Self {
            bucket: bucket.clone(),
            fields,
            file_name: file_name::without_path(file_name.unwrap_or_default()).to_owned(),
            signed,
        })
    }
    /// Steps 4 to 8: signature, policy, expiration, conditions, extra fields, key and metadata sizes.
    /// # Errors
    /// As those steps say; `S3Error::log` names the condition for the administrator.
    pub fn evaluate(mut self, keys: &Keys<'_>, now: Timestamp) -> Result<Grant, S3Error> {
        let policy = self.fields.get("policy").unwrap_or_default();
        let access_key = self.signed.verify(policy, keys)?;
        let mut length = 0..=MAX_OBJECT_BYTES;
        if access_key.is_some() {
            let document = Document::parse(policy).map_err(|reason| {
                S3Error::with_message(ErrorCode::InvalidPolicyDocument, reason)
                    .logged("the policy of a form is no policy document")
            })?;
            if let Signed::V4(signed) = &self.signed
                && signed.date > now.plus(MAX_SKEW)
            {
                return Err(S3Error::new(ErrorCode::RequestTimeTooSkewed)
                    .logged("the date of a form is over 15 minutes ahead"));
            }
            if document.expiration <= now {
                return Err(denied("Policy expired."));
            }
            file_name::fill_in(&mut self.fields, &self.file_name)?;
            self.check_conditions(&document.conditions)?;
            length = strictest_length(&document.conditions)?;
        } else {
            file_name::fill_in(&mut self.fields, &self.file_name)?;
        }
        let key = self.fields.get("key").unwrap_or_default();
        let key = ObjectKey::parse(key).map_err(|invalid| invalid.refuse(key))?;
        check_metadata(&self.fields)?;
        let fields = self.fields.fields.iter();
        request_headers::judge(
            op::POST_OBJECT,
            fields.map(|(name, value)| (name.as_str(), value.as_str())),
        )?;
        Ok(Grant {
            length,
            success: SuccessAnswer::from_fields(&self.fields),
            access_key,
            bucket: self.bucket,
            key,
            fields: self.fields,
        })
    }
    /// Step 7.
    fn check_conditions(&self, conditions: &[Condition]) -> Result<(), S3Error> {
        for condition in conditions {
            if !self.satisfies(condition) {
                return Err(
                    denied(&format!("Policy Condition failed: {condition}")).logged(
                        // The condition's value is a form's field, which no log holds.
                        format!(
                            "Policy Condition failed: that of the field {}",
                            condition.field().unwrap_or_default()
                        ),
                    ),
                );
            }
        }
        let covered = |name: &str| {
            conditions
                .iter()
                .any(|condition| condition.field() == Some(name))
        };
        // AWS: the addressed bucket is a field like any other, posted or not
        let posted = self.fields.fields.iter().map(|(name, _)| name.as_str());
        if let Some(extra) = std::iter::once("bucket")
            .chain(posted)
            .find(|name| !needs_no_condition(name) && !covered(name))
        {
            return Err(denied(&format!("Extra input fields: {extra}")));
        }
        Ok(())
    }
    fn satisfies(&self, condition: &Condition) -> bool {
        match condition.field() {
            None => true,
            // Plane: its clients never post the bucket, and its policies state it twice
            Some("bucket") => {
                condition.holds(Some(self.bucket.as_str()))
                    && self
                        .fields
                        .get("bucket")
                        .is_none_or(|posted| posted == self.bucket.as_str())
            }
            Some(field) => condition.holds(self.fields.get(field)),
        }
    }
}
/// Step 2, and forms that something on their way has mangled: they are told so, and not that their signature is wrong.
fn refuse_mangled(fields: &FormFields) -> Result<(), S3Error> {
    let malformed = |message: &'static str| {
        Err(S3Error::with_message(
            ErrorCode::MalformedPOSTRequest,
            message,
        ))
    };
    let denied =
        |message: &'static str| Err(S3Error::with_message(ErrorCode::AccessDenied, message));
    let policy = fields.get("policy");
    let is_signed = fields.missing_of(V4_FIELDS).len() < V4_FIELDS.len()
        || fields.missing_of(V2_FIELDS).len() < V2_FIELDS.len();
    if fields.fields.is_empty() {
        return malformed(
            "The form has no field before its part named 'file'; fields that follow the file are ignored.",
        );
    }
    if fields.fields.iter().all(|(_, value)| value.is_empty()) {
        return malformed("All fields of the form arrived empty.");
    }
    match policy {
        Some("") => malformed("The field 'policy' of the form arrived empty."),
        Some(_) if !is_signed => {
            denied("Access Denied: the form has a policy and no field that signs it.")
        }
        None if fields.get("key").is_none() => malformed(
            "The form has neither a field 'key' nor a field 'policy' before its part named 'file'.",
        ),
        None if is_signed => denied("Access Denied: the form is signed and has no field 'policy'."),
        _ => Ok(()),
    }
}
/// The fields that sign a form by Version 4.
const V4_FIELDS: &[&str] = &[
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-signature",
];
/// The fields that sign a form by Version 2, as AWS writes them.
const V2_FIELDS: &[&str] = &["AWSAccessKeyId", "signature"];
/// AWS: the fields that may be posted though no condition names them. A checksum as well: it widens nothing that the
/// policy allows, and Ceph's suite posts one so.
fn needs_no_condition(name: &str) -> bool {
    matches!(
        name,
        "x-amz-signature" | "file" | "policy" | "awsaccesskeyid" | "signature"
    ) || name.starts_with("x-ignore-")
        || request_headers::states_a_checksum(name)
}
fn denied(reason: &str) -> S3Error {
    S3Error::with_message(
        ErrorCode::AccessDenied,
        format!("Invalid according to Policy: {reason}"),
    )
    .logged(reason)
}
fn check_metadata(fields: &FormFields) -> Result<(), S3Error> {
    let size: usize = fields
        .fields
        .iter()
        .filter_map(|(name, value)| Some(name.strip_prefix(METADATA_PREFIX)?.len() + value.len()))
        .sum();
    if size > MAX_METADATA_BYTES {
        return Err(S3Error::new(ErrorCode::MetadataTooLarge)
            .extra("Size", size.to_string())
            .extra("MaxSizeAllowed", MAX_METADATA_BYTES.to_string()));
    }
    Ok(())
}
/// What all length ranges allow together.
fn strictest_length(conditions: &[Condition]) -> Result<RangeInclusive<u64>, S3Error> {
    let (mut min, mut max) = (0, MAX_OBJECT_BYTES);
    for condition in conditions {
        if let Condition::ContentLength(range) = condition {
            min = min.max(*range.start());
            max = max.min(*range.end());
        }
    }
    if min > max {
        return Err(S3Error::with_message(
            ErrorCode::InvalidPolicyDocument,
            format!(
                "Invalid Policy: no file has {min} bytes or more and {max} or less, as its content-length-range conditions want together."
            ),
        ));
    }
    Ok(min..=max)
}

/// Proof: this form's signature, expiry and every condition held, or nobody signed it and it states no policy. Only
/// [`UnverifiedForm::evaluate`] makes it.
#[derive(Debug)]
pub struct Grant {
    bucket: BucketName,
    key: ObjectKey,
    length: std::ops::RangeInclusive<u64>,
    fields: FormFields,
    success: SuccessAnswer,
    access_key: Option<String>,
}
impl Grant {
    #[must_use]
    pub fn bucket(&self) -> &BucketName {
        &self.bucket
    }
    #[must_use]
    pub fn key(&self) -> &ObjectKey {
        &self.key
    }
    /// Bytes allowed, the strictest of all ranges; `0..=5 GiB` where the policy has none.
    #[must_use]
    pub fn length(&self) -> std::ops::RangeInclusive<u64> {
        self.length.clone()
    }
    /// All fields before the file, with its name where `${filename}` stood.
    #[must_use]
    pub fn fields(&self) -> &FormFields {
        &self.fields
    }
    #[must_use]
    pub fn success(&self) -> &SuccessAnswer {
        &self.success
    }
    /// Who signed the policy; `None`: nobody, and there is none.
    #[must_use]
    pub fn access_key(&self) -> Option<&str> {
        self.access_key.as_deref()
    }
}
