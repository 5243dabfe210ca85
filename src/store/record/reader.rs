//! Reading the log: record after record from a position on, or all records that are whole.

use crate::s3::checksum::crc64_nvme;
use crate::store::dir::{Dir, forget};
use crate::store::record::format::{
    self, BadHead, HEAD_BYTES, Head, INLINE_LIMIT_BYTES, Record, STATEMENT_LIMIT_BYTES,
    UnreadStatement,
};
use crate::store::record::log_id::LogId;
use crate::store::record::segments::{End, length, segment_name, segments};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Why the log cannot be read any further.
#[derive(Debug, thiserror::Error)]
pub(in crate::store) enum ScanError {
    #[error("the log could not be read")]
    Io(#[from] io::Error),
    /// A record of a later format.
    #[error("the log was written by a newer hangar (format {0})")]
    Newer(u16),
    #[error(transparent)]
    Unread(#[from] UnreadStatement),
    #[error("segment {segment} of the log belongs to another log than the segments before it")]
    Mixed { segment: u64 },
    /// A damaged record before the end of the synced part.
    #[error(
        "record {sequence} is damaged: segment {segment}, byte {offset}, though the log was synced beyond it"
    )]
    Damaged {
        sequence: u64,
        segment: u64,
        offset: u64,
    },
}

/// Reads the log in order, from a known end on. It returns only records that are certain: a later record states that
/// they were synced, or they are whole to the last byte.
#[derive(Debug)]
pub(in crate::store) struct Reader {
    dir: Dir,
    id: LogId,
    /// The segments after the one that is being read.
    later: std::collections::VecDeque<u64>,
    file: File,
    length: u64,
    end: End,
    /// The highest sequence that any record read so far states as synced.
    synced: u64,
    /// Records that were read, and that no record has stated as synced yet.
    uncertain: std::collections::VecDeque<(Record, End, Head)>,
    /// Where the last record that was returned ends.
    sure_end: End,
    at_end: bool,
}

impl Reader {
    /// `from`: where the next record begins. Everything before it is known to be synced.
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
            uncertain: std::collections::VecDeque::new(),
            sure_end: from,
            at_end: false,
        })
    }

    /// Syncs everything that is about to be read, which a killed process may have left in the page cache only. Then
    /// drops it from the page cache: after a sync that failed, the page cache may hold bytes that the disk does not.
    pub(in crate::store) fn sync(&self) -> io::Result<()> {
        sync_and_forget(&self.file, self.end.offset)?;
        for segment in &self.later {
            sync_and_forget(&self.dir.read(&segment_name(*segment))?, 0)?;
        }
        Ok(())
    }

    /// Where the log ends, once [`Reader::next`] has returned `None`: everything after it is torn.
    pub(in crate::store) fn sure_end(&self) -> End {
        self.sure_end
    }

    /// The next record and where it ends; `None`: the log ends here. After [`ScanError::Damaged`] it may be called
    /// again, for the records before the damage.
    pub(in crate::store) fn next(&mut self) -> Result<Option<(Record, End)>, ScanError> {
        loop {
            if let Some((record, end, _)) = self
                .uncertain
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

    /// Past the synced part a record counts only if its body is whole, and the log ends before the first record whose
    /// body is not.
    fn next_unsynced(&mut self) -> Result<Option<(Record, End)>, ScanError> {
        let Some((record, end, head)) = self.uncertain.pop_front() else {
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
                self.uncertain.clear();
                Ok(None)
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.uncertain.clear();
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Reads one more record into `uncertain`, or opens the next segment, or finds the end.
    fn read_one(&mut self) -> Result<(), ScanError> {
        let expected = self.end.sequence + 1;
        for start in format::starts_after(self.end.offset) {
            let Some((head, statement)) = self.record_at(start)? else {
                continue;
            };
            if head.sequence != expected {
                break;
            }
            let record = match format::read(&head, &statement, self.end.segment, start) {
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
            self.uncertain.push_back((record, self.end, head));
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
        // A later segment is begun only once everything before it is on the disk.
        if !self.later.is_empty() || self.anything_states_synced(expected)? {
            return Err(self.damaged(expected));
        }
        Ok(())
    }

    /// Ends the log before the place where record `sequence` should be. The records before it are certain.
    fn damaged(&mut self, sequence: u64) -> ScanError {
        self.at_end = true;
        self.synced = sequence - 1;
        ScanError::Damaged {
            sequence,
            segment: self.end.segment,
            offset: self.end.offset,
        }
    }

    /// The head and the statement of the record that begins at `start`, if both are whole.
    fn record_at(&self, start: u64) -> Result<Option<(Head, Vec<u8>)>, ScanError> {
        record_at(&self.file, self.length, start, self.id)
    }

    /// Whether any record after the end states `sequence` as synced.
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
            if window[at..].starts_with(&format::MAGIC)
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

/// What the log holds before a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Before {
    /// The record that the position names, or, if its head is damaged, earlier records of this log.
    ThisLog,
    /// The log ends before the position.
    Shorter,
    /// Something else: the segment belongs to another log, or was written at another time.
    Other,
}

/// Checks a position against the log: whether the record before it is the one that the position names, and whether each
/// earlier segment ends with the record before the first record of the next segment.
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
    /// The greatest length of a record, padding included.
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
            if window[at..].starts_with(&format::MAGIC)
                && let Some((head, _)) = record_at(&file, length, from + at as u64, id)?
            {
                let ends = from + at as u64 + head.span();
                let is_last = head.sequence == end.sequence && ends == end.offset;
                // The last record is damaged: a reader reports that as an error, and `fsck` names the record.
                let is_before =
                    (end.segment..end.sequence).contains(&head.sequence) && ends <= end.offset;
                if is_last || is_before {
                    return Ok(Before::ThisLog);
                }
            }
        }
        window_end = from;
    }
    // The only record of the segment is damaged.
    Ok(if end.sequence == end.segment {
        Before::ThisLog
    } else {
        Before::Other
    })
}

/// Passes each whole record of all segments of a folder to `take`, no matter what is damaged or missing between them.
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
            match format::read(&head, &statement, segment, start) {
                Err(UnreadStatement::NotAnId { .. }) => {}
                read => take(read?),
            }
            at = next_magic(&file, length, start + head.span())?;
        }
    }
    Ok(())
}

/// The next offset at or after `from` that begins with the magic of a record.
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
            .find(|at| window[*at..count].starts_with(&format::MAGIC))
        {
            return Ok(Some(offset + at as u64));
        }
        offset += WINDOW_BYTES as u64;
    }
    Ok(None)
}

/// What [`find`] finds at the beginnings of a log's segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Found {
    /// No record, and at most an incomplete first one.
    Nothing,
    Log(LogId),
    /// There are bytes, but no segment begins with a record.
    Damaged,
}

/// Looks for the id of the log. Only records with a whole head and statement count, and all segments must have the same
/// id.
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

fn sync_and_forget(file: &File, from: u64) -> io::Result<()> {
    file.sync_data()?;
    forget(file, from)
}
