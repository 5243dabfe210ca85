//! Current pictures: a pointer moves once both the PATCH that asks for it and the bytes have arrived, in either order;
//! the same record deletes the asset that it named before. Plane contract, section 1.7.
//!
//! Guarantees: a move deletes only an asset of the pointer's own workspace and project.
use crate::assets::key::asset_id_in;
use crate::assets::model::{Asset, Micros};
use crate::assets::pointer::Pointer;
use crate::assets::rows::effects::{self, Moved, Pointed};
use crate::assets::rows::reading;
use crate::clock::Clock;
use crate::s3::{BucketName, ObjectKey};
use crate::store::{CommitHook, Effect, ReadView, StoreError};
use futures_util::future::BoxFuture;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// The commit hook of assets: where a pointer waits for the bytes of an asset, it moves with the record that stores
/// them.
pub struct PointerHook {
    /// The assets whose bytes a pointer waits for, so that other uploads need no look-up of a row. The set may hold too
    /// many ids, never too few. `None` until [`PointerHook::load`]: any asset may be one.
    awaited: Mutex<Option<HashSet<Uuid>>>,
    clock: Clock,
}

impl PointerHook {
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            awaited: Mutex::default(),
            clock,
        }
    }

    /// Reads which assets a pointer waits for. Must be called before any asset is changed.
    pub(super) async fn load(&self, view: &mut ReadView) -> Result<(), StoreError> {
        let ids = reading::waited_for(view).await?;
        *self.awaited() = Some(ids.into_iter().collect());
        Ok(())
    }

    /// Must be called while the asset's row is locked.
    pub(super) fn await_bytes_of(&self, id: Uuid) {
        if let Some(awaited) = &mut *self.awaited() {
            awaited.insert(id);
        }
    }

    fn may_await_bytes_of(&self, id: Uuid) -> bool {
        let awaited = self.awaited();
        awaited.as_ref().is_none_or(|awaited| awaited.contains(&id))
    }

    fn awaited(&self) -> MutexGuard<'_, Option<HashSet<Uuid>>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CommitHook for PointerHook {
    fn rows(&self, _: &BucketName, key: &ObjectKey) -> Vec<String> {
        let id = asset_id_in(key.as_str());
        id.map(effects::asset_row).into_iter().collect()
    }

    fn effect<'v>(
        &'v self,
        view: &'v mut ReadView,
        bucket: &'v BucketName,
        key: &'v ObjectKey,
    ) -> BoxFuture<'v, Result<Option<Effect>, StoreError>> {
        let awaited = asset_id_in(key.as_str()).filter(|id| self.may_await_bytes_of(*id));
        Box::pin(async move {
            let Some(id) = awaited else {
                return Ok(None);
            };
            let asset = reading::asset(view, id).await?;
            let wanted = asset.filter(|asset| {
                asset.pointer_wanted && (&asset.bucket, &asset.key) == (bucket, key)
            });
            let Some(asset) = wanted else {
                return Ok(None);
            };
            let moved = moved_to(view, &asset, self.clock.now().into()).await?;
            Ok(moved.map(|moved| Pointed { id, moved }.effect()))
        })
    }
}

/// The move of the asset's pointer to it; `None` where no pointer can name it, or the pointer names it already.
///
/// The asset that the pointer named is replaced only while it is still bound to the pointer's workspace and project:
/// `bulk` may have moved it to another project.
pub(super) async fn moved_to(
    view: &mut ReadView,
    asset: &Asset,
    at: Micros,
) -> Result<Option<Moved>, StoreError> {
    let Some(pointer) = Pointer::of(asset) else {
        return Ok(None);
    };
    let current = reading::pointed_to(view, pointer).await?;
    if current == Some(asset.id) {
        return Ok(None);
    }
    let replaced = match current {
        Some(id) => reading::any_asset(view, id).await?,
        None => None,
    };
    let replaced = replaced.filter(|replaced| Pointer::of(replaced) == Some(pointer));
    Ok(Some(Moved {
        pointer,
        replaced: replaced.map(|replaced| replaced.id),
        at,
    }))
}
