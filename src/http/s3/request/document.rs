//! The small bodies of requests: XML and JSON documents, and unexpected bodies.
//!
//! Guarantees: the returned body is the one that was signed, whatever its framing, and matches the digests that the
//! request states (`Content-MD5`, `x-amz-checksum-*` in a header or a trailer); memory is bounded by the caller's
//! limit. Refuses to know what a document means.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

use crate::http::limits::Body;
use crate::http::s3::access::Permitted;
use crate::http::s3::error;
use crate::http::s3::exchange::Exchange;
use crate::http::s3::request::checksums::{self, StatedChecksums};
use crate::s3::checksum::{Checksum, Hasher, Wanted};
use crate::s3::op::{ObjectOperation, Operation};
use crate::s3::sigv4::Payload;
use crate::s3::sigv4::chunked::Decoder;
use crate::s3::{ErrorCode, S3Error};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The limit for operations without a body: some clients send one all the same.
pub(crate) const NEEDLESS_BYTES: usize = 64 * 1024;

/// The document in a request's body; empty where there is none.
///
/// # Errors
/// `EntityTooLarge` over `limit_bytes`, `XAmzContentSHA256Mismatch`, `InvalidDigest`, `BadDigest`, `InvalidRequest` for
/// a malformed checksum, `MalformedXML` for a body that is not UTF-8.
pub(crate) async fn read_document(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    body: &mut Body,
    limit_bytes: usize,
) -> Result<String, S3Error> {
    let md5 = checksums::content_md5(&exchange.headers)?;
    // AWS: the checksum headers of CompleteMultipartUpload are those of the object.
    let completes_an_upload = matches!(
        permitted.operation(),
        Operation::OnObject(ObjectOperation::CompleteMultipartUpload, ..)
    );
    let stated = if completes_an_upload {
        StatedChecksums::default()
    } else {
        StatedChecksums::parse(&exchange.headers)?
    };
    let (whole, trailer) = read_framed(body, permitted, limit_bytes).await?;
    judge_digests(&whole, md5, stated.value.as_slice())?;
    judge_digests(&whole, None, &trailer)?;
    String::from_utf8(whole).map_err(|_| S3Error::new(ErrorCode::MalformedXML))
}

/// A small body, complete and as it was signed.
///
/// # Errors
/// `EntityTooLarge` over `limit_bytes`, `XAmzContentSHA256Mismatch`, `BadDigest` where its trailer does not match.
pub(crate) async fn read_signed(
    body: &mut Body,
    permitted: &Permitted<'_>,
    limit_bytes: usize,
) -> Result<Vec<u8>, S3Error> {
    let (whole, trailer) = read_framed(body, permitted, limit_bytes).await?;
    judge_digests(&whole, None, &trailer)?;
    Ok(whole)
}

/// The bytes and the checksums that their trailer states.
async fn read_framed(
    body: &mut Body,
    permitted: &Permitted<'_>,
    limit_bytes: usize,
) -> Result<(Vec<u8>, Vec<Checksum>), S3Error> {
    let payload = permitted.payload();
    let announced_bytes = match payload {
        Payload::Chunked(framing) => Some(framing.decoded_bytes()),
        Payload::Unsigned | Payload::Sha256(_) => body.declared(),
    };
    if let Some(bytes) = announced_bytes
        && bytes > limit_bytes as u64
    {
        return Err(error::too_large(limit_bytes as u64, bytes));
    }
    body.count(permitted.kept());
    let read = read_payload(body, payload, limit_bytes).await?;
    if !body.waited().is_zero() {
        permitted.waited_for_client();
    }
    Ok(read)
}

async fn read_payload(
    body: &mut Body,
    payload: &Payload,
    limit_bytes: usize,
) -> Result<(Vec<u8>, Vec<Checksum>), S3Error> {
    match payload {
        Payload::Unsigned => Ok((read_plain(body, limit_bytes).await?, Vec::new())),
        Payload::Sha256(stated) => {
            let whole = read_plain(body, limit_bytes).await?;
            let actual = hex::encode(Sha256::digest(&whole));
            if bool::from(actual.as_bytes().ct_eq(stated.as_bytes())) {
                Ok((whole, Vec::new()))
            } else {
                Err(S3Error::new(ErrorCode::XAmzContentSHA256Mismatch))
            }
        }
        Payload::Chunked(framing) => {
            let mut decoder = Decoder::new(framing.clone());
            let (mut whole, mut decoded) = (Vec::new(), Vec::new());
            while let Some(bytes) = body.next().await? {
                decoder.push(bytes, &mut decoded)?;
                for piece in decoded.drain(..) {
                    whole.extend_from_slice(&piece);
                }
            }
            Ok((whole, decoder.finish()?))
        }
    }
}

async fn read_plain(body: &mut Body, limit_bytes: usize) -> Result<Vec<u8>, S3Error> {
    let mut whole = Vec::new();
    while let Some(bytes) = body.next().await? {
        if whole.len() + bytes.len() > limit_bytes {
            let proposed = body.declared().unwrap_or(body.received());
            return Err(error::too_large(limit_bytes as u64, proposed));
        }
        whole.extend_from_slice(&bytes);
    }
    Ok(whole)
}

fn judge_digests(
    whole: &[u8],
    md5: Option<[u8; 16]>,
    checksums: &[Checksum],
) -> Result<(), S3Error> {
    if md5.is_none() && checksums.is_empty() {
        return Ok(());
    }
    let mut hasher = Hasher::new(&Wanted {
        sha256: false,
        checksums: checksums.iter().map(|stated| stated.algorithm).collect(),
    });
    hasher.update(whole);
    let actual = hasher.finish();
    if md5.is_some_and(|stated| stated != actual.md5) {
        return Err(S3Error::new(ErrorCode::BadDigest));
    }
    match checksums
        .iter()
        .find(|stated| !actual.checksums.contains(stated))
    {
        Some(stated) => Err(S3Error::with_message(
            ErrorCode::BadDigest,
            format!(
                "The {} you specified did not match the calculated checksum.",
                stated.algorithm.name()
            ),
        )),
        None => Ok(()),
    }
}
