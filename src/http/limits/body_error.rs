//! Why a body did not arrive completely.

use crate::http::pace::TooSlow;

/// Why a body did not arrive completely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the body came too slowly")]
    TooSlow,
    #[error("the body ended early")]
    Incomplete,
    #[error("the body's transfer encoding is broken")]
    Malformed,
    /// See [`crate::http::memory`].
    #[error("there is no memory for the body")]
    NoRoom,
}

impl From<TooSlow> for BodyError {
    fn from(TooSlow: TooSlow) -> Self {
        Self::TooSlow
    }
}
