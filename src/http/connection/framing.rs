//! Where a request of HTTP/1.1 ends, found from its bytes as they arrive.
//!
//! Guarantees: the end is the one that actix's decoder finds. Where the two could differ, the request lasts until the
//! connection closes, so that no later byte is ever read as another request. Refuses to know what a body means. RFC
//! 9112, sections 6 and 7: <https://www.rfc-editor.org/rfc/rfc9112#section-6>

use httparse::{Header, Request, Status};
use std::mem::MaybeUninit;

/// actix refuses heads with more headers.
const HEADERS: usize = 96;

/// Space for the headers of one head.
pub(super) type HeaderSpace<'a> = [MaybeUninit<Header<'a>>; HEADERS];

/// A head, as far as it has arrived.
pub(super) enum Head<'a, 'b> {
    Incomplete,
    /// `length`: bytes up to the body.
    Complete {
        request: Request<'a, 'b>,
        length: usize,
    },
    Malformed,
}

pub(super) fn header_space<'a>() -> HeaderSpace<'a> {
    [const { MaybeUninit::uninit() }; HEADERS]
}

/// Parses the head that `received` begins with, by the parser that actix uses.
pub(super) fn parse_head<'a, 'b>(
    received: &'b [u8],
    space: &'a mut HeaderSpace<'b>,
) -> Head<'a, 'b> {
    let mut request = Request::new(&mut []);
    match request.parse_with_uninit_headers(received, space) {
        Ok(Status::Complete(length)) => Head::Complete { request, length },
        Ok(Status::Partial) => Head::Incomplete,
        Err(_) => Head::Malformed,
    }
}

/// The part of a request that has not arrived yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remaining {
    /// This many bytes of the head, then of the body.
    Sized { head: u64, body: u64 },
    /// This many bytes of the head, then chunks.
    Chunked { head: u64, chunks: Chunks },
    /// All further bytes.
    UntilClose,
}

/// Bytes that belong to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) bytes: usize,
    /// How many of them are data of the body.
    pub(super) body: usize,
    /// How many are framing: sizes of chunks, extensions, line ends.
    pub(super) framing: usize,
}

impl Remaining {
    /// The bytes of a request with this head. A head that actix refuses, or reads as the beginning of something other
    /// than a request with a body (an upgrade, a tunnel), lasts until the connection closes.
    pub(super) fn of(request: &Request<'_, '_>, length: usize) -> Self {
        let head = length as u64;
        let (mut declared, mut chunked) = (None, false);
        for header in request.headers.iter() {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            if is("transfer-encoding") {
                let is_chunked = header.value.eq_ignore_ascii_case(b"chunked");
                if !is_chunked || std::mem::replace(&mut chunked, true) {
                    return Self::UntilClose;
                }
            } else if is("content-length") {
                let bytes = declared_bytes(header.value);
                if bytes.is_none() || declared.is_some() {
                    return Self::UntilClose;
                }
                declared = bytes;
            } else if is("upgrade") && header.value.eq_ignore_ascii_case(b"websocket") {
                return Self::UntilClose;
            }
        }
        let is_tunnel = request.method == Some("CONNECT");
        match (chunked, declared) {
            (true, None) if request.version == Some(1) && !is_tunnel => Self::Chunked {
                head,
                chunks: Chunks::default(),
            },
            (true, _) => Self::UntilClose,
            (false, _) if is_tunnel => Self::UntilClose,
            (false, declared) => Self::Sized {
                head,
                body: declared.unwrap_or(0),
            },
        }
    }

    pub(super) fn is_nothing(&self) -> bool {
        match self {
            Self::Sized { head, body } => *head == 0 && *body == 0,
            Self::Chunked { head, chunks } => *head == 0 && chunks.state == ChunkState::End,
            Self::UntilClose => false,
        }
    }

