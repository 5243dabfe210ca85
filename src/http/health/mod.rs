//! The health of a running server: whether it would accept an upload now, and the warnings for its operator.

mod readiness;
mod watch;

pub(crate) use readiness::reason_not_ready;
pub use watch::Watch;
