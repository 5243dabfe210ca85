//! Applying what the log says.
//!
//! One statement for each kind of change and group, its rows as one JSON parameter, and one for all that most groups bring:
//! a statement costs about the same whether it has one row or a hundred. Everything here gives the same
//! rows again when a log is replayed.

use crate::clock::Timestamp;
use crate::faults;
use crate::s3::checksum::Checksum;
use crate::s3::{BucketName, BucketSetting, ETag, ObjectKey};
use crate::store::content::{Extent, Place};
use crate::store::effect::EffectKind;
use crate::store::object::ObjectMeta;
use crate::store::record::segments::End;
use crate::store::record::{BodyPlace, Change, LogId, Record};
use crate::store::upload::{ObjectParts, UploadChecksum};
use serde::Serialize;
use sqlx::SqliteConnection;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct BucketRow<'a> {
    name: &'a BucketName,
    created: Timestamp,
    sequence: u64,
}

#[derive(Serialize)]
struct SettingRow<'a> {
    bucket: &'a BucketName,
    setting: BucketSetting,
    /// `None`: it is set no more.
    document: Option<&'a str>,
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
    bucket: &'a BucketName,
    key: &'a ObjectKey,
}

#[derive(Serialize)]
struct ObjectRow<'a> {
    bucket: &'a BucketName,
    key: &'a ObjectKey,
    sequence: u64,
    etag: &'a ETag,
    size: u64,
    modified: Timestamp,
    extents: Vec<Extent>,
    meta: &'a ObjectMeta,
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<&'a ObjectParts>,
}

#[derive(Serialize)]
struct TagRow<'a> {
    bucket: &'a BucketName,
    key: &'a ObjectKey,
    tagging: Option<&'a str>,
}

#[derive(Serialize)]
struct UploadRow<'a> {
    id: &'a str,
    bucket: &'a BucketName,
    key: &'a ObjectKey,
    initiated: Timestamp,
    meta: &'a ObjectMeta,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum: Option<UploadChecksum>,
}

#[derive(Serialize)]
struct PartRow<'a> {
    upload: &'a str,
    number: u16,
    sequence: u64,
    etag: &'a ETag,
    size: u64,
    modified: Timestamp,
    extents: Vec<Extent>,
    checksums: &'a [Checksum],
}

#[derive(Serialize)]
struct EffectRow<'a> {
    sequence: u64,
    at: Timestamp,
    data: &'a serde_json::Value,
}

/// The rows that a group of records brings, changes and takes away.
#[derive(Default)]
struct Rows<'a> {
    buckets: Vec<BucketRow<'a>>,
    deleted_buckets: Vec<&'a BucketName>,
    settings: Vec<SettingRow<'a>>,
    bodies: Vec<BodyRow<'a>>,
    /// Keys whose row goes: deleted, or in the way of another.
    gone: Vec<KeyRow<'a>>,
    objects: Vec<ObjectRow<'a>>,
    tags: Vec<TagRow<'a>>,
    uploads: Vec<UploadRow<'a>>,
    /// Uploads that are completed or given up.
    ended: Vec<&'a str>,
    /// Each in the place of the one that has its number.
    parts: Vec<PartRow<'a>>,
    /// Parts that are no more, and none in their place: [upload, number].
    lost_parts: Vec<(&'a str, u16)>,
    /// Bodies that were there and that further extents name now, and how many. A new body comes with its one.
    retained: BTreeMap<u64, u64>,
    /// Bodies whose bytes may go.
    freed: Vec<u64>,
}

/// What most groups bring, as one statement: sqlx wakes its caller for each that a call has. A row put into this view is a
/// group: the position that the index is at with it, and bodies and objects as JSON.
///
/// References are counted before the rows that name bodies go: bodies gain one for each extent that names them now, and
/// lose one for each that goes, of the objects at the keys `gone`, of parts that are replaced, of uploads that have ended.
/// What goes and comes at once changes nothing.
const USUAL: &str = "
CREATE TEMP VIEW usual AS
SELECT '' AS log_id, 0 AS sequence, 0 AS segment, 0 AS end_offset,
       '' AS bodies, '' AS retained, '' AS gone, '' AS replaced, '' AS ended, '' AS objects;
