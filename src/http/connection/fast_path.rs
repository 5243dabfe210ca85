//! The fast path bypasses actix for requests whose response is cached: between the bytes received and the bytes sent
//! there is only a look-up ([`ResponseCache`]), and for some responses a read that never waits.
//!
//! actix copies each body into a buffer before it is sent, and builds each head anew; for a picture that is requested
//! again and again that is most of the work. Guarantees: the response is the one that actix sent to the same request
//! before, with its own date and id, and has the same line in the log; a request whose response is not cached is
//! forwarded to actix byte for byte. The [stream](super::stream) guarantees that no byte of a request is ever taken for
//! the beginning of another.

use crate::clock::{Clock, Timestamp};
use crate::http::connection::framing::{Head, Remaining, header_space, parse_head};
use crate::http::connection::state::RequestGuard;
use crate::http::pace::{Pace, TooSlow};
use crate::http::proxies::PeerTrust;
use crate::http::response_cache::{CacheableRequest, CachedResponse, ResponseCache};
use crate::http::trace::{CachedLine, RequestId};
use crate::s3::time::http_date;
use crate::store::SmallBytes;
use std::cell::RefCell;
use std::io::IoSlice;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The fast path of one connection.
#[derive(Clone)]
pub(super) struct FastPath {
    cache: ResponseCache,
    clock: Clock,
    trust: PeerTrust,
    peer: Option<IpAddr>,
}

