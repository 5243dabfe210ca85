//! Multipart uploads: what a request states of their parts, and what the parts make.
//!
//! Guarantees: the `ETag` and the checksum of the whole are made of what is held of the parts, never of what a client
//! says of them; what it says must agree. Refuses to know where parts are kept.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>

pub(super) mod document;
pub(super) mod query;

pub use document::{
    InitiatedUpload, ListedUpload, ListedUploads, UnderWay, completed, initiated, list_parts,
    list_uploads,
};
pub use query::{PartsQuery, UploadsQuery};

use crate::s3::values::checksum::{Checksum, ChecksumAlgorithm, ChecksumType, unknown_checksum};
use crate::s3::values::error::{ErrorCode, S3Error};
use crate::s3::values::etag::ETag;
use crate::s3::values::time::Timestamp;
use crate::s3::values::xml;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

/// A part's number is 1 to this.
pub const MAX_PARTS: u16 = 10_000;
/// What every part but the last has at least: 5 MiB.
const LEAST_PART_BYTES: u64 = 5 * 1024 * 1024;

/// # Errors
/// `InvalidArgument`
pub fn parse_part_number(text: &str) -> Result<u16, S3Error> {
    text.parse()
        .ok()
        .filter(|number| (1..=MAX_PARTS).contains(number))
        .filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
        .ok_or_else(|| {
            S3Error::invalid_argument(
                "Part number must be an integer between 1 and 10000, inclusive",
                "partNumber",
                text,
            )
        })
}

/// The checksum that an upload is begun with, of `x-amz-checksum-algorithm` and `x-amz-checksum-type`.
///
/// # Errors
/// `InvalidRequest` for what is unknown or does not go together.
pub fn parse_upload_checksum(
    algorithm: Option<&str>,
    checksum_type: Option<&str>,
) -> Result<Option<(ChecksumAlgorithm, ChecksumType)>, S3Error> {
    let checksum_type = checksum_type.map(parse_checksum_type).transpose()?;
    let Some(algorithm) = algorithm.map(parse_algorithm).transpose()? else {
        return match checksum_type {
            None => Ok(None),
            Some(_) => Err(invalid(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )),
        };
    };
    let checksum_type = checksum_type.unwrap_or_else(|| ChecksumType::default_of(algorithm));
    if checksum_type.goes_with(algorithm) {
        Ok(Some((algorithm, checksum_type)))
    } else {
        Err(invalid(format!(
            "The {} checksum type cannot be used with the {} checksum algorithm.",
            checksum_type.as_str(),
            algorithm.name().to_ascii_lowercase()
        )))
    }
}

/// # Errors
/// `InvalidRequest`
pub fn parse_algorithm(name: &str) -> Result<ChecksumAlgorithm, S3Error> {
    ChecksumAlgorithm::parse(name.trim()).ok_or_else(|| {
        invalid(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
        )
    })
}

fn parse_checksum_type(text: &str) -> Result<ChecksumType, S3Error> {
    ChecksumType::parse(text.trim())
        .ok_or_else(|| invalid("Value for x-amz-checksum-type header is invalid."))
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> S3Error {
    S3Error::with_message(ErrorCode::InvalidRequest, message)
}

/// Which checksum a part gets, of the one that its upload was begun with and the one that the request states of it.
///
/// # Errors
/// `InvalidRequest` where it is another one, or none though the whole's is made of the parts'.
pub fn part_checksum(
    upload: Option<(ChecksumAlgorithm, ChecksumType)>,
    stated: Option<ChecksumAlgorithm>,
) -> Result<Option<ChecksumAlgorithm>, S3Error> {
    match (upload, stated) {
        (None, stated) => Ok(stated),
        (Some((algorithm, ChecksumType::FullObject)), None) => Ok(Some(algorithm)),
        (Some((algorithm, _)), Some(stated)) if algorithm == stated => Ok(Some(algorithm)),
        (Some((algorithm, _)), stated) => Err(other_checksum(algorithm, stated)),
    }
}

fn other_checksum(expected: ChecksumAlgorithm, actual: Option<ChecksumAlgorithm>) -> S3Error {
    let name = |algorithm: ChecksumAlgorithm| algorithm.name().to_ascii_lowercase();
    invalid(format!(
        "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
        name(expected),
        actual.map_or_else(|| "null".to_owned(), name)
    ))
}

/// A part as it is held.
#[derive(Debug, Clone, Copy)]
pub struct HeldPart<'a> {
    pub number: u16,
    pub etag: &'a ETag,
    pub size_bytes: u64,
    pub last_modified: Timestamp,
    pub checksums: &'a [Checksum],
}

impl HeldPart<'_> {
    fn checksum(&self, algorithm: ChecksumAlgorithm) -> Option<&Checksum> {
        self.checksums
            .iter()
            .find(|checksum| checksum.algorithm == algorithm)
    }
}

/// A part as `CompleteMultipartUpload` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatedPart {
    pub number: u16,
    /// Without quotes.
    etag: String,
    checksums: Vec<(ChecksumAlgorithm, String)>,
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

/// What `CompleteMultipartUpload` states of the whole, in its headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatedWhole {
    checksum: Option<(ChecksumAlgorithm, String)>,
    checksum_type: Option<ChecksumType>,
    size_bytes: Option<u64>,
}

