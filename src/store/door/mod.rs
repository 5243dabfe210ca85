//! The door of the vault: its verbs for buckets, objects and uploads.

mod caches;
pub(in crate::store) mod look;
mod uploads;
