//! What the effects of assets do to their rows.
//!
//! Effects hold outcomes (ids, times, texts). Applying one is a plain insert, update or delete, the same at a commit and
//! at replay.
use crate::assets::model::{Asset, Bindings, Micros};
use crate::assets::pointer::Pointer;
use crate::store::{Effect, EffectKind};
use serde::Serialize;
use uuid::Uuid;

/// The kinds of effects of this module, for the store's registration.
#[must_use]
pub fn effects() -> Vec<EffectKind> {
    EFFECTS.to_vec()
}

/// In the order in which a group's effects are applied.
///
/// Records written before pointers were kept by workspace name the row of a cover's pointer by its project alone, so
/// replay may group one of them with a newer record of the same pointer. `BOUND` stands before the other effects that
/// move pointers: an older `bound` empties pointers that a newer `changed` or `pointed` may set again.
pub(super) const EFFECTS: [EffectKind; 8] = [
    EffectKind::new(REQUESTED, INSERT_ASSETS),
    EffectKind::new(BOUND, BIND_ASSETS),
    EffectKind::new(CHANGED, CHANGE_ASSETS),
    // Most changes move no pointer.
    EffectKind::new(CHANGED, MOVE_POINTERS).only_with("moved"),
    EffectKind::new(DELETED, DELETE_ASSETS),
    EffectKind::new(POINTED, MOVE_POINTERS),
    EffectKind::new(RESTORED, RESTORE_ASSETS),
    EffectKind::new(PURGED, PURGE_ASSETS),
];
pub(super) const REQUESTED: &str = "asset.requested";
pub(super) const CHANGED: &str = "asset.changed";
pub(super) const DELETED: &str = "asset.deleted";
pub(super) const POINTED: &str = "asset.pointed";
pub(super) const RESTORED: &str = "asset.restored";
pub(super) const BOUND: &str = "asset.bound";
pub(super) const PURGED: &str = "asset.purged";