impl StatedWhole {
    /// # Errors
    /// `InvalidRequest` for several checksums, an unknown type or a size that is no number.
    pub fn parse<'a>(header: impl Fn(&'static str) -> Option<&'a str>) -> Result<Self, S3Error> {
        let mut checksums = ChecksumAlgorithm::ALL
            .into_iter()
            .filter_map(|algorithm| Some((algorithm, header(algorithm.header())?.trim())));
        let checksum = checksums
            .next()
            .map(|(algorithm, value)| (algorithm, value.to_owned()));
        if checksums.next().is_some() {
            return Err(invalid(
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
            ));
        }
        Ok(Self {
            checksum,
            checksum_type: header("x-amz-checksum-type")
                .map(parse_checksum_type)
                .transpose()?,
            size_bytes: header("x-amz-mp-object-size")
                .map(|text| {
                    text.trim().parse().map_err(|_| {
                        invalid("Value for x-amz-mp-object-size header is invalid.")
                            .extra("x-amz-mp-object-size", text)
                    })
                })
                .transpose()?,
        })
    }

    /// The checksum of the whole, which is `None` where nobody asked for one; what is stated of it must agree.
    fn judge_checksum(
        &self,
        upload: Option<(ChecksumAlgorithm, ChecksumType)>,
        parts: &[HeldPart<'_>],
    ) -> Result<Option<Checksum>, S3Error> {
        // An upload that was begun without a checksum can still be held against one of all its bytes.
        let stated = self.checksum.as_ref().map(|(algorithm, _)| *algorithm);
        let begun_with = upload.or(stated.map(|algorithm| (algorithm, ChecksumType::FullObject)));
        let Some((algorithm, checksum_type)) = begun_with else {
            return Ok(None);
        };
        if self
            .checksum_type
            .is_some_and(|stated| stated != checksum_type)
        {
            return Err(invalid(format!(
                "The upload was created using the {} checksum mode. The complete request must use the same checksum mode.",
                checksum_type.as_str()
            )));
        }
        if stated.is_some_and(|stated| stated != algorithm) {
            return Err(other_checksum(algorithm, stated));
        }
        let whole = whole_checksum(algorithm, checksum_type, parts);
        match (&self.checksum, whole) {
            (Some((_, stated)), Some(whole)) if is_stated_as(&whole, stated) => Ok(Some(whole)),
            (Some(_), Some(_)) => Err(S3Error::with_message(
                ErrorCode::BadDigest,
                format!(
                    "The {} you specified did not match the calculated checksum.",
                    algorithm.name().to_ascii_lowercase()
                ),
            )),
            (Some(_), None) => Err(other_checksum(algorithm, None)),
            (None, whole) => Ok(whole),
        }
    }
}

/// AWS: the number of parts behind a composite checksum may be left out.
fn is_stated_as(whole: &Checksum, stated: &str) -> bool {
    whole.value == stated
        || whole
            .value
            .split_once('-')
            .is_some_and(|(value, _)| value == stated)
}

/// `None` where a part has not this checksum, or those of parts do not make one of the whole.
fn whole_checksum(
    algorithm: ChecksumAlgorithm,
    checksum_type: ChecksumType,
    parts: &[HeldPart<'_>],
) -> Option<Checksum> {
    let checksums: Vec<&Checksum> = parts
        .iter()
        .map(|part| part.checksum(algorithm))
        .collect::<Option<_>>()?;
    match checksum_type {
        ChecksumType::Composite => Some(Checksum::composite(algorithm, &checksums)),
        ChecksumType::FullObject => {
            let sizes = parts.iter().map(|part| part.size_bytes);
            let sized: Vec<_> = checksums.into_iter().zip(sizes).collect();
            Checksum::combined(algorithm, &sized)
        }
    }
}

/// What the parts of an upload make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    pub etag: ETag,
    pub checksum: Option<Checksum>,
}

impl Whole {
    /// Of the parts in their order, and what is stated of the whole.
    ///
    /// # Errors
    /// `EntityTooSmall` for a part but the last below 5 MiB; `BadDigest` and `InvalidRequest` where what is stated does
    /// not agree.
    pub fn of(
        parts: &[HeldPart<'_>],
        upload: Option<(ChecksumAlgorithm, ChecksumType)>,
        stated: &StatedWhole,
    ) -> Result<Self, S3Error> {
        let composite = upload.is_some_and(|(_, kind)| kind == ChecksumType::Composite);
        // AWS: parts whose checksums make that of the whole are numbered from 1 without a gap.
        // https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompletedPart.html
        if composite && !(1..).zip(parts).all(|(at, part)| at == part.number) {
            return Err(ErrorCode::InvalidPartOrder.into());
        }
        let checksum = stated.judge_checksum(upload, parts)?;
        let (_, but_the_last) = parts.split_last().unzip();
        if let Some(small) = but_the_last
            .unwrap_or_default()
            .iter()
            .find(|part| part.size_bytes < LEAST_PART_BYTES)
        {
            return Err(S3Error::new(ErrorCode::EntityTooSmall)
                .extra("ProposedSize", small.size_bytes.to_string())
                .extra("MinSizeAllowed", LEAST_PART_BYTES.to_string())
                .extra("PartNumber", small.number.to_string())
                .extra("ETag", small.etag.as_str()));
        }
        let size_bytes: u64 = parts.iter().map(|part| part.size_bytes).sum();
        match stated.size_bytes {
            Some(stated) if stated != size_bytes => Err(invalid(format!(
                "The provided 'x-amz-mp-object-size' header value {stated} does not match what was computed: {size_bytes}"
            ))),
            _ => Ok(Self {
                etag: ETag::of_parts(parts.iter().map(|part| part.etag)),
                checksum,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
