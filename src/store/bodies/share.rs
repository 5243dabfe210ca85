//! Bytes that take a share of a memory which many use.

use bytes::Bytes;

/// The same bytes; `share` is given back when nobody holds a slice of them any more.
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
