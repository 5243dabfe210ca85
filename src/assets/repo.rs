//! The rows of assets and pointers: every statement of `assets`, and what its effects do to the index.
//!
//! Effects hold outcomes (ids, times, texts). Applying one is a plain insert, update or delete, the same at a commit and
//! at replay.
use super::entity::{EntityType, Pointer};
use super::model::{Asset, Bindings, Micros};
use crate::store::{Effect, EffectKind};
use futures_util::future::BoxFuture;
use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use std::borrow::Cow;
use uuid::Uuid;

/// In the order in which a group's effects are applied.
///
/// Records written before pointers were kept by workspace lock a cover's pointer by its project alone, so replay may
/// group one of them with a newer record of the same pointer. `BOUND` stands before what else moves pointers: an older
/// `bound` empties pointers that a newer `changed` or `pointed` may set again.
pub(super) const EFFECTS: [EffectKind; 7] = [
    EffectKind {
        kind: REQUESTED,
        apply: apply_requested,
    },
    EffectKind {
        kind: BOUND,
        apply: apply_bound,
    },
    EffectKind {
        kind: CHANGED,
        apply: apply_changed,
    },
    EffectKind {
        kind: DELETED,
        apply: apply_deleted,
    },
    EffectKind {
        kind: POINTED,
        apply: apply_pointed,
    },
    EffectKind {
        kind: RESTORED,
        apply: apply_restored,
    },
    EffectKind {
        kind: PURGED,
        apply: apply_purged,
    },
];
const REQUESTED: &str = "asset.requested";
const CHANGED: &str = "asset.changed";
const DELETED: &str = "asset.deleted";
const POINTED: &str = "asset.pointed";
const RESTORED: &str = "asset.restored";
const BOUND: &str = "asset.bound";
const PURGED: &str = "asset.purged";

pub(super) fn asset_lock(id: Uuid) -> String {
    format!("asset:{id}")
}
pub(super) fn pointer_lock(pointer: Pointer) -> String {
    let Pointer {
        kind,
        workspace_id,
        owner_id,
    } = pointer;
    let kind = kind.as_str();
    match workspace_id {
        Some(workspace_id) => format!("pointer:{kind}:{workspace_id}/{owner_id}"),
        None => format!("pointer:{kind}:{owner_id}"),
    }
}

/// Who asks for the same external id waits for one another.
pub(super) fn external_lock(workspace_id: Uuid, id: &str, source: &str) -> String {
    format!("external:{workspace_id}/{}:{id}/{source}", id.len())
}

/// A new asset, as it is.
pub(super) fn requested(asset: &Asset) -> Effect {
    effect(REQUESTED, vec![asset_lock(asset.id)], asset)
}

/// A PATCH.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Changed {
    pub(super) id: Uuid,
    /// The text of a JSON object; `None`: as before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) attributes: Option<String>,
    pub(super) updated_by: Uuid,
    pub(super) updated_at: Micros,
    /// `None`: as before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pointer_wanted: Option<bool>,
    /// `None`: as before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) created_by: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) moved: Option<Moved>,
}
impl Changed {
    pub(super) fn effect(&self) -> Effect {
        let mut touches = vec![asset_lock(self.id)];
        touches.extend(self.moved.iter().flat_map(Moved::touches));
        effect(CHANGED, touches, self)
    }
}

/// A pointer names another asset now.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Moved {
    #[serde(flatten)]
    pub(super) pointer: Pointer,
    /// What it named before, which is deleted with this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replaced: Option<Uuid>,
    pub(super) at: Micros,
}
impl Moved {
    fn touches(&self) -> Vec<String> {
        let pointer = pointer_lock(self.pointer);
        let replaced = self.replaced.map(asset_lock);
        [Some(pointer), replaced].into_iter().flatten().collect()
    }
}

