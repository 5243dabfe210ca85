//! The object that the parts of an upload make: its `ETag` and its checksum, and what a client states of them.

use crate::s3::multipart::checksum::{invalid, other_checksum, parse_checksum_type};
use crate::s3::multipart::part::HeldPart;
use crate::s3::values::checksum::{Checksum, ChecksumAlgorithm, ChecksumType};
use crate::s3::values::error::{ErrorCode, S3Error};
use crate::s3::values::etag::ETag;

/// What every part but the last has at least: 5 MiB.
const LEAST_PART_BYTES: u64 = 5 * 1024 * 1024;

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

    /// The checksum of the whole, `None` if none was requested; a stated one must agree.
    fn agreed_checksum(
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

/// `None` where a part lacks this checksum, or the checksums of parts cannot be combined.
pub(super) fn whole_checksum(
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
        let checksum = stated.agreed_checksum(upload, parts)?;
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
