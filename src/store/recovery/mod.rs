//! Recovery: what a start does. The index is believed, taken from a snapshot or made anew; the log is replayed; rows whose
//! bytes did not come along with a copied folder are salvaged.

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
