//! The index's statements: applying what the log says, and looking objects up.
//!
//! One statement for each kind of change and group, its rows as one JSON parameter: a call costs the same whether it
//! brings one row or a thousand. Everything here gives the same rows again when a log is replayed.

use super::folder::Identity;
use super::log::End;
use super::record::{BodyPlace, Change, LogId, Put, Record};
use super::{Bucket, EffectKind, Object, ObjectMeta};
use crate::clock::Timestamp;
use crate::s3::{BucketName, ETag, ObjectKey};
use serde::{Deserialize, Serialize};
use sqlx::{Row, SqliteConnection};
use std::sync::Arc;

/// Where a body lies, as the index has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Place {
    Log { segment: u64, offset: u64 },
    Blob { id: String },
}

/// A run of an object's bytes: `length` bytes of a body from `start` on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) start: u64,
    pub(super) length: u64,
    pub(super) body_bytes: u64,
    pub(super) place: Place,
    /// CRC64-NVME of each MiB of the body.
    pub(super) block_crcs: Vec<u64>,
}

#[derive(Serialize)]
struct ObjectRow<'a> {
    bucket: &'a str,
    key: &'a str,
    sequence: u64,
    etag: &'a str,
    size: u64,
    modified: i64,
    extents: Vec<(u64, u64, u64)>,
    meta: &'a ObjectMeta,
    body: Option<BodyRow<'a>>,
}

#[derive(Serialize)]
struct BodyRow<'a> {
    id: u64,
    size: u64,
    place: Place,
    md5: &'a str,
    crcs: &'a str,
}

#[derive(Serialize)]
struct KeyRow<'a> {
    bucket: &'a str,
    key: &'a str,
}

#[derive(Serialize)]
struct BucketRow<'a> {
    name: &'a str,
    created: i64,
    sequence: u64,
}

#[derive(Serialize)]
struct EffectRow<'a> {
    sequence: u64,
    at: i64,
    data: &'a serde_json::Value,
}

fn object_row<'a>(record: &Record, put: &'a Put) -> ObjectRow<'a> {
    let place = match &put.body {
        BodyPlace::Empty => None,
        BodyPlace::Here => Some(Place::Log {
            segment: record.segment,
            offset: record.body_offset,
        }),
        BodyPlace::Blob { id } => Some(Place::Blob { id: id.clone() }),
    };
    let size = put.size_bytes;
    ObjectRow {
        bucket: put.bucket.as_str(),
        key: put.key.as_str(),
        sequence: record.sequence,
        etag: put.etag.as_str(),
        size,
        modified: record.at.as_millis(),
        extents: place.iter().map(|_| (record.sequence, 0, size)).collect(),
        meta: &put.meta,
        body: place.map(|place| BodyRow {
            id: record.sequence,
            size,
            place,
            md5: &put.md5,
            crcs: &put.block_crcs,
        }),
    }
}

