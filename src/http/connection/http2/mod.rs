//! HTTP/2, as a gateway to HTTP/1.1: the rest of the server sees the head that a gateway would forward.
//!
//! Guarantees: a connection's streams, heads and buffers are bounded, and those of all connections together
//! ([`memory`]); so are the cost of frames that get nothing done ([`flood`]), and each wait for a reader. When the
//! server stops, or a connection was idle for too long, the client gets a GOAWAY before the connection closes. RFC
//! 9113: <https://www.rfc-editor.org/rfc/rfc9113>

mod flood;
pub(super) mod memory;
mod reply;
mod request;
pub(super) mod serve;

pub(crate) use memory::Pools;
