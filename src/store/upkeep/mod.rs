//! Upkeep: background work. Deleting expired objects and uploads and freeing their bytes, checking and repairing stored
//! bytes, backups, and watching the folder and its disk. Its verbs are those of [`Upkeep`](handle::Upkeep).

pub(in crate::store) mod backup;
mod check;
pub(in crate::store) mod findings;
pub(in crate::store) mod folder;
pub(in crate::store) mod freeing;
pub(in crate::store) mod handle;
pub(in crate::store) mod health;
mod index;
pub(in crate::store) mod janitor;
mod mend;
mod minio_files;
pub(in crate::store) mod scrub;
mod verify;
