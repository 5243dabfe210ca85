//! The parts that `CompleteMultipartUpload` names, in its document.

use crate::s3::multipart::part::{HeldPart, MAX_PARTS, parse_part_number};
use crate::s3::values::checksum::{ChecksumAlgorithm, unknown_checksum};
use crate::s3::values::error::{ErrorCode, S3Error};
use crate::s3::values::xml;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

/// A part as `CompleteMultipartUpload` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatedPart {
    pub number: u16,
    /// Without quotes.
    pub(super) etag: String,
    pub(super) checksums: Vec<(ChecksumAlgorithm, String)>,
}

impl StatedPart {
    /// Whether this is the part that is held under its number.
    #[must_use]
    pub fn is(&self, held: &HeldPart<'_>) -> bool {
        let holds = |(algorithm, value): &(ChecksumAlgorithm, String)| {
            held.checksum(*algorithm)
                .is_some_and(|checksum| checksum.value == *value)
        };
        self.number == held.number
            && self.etag.eq_ignore_ascii_case(held.etag.as_str())
            && self.checksums.iter().all(holds)
    }

    /// The refusal of a part that is not held, or is another.
    #[must_use]
    pub fn refuse(&self) -> S3Error {
        S3Error::new(ErrorCode::InvalidPart)
            .extra("PartNumber", self.number.to_string())
            .extra("ETag", self.etag.chars().take(256).collect::<String>())
    }
}

#[derive(Deserialize)]
struct CompleteMultipartUpload {
    #[serde(rename = "Part", default)]
    parts: Vec<PartElement>,
}

/// The number, the tag and the checksums of a `Part`, whatever algorithm they are of.
#[derive(Default)]
struct PartElement {
    texts: Vec<(String, String)>,
}

impl<'de> Deserialize<'de> for PartElement {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PartVisitor)
    }
}

struct PartVisitor;

impl<'de> Visitor<'de> for PartVisitor {
    type Value = PartElement;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a part of an upload")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PartElement, A::Error> {
        let mut part = PartElement::default();
        while let Some(name) = map.next_key::<String>()? {
            if !matches!(name.as_str(), NUMBER | TAG) && !name.starts_with(CHECKSUM) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let text = map.next_value()?;
            if part.take(&name).is_some() {
                return Err(A::Error::custom("an element stands twice in a part"));
            }
            part.texts.push((name, text));
        }
        Ok(part)
    }
}

const NUMBER: &str = "PartNumber";

const TAG: &str = "ETag";

/// How the elements of checksums begin: `ChecksumCRC32`.
const CHECKSUM: &str = "Checksum";

impl PartElement {
    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.texts.iter().position(|(known, _)| known == name)?;
        Some(self.texts.swap_remove(at).1)
    }

    fn into_stated(mut self) -> Result<StatedPart, S3Error> {
        let malformed = || S3Error::new(ErrorCode::MalformedXML);
        let number = self.take(NUMBER).ok_or_else(malformed)?;
        let etag = self.take(TAG).ok_or_else(malformed)?;
        let checksums = self
            .texts
            .into_iter()
            .filter(|(_, value)| !value.is_empty());
        Ok(StatedPart {
            number: parse_part_number(number.trim())?,
            etag: etag.trim().trim_matches('"').to_owned(),
            checksums: checksums
                .map(|(name, value)| {
                    let algorithm = ChecksumAlgorithm::from_element(&name);
                    Ok((algorithm.ok_or_else(unknown_checksum)?, value))
                })
                .collect::<Result<_, S3Error>>()?,
        })
    }
}

/// Reads the document of `CompleteMultipartUpload`: parts in the order of their numbers, at least one.
///
/// # Errors
/// `MalformedXML`, `InvalidArgument` for a number that no part has, `InvalidPartOrder`.
pub fn parse_completion(document: &str) -> Result<Vec<StatedPart>, S3Error> {
    let malformed = || S3Error::new(ErrorCode::MalformedXML);
    let document: CompleteMultipartUpload = xml::read(document).ok_or_else(malformed)?;
    let mut parts: Vec<StatedPart> = Vec::new();
    for element in document.parts {
        let part = element.into_stated()?;
        match parts.last_mut() {
            Some(last) if last.number > part.number => {
                return Err(ErrorCode::InvalidPartOrder.into());
            }
            // Ceph's clients name a part that they sent twice twice: the later one counts.
            Some(last) if last.number == part.number => *last = part,
            _ => parts.push(part),
        }
    }
    if parts.is_empty() || parts.len() > usize::from(MAX_PARTS) {
        return Err(malformed());
    }
    Ok(parts)
}
