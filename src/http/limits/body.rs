//! A request's body as it arrives: the pace that it must keep, and how much of it is in memory.
//!
//! Guarantees: a body that arrives slower than [`PACE_BYTES`](crate::http::pace::PACE_BYTES) in [`PACE_TIME`] ends in
//! an error, as does one that ends early; the bytes that a reader keeps of a body while it waits for more are counted
//! ([`Body::count`]), and a body that loses its share of that memory ends in an error too; a response that leaves a
//! body unread reaches the client, whose connection is not reset while it still sends. Refuses to know what a body
//! means.

use crate::http::app_state::AppState;
use crate::http::connection::ConnectionState;
use crate::http::connection::HoldingBody;
use crate::http::limits::body_error::BodyError;
use crate::http::limits::declared::{declared_bytes, is_chunked};
use crate::http::limits::memory_use::{MemoryUse, ReadAhead};
use crate::http::memory::BodyMemory;
use crate::http::memory::Client;
use crate::http::memory::Share;
use crate::http::memory::UPLOAD_BYTES;
use crate::http::pace::{PACE_TIME, Pace};
use crate::http::proxies::TrustedProxies;
use actix_web::body::BoxBody;
use actix_web::error::PayloadError;
use actix_web::http::ConnectionType;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::StreamExt;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How much of a refused body is read so that its connection can be reused.
const DRAINED_BYTES: u64 = 256 * 1024;
const DRAINED_TIME: Duration = Duration::from_secs(2);

/// How much of a body its reader keeps while it waits for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// All of it; its sender is not verified.
    Unverified,
    /// All of it; its sender is verified.
    Document,
}

