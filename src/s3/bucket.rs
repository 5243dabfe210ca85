//! Names of buckets. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
use std::sync::Arc;

/// A name that a bucket may have: 3 to 63 of `a-z 0-9 . -`, by AWS's rules.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct BucketName(Arc<str>);

#[derive(Debug, thiserror::Error)]
#[error("The specified bucket is not valid.")]
pub struct InvalidBucketName;

impl BucketName {
    /// # Errors
    /// When no bucket can have this name.
    pub fn parse(_text: &str) -> Result<Self, InvalidBucketName> {
        todo!()
    }
    /// As [`BucketName::parse`], and the name is not one that addresses something else (`api`, `minio`).
    /// # Errors
    /// When no new bucket may take this name.
    pub fn parse_new(_text: &str) -> Result<Self, InvalidBucketName> {
        todo!()
    }
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl TryFrom<String> for BucketName {
    type Error = InvalidBucketName;
    fn try_from(text: String) -> Result<Self, InvalidBucketName> {
        Self::parse(&text)
    }
}
impl From<BucketName> for String {
    fn from(name: BucketName) -> Self {
        name.0.as_ref().to_owned()
    }
}
impl std::fmt::Display for BucketName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
