//! The health of a running server: whether it would take an upload now, and what its operator should know.

mod readiness;
mod watch;

pub(crate) use readiness::reason_not_ready;
pub use watch::Watch;
