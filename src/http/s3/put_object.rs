//! `PutObject`: a signed request's body becomes the object of a key.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>

use super::access::Permitted;
use super::metadata::{self, StatedChecksums};
use super::{Exchange, error};
use crate::http::limits::Body;
use crate::s3::checksum::{Checksum, Wanted};
use crate::s3::conditional::WritePrecondition;
use crate::s3::sigv4::Payload;
use crate::s3::sigv4::chunked::Decoder;
use crate::s3::{BucketName, ErrorCode, ObjectKey, S3Error};
use crate::store::{Expected, ObjectMeta, Sealed, Staging, StoreError, Target};
use actix_web::HttpResponse;
use actix_web::http::header;

/// What one PUT may hold.
const MOST_BYTES: u64 = 5 * 1024 * 1024 * 1024;

/// What the head says of a body: all that can be refused before the first byte is.
struct Announced {
    meta: ObjectMeta,
    precondition: WritePrecondition,
    checksums: StatedChecksums,
    wanted: Wanted,
    expected: Expected,
}

impl Announced {
    fn parse(exchange: &Exchange<'_>, payload: &Payload) -> Result<Self, S3Error> {
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
            meta: metadata::object_meta(fields)?,
            precondition: WritePrecondition::parse(
                exchange.header("if-match"),
                exchange.header("if-none-match"),
            )?,
            wanted: Wanted {
                sha256: sha256.is_some(),
                checksums: checksums.algorithm().into_iter().collect(),
            },
            expected: Expected {
                min_bytes: 0,
                exact_bytes: length_bytes,
                sha256,
                md5: metadata::content_md5(fields)?,
                checksums: checksums.value.clone().into_iter().collect(),
            },
            checksums,
        })
    }
}

/// The bytes that will be stored, where the head says so.
fn length(exchange: &Exchange<'_>, payload: &Payload) -> Result<Option<u64>, S3Error> {
    let (name, required) = match payload {
        Payload::Chunked(_) => ("x-amz-decoded-content-length", true),
        // A body in HTTP's own chunks says where it ends.
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

pub(super) async fn put_object(
    exchange: &Exchange<'_>,
    permitted: &Permitted,
    bucket: BucketName,
    key: ObjectKey,
    body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    let rooms = exchange.rooms;
    let announced = Announced::parse(exchange, permitted.payload())?;
    if rooms.store.bucket(&bucket).is_none() {
        return Err(error::no_such_bucket(&bucket));
    }
    let staging = rooms.store.stage(&announced.wanted, MOST_BYTES);
    let sealed = receive(body, staging, permitted.payload(), &announced).await?;
    rooms
        .assets
        .check_content(&bucket, &key, sealed.head())
        .await?;
    let checksums = sealed.checksums().to_vec();
    let target = Target {
        bucket,
        key,
        meta: ObjectMeta {
            checksums: checksums.clone(),
            ..announced.meta
        },
    };
    let wants_match = matches!(announced.precondition, WritePrecondition::Matches(_));
    let (bucket, key) = (target.bucket.clone(), target.key.clone());
    match rooms
        .store
        .commit(target, sealed, announced.precondition, None)
        .await
    {
        Ok(committed) => {
            let mut answer = HttpResponse::Ok();
            answer.insert_header((header::ETAG, committed.etag.quoted()));
            state_checksums(&mut answer, &checksums);
            Ok(answer.finish())
        }
        // AWS: If-Match on a key without an object is a 404.
        // https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
        Err(StoreError::PreconditionFailed)
            if wants_match && rooms.store.object(&bucket, &key).await?.is_none() =>
        {
            Err(error::no_such_key(&key))
        }
        Err(refusal) => Err(refusal.into()),
    }
}

/// Reads the body, whatever its framing, until it is whole and holds what was stated.
async fn receive(
    body: &mut Body,
    mut staging: Staging,
    payload: &Payload,
    announced: &Announced,
) -> Result<Sealed, S3Error> {
    let mut expected = announced.expected.clone();
    match payload {
        Payload::Unsigned | Payload::Sha256(_) => {
            while let Some(bytes) = body.next().await? {
                staging.write(bytes).await?;
            }
        }
        Payload::Chunked(framing) => {
            let mut decoder = Decoder::new(framing.clone());
            let mut decoded = Vec::new();
            while let Some(bytes) = body.next().await? {
                decoder.push(bytes, &mut decoded)?;
                for piece in decoded.drain(..) {
                    staging.write(piece).await?;
                }
            }
            let trailer = decoder.finish()?;
            judge_trailer(&trailer, &announced.checksums)?;
            expected.checksums.extend(trailer);
        }
    }
    Ok(staging.seal(&expected).await?)
}

/// What the trailer states must be what the head announced: only that was computed.
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

/// Checksums of a whole object, as headers.
pub(super) fn state_checksums(answer: &mut actix_web::HttpResponseBuilder, checksums: &[Checksum]) {
    for checksum in checksums {
        answer.insert_header((checksum.algorithm.header(), checksum.value.as_str()));
    }
    if !checksums.is_empty() {
        answer.insert_header(("x-amz-checksum-type", "FULL_OBJECT"));
    }
}
