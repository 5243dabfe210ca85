//! Entity tags, held without their quotes.

#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct ETag(String);

impl ETag {
    #[must_use]
    pub fn from_md5(md5: [u8; 16]) -> Self {
        Self(hex::encode(md5))
    }
    /// The stored text of a tag, without quotes.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
    #[must_use]
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }
}