/// The bytes came of an asset that a pointer waited for.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Pointed {
    pub(super) id: Uuid,
    pub(super) moved: Moved,
}
impl Pointed {
    pub(super) fn effect(&self) -> Effect {
        let mut touches = vec![asset_lock(self.id)];
        touches.extend(self.moved.touches());
        effect(POINTED, touches, self)
    }
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Restored {
    pub(super) id: Uuid,
}
impl Restored {
    pub(super) fn effect(&self) -> Effect {
        effect(RESTORED, vec![asset_lock(self.id)], self)
    }
}

/// What some assets are bound to from now on, and the cover that a project of a workspace shows.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Bound {
    pub(super) assets: Vec<BoundAsset>,
    pub(super) workspace_id: Uuid,
    pub(super) project_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cover: Option<Uuid>,
    /// The cover that the project showed. It stays as it is.
    #[serde(skip)]
    pub(super) former_cover: Option<Uuid>,
}
#[derive(Debug, Clone, Serialize)]
pub(super) struct BoundAsset {
    pub(super) id: Uuid,
    /// What is not named stays.
    #[serde(flatten)]
    pub(super) bindings: Bindings,
}
impl Bound {
    pub(super) fn effect(&self) -> Effect {
        let assets = self.assets.iter().map(|asset| asset_lock(asset.id));
        let mut touches: Vec<String> = assets.collect();
        if self.cover.is_some() {
            touches.push(pointer_lock(Pointer::project_cover(
                self.workspace_id,
                self.project_id,
            )));
            // For replay: the older record that set the pointer to this asset has another lock on the pointer.
            touches.extend(self.former_cover.map(asset_lock));
        }
        effect(BOUND, touches, self)
    }
}

/// A soft delete, and the pointers that it empties.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Deleted {
    pub(super) id: Uuid,
    pub(super) deleted_at: Micros,
    pub(super) emptied: Vec<Pointer>,
}
impl Deleted {
    pub(super) fn effect(&self) -> Effect {
        let mut touches = vec![asset_lock(self.id)];
        touches.extend(self.emptied.iter().copied().map(pointer_lock));
        effect(DELETED, touches, self)
    }
}

fn effect(kind: &'static str, touches: Vec<String>, data: &impl Serialize) -> Effect {
    Effect {
        kind: Cow::Borrowed(kind),
        touches,
        data: serde_json::to_value(data).expect("a record of texts, numbers and ids is JSON"),
    }
}

fn apply_requested<'c>(
    connection: &'c mut SqliteConnection,
    rows: &'c str,
) -> BoxFuture<'c, Result<(), sqlx::Error>> {
    Box::pin(async move {
        sqlx::query(
            "INSERT INTO assets (id, entity_type, bucket, key, content_type, attributes, size,
                                 user_id, workspace_id, project_id, issue_id, comment_id, page_id,
                                 draft_issue_id, external_id, external_source, created_by,
                                 updated_by, created_at, updated_at, deleted_at, pointer_wanted)
             SELECT value ->> '$.data.id', value ->> '$.data.entity_type',
                    value ->> '$.data.bucket', value ->> '$.data.key',
                    value ->> '$.data.content_type', value ->> '$.data.attributes',
                    value ->> '$.data.size', value ->> '$.data.user_id',
                    value ->> '$.data.workspace_id', value ->> '$.data.project_id',
                    value ->> '$.data.issue_id', value ->> '$.data.comment_id',
                    value ->> '$.data.page_id', value ->> '$.data.draft_issue_id',
                    value ->> '$.data.external_id', value ->> '$.data.external_source',
                    value ->> '$.data.created_by', value ->> '$.data.updated_by',
                    value ->> '$.data.created_at', value ->> '$.data.updated_at',
                    value ->> '$.data.deleted_at', value ->> '$.data.pointer_wanted'
             FROM json_each(?1)",
        )
        .bind(rows)
        .execute(connection)
        .await?;
        Ok(())
    })
}

