//! The log's files: appending groups of records, and reading them back in order.
//!
//! Segments are named by the sequence of their first record. A segment is sealed when it has passed
//! [`SEGMENT_LIMIT_BYTES`]; the next one is used only when the folder that names it is on disk.

use crate::faults;
use crate::s3::checksum::crc64_nvme;
use crate::store::dir::Dir;
pub(in crate::store) use crate::store::record::LogId;
use crate::store::record::{
    self, BadHead, Draft, HEAD_BYTES, Head, INLINE_LIMIT_BYTES, Record, STATEMENT_LIMIT_BYTES,
    UnreadStatement,
};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Tests have logs of several segments.
const SEGMENT_LIMIT_BYTES: u64 = if cfg!(test) { 1 << 20 } else { 1 << 30 };

/// Where a record went.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Written {
    pub(in crate::store) sequence: u64,
    pub(in crate::store) segment: u64,
    pub(in crate::store) body_offset: u64,
}

/// Where the next record is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct End {
    /// First sequence of the segment.
    pub(in crate::store) segment: u64,
    pub(in crate::store) offset: u64,
    /// The last record's sequence.
    pub(in crate::store) sequence: u64,
}

#[derive(Debug, thiserror::Error)]
pub(in crate::store) enum AppendError {
    /// Nothing of the group is in the log; the log goes on.
    #[error("the log could not be written")]
    Refused(#[source] io::Error),
    /// What is on disk is not known any more: nothing may be written after this.
    #[error("the log could not be synced")]
    Final(#[source] io::Error),
}

/// The writing end. One owner.
#[derive(Debug)]
pub(in crate::store) struct Log {
    /// Opened once: running out of files must not look like a failed sync.
    dir: Dir,
    id: LogId,
    file: Arc<File>,
    end: End,
}

impl Log {
    /// Begins a log in an empty folder.
    pub(in crate::store) fn create(dir: &Dir, id: LogId) -> io::Result<Self> {
        // What a crash left of a first record that was never whole is written over.
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

    /// Goes on where a reader found the end. All that lies before it is synced here.
    pub(in crate::store) fn resume(dir: &Dir, id: LogId, end: End) -> io::Result<Self> {
        let file = dir.write(&segment_name(end.segment))?;
        // Cuts a torn tail off.
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

    /// Appends a group and syncs it: when this answers `Ok`, all of it is on disk.
    pub(in crate::store) fn append(
        &mut self,
        drafts: &[Draft],
    ) -> Result<Vec<Written>, AppendError> {
        if self.end.offset >= SEGMENT_LIMIT_BYTES {
            self.turn_segment()?;
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
                // No reader would take it for a record.
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
            return Err(self.take_back(error));
        }
        faults::step("log-written");
        let synced = faults::call("log-sync").and_then(|()| self.file.sync_data());
        synced.map_err(AppendError::Final)?;
        faults::step("log-synced");
        self.end = end;
        Ok(written)
    }

    /// Begins the next segment where this one is full.
    fn turn_segment(&mut self) -> Result<(), AppendError> {
        let segment = self.end.sequence + 1;
        // What a crash left of a first record that was never whole is written over: the reader found the end before it.
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

    /// A group that could not be written whole is cut off again.
    fn take_back(&mut self, cause: io::Error) -> AppendError {
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

pub(in crate::store) fn segment_name(first_sequence: u64) -> String {
    format!("{first_sequence:020}.log")
}

fn sync_and_forget(file: &File, from: u64) -> io::Result<()> {
    file.sync_data()?;
    forget(file, from)
}

/// Lets go of what the system holds of a file in memory from a byte on, where that is on the disk.
pub(in crate::store) fn forget(file: &File, from: u64) -> io::Result<()> {
    // A page that is named in part is not forgotten.
    #[cfg(target_os = "linux")]
    rustix::fs::fadvise(file, from - from % 4096, None, rustix::fs::Advice::DontNeed)?;
    #[cfg(not(target_os = "linux"))]
    let _ = (file, from);
    Ok(())
}

/// Makes zeros of a body inside the log, and gives the blocks that are its own back to the file system; where that has no
/// holes, all stays. The records around it stay whole.
pub(in crate::store) fn punch(
    dir: &Dir,
    segment: u64,
    offset: u64,
    size_bytes: u64,
) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    // No record has such a body: what lies there is another's.
    if size_bytes > INLINE_LIMIT_BYTES as u64 {
        return Err(io::Error::other("a body in the log is never so long"));
    }
    let file = dir.write(&segment_name(segment))?;
    let end = record::start_after(offset.saturating_add(size_bytes), size_bytes);
    let end = end.min(file.metadata()?.len());
    if end <= offset {
        return Ok(());
    }
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    match fallocate(&file, hole, offset, end - offset) {
        Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// First sequences of the segments that are there, in order. What is not named as a segment is none.
pub(in crate::store) fn segments(dir: &Dir) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for name in dir.names()? {
        let name = name?;
        if let Some(first) = name.strip_suffix(".log")
            && let Ok(first) = first.parse()
            && first > 0
            && segment_name(first) == name
        {
            found.push(first);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Where the first record begins; `None`: there is no segment.
pub(in crate::store) fn begin(dir: &Dir) -> io::Result<Option<End>> {
    Ok(segments(dir)?.first().map(|first| End {
        segment: *first,
        offset: 0,
        sequence: first - 1,
    }))
}

/// How long a segment is, bytes.
pub(in crate::store) fn length(dir: &Dir, segment: u64) -> io::Result<u64> {
    let length = dir.length(&segment_name(segment))?;
    length.ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// How much of the log lies between two of its positions, bytes; from its beginning where the first is `None`.
pub(in crate::store) fn bytes_between(dir: &Dir, from: Option<End>, to: End) -> io::Result<u64> {
    let (first, offset) = from.map_or((0, 0), |from| (from.segment, from.offset));
    let mut bytes = to.offset;
    for segment in segments(dir)? {
        if (first..to.segment).contains(&segment) {
            bytes += length(dir, segment)?;
        }
    }
    Ok(bytes.saturating_sub(offset))
}

/// Segments opened for reading bodies.
#[derive(Debug, Default)]
pub(in crate::store) struct OpenSegments {
    files: std::sync::Mutex<BTreeMap<u64, Arc<File>>>,
}

impl OpenSegments {
    pub(in crate::store) fn opened(&self, segment: u64) -> Option<Arc<File>> {
        self.files().get(&segment).cloned()
    }

    pub(in crate::store) fn get(&self, dir: &Dir, segment: u64) -> io::Result<Arc<File>> {
        if let Some(file) = self.opened(segment) {
            return Ok(file);
        }
        let file = Arc::new(dir.read(&segment_name(segment))?);
        self.files().insert(segment, file.clone());
        Ok(file)
    }

    fn files(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Arc<File>>> {
        (self.files.lock()).unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What stops a reader for good.
#[derive(Debug, thiserror::Error)]
pub(in crate::store) enum ScanError {
    #[error("the log could not be read")]
    Io(#[from] io::Error),
    /// A record of a later format, or one whose statement is not understood.
    #[error("the log was written by a newer hangar (format {0})")]
    Newer(u16),
    #[error(transparent)]
    Unread(#[from] record::UnreadStatement),
    #[error("segment {segment} of the log belongs to another log than the segments before it")]
    Mixed { segment: u64 },
    /// A hole before the end of what was synced.
    #[error(
        "record {sequence} is damaged: segment {segment}, byte {offset}, though the log was synced beyond it"
    )]
    Damaged {
        sequence: u64,
        segment: u64,
        offset: u64,
    },
}

/// Reads the log in order, from a known end on. What it hands out is sure: stated as synced by a later record, or
/// whole to the last byte.
#[derive(Debug)]
pub(in crate::store) struct Reader {
    dir: Dir,
    id: LogId,
    /// Segments after the one that is being read.
    later: std::collections::VecDeque<u64>,
    file: File,
    length: u64,
    end: End,
    /// The highest sequence that any record read so far states as synced.
    synced: u64,
    /// Read, and not stated as synced yet.
    unsure: std::collections::VecDeque<(Record, End, Head)>,
    /// Where the last record that was handed out ends.
    sure_end: End,
    at_end: bool,
}

impl Reader {
    /// `from`: where the next record begins, all before it being known as synced.
    pub(in crate::store) fn new(dir: &Dir, id: LogId, from: End) -> io::Result<Self> {
        let later = segments(dir)?
            .into_iter()
            .filter(|first| *first > from.segment)
            .collect();
        let file = dir.read(&segment_name(from.segment))?;
        let length = file.metadata()?.len();
        Ok(Self {
            dir: dir.clone(),
            id,
            later,
            file,
            length,
            end: from,
            synced: from.sequence,
            unsure: std::collections::VecDeque::new(),
            sure_end: from,
            at_end: false,
        })
    }

    /// Puts on disk what a killed process left in the page cache of all that is about to be read, and lets the cache
    /// go: after a sync that failed it may hold what the disk does not.
    pub(in crate::store) fn sync(&self) -> io::Result<()> {
        sync_and_forget(&self.file, self.end.offset)?;
        for segment in &self.later {
            sync_and_forget(&self.dir.read(&segment_name(*segment))?, 0)?;
        }
        Ok(())
    }

    /// Where the log ends, once [`Reader::next`] has answered `None`: what lies behind is torn.
    pub(in crate::store) fn sure_end(&self) -> End {
        self.sure_end
    }

    /// The next record and where it ends; `None`: the log ends here. After [`ScanError::Damaged`] it may be called
    /// again, for what lies before the damage.
    pub(in crate::store) fn next(&mut self) -> Result<Option<(Record, End)>, ScanError> {
        loop {
            if let Some((record, end, _)) = self
                .unsure
                .pop_front_if(|(record, ..)| record.sequence <= self.synced)
            {
                self.sure_end = end;
                return Ok(Some((record, end)));
            }
            if self.at_end {
                return self.next_unsynced();
            }
            self.read_one()?;
        }
    }

    /// Past what was synced a record counts only with a whole body, and up to the first that has none.
    fn next_unsynced(&mut self) -> Result<Option<(Record, End)>, ScanError> {
        let Some((record, end, head)) = self.unsure.pop_front() else {
            return Ok(None);
        };
        let file = self.dir.read(&segment_name(record.segment))?;
        let mut body = vec![0; usize::try_from(head.body_bytes).expect("bodies here are small")];
        match file.read_exact_at(&mut body, record.body_offset) {
            Ok(()) if crc64_nvme(&body) == head.body_crc => {
                self.sure_end = end;
                Ok(Some((record, end)))
            }
            Ok(()) => {
                self.unsure.clear();
                Ok(None)
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.unsure.clear();
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Reads one more record into `unsure`, or goes on to the next segment, or finds the end.
    fn read_one(&mut self) -> Result<(), ScanError> {
        let expected = self.end.sequence + 1;
        for start in record::starts_after(self.end.offset) {
            let Some((head, statement)) = self.record_at(start)? else {
                continue;
            };
            if head.sequence != expected {
                break;
            }
            let record = match record::read(&head, &statement, self.end.segment, start) {
                Err(UnreadStatement::NotAnId { sequence }) => {
                    tracing::warn!(
                        sequence,
                        "a record names a file of blobs by what is not an id"
                    );
                    return Err(self.damaged(expected));
                }
                read => read?,
            };
            self.synced = self.synced.max(head.synced);
            self.end = End {
                offset: start + head.span(),
                sequence: expected,
                ..self.end
            };
            self.unsure.push_back((record, self.end, head));
            return Ok(());
        }
        if self.later.front() == Some(&expected) {
            let segment = self.later.pop_front().expect("it was just there");
            self.file = self.dir.read(&segment_name(segment))?;
            self.length = self.file.metadata()?.len();
            self.end = End {
                segment,
                offset: 0,
                ..self.end
            };
            return Ok(());
        }
        self.at_end = true;
        // A later segment was begun only when all before it was on disk.
        if !self.later.is_empty() || self.anything_states_synced(expected)? {
            return Err(self.damaged(expected));
        }
        Ok(())
    }

    /// Ends the log before what should be record `sequence`. What lies before it is sure.
    fn damaged(&mut self, sequence: u64) -> ScanError {
        self.at_end = true;
        self.synced = sequence - 1;
        ScanError::Damaged {
            sequence,
            segment: self.end.segment,
            offset: self.end.offset,
        }
    }

    /// The record that begins at `start`, if a whole head and statement do.
    fn record_at(&self, start: u64) -> Result<Option<(Head, Vec<u8>)>, ScanError> {
        record_at(&self.file, self.length, start, self.id)
    }

    /// Whether any record behind the end states `sequence` as synced.
    fn anything_states_synced(&self, sequence: u64) -> Result<bool, ScanError> {
        search(&self.file, self.length, self.end.offset, self.id, sequence)
    }
}

fn record_at(
    file: &File,
    length: u64,
    start: u64,
    id: LogId,
) -> Result<Option<(Head, Vec<u8>)>, ScanError> {
    if start + HEAD_BYTES as u64 > length {
        return Ok(None);
    }
    let mut bytes = [0; HEAD_BYTES];
    file.read_exact_at(&mut bytes, start)?;
    let head = match Head::parse(&bytes, id) {
        Ok(head) => head,
        Err(BadHead::NotARecord) => return Ok(None),
        Err(BadHead::Newer(version)) => return Err(ScanError::Newer(version)),
    };
    let statement_end = start + HEAD_BYTES as u64 + head.statement_bytes as u64;
    if statement_end > length {
        return Ok(None);
    }
    let mut statement = vec![0; head.statement_bytes];
    file.read_exact_at(&mut statement, start + HEAD_BYTES as u64)?;
    Ok(head
        .verifies(&bytes, &statement)
        .then_some((head, statement)))
}

/// Looks for a record at or after `from` that states `sequence` as synced.
fn search(
    file: &File,
    length: u64,
    from: u64,
    id: LogId,
    sequence: u64,
) -> Result<bool, ScanError> {
    const WINDOW_BYTES: usize = 1 << 20;
    let mut window = vec![0; WINDOW_BYTES];
    let mut offset = from.next_multiple_of(8);
    while offset + HEAD_BYTES as u64 <= length {
        let count = WINDOW_BYTES.min(usize::try_from(length - offset).unwrap_or(WINDOW_BYTES));
        file.read_exact_at(&mut window[..count], offset)?;
        for at in (0..count).step_by(8) {
            if window[at..].starts_with(&record::MAGIC)
                && let Some((head, _)) = record_at(file, length, offset + at as u64, id)?
                && head.synced >= sequence
            {
                return Ok(true);
            }
        }
        offset += (count as u64).next_multiple_of(8);
    }
    Ok(false)
}

/// What lies in the log where a position ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Before {
    /// The record that the position names, or, where its head is damaged, others of this log before it.
    ThisLog,
    /// The log ends earlier.
    Shorter,
    /// Something else: the segment is another's, or of another time.
    Other,
}

/// Holds a position against the log: whether the record before it is the one that it names, and whether each segment
/// before its own ends with the record before the next one's first.
pub(in crate::store) fn look_before(dir: &Dir, id: LogId, end: End) -> Result<Before, ScanError> {
    let mut segments = segments(dir)?;
    segments.retain(|first| *first <= end.segment);
    if segments.last() != Some(&end.segment) {
        return Ok(Before::Shorter);
    }
    if segments.first() != Some(&1) {
        return Ok(Before::Other);
    }
    for pair in segments.windows(2) {
        let last = End {
            segment: pair[0],
            offset: length(dir, pair[0])?,
            sequence: pair[1] - 1,
        };
        match ends_with(dir, id, last)? {
            Before::ThisLog => {}
            _ => return Ok(Before::Other),
        }
    }
    ends_with(dir, id, end)
}

/// Looks for the last record before `end`, in its own segment.
fn ends_with(dir: &Dir, id: LogId, end: End) -> Result<Before, ScanError> {
    const WINDOW_BYTES: u64 = 64 << 10;
    /// No record is longer.
    const FARTHEST_BYTES: u64 =
        (HEAD_BYTES + STATEMENT_LIMIT_BYTES + INLINE_LIMIT_BYTES) as u64 + 8192;
    let file = dir.read(&segment_name(end.segment))?;
    let length = file.metadata()?.len();
    if length < end.offset {
        return Ok(Before::Shorter);
    }
    if end.offset == 0 {
        let is_next = end.sequence + 1 == end.segment;
        return Ok(if is_next {
            Before::ThisLog
        } else {
            Before::Other
        });
    }
    let mut window_end = end.offset;
    let least = end.offset.saturating_sub(FARTHEST_BYTES);
    while window_end > least {
        let from = window_end.saturating_sub(WINDOW_BYTES).next_multiple_of(8);
        let from = if from >= window_end { 0 } else { from };
        let mut window = vec![0; usize::try_from(window_end - from).expect("64 KiB")];
        file.read_exact_at(&mut window, from)?;
        for at in (0..window.len()).step_by(8).rev() {
            if window[at..].starts_with(&record::MAGIC)
                && let Some((head, _)) = record_at(&file, length, from + at as u64, id)?
            {
                let ends = from + at as u64 + head.span();
                let is_last = head.sequence == end.sequence && ends == end.offset;
                // The last one is damaged: it has its reader's error, and `fsck` names it.
                let is_before =
                    (end.segment..end.sequence).contains(&head.sequence) && ends <= end.offset;
                if is_last || is_before {
                    return Ok(Before::ThisLog);
                }
            }
        }
        window_end = from;
    }
    // A segment whose only record is damaged.
    Ok(if end.sequence == end.segment {
        Before::ThisLog
    } else {
        Before::Other
    })
}

/// Hands out every record that is whole in any segment of a folder, whatever is damaged or missing between them.
pub(in crate::store) fn each_whole_record(
    dir: &Dir,
    id: LogId,
    mut take: impl FnMut(Record),
) -> Result<(), ScanError> {
    for segment in segments(dir)? {
        let file = dir.read(&segment_name(segment))?;
        let length = file.metadata()?.len();
        let mut at = Some(0);
        while let Some(start) = at {
            let Some((head, statement)) = record_at(&file, length, start, id)? else {
                at = next_magic(&file, length, start + 8)?;
                continue;
            };
            match record::read(&head, &statement, segment, start) {
                Err(UnreadStatement::NotAnId { .. }) => {}
                read => take(read?),
            }
            at = next_magic(&file, length, start + head.span())?;
        }
    }
    Ok(())
}

/// Where something that begins as a record does begins, at or after `from`.
fn next_magic(file: &File, length: u64, from: u64) -> io::Result<Option<u64>> {
    const WINDOW_BYTES: usize = 8192;
    let mut offset = from.next_multiple_of(8);
    let mut window = [0; WINDOW_BYTES];
    while offset + HEAD_BYTES as u64 <= length {
        let count = WINDOW_BYTES.min(usize::try_from(length - offset).unwrap_or(WINDOW_BYTES));
        file.read_exact_at(&mut window[..count], offset)?;
        let found = (0..count).step_by(8);
        if let Some(at) = found
            .into_iter()
            .find(|at| window[*at..count].starts_with(&record::MAGIC))
        {
            return Ok(Some(offset + at as u64));
        }
        offset += WINDOW_BYTES as u64;
    }
    Ok(None)
}

/// What a look at a log's beginnings finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Found {
    /// No record, nor more than a first one that was never whole.
    Nothing,
    Log(LogId),
    /// Bytes, and no segment begins with a record.
    Damaged,
}

/// Looks for the log's id: only a whole head and statement are believed, and all segments must agree.
pub(in crate::store) fn find(dir: &Dir) -> Result<Found, ScanError> {
    /// The first record of a log is shorter than this.
    const TORN_BYTES: u64 = 256;
    let mut found = Found::Nothing;
    for segment in segments(dir)? {
        let file = dir.read(&segment_name(segment))?;
        let length = file.metadata()?.len();
        let mut bytes = [0; HEAD_BYTES];
        if length >= HEAD_BYTES as u64 {
            file.read_exact_at(&mut bytes, 0)?;
        }
        if let Some(id) = Head::log_id(&bytes)
            && record_at(&file, length, 0, id)?.is_some()
        {
            match found {
                Found::Log(other) if other != id => return Err(ScanError::Mixed { segment }),
                _ => found = Found::Log(id),
            }
        } else if (length > TORN_BYTES || segment > 1) && found == Found::Nothing {
            found = Found::Damaged;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
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
    fn a_file_that_is_not_named_as_a_segment_is_none() {
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
    fn what_a_crash_left_of_the_next_segment_keeps_no_write_out() {
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
