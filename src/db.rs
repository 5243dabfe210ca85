//! The index file: connections, pragmas, migrations. (Written with the store.)

/// Connections that only read. At most four are open at once.
#[derive(Debug, Clone)]
pub struct Readers(pub(crate) sqlx::SqlitePool);
impl Readers {
    /// A connection to read with. Keep it for one statement; never hold it over an await of something else.
    /// # Errors
    /// When the database does not answer.
    pub async fn acquire(&self) -> Result<sqlx::pool::PoolConnection<sqlx::Sqlite>, sqlx::Error> {
        self.0.acquire().await
    }
}
