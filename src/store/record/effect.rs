//! The effect of a record, as the log holds it.

use crate::store::effect::Effect;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Its form in a statement is `"effect":{"kind":…,"touches":[…],"data":…}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::store) struct StoredEffect {
    pub(in crate::store) kind: Cow<'static, str>,
    /// The names of the rows that the effect changes, as its module names them. Replay applies records in batches, and
    /// puts two records that name one row into different batches, in the order of the log. So the names of rows are
    /// part of the format: a module that changes the name of a row must still list the name that older records have.
    pub(in crate::store) touches: Vec<String>,
    pub(in crate::store) data: serde_json::Value,
}

impl From<Effect> for StoredEffect {
    fn from(effect: Effect) -> Self {
        Self {
            kind: Cow::Borrowed(effect.kind),
            touches: effect.rows,
            data: effect.data,
        }
    }
}
