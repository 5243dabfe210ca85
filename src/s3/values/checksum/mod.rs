//! The digests of a body: MD5 for the `ETag`, CRC64-NVME for each MiB as the store keeps it, and the five
//! `x-amz-checksum-*` algorithms.
//!
//! The caller compares a digest with the one that a client stated.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

mod algorithm;
mod hasher;
mod md5_lanes;
#[cfg(test)]
mod tests;
mod value;

pub use algorithm::{ChecksumAlgorithm, ChecksumType, unknown_checksum};
pub use hasher::{
    CRC_BLOCK_BYTES, Digests, Hasher, Md5Hasher, OtherHasher, Wanted, crc64_nvme, md5_of_each,
};
pub use value::Checksum;
