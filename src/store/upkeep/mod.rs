//! Upkeep: what is done beside requests. Deleting what has ended and freeing its bytes, checking and mending what is
//! stored, and backups.

pub(in crate::store) mod backup;
pub(in crate::store) mod check;
pub(in crate::store) mod freeing;
pub(in crate::store) mod janitor;
pub(in crate::store) mod mend;
pub(in crate::store) mod minio_files;
pub(in crate::store) mod scrub;
