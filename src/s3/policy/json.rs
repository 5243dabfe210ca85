//! The JSON of a policy document, as serde reads it: the right shapes and no other.
//!
//! It takes the shapes that conditions need and no deeper ones, so that hostile nesting is refused where it
//! begins; a name that occurs twice in one object is refused, since a policy proves one value, not two.

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// AWS: the words for an object of none or several members.
pub(super) const ONE_PROPERTY: &str =
    "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified";

pub(super) struct RawDocument {
    pub(super) expiration: String,
    pub(super) conditions: Vec<RawCondition>,
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
                        return Err(de::Error::custom(ONE_PROPERTY));
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
