//! The number of a part, and a part as it is held.

use crate::s3::values::checksum::{Checksum, ChecksumAlgorithm};
use crate::s3::values::error::S3Error;
use crate::s3::values::etag::ETag;
use crate::s3::values::time::Timestamp;

/// A part's number is 1 to this.
pub const MAX_PARTS: u16 = 10_000;

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
    pub(super) fn checksum(&self, algorithm: ChecksumAlgorithm) -> Option<&Checksum> {
        self.checksums
            .iter()
            .find(|checksum| checksum.algorithm == algorithm)
    }
}
