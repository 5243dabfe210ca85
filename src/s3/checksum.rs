//! The digests of a body: MD5 for the `ETag`, CRC64-NVME for each MiB as the store keeps it, and the five
//! `x-amz-checksum-*` algorithms.
//!
//! One [`Hasher`] sees each byte once and answers all of them, the same however the body was cut. MD5 takes as long as all
//! others, so it can be had apart: beside them ([`Md5Hasher`], [`OtherHasher`]), or for many whole bodies together
//! ([`md5_of_each`]), for a body's own blocks wait for each other and those of different bodies do not. Whether a digest is
//! the one that a client stated is its caller's to compare.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>
use base64::prelude::{BASE64_STANDARD, Engine};
use crc_fast::CrcAlgorithm;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{ErrorCode, S3Error, md5_lanes};

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum ChecksumAlgorithm {
    Crc32,
    Crc32c,
    Crc64nvme,
    Sha1,
    Sha256,
}
impl ChecksumAlgorithm {
    pub const ALL: [Self; 5] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64nvme,
        Self::Sha1,
        Self::Sha256,
    ];

    /// `x-amz-checksum-crc32` and so on, lower case.
    #[must_use]
    pub fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// `CRC32`, `SHA256`…: as S3's answers and its XML have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// `ChecksumCRC32` and so on: the element of S3's XML.
    #[must_use]
    pub fn element(self) -> &'static str {
        match self {
            Self::Crc32 => "ChecksumCRC32",
            Self::Crc32c => "ChecksumCRC32C",
            Self::Crc64nvme => "ChecksumCRC64NVME",
            Self::Sha1 => "ChecksumSHA1",
            Self::Sha256 => "ChecksumSHA256",
        }
    }

    /// Those whose values of parts give that of the whole.
    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }

    /// `CRC32`, `SHA256`…: as `x-amz-sdk-checksum-algorithm` has it; compared without case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// The algorithm whose [`header`](Self::header) this is; compared without case.
    #[must_use]
    pub fn from_header(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.header().eq_ignore_ascii_case(name))
    }

    /// The algorithm whose [`element`](Self::element) this is.
    #[must_use]
    pub fn from_element(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.element() == name)
    }

    /// Bytes of the raw value, before base64.
    #[must_use]
    pub fn length_bytes(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }
}

/// AWS: the code and the text for a checksum of an algorithm that it does not know.
#[must_use]
pub fn unknown_checksum() -> S3Error {
    S3Error::with_message(
        ErrorCode::InvalidRequest,
        "The algorithm type you specified in x-amz-checksum- header is invalid.",
    )
}

/// How the checksum of a completed upload is made of its parts'.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChecksumType {
    /// That of the parts' checksums, with `-N` behind it.
    Composite,
    /// That of all bytes.
    #[default]
    FullObject,
}
impl ChecksumType {
    /// `COMPOSITE` or `FULL_OBJECT`: as headers and XML have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Composite => "COMPOSITE",
            Self::FullObject => "FULL_OBJECT",
        }
    }

    /// What [`as_str`](Self::as_str) says; compared without case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Composite, Self::FullObject]
            .into_iter()
            .find(|one| one.as_str().eq_ignore_ascii_case(text))
    }

    /// The type that a multipart upload has unless it asks for one.
    #[must_use]
    pub fn default_of(algorithm: ChecksumAlgorithm) -> Self {
        match algorithm {
            ChecksumAlgorithm::Crc64nvme => Self::FullObject,
            _ => Self::Composite,
        }
    }

    /// Whether a multipart upload can have it: only CRCs can be combined, and CRC64NVME is nothing else.
    #[must_use]
    pub fn goes_with(self, algorithm: ChecksumAlgorithm) -> bool {
        match self {
            Self::Composite => algorithm != ChecksumAlgorithm::Crc64nvme,
            Self::FullObject => algorithm.crc().is_some(),
        }
    }
}

/// A checksum that a client stated, or that we computed. Its raw value is big-endian for CRCs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Checksum {
    pub algorithm: ChecksumAlgorithm,
    /// base64 in JSON and on the wire
    pub value: String,
}
impl Checksum {
    /// # Errors
    /// `InvalidRequest` "Value for x-amz-checksum-… header is invalid." when it is no base64 of the right length.
    pub fn parse(algorithm: ChecksumAlgorithm, base64: &str) -> Result<Self, S3Error> {
        let invalid = || {
            S3Error::with_message(
                ErrorCode::InvalidRequest,
                format!("Value for {} header is invalid.", algorithm.header()),
            )
        };
        if base64.len() != algorithm.length_bytes().div_ceil(3) * 4 {
            return Err(invalid());
        }
        match BASE64_STANDARD.decode(base64) {
            Ok(raw) if raw.len() == algorithm.length_bytes() => Ok(Self {
                algorithm,
                value: base64.to_owned(),
            }),
            _ => Err(invalid()),
        }
    }

