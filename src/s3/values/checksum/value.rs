//! One checksum: parsed, computed, or made of the checksums of parts.

use crate::s3::values::checksum::algorithm::ChecksumAlgorithm;
use crate::s3::values::error::{ErrorCode, S3Error};
use base64::prelude::{BASE64_STANDARD, Engine};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// A checksum that a client stated, or that hangar computed. Its raw value is big-endian for CRCs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Checksum {
    pub algorithm: ChecksumAlgorithm,
    /// base64 in JSON and on the wire
    pub value: String,
}

impl Checksum {
    /// # Errors
    /// `InvalidRequest` "Value for x-amz-checksum-… header is invalid." when it is no base64 of the right length.
    pub fn parse(algorithm: ChecksumAlgorithm, base64: &str) -> Result<Self, S3Error> {
        let invalid = || {
            S3Error::with_message(
                ErrorCode::InvalidRequest,
                format!("Value for {} header is invalid.", algorithm.header()),
            )
        };
        if base64.len() != algorithm.length_bytes().div_ceil(3) * 4 {
            return Err(invalid());
        }
        match BASE64_STANDARD.decode(base64) {
            Ok(raw) if raw.len() == algorithm.length_bytes() => Ok(Self {
                algorithm,
                value: base64.to_owned(),
            }),
            _ => Err(invalid()),
        }
    }

    /// The checksum of `bytes`.
    #[must_use]
    pub fn of(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> Self {
        let raw = match algorithm {
            ChecksumAlgorithm::Sha1 => Sha1::digest(bytes).to_vec(),
            ChecksumAlgorithm::Sha256 => Sha256::digest(bytes).to_vec(),
            ChecksumAlgorithm::Crc32 | ChecksumAlgorithm::Crc32c | ChecksumAlgorithm::Crc64nvme => {
                let crc = algorithm.crc().expect("these three are CRCs");
                return Self::from_crc(algorithm, crc_fast::checksum(crc, bytes));
            }
        };
        Self::from_raw(algorithm, &raw)
    }

    /// `COMPOSITE`: the checksum of the parts' checksums, and how many there are.
    #[must_use]
    pub fn composite(algorithm: ChecksumAlgorithm, parts: &[&Self]) -> Self {
        let raw: Vec<u8> = parts.iter().flat_map(|part| part.raw()).collect();
        let whole = Self::of(algorithm, &raw);
        Self {
            value: format!("{}-{}", whole.value, parts.len()),
            ..whole
        }
    }

    /// `FULL_OBJECT`: the checksum of all bytes, from those of the parts and their lengths. `None` where the algorithm's
    /// values cannot be combined.
    #[must_use]
    pub fn combined(algorithm: ChecksumAlgorithm, parts: &[(&Self, u64)]) -> Option<Self> {
        let crc = algorithm.crc()?;
        let whole = parts
            .iter()
            .fold(crc_fast::checksum(crc, b""), |whole, (part, size_bytes)| {
                crc_fast::checksum_combine(crc, whole, part.crc(), *size_bytes)
            });
        Some(Self::from_crc(algorithm, whole))
    }

    /// The digest alone, without the number of parts that a composite checksum has behind it.
    #[must_use]
    pub fn without_count(&self) -> Self {
        let digest = self.value.split('-').next().unwrap_or_default();
        Self {
            algorithm: self.algorithm,
            value: digest.to_owned(),
        }
    }

    pub(super) fn raw(&self) -> Vec<u8> {
        BASE64_STANDARD.decode(&self.value).unwrap_or_default()
    }

    fn crc(&self) -> u64 {
        self.raw()
            .iter()
            .fold(0, |crc, byte| (crc << 8) | u64::from(*byte))
    }

    pub(super) fn from_raw(algorithm: ChecksumAlgorithm, raw: &[u8]) -> Self {
        Self {
            algorithm,
            value: BASE64_STANDARD.encode(raw),
        }
    }

    pub(super) fn from_crc(algorithm: ChecksumAlgorithm, crc: u64) -> Self {
        let unused = size_of::<u64>() - algorithm.length_bytes();
        Self::from_raw(algorithm, &crc.to_be_bytes()[unused..])
    }
}
