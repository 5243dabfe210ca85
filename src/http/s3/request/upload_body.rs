//! The body of a request whose bytes are stored in the vault: the object of a PUT, a part of an upload.
//!
//! Guarantees: a request that can be refused by its head alone is refused before the body is read; the stored bytes are
//! those that the head announced, whatever the framing.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>

use crate::http::limits::Body;
use crate::http::s3::access::Permitted;
use crate::http::s3::error;
use crate::http::s3::exchange::Exchange;
use crate::http::s3::request::checksums::{self, StatedChecksums};
use crate::http::s3::request::content_check::ContentCheck;
use crate::s3::checksum::{Checksum, ChecksumAlgorithm, Wanted};
use crate::s3::sigv4::Payload;
use crate::s3::sigv4::chunked::Decoder;
use crate::s3::{ErrorCode, S3Error};
use crate::store::{Expected, Sealed};

/// The most bytes of one request: 5 GiB.
pub(crate) const MOST_BYTES: u64 = 5 * 1024 * 1024 * 1024;

/// The properties of a body that the head states.
pub(crate) struct Announced {
    checksums: StatedChecksums,
    expected: Expected,
}

impl Announced {
    /// # Errors
    /// `MissingContentLength`, `EntityTooLarge`, `InvalidDigest`, `InvalidRequest` or `InvalidArgument`
    pub(crate) fn parse(exchange: &Exchange<'_>, payload: &Payload) -> Result<Self, S3Error> {
        let fields = &exchange.headers;
        let length_bytes = length(exchange, payload)?;
        let checksums = StatedChecksums::parse(fields)?;
        if checksums.trailer.is_some() && !matches!(payload, Payload::Chunked(_)) {
            return Err(S3Error::with_message(
                ErrorCode::InvalidRequest,
                "x-amz-trailer is given, but x-amz-content-sha256 announces a body without trailers.",
            ));
        }
        let sha256 = match payload {
            Payload::Sha256(stated) => Some(parse_sha256(stated)?),
            Payload::Unsigned | Payload::Chunked(_) => None,
        };
        Ok(Self {
            expected: Expected {
                min_bytes: 0,
                exact_bytes: length_bytes,
                sha256,
                md5: checksums::content_md5(fields)?,
                checksums: checksums.value.clone().into_iter().collect(),
            },
            checksums,
        })
    }

    /// The algorithm of the checksum that comes in the head or the trailer.
    pub(crate) fn algorithm(&self) -> Option<ChecksumAlgorithm> {
        self.checksums.algorithm()
    }

    /// Reads the body to its end, and checks its length, its digests and its content. It gets a checksum of
    /// `algorithm`, which is the stated algorithm where one is stated.
    ///
    /// # Errors
    /// The errors of a body, its framing, its content and its digests.
    pub(crate) async fn receive(
        self,
        permitted: &Permitted<'_>,
        body: &mut Body,
        algorithm: Option<ChecksumAlgorithm>,
        mut content: ContentCheck,
    ) -> Result<Sealed, S3Error> {
        let wanted = Wanted {
            sha256: self.expected.sha256.is_some(),
            checksums: algorithm.into_iter().collect(),
        };
        body.begin_upload().await?;
        let staging = permitted.store().stage(&wanted, MOST_BYTES);
        let mut staging = staging.announced(self.expected.exact_bytes);
        let mut expected = self.expected;
        match permitted.payload() {
            Payload::Unsigned | Payload::Sha256(_) => {
                while let Some(bytes) = body.next().await? {
                    staging.write(bytes).await?;
                    content.see(permitted, &staging).await?;
                }
            }
            Payload::Chunked(framing) => {
                let mut decoder = Decoder::new(framing.clone());
                let mut decoded = Vec::new();
                while let Some(bytes) = body.next().await? {
                    decoder.push(bytes, &mut decoded)?;
                    for piece in decoded.drain(..) {
                        staging.write(piece).await?;
                        content.see(permitted, &staging).await?;
                    }
                }
                let trailer = decoder.finish()?;
                judge_trailer(&trailer, &self.checksums)?;
                expected.checksums.extend(trailer);
            }
        }
        permitted.waited_for_client();
        let sealed = staging.seal(&expected).await?;
        content.finish(permitted, &sealed).await?;
        Ok(sealed)
    }
}

/// The number of bytes that will be stored, where the head states it.
fn length(exchange: &Exchange<'_>, payload: &Payload) -> Result<Option<u64>, S3Error> {
    let (name, required) = match payload {
        Payload::Chunked(_) => ("x-amz-decoded-content-length", true),
        // A body in HTTP's own chunks marks its end.
        Payload::Unsigned | Payload::Sha256(_) => (
            "content-length",
            exchange.header("transfer-encoding").is_none(),
        ),
    };
    let Some(text) = exchange.header(name) else {
        return if required {
            Err(S3Error::new(ErrorCode::MissingContentLength))
        } else {
            Ok(None)
        };
    };
    let bytes: u64 = text
        .trim()
        .parse()
        .map_err(|_| S3Error::invalid_argument("The length is not a number.", name, text))?;
    if bytes > MOST_BYTES {
        return Err(error::too_large(MOST_BYTES, bytes));
    }
    Ok(Some(bytes))
}

fn parse_sha256(text: &str) -> Result<[u8; 32], S3Error> {
    let mut digest = [0; 32];
    hex::decode_to_slice(text, &mut digest).map_err(|_| {
        S3Error::invalid_argument(
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a STREAMING- value or a SHA-256 in hex.",
            "x-amz-content-sha256",
            text,
        )
    })?;
    Ok(digest)
}

/// Checks that the trailer states the checksum that the head announced: only that one was computed.
fn judge_trailer(trailer: &[Checksum], announced: &StatedChecksums) -> Result<(), S3Error> {
    let stated: Vec<_> = trailer.iter().map(|checksum| checksum.algorithm).collect();
    let wanted: Vec<_> = announced.trailer.into_iter().collect();
    if stated == wanted {
        Ok(())
    } else {
        Err(S3Error::with_message(
            ErrorCode::InvalidRequest,
            "The trailer does not state the checksum that x-amz-trailer announced.",
        ))
    }
}
