//! Backup and restore: copying the data folder to another place while others use it, and copying it back.
//!
//! A backup has the layout of a data folder: a snapshot of the index, the log up to it, and the blobs that it
//! references. Bytes are copied, never linked. Everything that the backup relies on is verified by its checksum,
//! including what it held before ([`Verify`](copies::Verify)). The snapshot gets its name last: until then the previous
//! backup is valid. Whole files that exist already are not copied again, so the next day's backup is short and an
//! interrupted one continues.
//!
//! A restore also accepts a plain copy of a data folder. It restores up to the end of its log, or refuses. The source
//! is not trusted: no text in it becomes a path, and the restore writes and creates no file in it.

pub(in crate::store) mod check;
pub(in crate::store) mod copies;
mod copying;
pub(in crate::store) mod error;
mod folder;
pub(in crate::store) mod restore;
mod source;
mod take;
mod transfer;
