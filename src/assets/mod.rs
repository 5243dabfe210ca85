//! Plane's domain: assets, from the upload request to the bytes.
//!
//! Guarantees: an asset's row is recorded before its policy is given out; an upload request reads nothing and writes
//! one record; changes of one asset are checked one after the other, in the writer's order. It refuses to know HTTP,
//! and which user may do what. Rules: Plane contract, sections 1, 3 and 4.
mod ageing;
mod catalog;
mod changes;
pub mod content;
pub mod entity;
mod error;
mod key;
pub mod model;
pub mod name;
mod pointer;
mod pointer_hook;
mod rows;
pub mod size;
mod upload;
mod url;
pub mod within;

pub use ageing::{AssetAges, PurgedAssets, purge};
pub use catalog::{Assets, AssetsConfig};
pub use entity::{EntityType, PointerKind};
pub use error::AssetError;
pub use key::parse_id;
pub use model::{Asset, Bindings};
pub use name::AssetName;
pub use pointer::Pointer;
pub use pointer_hook::PointerHook;
pub use rows::effects::effects;
pub use size::AskedSize;
pub use upload::{RequestedUpload, UploadRequest};
pub use url::static_url;
pub use within::{Binding, Change, Permission, UniqueIn, Within};
