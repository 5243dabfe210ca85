//! aws-chunked bodies: `size;chunk-signature=…\r\n data \r\n`, signed or not, with or without trailers.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>
//!
//! A push decoder without input or output of its own: what it answers does not depend on how the body was cut. Each
//! chunk's signature covers the one before it, the first one the request's own, so that no chunk can be left out, added
//! or moved. Lines, trailers and chunks are bounded. Whether a trailer's checksum is that of the body is its caller's to
//! compare.
use crate::s3::signature::credential::scope::{ALGORITHM, Scope, SigningKey};
use crate::s3::signature::request::head::RequestHead;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::s3::values::checksum::{Checksum, ChecksumAlgorithm};
use crate::s3::values::error::{ErrorCode, S3Error};

#[cfg(test)]
mod tests;

/// Bytes of a chunk's header line. A signed one has some 90.
const MAX_LINE: usize = 1024;
/// Bytes of all trailers together.
const MAX_TRAILERS: usize = 8 * 1024;
/// Bytes of a decoded body: what one PUT may hold.
const MAX_DECODED: u64 = 5 << 30;
/// Blank lines after the end, in bytes. MinIO's SDK sends one more than AWS's.
const MAX_TAIL: usize = 4;
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The three values of `x-amz-content-sha256` that announce aws-chunked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Signed,
    SignedWithTrailer,
    UnsignedWithTrailer,
}

/// Where the chain of signatures starts: the request's own.
#[derive(Debug, Clone)]
pub(super) struct Seed {
    pub(super) key: SigningKey,
    /// As in the string to sign
    pub(super) date: String,
    pub(super) scope: Scope,
    pub(super) signature: String,
}

/// What the decoder needs to know from the head: signed or not, seed signature, scope, key, trailer, decoded length.
#[derive(Debug, Clone)]
pub struct Framing {
    /// `None`: the chunks are not signed.
    seed: Option<Seed>,
    /// `None`: this kind has no trailer.
    trailer: Option<Vec<ChecksumAlgorithm>>,
    decoded_bytes: u64,
}
impl Framing {
    /// # Errors
    /// `InvalidRequest` for signed chunks without a seed, `MissingContentLength` without `x-amz-decoded-content-length`, `InvalidArgument` where it is no number,
    /// `EntityTooLarge` past 5 GiB, `InvalidRequest` for an `x-amz-trailer` that names no checksum.
    pub(super) fn announced_by(
        head: &RequestHead<'_>,
        kind: Kind,
        seed: Option<Seed>,
    ) -> Result<Self, S3Error> {
        let seed = match (kind, seed) {
            (Kind::UnsignedWithTrailer, _) => None,
            (Kind::Signed | Kind::SignedWithTrailer, Some(seed)) => Some(seed),
            (Kind::Signed | Kind::SignedWithTrailer, None) => {
                return Err(broken(
                    "x-amz-content-sha256 announces signed chunks, but the request is not signed by AWS4-HMAC-SHA256.",
                ));
            }
        };
        let decoded_bytes = announced_length(head)?;
        let announced = announced_trailer(head)?;
        let trailer = match kind {
            Kind::Signed if announced.is_empty() => None,
            Kind::Signed => {
                return Err(broken(
                    "x-amz-trailer is given, but x-amz-content-sha256 announces a body without trailers.",
                ));
            }
            Kind::SignedWithTrailer | Kind::UnsignedWithTrailer => Some(announced),
        };
        Ok(Self {
            seed,
            trailer,
            decoded_bytes,
        })
    }

    /// What `x-amz-decoded-content-length` states, and the decoder holds the body to.
    #[must_use]
    pub fn decoded_bytes(&self) -> u64 {
        self.decoded_bytes
    }

    /// The checksums that `x-amz-trailer` announces, and [`Decoder::finish`] answers.
    #[must_use]
    pub fn trailer_checksums(&self) -> &[ChecksumAlgorithm] {
        self.trailer.as_deref().unwrap_or_default()
    }
}

fn announced_length(head: &RequestHead<'_>) -> Result<u64, S3Error> {
    const NAME: &str = "x-amz-decoded-content-length";
    let text = head.value(NAME)?.map(str::trim).ok_or_else(|| {
        S3Error::with_message(
            ErrorCode::MissingContentLength,
            format!("You must provide the {NAME} HTTP header."),
        )
    })?;
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(S3Error::with_message(
            ErrorCode::InvalidArgument,
            format!("{NAME} must be a number of bytes."),
        )
        .extra("ArgumentName", NAME)
        .extra("ArgumentValue", text));
    }
    match text.parse() {
        Ok(bytes) if bytes <= MAX_DECODED => Ok(bytes),
        _ => Err(S3Error::with_message(
            ErrorCode::EntityTooLarge,
            "Your proposed upload exceeds the maximum allowed size",
        )
        .extra("ProposedSize", text)
        .extra("MaxSizeAllowed", MAX_DECODED.to_string())),
    }
}

