//! Looking up the rows of assets and pointers.
use crate::assets::entity::EntityType;
use crate::assets::model::{Asset, Bindings, Micros};
use crate::assets::pointer::Pointer;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

/// Assets that were deleted before one time, or asked for before another and have no object: of the rows after `after`
/// as many as are looked at together, and the last of those; `None`: there are no more rows.
pub(in crate::assets) async fn aged(
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
pub(in crate::assets) async fn asset(
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
pub(in crate::assets) async fn any_asset(
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
pub(in crate::assets) async fn assets_among(
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
pub(in crate::assets) async fn attachments(
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
pub(in crate::assets) async fn with_external_id(
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
pub(in crate::assets) async fn waited_for(
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
pub(in crate::assets) async fn content_type_at(
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
pub(in crate::assets) async fn pointed_to(
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
