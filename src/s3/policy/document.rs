//! A policy document: `expiration` and `conditions`, and nothing else.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>

use crate::s3::policy::condition::Condition;
use crate::s3::policy::json::RawDocument;
use crate::s3::values::time::{self, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

#[derive(Debug)]
pub(super) struct Document {
    pub(super) expiration: Timestamp,
    pub(super) conditions: Vec<Condition>,
}

impl Document {
    /// From the base64 text of the form's `policy`.
    /// # Errors
    /// The reason, for `InvalidPolicyDocument`.
    pub(super) fn parse(base64: &str) -> Result<Self, String> {
        let json = STANDARD
            .decode(base64)
            .map_err(|_| "Invalid Policy: Invalid base64.".to_owned())?;
        let json = std::str::from_utf8(&json)
            .map_err(|_| "Invalid Policy: The document is not UTF-8.".to_owned())?;
        let document: RawDocument = serde_json::from_str(json).map_err(|error| reason(&error))?;
        let expiration = time::parse_iso8601(&document.expiration)
            .ok_or("Invalid Policy: Invalid 'expiration' value.")?;
        let conditions = document
            .conditions
            .into_iter()
            .map(Condition::from_json)
            .collect::<Result<_, _>>()
            .map_err(|reason| format!("Invalid Policy: {reason}"))?;
        Ok(Self {
            expiration,
            conditions,
        })
    }
}

/// What is wrong with the document, without serde's line and column, which say nothing of one line of JSON.
fn reason(error: &serde_json::Error) -> String {
    if !error.is_data() {
        return "Invalid Policy: Invalid JSON.".to_owned();
    }
    let text = error.to_string();
    let text = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(text, _)| text);
    format!("Invalid Policy: {text}.")
}
