//! Verifies one body, or the records of the log, by their checksums.

use crate::s3::checksum::{CRC_BLOCK_BYTES, crc64_nvme};
use crate::store::content::{Body, Place};
use crate::store::dir::Dir;
use crate::store::folder::Places;
use crate::store::progress::Progress;
use crate::store::record::LogId;
use crate::store::record::reader::{Reader, ScanError};
use crate::store::record::segments::{self, End};
use crate::store::upkeep::findings::Damage;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;

/// Verifies each block of a body by its CRC. The error is the damage and the offset in the body where it begins.
pub(in crate::store) fn verify_body(
    body: &Body,
    places: &Places,
    progress: &Progress,
) -> Result<(), (Damage, u64)> {
    let (file, start) = match &body.place {
        Place::Log { segment, offset } => {
            (places.log.read(&segments::segment_name(*segment)), *offset)
        }
        Place::Blob { id } => (places.blobs.read(&id.to_string()), 0),
    };
    let failed = |error: &io::Error, at: u64| match error.kind() {
        io::ErrorKind::NotFound => (Damage::Missing, at),
        io::ErrorKind::UnexpectedEof => (Damage::Truncated, at),
        _ => (Damage::Unreadable, at),
    };
    let file = file.map_err(|error| failed(&error, 0))?;
    let block_bytes = CRC_BLOCK_BYTES as u64;
    let mut buffer = vec![0; CRC_BLOCK_BYTES];
    let mut at = 0;
    let mut damage = None;
    for crc in &body.block_crcs {
        let length = block_bytes.min(body.size_bytes - at);
        let block = &mut buffer[..usize::try_from(length).expect("at most a MiB")];
        file.read_exact_at(block, start + at)
            .map_err(|error| failed(&error, at))?;
        progress.done_bytes.fetch_add(length, Ordering::Relaxed);
        if crc64_nvme(block) != *crc {
            damage = damage.or(Some((Damage::Changed, at)));
        }
        at += length;
    }
    if at < body.size_bytes {
        damage = damage.or(Some((Damage::Changed, at)));
    }
    damage.map_or(Ok(()), Err)
}

/// Returns how many records could be read up to `until`, and the positions (segment, byte) of those that could not.
/// After such a position the rest of its segment is skipped.
pub(in crate::store) fn verify_records(
    dir: &Dir,
    id: LogId,
    until: End,
) -> Result<(u64, Vec<(u64, u64)>), ScanError> {
    let (mut records, mut damaged) = (0, Vec::new());
    let segments = segments::segments(dir)?;
    let mut begin = segments.first().copied();
    while let Some(segment) = begin.take() {
        let from = End {
            segment,
            offset: 0,
            sequence: segment - 1,
        };
        let mut reader = Reader::new(dir, id, from)?;
        let mut last = segment - 1;
        while last < until.sequence {
            match reader.next() {
                Ok(Some((record, _))) => {
                    records += 1;
                    last = record.sequence;
                }
                Ok(None) => {
                    damaged.push((reader.sure_end().segment, reader.sure_end().offset));
                    break;
                }
                Err(ScanError::Damaged {
                    segment, offset, ..
                }) => {
                    damaged.push((segment, offset));
                    begin = segments.iter().copied().find(|next| *next > segment);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok((records, damaged))
}
