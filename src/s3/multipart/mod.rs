//! Multipart uploads: what a request states of their parts, and what the parts make.
//!
//! Guarantees: the `ETag` and the checksum of the whole are made of what is held of the parts, never of what a client
//! says of them; what it says must agree. Refuses to know where parts are kept.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>

mod checksum;
mod completion;
pub(super) mod document;
mod part;
pub(super) mod query;
#[cfg(test)]
mod tests;
mod whole;

pub use checksum::{parse_algorithm, parse_upload_checksum, part_checksum};
pub use completion::{StatedPart, parse_completion};
pub use document::{
    InitiatedUpload, ListedUpload, ListedUploads, UnderWay, completed, initiated, list_parts,
    list_uploads,
};
pub use part::{HeldPart, MAX_PARTS, parse_part_number};
pub use query::{PartsQuery, UploadsQuery};
pub use whole::{StatedWhole, Whole};