fn apply_changed<'c>(
    connection: &'c mut SqliteConnection,
    rows: &'c str,
) -> BoxFuture<'c, Result<(), sqlx::Error>> {
    Box::pin(async move {
        sqlx::query(
            "UPDATE assets
             SET attributes = coalesce(changed.attributes, assets.attributes),
                 pointer_wanted = coalesce(changed.pointer_wanted, assets.pointer_wanted),
                 created_by = coalesce(changed.created_by, assets.created_by),
                 updated_by = changed.updated_by, updated_at = changed.updated_at
             FROM (SELECT value ->> '$.data.id' AS id,
                          value ->> '$.data.attributes' AS attributes,
                          value ->> '$.data.pointer_wanted' AS pointer_wanted,
                          value ->> '$.data.created_by' AS created_by,
                          value ->> '$.data.updated_by' AS updated_by,
                          value ->> '$.data.updated_at' AS updated_at
                   FROM json_each(?1)) AS changed
             WHERE assets.id = changed.id",
        )
        .bind(rows)
        .execute(&mut *connection)
        .await?;
        // Most changes move none.
        if rows.contains(r#""moved":"#) {
            move_pointers(connection, rows).await?;
        }
        Ok(())
    })
}

fn apply_pointed<'c>(
    connection: &'c mut SqliteConnection,
    rows: &'c str,
) -> BoxFuture<'c, Result<(), sqlx::Error>> {
    Box::pin(move_pointers(connection, rows))
}

/// A record without `workspace_id` was written when a project had one pointer for all workspaces. The workspace is then
/// the asset's, and the pointer of the replaced asset goes, whichever workspace it is of: as it went at the time.
async fn move_pointers(connection: &mut SqliteConnection, rows: &str) -> Result<(), sqlx::Error> {
    for statement in [
        "UPDATE assets SET pointer_wanted = 0
         WHERE id IN (SELECT value ->> '$.data.id' FROM json_each(?1)
                      WHERE value -> '$.data.moved' IS NOT NULL)",
        "DELETE FROM pointers
         WHERE (kind, owner_id, asset_id) IN
               (SELECT value ->> '$.data.moved.kind', value ->> '$.data.moved.owner_id',
                       value ->> '$.data.moved.replaced'
                FROM json_each(?1))",
        "INSERT INTO pointers (kind, workspace_id, owner_id, asset_id)
         SELECT moved.kind,
                coalesce(moved.workspace_id,
                         CASE moved.kind WHEN 'project_cover'
                         THEN (SELECT workspace_id FROM assets WHERE assets.id = moved.id) END,
                         ''),
                moved.owner_id, moved.id
         FROM (SELECT value ->> '$.data.id' AS id, value ->> '$.data.moved.kind' AS kind,
                      value ->> '$.data.moved.workspace_id' AS workspace_id,
                      value ->> '$.data.moved.owner_id' AS owner_id
               FROM json_each(?1) WHERE value -> '$.data.moved' IS NOT NULL) AS moved
         WHERE true
         ON CONFLICT DO UPDATE SET asset_id = excluded.asset_id",
        "UPDATE assets SET deleted_at = moved.at
         FROM (SELECT value ->> '$.data.moved.replaced' AS id, value ->> '$.data.moved.at' AS at
               FROM json_each(?1)) AS moved
         WHERE assets.id = moved.id AND assets.deleted_at IS NULL",
    ] {
        sqlx::query(statement)
            .bind(rows)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

fn apply_restored<'c>(
    connection: &'c mut SqliteConnection,
    rows: &'c str,
) -> BoxFuture<'c, Result<(), sqlx::Error>> {
    Box::pin(async move {
        sqlx::query(
            "UPDATE assets SET deleted_at = NULL
             WHERE id IN (SELECT value ->> '$.data.id' FROM json_each(?1))",
        )
        .bind(rows)
        .execute(connection)
        .await?;
        Ok(())
    })
}