/// How the row of an asset is named in records; the other `…_row` functions name theirs.
pub(in crate::assets) fn asset_row(id: Uuid) -> String {
    format!("asset:{id}")
}
pub(in crate::assets) fn pointer_row(pointer: Pointer) -> String {
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

/// Names no row of a table: it is locked so that two requests for one external id wait for one another.
pub(in crate::assets) fn external_id_row(workspace_id: Uuid, id: &str, source: &str) -> String {
    format!("external:{workspace_id}/{}:{id}/{source}", id.len())
}

/// A new asset, as it is.
pub(in crate::assets) fn requested(asset: &Asset) -> Effect {
    Effect::new(REQUESTED, vec![asset_row(asset.id)], asset)
}

/// A PATCH.
#[derive(Debug, Clone, Serialize)]
pub(in crate::assets) struct Changed {
    pub(in crate::assets) id: Uuid,
    /// The text of a JSON object; `None`: as before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::assets) attributes: Option<String>,
    pub(in crate::assets) updated_by: Uuid,
    pub(in crate::assets) updated_at: Micros,
    /// `None`: as before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::assets) pointer_wanted: Option<bool>,
    /// `None`: as before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::assets) created_by: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::assets) moved: Option<Moved>,
}
impl Changed {
    pub(in crate::assets) fn effect(&self) -> Effect {
        let mut rows = vec![asset_row(self.id)];
        rows.extend(self.moved.iter().flat_map(Moved::rows));
        Effect::new(CHANGED, rows, self)
    }
}

/// A pointer names another asset now.
#[derive(Debug, Clone, Copy, Serialize)]
pub(in crate::assets) struct Moved {
    #[serde(flatten)]
    pub(in crate::assets) pointer: Pointer,
    /// The asset that it named before. The same record deletes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::assets) replaced: Option<Uuid>,
    pub(in crate::assets) at: Micros,
}
impl Moved {
    fn rows(&self) -> Vec<String> {
        let pointer = pointer_row(self.pointer);
        let replaced = self.replaced.map(asset_row);
        [Some(pointer), replaced].into_iter().flatten().collect()
    }
}

/// The bytes arrived of an asset that a pointer waited for.
#[derive(Debug, Clone, Copy, Serialize)]
pub(in crate::assets) struct Pointed {
    pub(in crate::assets) id: Uuid,
    pub(in crate::assets) moved: Moved,
}
impl Pointed {
    pub(in crate::assets) fn effect(&self) -> Effect {
        let mut rows = vec![asset_row(self.id)];
        rows.extend(self.moved.rows());
        Effect::new(POINTED, rows, self)
    }
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(in crate::assets) struct Restored {
    pub(in crate::assets) id: Uuid,
}
impl Restored {
    pub(in crate::assets) fn effect(&self) -> Effect {
        Effect::new(RESTORED, vec![asset_row(self.id)], self)
    }
}

/// New bindings of some assets, and the cover that a project of a workspace shows.
#[derive(Debug, Clone, Serialize)]
pub(in crate::assets) struct Bound {
    pub(in crate::assets) assets: Vec<BoundAsset>,
    pub(in crate::assets) workspace_id: Uuid,
    pub(in crate::assets) project_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::assets) cover: Option<Uuid>,
    /// The cover that the project showed. It stays as it is.
    #[serde(skip)]
    pub(in crate::assets) former_cover: Option<Uuid>,
}
#[derive(Debug, Clone, Serialize)]
pub(in crate::assets) struct BoundAsset {
    pub(in crate::assets) id: Uuid,
    /// Bindings that are not named stay.
    #[serde(flatten)]
    pub(in crate::assets) bindings: Bindings,
}
impl Bound {
    pub(in crate::assets) fn effect(&self) -> Effect {
        let assets = self.assets.iter().map(|asset| asset_row(asset.id));
        let mut rows: Vec<String> = assets.collect();
        if self.cover.is_some() {
            rows.push(pointer_row(Pointer::project_cover(
                self.workspace_id,
                self.project_id,
            )));
            // For replay: the older record that set the pointer to this asset names the pointer's row otherwise.
            rows.extend(self.former_cover.map(asset_row));
        }
        Effect::new(BOUND, rows, self)
    }
}

/// A soft delete, and the pointers that it empties.
#[derive(Debug, Clone, Serialize)]
pub(in crate::assets) struct Deleted {
    pub(in crate::assets) id: Uuid,
    pub(in crate::assets) deleted_at: Micros,
    pub(in crate::assets) emptied: Vec<Pointer>,
}
impl Deleted {
    pub(in crate::assets) fn effect(&self) -> Effect {
        let mut rows = vec![asset_row(self.id)];
        rows.extend(self.emptied.iter().copied().map(pointer_row));
        Effect::new(DELETED, rows, self)
    }
}

/// The row is removed for good, and with it each pointer that still names it.
pub(in crate::assets) fn purged(id: Uuid) -> Effect {
    Effect::new(
        PURGED,
        vec![asset_row(id)],
        &serde_json::json!({ "id": id }),
    )
}

const INSERT_ASSETS: &[&str] = &[
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
];

const CHANGE_ASSETS: &[&str] = &["UPDATE assets
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
     WHERE assets.id = changed.id"];

/// A record without `workspace_id` was written when a project had one pointer for all workspaces. The workspace is then
/// the asset's, and the pointer of the replaced asset is removed, whichever workspace it belongs to, as it was at that
/// time.
const MOVE_POINTERS: &[&str] = &[
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
];

const RESTORE_ASSETS: &[&str] = &["UPDATE assets SET deleted_at = NULL
     WHERE id IN (SELECT value ->> '$.data.id' FROM json_each(?1))"];

/// Records without `workspace_id` are read as those of [`MOVE_POINTERS`].
const BIND_ASSETS: &[&str] = &[
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
];

/// Only a pointer that names the deleted asset is emptied, so older records take the workspace from the asset.
const DELETE_ASSETS: &[&str] = &[
    "UPDATE assets SET deleted_at = deleted.at, pointer_wanted = 0
     FROM (SELECT value ->> '$.data.id' AS id, value ->> '$.data.deleted_at' AS at
           FROM json_each(?1)) AS deleted
     WHERE assets.id = deleted.id",
    "DELETE FROM pointers
     WHERE (kind, owner_id, asset_id) IN
           (SELECT emptied.value ->> '$.kind', emptied.value ->> '$.owner_id',
                   record.value ->> '$.data.id'
            FROM json_each(?1) AS record,
                 json_each(record.value, '$.data.emptied') AS emptied)",
];

const PURGE_ASSETS: &[&str] = &[
    "DELETE FROM pointers
     WHERE asset_id IN (SELECT value ->> '$.data.id' FROM json_each(?1))",
    "DELETE FROM assets WHERE id IN (SELECT value ->> '$.data.id' FROM json_each(?1))",
];
