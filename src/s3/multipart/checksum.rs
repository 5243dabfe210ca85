//! The checksum that an upload is begun with, and that of each part.

use crate::s3::values::checksum::{ChecksumAlgorithm, ChecksumType};
use crate::s3::values::error::{ErrorCode, S3Error};

/// The checksum that an upload is begun with, of `x-amz-checksum-algorithm` and `x-amz-checksum-type`.
///
/// # Errors
/// `InvalidRequest` for unknown values and combinations that S3 does not allow.
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

pub(super) fn parse_checksum_type(text: &str) -> Result<ChecksumType, S3Error> {
    ChecksumType::parse(text.trim())
        .ok_or_else(|| invalid("Value for x-amz-checksum-type header is invalid."))
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

pub(super) fn other_checksum(
    expected: ChecksumAlgorithm,
    actual: Option<ChecksumAlgorithm>,
) -> S3Error {
    let name = |algorithm: ChecksumAlgorithm| algorithm.name().to_ascii_lowercase();
    invalid(format!(
        "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
        name(expected),
        actual.map_or_else(|| "null".to_owned(), name)
    ))
}

pub(super) fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> S3Error {
    S3Error::with_message(ErrorCode::InvalidRequest, message)
}
