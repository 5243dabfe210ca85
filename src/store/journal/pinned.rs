//! Bytes that a change names, kept on the disk until the index names them.
use crate::store::bodies::blobs::{NewBlob, UnderWay};
use crate::store::content::Content;
use std::sync::Arc;

/// Bytes that a change names and the index does not yet: to be held until it does.
pub(in crate::store) enum PinnedBytes {
    Nothing,
    /// Removed where the change is not recorded.
    Blob(NewBlob),
    Source(Arc<Content>),
}

/// Bytes that stay on disk for as long as this is held, whatever the index says.
pub(in crate::store) enum KeptBytes {
    Nothing,
    Blob(#[expect(dead_code, reason = "held until dropped")] UnderWay),
    Source(#[expect(dead_code, reason = "held until dropped")] Arc<Content>),
}

impl KeptBytes {
    pub(in crate::store) fn of(bytes: PinnedBytes) -> Self {
        match bytes {
            PinnedBytes::Nothing => Self::Nothing,
            PinnedBytes::Blob(blob) => blob.keep().map_or(Self::Nothing, Self::Blob),
            PinnedBytes::Source(source) => Self::Source(source),
        }
    }
}
