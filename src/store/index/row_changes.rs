//! The rows that a group of records inserts, changes and deletes: the content of records, as rows of the index. No SQL.

use crate::clock::Timestamp;
use crate::s3::checksum::Checksum;
use crate::s3::{BucketName, BucketSetting, ETag, ObjectKey};
use crate::store::content::{Extent, Place};
use crate::store::object::ObjectMeta;
use crate::store::record::{BodyPlace, Change, Record};
use crate::store::upload::{ObjectParts, UploadChecksum};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
pub(super) struct BucketRow<'a> {
    name: &'a BucketName,
    created: Timestamp,
    sequence: u64,
}

#[derive(Serialize)]
pub(super) struct SettingRow<'a> {
    bucket: &'a BucketName,
    setting: BucketSetting,
    /// `None`: the setting is removed.
    document: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct BodyRow<'a> {
    id: u64,
    size: u64,
    place: Place,
    md5: &'a str,
    crcs: &'a str,
}

#[derive(Serialize)]
pub(super) struct KeyRow<'a> {
    bucket: &'a BucketName,
    key: &'a ObjectKey,
}

#[derive(Serialize)]
pub(super) struct ObjectRow<'a> {
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
pub(super) struct TagRow<'a> {
    bucket: &'a BucketName,
    key: &'a ObjectKey,
    tagging: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct UploadRow<'a> {
    id: &'a str,
    bucket: &'a BucketName,
    key: &'a ObjectKey,
    initiated: Timestamp,
    meta: &'a ObjectMeta,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum: Option<UploadChecksum>,
}

#[derive(Serialize)]
pub(super) struct PartRow<'a> {
    pub(super) upload: &'a str,
    pub(super) number: u16,
    sequence: u64,
    etag: &'a ETag,
    size: u64,
    modified: Timestamp,
    extents: Vec<Extent>,
    checksums: &'a [Checksum],
}

/// The rows that a group of records inserts, changes and deletes.
#[derive(Default)]
pub(super) struct RowChanges<'a> {
    pub(super) buckets: Vec<BucketRow<'a>>,
    pub(super) deleted_buckets: Vec<&'a BucketName>,
    pub(super) settings: Vec<SettingRow<'a>>,
    pub(super) bodies: Vec<BodyRow<'a>>,
    /// Keys whose row is removed: the object was deleted, or a new one replaces it.
    pub(super) gone: Vec<KeyRow<'a>>,
    pub(super) objects: Vec<ObjectRow<'a>>,
    pub(super) tags: Vec<TagRow<'a>>,
    pub(super) uploads: Vec<UploadRow<'a>>,
    /// Uploads that were completed or aborted.
    pub(super) ended: Vec<&'a str>,
    /// Each replaces the part of the same upload that has its number.
    pub(super) parts: Vec<PartRow<'a>>,
    /// Parts that are removed and not replaced: [upload, number].
    pub(super) lost_parts: Vec<(&'a str, u16)>,
    /// Existing bodies that further extents name now, and how many extents. A new body starts with one reference.
    pub(super) retained: BTreeMap<u64, u64>,
    /// Bodies whose bytes may be freed.
    pub(super) freed: Vec<u64>,
}

impl<'a> RowChanges<'a> {
    pub(super) fn of(records: &'a [Record]) -> Self {
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
                extents: self.add_body(
                    record,
                    &put.body,
                    put.size_bytes,
                    &put.md5,
                    &put.block_crcs,
                ),
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
                extents: self.add_body(
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

    /// Adds the body that a record brought. Returns the extents that cover it.
    fn add_body(
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

    /// Whether the group only inserts and removes objects.
    pub(super) fn is_object_batch(&self) -> bool {
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
}

/// A statement takes its rows as one JSON parameter.
pub(super) fn json<T: Serialize + ?Sized>(rows: &T) -> String {
    serde_json::to_string(rows).expect("rows have only text keys")
}
