//! The index file: connections, pragmas, migrations.
//!
//! The log is the truth and this is its index, so `synchronous=NORMAL` is enough: what a power cut takes from it is
//! applied again from the log. One connection writes; the others only read.
//!
//! Each page has a checksum, and a page that is not what was written is an error ([`is_damage`]) and never a row
//! (`pages`). The journal is moved into the database here and never by SQLite itself (`checkpoint`).

mod checkpoint;
mod journal;
mod migrations;
mod pages;
#[cfg(test)]
mod tests;

pub(crate) use checkpoint::{
    CheckpointError, Checkpoints, Leaves, Noted, Origin, Owner, Trust, trust,
};
pub(crate) use journal::is_empty as is_journal_empty;
pub(crate) use pages::{
    Damage, Verified, Watch, copy_with_checksums, has_checksums, offset_of, verify, verify_in_use,
    watch,
};

use crate::owner;
use migrations::MIGRATIONS;
use sqlx::migrate::{Migrate, MigrateError};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};
use std::path::Path;
use std::time::{Duration, Instant};

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

impl From<std::io::Error> for DatabaseError {
    fn from(error: std::io::Error) -> Self {
        Self::Sql(error.into())
    }
}

impl DatabaseError {
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Sql(error) | Self::Migrate(MigrateError::Execute(error)) => is_full(error),
            _ => false,
        }
    }

    /// Whether the file is no database any more, rather than out of reach for now.
    pub(crate) fn is_damage(&self) -> bool {
        let (Self::Sql(error) | Self::Migrate(MigrateError::Execute(error))) = self else {
            return false;
        };
        is_damage(error)
    }
}

/// Whether the file is not what was written.
pub(crate) fn is_damage(error: &sqlx::Error) -> bool {
    /// A page whose checksum does not hold.
    const SQLITE_IOERR_DATA: u32 = 8202;
    // SQLITE_CORRUPT and SQLITE_NOTADB, in the low byte of extended codes. <https://sqlite.org/rescode.html>
    code(error).is_some_and(|code| matches!(code & 0xff, 11 | 26) || code == SQLITE_IOERR_DATA)
}

fn code(error: &sqlx::Error) -> Option<u32> {
    let error = error.as_database_error()?;
    error.code()?.parse::<u32>().ok()
}

/// Whether there was no room on the disk. The statement is rolled back, and may be tried again.
pub(crate) fn is_full(error: &sqlx::Error) -> bool {
    use std::io::ErrorKind;
    const SQLITE_FULL: u32 = 13;
    /// The `-shm` could not be made longer.
    const SQLITE_IOERR_SHMSIZE: u32 = 4874;
    if let sqlx::Error::Io(error) = error {
        return matches!(
            error.kind(),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded
        );
    }
    code(error).is_some_and(|code| code & 0xff == SQLITE_FULL || code == SQLITE_IOERR_SHMSIZE)
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
    let mut connection = open_as_it_is(path).await?;
    match bring_up_to_date(&mut connection).await {
        Ok(()) => Ok(connection),
        Err(error) => {
            drop(connection.close().await);
            Err(error)
        }
    }
}

/// Opens the file for writing with the tables that it has, for [`bring_up_to_date`].
pub(crate) async fn open_as_it_is(path: &Path) -> Result<SqliteConnection, DatabaseError> {
    // A new file need not survive a power cut: without it, or with half of it, it is made again from the log.
    let synchronous = if path.exists() {
        SqliteSynchronous::Normal
    } else {
        SqliteSynchronous::Off
    };
    Ok(connect_writer(path, synchronous).await?)
}

pub(crate) async fn bring_up_to_date(
    connection: &mut SqliteConnection,
) -> Result<(), DatabaseError> {
    migrate(connection).await?;
    sqlx::query("PRAGMA synchronous = NORMAL")
        .execute(connection)
        .await?;
    Ok(())
}

/// Of which time the tables of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tables {
    None,
    Older,
    Current,
}

/// # Errors
/// [`DatabaseError::Newer`] where a later hangar has migrated it.
pub(crate) async fn tables(connection: &mut SqliteConnection) -> Result<Tables, DatabaseError> {
    let applied = connection
        .list_applied_migrations("_sqlx_migrations")
        .await
        .map_err(DatabaseError::Migrate);
    let applied = match applied {
        Err(error) if error.is_damage() => return Err(error),
        applied => applied.unwrap_or_default(),
    };
    let newest = MIGRATIONS.iter().map(|migration| migration.version).max();
    let applied = applied.iter().map(|migration| migration.version).max();
    match applied {
        None => Ok(Tables::None),
        Some(_) if applied > newest => Err(DatabaseError::Newer),
        Some(_) if applied < newest => Ok(Tables::Older),
        Some(_) => Ok(Tables::Current),
    }
}

