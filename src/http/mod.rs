//! The edge: the only module that knows actix. The route table is on this screen.
//!
//! Guarantees: a request's face is judged by its *raw* first segment, so `/%61pi` is a bucket's name and not the asset
//! API; every answer went through `trace` and every head through `limits`. Refuses to know what a face answers.

pub(crate) mod admin;
pub(crate) mod auth;
mod connection;
mod docs;
pub(crate) mod limits;
mod memory;
pub(crate) mod ops;
pub(crate) mod origin;
pub(crate) mod plane;
mod proxies;
mod repeat;
pub(crate) mod s3;
pub(crate) mod serve;
pub(crate) mod tls;
pub(crate) mod trace;
mod watch;

use crate::admin::{Asked, Holder, Housekeeper};
use crate::assets::Assets;
use crate::auth::{AccessKeys, Auth};
use crate::clock::Clock;
use crate::s3::signature::Sigv2;
use crate::store::Store;
use actix_web::dev::RequestHead;
use actix_web::guard::{Guard, fn_guard};
use actix_web::middleware::from_fn;
use actix_web::{App, web};
use connection::Terms;
use std::net::TcpListener;
use std::sync::Arc;
use tls::Tls;

pub(crate) use actix_web::dev::Server;
pub use plane::{Limits, RateLimit};
pub use proxies::TrustedProxies;
pub use repeat::KnownAnswers;
pub use watch::Watch;

/// What the handlers share.
#[derive(Clone)]
pub struct Rooms {
    pub config: Arc<HttpConfig>,
    pub clock: Clock,
    pub store: Store,
    pub auth: Auth,
    pub keys: AccessKeys,
    pub assets: Assets,
    pub keeper: Arc<Housekeeper>,
    pub limits: Arc<plane::Limits>,
    pub known: KnownAnswers,
    pub(crate) tls: Option<Tls>,
    pub watch: Watch,
}

impl Rooms {
    /// For orders that come to a running server.
    #[must_use]
    pub fn holder(&self) -> Holder<'_> {
        Holder {
            auth: &self.auth,
            keeper: &self.keeper,
            asked: Asked::BesideOthers,
        }
    }
}

/// Settings of the edge.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// `HANGAR_LISTEN`: addresses to bind (one, or IPv4 and IPv6 of `:9000`).
    pub listen: Vec<std::net::SocketAddr>,
    /// `HANGAR_PUBLIC_URL`: scheme and host, no path.
    pub public_url: Option<String>,
    /// `HANGAR_TRUSTED_PROXIES`
    pub trusted_proxies: TrustedProxies,
    /// `CORS_ALLOWED_ORIGINS`; empty: any
    pub cors_allowed_origins: Vec<String>,
    /// `HANGAR_S3_DOMAIN`
    pub s3_domain: Option<String>,
    /// `AWS_REGION`; empty: any
    pub region: String,
    /// `HANGAR_S3_SIGV2`: where Signature Version 2 is accepted too.
    pub sigv2: Sigv2,
    /// `HANGAR_SAFE_READS`: what a browser can ask for is served so that it can do no harm.
    pub safe_reads: bool,
    /// `HANGAR_TLS_CERT` and `HANGAR_TLS_KEY`; `None`: plain HTTP.
    pub tls: Option<TlsFiles>,
}

/// PEM files of a certificate (with its chain) and its key.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    pub certificate: std::path::PathBuf,
    pub key: std::path::PathBuf,
}

/// Containers are killed 10 s after they were asked to stop.
const STOP_TIME_SECONDS: u64 = 8;
/// Of one worker, for what waits for the disk: each takes memory, and a disk is not faster for more of them.
const BLOCKING_THREADS: usize = 64;
/// Files that are no connections: the log, the database, bodies being read and written.
const FILES_OF_OUR_OWN: u64 = 256;
/// Connections that a process may have, whatever its limit of files: each takes memory before it asks for anything.
const MOST_CONNECTIONS: u64 = 1 << 14;

/// Who answers a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    /// `/api`
    Api,
    /// `/-`
    Operations,
    /// `/minio`
    Minio,
    /// All else; and everything under a host that names a bucket.
    S3,
}

impl Face {
    pub(crate) fn of(head: &RequestHead, config: &HttpConfig) -> Self {
        if origin::virtual_bucket(head, config).is_some() {
            return Self::S3;
        }
        match head.uri.path().split('/').nth(1) {
            Some("api") => Self::Api,
            Some("-") => Self::Operations,
            Some("minio") => Self::Minio,
            _ => Self::S3,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Operations => "operations",
            Self::Minio => "minio",
            Self::S3 => "s3",
        }
    }

    fn guard(self, config: &Arc<HttpConfig>) -> impl Guard + use<> {
        let config = Arc::clone(config);
        fn_guard(move |context| Self::of(context.head(), &config) == self)
    }
}

