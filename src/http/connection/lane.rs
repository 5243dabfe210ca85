//! A way past actix for requests whose answer is known: from the bytes that came to the bytes that go, with nothing
//! between but a look-up ([`KnownAnswers`]), and for some a read that never waits.
//!
//! actix copies each body into a buffer before it is sent, and builds each head anew; for a picture that is asked for
//! again and again that is most of the work. Guarantees: the answer is the one that actix sent to the same request
//! before, with its own date and id; what is not known is left to actix byte for byte; and no byte of a request that
//! actix has begun is ever taken for the beginning of another ([`Handed`]).

use super::activity::RequestUnderWay;
use crate::clock::{Clock, Timestamp};
use crate::http::limits::{BodyError, Pace};
use crate::http::proxies::Proxy;
use crate::http::repeat::{KnownAnswers, Plain, Repeat};
use crate::http::trace::RequestId;
use crate::s3::time::http_date;
use crate::store::SmallBytes;
use std::cell::RefCell;
use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Longer heads, and those with more headers, take the ordinary way.
pub(super) const HEAD_BYTES: usize = 4096;
const HEADERS: usize = 32;

/// What connections look answers up by.
#[derive(Clone)]
pub(super) struct Lane {
    known: KnownAnswers,
    clock: Clock,
    proxy: Proxy,
    is_open: bool,
}

thread_local! {
    /// The second that was last written out, and how.
    static DATE: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
    static KEY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Lane {
    pub(super) fn open(known: &KnownAnswers, clock: &Clock, proxy: Proxy) -> Self {
        Self {
            known: known.clone(),
            clock: clock.clone(),
            proxy,
            // Where each answer has a line in the log, that is the ordinary way's to write.
            is_open: !tracing::enabled!(tracing::Level::DEBUG),
        }
    }

    /// Which way the request goes that these bytes begin with. `knows`: whether the lane may answer it.
    pub(super) fn choose(&self, came: &[u8], knows: bool) -> Way {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let Ok(httparse::Status::Complete(length)) = request.parse(came) else {
            return Way::Ordinary { bytes: None };
        };
        if knows
            && self.is_open
            && let Some(answer) = self.answer(&request)
        {
            return Way::Known { length, answer };
        }
        let body = body_bytes(&request);
        Way::Ordinary {
            bytes: body.and_then(|body| body.checked_add(length as u64)),
        }
    }

    fn answer(&self, request: &httparse::Request<'_, '_>) -> Option<Answer> {
        if request.version != Some(1) {
            return None;
        }
        let headers = request.headers.iter().map(|it| (it.name, it.value));
        let asked = Plain::of(request.method?, request.path?, headers, self.proxy)?;
        let repeat = KEY.with_borrow_mut(|space| self.known.find(asked, space))?;
        let now = self.clock.now();
        if repeat.until.is_some_and(|until| until <= now) {
            return None;
        }
        let body = match &repeat.body {
            Some(body) => Some(body.at_once()?),
            None => None,
        };
        let id = RequestId::new();
        let rest = with_date(now, |date| repeat.rest_of_head(date, &id));
        Some(Answer { repeat, rest, body })
    }
}

/// `Date`, written out once a second.
fn with_date<T>(now: Timestamp, tell: impl FnOnce(&str) -> T) -> T {
    let second = now.as_millis().div_euclid(1000);
    DATE.with_borrow_mut(|(written, date)| {
        if *written != second {
            *date = http_date(now);
            *written = second;
        }
        tell(date)
    })
}

/// The length of a request's body, where its head leaves no doubt of it.
fn body_bytes(request: &httparse::Request<'_, '_>) -> Option<u64> {
    const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];
    if !METHODS.contains(&request.method?) {
        return None;
    }
    let mut declared = None;
    for header in request.headers.iter() {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("transfer-encoding") || is("upgrade") {
            return None;
        }
        if is("content-length") {
            let digits = std::str::from_utf8(header.value).ok()?;
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            if !is_number || declared.replace(digits.parse().ok()?).is_some() {
                return None;
            }
        }
    }
    Some(declared.unwrap_or(0))
}

