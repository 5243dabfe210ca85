//! Bounds on what a client sends: how large its head is, how slow its body, and how much of it is read before anyone
//! knows who sent it.
//!
//! Guarantees: a body that comes slower than [`BODY_PACE_BYTES`] in [`BODY_PACE_TIME`] ends in an error, as does one
//! that ends early; an answer that leaves a body unread reaches the client, which is not reset while it still sends.
//! Refuses to know what a body means.

use super::connection::Activity;
use super::{Face, Rooms, s3};
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::middleware::Next;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

/// The request line's target and all header names and values together.
const HEAD_BYTES: usize = 16 * 1024;
/// 30 KiB in 30 s: 1 KiB/s.
const BODY_PACE_BYTES: u64 = 30 * 1024;
const BODY_PACE_TIME: Duration = Duration::from_secs(30);
/// What of a refused body is read so that its connection can be kept.
const DRAINED_BYTES: u64 = 256 * 1024;
const DRAINED_TIME: Duration = Duration::from_secs(2);
/// All bodies whose senders nobody has verified yet share this memory.
const UNVERIFIED_BYTES: usize = 16 * 1024 * 1024;

/// Refuses a head over [`HEAD_BYTES`] with 431.
pub(crate) async fn bound_head(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let head = req.head();
    let target = head
        .uri
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    let headers: usize = head
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len())
        .sum();
    if target + headers > HEAD_BYTES {
        let is_s3 = req
            .app_data::<web::Data<Rooms>>()
            .is_some_and(|rooms| Face::of(req.head(), &rooms.config) == Face::S3);
        let mut answer = if is_s3 {
            s3::head_too_large(req.request())
        } else {
            HttpResponse::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
        };
        answer.head_mut().set_connection_type(ConnectionType::Close);
        return Ok(req.into_response(answer));
    }
    Ok(next.call(req).await?.map_into_boxed_body())
}

/// Why a body did not come whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the body came too slowly")]
    TooSlow,
    #[error("the body ended early")]
    Incomplete,
    #[error("the body's transfer encoding is broken")]
    Malformed,
}

/// A request's body as it comes, at a pace.
pub(crate) struct Body {
    payload: web::Payload,
    /// Which is told what is done with. `None`: HTTP/2, whose windows do the same.
    activity: Option<Rc<Activity>>,
    /// Bytes of the last piece.
    given: usize,
    /// `Content-Length`
    declared: Option<u64>,
    received: u64,
    waited: Duration,
    state: State,
    pace: Pace,
    /// The client sends nothing before it is asked to, and nobody has.
    held_back: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Ended,
    Failed(BodyError),
}

impl Body {
    pub(crate) fn new(payload: web::Payload, req: &HttpRequest) -> Self {
        let headers = req.headers();
        let declared = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.parse().ok());
        let is_empty =
            declared.unwrap_or(0) == 0 && !headers.contains_key(header::TRANSFER_ENCODING);
        Self {
            payload,
            activity: req.conn_data::<Rc<Activity>>().cloned(),
            given: 0,
            declared,
            received: 0,
            waited: Duration::ZERO,
            state: if is_empty { State::Ended } else { State::Open },
            pace: Pace::begin(BODY_PACE_TIME),
            held_back: headers
                .get(header::EXPECT)
                .is_some_and(|expects| expects.as_bytes().eq_ignore_ascii_case(b"100-continue")),
        }
    }

    /// Bytes, where the client stated them.
    pub(crate) fn declared(&self) -> Option<u64> {
        self.declared
    }

    /// Bytes so far.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// How long the client was waited for.
    pub(crate) fn waited(&self) -> Duration {
        self.waited
    }

    /// The next piece; `None` after the last.
    ///
    /// # Errors
    /// See [`BodyError`]. The first error stays.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        match self.state {
            State::Open => {}
            State::Ended => return Ok(None),
            State::Failed(error) => return Err(error),
        }
        self.held_back = false;
        // Who asks for more is done with what was given before.
        if let Some(activity) = &self.activity {
            activity.take(std::mem::take(&mut self.given));
        }
        let piece = self.wait().await;
        match &piece {
            Ok(Some(bytes)) => {
                self.received += bytes.len() as u64;
                self.given = bytes.len();
                self.pace.bytes += bytes.len() as u64;
            }
            Ok(None) => self.state = State::Ended,
            Err(error) => self.state = State::Failed(*error),
        }
        piece
    }

    /// Waits for the client. Only this time counts against its pace, not what is done with the bytes in between.
    async fn wait(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            let began = Instant::now();
            let left = self.pace.window.saturating_sub(self.pace.waited);
            let piece = timeout(left, self.payload.next()).await;
            self.waited += began.elapsed();
            let Ok(piece) = piece else {
                self.pace.next_window()?;
                continue;
            };
            self.pace.waited += began.elapsed();
            return match piece {
                None => Ok(None),
                Some(Ok(bytes)) => Ok(Some(bytes)),
                Some(Err(PayloadError::EncodingCorrupted | PayloadError::UnknownLength)) => {
                    Err(BodyError::Malformed)
                }
                Some(Err(_)) => Err(BodyError::Incomplete),
            };
        }
    }

    /// Makes an answer ready to be sent while the body may still be coming: reads a small rest, so that the connection
    /// can be kept; else has the connection closed after the answer, and not before the client could read it. A body
    /// that nobody asked for (`Expect: 100-continue`) is not asked for now.
    pub(crate) async fn settle(mut self, answer: HttpResponse) -> HttpResponse {
        let rest = self
            .declared
            .map_or(0, |declared| declared.saturating_sub(self.received));
        if self.state == State::Open && !self.held_back && rest <= DRAINED_BYTES {
            let until = self.received + DRAINED_BYTES;
            let drain = async {
                while self.received <= until && matches!(self.next().await, Ok(Some(_))) {}
            };
            // Past the time the rest is given up, like a rest that is too long.
            let _ = timeout(DRAINED_TIME, drain).await;
        }
        if self.state == State::Ended {
            return answer;
        }
        let payload = self.payload;
        answer.map_body(|head, body| {
            head.set_connection_type(ConnectionType::Close);
            BoxBody::new(Held {
                body: BoxBody::new(body),
                _payload: payload,
            })
        })
    }
}

