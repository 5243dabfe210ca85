//! Who owns what others put into a bucket: here always the one owner, whatever is chosen. What the choice still says is
//! whether ACLs may be stated at all.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>

use super::xml::{self, Namespace};
use super::{ErrorCode, S3Error};
use serde::Deserialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectOwnership {
    /// ACLs are disabled.
    BucketOwnerEnforced,
    BucketOwnerPreferred,
    ObjectWriter,
}

#[derive(Deserialize)]
struct OwnershipControls {
    #[serde(rename = "Rule", default)]
    rules: Vec<Rule>,
}
#[derive(Deserialize)]
struct Rule {
    #[serde(rename = "ObjectOwnership")]
    ownership: String,
}

impl ObjectOwnership {
    const NAMES: [(&str, Self); 3] = [
        ("BucketOwnerEnforced", Self::BucketOwnerEnforced),
        ("BucketOwnerPreferred", Self::BucketOwnerPreferred),
        ("ObjectWriter", Self::ObjectWriter),
    ];

    /// As `x-amz-object-ownership` has it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let known = Self::NAMES.iter().find(|(known, _)| *known == name);
        known.map(|(_, ownership)| *ownership)
    }

    fn name(self) -> &'static str {
        let known = Self::NAMES.iter().find(|(_, ownership)| *ownership == self);
        known.expect("each has a name").0
    }

    /// # Errors
    /// `MalformedXML` unless it is one rule with one of the three.
    pub fn parse(text: &str) -> Result<Self, S3Error> {
        let controls: Option<OwnershipControls> = xml::read(text);
        let rules = controls.map(|controls| controls.rules).unwrap_or_default();
        match rules.as_slice() {
            [rule] => Self::from_name(&rule.ownership),
            _ => None,
        }
        .ok_or_else(|| S3Error::new(ErrorCode::MalformedXML))
    }

    /// The document, as it is kept and given back.
    #[must_use]
    pub fn to_xml(self) -> String {
        xml::document("OwnershipControls", Namespace::S3, |controls| {
            controls.element("Rule", |rule| rule.text("ObjectOwnership", self.name()));
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn controls_read_as_they_were_put() {
        for ownership in [
            ObjectOwnership::BucketOwnerEnforced,
            ObjectOwnership::BucketOwnerPreferred,
            ObjectOwnership::ObjectWriter,
        ] {
            assert_eq!(
                ObjectOwnership::parse(&ownership.to_xml()).unwrap(),
                ownership
            );
        }
    }

    #[rstest]
    #[case("<OwnershipControls/>")]
    #[case(
        "<OwnershipControls><Rule><ObjectOwnership>Me</ObjectOwnership></Rule></OwnershipControls>"
    )]
    #[case(&format!("<OwnershipControls>{}</OwnershipControls>", "<Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule>".repeat(2)))]
    fn other_controls_are_malformed(#[case] text: &str) {
        assert_eq!(
            ObjectOwnership::parse(text).unwrap_err().code,
            ErrorCode::MalformedXML
        );
    }
}
