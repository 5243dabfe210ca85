//! A way past actix for requests whose answer is known: from the bytes that came to the bytes that go, with nothing
//! between but a look-up ([`KnownAnswers`]), and for some a read that never waits.
//!
//! actix copies each body into a buffer before it is sent, and builds each head anew; for a picture that is asked for
//! again and again that is most of the work. Guarantees: the answer is the one that actix sent to the same request
//! before, with its own date and id; and what is not known is left to actix byte for byte. That no byte of a request is
//! ever taken for the beginning of another is the [stream's](super::stream) guarantee.

use crate::clock::{Clock, Timestamp};
use crate::http::connection::framing::{Head, Remaining, header_space, parse_head};
use crate::http::connection::state::RequestUnderWay;
use crate::http::pace::{Pace, TooSlow};
use crate::http::proxies::Proxy;
use crate::http::response_cache::KnownAnswers;
use crate::http::response_cache::Plain;
use crate::http::response_cache::Repeat;
use crate::http::trace::RequestId;
use crate::s3::time::http_date;
use crate::store::SmallBytes;
use std::cell::RefCell;
use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

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

    /// What is to be done with the request that these bytes begin with. `knows`: whether the lane may answer it.
    pub(super) fn choose(&self, received: &[u8], knows: bool) -> Dispatch {
        let mut space = header_space();
        let (request, length) = match parse_head(received, &mut space) {
            Head::Complete { request, length } => (request, length),
            Head::Incomplete => return Dispatch::Incomplete,
            Head::Malformed => return Dispatch::Forward(Remaining::UntilClose),
        };
        if knows
            && self.is_open
            && let Some(answer) = self.answer(&request)
        {
            return Dispatch::Cached { length, answer };
        }
        Dispatch::Forward(Remaining::of(&request, length))
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

/// What is to be done with a request.
pub(super) enum Dispatch {
    /// Its head has not arrived whole.
    Incomplete,
    Cached {
        length: usize,
        answer: Answer,
    },
    /// actix answers it.
    Forward(Remaining),
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
    pub(super) fn advance(&mut self, bytes: usize) -> Result<(), TooSlow> {
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

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_trickles_is_not_sent_the_rest() {
        let answer = || Answer {
            repeat: Arc::new(Repeat::bare(b"HTTP/1.1 200 OK\r\n".as_slice())),
            rest: vec![b' '; 100_000],
            body: None,
        };
        let place = crate::http::connection::state::Place::take(1);
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
                assert_eq!(error, TooSlow);
                assert!(steady.advance(50_000).is_ok() && steady.is_all_sent());
                return;
            }
        }
        panic!("it went on");
    }
}
