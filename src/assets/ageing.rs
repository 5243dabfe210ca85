//! The purge of assets by age, as Plane's nightly task does it: rows that a client requested and never uploaded bytes
//! for (`UNUPLOADED_ASSET_DELETE_DAYS`), and deleted rows together with their objects (`HARD_DELETE_AFTER_DAYS`).
//!
//! Guarantees: one record removes the row and the object, and only where the row has not changed since it was found: an
//! asset that was restored meanwhile, or whose bytes arrived, stays. Rules: Plane contract, section 1.

use crate::assets::model::{Asset, Micros};
use crate::assets::rows::{effects, reading};
use crate::clock::Timestamp;
use crate::store::{Mode, Store, StoreError};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long rows of unneeded assets are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AssetAges {
    /// `UNUPLOADED_ASSET_DELETE_DAYS`; never shorter than an upload policy is valid.
    pub unuploaded: Duration,
    /// `HARD_DELETE_AFTER_DAYS`
    pub deleted: Duration,
}

impl Default for AssetAges {
    /// Plane's.
    fn default() -> Self {
        const DAY: Duration = Duration::from_hours(24);
        Self {
            unuploaded: DAY * 7,
            deleted: DAY * 60,
        }
    }
}

/// How many assets were purged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgedAssets {
    /// They never got bytes.
    pub unuploaded: u64,
    pub deleted: u64,
}

/// An asset is due if it was requested, or deleted, before these times.
#[derive(Clone, Copy)]
struct Due {
    deleted_before: Micros,
    asked_before: Micros,
}

/// Purges the assets that are due at `now`.
///
/// # Errors
/// `Unavailable`, `Full`, … The next sweep purges the rest.
pub async fn purge(
    store: &Store,
    ages: AssetAges,
    now: Timestamp,
    mode: Mode,
) -> Result<PurgedAssets, StoreError> {
    let before = |age: Duration| {
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        Micros::from(Timestamp::from_millis(now.as_millis().saturating_sub(age)))
    };
    let due = Due {
        deleted_before: before(ages.deleted),
        asked_before: before(ages.unuploaded),
    };
    let mut purged = PurgedAssets::default();
    let mut after = i64::MIN;
    loop {
        let mut view = store.read_view().await?;
        let page = reading::aged(&mut view, after, due.deleted_before, due.asked_before).await?;
        drop(view);
        let Some((last, assets)) = page else {
            return Ok(purged);
        };
        after = last;
        for asset in assets {
            let was_deleted = asset.deleted_at.is_some();
            if mode == Mode::Do && !purge_one(store, asset, due).await? {
                continue;
            }
            if was_deleted {
                purged.deleted += 1;
            } else {
                purged.unuploaded += 1;
            }
        }
    }
}

async fn purge_one(store: &Store, asset: Asset, due: Due) -> Result<bool, StoreError> {
    let Asset {
        id, bucket, key, ..
    } = asset;
    let (in_bucket, at_key) = (bucket.clone(), key.clone());
    store
        .delete_with(bucket, key, vec![effects::asset_row(id)], move |view| {
            Box::pin(async move {
                let Some(asset) = reading::any_asset(view, id).await? else {
                    return Ok(None);
                };
                let is_due = match asset.deleted_at {
                    Some(at) => at < due.deleted_before,
                    None => {
                        asset.created_at < due.asked_before
                            && !view.has_object(&in_bucket, &at_key).await?
                    }
                };
                Ok(is_due.then(|| effects::purged(id)))
            })
        })
        .await
}

#[cfg(test)]
mod tests;
