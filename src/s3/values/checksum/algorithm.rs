//! The five algorithms of `x-amz-checksum-*`, and how a completed upload's checksum is made of its parts'.

use crate::s3::values::error::{ErrorCode, S3Error};
use crc_fast::CrcAlgorithm;

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum ChecksumAlgorithm {
    Crc32,
    Crc32c,
    Crc64nvme,
    Sha1,
    Sha256,
}

impl ChecksumAlgorithm {
    pub const ALL: [Self; 5] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64nvme,
        Self::Sha1,
        Self::Sha256,
    ];

    /// `x-amz-checksum-crc32` and so on, lower case.
    #[must_use]
    pub fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// `CRC32`, `SHA256`…: as S3's answers and its XML have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// `ChecksumCRC32` and so on: the element of S3's XML.
    #[must_use]
    pub fn element(self) -> &'static str {
        match self {
            Self::Crc32 => "ChecksumCRC32",
            Self::Crc32c => "ChecksumCRC32C",
            Self::Crc64nvme => "ChecksumCRC64NVME",
            Self::Sha1 => "ChecksumSHA1",
            Self::Sha256 => "ChecksumSHA256",
        }
    }

    /// The CRC, whose values for parts can be combined into that of the whole.
    pub(super) fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }

    /// `CRC32`, `SHA256`…: as `x-amz-sdk-checksum-algorithm` has it; compared without case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// The algorithm whose [`header`](Self::header) this is; compared without case.
    #[must_use]
    pub fn from_header(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.header().eq_ignore_ascii_case(name))
    }

    /// The algorithm whose [`element`](Self::element) this is.
    #[must_use]
    pub fn from_element(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.element() == name)
    }

    /// Bytes of the raw value, before base64.
    #[must_use]
    pub fn length_bytes(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }
}

/// AWS: the code and the text for a checksum of an algorithm that it does not know.
#[must_use]
pub fn unknown_checksum() -> S3Error {
    S3Error::with_message(
        ErrorCode::InvalidRequest,
        "The algorithm type you specified in x-amz-checksum- header is invalid.",
    )
}

/// How the checksum of a completed upload is made of its parts'.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChecksumType {
    /// The checksum of the parts' checksums, with `-N` behind it.
    Composite,
    /// The checksum of all bytes.
    #[default]
    FullObject,
}

impl ChecksumType {
    /// `COMPOSITE` or `FULL_OBJECT`: as headers and XML have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Composite => "COMPOSITE",
            Self::FullObject => "FULL_OBJECT",
        }
    }

    /// What [`as_str`](Self::as_str) says; compared without case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Composite, Self::FullObject]
            .into_iter()
            .find(|one| one.as_str().eq_ignore_ascii_case(text))
    }

    /// The type that a multipart upload has unless it asks for one.
    #[must_use]
    pub fn default_of(algorithm: ChecksumAlgorithm) -> Self {
        match algorithm {
            ChecksumAlgorithm::Crc64nvme => Self::FullObject,
            _ => Self::Composite,
        }
    }

    /// Whether a multipart upload can have it: only CRCs can be combined, and CRC64NVME is nothing else.
    #[must_use]
    pub fn goes_with(self, algorithm: ChecksumAlgorithm) -> bool {
        match self {
            Self::Composite => algorithm != ChecksumAlgorithm::Crc64nvme,
            Self::FullObject => algorithm.crc().is_some(),
        }
    }
}
