//! Runs blocking work in other threads than the ones that serve requests.

use crate::store::error::{StoreError, stopped};

/// # Errors
/// The error of the work, or `Unavailable` if the server stops before the work is done.
pub(in crate::store) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(stopped()))
}
