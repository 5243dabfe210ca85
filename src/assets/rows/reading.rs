//! Looking up the rows of assets and pointers.
use crate::assets::entity::EntityType;
use crate::assets::model::{Asset, Bindings, Micros};
use crate::assets::pointer::Pointer;
use crate::store::{ReadView, Row, StoreError, unreadable};
use uuid::Uuid;

/// Assets that were deleted before one time, or requested before another and have no object. One call reads a batch of
/// rows after `after`, and returns the id of the batch's last row with them; `None`: there are no more rows.
pub(in crate::assets) async fn aged(
    view: &mut ReadView,
    after: i64,
    deleted_before: Micros,
    asked_before: Micros,
) -> Result<Option<(i64, Vec<Asset>)>, StoreError> {
    const ROWS: i64 = 2000;
    let last = view.row("SELECT max(rowid) AS last FROM (SELECT rowid FROM assets WHERE rowid > ?1 ORDER BY rowid LIMIT ?2)", [after.into(), ROWS.into()])
    .await?;
    let last = last.map(|row| row.optional_integer("last")).transpose()?;
    let Some(last) = last.flatten() else {
        return Ok(None);
    };
    let rows = view.rows("SELECT * FROM assets
         WHERE rowid > ?1 AND rowid <= ?2
           AND (deleted_at < ?3
                OR (created_at < ?4 AND deleted_at IS NULL
                    AND NOT EXISTS (SELECT 1 FROM objects
                                    WHERE objects.bucket = assets.bucket AND objects.key = assets.key)))", [after.into(), last.into(), deleted_before.as_micros().into(), asked_before.as_micros().into()])
    .await?;
    let assets: Result<Vec<_>, _> = rows.iter().map(asset_of).collect();
    Ok(Some((last, assets?)))
}

/// An asset that is not deleted.
pub(in crate::assets) async fn asset(
    view: &mut ReadView,
    id: Uuid,
) -> Result<Option<Asset>, StoreError> {
    view.row(
        "SELECT * FROM assets WHERE id = ?1 AND deleted_at IS NULL",
        [id.into()],
    )
    .await?
    .map(|row| asset_of(&row))
    .transpose()
}

/// An asset, deleted or not.
pub(in crate::assets) async fn any_asset(
    view: &mut ReadView,
    id: Uuid,
) -> Result<Option<Asset>, StoreError> {
    view.row("SELECT * FROM assets WHERE id = ?1", [id.into()])
        .await?
        .map(|row| asset_of(&row))
        .transpose()
}

/// Those of some assets that are not deleted.
pub(in crate::assets) async fn assets_among(
    view: &mut ReadView,
    ids: &[Uuid],
) -> Result<Vec<Asset>, StoreError> {
    let ids = serde_json::to_string(ids).expect("ids are JSON");
    view.rows(
        "SELECT * FROM assets
         WHERE id IN (SELECT value FROM json_each(?1)) AND deleted_at IS NULL",
        [ids.into()],
    )
    .await?
    .iter()
    .map(asset_of)
    .collect()
}

/// The attachments of an issue that are not deleted, the newest first.
pub(in crate::assets) async fn attachments(
    view: &mut ReadView,
    workspace_id: Uuid,
    project_id: Option<Uuid>,
    issue_id: Option<Uuid>,
) -> Result<Vec<Asset>, StoreError> {
    view.rows(
        "SELECT * FROM assets
         WHERE entity_type = 'ISSUE_ATTACHMENT' AND deleted_at IS NULL
               AND workspace_id = ?1 AND project_id IS ?2 AND issue_id IS ?3
         ORDER BY created_at DESC, rowid DESC",
        [workspace_id.into(), project_id.into(), issue_id.into()],
    )
    .await?
    .iter()
    .map(asset_of)
    .collect()
}

/// Assets of a workspace with this external id and source that are not deleted.
pub(in crate::assets) async fn with_external_id(
    view: &mut ReadView,
    workspace_id: Uuid,
    id: &str,
    source: &str,
) -> Result<Vec<Asset>, StoreError> {
    view.rows(
        "SELECT * FROM assets
         WHERE workspace_id = ?1 AND external_id = ?2 AND external_source = ?3
               AND deleted_at IS NULL
         ORDER BY rowid",
        [workspace_id.into(), id.into(), source.into()],
    )
    .await?
    .iter()
    .map(asset_of)
    .collect()
}

/// Assets that a pointer waits for.
pub(in crate::assets) async fn waited_for(view: &mut ReadView) -> Result<Vec<Uuid>, StoreError> {
    view.rows("SELECT id FROM assets WHERE pointer_wanted = 1", [])
        .await?
        .iter()
        .map(|row| row.id("id"))
        .collect()
}

/// The content type that was requested for a key, also where its asset is deleted: the key still takes uploads.
pub(in crate::assets) async fn content_type_at(
    view: &mut ReadView,
    id: Uuid,
    bucket: &str,
    key: &str,
) -> Result<Option<String>, StoreError> {
    view.row(
        "SELECT content_type FROM assets WHERE id = ?1 AND bucket = ?2 AND key = ?3",
        [id.into(), bucket.into(), key.into()],
    )
    .await?
    .map(|row| Ok(row.text("content_type")?.to_owned()))
    .transpose()
}

/// The asset that a pointer names.
pub(in crate::assets) async fn pointed_to(
    view: &mut ReadView,
    pointer: Pointer,
) -> Result<Option<Uuid>, StoreError> {
    let workspace_id = pointer
        .workspace_id
        .map(|id| id.to_string())
        .unwrap_or_default();
    view.row(
        "SELECT asset_id FROM pointers WHERE kind = ?1 AND owner_id = ?2 AND workspace_id = ?3",
        [
            pointer.kind.as_str().into(),
            pointer.owner_id.into(),
            workspace_id.into(),
        ],
    )
    .await?
    .map(|row| row.id("asset_id"))
    .transpose()
}

fn asset_of(row: &Row) -> Result<Asset, StoreError> {
    let entity_type = row.text("entity_type")?;
    let bucket = row.text("bucket")?.to_owned();
    let key = row.text("key")?.to_owned();
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Ok(Asset {
        id: row.id("id")?,
        entity_type: EntityType::parse(entity_type)
            .ok_or_else(|| unreadable(format!("no entity type: {entity_type}")))?,
        bucket: bucket.try_into().map_err(unreadable)?,
        key: key.try_into().map_err(unreadable)?,
        content_type: row.text("content_type")?.to_owned(),
        attributes: row.text("attributes")?.to_owned(),
        size: row.integer("size")?.try_into().map_err(unreadable)?,
        bindings: Bindings {
            user_id: row.optional_id("user_id")?,
            workspace_id: row.optional_id("workspace_id")?,
            project_id: row.optional_id("project_id")?,
            issue_id: row.optional_id("issue_id")?,
            comment_id: row.optional_id("comment_id")?,
            page_id: row.optional_id("page_id")?,
            draft_issue_id: row.optional_id("draft_issue_id")?,
        },
        external_id: owned(row.optional_text("external_id")?),
        external_source: owned(row.optional_text("external_source")?),
        created_by: row.id("created_by")?,
        updated_by: row.optional_id("updated_by")?,
        created_at: Micros::from_micros(row.integer("created_at")?),
        updated_at: Micros::from_micros(row.integer("updated_at")?),
        deleted_at: row.optional_integer("deleted_at")?.map(Micros::from_micros),
        pointer_wanted: row.flag("pointer_wanted")?,
    })
}