/// Where a request goes.
pub(super) enum Way {
    Known {
        length: usize,
        answer: Answer,
    },
    /// To actix. `bytes`: head and body, where that is sure.
    Ordinary {
        bytes: Option<u64>,
    },
}

/// What actix has been handed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Handed {
    /// Nothing that it has not answered.
    Nothing,
    /// The beginning of one request; so much of it is still to come. `answers`: those given before it.
    Request { owed_bytes: u64, answers: u64 },
    /// Who knows where its requests begin and end: the lane stays closed.
    Unclear,
}

impl Handed {
    /// With a request's first bytes.
    pub(super) fn begin(bytes: Option<u64>, answers: u64) -> Self {
        bytes.map_or(Self::Unclear, |owed_bytes| Self::Request {
            owed_bytes,
            answers,
        })
    }

    /// How many bytes more may be handed on; `None`: as many as come.
    pub(super) fn most(self) -> Option<u64> {
        match self {
            Self::Request { owed_bytes, .. } => Some(owed_bytes),
            Self::Nothing | Self::Unclear => None,
        }
    }

    /// With so many bytes more.
    pub(super) fn more(self, bytes: usize) -> Self {
        match self {
            Self::Request {
                owed_bytes,
                answers,
            } => Self::begin(owed_bytes.checked_sub(bytes as u64), answers),
            _ if bytes == 0 => self,
            _ => Self::Unclear,
        }
    }

    /// Once all that was begun is answered and sent: so many answers were given. A request that was answered before it was
    /// there whole is read on by actix, or was refused together with what follows it.
    pub(super) fn at_rest(self, answers: u64) -> Self {
        match self {
            Self::Request {
                owed_bytes,
                answers: before,
            } if answers > before => {
                if owed_bytes == 0 {
                    Self::Nothing
                } else {
                    Self::Unclear
                }
            }
            _ => self,
        }
    }
}

/// What is to be sent.
pub(super) struct Answer {
    repeat: Arc<Repeat>,
    rest: Vec<u8>,
    body: Option<SmallBytes>,
}

impl Answer {
    fn parts(&self) -> [&[u8]; 3] {
        let body = self.body.as_deref().unwrap_or_default();
        [&self.repeat.head, &self.rest, body]
    }
}

/// An answer on its way, and how far it is. Its reader is held to the pace of all readers.
pub(super) struct Sending {
    answer: Answer,
    sent: usize,
    pace: Pace,
    waits_since: Option<Instant>,
    _under_way: RequestUnderWay,
}

impl Sending {
    pub(super) fn begin(answer: Answer, under_way: RequestUnderWay) -> Self {
        Self {
            answer,
            sent: 0,
            pace: Pace::of_a_reader(),
            waits_since: None,
            _under_way: under_way,
        }
    }

    /// What is left to be sent, for one call of the system.
    pub(super) fn left(&self) -> [IoSlice<'_>; 3] {
        let mut skipped = self.sent;
        self.answer.parts().map(|part| {
            let skip = skipped.min(part.len());
            skipped -= skip;
            IoSlice::new(&part[skip..])
        })
    }

    /// Its reader takes nothing for now.
    pub(super) fn waits(&mut self) {
        self.waits_since.get_or_insert_with(Instant::now);
    }

    pub(super) fn is_all_sent(&self) -> bool {
        let length: usize = self.answer.parts().map(<[u8]>::len).iter().sum();
        self.sent >= length
    }

