//! Multipart uploads: created, listed and aborted in `uploads`; their parts are in `parts`, their completion in
//! `complete`.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>

mod complete;
mod described;
mod parts;
mod uploads;

pub(crate) use complete::complete;
pub(crate) use parts::{list_parts, upload_part, upload_part_copy};
pub(crate) use uploads::{abort, create, list_uploads};
