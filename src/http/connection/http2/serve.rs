//! One connection of HTTP/2: takes its requests until it closes.

use crate::clock::Clock;
use crate::http::connection::answering::ResponseFuture;
use crate::http::connection::http2::flood::{ANSWER_GAIN, Budget, Metered};
use crate::http::connection::http2::memory::{
    Allowance, AtWork, Lease, Piece, Pools, WIDE_WINDOW_BYTES, WINDOW_BYTES,
};
use crate::http::connection::http2::reply::{LAST_WORD, Reply, SEND_BUFFER_BYTES};
use crate::http::connection::http2::request::{Body, HEAD_BYTES, as_http1, head_bytes};
use crate::http::connection::state::{ConnectionState, Overdue};
use crate::http::connection::timeouts::{HEAD_TIME, LINGER};
use crate::http::connection::transport::Transport;
use crate::http::memory::Client;
use crate::http::memory::SharedMemory;
use actix_http::{Method, Request};
use h2::server::{self, Connection, SendResponse};
use h2::{Reason, RecvStream};
use std::cell::RefCell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use tokio::time::timeout;

/// Requests under way on one connection.
const STREAMS: u32 = 100;
/// As many fields as HTTP/1.1 takes. A field that the client repeats by its number in the header table costs the client
/// one byte.
const FIELDS: usize = 96;
/// About how much memory a request under way takes besides its head.
const REQUEST_BYTES: u32 = 8192;
/// The bytes of one body that a client may send before the server reads them, where the connection's window allows it.
const STREAM_WINDOW_BYTES: u32 = 512 * 1024;
/// Streams that were reset and whose late frames are ignored.
const RESET_STREAMS: usize = 32;
/// The state that the requests of a connection share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) state: Rc<ConnectionState>,
    pub(crate) clock: Clock,
    pub(crate) pools: Pools,
    pub(crate) connections: SharedMemory,
}

/// Serves a connection until it closes. `stop` ends when the server accepts no further request.
pub(crate) async fn serve(
    transport: Transport,
    shared: &Shared,
    answer: impl Fn(Request) -> ResponseFuture,
    stop: impl Future<Output = ()>,
) {
    let state = &shared.state;
    state.set_multiplexed();
    let budget = Rc::new(Budget::new());
    let client = Client::of_peer(shared.peer);
    let at_work = Rc::new(AtWork::new(shared.connections.clone(), client));
    let metered = Metered::new(transport, Rc::clone(&budget), Rc::clone(&at_work));
    let handshake = server::Builder::new()
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD_BYTES)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_send_buffer_size(SEND_BUFFER_BYTES)
        .max_concurrent_reset_streams(RESET_STREAMS)
        .handshake::<_, Piece>(metered);
    let mut connection = tokio::select! {
        begun = timeout(HEAD_TIME, handshake) => match begun {
            Ok(Ok(connection)) => connection,
            _ => return,
        },
        _ = state.overdue() => return,
    };
    let mut taking = Taking {
        shared,
        requests: shared.pools.requests(),
        answers: shared.pools.answers(),
        budget: Rc::clone(&budget),
        at_work: Rc::clone(&at_work),
        wide_window: None,
    };
    let mut stop = pin!(stop);
    let mut stopping = false;
    let last_word = loop {
        tokio::select! {
            accepted = connection.accept() => match accepted {
                Some(Ok((request, respond))) => {
                    if !request.body().is_end_stream() {
                        taking.widen_window(&mut connection);
                    }
                    taking.take(request, respond, &answer);
                }
                Some(Err(error)) => {
                    tracing::debug!(%error, "an HTTP/2 connection broke");
                    return;
                }
                None => return,
            },
            () = &mut stop, if !stopping => {
                stopping = true;
                connection.graceful_shutdown();
            }
            () = budget.exceeded() => {
                tracing::info!(peer = ?shared.peer, "closed an HTTP/2 connection that flooded the server with frames");
                connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                break LAST_WORD;
            }
            () = at_work.evicted() => {
                tracing::debug!(peer = ?shared.peer, "closed an HTTP/2 connection to make room for others");
                connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                break LAST_WORD;
            }
            overdue = state.overdue(), if !stopping => match overdue {
                Overdue::Idle => {
                    connection.graceful_shutdown();
                    break LINGER;
                }
                Overdue::Evicted => {
                    connection.abrupt_shutdown(Reason::NO_ERROR);
                    break LAST_WORD;
                }
            },
        }
    };
    let closed = poll_fn(|cx| connection.poll_closed(cx));
    let _ = timeout(last_word, closed).await;
}

/// Accepts requests, each with its part of the connection's memory.
struct Taking<'a> {
    shared: &'a Shared,
    requests: Allowance,
    answers: Allowance,
    budget: Rc<Budget>,
    at_work: Rc<AtWork>,
    wide_window: Option<Lease>,
}

impl Taking<'_> {
    /// A body arrives: widens the window for it, where all connections together leave room for that.
    fn widen_window(&mut self, connection: &mut Connection<Metered, Piece>) {
        if self.wide_window.is_none() {
            self.wide_window = self.shared.pools.wide_window();
            if self.wide_window.is_some() {
                connection.set_target_window_size(WIDE_WINDOW_BYTES);
            }
        }
    }

    fn take(
        &self,
        request: ::http::Request<RecvStream>,
        mut respond: SendResponse<Piece>,
        answer: impl Fn(Request) -> ResponseFuture,
    ) {
        let (head, body) = request.into_parts();
        if head.headers.len() > FIELDS {
            let mut refusal = ::http::Response::new(());
            *refusal.status_mut() = ::http::StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            let _ = respond.send_response(refusal, true);
            return;
        }
        let head_bytes = head_bytes(&head);
        let Ok(at_work) = self.at_work.begin() else {
            respond.send_reset(Reason::REFUSED_STREAM);
            return;
        };
        // h2 no longer counts a stream that was reset; the handler of its request may still be running.
        let Some(memory) = self.requests.try_take(REQUEST_BYTES + head_bytes) else {
            respond.send_reset(Reason::REFUSED_STREAM);
            return;
        };
        let incoming = Rc::new(RefCell::new(Some(body)));
        let body = Body {
            incoming: Rc::clone(&incoming),
            budget: Rc::clone(&self.budget),
        };
        let Some(request) = as_http1(&head, body, self.shared.peer) else {
            respond.send_reset(Reason::PROTOCOL_ERROR);
            return;
        };
        let reply = Reply {
            respond,
            is_head: request.method() == Method::HEAD,
            clock: self.shared.clock.clone(),
            answers: self.answers.clone(),
            gain: ANSWER_GAIN + u64::from(head_bytes),
            budget: Rc::clone(&self.budget),
            incoming,
            at_work,
            _memory: memory,
        };
        actix_web::rt::spawn(reply.send(answer(request)));
    }
}