/// A request's body as it arrives, with the pace that its client must keep.
pub(crate) struct Body {
    payload: web::Payload,
    req: HttpRequest,
    memory_use: MemoryUse,
    /// The connection, which counts the bytes that were consumed. `None`: HTTP/2, whose windows do the same.
    connection: Option<Rc<ConnectionState>>,
    /// The length in bytes of the last piece.
    given: usize,
    /// `Content-Length`
    declared: Option<u64>,
    received: u64,
    waited: Duration,
    state: State,
    pace: Pace,
    /// The client waits for a 100 before it sends the body, and none was sent.
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
            memory_use: MemoryUse::Nothing,
            connection: req.conn_data::<Rc<ConnectionState>>().cloned(),
            given: 0,
            declared,
            received: 0,
            waited: Duration::ZERO,
            state: if is_empty { State::Ended } else { State::Open },
            pace: Pace::begin(PACE_TIME),
            held_back: headers
                .get(header::EXPECT)
                .is_some_and(|expects| expects.as_bytes().eq_ignore_ascii_case(b"100-continue")),
        }
    }

    /// The body's length in bytes, where the client stated it.
    pub(crate) fn declared(&self) -> Option<u64> {
        self.declared
    }

    /// How many bytes have arrived.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// How long the reader waited for the client.
    pub(crate) fn waited(&self) -> Duration {
        self.waited
    }

    /// Counts the bytes that arrive from now on, since the reader keeps them.
    pub(crate) fn count(&mut self, kept: Kept) {
        let Some(memory) = self.req.app_data::<web::Data<BodyMemory>>() else {
            return;
        };
        let memory = match kept {
            Kept::Unverified => &memory.unverified,
            Kept::Document => &memory.documents,
        };
        self.memory_use = MemoryUse::Whole {
            memory: memory.clone(),
            share: None,
            uncounted: 0,
        };
    }

    /// The share of a complete body, to be kept for as long as its bytes are in memory.
    pub(crate) fn take_share(&mut self) -> Option<Share> {
        match std::mem::replace(&mut self.memory_use, MemoryUse::Nothing) {
            MemoryUse::Whole { share, .. } => share,
            MemoryUse::Nothing | MemoryUse::Upload { .. } => None,
        }
    }

    /// Begins to read an upload, which is stored as it arrives. Waits for room first; no byte of the upload is read
    /// before.
    ///
    /// # Errors
    /// `NoRoom` where there was none in time.
    pub(crate) async fn begin_upload(&mut self) -> Result<(), BodyError> {
        let Some(memory) = self.req.app_data::<web::Data<BodyMemory>>().cloned() else {
            return Ok(());
        };
        self.memory_use = MemoryUse::Nothing;
        if self.is_all_here() {
            return Ok(());
        }
        match memory
            .uploads
            .begin_upload(self.client(), UPLOAD_BYTES)
            .await
        {
            Ok(share) => {
                let connection = self.connection.as_ref().filter(|_| share.is_one_of_few());
                self.memory_use = MemoryUse::Upload {
                    _read_ahead: connection.map(ReadAhead::widen),
                    share,
                };
                Ok(())
            }
            Err(_) => Err(self.fail(BodyError::NoRoom)),
        }
    }

    /// The client whose share of the memory the body takes.
    fn client(&self) -> Client {
        let state = self.req.app_data::<web::Data<AppState>>();
        let proxies = state.map_or(&TrustedProxies::None, |state| &state.config.trusted_proxies);
        Client::of(self.req.head(), proxies)
    }

    /// Whether no more bytes will arrive.
    fn is_all_here(&self) -> bool {
        self.state == State::Ended || self.declared == Some(self.received)
    }

    fn fail(&mut self, error: BodyError) -> BodyError {
        self.state = State::Failed(error);
        self.memory_use = MemoryUse::Nothing;
        error
    }

    /// Counts the pieces that the reader keeps, before it waits for more.
    async fn count_given(&mut self) -> Result<(), BodyError> {
        if self.is_all_here() {
            return Ok(());
        }
        let client = match &self.memory_use {
            MemoryUse::Whole {
                share: None,
                uncounted: 1..,
                ..
            } => Some(self.client()),
            _ => None,
        };
        let MemoryUse::Whole {
            memory,
            share,
            uncounted,
        } = &mut self.memory_use
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
    /// See [`BodyError`]. Every later call returns the first error again.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        match self.state {
            State::Open => {}
            State::Ended => return Ok(None),
            State::Failed(error) => return Err(error),
        }
        self.held_back = false;
        // A reader that asks for more has consumed the previous piece.
        if let Some(connection) = &self.connection {
            connection.consume(std::mem::take(&mut self.given));
        }
        self.count_given().await?;
        if let Some(share) = self.memory_use.share() {
            share.waits_for_client(true);
        }
        let piece = self.wait().await;
        if let Some(share) = self.memory_use.share() {
            share.waits_for_client(false);
        }
        match &piece {
            Ok(Some(bytes)) => {
                self.received += bytes.len() as u64;
                self.given = bytes.len();
                self.pace.receive(bytes.len());
                match &mut self.memory_use {
                    MemoryUse::Nothing => {}
                    MemoryUse::Whole { uncounted, .. } => *uncounted += bytes.len(),
                    MemoryUse::Upload { share, .. } => share.count(bytes.len()),
                }
            }
            Ok(None) => self.state = State::Ended,
            Err(error) => {
                self.fail(*error);
            }
        }
        piece
    }

    /// Waits for the client. Only this time counts against the client's pace, not the time that the reader takes
    /// between two pieces.
    async fn wait(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            let began = Instant::now();
            let coming = timeout(self.pace.left(), self.payload.next());
            let piece = match self.memory_use.share() {
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
            self.pace.wait(began.elapsed());
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

    /// Prepares a response that is sent while the body may still be arriving: reads a small rest, so that the
    /// connection can be reused; otherwise the connection is closed after the response, and not before the client could
    /// read it. The client is not asked for a body that no handler read (`Expect: 100-continue`).
    pub(crate) async fn settle(mut self, answer: HttpResponse) -> HttpResponse {
        let rest = self
            .declared
            .map_or(0, |declared| declared.saturating_sub(self.received));
        if self.state == State::Open && !self.held_back && rest <= DRAINED_BYTES {
            let until = self.received + DRAINED_BYTES;
            let drain = async {
                while self.received <= until && matches!(self.next().await, Ok(Some(_))) {}
            };
            // After this time reading the rest ends, as it does where the rest is too long.
            let _ = timeout(DRAINED_TIME, drain).await;
        }
        if self.state == State::Ended {
            return answer;
        }
        let payload = self.payload;
        answer.map_body(|head, body| {
            head.set_connection_type(ConnectionType::Close);
            // As long as the unread body lives, actix knows that the client may still be sending: after the response it
            // reads on for a while before it closes. If the unread body were dropped, actix would read it for ever.
            BoxBody::new(HoldingBody::new(BoxBody::new(body), payload))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::FromRequest;
    use actix_web::body::{BodySize, MessageBody};
    use actix_web::dev::Payload;
    use actix_web::test::TestRequest;
    use futures_util::stream;
    use std::pin::Pin;

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
}