/// Applies records of which no two touch the same row, and moves the position to `end`: one transaction.
pub(super) async fn apply(
    connection: &mut SqliteConnection,
    records: &[Record],
    effects: &[EffectKind],
    log: LogId,
    end: End,
) -> Result<(), sqlx::Error> {
    let mut transaction = sqlx::Connection::begin_with(connection, "BEGIN IMMEDIATE").await?;
    let mut buckets = Vec::new();
    let mut gone = Vec::new();
    let mut objects = Vec::new();
    for record in records {
        match &record.change {
            Change::Put(put) => {
                gone.push(KeyRow {
                    bucket: put.bucket.as_str(),
                    key: put.key.as_str(),
                });
                objects.push(object_row(record, put));
            }
            Change::Delete { bucket, key } => {
                gone.push(KeyRow {
                    bucket: bucket.as_str(),
                    key: key.as_str(),
                });
            }
            Change::BucketCreated { bucket } => buckets.push(BucketRow {
                name: bucket.as_str(),
                created: record.at.as_millis(),
                sequence: record.sequence,
            }),
            Change::Begun { .. } | Change::Domain | Change::Void => {}
        }
    }
    if !buckets.is_empty() {
        insert_buckets(&mut transaction, &json(&buckets)).await?;
    }
    if !gone.is_empty() {
        let rows = json(&gone);
        release_bodies(&mut transaction, &rows).await?;
        delete_objects(&mut transaction, &rows).await?;
    }
    if !objects.is_empty() {
        let rows = json(&objects);
        insert_bodies(&mut transaction, &rows).await?;
        insert_objects(&mut transaction, &rows).await?;
    }
    for kind in effects {
        let rows: Vec<EffectRow<'_>> = records
            .iter()
            .filter_map(|record| {
                let effect = record
                    .effect
                    .as_ref()
                    .filter(|effect| effect.kind == kind.kind)?;
                let (sequence, at) = (record.sequence, record.at.as_millis());
                Some(EffectRow {
                    sequence,
                    at,
                    data: &effect.data,
                })
            })
            .collect();
        if !rows.is_empty() {
            (kind.apply)(&mut transaction, &json(&rows)).await?;
        }
    }
    set_position(&mut transaction, log, end).await?;
    transaction.commit().await
}

fn json<T: Serialize>(rows: &[T]) -> String {
    serde_json::to_string(rows).expect("rows have only text keys")
}

async fn insert_buckets(connection: &mut SqliteConnection, rows: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO buckets (name, created_ms, sequence)
         SELECT value ->> 'name', value ->> 'created', value ->> 'sequence' FROM json_each(?1)",
    )
    .bind(rows)
    .execute(connection)
    .await
    .map(drop)
}

/// The bodies of the objects that are at these keys now lose one reference for each extent.
async fn release_bodies(connection: &mut SqliteConnection, rows: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE bodies SET refs = refs - released.count
         FROM (SELECT extent.value ->> 0 AS body, count(*) AS count
               FROM json_each(?1) AS gone
               JOIN objects ON objects.bucket = gone.value ->> 'bucket' AND objects.key = gone.value ->> 'key',
                    json_each(objects.extents) AS extent
               GROUP BY body) AS released
         WHERE bodies.id = released.body",
    )
    .bind(rows)
    .execute(connection)
    .await
    .map(drop)
}

async fn delete_objects(connection: &mut SqliteConnection, rows: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM objects WHERE (bucket, key) IN
         (SELECT value ->> 'bucket', value ->> 'key' FROM json_each(?1))",
    )
    .bind(rows)
    .execute(connection)
    .await
    .map(drop)
}

async fn insert_bodies(connection: &mut SqliteConnection, rows: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO bodies (id, size_bytes, place, md5, block_crcs, refs)
         SELECT value ->> '$.body.id', value ->> '$.body.size', value -> '$.body.place',
                value ->> '$.body.md5', value ->> '$.body.crcs', 1
         FROM json_each(?1) WHERE value -> '$.body' <> 'null'",
    )
    .bind(rows)
    .execute(connection)
    .await
    .map(drop)
}

async fn insert_objects(connection: &mut SqliteConnection, rows: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO objects (bucket, key, sequence, etag, size_bytes, modified_ms, extents, meta)
         SELECT value ->> 'bucket', value ->> 'key', value ->> 'sequence', value ->> 'etag', value ->> 'size',
                value ->> 'modified', value -> 'extents', value -> 'meta'
         FROM json_each(?1)",
    )
    .bind(rows)
    .execute(connection)
    .await
    .map(drop)
}

async fn set_position(
    connection: &mut SqliteConnection,
    log: LogId,
    end: End,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO position (id, log_id, sequence, segment, end_offset) VALUES (1, ?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO UPDATE SET log_id = excluded.log_id, sequence = excluded.sequence,
             segment = excluded.segment, end_offset = excluded.end_offset",
    )
    .bind(log.to_hex())
    .bind(end.sequence.cast_signed())
    .bind(end.segment.cast_signed())
    .bind(end.offset.cast_signed())
    .execute(connection)
    .await
    .map(drop)
}

