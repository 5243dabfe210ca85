//! Changes of other modules, which travel in the vault's records.

use crate::s3::{BucketName, ObjectKey};
use futures_util::future::BoxFuture;

/// A change of another module's own kind, carried in the same record as the store's and applied in the same
/// transaction (and again at replay) by the function registered for its kind. It holds outcomes, never something to compute.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Effect {
    /// `asset.requested`, `token.created`, …
    pub kind: std::borrow::Cow<'static, str>,
    /// The rows that it touches, as lock names (`asset:<id>`, `token:<id>`).
    pub touches: Vec<String>,
    pub data: serde_json::Value,
}
/// Applies effects of one kind. `rows` is a JSON array of `{"sequence":N,"at":MILLIS,"data":{…}}`, to be read with
/// `json_each(?)`; no two rows of one call touch the same row. Must be deterministic.
pub type ApplyEffects = for<'c> fn(
    &'c mut sqlx::SqliteConnection,
    rows: &'c str,
) -> BoxFuture<'c, Result<(), sqlx::Error>>;
#[derive(Clone, Copy)]
pub struct EffectKind {
    pub kind: &'static str,
    pub apply: ApplyEffects,
}

/// What a judge answers: the effect to record (`None`: nothing to change) and the caller's answer.
pub struct Judged<T> {
    pub effect: Option<Effect>,
    pub answer: T,
}

/// What another module records together with an object that comes to a key: by a form, a PUT, a copy or a completed
/// upload alike.
pub trait Companion: Send + Sync {
    /// The rows that are held while an object comes to a key, as lock names; none where the key is nothing to the module.
    fn rows(&self, bucket: &BucketName, key: &ObjectKey) -> Vec<String>;

    /// The effect of the object's own record. It runs in the writer's order, before the object is there, against a
    /// database in which no change of those rows is under way; rows that the effect touches beside them are waited for.
    fn judge<'c>(
        &'c self,
        connection: &'c mut sqlx::SqliteConnection,
        bucket: &'c BucketName,
        key: &'c ObjectKey,
    ) -> BoxFuture<'c, Result<Option<Effect>, sqlx::Error>>;
}
