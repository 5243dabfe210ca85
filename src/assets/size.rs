//! The size that a client asks for. Plane contract, section 1.5.
use serde_json::value::RawValue;

/// The size that a body states, before it is clamped to the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedSize {
    Absent,
    /// Bytes, possibly none; `u64::MAX` stands for everything above it too.
    Bytes(u64),
    /// Negative, or no number of bytes at all.
    Unusable,
}
impl AskedSize {
    /// Reads a JSON value as it was sent: a number (its fraction dropped), or a text of digits.
    #[must_use]
    pub fn read(sent: Option<&RawValue>) -> Self {
        let Some(sent) = sent else {
            return Self::Absent;
        };
        let text = sent.get();
        let bytes = match text.as_bytes().first() {
            Some(b'0'..=b'9') => bytes_of_number(text),
            Some(b'"') => serde_json::from_str::<String>(text)
                .ok()
                .and_then(|text| bytes_of_digits(text.trim())),
            // A negative number rounds to zero or less; null, booleans, lists and objects are no sizes.
            _ => None,
        };
        bytes.map_or(Self::Unusable, Self::Bytes)
    }

    /// The bytes that the policy allows; `None`: 400.
    #[must_use]
    pub fn clamped(self, limit_bytes: u64) -> Option<u64> {
        match self {
            Self::Absent => Some(limit_bytes),
            Self::Bytes(0) | Self::Unusable => None,
            Self::Bytes(bytes) => Some(bytes.min(limit_bytes)),
        }
    }
}

fn bytes_of_number(text: &str) -> Option<u64> {
    if !text.contains(['.', 'e', 'E']) {
        return bytes_of_digits(text);
    }
    let number: f64 = text.parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "drops the fraction and saturates, as wanted; the text has no sign"
    )]
    Some(number as u64)
}
/// Numbers that do not fit become `u64::MAX`, which is over any limit.
fn bytes_of_digits(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("1", Some(1))]
    #[case("73", Some(73))]
    #[case("5242880", Some(5_242_880))]
    #[case("5242881", Some(5_242_880))]
    #[case("99999999999999999999999999999999", Some(5_242_880))]
    #[case("1e400", Some(5_242_880))]
    #[case("10.9", Some(10))]
    #[case("1.5e3", Some(1500))]
    #[case(r#""1024""#, Some(1024))]
    #[case(r#"" 1024\n""#, Some(1024))]
    #[case("0", None)]
    #[case("0.5", None)]
    #[case("-1", None)]
    #[case("-0.5", None)]
    #[case("null", None)]
    #[case(r#""""#, None)]
    #[case(r#""abc""#, None)]
    #[case(r#""10.9""#, None)]
    #[case(r#""-5""#, None)]
    #[case(r#""٣""#, None)]
    #[case("[]", None)]
    #[case("{}", None)]
    #[case("true", None)]
    #[case("false", None)]
    fn a_size_is_clamped_or_unusable(#[case] sent: &str, #[case] bytes: Option<u64>) {
        let sent = RawValue::from_string(sent.to_owned()).unwrap();
        assert_eq!(AskedSize::read(Some(&sent)).clamped(5_242_880), bytes);
    }

    #[test]
    fn an_absent_size_means_the_limit() {
        assert_eq!(AskedSize::read(None).clamped(77), Some(77));
    }
}
