//! Writing the log: groups of records, each appended and synced as one.
//!
//! A segment that has passed [`SEGMENT_LIMIT_BYTES`] is not appended to any more. The next segment is used only once
//! its name in the folder is on the disk.

use crate::faults;
use crate::store::dir::Dir;
use crate::store::record::segments::{End, segment_name};
use crate::store::record::{self, Draft, HEAD_BYTES, LogId, STATEMENT_LIMIT_BYTES};
use bytes::Bytes;
use std::fs::File;
use std::io::{self, IoSlice};
use std::sync::Arc;

/// Small in tests, so that their logs have several segments.
const SEGMENT_LIMIT_BYTES: u64 = if cfg!(test) { 1 << 20 } else { 1 << 30 };

/// Where a record was written.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Written {
    pub(in crate::store) sequence: u64,
    pub(in crate::store) segment: u64,
    pub(in crate::store) body_offset: u64,
}

#[derive(Debug, thiserror::Error)]
pub(in crate::store) enum AppendError {
    /// Nothing of the group is in the log. The log can still be appended to.
    #[error("the log could not be written")]
    Refused(#[source] io::Error),
    /// The state of the log on the disk is unknown: nothing may be written after this.
    #[error("the log could not be synced")]
    Final(#[source] io::Error),
}

/// The log, opened for appending. It has one owner.
#[derive(Debug)]
pub(in crate::store) struct Log {
    /// Opened once: running out of file descriptors must not look like a failed sync.
    dir: Dir,
    id: LogId,
    file: Arc<File>,
    end: End,
}

impl Log {
    /// Begins a log in an empty folder.
    pub(in crate::store) fn create(dir: &Dir, id: LogId) -> io::Result<Self> {
        // An incomplete first record that a crash left is overwritten.
        let file = dir.make_anew(&segment_name(1))?;
        dir.sync()?;
        let file = Arc::new(file);
        let end = End {
            segment: 1,
            offset: 0,
            sequence: 0,
        };
        Ok(Self {
            dir: dir.clone(),
            id,
            file,
            end,
        })
    }

    /// Continues at the end that a reader found. Syncs everything before it in this segment.
    pub(in crate::store) fn resume(dir: &Dir, id: LogId, end: End) -> io::Result<Self> {
        let file = dir.write(&segment_name(end.segment))?;
        // Cuts off a torn tail.
        file.set_len(end.offset)?;
        file.sync_data()?;
        Ok(Self {
            dir: dir.clone(),
            id,
            file: Arc::new(file),
            end,
        })
    }

    pub(in crate::store) fn id(&self) -> LogId {
        self.id
    }

    pub(in crate::store) fn end(&self) -> End {
        self.end
    }

    /// Appends a group and syncs it: when this returns `Ok`, the whole group is on the disk.
    pub(in crate::store) fn append(
        &mut self,
        drafts: &[Draft],
    ) -> Result<Vec<Written>, AppendError> {
        if self.end.offset >= SEGMENT_LIMIT_BYTES {
            self.begin_segment()?;
        }
        let synced = self.end.sequence;
        let mut end = self.end;
        let mut pieces: Vec<Bytes> = Vec::with_capacity(drafts.len() * 3);
        let mut written = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let sequence = end.sequence + 1;
            let head = record::write(draft, self.id, sequence, synced);
            let body_bytes = draft.body.bytes.len() as u64;
            let start = record::start_after(end.offset, body_bytes);
            let statement_bytes = head.len() - HEAD_BYTES;
            if statement_bytes > STATEMENT_LIMIT_BYTES {
                // No reader would accept such a record.
                let cause = io::Error::other("a change is too long for the log");
                return Err(AppendError::Refused(cause));
            }
            let span = record::span(statement_bytes, body_bytes);
            let body_offset = start + head.len() as u64;
            let padding = span - head.len() as u64 - body_bytes;
            push_zeros(&mut pieces, start - end.offset);
            pieces.push(head.into());
            pieces.push(draft.body.bytes.clone());
            push_zeros(&mut pieces, padding);
            written.push(Written {
                sequence,
                segment: end.segment,
                body_offset,
            });
            end = End {
                sequence,
                offset: start + span,
                ..end
            };
        }
        let wrote = faults::call("log-write")
            .and_then(|()| write_all_at(&self.file, &pieces, self.end.offset));
        if let Err(error) = wrote {
            return Err(self.cut_back(error));
        }
        faults::step("log-written");
        let synced = faults::call("log-sync").and_then(|()| self.file.sync_data());
        synced.map_err(AppendError::Final)?;
        faults::step("log-synced");
        self.end = end;
        Ok(written)
    }

    /// Begins the next segment.
    fn begin_segment(&mut self) -> Result<(), AppendError> {
        let segment = self.end.sequence + 1;
        // An incomplete first record that a crash left is overwritten: the reader found the end of the log before it.
        let file = self.dir.make_anew(&segment_name(segment));
        let file = file.map_err(AppendError::Refused)?;
        self.dir.sync().map_err(AppendError::Final)?;
        self.file = Arc::new(file);
        self.end = End {
            segment,
            offset: 0,
            ..self.end
        };
        Ok(())
    }

    /// Cuts off a group that could not be written completely.
    fn cut_back(&mut self, cause: io::Error) -> AppendError {
        let cut = self.file.set_len(self.end.offset);
        match cut.and_then(|()| self.file.sync_data()) {
            Ok(()) => AppendError::Refused(cause),
            Err(error) => AppendError::Final(error),
        }
    }
}

fn push_zeros(pieces: &mut Vec<Bytes>, count: u64) {
    static ZEROS: [u8; 4096] = [0; 4096];
    let count = usize::try_from(count).expect("padding is less than a page");
    if count > 0 {
        pieces.push(Bytes::from_static(&ZEROS[..count]));
    }
}

fn write_all_at(file: &File, pieces: &[Bytes], mut offset: u64) -> io::Result<()> {
    /// Linux takes 1024 slices in one call.
    const MOST_SLICES: usize = 1024;
    let mut slices: Vec<IoSlice<'_>> = pieces
        .iter()
        .filter(|piece| !piece.is_empty())
        .map(|piece| IoSlice::new(piece))
        .collect();
    let mut rest: &mut [IoSlice<'_>] = &mut slices;
    while !rest.is_empty() {
        let most = rest.len().min(MOST_SLICES);
        match rustix::io::pwritev(file, &rest[..most], offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                offset += count as u64;
                IoSlice::advance_slices(&mut rest, count);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::s3::checksum::crc64_nvme;
    use crate::store::record::reader::Reader;
    use crate::store::record::segments::{begin, punch, segments};
    use crate::store::record::{BodyHere, Change};

    fn draft() -> Draft {
        Draft::new(Timestamp::from_millis(0), Change::Domain, None)
    }

    fn folder() -> (tempfile::TempDir, Dir) {
        let dir = tempfile::tempdir().unwrap();
        let folder = Dir::open(dir.path()).unwrap();
        (dir, folder)
    }

    #[test]
    fn a_file_that_is_not_named_as_a_segment_is_ignored() {
        let (dir, folder) = folder();
        let mut log = Log::create(&folder, LogId::random()).unwrap();
        log.append(&[draft()]).unwrap();
        for stray in ["0.log", "1.log", "+3.log", "00000000000000000000.log"] {
            std::fs::write(dir.path().join(stray), b"").unwrap();
        }
        assert_eq!(segments(&folder).unwrap(), [1]);
        assert_eq!(begin(&folder).unwrap().unwrap().sequence, 0);
    }

    fn holding(body: &'static [u8]) -> Draft {
        let body = BodyHere {
            bytes: Bytes::from_static(body),
            crc: crc64_nvme(body),
        };
        Draft { body, ..draft() }
    }

    fn offsets(dir: &Dir, id: LogId) -> Vec<u64> {
        let mut reader = Reader::new(dir, id, begin(dir).unwrap().unwrap()).unwrap();
        let mut offsets = Vec::new();
        while let Some((record, _)) = reader.next().unwrap() {
            offsets.push(record.body_offset);
        }
        offsets
    }

    #[test]
    fn only_bodies_of_a_page_and_longer_take_pages_of_their_own() {
        static PAGE: [u8; 4096] = [7; 4096];
        let (_kept, dir) = folder();
        let id = LogId::random();
        let mut log = Log::create(&dir, id).unwrap();
        let drafts = [
            holding(b"short"),
            holding(&PAGE[1..]),
            holding(&PAGE),
            holding(b"short"),
            draft(),
        ];
        let written = log.append(&drafts).unwrap();
        let at: Vec<u64> = written.iter().map(|record| record.body_offset).collect();
        assert!(at[1] < 1000, "{at:?}");
        let head = at[0];
        assert_eq!((at[2], at[3]), (8192 + head, 8192 + 8192 + head), "{at:?}");
        assert_eq!(offsets(&dir, id), at);

        for (body, at) in [(0, at[0]), (2, at[2])] {
            punch(&dir, 1, at, drafts[body].body.bytes.len() as u64).unwrap();
        }
        let bytes = std::fs::read(dir.path_of(&segment_name(1))).unwrap();
        let holds = |record: usize| {
            let (from, body) = (
                usize::try_from(at[record]).unwrap(),
                &drafts[record].body.bytes,
            );
            bytes[from..].starts_with(body)
        };
        assert_eq!([0, 1, 2, 3].map(holds), [false, true, false, true]);
        log.append(&[draft()]).unwrap();
        assert_eq!(offsets(&dir, id).len(), 6, "the records stayed whole");
    }

    #[test]
    fn a_log_whose_short_bodies_take_pages_ends_where_it_ended() {
        let (_kept, dir) = folder();
        let id = LogId::random();
        let mut log = Log::create(&dir, id).unwrap();
        log.append(&[holding(b"short")]).unwrap();
        log.end.offset = 4096;
        let position = log.end;
        let mut bytes = std::fs::read(dir.path_of(&segment_name(1))).unwrap();
        bytes[8..10].copy_from_slice(&1_u16.to_le_bytes());
        let body = bytes.windows(5).position(|at| at == b"short").unwrap();
        let crc = crc64_nvme(&[&bytes[..72], &bytes[HEAD_BYTES..body]].concat());
        bytes[72..HEAD_BYTES].copy_from_slice(&crc.to_le_bytes());
        std::fs::write(dir.path_of(&segment_name(1)), bytes).unwrap();
        log.append(&[draft(), holding(b"short")]).unwrap();

        let mut reader = Reader::new(&dir, id, begin(&dir).unwrap().unwrap()).unwrap();
        let mut ends = Vec::new();
        while let Some((_, end)) = reader.next().unwrap() {
            ends.push(end);
        }
        assert_eq!((ends.len(), ends[0]), (3, position));
    }

    #[test]
    fn the_rest_of_a_segment_that_a_crash_left_blocks_no_write() {
        for left in [&b""[..], b"a first record that was never whole"] {
            let (_kept, dir) = folder();
            let mut log = Log::create(&dir, LogId::random()).unwrap();
            log.append(&[draft()]).unwrap();
            std::fs::write(dir.path_of(&segment_name(2)), left).unwrap();
            log.end.offset = SEGMENT_LIMIT_BYTES;
            let written = log.append(&[draft()]).unwrap();
            assert_eq!((written[0].sequence, written[0].segment), (2, 2));
            let segment = std::fs::read(dir.path_of(&segment_name(2))).unwrap();
            assert_eq!(segment.len() as u64, log.end.offset);
        }
    }
}
