//! Policies that this server issues: one upload, to one key, of one type, within a length.
use crate::s3::signature::credential::scope::{ALGORITHM, Credential, SigningKey};
use crate::s3::values::bucket::BucketName;
use crate::s3::values::key::ObjectKey;
use crate::s3::values::time::{self, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::fmt::Write as _;

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
    pub fn sign(&self, key: &SigningKey) -> PresignedPost {
        let credential = self.credential.to_string();
        let date = time::amz_date(self.now);
        let policy = STANDARD.encode(self.document(&credential, &date));
        let signature = key.sign(policy.as_bytes());
        PresignedPost {
            fields: vec![
                ("Content-Type", self.content_type.to_owned()),
                ("key", self.key.as_str().to_owned()),
                ("x-amz-algorithm", ALGORITHM.to_owned()),
                ("x-amz-credential", credential),
                ("x-amz-date", date),
                ("policy", policy),
                ("x-amz-signature", signature),
            ],
        }
    }
    /// Compact JSON, `expiration` first, each condition once, beyond ASCII as `\uXXXX`.
    fn document(&self, credential: &str, date: &str) -> String {
        let conditions: [Value; 7] = [
            json!({"bucket": self.bucket.as_str()}),
            json!([
                "content-length-range",
                self.length.start(),
                self.length.end()
            ]),
            json!({"Content-Type": self.content_type}),
            json!({"key": self.key.as_str()}),
            json!({"x-amz-algorithm": ALGORITHM}),
            json!({"x-amz-credential": credential}),
            json!({"x-amz-date": date}),
        ];
        let conditions = Value::from(conditions.to_vec()).to_string();
        let expiration = time::iso8601_secs(self.expires_at);
        ascii(&format!(
            r#"{{"expiration":"{expiration}","conditions":{conditions}}}"#
        ))
    }
}
/// JSON without a character beyond ASCII, which can stand in its strings only.
fn ascii(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    let mut units = [0; 2];
    for character in json.chars() {
        if character.is_ascii() {
            escaped.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut units) {
            write!(escaped, "\\u{unit:04x}").expect("writing to a string does not fail");
        }
    }
    escaped
}

#[derive(Debug, Clone)]
pub struct PresignedPost {
    /// name, value: in the order in which they are to be shown and posted
    pub fields: Vec<(&'static str, String)>,
}
