//! Why an asset was not changed or not found.
use crate::assets::model::Asset;
use crate::store::StoreError;

/// Why a change of an asset did not happen.
#[derive(Debug, thiserror::Error)]
pub enum AssetError {
    /// Unknown, deleted, or not among the assets that the route may find.
    #[error("there is no such asset")]
    NotFound,
    /// Another asset has the same external id and source.
    #[error("an asset with the same external id and source exists")]
    Exists(Box<Asset>),
    #[error("this asset is not the caller's to change")]
    NotAllowed,
    #[error("storage did not take or give it")]
    Store(#[source] StoreError),
}
impl From<StoreError> for AssetError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
