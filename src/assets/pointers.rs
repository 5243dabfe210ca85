//! Current pictures: a pointer moves when both are there, the PATCH that asks for it and the bytes, whichever comes
//! last; what it named before is deleted with the same record. Plane contract, section 1.7.
//!
//! Guarantees: a move deletes only an asset of the pointer's own workspace and project.
use crate::assets::key::asset_id_in;
use crate::assets::model::{Asset, Micros};
use crate::assets::pointer::Pointer;
use crate::assets::rows::effects::{self, Moved, Pointed};
use crate::assets::rows::reading;
use crate::clock::Clock;
use crate::s3::{BucketName, ObjectKey};
use crate::store::{Companion, Effect};
use futures_util::future::BoxFuture;
use sqlx::SqliteConnection;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// The assets whose bytes a pointer waits for: no other upload costs a look at a row. It may name too many, never too few.
pub(super) struct Waiting {
    ids: Mutex<HashSet<Uuid>>,
    clock: Clock,
}

impl Waiting {
    pub(super) async fn read(
        connection: &mut SqliteConnection,
        clock: Clock,
    ) -> Result<Self, sqlx::Error> {
        let ids = reading::waited_for(connection).await?;
        Ok(Self {
            ids: Mutex::new(ids.into_iter().collect()),
            clock,
        })
    }

    /// To be called while the asset's row is held.
    pub(super) fn add(&self, id: Uuid) {
        self.ids().insert(id);
    }

    fn ids(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Companion for Waiting {
    fn rows(&self, _: &BucketName, key: &ObjectKey) -> Vec<String> {
        let id = asset_id_in(key.as_str());
        id.map(effects::asset_lock).into_iter().collect()
    }

    fn judge<'c>(
        &'c self,
        connection: &'c mut SqliteConnection,
        bucket: &'c BucketName,
        key: &'c ObjectKey,
    ) -> BoxFuture<'c, Result<Option<Effect>, sqlx::Error>> {
        let waited_for = asset_id_in(key.as_str()).filter(|id| self.ids().contains(id));
        Box::pin(async move {
            let Some(id) = waited_for else {
                return Ok(None);
            };
            let asset = reading::asset(connection, id).await?;
            let wanted = asset.filter(|asset| {
                asset.pointer_wanted && (&asset.bucket, &asset.key) == (bucket, key)
            });
            let Some(asset) = wanted else {
                return Ok(None);
            };
            let moved = moved_to(connection, &asset, self.clock.now().into()).await?;
            Ok(moved.map(|moved| Pointed { id, moved }.effect()))
        })
    }
}

/// How the asset's pointer moves to it; `None` where no pointer can name it, or it does already.
///
/// The asset that the pointer named is replaced only while it is still bound to the pointer's workspace and project:
/// `bulk` may have moved it to another project.
pub(super) async fn moved_to(
    connection: &mut SqliteConnection,
    asset: &Asset,
    at: Micros,
) -> Result<Option<Moved>, sqlx::Error> {
    let Some(pointer) = Pointer::of(asset) else {
        return Ok(None);
    };
    let current = reading::pointed_to(connection, pointer).await?;
    if current == Some(asset.id) {
        return Ok(None);
    }
    let replaced = match current {
        Some(id) => reading::any_asset(connection, id).await?,
        None => None,
    };
    let replaced = replaced.filter(|replaced| Pointer::of(replaced) == Some(pointer));
    Ok(Some(Moved {
        pointer,
        replaced: replaced.map(|replaced| replaced.id),
        at,
    }))
}
