//! Changes of existing assets: marking, deleting, restoring, binding and copying them.
//!
//! The writer checks each change in its order. A check names the rows that it reads and changes beforehand; where it
//! finds that the change needs further rows, it runs again with those locked too.
use crate::assets::catalog::Assets;
use crate::assets::entity::EntityType;
use crate::assets::error::AssetError;
use crate::assets::key::asset_key_in;
use crate::assets::model::{Asset, Bindings, Micros};
use crate::assets::pointer::Pointer;
use crate::assets::pointer_hook::moved_to;
use crate::assets::rows::effects::{self, Bound, BoundAsset, Changed, Deleted, Restored};
use crate::assets::rows::reading;
use crate::assets::within::{Binding, Change, Permission, Within};
use crate::s3::conditional::WritePrecondition;
use crate::store::{Decision, Effect, Object, ReadView, RecordError, StoreError, Target};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// How often a check runs before the change gives up because other changes keep coming in between.
const MAX_CHECKS: usize = 16;

/// The result of a check that may need more rows than were locked.
enum CheckOutcome {
    Done,
    /// The effect changes rows that are not locked.
    NeedsMoreLocks,
}

impl Assets {
    /// An asset that is not deleted and that the route may find.
    /// # Errors
    /// `NotFound`.
    pub async fn find(&self, id: Uuid, within: &Within) -> Result<Asset, AssetError> {
        let mut view = self.view().await?;
        asset_within(&mut view, id, within).await
    }

    /// The uploaded attachments of an issue with their objects, the newest first.
    /// # Errors
    /// When the index does not answer.
    pub async fn attachments(&self, within: &Within) -> Result<Vec<(Asset, Object)>, AssetError> {
        let &Within::Issue {
            workspace_id,
            project_id,
            issue_id,
        } = within
        else {
            return Ok(Vec::new());
        };
        let mut view = self.view().await?;
        let all = reading::attachments(&mut view, workspace_id, project_id, issue_id).await?;
        drop(view);
        let mut uploaded = Vec::with_capacity(all.len());
        for asset in all {
            if let Some(object) = self.object(&asset).await? {
                uploaded.push((asset, object));
            }
        }
        Ok(uploaded)
    }

    /// Carries out a PATCH. Repeating it changes nothing.
    /// # Errors
    /// `NotFound`; `NotAllowed` where `permission` does not cover the asset.
    pub async fn change(
        &self,
        id: Uuid,
        within: Within,
        change: Change,
        permission: Permission,
    ) -> Result<(), AssetError> {
        self.require_within(id, &within).await?;
        let change = Arc::new(change);
        self.check_and_record(id, move |assets, view, locked| {
            let (change, hook) = (change.clone(), assets.inner.pointer_hook.clone());
            let now: Micros = assets.inner.clock.now().into();
            Box::pin(async move {
                let asset = asset_within(view, id, &within).await?;
                require(permission, &asset)?;
                let mut changed = Changed {
                    id,
                    attributes: change.attributes.clone(),
                    updated_by: change.updated_by,
                    updated_at: now,
                    pointer_wanted: None,
                    created_by: None,
                    moved: None,
                };
                if change.takes_over && asset.updated_by.is_none() {
                    changed.created_by = Some(change.updated_by);
                }
                if change.moves_pointer {
                    changed.moved = moved_to(view, &asset, now).await?;
                }
                if changed.moved.is_some() && !view.has_object(&asset.bucket, &asset.key).await? {
                    changed.moved = None;
                    changed.pointer_wanted = Some(true);
                    hook.await_bytes_of(id);
                }
                let repeats = asset.updated_by == Some(change.updated_by)
                    && changed.moved.is_none()
                    && changed.pointer_wanted.is_none_or(|_| asset.pointer_wanted)
                    && (change.attributes.as_ref()).is_none_or(|new| *new == asset.attributes);
                Ok(decide((!repeats).then(|| changed.effect()), &locked))
            })
        })
        .await
    }

    /// Deletes an asset softly: its object stays. `empties_pointer`: whether a pointer that names the asset is emptied.
    /// # Errors
    /// `NotFound`; `NotAllowed` where `permission` does not cover the asset.
    pub async fn delete(
        &self,
        id: Uuid,
        within: Within,
        empties_pointer: bool,
        permission: Permission,
    ) -> Result<(), AssetError> {
        self.require_within(id, &within).await?;
        self.check_and_record(id, move |assets, view, locked| {
            let deleted_at = assets.inner.clock.now().into();
            Box::pin(async move {
                let asset = asset_within(view, id, &within).await?;
                require(permission, &asset)?;
                let mut emptied = Vec::new();
                if let Some(pointer) = Pointer::of(&asset).filter(|_| empties_pointer)
                    && reading::pointed_to(view, pointer).await? == Some(id)
                {
                    emptied.push(pointer);
                }
                let deleted = Deleted {
                    id,
                    deleted_at,
                    emptied,
                };
                Ok(decide(Some(deleted.effect()), &locked))
            })
        })
        .await
    }

