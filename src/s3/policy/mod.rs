//! POST policies: built and signed for clients, parsed and evaluated when a form comes.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>
use super::sigv4::{Credential, SigningKey};
use super::{BucketName, ObjectKey, S3Error};
use crate::clock::Timestamp;

/// What an upload through one policy may be. Built by the asset API.
#[derive(Debug, Clone)]
pub struct PostPolicy<'a> {
    pub bucket: &'a BucketName,
    pub key: &'a ObjectKey,
    pub content_type: &'a str,
    /// Bytes, both inclusive.
    pub length: std::ops::RangeInclusive<u64>,
    /// `x-amz-date`
    pub now: Timestamp,
    pub expires_at: Timestamp,
    pub credential: &'a Credential,
}
impl PostPolicy<'_> {
    /// The seven form fields of section 1.3 of the Plane contract, in its order; the policy in the form of its test vector 3.
    #[must_use]
    pub fn sign(&self, _key: &SigningKey) -> PresignedPost {
        todo!()
    }
}
#[derive(Debug, Clone)]
pub struct PresignedPost {
    /// name, value: in the order in which they are to be shown and posted
    pub fields: Vec<(&'static str, String)>,
}

/// The fields of a form that stand before `file`. Names lower case, unique.
#[derive(Debug, Clone, Default)]
pub struct FormFields {
    pub fields: Vec<(String, String)>,
}
impl FormFields {
    #[must_use]
    pub fn get(&self, _lower_case_name: &str) -> Option<&str> {
        todo!()
    }
}
/// A form whose policy and signature are there and well formed, checked by nobody yet (steps 2 and 3 of section 2).
#[derive(Debug)]
pub struct SignedForm {}
impl SignedForm {
    /// `file_name`: of the file part, for `${filename}`.
    /// # Errors
    /// Steps 2 and 3 of *Order of checks*.
    pub fn parse(
        _bucket: &BucketName,
        _fields: FormFields,
        _file_name: Option<&str>,
        _regions: &super::sigv4::RegionRule,
    ) -> Result<Self, S3Error> {
        todo!()
    }
    #[must_use]
    pub fn credential(&self) -> &Credential {
        todo!()
    }
    /// Steps 4 to 8: signature, policy, expiration, conditions, extra fields, key and metadata sizes.
    /// # Errors
    /// As those steps say; `S3Error::log` names the condition for the administrator.
    pub fn evaluate(self, _key: &SigningKey, _now: Timestamp) -> Result<Grant, S3Error> {
        todo!()
    }
}
/// How success is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SuccessAnswer {
    /// A valid absolute http(s) URL
    Redirect(String),
    /// 200, 201 or 204
    Status(u16),
}
/// Proof: this form's signature, expiry and every condition held. Only [`SignedForm::evaluate`] makes it.
#[derive(Debug)]
pub struct Grant {
    bucket: BucketName,
    key: ObjectKey,
    length: std::ops::RangeInclusive<u64>,
    fields: FormFields,
    success: SuccessAnswer,
    access_key: String,
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
    #[must_use]
    pub fn fields(&self) -> &FormFields {
        &self.fields
    }
    #[must_use]
    pub fn success(&self) -> &SuccessAnswer {
        &self.success
    }
    #[must_use]
    pub fn access_key(&self) -> &str {
        &self.access_key
    }
}
