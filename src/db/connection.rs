//! Connections to the index's file: one writes, the others only read.

use crate::db::error::DatabaseError;
use crate::db::pages;
use crate::db::tables::bring_up_to_date;
use crate::owner;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};
use std::path::Path;
use std::time::Duration;

const MOST_READERS: u32 = 4;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections that only read. At most four are open at once. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Readers(SqlitePool);

impl Readers {
    /// A connection for reading. Keep it for one statement, and never hold it while awaiting anything else.
    ///
    /// # Errors
    /// If no connection can be opened or becomes free in time, or the pool is closed.
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
/// [`DatabaseError::Newer`] if a later version of hangar has migrated it.
pub(crate) async fn open_writer(path: &Path) -> Result<SqliteConnection, DatabaseError> {
    let mut connection = open_as_it_is(path).await?;
    match bring_up_to_date(&mut connection).await {
        Ok(()) => Ok(connection),
        Err(error) => {
            drop(connection.close().await);
            Err(error)
        }
    }
}

/// Opens the file for writing without migrating it: [`bring_up_to_date`] does that.
pub(crate) async fn open_as_it_is(path: &Path) -> Result<SqliteConnection, DatabaseError> {
    // A new file need not survive a power cut: if it is missing or incomplete, it is rebuilt from the log.
    let synchronous = if path.exists() {
        SqliteSynchronous::Normal
    } else {
        SqliteSynchronous::Off
    };
    Ok(connect_writer(path, synchronous).await?)
}

/// Opens a file that [`copy_whole`] made, or one that is read without migrating it.
pub(crate) async fn open_copy(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    connect(options(path)?).await
}

/// Opens the database's own file read only and without its journal: no other file is made, and nothing is locked.
pub(crate) async fn open_main_file(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let options = options(path)?.read_only(true).immutable(true);
    connect(options).await
}

/// Like [`open_main_file`], for several readers.
pub(crate) async fn open_main_file_readers(path: &Path) -> Result<Readers, sqlx::Error> {
    let options = options(path)?.read_only(true).immutable(true);
    pool(options).await
}

/// Opens a second connection for writing, to a file that [`open_writer`] has opened. Its commits survive a power cut.
pub(crate) async fn open_durable(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    connect_writer(path, SqliteSynchronous::Full).await
}

pub(super) async fn connect_writer(
    path: &Path,
    synchronous: SqliteSynchronous,
) -> Result<SqliteConnection, sqlx::Error> {
    let options = options(path)?.synchronous(synchronous);
    let is_new = std::fs::metadata(path).map_or(true, |file| file.len() == 0);
    if is_new {
        // Room for checksums is reserved before SQLite writes the first page, which it does when it turns the journal on.
        let mut connection = connect(options.clone().create_if_missing(true)).await?;
        let begun = pages::begin(&mut connection).await;
        connection.close().await?;
        begun?;
        // SQLite gives the journal to the database's owner by itself.
        owner::follow_at(path);
    }
    let options = options
        .journal_mode(SqliteJournalMode::Wal)
        .pragma("journal_size_limit", "67108864");
    connect(options).await
}

pub(super) async fn connect(
    options: SqliteConnectOptions,
) -> Result<SqliteConnection, sqlx::Error> {
    let mut connection = options.connect().await?;
    configure(&mut connection).await?;
    Ok(connection)
}

/// Sets the options of every connection that no pragma can set.
pub(super) async fn configure(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    set_checkpoint_on_close(connection, false).await
}

/// Sets whether the last connection moves the journal into the database when it is closed, and removes the journal. By
/// default no connection does that, because each checkpoint must be noted first.
pub(crate) async fn set_checkpoint_on_close(
    connection: &mut SqliteConnection,
    is_on: bool,
) -> Result<(), sqlx::Error> {
    let mut handle = connection.lock_handle().await?;
    page_checksums::set_checkpoint_on_close(&mut handle, is_on)
        .map_err(|code| pages::failed("checkpoints cannot be set", code))
}

/// Opens one more connection for reading, for the planner.
pub(crate) async fn open_reader(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    connect(options(path)?.pragma("query_only", "ON")).await
}

pub(crate) async fn open_readers(path: &Path) -> Result<Readers, sqlx::Error> {
    pool(options(path)?.pragma("query_only", "ON")).await
}

async fn pool(options: SqliteConnectOptions) -> Result<Readers, sqlx::Error> {
    let pool = SqlitePoolOptions::new()
        .max_connections(MOST_READERS)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(|connection, _| Box::pin(configure(connection)))
        .connect_with(options)
        .await?;
    Ok(Readers(pool))
}

pub(super) fn options(path: &Path) -> Result<SqliteConnectOptions, sqlx::Error> {
    Ok(SqliteConnectOptions::new()
        .filename(path)
        .vfs(pages::vfs()?)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .pragma("trusted_schema", "OFF")
        // The journal of a large statement must not need a folder for temporary files.
        .pragma("temp_store", "MEMORY")
        .pragma("mmap_size", "0")
        .pragma("cache_size", "-2000")
        .pragma("wal_autocheckpoint", "0")
        .disable_statement_logging())
}