    /// Brings a deleted asset back; one that is not deleted stays as it is. No pointer moves.
    /// # Errors
    /// `NotFound`; `NotAllowed` where `permission` does not cover the asset.
    pub async fn restore(
        &self,
        id: Uuid,
        within: Within,
        permission: Permission,
    ) -> Result<(), AssetError> {
        let mut view = self.view().await?;
        any_asset_within(&mut view, id, &within).await?;
        drop(view);
        self.check_and_record(id, move |_, view, locked| {
            Box::pin(async move {
                let asset = any_asset_within(view, id, &within).await?;
                require(permission, &asset)?;
                let restored = asset.deleted_at.map(|_| Restored { id }.effect());
                Ok(decide(restored, &locked))
            })
        })
        .await
    }

    /// Refuses an asset that the route may not find, without taking a lock, so that no client can hold up changes of
    /// another workspace's asset by naming its id.
    async fn require_within(&self, id: Uuid, within: &Within) -> Result<(), AssetError> {
        // Not cached: a row that is changed once is seldom read soon, and would evict rows that are served.
        if let Some(asset) = self.inner.rows.get(&id) {
            return if within.holds(&asset) {
                Ok(())
            } else {
                Err(AssetError::NotFound)
            };
        }
        self.find(id, within).await.map(drop)
    }

    /// Checks a change of one asset, locking the rows that it turns out to need, and records it.
    async fn check_and_record<C>(&self, id: Uuid, check: C) -> Result<(), AssetError>
    where
        C: for<'v> Fn(
                &Self,
                &'v mut ReadView,
                Vec<String>,
            ) -> futures_util::future::BoxFuture<
                'v,
                Result<(Decision<CheckOutcome>, Vec<String>), AssetError>,
            > + Clone
            + Send
            + Sync
            + 'static,
    {
        let mut rows = vec![effects::asset_row(id)];
        for _ in 0..MAX_CHECKS {
            let (assets, check, locked) = (self.clone(), check.clone(), rows.clone());
            let recording = self.inner.store.record(rows.clone(), move |view| {
                let checking = check(&assets, view, locked);
                Box::pin(async move {
                    let (decided, missing) = checking.await?;
                    Ok::<_, AssetError>(Decision {
                        effect: decided.effect,
                        answer: (decided.answer, missing),
                    })
                })
            });
            match recording.await.map_err(RecordError::into_refusal)? {
                (CheckOutcome::Done, _) => return Ok(()),
                (CheckOutcome::NeedsMoreLocks, missing) => rows.extend(missing),
            }
        }
        let busy = "others changed the same asset all the while".to_owned();
        Err(StoreError::Unavailable(busy.into()).into())
    }

    /// Binds assets to what their types say. Ids of missing assets are left out.
    /// # Errors
    /// `NotFound` where none of them is there; `NotAllowed` where the permission does not cover one.
    pub async fn bind(&self, mut ids: Vec<Uuid>, binding: Binding) -> Result<(), AssetError> {
        // As in `require_within`: only rows of assets that the binding may change are locked.
        let mut view = self.view().await?;
        let counted = reading::assets_among(&mut view, &ids).await?;
        drop(view);
        let counted: HashSet<Uuid> = (counted.iter())
            .filter(|asset| binding.may_bind(asset))
            .map(|asset| asset.id)
            .collect();
        ids.retain(|id| counted.contains(id));
        if ids.is_empty() {
            return Err(AssetError::NotFound);
        }
        let cover = Pointer::project_cover(binding.workspace_id, binding.project_id);
        let mut rows: Vec<String> = ids.iter().copied().map(effects::asset_row).collect();
        rows.push(effects::pointer_row(cover));
        let binding_all = self.inner.store.record(rows, move |view| {
            Box::pin(async move {
                let mut found: HashMap<Uuid, Asset> = HashMap::new();
                for asset in reading::assets_among(view, &ids).await? {
                    if binding.may_bind(&asset) {
                        require(binding.permission, &asset)?;
                        found.insert(asset.id, asset);
                    }
                }
                if found.is_empty() {
                    return Err(AssetError::NotFound);
                }
                let mut bound = binding.of(ids.iter().filter_map(|id| found.get(id)));
                if bound.cover.is_some() {
                    bound.former_cover = reading::pointed_to(view, cover).await?;
                }
                Ok(Decision {
                    effect: (!bound.assets.is_empty()).then(|| bound.effect()),
                    answer: (),
                })
            })
        });
        binding_all.await.map_err(RecordError::into_refusal)
    }

    /// Copies an uploaded asset with its bytes, in one record: its name, type and size are the source's.
    /// # Errors
    /// `NotFound` where the source is not uploaded.
    pub async fn duplicate(
        &self,
        source: &Asset,
        entity_type: EntityType,
        bindings: Bindings,
        created_by: Uuid,
    ) -> Result<Asset, AssetError> {
        let object = self.object(source).await?.ok_or(AssetError::NotFound)?;
        let id = Uuid::new_v4();
        let now = self.inner.clock.now();
        let name = source.key.as_str().splitn(3, '/').nth(2);
        let key = asset_key_in(id, entity_type, &bindings, name.unwrap_or_default())?;
        let stated: serde_json::Value =
            serde_json::from_str(&source.attributes).unwrap_or_default();
        let attributes = serde_json::json!({
            "name": stated.get("name"),
            "type": stated.get("type"),
            "size": stated.get("size"),
        });
        let asset = Asset {
            id,
            entity_type,
            bucket: self.inner.config.bucket.clone(),
            key,
            content_type: source.content_type.clone(),
            attributes: attributes.to_string(),
            size: source.size,
            bindings,
            external_id: None,
            external_source: None,
            created_by,
            updated_by: None,
            created_at: now.into(),
            updated_at: now.into(),
            deleted_at: None,
            pointer_wanted: false,
        };
        let target = Target {
            bucket: asset.bucket.clone(),
            key: asset.key.clone(),
            meta: (*object.meta).clone(),
        };
        let effect = Some(effects::requested(&asset));
        let copying = self
            .inner
            .store
            .copy(&object, target, WritePrecondition::None, effect);
        copying.await?;
        Ok(asset)
    }
}

