//! Parsing and checking a request's head and body, before anything is looked up.

pub(crate) mod acl;
pub(crate) mod checksums;
pub(crate) mod content_check;
pub(crate) mod document;
pub(crate) mod headers;
pub(crate) mod object_meta;
pub(crate) mod precondition;
pub(crate) mod upload_body;
