//! A policy document as JSON: `expiration` and `conditions`, and nothing else.
//!
//! The parser takes the shapes that conditions need and no deeper ones, so that hostile nesting is refused where it
//! begins; a name that stands twice in one object is refused, since a policy proves one value, not two.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>
use crate::s3::policy::condition::Condition;
use crate::s3::values::time;
use crate::s3::values::time::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

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

struct RawDocument {
    expiration: String,
    conditions: Vec<RawCondition>,
}
impl<'de> Deserialize<'de> for RawDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DocumentVisitor;
        impl<'de> Visitor<'de> for DocumentVisitor {
            type Value = RawDocument;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with expiration and conditions")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawDocument, A::Error> {
                let (mut expiration, mut conditions) = (None, None);
                while let Some(name) = map.next_key::<String>()? {
                    let repeated = match name.as_str() {
                        "expiration" => expiration.replace(map.next_value()?).is_some(),
                        "conditions" => conditions.replace(map.next_value()?).is_some(),
                        _ => return Err(unexpected_name(&name)),
                    };
                    if repeated {
                        return Err(repeated_name(&name));
                    }
                }
                Ok(RawDocument {
                    expiration: expiration
                        .ok_or_else(|| de::Error::custom("Policy missing expiration"))?,
                    conditions: conditions
                        .ok_or_else(|| de::Error::custom("Policy missing conditions"))?,
                })
            }
        }
        deserializer.deserialize_map(DocumentVisitor)
    }
}
fn unexpected_name<E: de::Error>(name: &str) -> E {
    let shown: String = name.chars().take(64).collect();
    E::custom(format_args!("Unexpected: '{shown}'"))
}
fn repeated_name<E: de::Error>(name: &str) -> E {
    let shown: String = name.chars().take(64).collect();
    E::custom(format_args!("'{shown}' stands twice"))
}

/// A member of `conditions`, of the right shape and nothing more.
#[derive(Debug)]
pub(super) enum RawCondition {
    /// Names and values of an object.
    Simple(Vec<(String, Scalar)>),
    List(Vec<Scalar>),
}
impl<'de> Deserialize<'de> for RawCondition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ConditionVisitor;
        impl<'de> Visitor<'de> for ConditionVisitor {
            type Value = RawCondition;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a condition: an object or a list")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawCondition, A::Error> {
                let mut members: Vec<(String, Scalar)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Scalar>()? {
                    if !members.is_empty() {
                        return Err(de::Error::custom(super::condition::ONE_PROPERTY));
                    }
                    members.push((name, value));
                }
                Ok(RawCondition::Simple(members))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<RawCondition, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = list.next_element()? {
                    members.push(member);
                }
                Ok(RawCondition::List(members))
            }
        }
        deserializer.deserialize_any(ConditionVisitor)
    }
}
/// What a condition is made of.
#[derive(Debug)]
pub(super) enum Scalar {
    Text(String),
    Number(u64),
}
impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarVisitor;
        impl Visitor<'_> for ScalarVisitor {
            type Value = Scalar;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a whole number that is not negative")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(text.to_owned()))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Scalar, E> {
                Ok(Scalar::Number(number))
            }
        }
        deserializer.deserialize_any(ScalarVisitor)
    }
}
