//! Bounds on what a client sends: how large its head is, how slow its body, and how much of it is in memory.
//!
//! Guarantees: a body that comes slower than [`BODY_PACE_BYTES`] in [`BODY_PACE_TIME`] ends in an error, as does one
//! that ends early; what a reader keeps of a body while it waits for more is counted ([`Body::count`]), and a body that
//! loses its share of that memory ends in an error too; an answer that leaves a body unread reaches the client, which
//! is not reset while it still sends. Refuses to know what a body means.

use super::connection::{Activity, READ_AHEAD_BYTES};
use super::memory::{BodyMemory, Client, Share, SharedMemory, UPLOAD_BYTES};
use super::s3;
use crate::http::app_state::AppState;
use crate::http::face::Face;
use crate::http::proxies::TrustedProxies;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::middleware::Next;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// The request line's target and all header names and values together.
const HEAD_BYTES: usize = 16 * 1024;
/// 30 KiB in 30 s: 1 KiB/s.
const BODY_PACE_BYTES: u64 = 30 * 1024;
const BODY_PACE_TIME: Duration = Duration::from_secs(30);
/// What is read of an upload before it is taken, where few are under way.
const WIDE_READ_AHEAD_BYTES: u64 = 64 * 1024;
/// Requests with longer bodies may take long.
const LONG_BODY_BYTES: u64 = 64 * 1024;
/// What of a refused body is read so that its connection can be kept.
const DRAINED_BYTES: u64 = 256 * 1024;
const DRAINED_TIME: Duration = Duration::from_secs(2);

/// Refuses a head over [`HEAD_BYTES`] with 431, and bounds what the head of a long request takes.
pub(crate) async fn bound_head(
    mut req: ServiceRequest,
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
            .app_data::<web::Data<AppState>>()
            .is_some_and(|state| Face::of(req.head(), &state.config) == Face::S3);
        let mut answer = if is_s3 {
            s3::head_too_large(req.request())
        } else {
            HttpResponse::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
        };
        answer.head_mut().set_connection_type(ConnectionType::Close);
        return Ok(req.into_response(answer));
    }
    if is_chunked(req.headers()) || declared_bytes(req.headers()) > Some(LONG_BODY_BYTES) {
        let own = own_values(req.headers());
        *req.headers_mut() = own;
    }
    Ok(next.call(req).await?.map_into_boxed_body())
}

/// The headers with values of their own. Those that actix reads are slices of what came with them: up to 128 KiB, which
/// would stay in memory for as long as the request.
fn own_values(headers: &HeaderMap) -> HeaderMap {
    let mut own = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let copy = HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone());
        own.append(name.clone(), copy);
    }
    own
}

fn declared_bytes(headers: &HeaderMap) -> Option<u64> {
    let length = headers.get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

fn is_chunked(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING)
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
    /// See [`super::memory`].
    #[error("there is no memory for the body")]
    NoRoom,
}

/// What of a body is kept while more of it is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// All of it, and its sender is not verified.
    Unverified,
    /// All of it, by a sender that is.
    Document,
}

/// The memory that a body takes.
enum Counted {
    Nothing,
    /// All that came, once it has to wait for more.
    Whole {
        memory: SharedMemory,
        share: Option<Share>,
        uncounted: usize,
    },
    /// As much as any upload.
    Upload {
        share: Share,
        _read_ahead: Option<ReadAhead>,
    },
}

impl Counted {
    fn share(&self) -> Option<&Share> {
        match self {
            Self::Nothing => None,
            Self::Whole { share, .. } => share.as_ref(),
            Self::Upload { share, .. } => Some(share),
        }
    }
}

/// More of a body is read before its reader asks for it: an upload is faster so, and takes more memory.
struct ReadAhead(Rc<Activity>);

impl ReadAhead {
    fn widen(activity: &Rc<Activity>) -> Self {
        activity.read_ahead(WIDE_READ_AHEAD_BYTES);
        Self(Rc::clone(activity))
    }
}

impl Drop for ReadAhead {
    fn drop(&mut self) {
        self.0.read_ahead(READ_AHEAD_BYTES);
    }
}

