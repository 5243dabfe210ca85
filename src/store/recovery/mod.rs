//! Recovery: what a start does. It trusts the index, restores it from a snapshot, or rebuilds it; it replays the log;
//! and in a copied folder it salvages rows whose bytes are missing.

pub(in crate::store) mod data_folder;
pub(in crate::store) mod known_index;
pub(in crate::store) mod look;
pub(in crate::store) mod rebuild;
pub(in crate::store) mod refusal;
pub(in crate::store) mod replay;
pub(in crate::store) mod salvage;
mod set_aside;
mod settle;
pub(in crate::store) mod snapshot;
pub(in crate::store) mod source;
pub(in crate::store) mod start;
