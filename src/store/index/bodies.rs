//! The rows of bodies: bodies that no object and no part names, and the blobs that bodies lie in.

use crate::store::content::BlobId;
use crate::store::index::columns::{decode, from_json};
use crate::store::record::Unreferenced;
use sqlx::{Row, SqliteConnection};
use std::collections::BTreeSet;

/// A page of the unreferenced bodies, in the order of their ids, after `after`.
pub(in crate::store) async fn unreferenced(
    connection: &mut SqliteConnection,
    after: u64,
    limit: u32,
) -> Result<Vec<Unreferenced>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT id, place, size_bytes FROM bodies WHERE refs = 0 AND id > ?1 ORDER BY id LIMIT ?2",
    )
    .bind(after.cast_signed())
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Unreferenced {
                body: row.get::<i64, _>(0).cast_unsigned(),
                place: from_json("place", row.get(1))?,
                size_bytes: row.get::<i64, _>(2).cast_unsigned(),
            })
        })
        .collect()
}

/// The bodies among these that are unreferenced.
pub(in crate::store) async fn still_unreferenced(
    connection: &mut SqliteConnection,
    bodies: &[u64],
) -> Result<BTreeSet<u64>, sqlx::Error> {
    let ids = serde_json::to_string(bodies).expect("numbers are JSON");
    let rows = sqlx::query(
        "SELECT id FROM bodies WHERE refs = 0 AND id IN (SELECT value FROM json_each(?1))",
    )
    .bind(ids)
    .fetch_all(connection)
    .await?;
    Ok(rows
        .iter()
        .map(|row| row.get::<i64, _>(0).cast_unsigned())
        .collect())
}

/// Whether any body lies in a blob.
pub(in crate::store) async fn has_blobs(
    connection: &mut SqliteConnection,
) -> Result<bool, sqlx::Error> {
    let found = "SELECT 1 FROM bodies WHERE place ->> '$.blob.id' IS NOT NULL LIMIT 1";
    let row = sqlx::query(found).fetch_optional(connection).await?;
    Ok(row.is_some())
}

/// The blobs among these that a body lies in.
pub(in crate::store) async fn known_blobs(
    connection: &mut SqliteConnection,
    ids: &[BlobId],
) -> Result<BTreeSet<BlobId>, sqlx::Error> {
    let ids = serde_json::to_string(ids).expect("texts are JSON");
    let rows = sqlx::query(
        "SELECT place ->> '$.blob.id' FROM bodies
         WHERE place ->> '$.blob.id' IN (SELECT value FROM json_each(?1))",
    )
    .bind(ids)
    .fetch_all(connection)
    .await?;
    let ids = rows.iter().map(|row| BlobId::parse(row.get(0)));
    ids.map(|id| id.map_err(|error| decode("place", error)))
        .collect()
}