/// A request's body as it comes, at a pace.
pub(crate) struct Body {
    payload: web::Payload,
    req: HttpRequest,
    counted: Counted,
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
        let declared = declared_bytes(headers);
        let is_empty = declared.unwrap_or(0) == 0 && !is_chunked(headers);
        Self {
            payload,
            req: req.clone(),
            counted: Counted::Nothing,
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

    /// From now on the reader keeps what comes.
    pub(crate) fn count(&mut self, kept: Kept) {
        let Some(memory) = self.req.app_data::<web::Data<BodyMemory>>() else {
            return;
        };
        let memory = match kept {
            Kept::Unverified => &memory.unverified,
            Kept::Document => &memory.documents,
        };
        self.counted = Counted::Whole {
            memory: memory.clone(),
            share: None,
            uncounted: 0,
        };
    }

    /// The share of a body that is whole, to be kept as long as its bytes are.
    pub(crate) fn take_share(&mut self) -> Option<Share> {
        match std::mem::replace(&mut self.counted, Counted::Nothing) {
            Counted::Whole { share, .. } => share,
            Counted::Nothing | Counted::Upload { .. } => None,
        }
    }

    /// What comes now is stored as it comes. Waits until there is room for an upload; nothing of it is read before.
    ///
    /// # Errors
    /// `NoRoom` where there was none in time.
    pub(crate) async fn begin_upload(&mut self) -> Result<(), BodyError> {
        let Some(memory) = self.req.app_data::<web::Data<BodyMemory>>().cloned() else {
            return Ok(());
        };
        self.counted = Counted::Nothing;
        if self.is_all_here() {
            return Ok(());
        }
        match memory
            .uploads
            .begin_upload(self.client(), UPLOAD_BYTES)
            .await
        {
            Ok(share) => {
                let activity = self.activity.as_ref().filter(|_| share.is_one_of_few());
                self.counted = Counted::Upload {
                    _read_ahead: activity.map(ReadAhead::widen),
                    share,
                };
                Ok(())
            }
            Err(_) => Err(self.fail(BodyError::NoRoom)),
        }
    }

    /// Whose share of memory it takes.
    fn client(&self) -> Client {
        let state = self.req.app_data::<web::Data<AppState>>();
        let proxies = state.map_or(&TrustedProxies::None, |state| &state.config.trusted_proxies);
        Client::of(self.req.head(), proxies)
    }

    /// Whether nothing more is waited for.
    fn is_all_here(&self) -> bool {
        self.state == State::Ended || self.declared == Some(self.received)
    }

    fn fail(&mut self, error: BodyError) -> BodyError {
        self.state = State::Failed(error);
        self.counted = Counted::Nothing;
        error
    }

    /// Counts what was given and is kept, before more is waited for.
    async fn count_given(&mut self) -> Result<(), BodyError> {
        if self.is_all_here() {
            return Ok(());
        }
        let client = match &self.counted {
            Counted::Whole {
                share: None,
                uncounted: 1..,
                ..
            } => Some(self.client()),
            _ => None,
        };
        let Counted::Whole {
            memory,
            share,
            uncounted,
        } = &mut self.counted
        else {
            return Ok(());
        };
        let bytes = std::mem::take(uncounted);
        let counted = match (share.as_mut(), client) {
            (Some(share), _) => share.grow(bytes).await,
            (None, Some(client)) => {
                let begun = memory.begin(client, bytes).await;
                begun.map(|begun| *share = Some(begun))
            }
            (None, None) => Ok(()),
        };
        counted.map_err(|_| self.fail(BodyError::NoRoom))
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
        self.count_given().await?;
        if let Some(share) = self.counted.share() {
            share.waits_for_client(true);
        }
        let piece = self.wait().await;
        if let Some(share) = self.counted.share() {
            share.waits_for_client(false);
        }
        match &piece {
            Ok(Some(bytes)) => {
                self.received += bytes.len() as u64;
                self.given = bytes.len();
                self.pace.bytes += bytes.len() as u64;
                match &mut self.counted {
                    Counted::Nothing => {}
                    Counted::Whole { uncounted, .. } => *uncounted += bytes.len(),
                    Counted::Upload { share, .. } => share.hear(bytes.len()),
                }
            }
            Ok(None) => self.state = State::Ended,
            Err(error) => {
                self.fail(*error);
            }
        }
        piece
    }

    /// Waits for the client. Only this time counts against its pace, not what is done with the bytes in between.
    async fn wait(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            let began = Instant::now();
            let left = self.pace.window.saturating_sub(self.pace.waited);
            let coming = timeout(left, self.payload.next());
            let piece = match self.counted.share() {
                Some(share) => tokio::select! {
                    biased;
                    piece = coming => piece,
                    () = share.evicted() => return Err(BodyError::NoRoom),
                },
                None => coming.await,
            };
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
        let refused = trickling.count(wait, 1);
        assert!(matches!(refused, Err(BodyError::TooSlow)), "{refused:?}");
        steady.count(wait, 16 * 1024).unwrap();
    }
}
