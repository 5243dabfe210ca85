//! Queries about uploads under way, their parts, and the parts that objects were made of.

use crate::clock::Timestamp;
use crate::s3::checksum::Checksum;
use crate::s3::{BucketName, ETag, ObjectKey};
use crate::store::index::columns::{bucket_name, decode, from_json, object_key};
use crate::store::object::Object;
use crate::store::upload::{ObjectParts, Part, Upload, UploadId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use std::sync::Arc;

/// The columns of an upload that [`read_upload`] reads.
macro_rules! uploads {
    ($which:literal) => {
        concat!(
            "SELECT id, bucket, key, initiated_ms, meta, checksum FROM uploads WHERE ",
            $which
        )
    };
}

pub(in crate::store) async fn upload(
    connection: &mut SqliteConnection,
    bucket: &BucketName,
    key: &ObjectKey,
    id: &UploadId,
) -> Result<Option<Upload>, sqlx::Error> {
    let row = sqlx::query(uploads!("id = ?1 AND bucket = ?2 AND key = ?3"))
        .bind(id.as_str())
        .bind(bucket.as_str())
        .bind(key.as_str())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(read_upload).transpose()
}

/// The oldest uploads that were begun before the given time.
pub(in crate::store) async fn uploads_before(
    connection: &mut SqliteConnection,
    initiated_before: Timestamp,
    limit: u32,
) -> Result<Vec<Upload>, sqlx::Error> {
    let rows = sqlx::query(uploads!("initiated_ms < ?1 ORDER BY initiated_ms LIMIT ?2"))
        .bind(initiated_before.as_millis())
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.iter().map(read_upload).collect()
}

/// Where a walk over a bucket's uploads continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) enum From {
    At(String),
    After(String),
    /// After this upload of this key.
    AfterUpload(String, String),
}

/// Uploads in the order of key and id, before the key `end`.
pub(in crate::store) async fn uploads_from(
    connection: &mut SqliteConnection,
    bucket: &BucketName,
    from: &From,
    end: Option<&str>,
    limit: u32,
) -> Result<Vec<Upload>, sqlx::Error> {
    // Text sorts before any blob: no id comes after x'', and no key does.
    let (key, id) = match from {
        From::At(key) => (key, Some("")),
        From::After(key) => (key, None),
        From::AfterUpload(key, id) => (key, Some(id.as_str())),
    };
    let rows = sqlx::query(uploads!(
        "bucket = ?1 AND (key, id) > (?2, coalesce(?3, x'')) AND key < coalesce(?4, x'')
         ORDER BY key, id LIMIT ?5"
    ))
    .bind(bucket.as_str())
    .bind(key)
    .bind(id)
    .bind(end)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter().map(read_upload).collect()
}

fn read_upload(row: &SqliteRow) -> Result<Upload, sqlx::Error> {
    let checksum = row.get::<Option<&str>, _>(5);
    Ok(Upload {
        id: UploadId::parse(row.get(0)).ok_or_else(|| decode("id", "no id of an upload"))?,
        bucket: bucket_name(row.get(1))?,
        key: object_key(row.get(2))?,
        initiated_at: Timestamp::from_millis(row.get(3)),
        meta: Arc::new(from_json("meta", row.get(4))?),
        checksum: checksum
            .map(|checksum| from_json("checksum", checksum))
            .transpose()?,
    })
}

/// Ids of all uploads into buckets (a JSON list of names).
pub(in crate::store) async fn uploads_of_buckets(
    connection: &mut SqliteConnection,
    buckets: &str,
) -> Result<Vec<String>, sqlx::Error> {
    let rows =
        sqlx::query("SELECT id FROM uploads WHERE bucket IN (SELECT value FROM json_each(?1))")
            .bind(buckets)
            .fetch_all(connection)
            .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Parts with numbers above `after`, in the order of their numbers.
pub(in crate::store) async fn parts(
    connection: &mut SqliteConnection,
    upload: &UploadId,
    after: u16,
    limit: u32,
) -> Result<Vec<Part>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT number, sequence, etag, size_bytes, modified_ms, extents, checksums FROM parts
         WHERE upload = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
    )
    .bind(upload.as_str())
    .bind(after)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Part {
                number: row.get(0),
                sequence: row.get::<i64, _>(1).cast_unsigned(),
                etag: ETag::from_stored(row.get(2)),
                size_bytes: row.get::<i64, _>(3).cast_unsigned(),
                last_modified: Timestamp::from_millis(row.get(4)),
                extents: from_json("extents", row.get(5))?,
                checksums: from_json::<Vec<Checksum>>("checksums", row.get(6))?,
            })
        })
        .collect()
}

/// Whether none of these parts was replaced since the caller looked it up.
pub(in crate::store) async fn are_unchanged(
    connection: &mut SqliteConnection,
    upload: &UploadId,
    seen: &[Part],
) -> Result<bool, sqlx::Error> {
    let sequences: Vec<(u16, u64)> = seen
        .iter()
        .map(|part| (part.number, part.sequence))
        .collect();
    let sequences = serde_json::to_string(&sequences).expect("numbers are JSON");
    let row = sqlx::query(
        "SELECT count(*) FROM json_each(?2) AS seen
         CROSS JOIN parts ON parts.upload = ?1 AND parts.number = seen.value ->> 0
         WHERE parts.sequence = seen.value ->> 1",
    )
    .bind(upload.as_str())
    .bind(sequences)
    .fetch_one(connection)
    .await?;
    Ok(usize::try_from(row.get::<i64, _>(0)) == Ok(seen.len()))
}

/// `None`: the key no longer has this object. `Some(None)`: the object was not made of parts.
pub(in crate::store) async fn object_parts(
    connection: &mut SqliteConnection,
    object: &Object,
) -> Result<Option<Option<ObjectParts>>, sqlx::Error> {
    let row =
        sqlx::query("SELECT parts FROM objects WHERE bucket = ?1 AND key = ?2 AND sequence = ?3")
            .bind(object.bucket.as_str())
            .bind(object.key.as_str())
            .bind(object.sequence.cast_signed())
            .fetch_optional(connection)
            .await?;
    let Some(row) = row else { return Ok(None) };
    let parts = row.get::<Option<&str>, _>(0);
    parts
        .map(|parts| from_json("parts", parts))
        .transpose()
        .map(Some)
}