CREATE TEMP TRIGGER apply_usual INSTEAD OF INSERT ON usual
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

/// To be called once for each connection that applies.
pub(in crate::store) async fn prepare(
    connection: &mut SqliteConnection,
) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(USUAL).execute(connection).await.map(drop)
}

impl<'a> Rows<'a> {
    fn of(records: &'a [Record]) -> Self {
        let mut rows = Self::default();
        for record in records {
            rows.add(record);
        }
        rows
    }

    fn add(&mut self, record: &'a Record) {
        match &record.change {
            Change::Put(_) | Change::Copied(_) | Change::UploadCompleted(_) => {
                self.add_object(record);
            }
            Change::PartPut(_) | Change::PartCopied(_) => self.add_part(record),
            Change::PartLost { upload, number, .. } => {
                self.lost_parts.push((upload.as_str(), *number));
            }
            Change::Delete { bucket, key } => self.gone.push(KeyRow { bucket, key }),
            Change::Tagged {
                bucket,
                key,
                tagging,
            } => self.tags.push(TagRow {
                bucket,
                key,
                tagging: tagging.as_deref(),
            }),
            Change::UploadCreated(created) => self.uploads.push(UploadRow {
                id: created.upload.as_str(),
                bucket: &created.bucket,
                key: &created.key,
                initiated: record.at,
                meta: &created.meta,
                checksum: created.checksum,
            }),
            Change::UploadAborted { upload, .. } => self.ended.push(upload.as_str()),
            Change::BucketCreated { bucket, settings } => {
                self.buckets.push(BucketRow {
                    name: bucket,
                    created: record.at,
                    sequence: record.sequence,
                });
                let stated = settings.iter().map(|(setting, document)| SettingRow {
                    bucket,
                    setting: *setting,
                    document: Some(document),
                });
                self.settings.extend(stated);
            }
            Change::BucketDeleted { bucket } => self.deleted_buckets.push(bucket),
            Change::BucketSet {
                bucket,
                setting,
                document,
            } => self.settings.push(SettingRow {
                bucket,
                setting: *setting,
                document: document.as_deref(),
            }),
            Change::Freed { bodies } => self.freed.extend(bodies.iter().map(|freed| freed.body)),
            Change::Begun { .. } | Change::Domain => {}
        }
    }

    fn add_object(&mut self, record: &'a Record) {
        let (sequence, modified) = (record.sequence, record.at);
        let row = match &record.change {
            Change::Put(put) => ObjectRow {
                bucket: &put.bucket,
                key: &put.key,
                sequence,
                etag: &put.etag,
                size: put.size_bytes,
                modified,
                extents: self.bring(record, &put.body, put.size_bytes, &put.md5, &put.block_crcs),
                meta: &put.meta,
                parts: None,
            },
            Change::Copied(copied) => ObjectRow {
                bucket: &copied.bucket,
                key: &copied.key,
                sequence,
                etag: &copied.etag,
                size: copied.size_bytes,
                modified,
                extents: self.retain(&copied.extents),
                meta: &copied.meta,
                parts: copied.parts.as_ref(),
            },
            Change::UploadCompleted(completed) => {
                self.ended.push(completed.upload.as_str());
                ObjectRow {
                    bucket: &completed.bucket,
                    key: &completed.key,
                    sequence,
                    etag: &completed.etag,
                    size: completed.size_bytes,
                    modified,
                    extents: self.retain(&completed.extents),
                    meta: &completed.meta,
                    parts: Some(&completed.parts),
                }
            }
            _ => return,
        };
        self.gone.push(KeyRow {
            bucket: row.bucket,
            key: row.key,
        });
        self.objects.push(row);
    }

