//! The handle of an open vault's upkeep.

use crate::store::parts::vault::Vault;
use std::sync::Arc;
use std::time::Duration;

/// Background work on a vault. Cheap to clone.
#[derive(Clone)]
pub struct Upkeep {
    pub(in crate::store) vault: Arc<Vault>,
}

impl Upkeep {
    pub(in crate::store) fn of(vault: Arc<Vault>) -> Self {
        Self { vault }
    }

    /// `HANGAR_GRACE`
    #[must_use]
    pub fn grace(&self) -> Duration {
        self.vault.grace
    }

    /// Clears the caches whenever the server has been idle for a while. Runs for as long as it is polled.
    pub async fn clear_caches_when_idle(&self) {
        self.vault.state.caches.clear_when_idle().await;
    }
}