    /// The checksum of `bytes`.
    #[must_use]
    pub fn of(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> Self {
        let raw = match algorithm {
            ChecksumAlgorithm::Sha1 => Sha1::digest(bytes).to_vec(),
            ChecksumAlgorithm::Sha256 => Sha256::digest(bytes).to_vec(),
            ChecksumAlgorithm::Crc32 | ChecksumAlgorithm::Crc32c | ChecksumAlgorithm::Crc64nvme => {
                let crc = algorithm.crc().expect("these three are CRCs");
                return Self::from_crc(algorithm, crc_fast::checksum(crc, bytes));
            }
        };
        Self::from_raw(algorithm, &raw)
    }

    /// `COMPOSITE`: the checksum of the parts' checksums, and how many there are.
    #[must_use]
    pub fn composite(algorithm: ChecksumAlgorithm, parts: &[&Self]) -> Self {
        let raw: Vec<u8> = parts.iter().flat_map(|part| part.raw()).collect();
        let whole = Self::of(algorithm, &raw);
        Self {
            value: format!("{}-{}", whole.value, parts.len()),
            ..whole
        }
    }

    /// `FULL_OBJECT`: the checksum of all bytes, from those of the parts and their lengths. `None` where the algorithm's
    /// values cannot be combined.
    #[must_use]
    pub fn combined(algorithm: ChecksumAlgorithm, parts: &[(&Self, u64)]) -> Option<Self> {
        let crc = algorithm.crc()?;
        let whole = parts
            .iter()
            .fold(crc_fast::checksum(crc, b""), |whole, (part, size_bytes)| {
                crc_fast::checksum_combine(crc, whole, part.crc(), *size_bytes)
            });
        Some(Self::from_crc(algorithm, whole))
    }

    /// The digest alone, without the number of parts that a composite checksum has behind it.
    #[must_use]
    pub fn without_count(&self) -> Self {
        let digest = self.value.split('-').next().unwrap_or_default();
        Self {
            algorithm: self.algorithm,
            value: digest.to_owned(),
        }
    }

    fn raw(&self) -> Vec<u8> {
        BASE64_STANDARD.decode(&self.value).unwrap_or_default()
    }

    fn crc(&self) -> u64 {
        self.raw()
            .iter()
            .fold(0, |crc, byte| (crc << 8) | u64::from(*byte))
    }

    fn from_raw(algorithm: ChecksumAlgorithm, raw: &[u8]) -> Self {
        Self {
            algorithm,
            value: BASE64_STANDARD.encode(raw),
        }
    }

    fn from_crc(algorithm: ChecksumAlgorithm, crc: u64) -> Self {
        let unused = size_of::<u64>() - algorithm.length_bytes();
        Self::from_raw(algorithm, &crc.to_be_bytes()[unused..])
    }
}

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

    /// `None` for what is not computed, which is what nobody wanted.
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
    /// Those wanted, in the order in which they were named.
    pub checksums: Vec<Checksum>,
}

impl Digests {
    /// Those of a body that is at hand whole, and whose MD5 is known.
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn digests(body: &[u8]) -> Digests {
        let mut hasher = Hasher::new(&Wanted {
            sha256: true,
            checksums: ChecksumAlgorithm::ALL.to_vec(),
        });
        hasher.update(body);
        hasher.finish()
    }

    #[test]
    fn crc64_nvme_has_its_check_value() {
        assert_eq!(crc64_nvme(b"123456789"), 0xae8b_1486_0a79_9888);
    }

