//! Reading an object's bytes: whole MiB blocks of its bodies, each held against its CRC before a byte of it is given.

use super::blobs::blob_path;
use super::log::OpenSegments;
use super::meta::{Extent, Place};
use super::{Reading, StoreError};
use crate::s3::checksum::{CRC_BLOCK_BYTES, crc64_nvme};
use crate::s3::range::ByteRange;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

const BLOCK: u64 = CRC_BLOCK_BYTES as u64;

/// Opens bodies.
#[derive(Debug)]
pub(super) struct BodyReader {
    pub(super) log: PathBuf,
    pub(super) blobs: PathBuf,
    pub(super) segments: OpenSegments,
}

/// A part of one block of one body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    extent: usize,
    block: u64,
    /// Within the block.
    from: u64,
    to: u64,
}

/// The pieces that make up a range of an object, in order.
fn pieces(extents: &[Extent], range: ByteRange) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut position = 0;
    for (index, extent) in extents.iter().enumerate() {
        let from = range.start.max(position);
        let to = range.end.min(position + extent.length);
        if from < to {
            let in_body = extent.start + (from - position)..extent.start + (to - position);
            for block in in_body.start / BLOCK..=(in_body.end - 1) / BLOCK {
                pieces.push(Piece {
                    extent: index,
                    block,
                    from: in_body.start.max(block * BLOCK) - block * BLOCK,
                    to: in_body.end.min((block + 1) * BLOCK) - block * BLOCK,
                });
            }
        }
        position += extent.length;
    }
    pieces
}

impl BodyReader {
    pub(super) async fn read(
        self: Arc<Self>,
        extents: Arc<[Extent]>,
        range: ByteRange,
    ) -> Result<Reading, StoreError> {
        let mut pieces = pieces(&extents, range).into_iter();
        let Some(first) = pieces.next() else {
            return Ok(Reading {
                first: Bytes::new(),
                rest: stream::empty().boxed(),
            });
        };
        let reader = Pieces {
            reader: self,
            extents,
            open: None,
        };
        let (reader, first) = reader.read(first).await?;
        let rest = stream::try_unfold((reader, pieces), |(reader, mut pieces)| async move {
            let Some(piece) = pieces.next() else {
                return Ok(None);
            };
            let (reader, bytes) = reader.read(piece).await?;
            Ok(Some((bytes, (reader, pieces))))
        });
        Ok(Reading {
            first,
            rest: rest.boxed(),
        })
    }

    fn open(&self, place: &Place) -> io::Result<(Arc<File>, u64)> {
        match place {
            Place::Log { segment, offset } => {
                Ok((self.segments.get(&self.log, *segment)?, *offset))
            }
            Place::Blob { id } => Ok((Arc::new(File::open(blob_path(&self.blobs, id))?), 0)),
        }
    }
}

/// Reads one piece after the other; a body stays open while its pieces are read.
struct Pieces {
    reader: Arc<BodyReader>,
    extents: Arc<[Extent]>,
    open: Option<(usize, Arc<File>, u64)>,
}

impl Pieces {
    async fn read(self, piece: Piece) -> Result<(Self, Bytes), StoreError> {
        tokio::task::spawn_blocking(move || self.read_blocking(piece))
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable("a read was given up".to_owned())))
    }

    fn read_blocking(mut self, piece: Piece) -> Result<(Self, Bytes), StoreError> {
        let extent = &self.extents[piece.extent];
        let (file, offset) = match &self.open {
            Some((index, file, offset)) if *index == piece.extent => (file.clone(), *offset),
            _ => self
                .reader
                .open(&extent.place)
                .map_err(|error| trouble(&extent.place, &error))?,
        };
        let block_start = piece.block * BLOCK;
        let length = BLOCK.min(extent.body_bytes.saturating_sub(block_start));
        let expected = usize::try_from(piece.block)
            .ok()
            .and_then(|at| extent.block_crcs.get(at));
        let mut bytes = vec![0; usize::try_from(length).expect("at most a MiB")];
        file.read_exact_at(&mut bytes, offset + block_start)
            .map_err(|error| trouble(&extent.place, &error))?;
        if expected != Some(&crc64_nvme(&bytes)) || piece.to > length {
            return Err(StoreError::Damaged(format!(
                "{:?}: the MiB at byte {block_start} is not what was stored",
                extent.place
            )));
        }
        self.open = Some((piece.extent, file, offset));
        let (from, to) = (usize::try_from(piece.from), usize::try_from(piece.to));
        let (from, to) = (from.expect("below a MiB"), to.expect("at most a MiB"));
        Ok((self, Bytes::from(bytes).slice(from..to)))
    }
}

fn trouble(place: &Place, error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof => {
            StoreError::Damaged(format!("{place:?}: {error}"))
        }
        _ => StoreError::Unavailable(format!("{place:?}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn extent(start: u64, length: u64) -> Extent {
        let place = Place::Blob { id: String::new() };
        Extent {
            start,
            length,
            body_bytes: start + length,
            place,
            block_crcs: Vec::new(),
        }
    }

    proptest! {
        #[test]
        fn pieces_cover_a_range_once_and_in_order(
            lengths in prop::collection::vec((0..3 * BLOCK, 1..3 * BLOCK), 1..5),
            ends in (any::<u64>(), any::<u64>()),
        ) {
            let extents: Vec<Extent> = lengths.iter().map(|(start, length)| extent(*start, *length)).collect();
            let size: u64 = lengths.iter().map(|(_, length)| length).sum();
            let (start, end) = (ends.0 % size, ends.1 % size);
            let range = ByteRange { start: start.min(end), end: start.max(end) + 1 };
            let mut position = range.start;
            for piece in pieces(&extents, range) {
                let before: u64 = lengths[..piece.extent].iter().map(|(_, length)| length).sum();
                let in_object = before + piece.block * BLOCK + piece.from - extents[piece.extent].start;
                prop_assert_eq!(in_object, position);
                prop_assert!(piece.from < piece.to && piece.to <= BLOCK);
                position += piece.to - piece.from;
            }
            prop_assert_eq!(position, range.end);
        }
    }
}
