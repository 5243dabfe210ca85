//! What a request is about beyond its own bucket and key: an object with its parts, the source of a copy, an upload.

pub(crate) mod copy_source;
pub(crate) mod object;
pub(crate) mod upload;
