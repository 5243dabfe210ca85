//! Who asks: users and tokens of the asset API, access keys of the S3 side.
pub mod access_key;
pub use access_key::{AccessKey, AccessKeys};

use crate::clock::Clock;
use crate::store::{EffectKind, Store};
use uuid::Uuid;

/// Who a token stands for.
#[derive(Debug, Clone)]
pub struct Principal {
    pub user_id: Uuid,
    pub email: String,
    pub token_id: String,
    pub scopes: std::sync::Arc<[String]>,
    /// Made with `--workspace '*'`
    pub any_workspace: bool,
}
/// Kinds of effects of this module, to be registered with the store.
#[must_use]
pub fn effects() -> Vec<EffectKind> {
    todo!()
}
/// Users and tokens. Cheap to clone.
#[derive(Clone)]
pub struct Auth {}
impl Auth {
    #[must_use]
    pub fn new(_store: Store, _clock: Clock) -> Self {
        todo!()
    }
    /// (Stub)
    pub async fn first_start(&self) -> Result<Option<String>, crate::store::StoreError> {
        todo!()
    }
}
