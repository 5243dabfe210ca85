//! Tags: of objects, stated by a header's query form, a form field's XML or a document; of buckets, by a document.
//!
//! Tags are in order of their keys, however they were stated. It knows of the tagged thing only how many tags it may have.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html>

use crate::s3::values::error::{ErrorCode, S3Error};
use crate::s3::values::uri;
use crate::s3::values::xml::{self, Elements, Namespace};
use serde::Deserialize;
use std::collections::BTreeSet;

const KEY_CHARACTERS: usize = 128;
const VALUE_CHARACTERS: usize = 256;
/// AWS: keys that begin so are its own.
const RESERVED: &str = "aws:";

/// What has the tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tagged {
    Object,
    Bucket,
}

impl Tagged {
    fn most(self) -> usize {
        match self {
            Self::Object => 10,
            Self::Bucket => 50,
        }
    }
}

/// Keys and values in order, no key twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags(Vec<(String, String)>);

#[derive(Deserialize)]
struct Tagging {
    #[serde(rename = "TagSet")]
    set: TagSet,
}
#[derive(Deserialize)]
struct TagSet {
    #[serde(rename = "Tag", default)]
    tags: Vec<TagElement>,
}
/// `<Tag>`, wherever a document has one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TagElement {
    #[serde(rename = "Key")]
    pub(super) key: String,
    #[serde(rename = "Value", default)]
    pub(super) value: String,
}

impl Tags {
    /// `k=v&k2=v2`, as `x-amz-tagging` has it: a query, in which `+` is a space and `%2B` a plus sign.
    ///
    /// # Errors
    /// `InvalidArgument` where it is not that form or names a key twice, `InvalidTag` for tags that an object cannot
    /// have.
    pub fn from_header(text: &str) -> Result<Self, S3Error> {
        let tags = pairs(text).filter(|tags| first_repeated(tags).is_none());
        let tags = tags.ok_or_else(|| {
            // AWS: its words, with no regard to which of the two it is.
            S3Error::invalid_argument(
                "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters \
                 without tag name duplicates.",
                "x-amz-tagging",
                text.chars().take(256).collect::<String>(),
            )
        })?;
        Self::checked(tags, Tagged::Object)
    }

    /// A `Tagging` document.
    ///
    /// # Errors
    /// `MalformedXML` where it is none, `InvalidTag` for tags that cannot be.
    pub fn from_xml(text: &str, tagged: Tagged) -> Result<Self, S3Error> {
        let tagging: Tagging =
            xml::read(text).ok_or_else(|| S3Error::new(ErrorCode::MalformedXML))?;
        let tags = tagging.set.tags.into_iter();
        Self::checked(tags.map(|tag| (tag.key, tag.value)).collect(), tagged)
    }

    /// What [`Tags::to_query`] wrote, or another server did; not checked again.
    #[must_use]
    pub fn stored(text: &str) -> Self {
        Self::in_order(pairs(text).unwrap_or_default())
    }

    /// By their keys.
    fn in_order(mut tags: Vec<(String, String)>) -> Self {
        tags.sort();
        Self(tags)
    }

    fn checked(tags: Vec<(String, String)>, tagged: Tagged) -> Result<Self, S3Error> {
        if tags.len() > tagged.most() {
            return Err(refusal(match tagged {
                Tagged::Object => "Object tags cannot be greater than 10",
                Tagged::Bucket => "Bucket tag count cannot be greater than 50",
            }));
        }
        for (key, value) in &tags {
            check_tag(key, value)?;
        }
        if let Some(key) = first_repeated(&tags) {
            return Err(
                refusal("Cannot provide multiple Tags with the same key").extra("TagKey", key)
            );
        }
        Ok(Self::in_order(tags))
    }

    /// `k=v&k2=v2`, percent-encoded: the form in which an object's tags are kept.
    #[must_use]
    pub fn to_query(&self) -> String {
        let written: Vec<String> = self
            .0
            .iter()
            .map(|(key, value)| format!("{}={}", uri::encode_query(key), uri::encode_query(value)))
            .collect();
        written.join("&")
    }

