//! The index file: connections, pragmas, migrations.
//!
//! The log is the truth and this is its index, so `synchronous=NORMAL` is enough: what a power cut takes from it is
//! applied again from the log. One connection writes; the others only read.

use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection, SqlitePool};
use std::path::Path;
use std::time::Duration;

static MIGRATIONS: Migrator = sqlx::migrate!();
const MOST_READERS: u32 = 4;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("the database was written by a newer hangar")]
    Newer,
    #[error("the database could not be migrated")]
    Migrate(#[source] MigrateError),
    #[error("the database does not answer")]
    Sql(#[from] sqlx::Error),
}

/// Connections that only read. At most four are open at once. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Readers(SqlitePool);

impl Readers {
    /// A connection to read with. Keep it for one statement; never hold it over an await of something else.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn acquire(&self) -> Result<sqlx::pool::PoolConnection<sqlx::Sqlite>, sqlx::Error> {
        self.0.acquire().await
    }

    pub(crate) async fn close(&self) {
        self.0.close().await;
    }
}

/// Opens the file for writing and brings its tables up to date.
///
/// # Errors
/// [`DatabaseError::Newer`] where a later hangar has migrated it.
pub(crate) async fn open_writer(path: &Path) -> Result<SqliteConnection, DatabaseError> {
    let options = options(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .pragma("wal_autocheckpoint", "8000")
        .pragma("journal_size_limit", "67108864");
    let mut connection = options.connect().await?;
    migrate(&mut connection).await?;
    Ok(connection)
}

/// One more connection that reads, for the writer's judgements.
pub(crate) async fn open_reader(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    options(path).pragma("query_only", "ON").connect().await
}

pub(crate) async fn open_readers(path: &Path) -> Result<Readers, sqlx::Error> {
    let options = options(path).pragma("query_only", "ON");
    let pool = SqlitePoolOptions::new()
        .max_connections(MOST_READERS)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options)
        .await?;
    Ok(Readers(pool))
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .pragma("trusted_schema", "OFF")
        .pragma("mmap_size", "0")
        .pragma("cache_size", "-2000")
        .disable_statement_logging()
}

async fn migrate(connection: &mut SqliteConnection) -> Result<(), DatabaseError> {
    let applied = connection
        .list_applied_migrations("_sqlx_migrations")
        .await
        .unwrap_or_default();
    let newest = MIGRATIONS.iter().map(|migration| migration.version).max();
    if applied.iter().map(|migration| migration.version).max() > newest {
        return Err(DatabaseError::Newer);
    }
    MIGRATIONS
        .run(connection)
        .await
        .map_err(|error| match error {
            MigrateError::VersionMissing(_) | MigrateError::VersionMismatch(_) => {
                DatabaseError::Newer
            }
            other => DatabaseError::Migrate(other),
        })
}
