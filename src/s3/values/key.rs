//! Keys of objects: 1 to 1024 bytes of UTF-8 without NUL, kept exactly.
//!
//! A key is a name, not a path: `a//b`, `..`, a leading `/` and every other character mean themselves.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>
use crate::s3::values::error::{ErrorCode, S3Error};
use std::sync::Arc;

/// Bytes of UTF-8 that a key may have.
pub const MAX_KEY_BYTES: usize = 1024;

#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectKey(Arc<str>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    #[error("The key is empty.")]
    Empty,
    #[error("Your key is too long")]
    TooLong,
    #[error("The key holds a NUL character.")]
    HoldsNul,
}

impl ObjectKey {
    /// # Errors
    /// See [`InvalidKey`].
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        if text.is_empty() {
            Err(InvalidKey::Empty)
        } else if text.len() > MAX_KEY_BYTES {
            Err(InvalidKey::TooLong)
        } else if text.contains('\0') {
            Err(InvalidKey::HoldsNul)
        } else {
            Ok(Self(text.into()))
        }
    }
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl InvalidKey {
    /// The S3 error for a request that named the key `text`.
    #[must_use]
    pub fn refuse(self, text: &str) -> S3Error {
        match self {
            Self::Empty => {
                S3Error::invalid_argument("User key must have a length greater than 0.", "key", "")
            }
            Self::TooLong => S3Error::new(ErrorCode::KeyTooLongError)
                .extra("Size", text.len().to_string())
                .extra("MaxSizeAllowed", MAX_KEY_BYTES.to_string()),
            Self::HoldsNul => S3Error::with_message(
                ErrorCode::InvalidObjectName,
                "The key holds a NUL character, which no object name may hold.",
            ),
        }
    }
}
impl TryFrom<String> for ObjectKey {
    type Error = InvalidKey;
    fn try_from(text: String) -> Result<Self, InvalidKey> {
        Self::parse(&text)
    }
}
impl From<ObjectKey> for String {
    fn from(key: ObjectKey) -> Self {
        key.0.as_ref().to_owned()
    }
}
impl std::fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_kept_exactly() {
        for text in [
            "a//b",
            "..",
            "/a",
            "a/../b",
            "\u{1}\r\n",
            "żółw ☕",
            " ",
            ".",
        ] {
            assert_eq!(ObjectKey::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn length_is_counted_in_bytes_of_utf8() {
        assert!(ObjectKey::parse(&"a".repeat(1024)).is_ok());
        assert!(ObjectKey::parse(&"ą".repeat(512)).is_ok());
        assert_eq!(
            ObjectKey::parse(&"a".repeat(1025)),
            Err(InvalidKey::TooLong)
        );
        assert_eq!(ObjectKey::parse(&"ą".repeat(513)), Err(InvalidKey::TooLong));
    }

    #[test]
    fn an_empty_key_and_a_nul_are_refused() {
        assert_eq!(ObjectKey::parse(""), Err(InvalidKey::Empty));
        assert_eq!(ObjectKey::parse("a\0b"), Err(InvalidKey::HoldsNul));
    }
}
