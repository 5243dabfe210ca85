//! The edge: the only module that knows actix. The route table is on this screen.
//!
//! Guarantees: a request's face is decided by its *raw* first segment, so `/%61pi` is a bucket's name and not the asset
//! API; every response has a line in the log and every head a limit ([`trace`], [`head_limit`]). Refuses to know the
//! responses of a face.
//!
//! Rooms and files, from the top. Each imports only those that stand below it:
//!
//! | room | what it is |
//! |---|---|
//! | this file | the routes, the middlewares, the server |
//! | [`admin`] | the administration listener |
//! | [`head_limit`] | the limit on heads, refused in the form of each face |
//! | [`operations`] | `/-/…`: health, and the description of the asset API |
//! | [`s3`], [`plane`] | the two faces |
//! | [`serve`], [`auth`] | how an object is served; where a token is carried |
//! | [`limits`] | the bodies of requests as they arrive |
//! | [`app_state`] | the state that handlers share |
//! | [`health`], [`rate_limit`] | readiness and standing warnings; how often a token may ask |
//! | [`connection`] | TLS, HTTP/1.1, the fast path, HTTP/2 |
//! | [`response_cache`] | cached responses, and the middleware that keeps them |
//! | [`trace`] | request ids, log lines, and the middleware that writes them |
//! | [`memory`], [`pace`] | the memory that bodies share; the pace that clients must keep |
//! | [`face`], [`origin`] | the face that answers; the name under which the client reached it |
//! | [`config`], [`proxies`] | settings; the proxies whose forwarding headers are trusted |

pub(crate) mod admin;
mod app_state;
pub(crate) mod auth;
mod config;
mod connection;
mod face;
mod head_limit;
mod health;
pub(crate) mod limits;
mod memory;
pub(crate) mod operations;
pub(crate) mod origin;
mod pace;
pub(crate) mod plane;
mod proxies;
mod rate_limit;
mod response_cache;
pub(crate) mod s3;
pub(crate) mod serve;
pub(crate) mod trace;

use actix_web::middleware::from_fn;
use actix_web::{App, web};
use face::Face;
use std::net::TcpListener;
use std::sync::Arc;

pub(crate) use actix_web::dev::Server;
pub use app_state::AppState;
pub use config::{HttpConfig, TlsFiles};
pub(crate) use connection::tls;
pub use health::Watch;
pub use proxies::TrustedProxies;
pub use rate_limit::{RateLimit, RateLimits};
pub use response_cache::ResponseCache;

/// Container engines kill a container 10 s after they asked it to stop.
const STOP_TIME_SECONDS: u64 = 8;
/// Threads of one worker that wait for the disk. Each takes memory, and more of them do not make a disk faster.
const BLOCKING_THREADS: usize = 64;
/// Open files that are not connections: the log, the database, bodies that are read and written.
const FILES_OF_OUR_OWN: u64 = 256;
/// How many connections a process may have, whatever its limit of files: each takes memory before its first request.
const MOST_CONNECTIONS: u64 = 1 << 14;

/// The route table.
fn routes(cfg: &mut web::ServiceConfig, state: &AppState) {
    let config = &state.config;
    cfg.service(
        web::scope("")
            .guard(Face::Api.guard(config))
            .configure(plane::configure),
    )
    .service(
        web::scope("")
            .guard(Face::Operations.guard(config))
            .configure(operations::configure),
    )
    .service(
        web::scope("")
            .guard(Face::Minio.guard(config))
            .default_service(web::to(s3::minio)),
    )
    .default_service(web::to(s3::answer));
}

/// Starts to serve `state` on `listeners`; with a certificate, over TLS alone.
///
/// # Errors
/// When a listener cannot be used.
pub(crate) fn serve(listeners: Vec<TcpListener>, state: &AppState) -> std::io::Result<Server> {
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let capacity = connections_of_a_worker(workers);
    let memory = memory::BodyMemory::default();
    let context = connection::ConnectionContext {
        config: Arc::clone(&state.config),
        clock: state.clock.clone(),
        cache: state.response_cache.clone(),
        tls: state.tls.clone(),
        capacity,
        http2_pools: connection::Pools::default(),
        memory: memory.clone(),
    };
    let shared = web::Data::new(state.clone());
    let config = web::Data::from(Arc::clone(&state.config));
    let cache = web::Data::new(state.response_cache.clone());
    let memory = web::Data::new(memory);
    let app = move || {
        App::new()
            .app_data(shared.clone())
            .app_data(config.clone())
            .app_data(cache.clone())
            .app_data(memory.clone())
            // The last one is the outermost: it sees a request first and its response last.
            .wrap(from_fn(head_limit::bound_head))
            .wrap(from_fn(trace::observe))
            .wrap(from_fn(response_cache::fill))
            .configure(|cfg| routes(cfg, &shared))
    };
    let mut server = Server::build()
        .workers(workers)
        .worker_max_blocking_threads(BLOCKING_THREADS)
        .max_concurrent_connections(capacity)
        .shutdown_timeout(STOP_TIME_SECONDS)
        .disable_signals();
    for listener in listeners {
        server = connection::listen(server, listener, &context, app.clone())?;
    }
    Ok(server.run())
}

/// How many connections each worker may have: raises the limit of open files to its maximum, and subtracts our own
/// files.
fn connections_of_a_worker(workers: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Where the limit may not be raised, the present limit applies.
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

/// How many connections each worker may have where the process may have `files` open (`None`: any number). With a small
/// limit, three quarters are left for our own files: an idle server has some forty open.
fn connections_within(files: Option<u64>, workers: usize) -> usize {
    /// One busy connection, and one that can be evicted.
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
}
