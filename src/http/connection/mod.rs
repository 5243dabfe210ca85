//! Connections: from an accepted socket to requests and back, by TLS, HTTP/1.1 and HTTP/2.
//!
//! A request whose answer is cached takes the [`fast_path`] past actix. Guarantees: a handshake and each head come in
//! bounded time ([`timeouts`]), idle connections are closed, and a worker that is nearly full evicts those that were idle
//! longest ([`table`]); a body is asked for only when it is read ([`expect`]); a request that cannot be parsed gets an
//! answer all the same ([`unparsed`]). Refuses to know what requests mean.
//!
//! Each file imports only files that stand below it: [`listen`]; [`http1`] and [`http2`]; [`expect`] and [`answering`];
//! [`stream`]; [`fast_path`], [`head_memory`] and [`framing`]; [`table`]; [`state`]; [`timeouts`], [`transport`], [`tls`]
//! and [`unparsed`].

mod answering;
mod expect;
mod fast_path;
mod framing;
mod head_memory;
mod http1;
mod http2;
mod listen;
mod state;
mod stream;
mod table;
mod timeouts;
pub(crate) mod tls;
mod transport;
mod unparsed;

pub(super) use http2::Pools;
pub(super) use listen::{ConnectionContext, listen};
pub(super) use state::{ConnectionState, READ_AHEAD_BYTES};