/// The pace of the window under way. A window is time spent waiting for the client.
#[derive(Debug)]
pub(crate) struct Pace {
    window: Duration,
    bytes: u64,
    waited: Duration,
}

impl Pace {
    fn begin(window: Duration) -> Self {
        Self {
            window,
            bytes: 0,
            waited: Duration::ZERO,
        }
    }

    /// The pace at which readers take what is answered.
    pub(crate) fn of_a_reader() -> Self {
        Self::begin(BODY_PACE_TIME)
    }

    /// Counts what a reader takes after it was waited for.
    /// # Errors
    /// `TooSlow` where it took too little in a window that is over.
    pub(crate) fn count(&mut self, waited: Duration, bytes: usize) -> Result<(), BodyError> {
        self.waited += waited;
        if self.waited >= self.window {
            self.next_window()?;
        }
        self.bytes += bytes as u64;
        Ok(())
    }

    fn next_window(&mut self) -> Result<(), BodyError> {
        if self.bytes < BODY_PACE_BYTES {
            return Err(BodyError::TooSlow);
        }
        *self = Self::begin(self.window);
        Ok(())
    }
}

/// Pieces handed out at once: what a slow reader's connection holds in memory.
pub(crate) const HANDED_BYTES: usize = 64 * 1024;

/// An answer's bytes, for as long as its reader takes them at the pace that bodies are held to. (The system's own
/// buffers stand between: this ends a reader that trickles, not the moment it starts to.)
pub(crate) fn for_readers_at_pace<S, E>(
    pieces: S,
) -> impl Stream<Item = Result<Bytes, Box<dyn std::error::Error>>>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::error::Error + 'static,
{
    let begun = (pieces, Bytes::new(), Pace::of_a_reader(), Instant::now());
    stream::try_unfold(
        begun,
        async |(mut pieces, mut left, mut pace, handed_at)| {
            // A piece is asked for when the one before has left our hands.
            pace.count(handed_at.elapsed(), 0)?;
            while left.is_empty() {
                match pieces.next().await {
                    None => return Ok(None),
                    Some(piece) => left = piece?,
                }
            }
            let piece = left.split_to(left.len().min(HANDED_BYTES));
            pace.bytes += piece.len() as u64;
            Ok(Some((piece, (pieces, left, pace, Instant::now()))))
        },
    )
}

/// An answer's body that keeps the request's unread one. As long as that lives the server knows that the client may
/// still be sending, and lingers after the answer, reading, before it closes; a dropped one it would read for ever.
struct Held {
    body: BoxBody,
    _payload: web::Payload,
}

impl MessageBody for Held {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}

/// The memory that bodies of unverified senders share. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct UnverifiedMemory(Arc<Semaphore>);

impl Default for UnverifiedMemory {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(UNVERIFIED_BYTES)))
    }
}

/// Bytes of [`UnverifiedMemory`] in use; given back when dropped.
#[derive(Debug, Default)]
pub(crate) struct UnverifiedShare(Option<OwnedSemaphorePermit>);

/// All of [`UnverifiedMemory`] is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MemoryExhausted;

