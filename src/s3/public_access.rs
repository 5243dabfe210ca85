//! Whether a bucket blocks what would make it public.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PublicAccessBlockConfiguration.html>

use super::xml::{self, Namespace};
use super::{ErrorCode, S3Error};
use serde::{Deserialize, Deserializer};

/// The four switches. ACLs grant nothing here whatever the two of them say, so all they do is to refuse public ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the four independent switches of AWS's document"
)]
pub struct PublicAccessBlock {
    /// A public ACL is refused.
    #[serde(rename = "BlockPublicAcls", default, deserialize_with = "switch")]
    pub block_public_acls: bool,
    /// Public ACLs grant nothing, as they never do.
    #[serde(rename = "IgnorePublicAcls", default, deserialize_with = "switch")]
    pub ignore_public_acls: bool,
    /// A public policy is refused.
    #[serde(rename = "BlockPublicPolicy", default, deserialize_with = "switch")]
    pub block_public_policy: bool,
    /// A public policy allows signed requests alone.
    #[serde(rename = "RestrictPublicBuckets", default, deserialize_with = "switch")]
    pub restrict_public_buckets: bool,
}

/// AWS: answers upper case, takes any.
fn switch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(serde::de::Error::custom("neither true nor false")),
    }
}

impl PublicAccessBlock {
    /// # Errors
    /// `MalformedXML`
    pub fn parse(text: &str) -> Result<Self, S3Error> {
        xml::read(text).ok_or_else(|| S3Error::new(ErrorCode::MalformedXML))
    }

    /// The document, as it is kept and given back.
    #[must_use]
    pub fn to_xml(self) -> String {
        let switches = [
            ("BlockPublicAcls", self.block_public_acls),
            ("IgnorePublicAcls", self.ignore_public_acls),
            ("BlockPublicPolicy", self.block_public_policy),
            ("RestrictPublicBuckets", self.restrict_public_buckets),
        ];
        xml::document(
            "PublicAccessBlockConfiguration",
            Namespace::S3,
            |configuration| {
                for (name, on) in switches {
                    configuration.text(name, if on { "true" } else { "false" });
                }
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_that_is_not_named_is_off() {
        let parsed = PublicAccessBlock::parse(
            "<PublicAccessBlockConfiguration><BlockPublicAcls>TRUE</BlockPublicAcls>\
             <BlockPublicPolicy>false</BlockPublicPolicy></PublicAccessBlockConfiguration>",
        )
        .unwrap();
        assert_eq!(
            parsed,
            PublicAccessBlock {
                block_public_acls: true,
                ..PublicAccessBlock::default()
            }
        );
        assert_eq!(PublicAccessBlock::parse(&parsed.to_xml()).unwrap(), parsed);
    }

    #[test]
    fn a_switch_is_on_or_off() {
        let text = "<PublicAccessBlockConfiguration><BlockPublicAcls>maybe</BlockPublicAcls></PublicAccessBlockConfiguration>";
        assert_eq!(
            PublicAccessBlock::parse(text).unwrap_err().code,
            ErrorCode::MalformedXML
        );
    }
}
