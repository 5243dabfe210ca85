//! Look-ups beyond the bucket and key of a request: an object with its parts, the source of a copy, an upload.

pub(crate) mod copy_source;
pub(crate) mod object;
pub(crate) mod upload;