fn announced_trailer(head: &RequestHead<'_>) -> Result<Vec<ChecksumAlgorithm>, S3Error> {
    let mut announced = Vec::new();
    let names = head
        .values("x-amz-trailer")
        .flat_map(|value| value.split(','))
        .map(str::trim);
    for name in names.filter(|name| !name.is_empty()) {
        match ChecksumAlgorithm::from_header(name) {
            Some(algorithm) if !announced.contains(&algorithm) => announced.push(algorithm),
            _ => {
                return Err(broken(
                    "The value specified in the x-amz-trailer header is not supported",
                ));
            }
        }
    }
    Ok(announced)
}

/// A push decoder: feed it the body in any pieces; it hands out the decoded bytes.
/// Decoded bytes of a signed chunk may be handed out before the chunk's signature is checked; the caller must not
/// seal anything before [`Decoder::finish`] has answered `Ok`.
pub struct Decoder {
    state: State,
    chain: Option<Chain>,
    trailer: Option<Trailer>,
    /// What has come of the line under way
    line: Vec<u8>,
    /// Of all chunks whose header has been read
    announced_bytes: u64,
    decoded_bytes: u64,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    ChunkHeader,
    /// Bytes of the chunk that are still to come
    Data(u64),
    /// The line end after a chunk's data
    DataEnd,
    Trailer,
    /// The line end after the last chunk, where there is no trailer
    LastEnd,
    /// Bytes of blank lines seen since
    Done(usize),
    /// An error was answered; nothing after it counts.
    Failed,
}

