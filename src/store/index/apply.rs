//! Applies records to the index.
//!
//! One statement for each kind of change and group, with its rows as one JSON parameter, and a single one for the objects of a
//! group: a statement costs about the same whether it has one row or a hundred. Replay makes the same rows again.

use crate::faults;
use crate::store::effect::EffectKind;
use crate::store::index::effects::apply_effects;
use crate::store::index::row_changes::{RowChanges, json};
use crate::store::index::uploads::uploads_of_buckets;
use crate::store::record::segments::End;
use crate::store::record::{LogId, Record};
use sqlx::SqliteConnection;

/// Inserts and removes objects, which is all that most groups do, in one statement: sqlx wakes its caller for each
/// statement of a call. A row that is inserted into this view is a group: the position that the index reaches with it,
/// and its bodies and objects as JSON.
///
/// References are counted before the rows that name bodies are deleted. A body gains one reference for each new extent
/// that names it. It loses one for each extent that is deleted: with the objects at the keys `gone`, with parts that
/// are replaced, and with uploads that have ended. The count of a body that one row drops and another names stays the
/// same.
const OBJECT_BATCH: &str = "
CREATE TEMP VIEW object_batch AS
SELECT '' AS log_id, 0 AS sequence, 0 AS segment, 0 AS end_offset,
       '' AS bodies, '' AS retained, '' AS gone, '' AS replaced, '' AS ended, '' AS objects;
CREATE TEMP TRIGGER apply_object_batch INSTEAD OF INSERT ON object_batch
BEGIN
    INSERT INTO position (id, log_id, sequence, segment, end_offset) VALUES (1, NEW.log_id, NEW.sequence, NEW.segment, NEW.end_offset)
    ON CONFLICT (id) DO UPDATE SET log_id = excluded.log_id, sequence = excluded.sequence,
        segment = excluded.segment, end_offset = excluded.end_offset;
    INSERT INTO bodies (id, size_bytes, place, md5, block_crcs, refs)
    SELECT value ->> 'id', value ->> 'size', value -> 'place', value ->> 'md5', value ->> 'crcs', 1
    FROM json_each(NEW.bodies);
    UPDATE bodies SET refs = refs + change.by
    FROM (SELECT body, sum(delta) AS by
          FROM (SELECT value ->> 0 AS body, value ->> 1 AS delta FROM json_each(NEW.retained)
                UNION ALL
                SELECT extent.value ->> 0, -1
                FROM json_each(NEW.gone) AS gone
                CROSS JOIN objects ON objects.bucket = gone.value ->> 'bucket' AND objects.key = gone.value ->> 'key'
                CROSS JOIN json_each(objects.extents) AS extent
                UNION ALL
                SELECT extent.value ->> 0, -1
                FROM json_each(NEW.replaced) AS replaced
                CROSS JOIN parts ON parts.upload = replaced.value ->> 0 AND parts.number = replaced.value ->> 1
                CROSS JOIN json_each(parts.extents) AS extent
                UNION ALL
                SELECT extent.value ->> 0, -1
                FROM json_each(NEW.ended) AS ended
                CROSS JOIN parts ON parts.upload = ended.value
                CROSS JOIN json_each(parts.extents) AS extent)
          GROUP BY body HAVING sum(delta) <> 0) AS change
    WHERE bodies.id = change.body;
    DELETE FROM objects WHERE (bucket, key) IN
    (SELECT value ->> 'bucket', value ->> 'key' FROM json_each(NEW.gone));
    INSERT INTO objects (bucket, key, sequence, etag, size_bytes, modified_ms, extents, meta, parts)
    SELECT value ->> 'bucket', value ->> 'key', value ->> 'sequence', value ->> 'etag', value ->> 'size',
           value ->> 'modified', value -> 'extents', value -> 'meta', value -> 'parts'
    FROM json_each(NEW.objects);
END";

