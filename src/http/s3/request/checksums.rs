//! The digests that a request states of its body: `x-amz-checksum-*`, `x-amz-trailer`, `Content-MD5`.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

use crate::http::s3::fields::field;
use crate::s3::checksum::{Checksum, ChecksumAlgorithm};
use crate::s3::{ErrorCode, S3Error};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The checksums that a request states: their values, or the algorithms that its trailer will state.
#[derive(Debug, Default)]
pub(crate) struct StatedChecksums {
    pub(crate) value: Option<Checksum>,
    pub(crate) trailer: Option<ChecksumAlgorithm>,
}

impl StatedChecksums {
    /// # Errors
    /// `InvalidRequest` for a malformed value, several of them, or an algorithm without a value.
    pub(crate) fn parse(fields: &[(String, String)]) -> Result<Self, S3Error> {
        let refusal =
            |text: &'static str| Err(S3Error::with_message(ErrorCode::InvalidRequest, text));
        let mut stated = Self::default();
        for algorithm in ChecksumAlgorithm::ALL {
            let Some(value) = field(fields, algorithm.header()) else {
                continue;
            };
            if stated.value.is_some() {
                return refusal(
                    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
                );
            }
            stated.value = Some(Checksum::parse(algorithm, value.trim())?);
        }
        if let Some(trailer) = field(fields, "x-amz-trailer") {
            let trailer = trailer.trim();
            stated.trailer = ChecksumAlgorithm::ALL
                .into_iter()
                .find(|algorithm| algorithm.header().eq_ignore_ascii_case(trailer));
            if stated.trailer.is_none() {
                return refusal("The value specified in the x-amz-trailer header is not supported");
            }
            if stated.value.is_some() {
                return refusal("Expecting a single x-amz-checksum- header");
            }
        }
        let named = field(fields, "x-amz-sdk-checksum-algorithm")
            .or_else(|| field(fields, "x-amz-checksum-algorithm"));
        if let Some(named) = named {
            let algorithm = ChecksumAlgorithm::parse(named.trim());
            if algorithm.is_none() {
                return refusal("Value for x-amz-sdk-checksum-algorithm header is invalid.");
            }
            if stated.algorithm().is_none() {
                return refusal(
                    "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
                );
            }
            if algorithm != stated.algorithm() {
                return refusal("Value for x-amz-sdk-checksum-algorithm header is invalid.");
            }
        }
        Ok(stated)
    }

    pub(crate) fn algorithm(&self) -> Option<ChecksumAlgorithm> {
        self.value
            .as_ref()
            .map(|value| value.algorithm)
            .or(self.trailer)
    }
}

/// # Errors
/// `InvalidDigest` where `Content-MD5` is not the base64 of 16 bytes.
pub(crate) fn content_md5(fields: &[(String, String)]) -> Result<Option<[u8; 16]>, S3Error> {
    let Some(text) = field(fields, "content-md5") else {
        return Ok(None);
    };
    STANDARD
        .decode(text.trim())
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .map(Some)
        .ok_or_else(|| S3Error::new(ErrorCode::InvalidDigest).extra("Content-MD5", text))
}