/// The decision that may be recorded while only these rows are locked, and the rows that must be locked too.
fn decide(effect: Option<Effect>, locked: &[String]) -> (Decision<CheckOutcome>, Vec<String>) {
    let rows = effect.iter().flat_map(|effect| &effect.rows);
    let missing: Vec<String> = rows.filter(|row| !locked.contains(row)).cloned().collect();
    let decided = if missing.is_empty() {
        Decision {
            effect,
            answer: CheckOutcome::Done,
        }
    } else {
        Decision {
            effect: None,
            answer: CheckOutcome::NeedsMoreLocks,
        }
    };
    (decided, missing)
}

async fn asset_within(view: &mut ReadView, id: Uuid, within: &Within) -> Result<Asset, AssetError> {
    let asset = reading::asset(view, id).await?;
    asset
        .filter(|asset| within.holds(asset))
        .ok_or(AssetError::NotFound)
}

/// As [`asset_within`], deleted or not.
async fn any_asset_within(
    view: &mut ReadView,
    id: Uuid,
    within: &Within,
) -> Result<Asset, AssetError> {
    let asset = reading::any_asset(view, id).await?;
    asset
        .filter(|asset| within.holds(asset))
        .ok_or(AssetError::NotFound)
}

fn require(permission: Permission, asset: &Asset) -> Result<(), AssetError> {
    if permission.covers(asset) {
        Ok(())
    } else {
        Err(AssetError::NotAllowed)
    }
}

impl Binding {
    /// Whether the route may bind the asset.
    fn may_bind(&self, asset: &Asset) -> bool {
        asset.bindings.workspace_id == Some(self.workspace_id)
            && (!self.is_public || asset.bindings.project_id == Some(self.project_id))
    }

    /// The bindings of each asset, by its own type. Of several covers the last one becomes the project's.
    fn of<'a>(&self, assets: impl Iterator<Item = &'a Asset>) -> Bound {
        let mut bound = Bound {
            assets: Vec::new(),
            workspace_id: self.workspace_id,
            project_id: self.project_id,
            cover: None,
            former_cover: None,
        };
        for asset in assets {
            let id = asset.id;
            if let Some(bindings) = self.bindings_of(asset.entity_type) {
                if asset.entity_type == EntityType::ProjectCover {
                    bound.cover = Some(id);
                }
                bound.assets.push(BoundAsset { id, bindings });
            }
        }
        bound
    }

    fn bindings_of(&self, entity_type: EntityType) -> Option<Bindings> {
        if self.is_public && entity_type != EntityType::CommentDescription {
            return None;
        }
        let (project, entity) = (Some(self.project_id), Some(self.entity_id));
        let none = Bindings::default();
        match entity_type {
            EntityType::ProjectCover => Some(Bindings {
                project_id: project,
                ..none
            }),
            EntityType::IssueDescription => Some(Bindings {
                project_id: project,
                issue_id: entity,
                ..none
            }),
            EntityType::CommentDescription => Some(Bindings {
                comment_id: entity,
                ..none
            }),
            EntityType::PageDescription => Some(Bindings {
                page_id: entity,
                ..none
            }),
            EntityType::DraftIssueDescription => Some(Bindings {
                draft_issue_id: entity,
                ..none
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
