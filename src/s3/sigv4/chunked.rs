//! aws-chunked bodies: `size;chunk-signature=…\r\n data \r\n`, signed or not, with or without trailers.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>
use super::super::S3Error;
use super::super::checksum::Checksum;
use bytes::Bytes;

/// What the decoder needs to know from the head: signed or not, seed signature, scope, key, trailer, decoded length.
#[derive(Debug, Clone)]
pub struct Framing {}

/// A push decoder: feed it the body in any pieces; it hands out the decoded bytes.
/// Decoded bytes of a signed chunk may be handed out before the chunk's signature is checked; the caller must not
/// seal anything before [`Decoder::finish`] has answered `Ok`.
pub struct Decoder {}
impl Decoder {
    #[must_use]
    pub fn new(_framing: Framing) -> Self {
        todo!()
    }
    /// # Errors
    /// `SignatureDoesNotMatch`, `InvalidRequest`/`IncompleteBody` for broken framing; lines and sizes are bounded.
    pub fn push(&mut self, _input: Bytes, _decoded: &mut Vec<Bytes>) -> Result<(), S3Error> {
        todo!()
    }
    /// The body has ended. Answers the checksum that the trailer stated.
    /// # Errors
    /// `IncompleteBody` when it ended early or `x-amz-decoded-content-length` does not hold.
    pub fn finish(self) -> Result<Vec<Checksum>, S3Error> {
        todo!()
    }
}
