//! The journal: SQLite's `-wal` and `-shm`, read as files. How much of a journal SQLite will recover, and how long it
//! is now.
//!
//! <https://sqlite.org/fileformat2.html#walformat>, <https://sqlite.org/walformat.html>

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Identify one generation of a journal: SQLite chooses other salts whenever it restarts the journal.
pub(super) type Salts = [u8; 8];

/// The part of a journal that can be recovered: whole transactions from its beginning on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Recoverable {
    pub(super) salts: Salts,
    /// The number of frames, up to the last one that ends a transaction.
    pub(super) frames: u32,
}

/// The state of a journal that connections are writing to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct JournalState {
    pub(super) salts: Salts,
    /// The number of committed frames.
    pub(super) frames: u32,
}

pub(super) fn wal(database: &Path) -> PathBuf {
    beside(database, "-wal")
}

/// Syncs the journal.
pub(super) fn sync(database: &Path) -> io::Result<()> {
    File::open(wal(database))?.sync_data()
}

/// Whether the journal is empty or missing, so that the database's own file holds everything.
pub(crate) fn is_empty(database: &Path) -> bool {
    std::fs::metadata(wal(database)).map_or(true, |file| file.len() == 0)
}

fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Reads how much of the journal can be recovered. `None`: there is no journal, or its header is not whole.
pub(super) fn recoverable(database: &Path) -> io::Result<Option<Recoverable>> {
    const HEADER: usize = 32;
    const FRAME_HEADER: usize = 24;
    /// Its last bit states the byte order of the checksums.
    const MAGIC: u32 = 0x377f_0682;
    let file = match File::open(wal(database)) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut file = BufReader::with_capacity(1 << 18, file);
    let mut header = [0; HEADER];
    if !read_whole(&mut file, &mut header)? {
        return Ok(None);
    }
    let number = |bytes: &[u8], at: usize| {
        u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
    };
    let page_bytes = number(&header, 8) as usize;
    let is_page = page_bytes.is_power_of_two() && (512..=65536).contains(&page_bytes);
    let mut sum = Checksum {
        is_big_endian: number(&header, 0) & 1 == 1,
        sums: (0, 0),
    };
    sum.add(&header[..24]);
    if number(&header, 0) & !1 != MAGIC
        || !is_page
        || sum.sums != (number(&header, 24), number(&header, 28))
    {
        return Ok(None);
    }
    let salts: Salts = header[16..24].try_into().expect("eight bytes");
    let mut frame = vec![0; FRAME_HEADER + page_bytes];
    let (mut read, mut frames) = (0, 0);
    while read_whole(&mut file, &mut frame)? {
        sum.add(&frame[..8]);
        sum.add(&frame[FRAME_HEADER..]);
        let is_whole = frame[8..16] == salts
            && number(&frame, 0) != 0
            && sum.sums == (number(&frame, 16), number(&frame, 20));
        if !is_whole {
            break;
        }
        read += 1;
        if number(&frame, 4) != 0 {
            frames = read;
        }
    }
    Ok(Some(Recoverable { salts, frames }))
}

fn read_whole(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match from.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// SQLite's checksum of a journal, over all bytes that were added.
struct Checksum {
    is_big_endian: bool,
    sums: (u32, u32),
}

impl Checksum {
    /// `bytes`: a multiple of 8.
    fn add(&mut self, bytes: &[u8]) {
        let (mut first, mut second) = self.sums;
        let (pairs, _) = bytes.as_chunks::<8>();
        for pair in pairs {
            let (words, _) = pair.as_chunks::<4>();
            let word = |at: usize| {
                if self.is_big_endian {
                    u32::from_be_bytes(words[at])
                } else {
                    u32::from_le_bytes(words[at])
                }
            };
            first = first.wrapping_add(word(0)).wrapping_add(second);
            second = second.wrapping_add(word(1)).wrapping_add(first);
        }
        self.sums = (first, second);
    }
}

/// The index of a journal that is in use (`-shm`): one small read tells the state of the journal.
#[derive(Debug)]
pub(super) struct Index {
    shm: File,
}

impl Index {
    pub(super) fn open(database: &Path) -> io::Result<Self> {
        let shm = File::open(beside(database, "-shm"))?;
        Ok(Self { shm })
    }

    /// The state of the journal; `None` while a connection is changing it.
    pub(super) fn state(&self) -> io::Result<Option<JournalState>> {
        /// The length of each of the two copies of the header, which are equal unless a connection is changing them.
        const HEADER: usize = 48;
        let mut both = [0; 2 * HEADER];
        self.shm.read_exact_at(&mut both, 0)?;
        let (one, other) = both.split_at(HEADER);
        let is_initialized = one[12] != 0;
        Ok((is_initialized && one == other).then(|| JournalState {
            frames: u32::from_ne_bytes(one[16..20].try_into().expect("four bytes")),
            salts: one[32..40].try_into().expect("eight bytes"),
        }))
    }
}