fn apply_bound<'c>(
    connection: &'c mut SqliteConnection,
    rows: &'c str,
) -> BoxFuture<'c, Result<(), sqlx::Error>> {
    Box::pin(async move {
        sqlx::query(
            "UPDATE assets
             SET project_id = coalesce(bound.project_id, assets.project_id),
                 issue_id = coalesce(bound.issue_id, assets.issue_id),
                 comment_id = coalesce(bound.comment_id, assets.comment_id),
                 page_id = coalesce(bound.page_id, assets.page_id),
                 draft_issue_id = coalesce(bound.draft_issue_id, assets.draft_issue_id)
             FROM (SELECT one.value ->> '$.id' AS id, one.value ->> '$.project_id' AS project_id,
                          one.value ->> '$.issue_id' AS issue_id,
                          one.value ->> '$.comment_id' AS comment_id,
                          one.value ->> '$.page_id' AS page_id,
                          one.value ->> '$.draft_issue_id' AS draft_issue_id
                   FROM json_each(?1) AS record,
                        json_each(record.value, '$.data.assets') AS one) AS bound
             WHERE assets.id = bound.id",
        )
        .bind(rows)
        .execute(&mut *connection)
        .await?;
        // Records without `workspace_id`: as those of [`move_pointers`].
        for statement in [
            "DELETE FROM pointers
             WHERE kind = 'project_cover' AND owner_id IN
                   (SELECT value ->> '$.data.project_id' FROM json_each(?1)
                    WHERE value ->> '$.data.cover' IS NOT NULL
                          AND value ->> '$.data.workspace_id' IS NULL)",
            "INSERT INTO pointers (kind, workspace_id, owner_id, asset_id)
             SELECT 'project_cover',
                    coalesce(bound.workspace_id,
                             (SELECT workspace_id FROM assets WHERE assets.id = bound.cover), ''),
                    bound.project_id, bound.cover
             FROM (SELECT value ->> '$.data.workspace_id' AS workspace_id,
                          value ->> '$.data.project_id' AS project_id,
                          value ->> '$.data.cover' AS cover
                   FROM json_each(?1) WHERE value ->> '$.data.cover' IS NOT NULL) AS bound
             WHERE true
             ON CONFLICT DO UPDATE SET asset_id = excluded.asset_id",
        ] {
            sqlx::query(statement)
                .bind(rows)
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    })
}

fn apply_deleted<'c>(
    connection: &'c mut SqliteConnection,
    rows: &'c str,
) -> BoxFuture<'c, Result<(), sqlx::Error>> {
    Box::pin(async move {
        sqlx::query(
            "UPDATE assets SET deleted_at = deleted.at, pointer_wanted = 0
             FROM (SELECT value ->> '$.data.id' AS id, value ->> '$.data.deleted_at' AS at
                   FROM json_each(?1)) AS deleted
             WHERE assets.id = deleted.id",
        )
        .bind(rows)
        .execute(&mut *connection)
        .await?;
        // Only a pointer that names the deleted asset is emptied, so the asset tells the workspace of older records.
        sqlx::query(
            "DELETE FROM pointers
             WHERE (kind, owner_id, asset_id) IN
                   (SELECT emptied.value ->> '$.kind', emptied.value ->> '$.owner_id',
                           record.value ->> '$.data.id'
                    FROM json_each(?1) AS record,
                         json_each(record.value, '$.data.emptied') AS emptied)",
        )
        .bind(rows)
        .execute(connection)
        .await?;
        Ok(())
    })
}

/// The row goes for good, and with it each pointer that still names it.
pub(super) fn purged(id: Uuid) -> Effect {
    Effect {
        kind: Cow::Borrowed(PURGED),
        touches: vec![asset_lock(id)],
        data: serde_json::json!({ "id": id }),
    }
}

fn apply_purged<'c>(
    connection: &'c mut SqliteConnection,
    rows: &'c str,
) -> BoxFuture<'c, Result<(), sqlx::Error>> {
    Box::pin(async move {
        for statement in [
            "DELETE FROM pointers
             WHERE asset_id IN (SELECT value ->> '$.data.id' FROM json_each(?1))",
            "DELETE FROM assets WHERE id IN (SELECT value ->> '$.data.id' FROM json_each(?1))",
        ] {
            sqlx::query(statement)
                .bind(rows)
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    })
}

