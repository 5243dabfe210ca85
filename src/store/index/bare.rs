//! An index in memory without a store, for tests of the statements of other modules.

use crate::clock::Timestamp;
use crate::store::effect::{Effect, EffectKind};
use crate::store::index::effects::apply_effects;
use crate::store::index::view::{ReadView, Value, query};
use crate::store::record::{Change, Record};
use sqlx::{Connection, SqliteConnection};

pub(crate) struct BareIndex(ReadView);

impl BareIndex {
    /// Makes an index with the tables of one migration.
    pub(crate) async fn with_tables(migration: &'static str) -> Self {
        let connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let mut index = Self(ReadView::own(connection));
        index.migrate(migration).await;
        index
    }

    pub(crate) async fn migrate(&mut self, migration: &'static str) {
        let migrating = sqlx::raw_sql(migration).execute(self.0.connection());
        migrating.await.unwrap();
    }

    pub(crate) fn view(&mut self) -> &mut ReadView {
        &mut self.0
    }

    /// Applies a group of effects as the store does.
    pub(crate) async fn apply(&mut self, kinds: &[EffectKind], group: &[&Effect]) {
        let record = |effect: &&Effect| Record {
            sequence: 1,
            at: Timestamp::from_millis(0),
            change: Change::Domain,
            effect: Some((*effect).clone().into()),
            segment: 1,
            body_offset: 0,
        };
        let records: Vec<Record> = group.iter().map(record).collect();
        let applying = apply_effects(self.0.connection(), &records, kinds);
        applying.await.unwrap();
    }

    pub(crate) async fn run(
        &mut self,
        statement: &'static str,
        values: impl IntoIterator<Item = Value>,
    ) {
        let running = query(statement, values).execute(self.0.connection());
        running.await.unwrap();
    }
}
