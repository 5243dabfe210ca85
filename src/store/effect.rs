//! Effects: changes of other modules that the vault's records carry.
//!
//! An effect is data: a kind, and what it changes. The statements of its kind apply it, at a commit and again at a
//! replay. No kind needs code: each statement gets the effects of one group as one JSON array, and no effect computes
//! anything.

/// A change of another module's own kind, recorded together with a change of the store and applied in the same
/// transaction. It holds outcomes (ids, times, texts), nothing to compute again.
#[derive(Debug, Clone)]
pub struct Effect {
    /// `asset.requested`, `token.created`, …
    pub kind: &'static str,
    /// The names of the rows that it changes (`asset:<id>`, `token:<id>`). They are locked until the effect is applied, and
    /// the record keeps them, so that replay applies two effects of one row one after the other.
    pub rows: Vec<String>,
    pub data: serde_json::Value,
}

impl Effect {
    /// # Panics
    /// If `data` contains a map whose keys are not texts.
    #[must_use]
    pub fn new(kind: &'static str, rows: Vec<String>, data: &impl serde::Serialize) -> Self {
        let data = serde_json::to_value(data).expect("an effect of texts, numbers and ids is JSON");
        Self { kind, rows, data }
    }
}

/// How effects of one kind are applied.
#[derive(Debug, Clone, Copy)]
pub struct EffectKind {
    pub(in crate::store) kind: &'static str,
    pub(in crate::store) only_with: Option<&'static str>,
    pub(in crate::store) statements: &'static [&'static str],
}

impl EffectKind {
    /// Each statement runs once for a group, with `?1` a JSON array of `{"sequence":N,"at":MILLIS,"data":{…}}`, to be read
    /// with `json_each(?1)`. No two elements change the same row. The same array must always make the same rows.
    #[must_use]
    pub const fn new(kind: &'static str, statements: &'static [&'static str]) -> Self {
        Self {
            kind,
            only_with: None,
            statements,
        }
    }

    /// The statements run only for effects whose data has this field. A kind may be registered more than once.
    #[must_use]
    pub const fn only_with(mut self, field: &'static str) -> Self {
        self.only_with = Some(field);
        self
    }
}

/// The decision of a check: the effect to record (`None`: nothing changes), and the result for the caller.
#[derive(Debug)]
pub struct Decision<T> {
    pub effect: Option<Effect>,
    pub answer: T,
}