/// Assets that were deleted before one time, or asked for before another and have no object: of the rows after `after`
/// as many as are looked at together, and the last of those; `None`: there are no more rows.
pub(super) async fn aged(
    connection: &mut SqliteConnection,
    after: i64,
    deleted_before: Micros,
    asked_before: Micros,
) -> Result<Option<(i64, Vec<Asset>)>, sqlx::Error> {
    const ROWS: i64 = 2000;
    let last: Option<i64> = sqlx::query_scalar(
        "SELECT max(rowid) FROM (SELECT rowid FROM assets WHERE rowid > ?1 ORDER BY rowid LIMIT ?2)",
    )
    .bind(after)
    .bind(ROWS)
    .fetch_one(&mut *connection)
    .await?;
    let Some(last) = last else {
        return Ok(None);
    };
    let rows = sqlx::query(
        "SELECT * FROM assets
         WHERE rowid > ?1 AND rowid <= ?2
           AND (deleted_at < ?3
                OR (created_at < ?4 AND deleted_at IS NULL
                    AND NOT EXISTS (SELECT 1 FROM objects
                                    WHERE objects.bucket = assets.bucket AND objects.key = assets.key)))",
    )
    .bind(after)
    .bind(last)
    .bind(deleted_before.as_micros())
    .bind(asked_before.as_micros())
    .fetch_all(connection)
    .await?;
    let assets: Result<Vec<_>, _> = rows.iter().map(asset_of).collect();
    Ok(Some((last, assets?)))
}

/// An asset that is not deleted.
pub(super) async fn asset(
    connection: &mut SqliteConnection,
    id: Uuid,
) -> Result<Option<Asset>, sqlx::Error> {
    sqlx::query("SELECT * FROM assets WHERE id = ?1 AND deleted_at IS NULL")
        .bind(id.to_string())
        .fetch_optional(connection)
        .await?
        .map(|row| asset_of(&row))
        .transpose()
}

/// An asset, deleted or not.
pub(super) async fn any_asset(
    connection: &mut SqliteConnection,
    id: Uuid,
) -> Result<Option<Asset>, sqlx::Error> {
    sqlx::query("SELECT * FROM assets WHERE id = ?1")
        .bind(id.to_string())
        .fetch_optional(connection)
        .await?
        .map(|row| asset_of(&row))
        .transpose()
}

/// Those of some assets that are not deleted.
pub(super) async fn assets_among(
    connection: &mut SqliteConnection,
    ids: &[Uuid],
) -> Result<Vec<Asset>, sqlx::Error> {
    let ids = serde_json::to_string(ids).expect("ids are JSON");
    sqlx::query(
        "SELECT * FROM assets
         WHERE id IN (SELECT value FROM json_each(?1)) AND deleted_at IS NULL",
    )
    .bind(ids)
    .fetch_all(connection)
    .await?
    .iter()
    .map(asset_of)
    .collect()
}

/// The attachments of an issue that are not deleted, the newest first.
pub(super) async fn attachments(
    connection: &mut SqliteConnection,
    workspace_id: Uuid,
    project_id: Option<Uuid>,
    issue_id: Option<Uuid>,
) -> Result<Vec<Asset>, sqlx::Error> {
    sqlx::query(
        "SELECT * FROM assets
         WHERE entity_type = 'ISSUE_ATTACHMENT' AND deleted_at IS NULL
               AND workspace_id = ?1 AND project_id IS ?2 AND issue_id IS ?3
         ORDER BY created_at DESC, rowid DESC",
    )
    .bind(workspace_id.to_string())
    .bind(project_id.map(|id| id.to_string()))
    .bind(issue_id.map(|id| id.to_string()))
    .fetch_all(connection)
    .await?
    .iter()
    .map(asset_of)
    .collect()
}

/// Assets of a workspace with this external id and source that are not deleted.
pub(super) async fn with_external_id(
    connection: &mut SqliteConnection,
    workspace_id: Uuid,
    id: &str,
    source: &str,
) -> Result<Vec<Asset>, sqlx::Error> {
    sqlx::query(
        "SELECT * FROM assets
         WHERE workspace_id = ?1 AND external_id = ?2 AND external_source = ?3
               AND deleted_at IS NULL
         ORDER BY rowid",
    )
    .bind(workspace_id.to_string())
    .bind(id)
    .bind(source)
    .fetch_all(connection)
    .await?
    .iter()
    .map(asset_of)
    .collect()
}

