//! Recovery: what a start does. The index is believed, taken from a snapshot or made anew; the log is replayed; rows whose
//! bytes did not come along with a copied folder are salvaged.

pub(in crate::store) mod look;
pub(in crate::store) mod replay;
pub(in crate::store) mod salvage;
pub(in crate::store) mod snapshot;
