//! What other modules register when the vault is opened.

use crate::s3::{BucketName, ObjectKey};
use crate::store::effect::{Effect, EffectKind};
use crate::store::error::StoreError;
use crate::store::index::view::ReadView;
use futures_util::future::BoxFuture;
use std::sync::Arc;

/// Adds an effect to the record that makes an object, by whichever way the object comes: a form, a PUT, a copy or a
/// completed upload.
pub trait CommitHook: Send + Sync {
    /// The names of the rows that are locked while an object comes to a key; none where the hook has nothing to add there.
    fn rows(&self, bucket: &BucketName, key: &ObjectKey) -> Vec<String>;

    /// The effect to record with the object. It runs in the writer's order, before the object is in the index, and no
    /// change of the rows above is under way. Where the effect changes further rows, the writer waits for those and asks
    /// again.
    fn effect<'v>(
        &'v self,
        view: &'v mut ReadView,
        bucket: &'v BucketName,
        key: &'v ObjectKey,
    ) -> BoxFuture<'v, Result<Option<Effect>, StoreError>>;
}

/// The effects and the commit hook of other modules.
#[derive(Clone, Default)]
pub struct Registered {
    /// In the order in which the effects of one group are applied.
    pub effects: Vec<EffectKind>,
    pub hook: Option<Arc<dyn CommitHook>>,
}

impl From<Vec<EffectKind>> for Registered {
    /// Without a hook.
    fn from(effects: Vec<EffectKind>) -> Self {
        Self {
            effects,
            hook: None,
        }
    }
}
