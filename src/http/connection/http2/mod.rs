//! HTTP/2, as a gateway to HTTP/1.1: what the rest sees is the head that a gateway would hand on.
//!
//! Guarantees: a connection's streams, heads and buffers are bounded, and those of all connections together ([`memory`]);
//! so is what frames may cost that get nothing done ([`flood`]), and each wait for a reader. A server that stops, and a
//! connection that idles, say so (GOAWAY) before they close.
//! RFC 9113: <https://www.rfc-editor.org/rfc/rfc9113>

mod flood;
pub(super) mod memory;
mod reply;
mod request;
pub(super) mod serve;

pub(crate) use memory::Pools;
