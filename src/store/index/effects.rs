//! Applies the effects of other modules: the statements of each kind, with the effects of a group as one JSON parameter.

use crate::clock::Timestamp;
use crate::store::effect::EffectKind;
use crate::store::index::row_changes::json;
use crate::store::record::Record;
use serde::Serialize;
use sqlx::SqliteConnection;

#[derive(Serialize)]
struct EffectRow<'a> {
    sequence: u64,
    at: Timestamp,
    data: &'a serde_json::Value,
}

impl EffectKind {
    fn row_of<'r>(&self, record: &'r Record) -> Option<EffectRow<'r>> {
        let effect = record.effect.as_ref()?;
        let is_of_kind = effect.kind == self.kind
            && (self.only_with).is_none_or(|field| effect.data.get(field).is_some());
        is_of_kind.then_some(EffectRow {
            sequence: record.sequence,
            at: record.at,
            data: &effect.data,
        })
    }
}

/// Applies one kind after the other, in the order in which they were registered.
pub(super) async fn apply_effects(
    connection: &mut SqliteConnection,
    records: &[Record],
    kinds: &[EffectKind],
) -> Result<(), sqlx::Error> {
    for kind in kinds {
        let rows: Vec<EffectRow<'_>> = records
            .iter()
            .filter_map(|record| kind.row_of(record))
            .collect();
        if rows.is_empty() {
            continue;
        }
        let rows = json(&rows);
        for statement in kind.statements {
            sqlx::query(*statement)
                .bind(rows.as_str())
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}
