//! Makes whole copies of the index's file.

use crate::db::connection::{connect, options};
use crate::db::error::DatabaseError;
use crate::db::pages;
use crate::owner;
use sqlx::Connection;
use std::path::Path;
use std::time::Instant;

/// Copies a database that other connections may read and write, in one consistent state and without the remains of
/// deleted rows, to a path where no file is. The copy is not synced. `until`: the copy is aborted at this time.
pub(crate) async fn copy_whole(
    path: &Path,
    to: &Path,
    until: Option<Instant>,
) -> Result<(), sqlx::Error> {
    /// Instructions of SQLite's virtual machine between two checks of the time.
    const INSTRUCTIONS_PER_CHECK: i32 = 10_000;
    let to_path = to;
    let to = to.to_str().ok_or(std::io::ErrorKind::InvalidFilename);
    let to = to.map_err(|kind| sqlx::Error::Io(kind.into()))?;
    let mut connection = connect(options(path)?).await?;
    {
        let mut handle = connection.lock_handle().await?;
        // The copy has checksums even where the database has none.
        pages::reserve(&mut handle)?;
        if let Some(until) = until {
            handle.set_progress_handler(INSTRUCTIONS_PER_CHECK, move || Instant::now() < until);
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

/// Copies a database without checksums into one with checksums, at a path where no file is. The copy is not synced.
///
/// # Errors
/// If the database is damaged, or the disk has no room for the copy.
pub(crate) async fn copy_with_checksums(path: &Path, to: &Path) -> Result<(), DatabaseError> {
    copy_whole(path, to, None).await?;
    let mut copy = connect(options(to)?).await?;
    let marked = pages::mark(&mut copy).await;
    copy.close().await?;
    Ok(marked?)
}

/// Makes a copy in the form that hangar's databases had before their pages had checksums.
#[cfg(test)]
pub(crate) async fn make_without_checksums(path: &Path, of: &Path) -> Result<(), sqlx::Error> {
    use crate::db::migrations::MIGRATIONS;
    use sqlx::sqlite::SqliteConnectOptions;
    use sqlx::{AssertSqlSafe, ConnectOptions, Row};
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
