//! Why a change of users, tokens, keys or workspaces did not happen.
use crate::store::StoreError;

/// Why a change did not happen.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// One sentence for the caller.
    #[error("{0}")]
    Refused(String),
    #[error("the change could not be stored")]
    Store(#[source] StoreError),
}

impl From<StoreError> for AuthError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