/// Makes the view and its trigger. Call it once for each connection that applies records.
pub(in crate::store) async fn prepare(
    connection: &mut SqliteConnection,
) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(OBJECT_BATCH)
        .execute(connection)
        .await
        .map(drop)
}

impl RowChanges<'_> {
    /// Applies everything except the effects of other modules.
    async fn apply(
        &self,
        connection: &mut SqliteConnection,
        log: LogId,
        end: End,
    ) -> Result<(), sqlx::Error> {
        let uploads_of_deleted = if self.deleted_buckets.is_empty() {
            Vec::new()
        } else {
            uploads_of_buckets(connection, &json(&self.deleted_buckets)).await?
        };
        let ended: Vec<&str> = (self.ended.iter().copied())
            .chain(uploads_of_deleted.iter().map(String::as_str))
            .collect();
        self.apply_object_batch(connection, &ended, log, end)
            .await?;
        if !self.buckets.is_empty() {
            insert_buckets(connection, &json(&self.buckets)).await?;
        }
        if !self.tags.is_empty() {
            set_tags(connection, &json(&self.tags)).await?;
        }
        if !self.lost_parts.is_empty() {
            delete_parts(connection, &json(&self.lost_parts)).await?;
        }
        if !self.parts.is_empty() {
            insert_parts(connection, &json(&self.parts)).await?;
        }
        if !ended.is_empty() {
            delete_uploads(connection, &json(&ended)).await?;
        }
        if !self.uploads.is_empty() {
            insert_uploads(connection, &json(&self.uploads)).await?;
        }
        if !self.settings.is_empty() {
            let rows = json(&self.settings);
            delete_settings(connection, &rows).await?;
            insert_settings(connection, &rows).await?;
        }
        if !self.deleted_buckets.is_empty() {
            delete_buckets(connection, &json(&self.deleted_buckets)).await?;
        }
        if !self.freed.is_empty() {
            delete_bodies(connection, &json(&self.freed)).await?;
        }
        Ok(())
    }

    async fn apply_object_batch(
        &self,
        connection: &mut SqliteConnection,
        ended: &[&str],
        log: LogId,
        end: End,
    ) -> Result<(), sqlx::Error> {
        let retained: Vec<(&u64, &u64)> = self.retained.iter().collect();
        let replaced: Vec<(&str, u16)> = (self.parts.iter())
            .map(|part| (part.upload, part.number))
            .chain(self.lost_parts.iter().copied())
            .collect();
        sqlx::query("INSERT INTO object_batch VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")
            .bind(log.to_hex())
            .bind(end.sequence.cast_signed())
            .bind(end.segment.cast_signed())
            .bind(end.offset.cast_signed())
            .bind(json(&self.bodies))
            .bind(json(&retained))
            .bind(json(&self.gone))
            .bind(json(&replaced))
            .bind(json(ended))
            .bind(json(&self.objects))
            .execute(connection)
            .await
            .map(drop)
    }
}

/// Applies records of which no two touch the same row, and moves the position to `end`: one transaction.
pub(in crate::store) async fn apply(
    connection: &mut SqliteConnection,
    records: &[Record],
    effects: &[EffectKind],
    log: LogId,
    end: End,
) -> Result<(), sqlx::Error> {
    let rows = RowChanges::of(records);
    if rows.is_object_batch() && records.iter().all(|record| record.effect.is_none()) {
        // A single statement is a transaction of its own.
        return rows.apply_object_batch(connection, &[], log, end).await;
    }
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut *connection)
        .await?;
    let mut applied = rows.apply(connection, log, end).await;
    if applied.is_ok() {
        applied = apply_effects(connection, records, effects).await;
    }
    if applied.is_ok() {
        faults::step("index-applied");
        let committed = sqlx::query("COMMIT").execute(&mut *connection).await;
        applied = committed.map(drop);
    }
    if applied.is_err() {
        // After some errors, a full disk among them, SQLite has already rolled back by itself, and this does nothing. A
        // `Transaction` of sqlx would still count as begun then, and no other could begin.
        // <https://sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction>
        drop(sqlx::query("ROLLBACK").execute(connection).await);
    }
    applied
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

