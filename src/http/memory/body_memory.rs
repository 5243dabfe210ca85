//! The shared memories of a server, one for each kind of body.

use crate::http::memory::bounds::{DOCUMENTS, HTTP2_CONNECTIONS, UNVERIFIED, UPLOADS};
use crate::http::memory::shared::SharedMemory;

/// The shared memories of a server. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct BodyMemory {
    pub(crate) unverified: SharedMemory,
    pub(crate) documents: SharedMemory,
    pub(crate) uploads: SharedMemory,
    pub(crate) http2_connections: SharedMemory,
}

impl Default for BodyMemory {
    fn default() -> Self {
        Self {
            unverified: SharedMemory::new(UNVERIFIED),
            documents: SharedMemory::new(DOCUMENTS),
            uploads: SharedMemory::new(UPLOADS),
            http2_connections: SharedMemory::new(HTTP2_CONNECTIONS),
        }
    }
}