thread_local! {
    /// The last second for which a `Date` was formatted, and that `Date`.
    static DATE: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
    static KEY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl FastPath {
    pub(super) fn new(
        cache: &ResponseCache,
        clock: &Clock,
        trust: PeerTrust,
        peer: Option<IpAddr>,
    ) -> Self {
        Self {
            cache: cache.clone(),
            clock: clock.clone(),
            trust,
            peer,
        }
    }

    /// Decides what to do with the request that `received` begins with. `may_answer`: whether the fast path may answer it.
    pub(super) fn dispatch(&self, received: &[u8], may_answer: bool) -> Dispatch {
        let mut space = header_space();
        let (request, length) = match parse_head(received, &mut space) {
            Head::Complete { request, length } => (request, length),
            Head::Incomplete => return Dispatch::Incomplete,
            Head::Malformed => return Dispatch::Forward(Remaining::UntilClose),
        };
        if may_answer && let Some(answer) = self.answer(&request) {
            return Dispatch::Cached { length, answer };
        }
        Dispatch::Forward(Remaining::of(&request, length))
    }

    fn answer(&self, request: &httparse::Request<'_, '_>) -> Option<Answer> {
        if request.version != Some(1) {
            return None;
        }
        let began = CachedLine::begin();
        let headers = request.headers.iter().map(|it| (it.name, it.value));
        let request = CacheableRequest::of(request.method?, request.path?, headers, self.trust)?;
        let cached = KEY.with_borrow_mut(|space| self.cache.find(request, space))?;
        let now = self.clock.now();
        if cached.until.is_some_and(|until| until <= now) {
            return None;
        }
        let body = match &cached.body {
            Some(body) => Some(body.at_once()?),
            None => None,
        };
        let id = RequestId::new();
        let rest = with_date(now, |date| cached.rest_of_head(date, &id));
        if let Some(began) = began {
            let asked = (request.method, request.target);
            cached.line.write(&id, asked, self.peer, began);
        }
        Some(Answer { cached, rest, body })
    }
}

/// Calls `write` with the `Date` of `now`, which is formatted once a second.
fn with_date<T>(now: Timestamp, write: impl FnOnce(&str) -> T) -> T {
    let second = now.as_millis().div_euclid(1000);
    DATE.with_borrow_mut(|(written, date)| {
        if *written != second {
            *date = http_date(now);
            *written = second;
        }
        write(date)
    })
}

/// What to do with a request.
pub(super) enum Dispatch {
    /// Wait: the head has not arrived completely.
    Incomplete,
    /// Send the cached response.
    Cached { length: usize, answer: Answer },
    /// Forward the request to actix.
    Forward(Remaining),
}

/// The bytes of a response.
pub(super) struct Answer {
    cached: Arc<CachedResponse>,
    rest: Vec<u8>,
    body: Option<SmallBytes>,
}

impl Answer {
    fn parts(&self) -> [&[u8]; 3] {
        let body = self.body.as_deref().unwrap_or_default();
        [&self.cached.head, &self.rest, body]
    }
}

/// A response that is being sent, and how much of it was sent. Its reader must keep the pace that all readers must
/// keep.
pub(super) struct Sending {
    answer: Answer,
    sent: usize,
    pace: Pace,
    stalled_since: Option<Instant>,
    _request: RequestGuard,
}

impl Sending {
    pub(super) fn begin(answer: Answer, request: RequestGuard) -> Self {
        Self {
            answer,
            sent: 0,
            pace: Pace::of_a_reader(),
            stalled_since: None,
            _request: request,
        }
    }

    /// The bytes that are left to be sent, for one system call.
    pub(super) fn left(&self) -> [IoSlice<'_>; 3] {
        let mut skipped = self.sent;
        self.answer.parts().map(|part| {
            let skip = skipped.min(part.len());
            skipped -= skip;
            IoSlice::new(&part[skip..])
        })
    }

    /// The reader takes nothing at the moment.
    pub(super) fn note_stalled(&mut self) {
        self.stalled_since.get_or_insert_with(Instant::now);
    }

    pub(super) fn is_all_sent(&self) -> bool {
        let length: usize = self.answer.parts().map(<[u8]>::len).iter().sum();
        self.sent >= length
    }

    /// The reader took `bytes` more.
    ///
    /// # Errors
    /// Where it took them too slowly and the response is not sent completely.
    pub(super) fn advance(&mut self, bytes: usize) -> Result<(), TooSlow> {
        self.sent += bytes;
        let stalled = self.stalled_since.take().map(|since| since.elapsed());
        if self.is_all_sent() {
            return Ok(());
        }
        // The bytes count for the wait that came before them.
        self.pace.count(Duration::ZERO, bytes)?;
        self.pace.count(stalled.unwrap_or_default(), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::config::HttpConfig;
    use crate::http::response_cache::{Validity, offer};
    use crate::http::trace::{self, Note, X_REQUEST_ID};
    use crate::s3::{BucketName, ObjectKey};
    use crate::store::Store;
    use actix_web::HttpResponse;
    use actix_web::test::TestRequest;
    use std::sync::Mutex;
    use tracing::Level;

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_bytes_too_slowly_is_not_sent_the_rest() {
        let answer = || Answer {
            cached: Arc::new(CachedResponse::bare(b"HTTP/1.1 200 OK\r\n".as_slice())),
            rest: vec![b' '; 100_000],
            body: None,
        };
        let slot = crate::http::connection::table::Slot::take(1);
        let mut slow = Sending::begin(answer(), slot.state().begin_request());
        let mut steady = Sending::begin(answer(), slot.state().begin_request());
        for _ in 0..2 {
            slow.note_stalled();
            steady.note_stalled();
            tokio::time::advance(Duration::from_secs(16)).await;
            slow.note_stalled();
            assert!(steady.advance(35_000).is_ok() && !steady.is_all_sent());
            let taken = slow.advance(100);
            if let Err(error) = taken {
                assert_eq!(error, TooSlow);
                assert!(steady.advance(50_000).is_ok() && steady.is_all_sent());
                return;
            }
        }
        panic!("the slow reader was sent more");
    }

    /// The lines that a subscriber of one level wrote.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    const GET: &[u8] = b"GET /api/assets/a?b=c HTTP/1.1\r\nHost: h\r\n\r\n";

    /// Puts a handler's response to [`GET`] into the cache.
    fn fill(cache: &ResponseCache, store: &Store) {
        let config = HttpConfig::plain();
        let request = TestRequest::with_uri("/api/assets/a?b=c").insert_header(("host", "h"));
        let request = request.to_srv_request();
        trace::note(
            request.request(),
            Note {
                operation: "GetObject",
                ..Note::default()
            },
        );
        let mut answer = HttpResponse::Ok();
        let mut answer = answer.insert_header((X_REQUEST_ID, "0")).finish();
        let bucket = BucketName::parse("uploads").unwrap();
        let key = ObjectKey::parse("a").unwrap();
        let stamp = store.stamp_of_object(&bucket, &key);
        offer(&mut answer, Validity { stamp, until: None }, None);
        cache.keep(&request.into_response(answer), &config);
    }

    #[tokio::test]
    async fn the_level_of_the_log_decides_about_lines_and_never_about_the_path_of_an_answer() {
        let (cache, store, _dir) = ResponseCache::of_empty_store().await;
        fill(&cache, &store);
        let peer = IpAddr::from([192, 0, 2, 7]);
        for (level, lines) in [(Level::INFO, 0), (Level::DEBUG, 2)] {
            let log = Log::default();
            let writer = log.clone();
            let subscriber = tracing_subscriber::fmt()
                .json()
                .flatten_event(true)
                .with_max_level(level)
                .with_writer(move || writer.clone())
                .finish();
            let guard = tracing::subscriber::set_default(subscriber);
            let trust = PeerTrust::Untrusted;
            let path = FastPath::new(&cache, &Clock::default(), trust, Some(peer));
            let mut ids = Vec::new();
            for _ in 0..2 {
                let Dispatch::Cached { length, answer } = path.dispatch(GET, true) else {
                    panic!("at {level} the fast path did not answer");
                };
                assert_eq!(length, GET.len());
                let rest = String::from_utf8(answer.rest).unwrap();
                let (_, id) = rest.split_once("x-request-id: ").unwrap();
                ids.push(id.trim().to_owned());
            }
            drop(guard);
            let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
            let log: Vec<serde_json::Value> = (log.lines())
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            assert_eq!(log.len(), lines, "{log:?}");
            for (line, id) in log.iter().zip(&ids) {
                assert_eq!(line["span"]["id"], id.as_str());
                let fields = [
                    ("level", "DEBUG"),
                    ("message", "answered"),
                    ("method", "GET"),
                    ("path", "/api/assets/a"),
                    ("face", "api"),
                    ("operation", "GetObject"),
                    ("code", ""),
                    ("peer", "192.0.2.7"),
                    ("detail", ""),
                ];
                for (name, value) in fields {
                    assert_eq!(line[name], value, "{name} of {line}");
                }
                assert_eq!(
                    (line["status"].as_u64(), line["took_ms"].as_u64()),
                    (Some(200), Some(0))
                );
            }
        }
        store.close().await;
    }
}
