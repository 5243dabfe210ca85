//! The read view: how other modules look up their rows in the index.
//!
//! Guarantees: a view only reads; a statement is prepared once for each connection; values are bound, never put into a
//! text. The door is narrow (constant statements, texts and integers), so that nothing outside of the store names the
//! database's crate. It refuses to know what the rows mean.

use crate::s3::{BucketName, ObjectKey};
use crate::store::error::StoreError;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row as _, Sqlite, SqliteConnection};
use uuid::Uuid;

/// A connection that reads. Keep it for few statements, and never over an await of something else.
pub struct ReadView(Connection);

enum Connection {
    /// One of the pool's, which goes back to it.
    Pooled(PoolConnection<Sqlite>),
    /// The planner's own.
    Own(SqliteConnection),
}

/// A value that is bound to a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Null,
    Integer(i64),
    Text(String),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<Uuid> for Value {
    /// Rows hold ids as texts: lower case, with dashes.
    fn from(id: Uuid) -> Self {
        Self::Text(id.to_string())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl ReadView {
    pub(in crate::store) fn pooled(connection: PoolConnection<Sqlite>) -> Self {
        Self(Connection::Pooled(connection))
    }

    pub(in crate::store) fn own(connection: SqliteConnection) -> Self {
        Self(Connection::Own(connection))
    }

    pub(in crate::store) fn connection(&mut self) -> &mut SqliteConnection {
        match &mut self.0 {
            Connection::Pooled(connection) => connection,
            Connection::Own(connection) => connection,
        }
    }

    /// The first row that a statement finds. Its values are `?1`, `?2`, …
    ///
    /// # Errors
    /// `Unavailable` when the index does not answer.
    pub async fn row(
        &mut self,
        statement: &'static str,
        values: impl IntoIterator<Item = Value> + Send,
    ) -> Result<Option<Row>, StoreError> {
        let row = query(statement, values).fetch_optional(self.connection());
        Ok(row.await?.map(Row))
    }

    /// All rows that a statement finds.
    ///
    /// # Errors
    /// `Unavailable` when the index does not answer.
    pub async fn rows(
        &mut self,
        statement: &'static str,
        values: impl IntoIterator<Item = Value> + Send,
    ) -> Result<Vec<Row>, StoreError> {
        let rows = query(statement, values).fetch_all(self.connection());
        Ok(rows.await?.into_iter().map(Row).collect())
    }

    /// Whether a statement finds a row.
    ///
    /// # Errors
    /// `Unavailable` when the index does not answer.
    pub async fn finds(
        &mut self,
        statement: &'static str,
        values: impl IntoIterator<Item = Value> + Send,
    ) -> Result<bool, StoreError> {
        Ok(self.row(statement, values).await?.is_some())
    }

    /// Whether a key has an object.
    ///
    /// # Errors
    /// `Unavailable` when the index does not answer.
    pub async fn has_object(
        &mut self,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> Result<bool, StoreError> {
        let statement = "SELECT 1 FROM objects WHERE bucket = ?1 AND key = ?2";
        self.finds(statement, [bucket.as_str().into(), key.as_str().into()])
            .await
    }
}

pub(super) fn query(
    statement: &'static str,
    values: impl IntoIterator<Item = Value>,
) -> sqlx::query::Query<'static, Sqlite, SqliteArguments> {
    let query = sqlx::query(statement);
    values.into_iter().fold(query, |query, value| match value {
        Value::Null => query.bind(None::<i64>),
        Value::Integer(value) => query.bind(value),
        Value::Text(value) => query.bind(value),
    })
}

/// A row that was read. Its columns go by their names.
pub struct Row(SqliteRow);

impl Row {
    /// # Errors
    /// Where the column is not there, NULL or no text; so it is with the others.
    pub fn text(&self, column: &str) -> Result<&str, StoreError> {
        Ok(self.0.try_get(column)?)
    }

    /// # Errors
    /// As [`Row::text`], but for NULL.
    pub fn optional_text(&self, column: &str) -> Result<Option<&str>, StoreError> {
        Ok(self.0.try_get(column)?)
    }

    /// # Errors
    /// As [`Row::text`].
    pub fn integer(&self, column: &str) -> Result<i64, StoreError> {
        Ok(self.0.try_get(column)?)
    }

    /// # Errors
    /// As [`Row::text`], but for NULL.
    pub fn optional_integer(&self, column: &str) -> Result<Option<i64>, StoreError> {
        Ok(self.0.try_get(column)?)
    }

    /// 0 or 1.
    ///
    /// # Errors
    /// As [`Row::text`].
    pub fn flag(&self, column: &str) -> Result<bool, StoreError> {
        Ok(self.0.try_get(column)?)
    }

    /// # Errors
    /// As [`Row::text`], and where the text is no id.
    pub fn id(&self, column: &str) -> Result<Uuid, StoreError> {
        Uuid::try_parse(self.text(column)?).map_err(unreadable)
    }

    /// # Errors
    /// As [`Row::id`], but for NULL.
    pub fn optional_id(&self, column: &str) -> Result<Option<Uuid>, StoreError> {
        let text = self.optional_text(column)?;
        text.map(Uuid::try_parse).transpose().map_err(unreadable)
    }
}

/// The error for a row that holds what no record says.
pub fn unreadable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    sqlx::Error::Decode(error.into()).into()
}