/// Copies a file that others read and write as it stands, without what deleted rows left, to a path where nothing is.
/// The copy is not synced. `until`: it is given up then.
pub(crate) async fn copy_whole(
    path: &Path,
    to: &Path,
    until: Option<Instant>,
) -> Result<(), sqlx::Error> {
    /// Instructions of SQLite's machine between two looks at the time.
    const LOOK_EVERY: i32 = 10_000;
    let to_path = to;
    let to = to.to_str().ok_or(std::io::ErrorKind::InvalidFilename);
    let to = to.map_err(|kind| sqlx::Error::Io(kind.into()))?;
    let mut connection = connect(options(path)?).await?;
    {
        let mut handle = connection.lock_handle().await?;
        // The copy has checksums even where the database has none.
        pages::reserve(&mut handle)?;
        if let Some(until) = until {
            handle.set_progress_handler(LOOK_EVERY, move || Instant::now() < until);
        }
    }
    let copied = sqlx::query("VACUUM INTO ?1")
        .bind(to)
        .execute(&mut connection)
        .await;
    connection.close().await?;
    copied?;
    owner::follow_at(to_path);
    pages::complete(to_path).await
}

/// A file that [`copy_whole`] made, or that is to be read as it is.
pub(crate) async fn open_copy(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    connect(options(path)?).await
}

/// The database's own file as it is, without its journal, read only: nothing is made or locked beside it.
pub(crate) async fn open_main_file(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let options = options(path)?.read_only(true).immutable(true);
    connect(options).await
}

/// As [`open_main_file`], for several readers.
pub(crate) async fn open_main_file_readers(path: &Path) -> Result<Readers, sqlx::Error> {
    let options = options(path)?.read_only(true).immutable(true);
    pool(options).await
}

/// Whether its pages and rows are what SQLite left, and it does nothing by itself: we keep no triggers and no views.
pub(crate) async fn is_whole(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let acting = "SELECT count(*) FROM sqlite_schema WHERE type NOT IN ('table', 'index')";
    let acting: i64 = sqlx::query_scalar(acting)
        .fetch_one(&mut *connection)
        .await?;
    if acting > 0 {
        return Ok(false);
    }
    let said: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(connection)
        .await?;
    Ok(said == "ok")
}

/// A second connection that writes, to a file that [`open_writer`] has opened, whose commits survive a power cut.
pub(crate) async fn open_durable(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    connect_writer(path, SqliteSynchronous::Full).await
}

async fn connect_writer(
    path: &Path,
    synchronous: SqliteSynchronous,
) -> Result<SqliteConnection, sqlx::Error> {
    let options = options(path)?.synchronous(synchronous);
    let is_new = std::fs::metadata(path).map_or(true, |file| file.len() == 0);
    if is_new {
        // Room for checksums is left before the first page is made, which a journal needs.
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

async fn connect(options: SqliteConnectOptions) -> Result<SqliteConnection, sqlx::Error> {
    let mut connection = options.connect().await?;
    configure(&mut connection).await?;
    Ok(connection)
}

/// Sets on every connection what no pragma can set.
async fn configure(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    set_checkpoint_on_close(connection, false).await
}

/// Whether the last connection moves the journal into the database when it is closed, and removes it. By itself none does:
/// a checkpoint is noted first.
pub(crate) async fn set_checkpoint_on_close(
    connection: &mut SqliteConnection,
    is_on: bool,
) -> Result<(), sqlx::Error> {
    let mut handle = connection.lock_handle().await?;
    page_checksums::set_checkpoint_on_close(&mut handle, is_on)
        .map_err(|code| pages::failed("checkpoints cannot be set", code))
}

/// One more connection that reads, for the writer's judgements.
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

fn options(path: &Path) -> Result<SqliteConnectOptions, sqlx::Error> {
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

async fn migrate(connection: &mut SqliteConnection) -> Result<(), DatabaseError> {
    if tables(connection).await? == Tables::Current {
        return Ok(());
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

/// A copy as hangar made databases before their pages had checksums.
#[cfg(test)]
pub(crate) async fn make_without_checksums(path: &Path, of: &Path) -> Result<(), sqlx::Error> {
    use sqlx::{AssertSqlSafe, Row};
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .foreign_keys(false);
    let mut copy = options.connect().await?;
    MIGRATIONS.run(&mut copy).await?;
    sqlx::query("ATTACH ?1 AS other")
        .bind(of.to_str())
        .execute(&mut copy)
        .await?;
    let tables = sqlx::query(
        "SELECT name FROM other.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
    )
    .fetch_all(&mut copy)
    .await?;
    for table in tables {
        let table: String = table.get(0);
        let statement = format!("INSERT OR REPLACE INTO main.{table} SELECT * FROM other.{table}");
        sqlx::query(AssertSqlSafe(statement))
            .execute(&mut copy)
            .await?;
    }
    sqlx::query("DETACH other").execute(&mut copy).await?;
    sqlx::query("PRAGMA journal_mode = WAL")
        .execute(&mut copy)
        .await?;
    copy.close().await
}
