//! Computes the digests of a body.
//!
//! One [`Hasher`] reads each byte once and computes all of them, the same however the body was cut. MD5 takes as long as all
//! others together, so it can be computed apart: beside them ([`Md5Hasher`], [`OtherHasher`]), or for many whole bodies together
//! ([`md5_of_each`]), since the blocks of one body depend on each other and those of different bodies do not.

use crate::s3::values::checksum::algorithm::ChecksumAlgorithm;
use crate::s3::values::checksum::md5_lanes;
use crate::s3::values::checksum::value::Checksum;
use crc_fast::CrcAlgorithm;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// Bytes that one CRC64-NVME of the store covers: 1 MiB.
pub const CRC_BLOCK_BYTES: usize = 1 << 20;

/// Which digests beside MD5 and the store's CRCs are computed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    pub sha256: bool,
    pub checksums: Vec<ChecksumAlgorithm>,
}

impl Wanted {
    fn has(&self, algorithm: ChecksumAlgorithm) -> bool {
        self.checksums.contains(&algorithm)
    }
}

/// Computes all digests of one body in one pass.
pub struct Hasher {
    md5: Md5Hasher,
    others: OtherHasher,
}

impl Hasher {
    #[must_use]
    pub fn new(wanted: &Wanted) -> Self {
        Self {
            md5: Md5Hasher::default(),
            others: OtherHasher::new(wanted),
        }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.others.update(bytes);
    }

    #[must_use]
    pub fn finish(self) -> Digests {
        self.others.finish(self.md5.finish())
    }
}

/// Computes the MD5 of one body.
#[derive(Default)]
pub struct Md5Hasher(Md5);

impl Md5Hasher {
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    #[must_use]
    pub fn finish(self) -> [u8; 16] {
        self.0.finalize().into()
    }
}

/// Computes all digests of one body but its MD5.
pub struct OtherHasher {
    wanted: Wanted,
    size_bytes: u64,
    block: crc_fast::Digest,
    block_bytes: usize,
    block_crcs: Vec<u64>,
    crc32: Option<crc_fast::Digest>,
    crc32c: Option<crc_fast::Digest>,
    sha1: Option<Sha1>,
    sha256: Option<Sha256>,
}

impl OtherHasher {
    #[must_use]
    pub fn new(wanted: &Wanted) -> Self {
        let crc = |wanted: bool, algorithm| wanted.then(|| crc_fast::Digest::new(algorithm));
        Self {
            size_bytes: 0,
            block: crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme),
            block_bytes: 0,
            block_crcs: Vec::new(),
            crc32: crc(
                wanted.has(ChecksumAlgorithm::Crc32),
                CrcAlgorithm::Crc32IsoHdlc,
            ),
            crc32c: crc(
                wanted.has(ChecksumAlgorithm::Crc32c),
                CrcAlgorithm::Crc32Iscsi,
            ),
            sha1: wanted.has(ChecksumAlgorithm::Sha1).then(Sha1::new),
            sha256: (wanted.sha256 || wanted.has(ChecksumAlgorithm::Sha256)).then(Sha256::new),
            wanted: wanted.clone(),
        }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.size_bytes += bytes.len() as u64;
        self.update_blocks(bytes);
        if let Some(crc32) = &mut self.crc32 {
            crc32.update(bytes);
        }
        if let Some(crc32c) = &mut self.crc32c {
            crc32c.update(bytes);
        }
        if let Some(sha1) = &mut self.sha1 {
            sha1.update(bytes);
        }
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
    }

    fn update_blocks(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = CRC_BLOCK_BYTES - self.block_bytes;
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.block.update(now);
            self.block_bytes += now.len();
            if self.block_bytes == CRC_BLOCK_BYTES {
                self.end_block();
            }
            bytes = later;
        }
    }

    fn end_block(&mut self) {
        self.block_crcs.push(self.block.finalize_reset());
        self.block_bytes = 0;
    }

    #[must_use]
    pub fn finish(mut self, md5: [u8; 16]) -> Digests {
        let last_block_bytes = self.block_bytes;
        if last_block_bytes > 0 {
            self.end_block();
        }
        let sha256 = self.sha256.take().map(|sha| sha.finalize().into());
        let checksums = (self.wanted.checksums.iter().copied())
            .filter_map(|algorithm| self.checksum(algorithm, last_block_bytes, sha256.as_ref()))
            .collect();
        Digests {
            size_bytes: self.size_bytes,
            md5,
            sha256: sha256.filter(|_| self.wanted.sha256),
            block_crcs: self.block_crcs,
            checksums,
        }
    }

    /// `None` for an algorithm that was not requested.
    fn checksum(
        &self,
        algorithm: ChecksumAlgorithm,
        last_block_bytes: usize,
        sha256: Option<&[u8; 32]>,
    ) -> Option<Checksum> {
        let crc = |digest: &crc_fast::Digest| Checksum::from_crc(algorithm, digest.finalize());
        match algorithm {
            ChecksumAlgorithm::Crc32 => self.crc32.as_ref().map(crc),
            ChecksumAlgorithm::Crc32c => self.crc32c.as_ref().map(crc),
            ChecksumAlgorithm::Crc64nvme => {
                let whole = combine_blocks(&self.block_crcs, last_block_bytes);
                Some(Checksum::from_crc(algorithm, whole))
            }
            ChecksumAlgorithm::Sha1 => {
                let sha1 = self.sha1.clone()?;
                Some(Checksum::from_raw(algorithm, &sha1.finalize()))
            }
            ChecksumAlgorithm::Sha256 => sha256.map(|raw| Checksum::from_raw(algorithm, raw)),
        }
    }
}

/// The CRC64-NVME of a whole body from those of its blocks, so that no byte is hashed twice.
/// `last_block_bytes`: 0 where the last block is full.
fn combine_blocks(block_crcs: &[u64], last_block_bytes: usize) -> u64 {
    let Some((first, rest)) = block_crcs.split_first() else {
        return 0;
    };
    rest.iter().enumerate().fold(*first, |whole, (index, crc)| {
        let length = match last_block_bytes {
            partial @ 1.. if index + 1 == rest.len() => partial,
            _ => CRC_BLOCK_BYTES,
        };
        crc_fast::checksum_combine(CrcAlgorithm::Crc64Nvme, whole, *crc, length as u64)
    })
}

#[derive(Debug, Clone)]
pub struct Digests {
    pub size_bytes: u64,
    pub md5: [u8; 16],
    /// One CRC64-NVME for each started MiB; empty for an empty body.
    pub block_crcs: Vec<u64>,
    /// Set where it was wanted.
    pub sha256: Option<[u8; 32]>,
    /// The requested checksums, in the order of the request.
    pub checksums: Vec<Checksum>,
}

impl Digests {
    /// The digests of a whole body whose MD5 is known.
    #[must_use]
    pub fn of_whole(wanted: &Wanted, body: &[u8], md5: [u8; 16]) -> Self {
        let mut hasher = OtherHasher::new(wanted);
        hasher.update(body);
        hasher.finish(md5)
    }
}

/// The MD5 of each body: up to sixteen together take about as long as the longest of them alone.
#[must_use]
pub fn md5_of_each(bodies: &[&[u8]]) -> Vec<[u8; 16]> {
    match bodies {
        [body] => vec![Md5::digest(body).into()],
        _ => md5_lanes::md5_of_each(bodies),
    }
}

/// CRC64-NVME of one block.
#[must_use]
pub fn crc64_nvme(bytes: &[u8]) -> u64 {
    crc_fast::checksum(CrcAlgorithm::Crc64Nvme, bytes)
}
