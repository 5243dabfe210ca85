//! The files of the log: segments, each named by the sequence of its first record.

use crate::store::dir::Dir;
use crate::store::record::format::{INLINE_LIMIT_BYTES, start_after};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::Arc;

/// Where the next record is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct End {
    /// The first sequence of the segment.
    pub(in crate::store) segment: u64,
    pub(in crate::store) offset: u64,
    /// The sequence of the last record.
    pub(in crate::store) sequence: u64,
}

pub(in crate::store) fn segment_name(first_sequence: u64) -> String {
    format!("{first_sequence:020}.log")
}

/// The first sequences of all segments, in order. Files that are not named as a segment are ignored.
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

/// The length of a segment, bytes.
pub(in crate::store) fn length(dir: &Dir, segment: u64) -> io::Result<u64> {
    let length = dir.length(&segment_name(segment))?;
    length.ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// The number of bytes of the log between two positions; from its beginning if `from` is `None`.
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

/// Overwrites a body inside the log with zeros, and gives the blocks that belong to it alone back to the file system.
/// On a file system without holes the body stays. The records around it stay whole.
pub(in crate::store) fn punch(
    dir: &Dir,
    segment: u64,
    offset: u64,
    size_bytes: u64,
) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    // No record has a body of this size: the bytes there belong to other records.
    if size_bytes > INLINE_LIMIT_BYTES as u64 {
        return Err(io::Error::other("a body in the log is never so long"));
    }
    let file = dir.write(&segment_name(segment))?;
    let end = start_after(offset.saturating_add(size_bytes), size_bytes);
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
