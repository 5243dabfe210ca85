//! Why a start fails.

use crate::store::OpenError;

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Store(#[from] OpenError),
    /// One sentence that names the setting and what to do.
    #[error("{0}")]
    Refused(String),
}
