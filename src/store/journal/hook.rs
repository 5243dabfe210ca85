//! The commit hook and the effects that other modules register when the vault is opened.

use crate::s3::{BucketName, ObjectKey};
use crate::store::effect::{Effect, EffectKind};
use crate::store::error::StoreError;
use crate::store::index::view::ReadView;
use futures_util::future::BoxFuture;
use std::sync::Arc;

/// Adds an effect to the record that makes an object, no matter how the object is made: by a form, a PUT, a copy or a
/// completed upload.
pub trait CommitHook: Send + Sync {
    /// The names of the rows that are locked while an object is stored at a key; none if the hook adds nothing there.
    fn rows(&self, bucket: &BucketName, key: &ObjectKey) -> Vec<String>;

    /// The effect to record with the object. The writer calls the hook in the order of changes, before the object is in
    /// the index, while it holds the locks of those rows. If the effect changes further rows, the writer waits for
    /// their locks and calls the hook again.
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
    /// Registers effects without a hook.
    fn from(effects: Vec<EffectKind>) -> Self {
        Self {
            effects,
            hook: None,
        }
    }
}
