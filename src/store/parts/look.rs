//! What tells a vault that is only looked at from one that is written to.

use tempfile::TempDir;

/// Of a vault that is only looked at.
pub(in crate::store) struct LooksAt {
    pub(in crate::store) index: IndexRead,
    /// They go with the store.
    _temporary: Vec<TempDir>,
}

impl LooksAt {
    pub(in crate::store) fn of(index: IndexRead, temporary: Vec<TempDir>) -> Self {
        Self {
            index,
            _temporary: temporary,
        }
    }
}

/// Which index a look reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum IndexRead {
    AsItLies,
    MadeAgain,
}
