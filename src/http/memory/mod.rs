//! Memory that the bodies of many clients share.
//!
//! Guarantees: no client (an IPv4 address, or the /64 network of an IPv6 address) holds more than its part
//! (`Bounds::of_one_client_bytes`), and all of them together hold no more than the whole. When a body finds no room, the
//! slowest body is evicted, if it is old enough to have a speed: a body of the same client where that client's part is
//! full, otherwise a body of the client that holds most. A body never displaces a faster one, nor one whose client the
//! server does not wait for ([`bounds`] has the one exception). A body's part is given back when its [`Share`] is dropped,
//! however the request ends. The module refuses to know what the bodies are.

mod body_memory;
mod body_state;
mod bounds;
mod client;
mod ledger;
mod shared;
mod speed;

pub(crate) use body_memory::BodyMemory;
pub(crate) use bounds::UPLOAD_BYTES;
pub(crate) use client::Client;
pub(crate) use ledger::NoRoom;
pub(crate) use shared::{Share, SharedMemory};
