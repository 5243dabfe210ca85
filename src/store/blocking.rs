//! Blocking work, moved off the threads that answer requests.

use crate::store::error::{StoreError, stopped};

/// # Errors
/// The work's own, or `Unavailable` where the server stops before it is done.
pub(in crate::store) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(stopped()))
}
