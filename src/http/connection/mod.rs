//! Connections: from an accepted socket to requests and back, by TLS, HTTP/1.1 and HTTP/2.
//!
//! A request whose response is cached takes the [`fast_path`] past actix. Guarantees: a handshake and each head must
//! arrive in bounded time ([`timeouts`]), idle connections are closed, and a worker that is nearly full evicts the
//! connections that were idle longest ([`table`]); the client is asked for a body only when a handler reads it
//! ([`expect`]); a request that cannot be parsed gets an error response ([`unparsed`]). Refuses to know what requests
//! mean.
//!
//! Each file imports only files that stand below it: [`listen`]; [`http1`] and [`http2`]; [`expect`] and [`answering`];
//! [`stream`]; [`fast_path`], [`head_memory`] and [`framing`]; [`table`]; [`state`]; [`timeouts`], [`transport`], [`tls`]
//! and [`unparsed`].

mod answering;
mod expect;
mod fast_path;
mod framing;
mod head_memory;
mod holding_body;
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

pub(super) use holding_body::HoldingBody;
pub(super) use http2::Pools;
pub(super) use listen::{ConnectionContext, listen};
pub(super) use state::{ConnectionState, READ_AHEAD_BYTES};
