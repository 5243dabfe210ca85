//! One condition of a policy, and whether it holds of a form.
use crate::s3::policy::json::{ONE_PROPERTY, RawCondition, Scalar};
use std::fmt;
use std::ops::RangeInclusive;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// `field` is lower case, as all fields are.
    Equals {
        field: String,
        value: String,
    },
    StartsWith {
        field: String,
        prefix: String,
    },
    /// Bytes of the file; never a range that nothing can meet.
    ContentLength(RangeInclusive<u64>),
}
impl Condition {
    /// # Errors
    /// The reason, for `InvalidPolicyDocument`.
    pub(super) fn from_json(raw: RawCondition) -> Result<Self, String> {
        match raw {
            RawCondition::Simple(members) => Self::simple(members),
            RawCondition::List(members) => Self::list(members),
        }
    }
    fn simple(members: Vec<(String, Scalar)>) -> Result<Self, String> {
        let mut members = members.into_iter();
        match (members.next(), members.next()) {
            (Some((field, Scalar::Text(value))), None) if !field.is_empty() => Ok(Self::Equals {
                field: field.to_lowercase(),
                value,
            }),
            (Some(_), None) => Err("Invalid Simple-Condition: value must be a string.".to_owned()),
            _ => Err(format!("{ONE_PROPERTY}.")),
        }
    }
    fn list(members: Vec<Scalar>) -> Result<Self, String> {
        let Ok([Scalar::Text(operator), first, second]) = <[Scalar; 3]>::try_from(members) else {
            return Err(
                "Invalid Condition: a list must have an operator and two arguments.".to_owned(),
            );
        };
        match operator.to_ascii_lowercase().as_str() {
            "eq" => {
                let (field, value) = field_and_text(first, second)?;
                Ok(Self::Equals { field, value })
            }
            "starts-with" => {
                let (field, prefix) = field_and_text(first, second)?;
                Ok(Self::StartsWith { field, prefix })
            }
            "content-length-range" => content_length_range(&first, &second),
            _ => Err("Invalid Condition: unknown operation.".to_owned()),
        }
    }
    /// The field that the condition speaks of; a length range speaks of none.
    pub(super) fn field(&self) -> Option<&str> {
        match self {
            Self::Equals { field, .. } | Self::StartsWith { field, .. } => Some(field),
            Self::ContentLength(_) => None,
        }
    }
    /// Whether it holds of its field's value (`None`: the field was not posted). A length range is held while the file
    /// streams, not here.
    pub(super) fn holds(&self, value: Option<&str>) -> bool {
        match self {
            Self::Equals {
                value: expected, ..
            } => value == Some(expected.as_str()),
            Self::StartsWith { prefix, .. } if prefix.is_empty() => true,
            // AWS: a Content-Type may be a comma-separated list, and each member must match
            Self::StartsWith { field, prefix } if field == "content-type" => value
                .is_some_and(|types| types.split(',').all(|kind| kind.trim().starts_with(prefix))),
            Self::StartsWith { prefix, .. } => value.is_some_and(|value| value.starts_with(prefix)),
            Self::ContentLength(_) => true,
        }
    }
}
/// As a policy states it in its list form: the words that AWS answers with.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equals { field, value } => write!(f, "[\"eq\", \"${field}\", \"{value}\"]"),
            Self::StartsWith { field, prefix } => {
                write!(f, "[\"starts-with\", \"${field}\", \"{prefix}\"]")
            }
            Self::ContentLength(range) => write!(
                f,
                "[\"content-length-range\", {}, {}]",
                range.start(),
                range.end()
            ),
        }
    }
}
fn field_and_text(field: Scalar, text: Scalar) -> Result<(String, String), String> {
    match (field, text) {
        (Scalar::Text(field), Scalar::Text(text)) => {
            match field.strip_prefix('$').filter(|name| !name.is_empty()) {
                Some(name) => Ok((name.to_lowercase(), text)),
                None => Err(
                    "Invalid Condition: a field's name must begin with a dollar sign.".to_owned(),
                ),
            }
        }
        _ => Err("Invalid Condition: the arguments must be strings.".to_owned()),
    }
}
fn content_length_range(min: &Scalar, max: &Scalar) -> Result<Condition, String> {
    let (Some(min), Some(max)) = (byte_count(min), byte_count(max)) else {
        return Err("Invalid content-length-range: wants two whole numbers of bytes.".to_owned());
    };
    if min > max {
        // Plane: policies for a file of size 0 have the range 1 to 0
        return Err(format!(
            "Invalid content-length-range: no file has {min} bytes or more and {max} or less."
        ));
    }
    Ok(Condition::ContentLength(min..=max))
}
/// A number, or a string of digits.
fn byte_count(scalar: &Scalar) -> Option<u64> {
    match scalar {
        Scalar::Number(number) => Some(*number),
        Scalar::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        Scalar::Text(_) => None,
    }
}
