//! From an accepted socket to requests and back: TLS, HTTP/1.1, HTTP/2, and the patience with each.
//!
//! A request whose answer is known takes a way past actix ([`lane`]). Guarantees: a handshake and each head come in
//! bounded time, idle connections go, and a worker that is nearly full makes place for those who ask ([`activity`]); a
//! body is asked for only when it is read ([`expect`]); what is no request is answered all the same ([`unparsed`]).
//! Refuses to know what is asked.

mod activity;
mod expect;
mod framing;
mod http2;
mod lane;
mod stream;
mod transport;
mod unparsed;

use super::memory::{BodyMemory, Client};
use super::tls::Tls;
use crate::http::app_state::AppState;
pub(super) use activity::{Activity, READ_AHEAD_BYTES};
use activity::{Place, RequestUnderWay};
use actix_http::body::{BodySize, BoxBody, MessageBody};
use actix_http::{ConnectionType, HttpService, Request};
use actix_server::{GracefulShutdownSignal, ServerBuilder};
use actix_service::{IntoServiceFactory, Service, ServiceFactory, fn_factory, fn_service};
use actix_web::Error;
use actix_web::dev::{AppConfig, ServiceResponse};
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
pub(super) use http2::Pools;
use lane::Lane;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use stream::{HeadMemory, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use transport::Transport;

/// For a TLS handshake, and for a head once it has begun.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Between requests.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// A reader that takes nothing at all for this long is gone.
const STALLED_READER: Duration = Duration::from_secs(30);
/// How long a refused body is still read so that its sender sees the answer.
const LINGER: Duration = Duration::from_secs(5);

/// An answer on its way.
type Answering = LocalBoxFuture<'static, Result<ServiceResponse<UnderWay>, Error>>;

/// What each worker's connections share.
#[derive(Clone)]
pub(super) struct Terms {
    pub(super) state: AppState,
    /// `None`: plain HTTP.
    pub(super) tls: Option<Tls>,
    /// Connections of one worker.
    pub(super) capacity: usize,
    /// Of all workers.
    pub(super) http2_pools: Pools,
    pub(super) memory: BodyMemory,
}

/// Has `server` serve on `listener` what `app` makes, once for each worker.
///
/// # Errors
/// When the listener cannot be used.
pub(super) fn listen<F, I, A>(
    server: ServerBuilder,
    listener: TcpListener,
    terms: &Terms,
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
    let terms = terms.clone();
    server.listen("http", listener, move || {
        let (app, terms, stop) = (app.clone(), terms.clone(), stop.clone());
        fn_factory(move || {
            let app = app().into_factory().new_service(AppConfig::default());
            let (terms, stop) = (terms.clone(), stop.clone());
            async move {
                let app = Rc::new(app.await?);
                let http1 = Rc::new(http1(&app, stop.clone()).await?);
                Ok::<_, ()>(fn_service(move |socket| {
                    let (app, http1) = (Rc::clone(&app), Rc::clone(&http1));
                    let (terms, stop) = (terms.clone(), stop.clone());
                    async move {
                        serve(socket, &terms, app, http1, stop).await;
                        Ok::<(), ()>(())
                    }
                }))
            }
        })
    })
}

/// What serves one connection of HTTP/1.1.
async fn http1<A>(
    app: &Rc<A>,
    stop: GracefulShutdownSignal,
) -> Result<
    impl Service<(Stream, Option<SocketAddr>), Response = (), Error: std::fmt::Debug> + use<A>,
    (),
>
where
    A: Service<Request, Response = ServiceResponse<BoxBody>, Error = Error> + 'static,
{
    let (begins, answers) = (Rc::clone(app), Rc::clone(app));
    HttpService::build()
        .client_request_timeout(HEAD_TIME)
        .client_disconnect_timeout(LINGER)
        // Idle connections are [`Activity`]'s to end: it knows of requests that took the lane.
        .keep_alive(actix_http::KeepAlive::Os)
        .graceful_shutdown_signal(move || {
            let stop = stop.clone();
            async move { stop.notified().await }
        })
        .on_connect_ext(|stream: &Stream, data| {
            data.insert(Rc::clone(stream.activity()));
        })
        .expect(fn_service(move |request: Request| {
            let app = Rc::clone(&begins);
            expect::begin(move |request| answer(&app, None, request), request)
        }))
        .h1(fn_service(move |request: Request| {
            expect::resume(&request).unwrap_or_else(|| answer(&answers, None, request))
        }))
        .new_service(())
        .await
}

/// Has the application answer. The request is under way until the last byte of its answer was handed over.
fn answer<A>(app: &Rc<A>, activity: Option<&Rc<Activity>>, request: Request) -> Answering
where
    A: Service<Request, Response = ServiceResponse<BoxBody>, Error = Error> + 'static,
{
    let guard = activity
        .or_else(|| request.conn_data::<Rc<Activity>>())
        .map(Activity::request);
    let asks_to_upgrade = request.head().connection_type() == ConnectionType::Upgrade;
    let answering = app.call(request);
    Box::pin(async move {
        let mut answer = answering.await?;
        if asks_to_upgrade {
            // actix closes after such an answer, and would say that it upgraded.
            let head = answer.response_mut().head_mut();
            head.set_connection_type(ConnectionType::Close);
        }
        Ok(answer.map_body(|_, body| UnderWay {
            body,
            _guard: guard,
        }))
    })
}

/// An answer's body; when it is dropped, its request is over.
struct UnderWay {
    body: BoxBody,
    _guard: Option<RequestUnderWay>,
}

impl From<BoxBody> for UnderWay {
    fn from(body: BoxBody) -> Self {
        Self { body, _guard: None }
    }
}

impl MessageBody for UnderWay {
    type Error = <BoxBody as MessageBody>::Error;

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

async fn serve<A, H>(
    socket: TcpStream,
    terms: &Terms,
    app: Rc<A>,
    http1: Rc<H>,
    stop: GracefulShutdownSignal,
) where
    A: Service<Request, Response = ServiceResponse<BoxBody>, Error = Error> + 'static,
    H: Service<(Stream, Option<SocketAddr>), Response = (), Error: std::fmt::Debug>,
{
    let place = Place::take(terms.capacity);
    let activity = place.activity();
    let peer = socket.peer_addr().ok();
    prepare(&socket);
    let transport = match &terms.tls {
        None => Transport::Plain(socket),
        Some(tls) => {
            let handshake = timeout(HEAD_TIME, shake_hands(socket, tls));
            let accepted = tokio::select! {
                accepted = handshake => accepted,
                _ = activity.overdue() => return,
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
            activity: Rc::clone(activity),
            clock: terms.state.clock.clone(),
            pools: terms.http2_pools.clone(),
            connections: terms.memory.http2_connections.clone(),
        };
        let answer = |request| answer(&app, Some(activity), request);
        http2::serve(transport, &shared, answer, stop.notified()).await;
        return;
    }
    let proxy = terms.state.config.trusted_proxies.standing(peer);
    let lane = Lane::open(&terms.state.known, &terms.state.clock, proxy);
    let heads = HeadMemory {
        memory: terms.memory.unverified.clone(),
        client: Client::of_peer(peer),
    };
    let stream = Stream::new(transport, Rc::clone(activity), lane, heads);
    tokio::select! {
        ended = http1.call((stream, peer)) => if let Err(error) = ended {
            tracing::debug!(?error, "a connection broke");
        },
        _ = activity.overdue() => {}
    }
}

fn prepare(socket: &TcpStream) {
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "a connection stays without TCP_NODELAY");
    }
    // A reader that takes nothing at all is never asked for its next piece, so no pace is measured: the system ends it,
    // and a peer that vanished.
    #[cfg(target_os = "linux")]
    {
        let millis = u32::try_from(STALLED_READER.as_millis()).unwrap_or(u32::MAX);
        if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(socket, millis) {
            tracing::debug!(%error, "a stalled reader of this connection will not be ended");
        }
    }
}

/// Begins TLS. Who speaks plain HTTP is told so.
async fn shake_hands(mut socket: TcpStream, tls: &Tls) -> Option<Transport> {
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

/// Answers, and reads on for a moment, so that the client sees the answer and no reset.
async fn refuse_plain_http(socket: &mut TcpStream) {
    if socket.write_all(&unparsed::not_tls()).await.is_err() || socket.shutdown().await.is_err() {
        return;
    }
    let mut rest = [0; 4096];
    let drain = async { while socket.read(&mut rest).await.is_ok_and(|read| read > 0) {} };
    let _ = timeout(LINGER, drain).await;
}