impl Decoder {
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        Self {
            state: State::ChunkHeader,
            chain: framing.seed.map(Chain::new),
            trailer: framing.trailer.map(Trailer::new),
            line: Vec::new(),
            announced_bytes: 0,
            decoded_bytes: framing.decoded_bytes,
        }
    }

    /// # Errors
    /// `SignatureDoesNotMatch`, `InvalidRequest`, `MalformedTrailerError` or `IncompleteBody` for broken framing; lines and sizes are bounded.
    pub fn push(&mut self, input: Bytes, decoded: &mut Vec<Bytes>) -> Result<(), S3Error> {
        let pushed = self.advance(input, decoded);
        if pushed.is_err() {
            self.state = State::Failed;
        }
        pushed
    }

    fn advance(&mut self, mut input: Bytes, decoded: &mut Vec<Bytes>) -> Result<(), S3Error> {
        while !input.is_empty() {
            match self.state {
                State::ChunkHeader => {
                    if let Some(line) = self.take_line(&mut input, MAX_LINE)? {
                        self.begin_chunk(&line)?;
                    }
                }
                State::Data(left) => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    let data = input.split_to(here);
                    if let Some(chain) = &mut self.chain {
                        chain.update(&data);
                    }
                    decoded.push(data);
                    self.state = match left - here as u64 {
                        0 => State::DataEnd,
                        left => State::Data(left),
                    };
                }
                State::DataEnd | State::LastEnd => {
                    if let Some(line) = self.take_line(&mut input, 2)? {
                        self.end_chunk(&line)?;
                    }
                }
                State::Trailer => {
                    if let Some(line) = self.take_line(&mut input, MAX_TRAILERS)? {
                        self.read_trailer(&line)?;
                    }
                }
                State::Done(tail) => {
                    let tail = tail.saturating_add(input.len());
                    if tail > MAX_TAIL || !input.iter().all(|byte| b"\r\n".contains(byte)) {
                        return Err(broken("The body goes on after its last chunk."));
                    }
                    self.state = State::Done(tail);
                    return Ok(());
                }
                State::Failed => return Err(incomplete("The body was refused before.")),
            }
        }
        Ok(())
    }

    /// The next line, its `\n` included, once all of it has come.
    fn take_line(&mut self, input: &mut Bytes, limit: usize) -> Result<Option<Vec<u8>>, S3Error> {
        let end = input.iter().position(|byte| *byte == b'\n');
        let here = end.map_or(input.len(), |end| end + 1);
        if self.line.len().saturating_add(here) > limit {
            return Err(broken("A line of the aws-chunked body is too long."));
        }
        self.line.extend_from_slice(&input.split_to(here));
        Ok(end.map(|_| std::mem::take(&mut self.line)))
    }

    fn begin_chunk(&mut self, line: &[u8]) -> Result<(), S3Error> {
        let header = ChunkHeader::parse(line)
            .ok_or_else(|| broken("A chunk does not start with its size in hex and a line end."))?;
        self.announced_bytes = self.announced_bytes.saturating_add(header.size_bytes);
        if self.announced_bytes > self.decoded_bytes {
            return Err(incomplete(
                "The chunks hold more bytes than x-amz-decoded-content-length states.",
            ));
        }
        if let Some(chain) = &mut self.chain {
            chain.begin_chunk(header.signature)?;
        }
        if header.size_bytes > 0 {
            self.state = State::Data(header.size_bytes);
            return Ok(());
        }
        if let Some(chain) = &mut self.chain {
            chain.end_chunk()?;
        }
        if self.announced_bytes < self.decoded_bytes {
            return Err(incomplete(
                "The chunks hold fewer bytes than x-amz-decoded-content-length states.",
            ));
        }
        self.state = match self.trailer {
            Some(_) => State::Trailer,
            None => State::LastEnd,
        };
        Ok(())
    }

    fn end_chunk(&mut self, line: &[u8]) -> Result<(), S3Error> {
        if line != b"\r\n" {
            return Err(broken("A chunk's data does not end where its size says."));
        }
        if self.state == State::LastEnd {
            self.state = State::Done(0);
            return Ok(());
        }
        if let Some(chain) = &mut self.chain {
            chain.end_chunk()?;
        }
        self.state = State::ChunkHeader;
        Ok(())
    }

    fn read_trailer(&mut self, line: &[u8]) -> Result<(), S3Error> {
        let trailer = self
            .trailer
            .as_mut()
            .expect("the state Trailer is entered only where there is one");
        if trailer.read(line, self.chain.as_ref())? == TrailerEnd::Reached {
            self.state = State::Done(0);
        }
        Ok(())
    }

    /// The body has ended. Answers the checksum that the trailer stated.
    /// # Errors
    /// `IncompleteBody` when it ended early or `x-amz-decoded-content-length` does not hold.
    pub fn finish(self) -> Result<Vec<Checksum>, S3Error> {
        match self.state {
            State::Done(_) => Ok(self.trailer.map(Trailer::into_stated).unwrap_or_default()),
            State::Failed => Err(incomplete("The body was refused before.")),
            _ => Err(incomplete(
                "You did not provide the number of bytes specified by the Content-Length HTTP header",
            )),
        }
    }
}

/// `10000;chunk-signature=…`, or the size alone.
struct ChunkHeader<'a> {
    size_bytes: u64,
    signature: Option<&'a str>,
}
impl<'a> ChunkHeader<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?;
        let (size, extension) = match line.split_once(';') {
            Some((size, extension)) => (size, Some(extension)),
            None => (line, None),
        };
        let well_formed =
            (1..=16).contains(&size.len()) && size.bytes().all(|byte| byte.is_ascii_hexdigit());
        Some(Self {
            size_bytes: well_formed.then(|| u64::from_str_radix(size, 16).ok())??,
            signature: match extension {
                Some(extension) => Some(extension.strip_prefix("chunk-signature=")?),
                None => None,
            },
        })
    }
}

/// The chain of chunk signatures, at the chunk under way.
struct Chain {
    seed: Seed,
    /// The signature of the chunk before; the request's own for the first one.
    previous: String,
    stated: String,
    data: Sha256,
}
impl Chain {
    fn new(seed: Seed) -> Self {
        Self {
            previous: seed.signature.clone(),
            stated: String::new(),
            data: Sha256::new(),
            seed,
        }
    }

    fn begin_chunk(&mut self, signature: Option<&str>) -> Result<(), S3Error> {
        let signature = signature.ok_or_else(|| mismatch("A chunk has no signature."))?;
        signature.clone_into(&mut self.stated);
        Ok(())
    }

    fn update(&mut self, data: &[u8]) {
        self.data.update(data);
    }

    fn end_chunk(&mut self) -> Result<(), S3Error> {
        let data = hex::encode(self.data.finalize_reset());
        let string_to_sign = self.string_to_sign("PAYLOAD", &format!("{EMPTY_SHA256}\n{data}"));
        self.check(&string_to_sign, &self.stated)?;
        self.previous = std::mem::take(&mut self.stated);
        Ok(())
    }

