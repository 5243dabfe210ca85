//! Evaluates a form against its policy; the proof that it holds is a [`Grant`].

use crate::s3::headers::request_headers;
use crate::s3::op;
use crate::s3::policy::condition::Condition;
use crate::s3::policy::document::Document;
use crate::s3::policy::fields::FormFields;
use crate::s3::policy::file_name;
use crate::s3::policy::form_signature::{FormSignature, V2_FIELDS, V4_FIELDS};
use crate::s3::policy::success::SuccessAnswer;
use crate::s3::signature::credential::keys::Keys;
use crate::s3::signature::credential::rules::Rules;
use crate::s3::signature::request::date::MAX_SKEW;
use crate::s3::values::bucket::BucketName;
use crate::s3::values::error::{ErrorCode, S3Error};
use crate::s3::values::key::ObjectKey;
use crate::s3::values::time::Timestamp;
use std::ops::RangeInclusive;

/// Bytes of one object that comes in one request. AWS: 5 GiB.
const MAX_OBJECT_BYTES: u64 = 5 << 30;

/// Bytes of all names (without `x-amz-meta-`) and values of user metadata. AWS: 2 KB.
const MAX_METADATA_BYTES: usize = 2048;

const METADATA_PREFIX: &str = "x-amz-meta-";

/// A form with a well-formed policy and signature, or with neither; not verified yet (steps 2 and 3 of section 2).
#[derive(Debug)]
pub struct UnverifiedForm {
    bucket: BucketName,
    fields: FormFields,
    file_name: String,
    signed: FormSignature,
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
        let signed = FormSignature::parse(&fields, rules)?;
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
            if let FormSignature::V4(signed) = &self.signed
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
                        // The condition's value is a field of the form, which is never logged.
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

/// Step 2, and forms that were mangled on their way: the answer says so, and not that the signature is wrong.
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

/// The intersection of all length ranges.
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

/// Proof: this form's signature, expiry and every condition hold, or it is unsigned and states no policy. Only
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
    /// The key that signed the policy; `None`: the form states no policy.
    #[must_use]
    pub fn access_key(&self) -> Option<&str> {
        self.access_key.as_deref()
    }
}
