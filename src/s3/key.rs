//! Keys of objects: 1 to 1024 bytes of UTF-8 without NUL, kept exactly.
use std::sync::Arc;

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
    pub fn parse(_text: &str) -> Result<Self, InvalidKey> {
        todo!()
    }
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
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