/// Assets that a pointer waits for.
pub(super) async fn waited_for(
    connection: &mut SqliteConnection,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query("SELECT id FROM assets WHERE pointer_wanted = 1")
        .fetch_all(connection)
        .await?
        .iter()
        .map(|row| id_of(row, "id"))
        .collect()
}

/// The type that was asked for at a key; also of a deleted asset, whose key still takes uploads.
pub(super) async fn content_type_at(
    connection: &mut SqliteConnection,
    id: Uuid,
    bucket: &str,
    key: &str,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT content_type FROM assets WHERE id = ?1 AND bucket = ?2 AND key = ?3")
        .bind(id.to_string())
        .bind(bucket)
        .bind(key)
        .fetch_optional(connection)
        .await
}

/// The asset that a pointer names.
pub(super) async fn pointed_to(
    connection: &mut SqliteConnection,
    pointer: Pointer,
) -> Result<Option<Uuid>, sqlx::Error> {
    let workspace_id = pointer.workspace_id.map(|id| id.to_string());
    sqlx::query(
        "SELECT asset_id FROM pointers WHERE kind = ?1 AND owner_id = ?2 AND workspace_id = ?3",
    )
    .bind(pointer.kind.as_str())
    .bind(pointer.owner_id.to_string())
    .bind(workspace_id.unwrap_or_default())
    .fetch_optional(connection)
    .await?
    .map(|row| id_of(&row, "asset_id"))
    .transpose()
}

fn asset_of(row: &SqliteRow) -> Result<Asset, sqlx::Error> {
    let entity_type: &str = row.try_get("entity_type")?;
    let deleted_at: Option<i64> = row.try_get("deleted_at")?;
    let bucket: String = row.try_get("bucket")?;
    let key: String = row.try_get("key")?;
    let size: i64 = row.try_get("size")?;
    Ok(Asset {
        id: id_of(row, "id")?,
        entity_type: EntityType::parse(entity_type)
            .ok_or_else(|| undecodable(format!("no entity type: {entity_type}")))?,
        bucket: bucket.try_into().map_err(undecodable)?,
        key: key.try_into().map_err(undecodable)?,
        content_type: row.try_get("content_type")?,
        attributes: row.try_get("attributes")?,
        size: size.try_into().map_err(undecodable)?,
        bindings: Bindings {
            user_id: optional_id(row, "user_id")?,
            workspace_id: optional_id(row, "workspace_id")?,
            project_id: optional_id(row, "project_id")?,
            issue_id: optional_id(row, "issue_id")?,
            comment_id: optional_id(row, "comment_id")?,
            page_id: optional_id(row, "page_id")?,
            draft_issue_id: optional_id(row, "draft_issue_id")?,
        },
        external_id: row.try_get("external_id")?,
        external_source: row.try_get("external_source")?,
        created_by: id_of(row, "created_by")?,
        updated_by: optional_id(row, "updated_by")?,
        created_at: Micros::from_micros(row.try_get("created_at")?),
        updated_at: Micros::from_micros(row.try_get("updated_at")?),
        deleted_at: deleted_at.map(Micros::from_micros),
        pointer_wanted: row.try_get("pointer_wanted")?,
    })
}
fn id_of(row: &SqliteRow, column: &str) -> Result<Uuid, sqlx::Error> {
    Uuid::try_parse(row.try_get(column)?).map_err(undecodable)
}
fn optional_id(row: &SqliteRow, column: &str) -> Result<Option<Uuid>, sqlx::Error> {
    let text: Option<&str> = row.try_get(column)?;
    text.map(Uuid::try_parse).transpose().map_err(undecodable)
}
fn undecodable(
    error: impl Into<Box<dyn std::error::Error + Send + Sync + 'static>>,
) -> sqlx::Error {
    sqlx::Error::Decode(error.into())
}

#[cfg(test)]
mod tests;
