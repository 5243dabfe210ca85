//! The memory that a body takes while it is read.

use crate::http::connection::{ConnectionState, READ_AHEAD_BYTES};
use crate::http::memory::{Share, SharedMemory};
use std::rc::Rc;

/// How much of an upload is read ahead of its reader, where few uploads are under way.
const WIDE_READ_AHEAD_BYTES: u64 = 64 * 1024;

/// The memory that a body takes.
pub(super) enum MemoryUse {
    Nothing,
    /// All bytes that arrived, once the reader has to wait for more.
    Whole {
        memory: SharedMemory,
        share: Option<Share>,
        uncounted: usize,
    },
    /// The same amount for every upload.
    Upload {
        share: Share,
        _read_ahead: Option<ReadAhead>,
    },
}

impl MemoryUse {
    pub(super) fn share(&self) -> Option<&Share> {
        match self {
            Self::Nothing => None,
            Self::Whole { share, .. } => share.as_ref(),
            Self::Upload { share, .. } => Some(share),
        }
    }
}

/// Reads more of a body ahead of its reader: the upload is faster, and takes more memory.
pub(super) struct ReadAhead(Rc<ConnectionState>);

impl ReadAhead {
    pub(super) fn widen(connection: &Rc<ConnectionState>) -> Self {
        connection.read_ahead(WIDE_READ_AHEAD_BYTES);
        Self(Rc::clone(connection))
    }
}

impl Drop for ReadAhead {
    fn drop(&mut self) {
        self.0.read_ahead(READ_AHEAD_BYTES);
    }
}
