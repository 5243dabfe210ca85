//! The parts of an open vault that its door and its upkeep share: what reads need, what changes need, and the files of
//! the index.

pub(in crate::store) mod changes;
pub(in crate::store) mod config;
pub(in crate::store) mod index_files;
pub(in crate::store) mod read_only;
pub(in crate::store) mod reads;
pub(in crate::store) mod vault;
