//! How long a connection waits for its client.

use std::time::Duration;

/// For a TLS handshake, and for a head once it has begun.
pub(super) const HEAD_TIME: Duration = Duration::from_secs(10);
/// Between two requests.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// A reader that takes nothing at all for this long counts as disconnected.
pub(super) const STALLED_READER: Duration = Duration::from_secs(30);
/// How long the rest of a refused body is read, so that its sender sees the response.
pub(super) const LINGER: Duration = Duration::from_secs(5);
