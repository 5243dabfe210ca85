//! Changes of other modules, which travel in the vault's records.

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
