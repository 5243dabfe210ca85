//! The records of the log: their format, their content, the files that they lie in, and reading them.
//!
//! It refuses to know the index, and the order in which changes are made.

mod change;
pub(in crate::store) mod effect;
mod format;
mod log_id;
pub(in crate::store) mod reader;
pub(in crate::store) mod segments;

pub(in crate::store) use change::{
    BodyPlace, Change, Copied, PartCopied, PartPut, Put, Unreferenced, UploadCompleted,
    UploadCreated,
};
#[cfg(test)]
pub(in crate::store) use format::{BadHead, FORMAT_VERSION, Head, MAGIC, read};
pub(in crate::store) use format::{
    BodyHere, Draft, HEAD_BYTES, INLINE_LIMIT_BYTES, Record, STATEMENT_LIMIT_BYTES, span,
    start_after, write,
};
pub(in crate::store) use log_id::LogId;
