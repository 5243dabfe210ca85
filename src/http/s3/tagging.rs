//! Tags of an object as a request states them: the header's query form, or the form field's XML.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html>

use crate::s3::{ErrorCode, S3Error, uri, xml};
use serde::Deserialize;

const MOST_TAGS: usize = 10;
const KEY_CHARACTERS: usize = 128;
const VALUE_CHARACTERS: usize = 256;

#[derive(Deserialize)]
struct Tagging {
    #[serde(rename = "TagSet")]
    set: TagSet,
}
#[derive(Deserialize)]
struct TagSet {
    #[serde(rename = "Tag", default)]
    tags: Vec<Tag>,
}
#[derive(Deserialize)]
struct Tag {
    #[serde(rename = "Key")]
    key: String,
    #[serde(rename = "Value", default)]
    value: String,
}

/// `k=v&k2=v2` of a header, judged and written anew.
///
/// # Errors
/// `InvalidTag` for more than ten tags, a tag twice, or names and values that are too long.
pub(super) fn from_query(text: &str) -> Result<String, S3Error> {
    let tags =
        uri::parse_query(text).ok_or_else(|| refusal("The tags are not percent-encoded."))?;
    judged(&tags)
}

/// The XML of a form's field `tagging`.
///
/// # Errors
/// As [`from_query`].
pub(super) fn from_xml(text: &str) -> Result<String, S3Error> {
    let tagging: Tagging =
        xml::read(text).ok_or_else(|| refusal("The XML of the tags is not well-formed."))?;
    let tags: Vec<_> = tagging
        .set
        .tags
        .into_iter()
        .map(|tag| (tag.key, tag.value))
        .collect();
    judged(&tags)
}

fn judged(tags: &[(String, String)]) -> Result<String, S3Error> {
    if tags.len() > MOST_TAGS {
        return Err(refusal("Object tags cannot be greater than 10"));
    }
    for (at, (key, value)) in tags.iter().enumerate() {
        if key.is_empty() || key.chars().count() > KEY_CHARACTERS {
            return Err(refusal("The TagKey you have provided is invalid"));
        }
        if value.chars().count() > VALUE_CHARACTERS {
            return Err(refusal("The TagValue you have provided is invalid"));
        }
        if tags[..at].iter().any(|(earlier, _)| earlier == key) {
            return Err(refusal("Cannot provide multiple Tags with the same key"));
        }
    }
    let written: Vec<String> = tags
        .iter()
        .map(|(key, value)| format!("{}={}", uri::encode_query(key), uri::encode_query(value)))
        .collect();
    Ok(written.join("&"))
}

/// How many tags a stored text holds.
pub(super) fn count(stored: &str) -> usize {
    stored.split('&').filter(|tag| !tag.is_empty()).count()
}

fn refusal(message: &'static str) -> S3Error {
    S3Error::with_message(ErrorCode::InvalidTag, message)
}
