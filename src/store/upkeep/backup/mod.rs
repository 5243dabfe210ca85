//! A copy of the data folder for another place, made while others use it; and the way back.
//!
//! A backup is a folder as a data folder is: a snapshot of the index, the log up to it, and the blobs that it names. Bytes
//! are copied, never linked, and all that the backup relies on is held against its checksum, what was there before too
//! ([`Verify`](copies::Verify)). The snapshot gets its name last: until then the backup is the one before. What is there
//! already and whole is not copied again, so that a backup of the next day is short and one that was cut off goes on.
//!
//! A restore takes a plain copy of a data folder too, and ends where its log ends, or refuses. What it reads is another's:
//! no text in it becomes a path, no file of it is written or made.

pub(in crate::store) mod check;
pub(in crate::store) mod copies;
mod copying;
pub(in crate::store) mod error;
mod folder;
pub(in crate::store) mod restore;
mod source;
mod take;
mod transfer;