    /// Takes the bytes that belong to the request from the beginning of `bytes`.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Taken {
        let (head, body) = match self {
            Self::UntilClose => {
                return Taken {
                    bytes: bytes.len(),
                    body: bytes.len(),
                    framing: 0,
                };
            }
            Self::Sized { head, body } => {
                let of_head = at_most(bytes.len(), *head);
                let of_body = at_most(bytes.len() - of_head, *body);
                *head -= of_head as u64;
                *body -= of_body as u64;
                return Taken {
                    bytes: of_head + of_body,
                    body: of_body,
                    framing: 0,
                };
            }
            Self::Chunked { head, chunks } => {
                let of_head = at_most(bytes.len(), *head);
                *head -= of_head as u64;
                (of_head, chunks.take(&bytes[of_head..]))
            }
        };
        let Some(body) = body else {
            // actix reads the same bytes and ends the connection.
            *self = Self::UntilClose;
            return Taken {
                bytes: bytes.len(),
                body: 0,
                framing: 0,
            };
        };
        Taken {
            bytes: head + body.bytes,
            ..body
        }
    }
}

fn at_most(available: usize, wanted: u64) -> usize {
    usize::try_from(wanted).map_or(available, |wanted| available.min(wanted))
}

fn declared_bytes(value: &[u8]) -> Option<u64> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let digits = std::str::from_utf8(value).ok().filter(|_| is_number)?;
    digits.parse().ok()
}

/// How far the chunks of a body have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Chunks {
    state: ChunkState,
    /// The bytes left of the current chunk.
    size: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum ChunkState {
    #[default]
    FirstDigit,
    Digits,
    SpaceAfterSize,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// At the beginning of a trailer, or of the empty line that ends them.
    EndCr,
    Trailer,
    TrailerLf,
    EndLf,
    End,
}

impl Chunks {
    /// Takes the bytes that belong to the chunks. `None`: the chunks are malformed.
    fn take(&mut self, bytes: &[u8]) -> Option<Taken> {
        let (mut at, mut body) = (0, 0);
        while self.state != ChunkState::End && at < bytes.len() {
            if self.state == ChunkState::Data {
                let data = at_most(bytes.len() - at, self.size);
                self.size -= data as u64;
                at += data;
                body += data;
                if self.size == 0 {
                    self.state = ChunkState::DataCr;
                }
                continue;
            }
            self.state = self.after(bytes[at])?;
            at += 1;
        }
        Some(Taken {
            bytes: at,
            body,
            framing: at - body,
        })
    }

    /// The state after a byte of framing.
    fn after(&mut self, byte: u8) -> Option<ChunkState> {
        use ChunkState as State;
        Some(match (self.state, byte) {
            (State::FirstDigit, _) => {
                self.size = hex_digit(byte)?;
                State::Digits
            }
            (State::Digits | State::SpaceAfterSize, b'\t' | b' ') => State::SpaceAfterSize,
            (State::Digits | State::SpaceAfterSize, b';') => State::Extension,
            (State::Digits | State::SpaceAfterSize | State::Extension, b'\r') => State::SizeLf,
            (State::Digits, _) => {
                self.size = self.size.checked_mul(16)? + hex_digit(byte)?;
                State::Digits
            }
            (State::Extension, 0x00..=0x08 | 0x0a..=0x1f | 0x7f) => return None,
            (State::Extension, _) => State::Extension,
            (State::SizeLf, b'\n') if self.size > 0 => State::Data,
            (State::SizeLf | State::TrailerLf, b'\n') => State::EndCr,
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::FirstDigit,
            (State::EndCr, b'\r') => State::EndLf,
            (State::Trailer, b'\r') => State::TrailerLf,
            (State::EndCr | State::Trailer, _) => State::Trailer,
            (State::EndLf, b'\n') => State::End,
            _ => return None,
        })
    }
}

fn hex_digit(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(16).map(u64::from)
}

