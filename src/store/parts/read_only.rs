//! What a vault that is opened read-only has besides.

use tempfile::TempDir;

/// Of a vault that is opened read-only.
pub(in crate::store) struct ReadOnly {
    pub(in crate::store) index: IndexRead,
    /// They are removed with the vault.
    _temporary: Vec<TempDir>,
}

impl ReadOnly {
    pub(in crate::store) fn of(index: IndexRead, temporary: Vec<TempDir>) -> Self {
        Self {
            index,
            _temporary: temporary,
        }
    }
}

/// Which index is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum IndexRead {
    /// The folder's own.
    AsItLies,
    /// One in a temporary folder.
    MadeAgain,
}