    fn add_part(&mut self, record: &'a Record) {
        let (sequence, modified) = (record.sequence, record.at);
        let row = match &record.change {
            Change::PartPut(part) => PartRow {
                upload: part.upload.as_str(),
                number: part.number,
                sequence,
                etag: &part.etag,
                size: part.size_bytes,
                modified,
                extents: self.bring(
                    record,
                    &part.body,
                    part.size_bytes,
                    &part.md5,
                    &part.block_crcs,
                ),
                checksums: &part.checksums,
            },
            Change::PartCopied(part) => PartRow {
                upload: part.upload.as_str(),
                number: part.number,
                sequence,
                etag: &part.etag,
                size: part.size_bytes,
                modified,
                extents: self.retain(&part.extents),
                checksums: &part.checksums,
            },
            _ => return,
        };
        self.parts.push(row);
    }

    /// The body that a record brought, and the extents that it makes.
    fn bring(
        &mut self,
        record: &Record,
        body: &BodyPlace,
        size: u64,
        md5: &'a str,
        crcs: &'a str,
    ) -> Vec<Extent> {
        let id = record.sequence;
        let Some(place) = record.place(body) else {
            return Vec::new();
        };
        self.bodies.push(BodyRow {
            id,
            size,
            place,
            md5,
            crcs,
        });
        Extent::whole(id, size).into_iter().collect()
    }

    fn retain(&mut self, extents: &[Extent]) -> Vec<Extent> {
        for extent in extents {
            *self.retained.entry(extent.body).or_default() += 1;
        }
        extents.to_vec()
    }

    /// All but what belongs to other modules.
    async fn apply(
        &self,
        connection: &mut SqliteConnection,
        log: LogId,
        end: End,
    ) -> Result<(), sqlx::Error> {
        let with_bucket = if self.deleted_buckets.is_empty() {
            Vec::new()
        } else {
            crate::store::index::uploads::uploads_of_buckets(
                connection,
                &json(&self.deleted_buckets),
            )
            .await?
        };
        let ended: Vec<&str> = (self.ended.iter().copied())
            .chain(with_bucket.iter().map(String::as_str))
            .collect();
        self.apply_usual(connection, &ended, log, end).await?;
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

    /// Whether objects that come and go are all there is.
    fn are_usual(&self) -> bool {
        let Self {
            buckets,
            deleted_buckets,
            settings,
            bodies: _,
            gone: _,
            objects: _,
            tags,
            uploads,
            ended,
            parts,
            lost_parts,
            retained: _,
            freed,
        } = self;
        buckets.is_empty()
            && deleted_buckets.is_empty()
            && settings.is_empty()
            && tags.is_empty()
            && uploads.is_empty()
            && ended.is_empty()
            && parts.is_empty()
            && lost_parts.is_empty()
            && freed.is_empty()
    }

    async fn apply_usual(
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
        sqlx::query("INSERT INTO usual VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")
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
    let rows = Rows::of(records);
    if rows.are_usual() && records.iter().all(|record| record.effect.is_none()) {
        // One statement is a transaction of its own.
        return rows.apply_usual(connection, &[], log, end).await;
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
        // After some errors, a full disk among them, SQLite has rolled back by itself, and this has nothing to do. A
        // transaction of sqlx's would count on as begun then, and no other could begin.
        // <https://sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction>
        drop(sqlx::query("ROLLBACK").execute(connection).await);
    }
    applied
}

async fn apply_effects(
    connection: &mut SqliteConnection,
    records: &[Record],
    effects: &[EffectKind],
) -> Result<(), sqlx::Error> {
    for kind in effects {
        let rows: Vec<EffectRow<'_>> = records
            .iter()
            .filter_map(|record| {
                let effect = record
                    .effect
                    .as_ref()
                    .filter(|effect| effect.kind == kind.kind)?;
                Some(EffectRow {
                    sequence: record.sequence,
                    at: record.at,
                    data: &effect.data,
                })
            })
            .collect();
        if !rows.is_empty() {
            (kind.apply)(connection, &json(&rows)).await?;
        }
    }
    Ok(())
}

fn json<T: Serialize + ?Sized>(rows: &T) -> String {
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

/// Uploads with all their parts.
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

/// Each in the place of the one that has its number.
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