    /// The `Tagging` document.
    #[must_use]
    pub fn to_xml(&self) -> String {
        xml::document("Tagging", Namespace::S3, |tagging| {
            tagging.element("TagSet", |set| {
                for (key, value) in &self.0 {
                    write_tag(set, key, value);
                }
            });
        })
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value under a key.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&str> {
        let mut tags = self.0.iter();
        let (_, value) = tags.find(|(present, _)| present == key)?;
        Some(value)
    }

    /// Whether a key has exactly this value.
    #[must_use]
    pub fn holds(&self, key: &str, value: &str) -> bool {
        self.value(key) == Some(value)
    }
}

// AWS: "encoded as URL Query parameters"; the encoders of Python, Go and Java write a space as `+`.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html#AmazonS3-PutObject-request-header-Tagging
fn pairs(query: &str) -> Option<Vec<(String, String)>> {
    uri::parse_query(&query.replace('+', "%20"))
}

/// # Errors
/// `InvalidTag` for a key or a value that is too long or holds what AWS does not take.
pub(super) fn check_tag(key: &str, value: &str) -> Result<(), S3Error> {
    if !(1..=KEY_CHARACTERS).contains(&key.chars().count()) || !key.chars().all(is_allowed) {
        return Err(refusal("The TagKey you have provided is invalid"));
    }
    if value.chars().count() > VALUE_CHARACTERS || !value.chars().all(is_allowed) {
        return Err(refusal("The TagValue you have provided is invalid").extra("TagKey", key));
    }
    let reserved = key
        .get(..RESERVED.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(RESERVED));
    if reserved {
        return Err(
            refusal("System tags cannot be added/updated by requester").extra("TagKey", key)
        );
    }
    Ok(())
}

/// AWS: letters, digits and spaces of any script, and these marks.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>
fn is_allowed(character: char) -> bool {
    character.is_alphanumeric()
        || (character.is_whitespace() && !character.is_control())
        || "+-=._:/@".contains(character)
}

/// The first key that is there twice.
pub(super) fn first_repeated(tags: &[(String, String)]) -> Option<&str> {
    let mut seen = BTreeSet::new();
    tags.iter()
        .map(|(key, _)| key.as_str())
        .find(|key| !seen.insert(*key))
}

pub(super) fn write_tag(elements: &mut Elements, key: &str, value: &str) {
    elements.element("Tag", |tag| {
        tag.text("Key", key);
        tag.text("Value", value);
    });
}

/// How many tags a stored text holds.
#[must_use]
pub fn count(stored: &str) -> usize {
    stored.split('&').filter(|tag| !tag.is_empty()).count()
}

fn refusal(message: &'static str) -> S3Error {
    S3Error::with_message(ErrorCode::InvalidTag, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn document(tags: &[(String, String)]) -> String {
        Tags(tags.to_vec()).to_xml()
    }

    fn numbered(count: usize) -> Vec<(String, String)> {
        (0..count)
            .map(|at| (at.to_string(), at.to_string()))
            .collect()
    }

    #[rstest]
    #[case(Tagged::Object, 10)]
    #[case(Tagged::Bucket, 50)]
    fn so_many_tags_are_taken_and_one_more_is_refused(#[case] tagged: Tagged, #[case] most: usize) {
        assert!(Tags::from_xml(&document(&numbered(most)), tagged).is_ok());
        let refused = Tags::from_xml(&document(&numbered(most + 1)), tagged).unwrap_err();
        assert_eq!(refused.code, ErrorCode::InvalidTag);
    }

    #[rstest]
    #[case(&"k".repeat(128), &"v".repeat(256), None)]
    #[case(&"ż".repeat(128), &"é".repeat(256), None)]
    #[case("Zażółć gęślą", "+ - = . _ : / @", None)]
    #[case("k", "", None)]
    #[case(&"k".repeat(129), "v", Some(ErrorCode::InvalidTag))]
    #[case("k", &"v".repeat(257), Some(ErrorCode::InvalidTag))]
    #[case("", "v", Some(ErrorCode::InvalidTag))]
    #[case("k", "a<b", Some(ErrorCode::InvalidTag))]
    #[case("a&b", "v", Some(ErrorCode::InvalidTag))]
    #[case("k", "\u{1}", Some(ErrorCode::InvalidTag))]
    #[case("aws:k", "v", Some(ErrorCode::InvalidTag))]
    #[case("AWS:k", "v", Some(ErrorCode::InvalidTag))]
    fn a_tag_is_checked_as_aws_does(
        #[case] key: &str,
        #[case] value: &str,
        #[case] refused: Option<ErrorCode>,
    ) {
        let tags = vec![(key.to_owned(), value.to_owned())];
        let checked = Tags::from_header(&Tags(tags.clone()).to_query());
        assert_eq!(checked.map_err(|error| error.code).err(), refused);
        assert_eq!(
            Tags::checked(tags, Tagged::Bucket)
                .map_err(|error| error.code)
                .err(),
            refused
        );
    }

    #[test]
    fn a_key_twice_is_refused() {
        let header = Tags::from_header("k=v&k=w").unwrap_err();
        assert_eq!(header.code, ErrorCode::InvalidArgument);
        let tags = [("k".to_owned(), "v".to_owned())];
        let twice = document(&[tags.clone(), tags].concat());
        let document = Tags::from_xml(&twice, Tagged::Object).unwrap_err();
        assert_eq!(document.code, ErrorCode::InvalidTag);
    }

    #[rstest]
    #[case("")]
    #[case("<Tagging")]
    #[case("<Tagging></Tagging>")]
    #[case("<Tagging><TagSet><Tag><Value>v</Value></Tag></TagSet></Tagging>")]
    #[case("<!DOCTYPE x><Tagging><TagSet/></Tagging>")]
    fn a_malformed_tagging_document_is_refused(#[case] text: &str) {
        let refused = Tags::from_xml(text, Tagged::Object).unwrap_err();
        assert_eq!(refused.code, ErrorCode::MalformedXML);
    }

    #[test]
    fn tags_are_given_back_in_order() {
        let tags = Tags::from_header("a%2Fb=c%20d&e&Hello=World").unwrap();
        insta::assert_snapshot!(tags.to_xml(), @r#"<?xml version="1.0" encoding="UTF-8"?><Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet><Tag><Key>Hello</Key><Value>World</Value></Tag><Tag><Key>a/b</Key><Value>c d</Value></Tag><Tag><Key>e</Key><Value></Value></Tag></TagSet></Tagging>"#);
        assert_eq!(tags.to_query(), "Hello=World&a%2Fb=c%20d&e=");
        assert_eq!(count(&tags.to_query()), 3);
        assert!(tags.holds("Hello", "World") && !tags.holds("Hello", "world"));
    }

    #[rstest]
    #[case("k=a+b", "a b")]
    #[case("k=a%20b", "a b")]
    #[case("k=a%2Bb", "a+b")]
    #[case("k=+", " ")]
    fn a_plus_in_a_header_is_a_space(#[case] header: &str, #[case] value: &str) {
        let tags = Tags::from_header(header).unwrap();
        assert!(tags.holds("k", value));
        assert_eq!(Tags::stored(&tags.to_query()), tags);
        assert_eq!(Tags::stored(header), tags);
    }

    proptest! {
        #[test]
        fn written_tags_are_read_as_they_were(
            tags in proptest::collection::btree_map("[\\p{L}\\p{N} ./:=+@_-]{1,9}", "[\\p{L}\\p{N}./:=+@_-]{0,9}", 0..10)
        ) {
            let tags: Vec<_> = tags
                .into_iter()
                .filter(|(key, _)| key.trim() == key && key.chars().all(is_allowed))
                .filter(|(_, value)| value.chars().all(is_allowed))
                .collect();
            let tags = Tags::checked(tags, Tagged::Object).unwrap();
            prop_assert_eq!(&Tags::stored(&tags.to_query()), &tags);
            prop_assert_eq!(&Tags::from_xml(&tags.to_xml(), Tagged::Object).unwrap(), &tags);
        }
    }
}