    fn check_trailer(&self, canonical: &str, signature: &str) -> Result<(), S3Error> {
        let hash = hex::encode(Sha256::digest(canonical));
        self.check(&self.string_to_sign("TRAILER", &hash), signature)
    }

    fn string_to_sign(&self, what: &str, hashes: &str) -> String {
        let Seed { date, scope, .. } = &self.seed;
        format!(
            "{ALGORITHM}-{what}\n{date}\n{scope}\n{}\n{hashes}",
            self.previous
        )
    }

    fn check(&self, string_to_sign: &str, signature: &str) -> Result<(), S3Error> {
        if self.seed.key.matches(string_to_sign.as_bytes(), signature) {
            return Ok(());
        }
        Err(mismatch(ErrorCode::SignatureDoesNotMatch.default_message())
            .extra("StringToSign", string_to_sign))
    }
}

/// The headers after the last chunk.
struct Trailer {
    announced: Vec<ChecksumAlgorithm>,
    stated: Vec<Checksum>,
    /// What its signature covers
    canonical: String,
    size_bytes: usize,
    is_signed: bool,
}
#[derive(PartialEq, Eq)]
enum TrailerEnd {
    Reached,
    Ahead,
}
impl Trailer {
    fn new(announced: Vec<ChecksumAlgorithm>) -> Self {
        Self {
            announced,
            stated: Vec::new(),
            canonical: String::new(),
            size_bytes: 0,
            is_signed: false,
        }
    }

    /// One line. A blank one is the end, but not before the signature where the chunks are signed: MinIO's SDK puts a
    /// blank line between the two, and ends a header with a bare LF.
    fn read(&mut self, line: &[u8], chain: Option<&Chain>) -> Result<TrailerEnd, S3Error> {
        self.size_bytes += line.len();
        if self.size_bytes > MAX_TRAILERS {
            return Err(malformed_trailer(
                "The trailers of the aws-chunked body are too long.",
            ));
        }
        let line = std::str::from_utf8(line)
            .map_err(|_| malformed_trailer("A trailer is no text."))?
            .trim_end_matches(['\r', '\n']);
        if line.is_empty() {
            return match chain {
                Some(_) if !self.is_signed => Ok(TrailerEnd::Ahead),
                _ => self.check_complete().map(|()| TrailerEnd::Reached),
            };
        }
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| malformed_trailer("A trailer is no header."))?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        match chain {
            _ if self.is_signed => Err(malformed_trailer(
                "A trailer comes after the trailers' signature.",
            )),
            Some(chain) if name == "x-amz-trailer-signature" => {
                chain.check_trailer(&self.canonical, value)?;
                self.is_signed = true;
                Ok(TrailerEnd::Ahead)
            }
            _ => {
                self.state_checksum(&name, value)?;
                Ok(TrailerEnd::Ahead)
            }
        }
    }

    fn state_checksum(&mut self, name: &str, value: &str) -> Result<(), S3Error> {
        let algorithm = ChecksumAlgorithm::from_header(name)
            .filter(|algorithm| self.announced.contains(algorithm))
            .filter(|algorithm| {
                self.stated
                    .iter()
                    .all(|other| other.algorithm != *algorithm)
            })
            .ok_or_else(|| {
                malformed_trailer("A trailer was not announced by x-amz-trailer, or comes twice.")
            })?;
        self.stated.push(Checksum::parse(algorithm, value)?);
        for part in [name, ":", value, "\n"] {
            self.canonical.push_str(part);
        }
        Ok(())
    }

    fn check_complete(&self) -> Result<(), S3Error> {
        if self.stated.len() == self.announced.len() {
            return Ok(());
        }
        Err(malformed_trailer(
            "A trailer that x-amz-trailer announces is missing.",
        ))
    }

    fn into_stated(self) -> Vec<Checksum> {
        self.stated
    }
}

fn malformed_trailer(why: &'static str) -> S3Error {
    S3Error::with_message(ErrorCode::MalformedTrailerError, why)
}

fn broken(why: &'static str) -> S3Error {
    S3Error::with_message(ErrorCode::InvalidRequest, why)
}

fn incomplete(why: &'static str) -> S3Error {
    S3Error::with_message(ErrorCode::IncompleteBody, why)
}

fn mismatch(why: &'static str) -> S3Error {
    S3Error::with_message(ErrorCode::SignatureDoesNotMatch, why)
}
