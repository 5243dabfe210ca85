//! Queries for checks: all rows, in pages.

use crate::s3::{BucketName, ObjectKey};
use crate::store::content::{Body, Place};
use crate::store::index::columns::{bodies, bucket_name, decode, from_json, object_key};
use crate::store::upload::UploadId;
use sqlx::{Row, SqliteConnection};

/// The places of other bodies with the same bytes, as far as size, MD5 and CRCs say: 16 at most.
pub(in crate::store) async fn twins_of_body(
    connection: &mut SqliteConnection,
    id: u64,
) -> Result<Vec<Place>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT twin.place FROM bodies
         JOIN bodies AS twin ON twin.size_bytes = bodies.size_bytes AND twin.md5 = bodies.md5
                            AND twin.block_crcs = bodies.block_crcs AND twin.id <> bodies.id
         WHERE bodies.id = ?1 LIMIT 16",
    )
    .bind(id.cast_signed())
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| from_json("place", row.get(0)))
        .collect()
}

/// The number of bodies, and the sum of their sizes in bytes.
pub(in crate::store) async fn stored(
    connection: &mut SqliteConnection,
) -> Result<(u64, u64), sqlx::Error> {
    let row = sqlx::query("SELECT count(*), coalesce(sum(size_bytes), 0) FROM bodies")
        .fetch_one(connection)
        .await?;
    let number = |at| row.get::<i64, _>(at).cast_unsigned();
    Ok((number(0), number(1)))
}

/// A page of bodies in the order of their ids.
pub(in crate::store) async fn bodies_after(
    connection: &mut SqliteConnection,
    after: u64,
    limit: u32,
) -> Result<Vec<(u64, Body)>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT json_group_array(json_array(id, size_bytes, json(place), block_crcs))
         FROM (SELECT * FROM bodies WHERE id > ?1 ORDER BY id LIMIT ?2)",
    )
    .bind(after.cast_signed())
    .bind(limit)
    .fetch_one(connection)
    .await?;
    Ok(bodies(row.get(0))?.into_iter().collect())
}

pub(in crate::store) async fn has_body(
    connection: &mut SqliteConnection,
    id: u64,
) -> Result<bool, sqlx::Error> {
    let row = sqlx::query("SELECT 1 FROM bodies WHERE id = ?1")
        .bind(id.cast_signed())
        .fetch_optional(connection)
        .await?;
    Ok(row.is_some())
}

/// The objects that name any of these bodies, each with the sequence of the record that made it.
pub(in crate::store) async fn objects_of_bodies(
    connection: &mut SqliteConnection,
    ids: &[u64],
) -> Result<Vec<(BucketName, ObjectKey, u64)>, sqlx::Error> {
    let ids = serde_json::to_string(ids).expect("numbers are JSON");
    let rows = sqlx::query(
        "WITH wanted AS MATERIALIZED (SELECT value AS id FROM json_each(?1))
         SELECT DISTINCT objects.bucket, objects.key, objects.sequence
         FROM objects, json_each(objects.extents) AS extent
         WHERE extent.value ->> 0 IN (SELECT id FROM wanted)",
    )
    .bind(ids)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let sequence = row.get::<i64, _>(2).cast_unsigned();
            Ok((bucket_name(row.get(0))?, object_key(row.get(1))?, sequence))
        })
        .collect()
}

/// The parts of uploads under way that name any of these bodies, each with the sequence of the record that made it.
pub(in crate::store) async fn parts_of_bodies(
    connection: &mut SqliteConnection,
    ids: &[u64],
) -> Result<Vec<(BucketName, UploadId, u16, u64)>, sqlx::Error> {
    let ids = serde_json::to_string(ids).expect("numbers are JSON");
    let rows = sqlx::query(
        "WITH wanted AS MATERIALIZED (SELECT value AS id FROM json_each(?1))
         SELECT DISTINCT uploads.bucket, uploads.id, parts.number, parts.sequence
         FROM parts, json_each(parts.extents) AS extent
         JOIN uploads ON uploads.id = parts.upload
         WHERE extent.value ->> 0 IN (SELECT id FROM wanted)",
    )
    .bind(ids)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let upload = UploadId::parse(row.get(1)).ok_or_else(|| decode("upload", "no id"))?;
            let number = row.get::<u16, _>(2);
            let sequence = row.get::<i64, _>(3).cast_unsigned();
            Ok((bucket_name(row.get(0))?, upload, number, sequence))
        })
        .collect()
}

/// Whether an object's extents add up to its size, and each lies within an existing body.
pub(in crate::store) struct ObjectSum {
    pub(in crate::store) bucket: String,
    pub(in crate::store) key: String,
    pub(in crate::store) adds_up: bool,
}

/// A page of objects in the order of their buckets and keys.
pub(in crate::store) async fn object_sums(
    connection: &mut SqliteConnection,
    after: Option<&(String, String)>,
    limit: u32,
) -> Result<Vec<ObjectSum>, sqlx::Error> {
    let (bucket, key) = after.map_or(("", ""), |(bucket, key)| (bucket, key));
    let rows = sqlx::query(
        "SELECT bucket, key,
                (SELECT coalesce(sum(extent.value ->> 2), 0) = objects.size_bytes
                        AND coalesce(min(coalesce((extent.value ->> 1) + (extent.value ->> 2) <= bodies.size_bytes, 0)), 1)
                 FROM json_each(objects.extents) AS extent
                 LEFT JOIN bodies ON bodies.id = extent.value ->> 0)
         FROM objects WHERE (bucket, key) > (?1, ?2) ORDER BY bucket, key LIMIT ?3",
    )
    .bind(bucket)
    .bind(key)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(ObjectSum {
                bucket: row.get(0),
                key: row.get(1),
                adds_up: row
                    .try_get::<bool, _>(2)
                    .map_err(|error| decode("extents", error))?,
            })
        })
        .collect()
}

/// The users of these bodies: `BUCKET/KEY` of objects and of uploads under way, each with the id of the body.
pub(in crate::store) async fn users_of_bodies(
    connection: &mut SqliteConnection,
    ids: &[u64],
) -> Result<Vec<(u64, String)>, sqlx::Error> {
    let ids = serde_json::to_string(ids).expect("numbers are JSON");
    let rows = sqlx::query(
        "WITH wanted AS (SELECT value AS id FROM json_each(?1))
         SELECT extent.value ->> 0, objects.bucket || '/' || objects.key
         FROM objects, json_each(objects.extents) AS extent
         WHERE extent.value ->> 0 IN (SELECT id FROM wanted)
         UNION
         SELECT extent.value ->> 0, uploads.bucket || '/' || uploads.key || ' (upload)'
         FROM parts, json_each(parts.extents) AS extent
         JOIN uploads ON uploads.id = parts.upload
         WHERE extent.value ->> 0 IN (SELECT id FROM wanted)",
    )
    .bind(ids)
    .fetch_all(connection)
    .await?;
    Ok(rows
        .iter()
        .map(|row| (row.get::<i64, _>(0).cast_unsigned(), row.get(1)))
        .collect())
}
