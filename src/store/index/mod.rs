//! The index's statements: looking up what the log said.
//!
//! What changes it is in `apply`, what is asked of uploads in `uploads`.

pub(in crate::store) use apply::{apply, prepare};
pub(in crate::store) use check::{
    bodies_after, has_body, object_sums, objects_of_bodies, parts_of_bodies, stored, twins_of_body,
    users_of_bodies,
};
pub(in crate::store) use uploads::{
    From, are_unchanged, object_parts, parts, upload, uploads_before, uploads_from,
};

mod apply;
#[cfg(test)]
pub(in crate::store) mod bare;
mod check;
pub(in crate::store) mod damage;
mod effects;
pub(in crate::store) mod listing;
mod row_changes;
pub(in crate::store) mod upload_listing;
mod uploads;
pub(in crate::store) mod view;

use crate::clock::Timestamp;
use crate::db::{self, DatabaseError};
use crate::s3::{BucketName, ETag, ObjectKey};
use crate::store::bucket::Bucket;
use crate::store::content::BlobId;
use crate::store::content::{Body, Content, Place};
use crate::store::folder::{Folder, Identity};
use crate::store::object::Object;
use crate::store::record::segments::End;
use crate::store::record::{LogId, Unreferenced};
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, Row, SqliteConnection};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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

/// Remembers which files these are. `run`: `None` after a clean stop.
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

/// The files that this index was last opened beside: itself, and `run`.
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

/// All buckets, with what is set of them.
pub(in crate::store) async fn buckets(
    connection: &mut SqliteConnection,
) -> Result<Vec<Bucket>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT name, created_ms,
                (SELECT json_group_object(setting, document) FROM bucket_settings WHERE bucket = buckets.name)
         FROM buckets",
    )
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Bucket::new(
                bucket_name(row.get(0))?,
                Timestamp::from_millis(row.get(1)),
                from_json("settings", row.get(2))?,
            ))
        })
        .collect()
}

/// Whether it holds an object.
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

/// The tag and the sequence of a key's current object.
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

/// A page of the bodies that nothing names, in order of their ids, after `after`.
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

/// Those of these bodies that nothing names.
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

/// Whether a body lies in a blob.
pub(in crate::store) async fn has_blobs(
    connection: &mut SqliteConnection,
) -> Result<bool, sqlx::Error> {
    let found = "SELECT 1 FROM bodies WHERE place ->> '$.blob.id' IS NOT NULL LIMIT 1";
    let row = sqlx::query(found).fetch_optional(connection).await?;
    Ok(row.is_some())
}

/// Those of these blobs that a body lies in.
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

/// What a change of an object is judged by.
pub(in crate::store) struct Current {
    pub(in crate::store) etag: ETag,
    pub(in crate::store) sequence: u64,
    pub(in crate::store) tagging: Option<String>,
}

/// All of an object's row, and the bodies that it needs, each once.
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

/// A key's current object with all that is needed to read it.
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

/// Objects in order of their keys, from `from` on (`after`: without that key) to before `end`.
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

fn bodies(text: &str) -> Result<BTreeMap<u64, Body>, sqlx::Error> {
    let rows: Vec<(u64, u64, Place, String)> = from_json("bodies", text)?;
    rows.into_iter()
        .map(|(id, size_bytes, place, crcs)| {
            let block_crcs = crcs_from_hex(&crcs).ok_or_else(|| decode("block_crcs", crcs))?;
            let body = Body {
                size_bytes,
                place,
                block_crcs,
            };
            Ok((id, body))
        })
        .collect()
}

fn bucket_name(text: &str) -> Result<BucketName, sqlx::Error> {
    BucketName::parse(text).map_err(|error| decode("bucket", error))
}

fn object_key(text: &str) -> Result<ObjectKey, sqlx::Error> {
    ObjectKey::parse(text).map_err(|error| decode("key", error))
}

fn from_json<T: DeserializeOwned>(column: &str, text: &str) -> Result<T, sqlx::Error> {
    serde_json::from_str(text).map_err(|error| decode(column, error))
}

pub(in crate::store) fn crcs_to_hex(crcs: &[u64]) -> String {
    use std::fmt::Write;
    crcs.iter()
        .fold(String::with_capacity(crcs.len() * 16), |mut text, crc| {
            write!(text, "{crc:016x}").expect("writing to a string");
            text
        })
}

pub(in crate::store) fn crcs_from_hex(text: &str) -> Option<Vec<u64>> {
    let bytes = hex::decode(text).ok()?;
    let (crcs, rest) = bytes.as_chunks::<8>();
    rest.is_empty()
        .then(|| crcs.iter().map(|crc| u64::from_be_bytes(*crc)).collect())
}

pub(in crate::store) fn decode(
    column: &str,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: error.into(),
    }
}

/// Opens the index to be written, with its tables brought up to date.
pub(in crate::store) async fn open(folder: &Folder) -> Result<SqliteConnection, DatabaseError> {
    let mut index = db::open_writer(&folder.database()).await?;
    if let Err(error) = prepare(&mut index).await {
        // As in [`db::open_writer`].
        drop(index.close().await);
        return Err(error.into());
    }
    Ok(index)
}
