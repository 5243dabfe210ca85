//! What a page's checksum is, and what a header says of a file.

use crc_fast::{CrcAlgorithm, checksum};

/// `application_id` of databases whose pages have checksums: `HGRc`.
pub const APPLICATION_ID: i32 = 0x4847_5263;
/// Of the header at the beginning of page 1.
pub(super) const HEADER_BYTES: usize = 100;
/// What a checksum takes at the end of a page.
pub(super) const CHECKSUM_BYTES: usize = 8;
const SMALLEST_PAGE: usize = 512;
const LARGEST_PAGE: usize = 65536;

/// Whether a file's pages have checksums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// It has no pages yet.
    Empty,
    /// Its pages have no checksums.
    None,
    /// Its pages have checksums, or had them before the file was damaged.
    Checksums,
}

/// What the header of a database says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) protection: Protection,
    /// Whether the end of each page is free for a checksum.
    pub(super) has_reserve: bool,
    /// 0 where the header names no size that there is.
    pub(super) page_bytes: usize,
    /// Pages of the database.
    pub(super) pages: u32,
    /// Every page of such a file was written.
    pub(super) is_wal: bool,
}

impl Header {
    /// `bytes`: at least [`HEADER_BYTES`].
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let number = |at: usize| {
            let four = bytes[at..at + 4].try_into().expect("four bytes");
            u32::from_be_bytes(four)
        };
        let has_reserve = usize::from(bytes[20]) == CHECKSUM_BYTES;
        let is_ours = number(68) == APPLICATION_ID.cast_unsigned();
        let page_bytes = match usize::from(u16::from_be_bytes([bytes[16], bytes[17]])) {
            1 => LARGEST_PAGE,
            size if is_page(size) => size,
            _ => 0,
        };
        Self {
            protection: if has_reserve || is_ours {
                Protection::Checksums
            } else {
                Protection::None
            },
            has_reserve,
            page_bytes,
            pages: number(28),
            is_wal: bytes[18] == 2 && bytes[19] == 2,
        }
    }
}

/// Whether a page can have this size.
pub(super) fn is_page(bytes: usize) -> bool {
    bytes.is_power_of_two() && (SMALLEST_PAGE..=LARGEST_PAGE).contains(&bytes)
}

/// Of the bytes before the checksum. A page in another page's place has another checksum than it should.
pub(super) fn checksum_of(number: u32, page: &[u8]) -> u64 {
    /// Odd: no two numbers give the same.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let crc = checksum(
        CrcAlgorithm::Crc64Nvme,
        &page[..page.len() - CHECKSUM_BYTES],
    );
    crc ^ u64::from(number).wrapping_mul(SPREAD)
}

pub(super) fn is_whole(number: u32, page: &[u8]) -> bool {
    page[page.len() - CHECKSUM_BYTES..] == checksum_of(number, page).to_be_bytes()
}

pub(super) fn seal(number: u32, page: &mut [u8]) {
    let sum = checksum_of(number, page).to_be_bytes();
    let at = page.len() - CHECKSUM_BYTES;
    page[at..].copy_from_slice(&sum);
}

/// The page that SQLite's locks lie in: it is never written. <https://sqlite.org/fileformat2.html#the_lock_byte_page>
pub(super) fn lock_page(page_bytes: usize) -> u32 {
    const PENDING_BYTE: usize = 0x4000_0000;
    u32::try_from(PENDING_BYTE / page_bytes + 1).unwrap_or(u32::MAX)
}
