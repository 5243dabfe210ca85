//! Uploads and parts of the vault as the protocol's documents describe them.

use crate::s3::checksum::{ChecksumAlgorithm, ChecksumType};
use crate::s3::multipart::{HeldPart, InitiatedUpload, UnderWay};
use crate::store::{Part, Upload};

pub(crate) fn named(upload: &Upload) -> InitiatedUpload<'_> {
    InitiatedUpload {
        bucket: &upload.bucket,
        key: &upload.key,
        id: upload.id.as_str(),
    }
}

pub(crate) fn under_way(upload: &Upload) -> UnderWay<'_> {
    UnderWay {
        storage_class: upload.meta.storage_class.as_deref(),
        checksum: begun_with(upload),
    }
}

pub(crate) fn begun_with(upload: &Upload) -> Option<(ChecksumAlgorithm, ChecksumType)> {
    upload
        .checksum
        .map(|checksum| (checksum.algorithm, checksum.checksum_type))
}

pub(crate) fn held(part: &Part) -> HeldPart<'_> {
    HeldPart {
        number: part.number,
        etag: &part.etag,
        size_bytes: part.size_bytes,
        last_modified: part.last_modified,
        checksums: &part.checksums,
    }
}
