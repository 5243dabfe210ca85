//! What a signature says of the body: the values of `x-amz-content-sha256`.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
use crate::s3::signature::request::head::RequestHead;
use crate::s3::signature::v4::chunked::{Framing, Kind};
use crate::s3::values::error::{ErrorCode, S3Error};

/// The header, and the parameter of a query in any case of its letters.
pub(in crate::s3) const CONTENT_SHA256: &str = "x-amz-content-sha256";
pub(super) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
/// The SHA-256 of no bytes.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const UNSIGNED_WITH_TRAILER: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/// How to read the body of a verified request.
#[derive(Debug, Clone)]
pub enum Payload {
    /// `UNSIGNED-PAYLOAD`, or a presigned URL's.
    Unsigned,
    /// The body's SHA-256 must be this (lower-case hex).
    Sha256(String),
    /// aws-chunked; the decoder verifies each chunk's signature where they are signed.
    Chunked(Framing),
}
impl Payload {
    /// How to read the body of a request that Version 4 did not sign (it is unsigned, or signed by Version 2): what the
    /// head states of the body binds all the same. `in_query`: what a signed query states where the header was not sent.
    /// # Errors
    /// `InvalidArgument` for an unknown term, `InvalidRequest` for signed chunks, and what is wrong with what the head
    /// announces of unsigned ones.
    pub fn without_sigv4(head: &RequestHead<'_>, in_query: Option<&str>) -> Result<Self, S3Error> {
        let term = match head.value(CONTENT_SHA256)?.or(in_query) {
            Some(text) => PayloadTerm::parse(text.trim())?,
            // AWS: SDKs leave the term to the signer, so that what they send unsigned over TLS has framing without it.
            None if is_aws_chunked(head) => PayloadTerm::parse(UNSIGNED_WITH_TRAILER)?,
            None => PayloadTerm::unsigned(),
        };
        Ok(match term.kind {
            TermKind::Unsigned => Self::Unsigned,
            TermKind::Sha256 => Self::Sha256(term.text.to_ascii_lowercase()),
            TermKind::Streaming(kind) => Self::Chunked(Framing::announced_by(head, kind, None)?),
        })
    }
}

fn is_aws_chunked(head: &RequestHead<'_>) -> bool {
    head.values("x-amz-trailer").next().is_some()
        && head
            .values("content-encoding")
            .flat_map(|codings| codings.split(','))
            .any(|coding| coding.trim().eq_ignore_ascii_case("aws-chunked"))
}

/// The last line of the canonical request, exactly as the client sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PayloadTerm {
    text: String,
    kind: TermKind,
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TermKind {
    Unsigned,
    Sha256,
    Streaming(Kind),
}
impl PayloadTerm {
    pub(super) fn unsigned() -> Self {
        Self {
            text: UNSIGNED.to_owned(),
            kind: TermKind::Unsigned,
        }
    }

    pub(super) fn of_no_bytes() -> Self {
        Self {
            text: EMPTY.to_owned(),
            kind: TermKind::Sha256,
        }
    }

    /// # Errors
    /// `InvalidArgument` for a value that is none of those S3 knows.
    pub(super) fn parse(text: &str) -> Result<Self, S3Error> {
        let kind = match text {
            UNSIGNED => TermKind::Unsigned,
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => TermKind::Streaming(Kind::Signed),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => {
                TermKind::Streaming(Kind::SignedWithTrailer)
            }
            UNSIGNED_WITH_TRAILER => TermKind::Streaming(Kind::UnsignedWithTrailer),
            _ if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                TermKind::Sha256
            }
            _ => return Err(invalid(text)),
        };
        let text = text.to_owned();
        Ok(Self { text, kind })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn kind(&self) -> &TermKind {
        &self.kind
    }
}

fn invalid(text: &str) -> S3Error {
    S3Error::with_message(
        ErrorCode::InvalidArgument,
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
         STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER \
         or a valid sha256 value.",
    )
    .extra("ArgumentName", "x-amz-content-sha256")
    .extra("ArgumentValue", text)
}
