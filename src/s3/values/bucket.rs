//! Names of buckets.
//!
//! A [`BucketName`] can be the name of a bucket, by AWS's rules; whether such a bucket exists, the store knows.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
use std::sync::Arc;

/// A name that a bucket may have: 3 to 63 of `a-z 0-9 . -`, by AWS's rules.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct BucketName(Arc<str>);

/// What may be set of a bucket: each is one document, kept as text.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum BucketSetting {
    /// JSON
    Policy,
    Cors,
    Tagging,
    Lifecycle,
    PublicAccessBlock,
    OwnershipControls,
    /// The region that it was asked to be in when it was made; no document of its own.
    Location,
}

impl BucketSetting {
    pub const ALL: [Self; 7] = [
        Self::Policy,
        Self::Cors,
        Self::Tagging,
        Self::Lifecycle,
        Self::PublicAccessBlock,
        Self::OwnershipControls,
        Self::Location,
    ];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("The specified bucket is not valid.")]
pub struct InvalidBucketName;

/// Names that address another face of the server, so that a bucket of this name could not be reached.
const TAKEN: [&str; 2] = ["api", "minio"];
/// AWS: reserved for its own kinds of buckets and aliases.
const RESERVED_PREFIXES: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
const RESERVED_SUFFIXES: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

impl BucketName {
    /// # Errors
    /// When no bucket can have this name.
    pub fn parse(text: &str) -> Result<Self, InvalidBucketName> {
        let bytes = text.as_bytes();
        let edge = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let valid = (3..=63).contains(&bytes.len())
            && bytes
                .iter()
                .all(|byte| edge(byte) || matches!(byte, b'.' | b'-'))
            && bytes.first().is_some_and(edge)
            && bytes.last().is_some_and(edge)
            && !["..", ".-", "-."].iter().any(|pair| text.contains(pair))
            && !is_ip_address_form(text);
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(InvalidBucketName)
        }
    }
    /// As [`BucketName::parse`], and the name is not one that addresses something else (`api`, `minio`).
    /// # Errors
    /// When no new bucket may take this name.
    pub fn parse_new(text: &str) -> Result<Self, InvalidBucketName> {
        let reserved = TAKEN.contains(&text)
            || RESERVED_PREFIXES
                .iter()
                .any(|prefix| text.starts_with(prefix))
            || RESERVED_SUFFIXES
                .iter()
                .any(|suffix| text.ends_with(suffix));
        if reserved {
            return Err(InvalidBucketName);
        }
        Self::parse(text)
    }
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
/// Four groups of digits: AWS refuses the form, whether or not the numbers are those of an address.
fn is_ip_address_form(text: &str) -> bool {
    text.split('.').count() == 4
        && text
            .split('.')
            .all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("abc")]
    #[case("0bc")]
    #[case("uploads")]
    #[case("a.b-c.d")]
    #[case("1.2.3")]
    #[case("1.2.3.4a")]
    #[case("api")]
    #[case(&"a".repeat(63))]
    fn a_name_by_the_rules_is_taken(#[case] name: &str) {
        assert_eq!(BucketName::parse(name).unwrap().as_str(), name);
    }

    #[rstest]
    #[case("")]
    #[case("ab")]
    #[case("Abc")]
    #[case("a_b")]
    #[case("-abc")]
    #[case("abc-")]
    #[case(".abc")]
    #[case("abc.")]
    #[case("a..b")]
    #[case("a.-b")]
    #[case("a-.b")]
    #[case("192.168.5.123")]
    #[case("999.1.2.3")]
    #[case("aąb")]
    #[case("a/b")]
    #[case("@hangar")]
    #[case(&"a".repeat(64))]
    fn a_name_against_the_rules_is_refused(#[case] name: &str) {
        assert_eq!(BucketName::parse(name), Err(InvalidBucketName));
        assert_eq!(BucketName::parse_new(name), Err(InvalidBucketName));
    }

    #[rstest]
    #[case("api")]
    #[case("minio")]
    #[case("xn--bucket")]
    #[case("bucket-s3alias")]
    #[case("bucket--ol-s3")]
    fn a_reserved_name_is_refused_for_a_new_bucket(#[case] name: &str) {
        assert!(BucketName::parse(name).is_ok());
        assert_eq!(BucketName::parse_new(name), Err(InvalidBucketName));
    }
}