/// The log that this index belongs to and how far it was applied; `None`: a new index.
pub(super) async fn position(
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
pub(super) async fn set_identities(
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
pub(super) async fn identities(
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

pub(super) async fn buckets(connection: &mut SqliteConnection) -> Result<Vec<Bucket>, sqlx::Error> {
    let rows = sqlx::query("SELECT name, created_ms FROM buckets")
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            let name = BucketName::parse(row.get(0)).map_err(|error| decode("name", error))?;
            Ok(Bucket {
                name,
                created_at: Timestamp::from_millis(row.get(1)),
                settings: Arc::default(),
            })
        })
        .collect()
}

/// The tag of a key's current object.
pub(super) async fn etag(
    connection: &mut SqliteConnection,
    bucket: &BucketName,
    key: &ObjectKey,
) -> Result<Option<ETag>, sqlx::Error> {
    let row = sqlx::query("SELECT etag FROM objects WHERE bucket = ?1 AND key = ?2")
        .bind(bucket.as_str())
        .bind(key.as_str())
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|row| ETag::from_stored(row.get(0))))
}

/// A key's current object with all that is needed to read it.
pub(super) async fn object(
    connection: &mut SqliteConnection,
    bucket: &BucketName,
    key: &ObjectKey,
) -> Result<Option<Object>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT sequence, etag, size_bytes, modified_ms, meta,
                (SELECT json_group_array(json_array(extent.value ->> 1, extent.value ->> 2, bodies.size_bytes,
                                                    json(bodies.place), bodies.block_crcs) ORDER BY extent.key)
                 FROM json_each(objects.extents) AS extent
                 LEFT JOIN bodies ON bodies.id = extent.value ->> 0)
         FROM objects WHERE bucket = ?1 AND key = ?2",
    )
    .bind(bucket.as_str())
    .bind(key.as_str())
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let meta = serde_json::from_str(row.get(4)).map_err(|error| decode("meta", error))?;
    Ok(Some(Object {
        bucket: bucket.clone(),
        key: key.clone(),
        sequence: row.get::<i64, _>(0).cast_unsigned(),
        etag: ETag::from_stored(row.get(1)),
        size_bytes: row.get::<i64, _>(2).cast_unsigned(),
        last_modified: Timestamp::from_millis(row.get(3)),
        meta: Arc::new(meta),
        extents: extents(row.get(5))?,
    }))
}

fn extents(text: &str) -> Result<Arc<[Extent]>, sqlx::Error> {
    let rows: Vec<(u64, u64, u64, Place, String)> =
        serde_json::from_str(text).map_err(|error| decode("extents", error))?;
    rows.into_iter()
        .map(|(start, length, body_bytes, place, crcs)| {
            let block_crcs = crcs_from_hex(&crcs).ok_or_else(|| decode("block_crcs", crcs))?;
            Ok(Extent {
                start,
                length,
                body_bytes,
                place,
                block_crcs,
            })
        })
        .collect()
}

pub(super) fn crcs_to_hex(crcs: &[u64]) -> String {
    use std::fmt::Write;
    crcs.iter()
        .fold(String::with_capacity(crcs.len() * 16), |mut text, crc| {
            write!(text, "{crc:016x}").expect("writing to a string");
            text
        })
}

fn crcs_from_hex(text: &str) -> Option<Vec<u64>> {
    let bytes = hex::decode(text).ok()?;
    let (crcs, rest) = bytes.as_chunks::<8>();
    rest.is_empty()
        .then(|| crcs.iter().map(|crc| u64::from_be_bytes(*crc)).collect())
}

pub(super) fn decode(
    column: &str,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: error.into(),
    }
}
