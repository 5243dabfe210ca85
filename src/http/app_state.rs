//! What the handlers share: one of each module below the edge.

use crate::admin::{FolderUse, Holder, Housekeeper};
use crate::assets::Assets;
use crate::auth::{AccessKeys, Auth};
use crate::clock::Clock;
use crate::http::config::HttpConfig;
use crate::http::plane::rate::Limits;
use crate::http::repeat::KnownAnswers;
use crate::http::tls::Tls;
use crate::http::watch::Watch;
use crate::store::Store;
use std::sync::Arc;

/// What the handlers share.
#[derive(Clone)]
pub struct AppState {
    pub config: Arc<HttpConfig>,
    pub clock: Clock,
    pub store: Store,
    pub auth: Auth,
    pub keys: AccessKeys,
    pub assets: Assets,
    pub keeper: Arc<Housekeeper>,
    pub limits: Arc<Limits>,
    pub known: KnownAnswers,
    pub(crate) tls: Option<Tls>,
    pub watch: Watch,
}

impl AppState {
    /// For orders that come to a running server.
    #[must_use]
    pub fn holder(&self) -> Holder<'_> {
        Holder {
            auth: &self.auth,
            keeper: &self.keeper,
            folder_use: FolderUse::Shared,
        }
    }
}
