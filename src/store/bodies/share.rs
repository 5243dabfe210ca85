//! Bytes that hold a permit of a shared memory limit until the last slice of them is dropped.

use bytes::Bytes;

/// Returns the same bytes; `share` is released when the last slice of them is dropped.
pub(in crate::store) fn holding<S: Send + 'static>(bytes: Bytes, share: S) -> Bytes {
    Bytes::from_owner(Shared {
        bytes,
        _share: share,
    })
}

struct Shared<S> {
    bytes: Bytes,
    _share: S,
}

impl<S> AsRef<[u8]> for Shared<S> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
