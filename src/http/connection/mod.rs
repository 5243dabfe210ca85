//! From an accepted socket to requests and back: TLS, HTTP/1.1, HTTP/2, and the patience with each.
//!
//! A request whose answer is known takes a way past actix ([`fast_path`]). Guarantees: a handshake and each head come in
//! bounded time, idle connections go, and a worker that is nearly full makes place for those who ask ([`activity`]); a
//! body is asked for only when it is read ([`expect`]); what is no request is answered all the same ([`unparsed`]).
//! Refuses to know what is asked.

mod answering;
mod expect;
mod fast_path;
mod framing;
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