    /// So many bytes more were taken.
    ///
    /// # Errors
    /// Where they were taken too slowly for there to be more.
    pub(super) fn advance(&mut self, bytes: usize) -> Result<(), BodyError> {
        self.sent += bytes;
        let waited = self.waits_since.take().map(|since| since.elapsed());
        if self.is_all_sent() {
            return Ok(());
        }
        // What was taken counts for the wait before it.
        self.pace.count(Duration::ZERO, bytes)?;
        self.pace.count(waited.unwrap_or_default(), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Store, StoreConfig};
    use rstest::rstest;

    async fn lane(dir: &std::path::Path) -> (Store, Lane) {
        let config = StoreConfig {
            data_dir: dir.to_owned(),
            allow_unsafe_fs: true,
            multipart_expires: Duration::from_hours(1),
            grace: Duration::from_hours(1),
            min_free_bytes: Some(0),
        };
        let store = Store::open(config, Clock::default(), Vec::new())
            .await
            .unwrap();
        let known = KnownAnswers::new(&store);
        let clock = Clock::default();
        (
            store,
            Lane {
                known,
                clock,
                proxy: Proxy::Nobody,
                is_open: true,
            },
        )
    }

    #[rstest]
    #[case::bare("GET / HTTP/1.1\r\nHost: h\r\n\r\n", Some(27))]
    #[case::body("PUT / HTTP/1.1\r\nContent-Length: 10\r\n\r\n", Some(48))]
    #[case::incomplete("GET / HTTP/1.1\r\nHost: h\r\n", None)]
    #[case::chunked("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", None)]
    #[case::two_lengths(
        "PUT / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        None
    )]
    #[case::signed_length("PUT / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", None)]
    #[case::too_long("PUT / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n", None)]
    #[case::upgrade("GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n", None)]
    #[case::tunnel("CONNECT h:1 HTTP/1.1\r\n\r\n", None)]
    #[case::nonsense("\x16\x03\x01", None)]
    #[tokio::test]
    async fn a_requests_length_is_told_only_where_it_is_sure(
        #[case] came: &str,
        #[case] length: Option<u64>,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (store, lane) = lane(dir.path()).await;
        match lane.choose(came.as_bytes(), true) {
            Way::Ordinary { bytes } => assert_eq!(bytes, length),
            Way::Known { .. } => panic!("nothing is known"),
        }
        store.close().await;
    }

    #[test]
    fn the_lane_opens_again_when_a_request_was_handed_whole_and_answered() {
        let handed = Handed::begin(Some(100), 7).more(60);
        assert_eq!(
            handed.at_rest(8),
            Handed::Unclear,
            "it was refused from its head"
        );
        let handed = handed.more(40);
        assert_eq!(handed.at_rest(7), handed, "it is not answered");
        assert_eq!(handed.at_rest(8), Handed::Nothing);
    }

    #[test]
    fn what_follows_a_request_unasked_closes_the_lane() {
        let handed = Handed::begin(Some(100), 7).more(101);
        assert_eq!(handed, Handed::Unclear);
        assert_eq!(handed.at_rest(8), Handed::Unclear);
        assert_eq!(Handed::begin(None, 7).more(5).at_rest(8), Handed::Unclear);
        assert_eq!(Handed::Nothing.more(1), Handed::Unclear);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_trickles_is_not_sent_the_rest() {
        let answer = || Answer {
            repeat: Arc::new(Repeat::bare(b"HTTP/1.1 200 OK\r\n".as_slice())),
            rest: vec![b' '; 100_000],
            body: None,
        };
        let place = super::super::activity::Place::take(1);
        let mut slow = Sending::begin(answer(), place.activity().request());
        let mut steady = Sending::begin(answer(), place.activity().request());
        for _ in 0..2 {
            slow.waits();
            steady.waits();
            tokio::time::advance(Duration::from_secs(16)).await;
            slow.waits();
            assert!(steady.advance(35_000).is_ok() && !steady.is_all_sent());
            let taken = slow.advance(100);
            if let Err(error) = taken {
                assert!(matches!(error, BodyError::TooSlow));
                assert!(steady.advance(50_000).is_ok() && steady.is_all_sent());
                return;
            }
        }
        panic!("it went on");
    }
}
