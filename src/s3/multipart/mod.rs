//! Multipart uploads: what requests state of their parts, and the object that the parts make.
//!
//! Guarantees: the `ETag` and the checksum of the whole are made of the stored parts, never of what a client
//! states; what it states must agree. It does not know where parts are stored.
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
