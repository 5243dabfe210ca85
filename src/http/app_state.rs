//! The state that handlers share: one of each module below the edge.

use crate::admin::{FolderUse, Holder, Housekeeper};
use crate::assets::Assets;
use crate::auth::{AccessKeys, Auth};
use crate::clock::Clock;
use crate::http::config::HttpConfig;
use crate::http::connection::tls::Tls;
use crate::http::health::Watch;
use crate::http::rate_limit::RateLimits;
use crate::http::response_cache::ResponseCache;
use crate::store::Store;
use std::sync::Arc;

/// The state that handlers share. Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    pub config: Arc<HttpConfig>,
    pub clock: Clock,
    pub store: Store,
    pub auth: Auth,
    pub keys: AccessKeys,
    pub assets: Assets,
    pub keeper: Arc<Housekeeper>,
    pub rate_limits: Arc<RateLimits>,
    pub response_cache: ResponseCache,
    pub(crate) tls: Option<Tls>,
    pub watch: Watch,
}

impl AppState {
    /// The holder of the vault, for orders that commands send to a running server.
    #[must_use]
    pub fn holder(&self) -> Holder<'_> {
        Holder {
            auth: &self.auth,
            keeper: &self.keeper,
            folder_use: FolderUse::Shared,
        }
    }
}
