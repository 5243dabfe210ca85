//! How much memory each kind of body may take, and when one body is evicted for another.

use std::time::Duration;

/// Bodies are counted in units of this size, and one unit more for the parser, the connection and the request of a
/// body.
pub(super) const UNIT_BYTES: usize = 4096;

/// Bodies whose senders are not verified: the fields of a form before its file.
pub(super) const UNVERIFIED: Bounds = Bounds {
    all_bytes: 16 << 20,
    of_one_client_bytes: 4 << 20,
    protected_for: Duration::from_millis(500),
    protected_above: u64::MAX,
    waits_for: Duration::from_secs(2),
    small_holders: SmallHolders::MayDisplaceAny,
};
/// JSON and XML documents of verified senders, which are kept in memory completely.
pub(super) const DOCUMENTS: Bounds = Bounds {
    all_bytes: 32 << 20,
    of_one_client_bytes: 8 << 20,
    protected_for: Duration::from_secs(2),
    protected_above: u64::MAX,
    waits_for: Duration::from_secs(2),
    small_holders: SmallHolders::WaitLikeAll,
};

/// Uploads under way: 1,024, and 768 of one client. Stalled uploads are evicted, those that arrive at a usual pace are
/// not.
pub(super) const UPLOADS: Bounds = Bounds {
    all_bytes: 1024 * charge(UPLOAD_BYTES),
    of_one_client_bytes: 768 * charge(UPLOAD_BYTES),
    protected_for: Duration::from_secs(5),
    protected_above: 16 * 1024,
    waits_for: Duration::from_secs(10),
    small_holders: SmallHolders::WaitLikeAll,
};
/// Connections of HTTP/2 with requests under way. A connection that moves little is evicted, a busy one is not.
pub(super) const HTTP2_CONNECTIONS: Bounds = Bounds {
    all_bytes: 256 << 20,
    of_one_client_bytes: 192 << 20,
    protected_for: Duration::from_millis(500),
    protected_above: 64 * 1024,
    waits_for: Duration::ZERO,
    small_holders: SmallHolders::MayDisplaceAny,
};
/// An upload counts as this many bytes, however long it is. A thousand uploads at full speed were seen to take this
/// much each, with the memory that the allocator keeps between its buffers.
pub(crate) const UPLOAD_BYTES: usize = 252 * 1024;

/// How much a [shared memory](super::shared) holds, and when a body loses its share of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) all_bytes: usize,
    pub(super) of_one_client_bytes: usize,
    /// A body younger than this is never evicted.
    pub(super) protected_for: Duration,
    /// A body whose recent speed is above this, in bytes a second, is not evicted either.
    pub(super) protected_above: u64,
    /// How long a body waits for room, unread.
    pub(super) waits_for: Duration,
    pub(super) small_holders: SmallHolders,
}

/// What a small holder may do: a client whose bodies hold less than half of the memory that the bodies of the greatest
/// client hold, or a body that holds less than half of the memory that the greatest body of its client holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SmallHolders {
    /// It may displace that body, or the slowest body of that client, however young and fast: a stream of many new
    /// bodies does not keep out a single one.
    MayDisplaceAny,
    WaitLikeAll,
}

/// The number of bytes that is counted for `bytes` of a body.
pub(super) const fn charge(bytes: usize) -> usize {
    (bytes.div_ceil(UNIT_BYTES) + 1) * UNIT_BYTES
}