impl UnverifiedMemory {
    /// Takes `bytes` more for a share. It takes what came, not what may come: a client that sends nothing holds nothing.
    ///
    /// # Errors
    /// When so many bytes are not free.
    pub(crate) fn grow(
        &self,
        share: &mut UnverifiedShare,
        bytes: usize,
    ) -> Result<(), MemoryExhausted> {
        let permits = u32::try_from(bytes).map_err(|_| MemoryExhausted)?;
        let more = Arc::clone(&self.0)
            .try_acquire_many_owned(permits)
            .map_err(|_| MemoryExhausted)?;
        match &mut share.0 {
            Some(held) => held.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::FromRequest;
    use actix_web::dev::Payload;
    use actix_web::test::TestRequest;

    async fn body(
        pieces: impl futures_util::Stream<Item = Result<Bytes, PayloadError>> + 'static,
    ) -> Body {
        let req = TestRequest::post()
            .insert_header((header::TRANSFER_ENCODING, "chunked"))
            .to_http_request();
        let pieces: Pin<Box<dyn futures_util::Stream<Item = Result<Bytes, PayloadError>>>> =
            Box::pin(pieces);
        let mut payload = Payload::Stream { payload: pieces };
        let payload = web::Payload::from_request(&req, &mut payload)
            .await
            .unwrap();
        Body::new(payload, &req)
    }

    async fn read(body: &mut Body) -> Result<u64, BodyError> {
        while body.next().await?.is_some() {}
        Ok(body.received())
    }

    #[tokio::test]
    async fn a_body_below_the_pace_is_given_up_when_its_window_ends() {
        let some = stream::iter([Ok(Bytes::from(vec![0; 30 * 1024 - 1]))]);
        let mut slow = body(some.chain(stream::pending())).await;
        slow.pace = Pace::begin(Duration::from_millis(20));
        assert_eq!(read(&mut slow).await, Err(BodyError::TooSlow));
    }

    #[tokio::test]
    async fn a_body_at_the_pace_gets_another_window() {
        let some = stream::iter([Ok(Bytes::from(vec![0; 30 * 1024]))]);
        let mut steady = body(some.chain(stream::pending())).await;
        steady.pace = Pace::begin(Duration::from_millis(20));
        assert_eq!(read(&mut steady).await, Err(BodyError::TooSlow));
        assert!(steady.waited() >= Duration::from_millis(40));
    }

    #[tokio::test]
    async fn a_body_that_ends_early_is_an_error_and_stays_one() {
        let pieces = stream::iter([
            Ok(Bytes::from_static(b"half")),
            Err(PayloadError::Incomplete(None)),
        ]);
        let mut cut = body(pieces).await;
        assert_eq!(read(&mut cut).await, Err(BodyError::Incomplete));
        assert_eq!(cut.next().await, Err(BodyError::Incomplete));
    }

    #[tokio::test]
    async fn a_small_rest_is_read_and_the_connection_kept() {
        let small = body(stream::iter([Ok(Bytes::from_static(b"rest"))])).await;
        let answer = small.settle(HttpResponse::Forbidden().body("no")).await;
        assert_ne!(
            answer.head().connection_type(),
            actix_web::http::ConnectionType::Close
        );
    }

    #[tokio::test]
    async fn an_endless_rest_closes_the_connection_after_the_answer() {
        let endless = body(stream::repeat_with(|| Ok(Bytes::from(vec![0; 65536])))).await;
        let answer = endless.settle(HttpResponse::Forbidden().body("no")).await;
        assert_eq!(
            answer.head().connection_type(),
            actix_web::http::ConnectionType::Close
        );
        assert_eq!(answer.body().size(), BodySize::Sized(2));
    }

    #[tokio::test]
    async fn a_large_piece_is_handed_out_in_small_ones_and_whole() {
        let whole: Vec<u8> = (0..200_000_u32).map(|at| (at % 251) as u8).collect();
        let pieces = stream::iter([
            Ok::<_, std::io::Error>(Bytes::from(whole[..150_000].to_vec())),
            Ok(Bytes::from(whole[150_000..].to_vec())),
        ]);
        let handed: Vec<Bytes> = for_readers_at_pace(pieces)
            .map(Result::unwrap)
            .collect()
            .await;
        assert!(handed.iter().all(|piece| piece.len() <= HANDED_BYTES));
        assert_eq!(handed.concat(), whole);
    }

    #[test]
    fn a_reader_that_takes_a_byte_now_and_then_is_too_slow() {
        let mut trickling = Pace::of_a_reader();
        let mut steady = Pace::of_a_reader();
        let wait = Duration::from_secs(10);
        for _ in 0..2 {
            trickling.count(wait, 1).unwrap();
            steady.count(wait, 16 * 1024).unwrap();
        }
        assert!(trickling.count(wait, 1).is_err());
        steady.count(wait, 16 * 1024).unwrap();
    }

    #[test]
    fn unverified_bodies_share_their_memory_and_give_it_back() {
        let memory = UnverifiedMemory::default();
        let mut first = UnverifiedShare::default();
        memory.grow(&mut first, UNVERIFIED_BYTES - 1).unwrap();
        let mut second = UnverifiedShare::default();
        assert_eq!(memory.grow(&mut second, 2), Err(MemoryExhausted));
        drop(first);
        assert_eq!(memory.grow(&mut second, 2), Ok(()));
    }
}
