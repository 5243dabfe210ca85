//! The door of the vault: opening and closing it, and its verbs for buckets, objects, uploads and rows of other modules.

mod buckets;
mod caches;
mod close;
mod look;
mod objects;
mod open;
mod reading;
mod records;
pub(in crate::store) mod store;
mod uploads;