/// Whether the head of a response, which `written` begins with, says that no other response follows it on the
/// connection. `None`: so far there are only interim responses (1xx).
pub(super) fn answer_closes(mut written: &[u8]) -> Option<bool> {
    loop {
        let end = memchr::memmem::find(written, b"\r\n\r\n")?;
        let head = &written[..end];
        written = &written[end + 4..];
        if head.get(9) == Some(&b'1') && !head.starts_with(b"HTTP/1.1 101") {
            continue;
        }
        let mut stays = head.starts_with(b"HTTP/1.1");
        for line in head.split(|byte| *byte == b'\n') {
            const NAME: &[u8] = b"connection:";
            if line.len() >= NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME) {
                let value = line[NAME.len()..].trim_ascii();
                stays = value.eq_ignore_ascii_case(b"keep-alive");
            }
        }
        return Some(!stays);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_http::ServiceConfig;
    use actix_http::error::ParseError;
    use actix_http::h1::{Codec, Message, MessageType};
    use bytes::BytesMut;
    use proptest::prelude::*;
    use rstest::rstest;
    use tokio_util::codec::Decoder as _;

    fn remaining(received: &[u8]) -> Option<Remaining> {
        let mut space = header_space();
        match parse_head(received, &mut space) {
            Head::Complete { request, length } => Some(Remaining::of(&request, length)),
            Head::Incomplete => None,
            Head::Malformed => Some(Remaining::UntilClose),
        }
    }

    #[rstest]
    #[case::bare("GET / HTTP/1.1\r\nHost: h\r\n\r\n", 27, 0)]
    #[case::body("PUT / HTTP/1.1\r\nContent-Length: 10\r\n\r\n", 38, 10)]
    #[case::h2c("GET / HTTP/1.1\r\nUpgrade: h2c\r\nHost: h\r\n\r\n", 41, 0)]
    #[case::unknown_method("BREW / HTTP/1.1\r\nContent-Length: 1\r\n\r\n", 38, 1)]
    fn a_length_is_found(#[case] head: &str, #[case] length: u64, #[case] body: u64) {
        let sized = Remaining::Sized { head: length, body };
        assert_eq!(remaining(head.as_bytes()), Some(sized));
    }

    #[rstest]
    #[case::two_lengths("PUT / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n")]
    #[case::signed("PUT / HTTP/1.1\r\nContent-Length: +1\r\n\r\n")]
    #[case::too_long("PUT / HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n\r\n")]
    #[case::length_and_chunks(
        "PUT / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
    )]
    #[case::other_coding("PUT / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n")]
    #[case::chunks_of_old("PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n")]
    #[case::websocket("GET / HTTP/1.1\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\n")]
    #[case::tunnel("CONNECT h:1 HTTP/1.1\r\n\r\n")]
    #[case::folded("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n")]
    #[case::nonsense("\x16\x03\x01")]
    fn an_ambiguous_request_lasts_until_the_connection_closes(#[case] head: &str) {
        assert_eq!(remaining(head.as_bytes()), Some(Remaining::UntilClose));
    }

    #[test]
    fn chunks_end_at_the_same_byte_wherever_they_are_cut() {
        let head = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let body = "5;a=b\r\nhello\r\n00A \r\n0123456789\r\n0\r\nX: y\r\n\r\n";
        let whole = format!("{head}{body}GET / HTTP/1.1\r\n\r\n");
        let end = head.len() + body.len();
        for cut in 1..whole.len() {
            let mut remaining = remaining(head.as_bytes()).unwrap();
            let (first, second) = whole.as_bytes().split_at(cut);
            let mut taken = remaining.take(first);
            if taken.bytes == first.len() {
                let more = remaining.take(second);
                taken.bytes += more.bytes;
                taken.body += more.body;
            }
            assert_eq!((taken.bytes, taken.body), (end, 15), "cut at {cut}");
            assert!(remaining.is_nothing());
        }
    }

    #[test]
    fn an_answer_that_closes_says_so() {
        let closes = |head: &str| answer_closes(head.as_bytes());
        assert_eq!(
            closes("HTTP/1.1 200 OK\r\ndate: x\r\n\r\nConnection: close"),
            Some(false)
        );
        assert_eq!(
            closes("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"),
            Some(true)
        );
        assert_eq!(
            closes("HTTP/1.1 200 OK\r\nconnection: upgrade\r\n\r\n"),
            Some(true)
        );
        assert_eq!(closes("HTTP/1.0 200 OK\r\n\r\n"), Some(true));
        assert_eq!(
            closes("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n\r\n"),
            Some(false)
        );
        assert_eq!(closes("HTTP/1.1 100 Continue\r\n\r\n"), None);
        let after_interim =
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 F\r\nconnection: close\r\n\r\n";
        assert_eq!(closes(after_interim), Some(true));
    }

    /// Where actix finds the first request's end: the number of bytes that it read, or `None` while it waits for more
    /// or refuses the request.
    fn end_by_actix(received: &[u8]) -> Result<Option<usize>, ParseError> {
        // Its codec has a task of its own that keeps the date.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let tasks = tokio::task::LocalSet::new();
        let _entered = (runtime.enter(), tasks.enter());
        let mut codec = Codec::new(ServiceConfig::default());
        let mut left = BytesMut::from(received);
        let Some(Message::Item(_)) = codec.decode(&mut left)? else {
            return Ok(None);
        };
        match codec.message_type() {
            MessageType::None => return Ok(Some(received.len() - left.len())),
            MessageType::Stream => return Ok(None),
            MessageType::Payload => {}
        }
        loop {
            match codec.decode(&mut left)? {
                Some(Message::Chunk(Some(_))) => {}
                Some(Message::Chunk(None)) => return Ok(Some(received.len() - left.len())),
                Some(Message::Item(_)) | None => return Ok(None),
            }
        }
    }

    /// `Err`: the request lasts until the connection closes.
    fn end_by_us(received: &[u8]) -> Result<Option<usize>, Remaining> {
        let Some(mut remaining) = remaining(received) else {
            return Ok(None);
        };
        let taken = remaining.take(received);
        if remaining == Remaining::UntilClose {
            return Err(remaining);
        }
        Ok(remaining.is_nothing().then_some(taken.bytes))
    }

    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "GET ",
            "PUT ",
            "POST ",
            "HEAD ",
            "CONNECT ",
            "/ ",
            "h:1 ",
            "HTTP/1.1",
            "HTTP/1.0",
            "\r\n",
            "\r\n",
            "\r\n\r\n",
            "\n",
            "\r",
            " ",
            "\t",
            "Host: h\r\n",
            "Host: h\n",
            "Content-Length: 3\r\n",
            "Content-Length: 0\r\n",
            "Content-Length: +3\r\n",
            "Content-Length:  3 \r\n",
            "Content-Length: 3, 3\r\n",
            "content-length : 3\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Transfer-Encoding: Chunked \r\n",
            "Transfer-Encoding: identity\r\n",
            "Transfer-Encoding: gzip\r\n",
            "Transfer-Encoding: chunked, chunked\r\n",
            "Transfer-Encoding:\x0bchunked\r\n",
            "Upgrade: h2c\r\n",
            "Upgrade: websocket\r\n",
            "Upgrade: WebSocket \r\n",
            "Connection: upgrade\r\n",
            "Connection: close\r\n",
            "Expect: 100-continue\r\n",
            "X: y\r\n z\r\n",
            "3\r\nabc\r\n",
            "3;x=y\r\nabc\r\n",
            "3 \r\nabc\r\n",
            "3\nabc\r\n",
            "ffffffffffffffffff\r\n",
            "0\r\n\r\n",
            "0\r\nT: v\r\n\r\n",
            "00\r\n\r\n",
            "abc",
        ]);
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    fn beginnings() -> impl Strategy<Value = String> {
        prop::sample::select(vec![
            "",
            "\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\n",
            "PUT / HTTP/1.1\r\nHost: h\r\n",
            "POST / HTTP/1.0\r\n",
            "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
            "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        ])
        .prop_map(str::to_owned)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        /// If the two ends differed, bytes of one request would be read as another request.
        #[test]
        fn a_request_ends_where_actix_says_that_it_ends(begins in beginnings(), more in pieces()) {
            let received = [begins.as_bytes(), more.as_bytes()].concat();
            // A request that actix refuses ends the connection, wherever we find its end.
            if let Ok(end) = end_by_actix(&received) {
                let ours = end_by_us(&received);
                let text = String::from_utf8_lossy(&received);
                prop_assert!(ours.is_err() || ours == Ok(end), "{text:?}: {ours:?}, by actix {end:?}");
            }
        }
    }
}