async fn delete_buckets(connection: &mut SqliteConnection, names: &str) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM bucket_settings WHERE bucket IN (SELECT value FROM json_each(?1))")
        .bind(names)
        .execute(&mut *connection)
        .await?;
    sqlx::query("DELETE FROM buckets WHERE name IN (SELECT value FROM json_each(?1))")
        .bind(names)
        .execute(connection)
        .await
        .map(drop)
}

async fn delete_settings(connection: &mut SqliteConnection, rows: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM bucket_settings WHERE (bucket, setting) IN
         (SELECT value ->> 'bucket', value ->> 'setting' FROM json_each(?1))",
    )
    .bind(rows)
    .execute(connection)
    .await
    .map(drop)
}

async fn insert_settings(connection: &mut SqliteConnection, rows: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO bucket_settings (bucket, setting, document)
         SELECT value ->> 'bucket', value ->> 'setting', value ->> 'document'
         FROM json_each(?1) WHERE value ->> 'document' IS NOT NULL",
    )
    .bind(rows)
    .execute(connection)
    .await
    .map(drop)
}

async fn delete_bodies(connection: &mut SqliteConnection, ids: &str) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM bodies WHERE id IN (SELECT value FROM json_each(?1))")
        .bind(ids)
        .execute(connection)
        .await
        .map(drop)
}

async fn set_tags(connection: &mut SqliteConnection, rows: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE objects
         SET meta = CASE WHEN tagged.tagging IS NULL THEN json_remove(meta, '$.tagging')
                         ELSE json_set(meta, '$.tagging', tagged.tagging) END
         FROM (SELECT value ->> 'bucket' AS bucket, value ->> 'key' AS key, value ->> 'tagging' AS tagging
               FROM json_each(?1)) AS tagged
         WHERE objects.bucket = tagged.bucket AND objects.key = tagged.key",
    )
    .bind(rows)
    .execute(connection)
    .await
    .map(drop)
}

async fn insert_uploads(connection: &mut SqliteConnection, rows: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO uploads (id, bucket, key, initiated_ms, meta, checksum)
         SELECT value ->> 'id', value ->> 'bucket', value ->> 'key', value ->> 'initiated', value -> 'meta',
                value -> 'checksum'
         FROM json_each(?1)",
    )
    .bind(rows)
    .execute(connection)
    .await
    .map(drop)
}

/// Deletes uploads with all their parts.
async fn delete_uploads(connection: &mut SqliteConnection, ids: &str) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM parts WHERE upload IN (SELECT value FROM json_each(?1))")
        .bind(ids)
        .execute(&mut *connection)
        .await?;
    sqlx::query("DELETE FROM uploads WHERE id IN (SELECT value FROM json_each(?1))")
        .bind(ids)
        .execute(connection)
        .await
        .map(drop)
}

async fn delete_parts(connection: &mut SqliteConnection, rows: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM parts WHERE (upload, number) IN
         (SELECT value ->> 0, value ->> 1 FROM json_each(?1))",
    )
    .bind(rows)
    .execute(connection)
    .await
    .map(drop)
}

/// Inserts parts. Each replaces the part of the same upload that has its number.
async fn insert_parts(connection: &mut SqliteConnection, rows: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT OR REPLACE INTO parts (upload, number, sequence, etag, size_bytes, modified_ms, extents, checksums)
         SELECT value ->> 'upload', value ->> 'number', value ->> 'sequence', value ->> 'etag', value ->> 'size',
                value ->> 'modified', value -> 'extents', value -> 'checksums'
         FROM json_each(?1)",
    )
    .bind(rows)
    .execute(connection)
    .await
    .map(drop)
}
