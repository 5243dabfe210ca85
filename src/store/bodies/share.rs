//! Bytes that hold a permit of a shared memory limit until their last slice is dropped.

use bytes::Bytes;

/// The same bytes; `share` is released when their last slice is dropped.
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