/// The route table.
fn routes(cfg: &mut web::ServiceConfig, rooms: &Rooms) {
    let config = &rooms.config;
    cfg.service(
        web::scope("")
            .guard(Face::Api.guard(config))
            .configure(plane::configure),
    )
    .service(
        web::scope("")
            .guard(Face::Operations.guard(config))
            .configure(ops::configure),
    )
    .service(
        web::scope("")
            .guard(Face::Minio.guard(config))
            .default_service(web::to(s3::minio)),
    )
    .default_service(web::to(s3::answer));
}

/// Starts to serve `rooms` on `listeners`; where they have a certificate, by TLS alone.
///
/// # Errors
/// When a listener cannot be used.
pub(crate) fn serve(listeners: Vec<TcpListener>, rooms: &Rooms) -> std::io::Result<Server> {
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let capacity = connections_of_a_worker(workers);
    let memory = memory::BodyMemory::default();
    let terms = Terms {
        rooms: rooms.clone(),
        tls: rooms.tls.clone(),
        capacity,
        http2_pools: connection::Pools::default(),
        memory: memory.clone(),
    };
    let shared = web::Data::new(rooms.clone());
    let memory = web::Data::new(memory);
    let app = move || {
        App::new()
            .app_data(shared.clone())
            .app_data(memory.clone())
            .wrap(from_fn(limits::bound_head))
            .wrap(from_fn(trace::observe))
            .configure(|cfg| routes(cfg, &shared))
    };
    let mut server = Server::build()
        .workers(workers)
        .worker_max_blocking_threads(BLOCKING_THREADS)
        .max_concurrent_connections(capacity)
        .shutdown_timeout(STOP_TIME_SECONDS)
        .disable_signals();
    for listener in listeners {
        server = connection::listen(server, listener, &terms, app.clone())?;
    }
    Ok(server.run())
}

/// The limit of open files, raised as far as it goes, less what we open ourselves.
fn connections_of_a_worker(workers: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Where it may not be raised, the limit that stands is the limit.
    let raised = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
    let files = match raised {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    connections_within(files, workers)
}

/// Of each worker, where the process may have so many files open (`None`: any number). A small limit leaves three quarters
/// to files of our own: an idle server has some forty.
fn connections_within(files: Option<u64>, workers: usize) -> usize {
    /// One that is at work, and one that makes place.
    const LEAST: usize = 2;
    let connections = files.map_or(MOST_CONNECTIONS, |files| {
        let own = FILES_OF_OUR_OWN.min(files / 4 * 3);
        (files - own).min(MOST_CONNECTIONS)
    });
    usize::try_from(connections).map_or(LEAST, |connections| (connections / workers).max(LEAST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::TrustedProxies;
    use actix_web::test::TestRequest;
    use rstest::rstest;

    #[rstest]
    #[case::least(0, 2, 2)]
    #[case::small(64, 2, 8)]
    #[case::usual(1024, 2, 384)]
    #[case::large(1 << 20, 4, 1 << 12)]
    fn connections_leave_room_for_files_of_our_own(
        #[case] files: u64,
        #[case] workers: usize,
        #[case] connections: usize,
    ) {
        assert_eq!(connections_within(Some(files), workers), connections);
        assert!(
            connections == 2 || (connections * workers) as u64 <= files - files.min(340) / 4 * 3
        );
    }

    #[rstest]
    #[case::api("/api/v1/users/me/", "localhost", Face::Api)]
    #[case::operations("/-/health/live", "localhost", Face::Operations)]
    #[case::minio("/minio/health/live", "localhost", Face::Minio)]
    #[case::root("/", "localhost", Face::S3)]
    #[case::bucket("/uploads/key", "localhost", Face::S3)]
    #[case::longer_name("/api2/key", "localhost", Face::S3)]
    #[case::encoded("/%61pi/v1/", "localhost", Face::S3)]
    #[case::empty_segment("//api/v1/", "localhost", Face::S3)]
    #[case::virtual_host("/api/v1/", "uploads.s3.example.com", Face::S3)]
    fn the_raw_first_segment_names_the_face(
        #[case] path: &str,
        #[case] host: &str,
        #[case] face: Face,
    ) {
        let config = HttpConfig {
            listen: Vec::new(),
            public_url: None,
            trusted_proxies: TrustedProxies::None,
            cors_allowed_origins: Vec::new(),
            s3_domain: Some("s3.example.com".to_owned()),
            region: String::new(),
            sigv2: Sigv2::Off,
            safe_reads: true,
            tls: None,
        };
        let req = TestRequest::with_uri(path)
            .insert_header(("host", host))
            .to_http_request();
        assert_eq!(Face::of(req.head(), &config), face);
    }
}
