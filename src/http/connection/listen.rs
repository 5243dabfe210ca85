//! Accepts connections, and serves each until it closes.

use crate::clock::Clock;
use crate::http::config::HttpConfig;
use crate::http::connection::answering::answer;
use crate::http::connection::fast_path::FastPath;
use crate::http::connection::head_memory::HeadMemory;
use crate::http::connection::http1::http1;
use crate::http::connection::http2::memory::Pools;
use crate::http::connection::http2::serve as http2;
use crate::http::connection::stream::Stream;
use crate::http::connection::table::Slot;
use crate::http::connection::timeouts::{HEAD_TIME, LINGER, STALLED_READER};
use crate::http::connection::tls::certificate::Tls;
use crate::http::connection::transport::Transport;
use crate::http::connection::unparsed;
use crate::http::memory::BodyMemory;
use crate::http::memory::Client;
use crate::http::response_cache::ResponseCache;
use actix_http::Request;
use actix_http::body::BoxBody;
use actix_server::{GracefulShutdownSignal, ServerBuilder};
use actix_service::{IntoServiceFactory, Service, ServiceFactory, fn_factory, fn_service};
use actix_web::Error;
use actix_web::dev::{AppConfig, ServiceResponse};
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The state that all connections share.
#[derive(Clone)]
pub(crate) struct ConnectionContext {
    pub(crate) config: Arc<HttpConfig>,
    pub(crate) clock: Clock,
    pub(crate) cache: ResponseCache,
    /// `None`: plain HTTP.
    pub(crate) tls: Option<Tls>,
    /// How many connections one worker may have.
    pub(crate) capacity: usize,
    /// The pools of all workers.
    pub(crate) http2_pools: Pools,
    pub(crate) memory: BodyMemory,
}

/// Makes `server` listen on `listener`, and serve the application that `app` makes once for each worker.
///
/// # Errors
/// When the listener cannot be used.
pub(crate) fn listen<F, I, A>(
    server: ServerBuilder,
    listener: TcpListener,
    context: &ConnectionContext,
    app: F,
) -> std::io::Result<ServerBuilder>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<A, Request>,
    A: ServiceFactory<
            Request,
            Config = AppConfig,
            Response = ServiceResponse<BoxBody>,
            Error = Error,
            InitError = (),
        > + 'static,
    A::Service: 'static,
{
    let stop = server.graceful_shutdown_signal();
    let context = context.clone();
    server.listen("http", listener, move || {
        let (app, context, stop) = (app.clone(), context.clone(), stop.clone());
        fn_factory(move || {
            let app = app().into_factory().new_service(AppConfig::default());
            let (context, stop) = (context.clone(), stop.clone());
            async move {
                let app = Rc::new(app.await?);
                let http1 = Rc::new(http1(&app, stop.clone()).await?);
                Ok::<_, ()>(fn_service(move |socket| {
                    let (app, http1) = (Rc::clone(&app), Rc::clone(&http1));
                    let (context, stop) = (context.clone(), stop.clone());
                    async move {
                        serve(socket, &context, app, http1, stop).await;
                        Ok::<(), ()>(())
                    }
                }))
            }
        })
    })
}

/// Serves one connection until it closes.
async fn serve<A, H>(
    socket: TcpStream,
    context: &ConnectionContext,
    app: Rc<A>,
    http1: Rc<H>,
    stop: GracefulShutdownSignal,
) where
    A: Service<Request, Response = ServiceResponse<BoxBody>, Error = Error> + 'static,
    H: Service<(Stream, Option<SocketAddr>), Response = (), Error: std::fmt::Debug>,
{
    let slot = Slot::take(context.capacity);
    let state = slot.state();
    let peer = socket.peer_addr().ok();
    prepare(&socket);
    let transport = match &context.tls {
        None => Transport::Plain(socket),
        Some(tls) => {
            let handshake = timeout(HEAD_TIME, tls_handshake(socket, tls));
            let accepted = tokio::select! {
                accepted = handshake => accepted,
                _ = state.overdue() => return,
            };
            match accepted {
                Ok(Some(transport)) => transport,
                _ => return,
            }
        }
    };
    if transport.is_http2() {
        let shared = http2::Shared {
            peer,
            state: Rc::clone(state),
            clock: context.clock.clone(),
            pools: context.http2_pools.clone(),
            connections: context.memory.http2_connections.clone(),
        };
        let answer = |request| answer(&app, Some(state), request);
        http2::serve(transport, &shared, answer, stop.notified()).await;
        return;
    }
    let trust = context.config.trusted_proxies.trust_of(peer);
    let fast_path = FastPath::new(
        &context.cache,
        &context.clock,
        trust,
        peer.map(|peer| peer.ip()),
    );
    let heads = HeadMemory {
        memory: context.memory.unverified.clone(),
        client: Client::of_peer(peer),
    };
    let stream = Stream::new(transport, Rc::clone(state), fast_path, heads);
    tokio::select! {
        ended = http1.call((stream, peer)) => if let Err(error) = ended {
            tracing::debug!(?error, "a connection broke");
        },
        _ = state.overdue() => {}
    }
}

fn prepare(socket: &TcpStream) {
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "a connection stays without TCP_NODELAY");
    }
    // A reader that takes nothing at all never gets its next piece, so its pace is not measured. The kernel ends its
    // connection, and that of a peer that vanished.
    #[cfg(target_os = "linux")]
    {
        let millis = u32::try_from(STALLED_READER.as_millis()).unwrap_or(u32::MAX);
        if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(socket, millis) {
            tracing::debug!(%error, "a stalled reader of this connection will not be ended");
        }
    }
}

/// Begins TLS. A client that speaks plain HTTP gets a response that says so.
async fn tls_handshake(mut socket: TcpStream, tls: &Tls) -> Option<Transport> {
    /// The type of the record that every client of TLS begins with.
    const HANDSHAKE: u8 = 22;
    let mut first = [0];
    if socket.peek(&mut first).await.ok()? == 0 {
        return None;
    }
    if first[0] != HANDSHAKE {
        if first[0].is_ascii_alphabetic() {
            refuse_plain_http(&mut socket).await;
        }
        return None;
    }
    match tls.acceptor().accept(socket).await {
        Ok(stream) => Some(Transport::Tls(Box::new(stream))),
        Err(error) => {
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
    }
}

/// Sends the response, and reads on for a moment, so that the client sees the response and not a reset.
async fn refuse_plain_http(socket: &mut TcpStream) {
    if socket.write_all(&unparsed::not_tls()).await.is_err() || socket.shutdown().await.is_err() {
        return;
    }
    let mut rest = [0; 4096];
    let drain = async { while socket.read(&mut rest).await.is_ok_and(|read| read > 0) {} };
    let _ = timeout(LINGER, drain).await;
}
