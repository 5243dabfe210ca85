//! How much memory each kind of body may take, and when one body has to make room for another.

use std::time::Duration;

/// What is held of a body is counted in these, and one more for what surrounds it: parser, connection, request.
pub(super) const UNIT_BYTES: usize = 4096;

/// Bodies whose senders are not verified: the fields of a form before its file.
pub(super) const UNVERIFIED: Bounds = Bounds {
    all_bytes: 16 << 20,
    of_one_client_bytes: 4 << 20,
    spared_for: Duration::from_millis(500),
    spared_above: u64::MAX,
    waits_for: Duration::from_secs(2),
    few: Few::DisplaceAnyOfTheGreatest,
};
/// JSON and XML documents of verified senders, which are held whole.
pub(super) const DOCUMENTS: Bounds = Bounds {
    all_bytes: 32 << 20,
    of_one_client_bytes: 8 << 20,
    spared_for: Duration::from_secs(2),
    spared_above: u64::MAX,
    waits_for: Duration::from_secs(2),
    few: Few::WaitAsAll,
};

/// Uploads under way: 1,024, and 768 of one client. Stalled ones make room, those that come at a usual pace do not.
pub(super) const UPLOADS: Bounds = Bounds {
    all_bytes: 1024 * charge(UPLOAD_BYTES),
    of_one_client_bytes: 768 * charge(UPLOAD_BYTES),
    spared_for: Duration::from_secs(5),
    spared_above: 16 * 1024,
    waits_for: Duration::from_secs(10),
    few: Few::WaitAsAll,
};
/// Connections of HTTP/2 with requests under way. One that moves little makes room; one at work does not.
pub(super) const HTTP2_CONNECTIONS: Bounds = Bounds {
    all_bytes: 256 << 20,
    of_one_client_bytes: 192 << 20,
    spared_for: Duration::from_millis(500),
    spared_above: 64 * 1024,
    waits_for: Duration::ZERO,
    few: Few::DisplaceAnyOfTheGreatest,
};
/// What an upload under way is counted as, however long it is. With what the allocator keeps between its buffers that is
/// what a thousand at full speed were seen to take each.
pub(crate) const UPLOAD_BYTES: usize = 252 * 1024;

/// How much a [shared memory](super::shared) holds, and when a body loses its share of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) all_bytes: usize,
    pub(super) of_one_client_bytes: usize,
    /// So long a body is never displaced.
    pub(super) spared_for: Duration,
    /// Nor is one that came faster than this lately, bytes a second.
    pub(super) spared_above: u64,
    /// How long a body waits for room, unread.
    pub(super) waits_for: Duration,
    pub(super) few: Few,
}

/// What a client may do whose bodies hold less than half of what those of the greatest client hold, and a body that holds
/// less than half of the greatest of its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Few {
    /// It displaces that body, or the slowest of that client, however young and fast it is: many that come anew all the
    /// time do not keep out one that comes once.
    DisplaceAnyOfTheGreatest,
    WaitAsAll,
}

/// What `bytes` of a body are counted as.
pub(super) const fn charge(bytes: usize) -> usize {
    (bytes.div_ceil(UNIT_BYTES) + 1) * UNIT_BYTES
}
