//! The additional parts of a vault that is opened read-only.

use tempfile::TempDir;

/// The additional parts of a vault that is opened read-only.
pub(in crate::store) struct ReadOnly {
    pub(in crate::store) index: IndexRead,
    /// They are removed when the vault is dropped.
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
    /// The folder's own index.
    InPlace,
    /// An index that was rebuilt in a temporary folder.
    Rebuilt,
}
