//! A database file's pages, read without SQLite.

use super::page::{self, HEADER_BYTES, Header, Protection};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// What a page is that holds nothing but zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hole {
    /// It was lost.
    Damage,
    /// It may be in the journal alone until a later checkpoint. A connection that reads it from the database finds it.
    Allowed,
}

/// The pages of a file, to be held against their checksums.
#[derive(Debug)]
pub struct Pages {
    file: Arc<File>,
    header: Header,
    bytes: u64,
}

impl Pages {
    /// Looks at the header.
    pub fn of(file: impl Into<Arc<File>>) -> io::Result<Self> {
        let file = file.into();
        let bytes = file.metadata()?.len();
        let mut header = [0; HEADER_BYTES];
        let header = if bytes == 0 {
            Header {
                protection: Protection::Empty,
                ..Header::parse(&header)
            }
        } else {
            read_up_to(&file, &mut header, 0)?;
            Header::parse(&header)
        };
        Ok(Self {
            file,
            header,
            bytes,
        })
    }

    pub fn protection(&self) -> Protection {
        self.header.protection
    }

    pub fn page_bytes(&self) -> u64 {
        self.header.page_bytes as u64
    }

    /// How many pages the file has room for; a last one that is not whole counts.
    pub fn count(&self) -> u32 {
        let count = self.bytes.checked_div(self.page_bytes()).unwrap_or(0);
        let part = u64::from(self.bytes > count * self.page_bytes());
        u32::try_from(count + part).unwrap_or(u32::MAX)
    }

    /// Whether the header and the length of a file agree, which no connection is writing to and that needs no `-wal`.
    pub fn has_its_length(&self) -> bool {
        let pages = u64::from(self.header.pages);
        self.header.page_bytes > 0 && self.bytes == pages * self.page_bytes()
    }

    /// The first page from `from` on, of at most `count`, that is not what was written.
    pub fn first_damaged(&self, from: u32, count: u32, hole: Hole) -> io::Result<Option<u32>> {
        /// Pages that are read together.
        const TOGETHER: u32 = 64;
        let Header { page_bytes, .. } = self.header;
        if page_bytes == 0 {
            return Ok(Some(1));
        }
        let end = from
            .saturating_add(count)
            .min(self.count().saturating_add(1));
        let mut buffer = vec![0; page_bytes * TOGETHER as usize];
        let mut number = from.max(1);
        while number < end {
            let together = TOGETHER.min(end - number);
            let buffer = &mut buffer[..page_bytes * together as usize];
            let at = u64::from(number - 1) * self.page_bytes();
            let read = read_up_to(&self.file, buffer, at)?;
            buffer[read..].fill(0);
            let begins = (0..).step_by(page_bytes);
            for ((page, number), begin) in buffer.chunks(page_bytes).zip(number..).zip(begins) {
                let is_there = begin + page_bytes <= read;
                let is_whole = is_there && page::is_whole(number, page);
                let is_hole = hole == Hole::Allowed && page.iter().all(|byte| *byte == 0);
                if !is_whole && !is_hole && number != page::lock_page(page_bytes) {
                    return Ok(Some(number));
                }
            }
            number += together;
        }
        Ok(None)
    }
}

/// Gives those pages of a copy that SQLite has just made a checksum that it left as holes, since nothing is in them.
/// Answers the first page that is not what was written.
pub fn fill_unwritten(file: File) -> io::Result<Option<u32>> {
    let pages = Pages::of(file)?;
    let Header {
        page_bytes,
        has_reserve,
        ..
    } = pages.header;
    if pages.protection() != Protection::Checksums || !has_reserve {
        return Ok(None);
    }
    let mut from = 1;
    while let Some(number) = pages.first_damaged(from, u32::MAX, Hole::Damage)? {
        let mut page = vec![0; page_bytes];
        let at = u64::from(number - 1) * page_bytes as u64;
        let read = read_up_to(&pages.file, &mut page, at)?;
        if read < page_bytes || page.iter().any(|byte| *byte != 0) {
            return Ok(Some(number));
        }
        page::seal(number, &mut page);
        pages.file.write_all_at(&page, at)?;
        from = number + 1;
    }
    Ok(None)
}

/// As much as there is.
fn read_up_to(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read_at(&mut buffer[read..], at + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}