    #[test]
    fn each_algorithm_has_its_check_value() {
        let digests = digests(b"123456789");
        let values: Vec<_> = digests
            .checksums
            .iter()
            .map(|checksum| {
                format!(
                    "{} {}",
                    checksum.algorithm.name(),
                    hex::encode(BASE64_STANDARD.decode(&checksum.value).unwrap())
                )
            })
            .collect();
        insta::assert_snapshot!(values.join("\n"), @r"
        CRC32 cbf43926
        CRC32C e3069283
        CRC64NVME ae8b14860a799888
        SHA1 f7c3bc1d808e04732adf679965ccc34ca7ae3441
        SHA256 15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225
        ");
        assert_eq!(hex::encode(digests.md5), "25f9e794323b453885f5181f1b624d0b");
        assert_eq!(digests.block_crcs, [0xae8b_1486_0a79_9888]);
    }

    #[test]
    fn an_empty_body_has_no_block_and_the_digests_of_nothing() {
        let digests = digests(b"");
        assert_eq!(digests.size_bytes, 0);
        assert!(digests.block_crcs.is_empty());
        assert_eq!(digests.checksums[2].value, "AAAAAAAAAAA=");
        assert_eq!(hex::encode(digests.md5), "d41d8cd98f00b204e9800998ecf8427e");
    }

    #[test]
    fn only_what_is_wanted_is_answered() {
        let mut hasher = Hasher::new(&Wanted {
            sha256: false,
            checksums: vec![ChecksumAlgorithm::Sha256],
        });
        hasher.update(b"x");
        let digests = hasher.finish();
        assert_eq!(digests.sha256, None);
        assert_eq!(digests.checksums.len(), 1);
    }

    #[rstest]
    #[case(0)]
    #[case(1)]
    #[case(CRC_BLOCK_BYTES - 1)]
    #[case(CRC_BLOCK_BYTES)]
    #[case(CRC_BLOCK_BYTES + 1)]
    #[case(3 * CRC_BLOCK_BYTES)]
    #[case(3 * CRC_BLOCK_BYTES + 77)]
    fn blocks_are_started_mebibytes_and_make_the_whole(#[case] length: usize) {
        let body: Vec<u8> = (0..=250_u8).cycle().take(length).collect();
        let digests = digests(&body);
        let expected: Vec<u64> = body.chunks(CRC_BLOCK_BYTES).map(crc64_nvme).collect();
        assert_eq!(digests.block_crcs, expected);
        assert_eq!(
            digests.checksums[2],
            Checksum::from_crc(ChecksumAlgorithm::Crc64nvme, crc64_nvme(&body))
        );
    }

    #[rstest]
    #[case(ChecksumAlgorithm::Crc32, "y/Q5Jg==", true)]
    #[case(ChecksumAlgorithm::Crc32, "y/Q5Jg", false)]
    #[case(ChecksumAlgorithm::Crc32, "y/Q5Jh==", false)]
    #[case(ChecksumAlgorithm::Crc32, "y_Q5Jg==", false)]
    #[case(ChecksumAlgorithm::Crc32, "y/Q5Jgaa", false)]
    #[case(ChecksumAlgorithm::Crc32, "", false)]
    #[case(ChecksumAlgorithm::Crc32, "bad", false)]
    #[case(ChecksumAlgorithm::Crc64nvme, "rosUhgp5mIg=", true)]
    #[case(ChecksumAlgorithm::Crc64nvme, "y/Q5Jg==", false)]
    #[case(ChecksumAlgorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE=", true)]
    #[case(
        ChecksumAlgorithm::Sha256,
        "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
        true
    )]
    fn a_stated_checksum_is_base64_of_its_algorithms_length(
        #[case] algorithm: ChecksumAlgorithm,
        #[case] text: &str,
        #[case] valid: bool,
    ) {
        match Checksum::parse(algorithm, text) {
            Ok(checksum) => assert!(valid && checksum.value == text),
            Err(error) => {
                assert!(!valid);
                assert_eq!(error.code, ErrorCode::InvalidRequest);
                assert_eq!(
                    error.message,
                    format!("Value for {} header is invalid.", algorithm.header())
                );
            }
        }
    }

    #[test]
    fn names_and_headers_are_read_without_case() {
        for algorithm in ChecksumAlgorithm::ALL {
            let lower = algorithm.name().to_ascii_lowercase();
            assert_eq!(ChecksumAlgorithm::parse(&lower), Some(algorithm));
            let upper = algorithm.header().to_ascii_uppercase();
            assert_eq!(ChecksumAlgorithm::from_header(&upper), Some(algorithm));
        }
        assert_eq!(ChecksumAlgorithm::parse("MD5"), None);
    }

    #[rstest]
    #[case(ChecksumAlgorithm::Crc32)]
    #[case(ChecksumAlgorithm::Crc64nvme)]
    #[case(ChecksumAlgorithm::Sha256)]
    fn a_composite_says_of_how_many_parts_it_is(#[case] algorithm: ChecksumAlgorithm) {
        let part = Checksum::of(algorithm, b"123456789");
        let whole = Checksum::composite(algorithm, &[&part, &part]);
        let raw = [part.raw(), part.raw()].concat();
        let expected = format!("{}-2", Checksum::of(algorithm, &raw).value);
        assert_eq!(whole.value, expected);
    }

    #[test]
    fn a_type_goes_with_the_algorithms_that_s3_lets_it_go_with() {
        let pairs: Vec<String> = ChecksumAlgorithm::ALL
            .into_iter()
            .flat_map(|algorithm| {
                [ChecksumType::Composite, ChecksumType::FullObject]
                    .into_iter()
                    .filter(move |kind| kind.goes_with(algorithm))
                    .map(move |kind| format!("{} {}", algorithm.name(), kind.as_str()))
            })
            .collect();
        insta::assert_snapshot!(pairs.join("\n"), @r"
        CRC32 COMPOSITE
        CRC32 FULL_OBJECT
        CRC32C COMPOSITE
        CRC32C FULL_OBJECT
        CRC64NVME FULL_OBJECT
        SHA1 COMPOSITE
        SHA256 COMPOSITE
        ");
        for algorithm in ChecksumAlgorithm::ALL {
            assert!(ChecksumType::default_of(algorithm).goes_with(algorithm));
        }
    }

    proptest! {
        /// Another implementation is the judge.
        #[test]
        fn the_md5_of_each_of_many_bodies_is_that_of_it_alone(
            bodies in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..300),
                    prop::collection::vec(any::<u8>(), 3000),
                    (any::<u8>(), 0..20_000_usize).prop_map(|(byte, length)| vec![byte; length]),
                ],
                0..50,
            ),
        ) {
            let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
            let expected: Vec<[u8; 16]> = bodies.iter().map(|body| md5::Md5::digest(body).into()).collect();
            prop_assert_eq!(&md5_of_each(&bodies), &expected);
            for (body, expected) in bodies.iter().zip(expected) {
                prop_assert_eq!(digests(body).md5, expected);
            }
        }

        #[test]
        fn a_whole_bodys_digests_are_those_that_a_hasher_finds(body in prop::collection::vec(any::<u8>(), 0..3000)) {
            let wanted = Wanted { sha256: true, checksums: ChecksumAlgorithm::ALL.to_vec() };
            let (whole, cut) = (Digests::of_whole(&wanted, &body, md5_of_each(&[&body])[0]), digests(&body));
            prop_assert_eq!(whole.md5, cut.md5);
            prop_assert_eq!(whole.size_bytes, cut.size_bytes);
            prop_assert_eq!(whole.sha256, cut.sha256);
            prop_assert_eq!(whole.block_crcs, cut.block_crcs);
            prop_assert_eq!(whole.checksums, cut.checksums);
        }

        #[test]
        fn combined_checksums_of_parts_are_that_of_the_whole(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 0..6),
        ) {
            for algorithm in ChecksumAlgorithm::ALL {
                let checksums: Vec<Checksum> =
                    parts.iter().map(|part| Checksum::of(algorithm, part)).collect();
                let sized: Vec<_> = checksums
                    .iter()
                    .zip(&parts)
                    .map(|(checksum, part)| (checksum, part.len() as u64))
                    .collect();
                let combined = Checksum::combined(algorithm, &sized);
                let whole = Checksum::of(algorithm, &parts.concat());
                let expected = ChecksumType::FullObject.goes_with(algorithm).then_some(whole);
                prop_assert_eq!(combined, expected);
            }
        }

        #[test]
        fn one_piece_has_the_checksum_that_a_hasher_finds(body in prop::collection::vec(any::<u8>(), 0..500)) {
            let expected: Vec<_> = ChecksumAlgorithm::ALL
                .into_iter()
                .map(|algorithm| Checksum::of(algorithm, &body))
                .collect();
            prop_assert_eq!(digests(&body).checksums, expected);
        }

        #[test]
        fn digests_do_not_depend_on_how_the_body_was_cut(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8),
        ) {
            let wanted = Wanted { sha256: true, checksums: ChecksumAlgorithm::ALL.to_vec() };
            let mut hasher = Hasher::new(&wanted);
            for piece in &pieces {
                hasher.update(piece);
            }
            let (cut, whole) = (hasher.finish(), digests(&pieces.concat()));
            prop_assert_eq!(cut.md5, whole.md5);
            prop_assert_eq!(cut.sha256, whole.sha256);
            prop_assert_eq!(cut.block_crcs, whole.block_crcs);
            prop_assert_eq!(cut.checksums, whole.checksums);
        }
    }
}
