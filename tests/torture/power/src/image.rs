//! What a file holds: pages where something was written, holes elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

const PAGE: usize = 4096;
pub(crate) const PAGE_BYTES: u64 = PAGE as u64;
type Page = Arc<[u8; PAGE]>;

/// Cheap to clone: pages are shared until one of them is written.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) size: u64,
    pub(crate) changed: SystemTime,
    pages: BTreeMap<u64, Page>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Write {
        offset: u64,
        data: Vec<u8>,
    },
    Resize(u64),
    /// The size stays.
    Punch {
        offset: u64,
        end: u64,
    },
    Allocate {
        offset: u64,
        end: u64,
        keeps_size: bool,
    },
    /// The size of a write that was lost, over nothing or over what lay on the disk before.
    Grow {
        end: u64,
        noise: Option<u64>,
    },
}

impl Change {
    /// What a disk writes on its own of it: a write falls apart where sectors meet.
    pub(crate) fn in_sectors(self, sector_bytes: u64) -> Vec<Change> {
        let Self::Write { offset, data } = self else {
            return vec![self];
        };
        let mut pieces = Vec::new();
        let (mut at, mut rest) = (offset, &data[..]);
        while !rest.is_empty() {
            let room = usize_of(sector_bytes - at % sector_bytes);
            let (piece, behind) = rest.split_at(room.min(rest.len()));
            pieces.push(Self::Write {
                offset: at,
                data: piece.to_vec(),
            });
            at += piece.len() as u64;
            rest = behind;
        }
        pieces
    }
}

impl Image {
    pub(crate) fn empty(at: SystemTime) -> Self {
        Self {
            size: 0,
            changed: at,
            pages: BTreeMap::new(),
        }
    }

    pub(crate) fn pages(&self) -> u64 {
        self.pages.len() as u64
    }

    pub(crate) fn read(&self, offset: u64, count: u64) -> Vec<u8> {
        let end = offset.saturating_add(count).min(self.size);
        let mut bytes = vec![0; usize_of(end.saturating_sub(offset))];
        for (page, within, place) in spans(offset, end) {
            if let Some(page) = self.pages.get(&page) {
                bytes[place].copy_from_slice(&page[within]);
            }
        }
        bytes
    }

    pub(crate) fn apply(&mut self, change: &Change, at: SystemTime) {
        match change {
            Change::Write { offset, data } => self.write(*offset, data),
            Change::Resize(size) => {
                self.erase(*size, u64::MAX / PAGE_BYTES * PAGE_BYTES);
                self.size = *size;
            }
            Change::Punch { offset, end } => {
                if offset < end {
                    self.erase(*offset, *end);
                }
            }
            Change::Allocate {
                offset,
                end,
                keeps_size,
            } => {
                let zeros = Page::new([0; PAGE]);
                for (page, ..) in spans(*offset, *end) {
                    self.pages.entry(page).or_insert_with(|| zeros.clone());
                }
                if !keeps_size {
                    self.size = self.size.max(*end);
                }
            }
            Change::Grow { end, noise } => {
                if let Some(seed) = noise
                    && *end > self.size
                {
                    let mut noise = vec![0; usize_of(end - self.size)];
                    fastrand::Rng::with_seed(*seed).fill(&mut noise);
                    self.write(self.size, &noise);
                }
                self.size = self.size.max(*end);
            }
        }
        self.changed = at;
    }

    fn write(&mut self, offset: u64, data: &[u8]) {
        let end = offset + data.len() as u64;
        for (page, within, place) in spans(offset, end) {
            let page = self.pages.entry(page);
            let page = page.or_insert_with(|| Page::new([0; PAGE]));
            Arc::make_mut(page)[within].copy_from_slice(&data[place]);
        }
        self.size = self.size.max(end);
    }

    /// Zeros; pages that are whole in it go.
    fn erase(&mut self, offset: u64, end: u64) {
        let touched = self
            .pages
            .range(offset / PAGE_BYTES..end.div_ceil(PAGE_BYTES));
        for number in touched.map(|(number, _)| *number).collect::<Vec<u64>>() {
            let begin = number * PAGE_BYTES;
            let within = offset.max(begin) - begin..end.min(begin + PAGE_BYTES) - begin;
            if within == (0..PAGE_BYTES) {
                self.pages.remove(&number);
            } else if let Some(page) = self.pages.get_mut(&number) {
                Arc::make_mut(page)[usize_of(within.start)..usize_of(within.end)].fill(0);
            }
        }
    }
}

/// The pages of a range: their numbers, which bytes of each, and where these lie in the range.
fn spans(
    offset: u64,
    end: u64,
) -> impl Iterator<Item = (u64, std::ops::Range<usize>, std::ops::Range<usize>)> {
    (offset / PAGE_BYTES..end.div_ceil(PAGE_BYTES))
        .filter(move |_| offset < end)
        .map(move |page| {
            let begin = page * PAGE_BYTES;
            let (from, to) = (offset.max(begin), end.min(begin + PAGE_BYTES));
            (
                page,
                usize_of(from - begin)..usize_of(to - begin),
                usize_of(from - offset)..usize_of(to - offset),
            )
        })
}

fn usize_of(bytes: u64) -> usize {
    usize::try_from(bytes).expect("a machine with 64 bits")
}
