//! Migrates the tables of the index's file.

use crate::db::error::DatabaseError;
use crate::db::migrations::MIGRATIONS;
use sqlx::SqliteConnection;
use sqlx::migrate::{Migrate, MigrateError};

pub(crate) async fn bring_up_to_date(
    connection: &mut SqliteConnection,
) -> Result<(), DatabaseError> {
    migrate(connection).await?;
    sqlx::query("PRAGMA synchronous = NORMAL")
        .execute(connection)
        .await?;
    Ok(())
}

/// The version of the tables of a file, compared with this hangar's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tables {
    None,
    Older,
    Current,
}

/// # Errors
/// [`DatabaseError::Newer`] if a later version of hangar has migrated it.
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
