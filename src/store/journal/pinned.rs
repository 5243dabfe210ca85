//! Pins: bytes that a change names stay on the disk until the index names them.
use crate::store::bodies::blobs::{NewBlob, UnderWay};
use crate::store::content::Content;
use std::sync::Arc;

/// The bytes of a change that is not in the log yet.
pub(in crate::store) enum PinnedBytes {
    Nothing,
    /// Removed if the change is not recorded.
    Blob(NewBlob),
    Source(Arc<Content>),
}

/// The bytes of a change that is in the log and not in the index yet. They stay on the disk until this is dropped, no
/// matter what the index says.
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
