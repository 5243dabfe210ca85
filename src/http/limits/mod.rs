//! Limits on the bodies that clients send: the pace that they must keep, and how much of them is in memory.

mod body;
mod body_error;
mod declared;
mod memory_use;

pub(crate) use body::{Body, Kept};
pub(crate) use body_error::BodyError;
pub(crate) use declared::{declared_bytes, is_chunked};
