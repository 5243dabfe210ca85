//! The position of the index: the log that it belongs to, how far that log is applied, and the identities of the files
//! that the index was last opened with.

use crate::store::folder::Identity;
use crate::store::record::LogId;
use crate::store::record::segments::End;
use sqlx::{Row, SqliteConnection};

/// The log that this index belongs to and how far it was applied; `None`: a new index.
pub(in crate::store) async fn position(
    connection: &mut SqliteConnection,
) -> Result<Option<(LogId, End)>, sqlx::Error> {
    let row = sqlx::query("SELECT log_id, sequence, segment, end_offset FROM position")
        .fetch_optional(connection)
        .await?;
    Ok(row.and_then(|row| {
        let end = End {
            sequence: row.get::<i64, _>(1).cast_unsigned(),
            segment: row.get::<i64, _>(2).cast_unsigned(),
            offset: row.get::<i64, _>(3).cast_unsigned(),
        };
        Some((LogId::from_hex(row.get(0))?, end))
    }))
}

/// Stores the identities of these files. `run`: `None` after a clean stop.
pub(in crate::store) async fn set_identities(
    connection: &mut SqliteConnection,
    database: Identity,
    run: Option<Identity>,
) -> Result<(), sqlx::Error> {
    let mut transaction = sqlx::Connection::begin_with(connection, "BEGIN IMMEDIATE").await?;
    sqlx::query("DELETE FROM file_identity")
        .execute(&mut *transaction)
        .await?;
    let named = [("database", Some(database)), ("run", run)];
    for (name, identity) in named.into_iter().filter_map(|(name, id)| Some((name, id?))) {
        sqlx::query(
            "INSERT INTO file_identity (name, inode, born_ns, changed_ns) VALUES (?1, ?2, ?3, ?4)",
        )
        .bind(name)
        .bind(identity.inode)
        .bind(identity.born)
        .bind(identity.changed)
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await
}

/// The files that this index was last opened with: the database itself, and `run`.
pub(in crate::store) async fn identities(
    connection: &mut SqliteConnection,
) -> Result<(Option<Identity>, Option<Identity>), sqlx::Error> {
    let rows = sqlx::query("SELECT name, inode, born_ns, changed_ns FROM file_identity")
        .fetch_all(connection)
        .await?;
    let find = |name: &str| {
        rows.iter()
            .find(|row| row.get::<&str, _>(0) == name)
            .map(|row| Identity {
                inode: row.get(1),
                born: row.get(2),
                changed: row.get(3),
            })
    };
    Ok((find("database"), find("run")))
}
