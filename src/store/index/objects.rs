//! The rows of objects.

use crate::clock::Timestamp;
use crate::s3::{BucketName, ETag, ObjectKey};
use crate::store::content::Content;
use crate::store::index::columns::{bodies, decode, from_json, object_key};
use crate::store::object::Object;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use std::sync::Arc;

/// Whether the bucket holds an object.
pub(in crate::store) async fn has_objects(
    connection: &mut SqliteConnection,
    bucket: &BucketName,
) -> Result<bool, sqlx::Error> {
    sqlx::query("SELECT 1 FROM objects WHERE bucket = ?1 LIMIT 1")
        .bind(bucket.as_str())
        .fetch_optional(connection)
        .await
        .map(|row| row.is_some())
}

/// The etag, the sequence and the tags of a key's current object.
pub(in crate::store) async fn current(
    connection: &mut SqliteConnection,
    bucket: &BucketName,
    key: &ObjectKey,
) -> Result<Option<Current>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT etag, sequence, meta ->> '$.tagging' FROM objects WHERE bucket = ?1 AND key = ?2",
    )
    .bind(bucket.as_str())
    .bind(key.as_str())
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Current {
        etag: ETag::from_stored(row.get(0)),
        sequence: row.get::<i64, _>(1).cast_unsigned(),
        tagging: row.get(2),
    }))
}

/// The values of the current object that the planner checks a change against.
pub(in crate::store) struct Current {
    pub(in crate::store) etag: ETag,
    pub(in crate::store) sequence: u64,
    pub(in crate::store) tagging: Option<String>,
}

/// The columns of an object's row, and the bodies that its extents name, each once.
macro_rules! objects {
    ($which:literal) => {
        concat!(
            "SELECT key, sequence, etag, size_bytes, modified_ms, meta, extents,
                    (SELECT json_group_array(json_array(bodies.id, bodies.size_bytes, json(bodies.place),
                                                        bodies.block_crcs))
                     FROM bodies WHERE bodies.id IN (SELECT value ->> 0 FROM json_each(objects.extents)))
             FROM objects WHERE bucket = ?1 AND ",
            $which
        )
    };
}

/// A key's current object, with everything that a reader needs.
pub(in crate::store) async fn object(
    connection: &mut SqliteConnection,
    bucket: &BucketName,
    key: &ObjectKey,
) -> Result<Option<Object>, sqlx::Error> {
    let row = sqlx::query(objects!("key = ?2"))
        .bind(bucket.as_str())
        .bind(key.as_str())
        .fetch_optional(connection)
        .await?;
    row.map(|row| read_object(bucket, &row)).transpose()
}

/// Objects in the order of their keys, starting at `from` (but without the key `after`) and ending before `end`.
pub(in crate::store) async fn objects(
    connection: &mut SqliteConnection,
    bucket: &BucketName,
    (from, after): (&str, Option<&str>),
    end: Option<&str>,
    limit: u32,
) -> Result<Vec<Object>, sqlx::Error> {
    let rows = sqlx::query(objects!(
        "key >= ?2 AND key < coalesce(?3, x'') AND key IS NOT ?5 ORDER BY key LIMIT ?4"
    ))
    .bind(bucket.as_str())
    .bind(from)
    .bind(end)
    .bind(limit)
    .bind(after)
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| read_object(bucket, row)).collect()
}

fn read_object(bucket: &BucketName, row: &SqliteRow) -> Result<Object, sqlx::Error> {
    let content = Content {
        extents: from_json("extents", row.get(6))?,
        bodies: bodies(row.get(7))?,
    };
    if let Some(lost) =
        (content.extents.iter()).find(|extent| !content.bodies.contains_key(&extent.body))
    {
        return Err(decode("extents", format!("body {} is gone", lost.body)));
    }
    Ok(Object {
        bucket: bucket.clone(),
        key: object_key(row.get(0))?,
        sequence: row.get::<i64, _>(1).cast_unsigned(),
        etag: ETag::from_stored(row.get(2)),
        size_bytes: row.get::<i64, _>(3).cast_unsigned(),
        last_modified: Timestamp::from_millis(row.get(4)),
        meta: Arc::new(from_json("meta", row.get(5))?),
        content: Arc::new(content),
    })
}
