//! The read view: how other modules look up their rows in the index.
//!
//! Guarantees: a view only reads; a statement is prepared once for each connection; values are bound, never put into the
//! text of a statement. The interface is narrow (constant statements, texts and integers), so that nothing outside of the
//! store names the database's crate. It refuses to know what the rows mean.

use crate::s3::{BucketName, ObjectKey};
use crate::store::error::StoreError;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row as _, Sqlite, SqliteConnection};
use uuid::Uuid;

/// A connection that only reads. Keep it for few statements, and never hold it while awaiting anything else.
pub struct ReadView(Connection);

enum Connection {
    /// Returned to the pool when dropped.
    Pooled(PoolConnection<Sqlite>),
    /// The connection that the planner owns.
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
    /// `Unavailable` when the index cannot be read.
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
    /// `Unavailable` when the index cannot be read.
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
    /// `Unavailable` when the index cannot be read.
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
    /// `Unavailable` when the index cannot be read.
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

/// A row that was read. Columns are looked up by their names.
pub struct Row(SqliteRow);

impl Row {
    /// # Errors
    /// If the column is missing, NULL, or of another type.
    pub fn text(&self, column: &str) -> Result<&str, StoreError> {
        Ok(self.0.try_get(column)?)
    }

    /// # Errors
    /// As [`Row::text`], but NULL is `None`.
    pub fn optional_text(&self, column: &str) -> Result<Option<&str>, StoreError> {
        Ok(self.0.try_get(column)?)
    }

    /// # Errors
    /// As [`Row::text`].
    pub fn integer(&self, column: &str) -> Result<i64, StoreError> {
        Ok(self.0.try_get(column)?)
    }

    /// # Errors
    /// As [`Row::text`], but NULL is `None`.
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
    /// As [`Row::text`], or if the text is no UUID.
    pub fn id(&self, column: &str) -> Result<Uuid, StoreError> {
        Uuid::try_parse(self.text(column)?).map_err(unreadable)
    }

    /// # Errors
    /// As [`Row::id`], but NULL is `None`.
    pub fn optional_id(&self, column: &str) -> Result<Option<Uuid>, StoreError> {
        let text = self.optional_text(column)?;
        text.map(Uuid::try_parse).transpose().map_err(unreadable)
    }
}

/// The error for a row whose value no record can have stored.
pub fn unreadable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    sqlx::Error::Decode(error.into()).into()
}
