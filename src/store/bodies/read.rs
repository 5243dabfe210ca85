//! Reads an object's bytes: whole blocks of 1 MiB of its bodies, each checked against its CRC before any of its bytes is
//! returned.
//!
//! Guarantees: the memory of readers is bounded, however many and slow they are. A block is cached for its reader while
//! there is room for it ([`CACHED_BLOCKS`]); else its reader gets one piece of it, and the block is read again for the next
//! piece. Small objects are read through [`crate::store::bodies::small`].

use crate::s3::checksum::{CRC_BLOCK_BYTES, Digests, Hasher, Wanted, crc64_nvme};
use crate::s3::range::ByteRange;
use crate::store::bodies::kept::{KeptBodies, read_cached};
use crate::store::content::{Content, Place};
use crate::store::error::{DamagedBytes, StoreError, Unavailable, copy_of};
use crate::store::folder::Places;
use crate::store::object::Object;
use crate::store::record::segments::OpenSegments;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const BLOCK: u64 = CRC_BLOCK_BYTES as u64;
/// The most that a reader gets at once, bytes.
const PIECE: u64 = 64 * 1024;
/// Blocks cached for readers that have taken a part of them, in MiB.
const CACHED_BLOCKS: usize = 128;
/// First pieces that wait for their readers and are not part of a cached block, in bytes.
const FIRST_PIECES: usize = 32 << 20;
/// Blocks that are being read from the disk, in MiB.
const READ_BLOCKS: usize = 32;

/// Opens and reads bodies.
pub(in crate::store) struct BodyReader {
    pub(in crate::store) places: Places,
    pub(in crate::store) segments: OpenSegments,
    pub(in crate::store) memory: ReadMemory,
    pub(in crate::store) kept: KeptBodies,
}

/// The memory that all readers share.
#[derive(Debug)]
pub(in crate::store) struct ReadMemory {
    cached_blocks: Arc<Semaphore>,
    first_pieces: Arc<Semaphore>,
    turns: Semaphore,
}

impl Default for ReadMemory {
    fn default() -> Self {
        Self {
            cached_blocks: Arc::new(Semaphore::new(CACHED_BLOCKS)),
            first_pieces: Arc::new(Semaphore::new(FIRST_PIECES)),
            turns: Semaphore::new(READ_BLOCKS),
        }
    }
}

/// Verified bytes of an object: the first piece is already read (so damage in it is a clean error), the rest streams.
/// An error in the stream must cut the connection.
pub struct Reading {
    pub first: Bytes,
    pub rest: futures_util::stream::BoxStream<'static, Result<Bytes, StoreError>>,
    /// `None`: the first piece takes no memory of its own.
    pub(in crate::store) first_again: Option<FirstAgain>,
}

/// How the first piece of a reading can be read again.
#[derive(Debug, Clone)]
pub(in crate::store) struct FirstAgain {
    memory: Arc<Semaphore>,
    is_wanted: Arc<AtomicBool>,
}

/// A first piece, and its permits of the memory that all first pieces share.
struct FirstPiece {
    bytes: Bytes,
    _memory: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for FirstPiece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Reading {
    /// Prepares for a reader that may take its first piece late. If there is no room to hold that piece, it is dropped,
    /// and read again when the reader asks for it.
    #[must_use]
    pub fn for_slow_reader(mut self) -> Self {
        let Some(again) = self.first_again.take() else {
            return self;
        };
        let length = u32::try_from(self.first.len()).unwrap_or(u32::MAX);
        let memory = again.memory.try_acquire_many_owned(length).ok();
        let held = memory.map(|memory| FirstPiece {
            bytes: std::mem::take(&mut self.first),
            _memory: memory,
        });
        again.is_wanted.store(held.is_none(), Ordering::Relaxed);
        self.first = held.map(Bytes::from_owner).unwrap_or_default();
        self
    }
}

/// A part of one block of one body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    body: u64,
    block: u64,
    /// Offset within the block.
    from: u64,
    to: u64,
    /// Whether the next piece is of this block too.
    goes_on: bool,
}

/// The pieces that make up a range of an object, in order, each of `most` bytes at most. One at a time: an object may
/// have millions.
fn pieces(
    content: Arc<Content>,
    range: ByteRange,
    most: u64,
) -> impl Iterator<Item = Piece> + Send {
    let mut at = range.start;
    // The index of the extent that holds `at`, and where that extent begins in the object.
    let (mut index, mut begins) = (0, 0);
    std::iter::from_fn(move || {
        if at >= range.end {
            return None;
        }
        let extent = loop {
            let extent = content.extents.get(index)?;
            if at < begins + extent.length {
                break extent;
            }
            begins += extent.length;
            index += 1;
        };
        let in_body = extent.start + (at - begins);
        let from = in_body % BLOCK;
        let rest = (begins + extent.length).min(range.end) - at;
        let in_block = (BLOCK - from).min(rest);
        let length = in_block.min(most);
        at += length;
        Some(Piece {
            body: extent.body,
            block: in_body / BLOCK,
            from,
            to: from + length,
            goes_on: length < in_block,
        })
    })
}

impl BodyReader {
    /// Reads an object of at most [`SMALL_BYTES`](crate::store::bodies::kept::SMALL_BYTES).
    pub(in crate::store) async fn read_small(
        self: Arc<Self>,
        object: &Object,
        range: ByteRange,
    ) -> Result<Reading, StoreError> {
        let body = if let Some(body) = self.kept.get(object.sequence) {
            body
        } else {
            let Some(place) = self.kept.place(object.size_bytes) else {
                // Slow readers hold all the memory.
                return self.read(object.content.clone(), range).await;
            };
            let body = self.clone().read_whole(object).await?;
            self.kept.keep(object.sequence, body, place)
        };
        let (start, end) = (usize::try_from(range.start), usize::try_from(range.end));
        let within = start
            .ok()
            .zip(end.ok())
            .filter(|(start, end)| start <= end && *end <= body.len());
        let Some((start, end)) = within else {
            return Err(DamagedBytes::from("a range beyond the object").into());
        };
        Ok(Reading {
            first: body.slice(start..end),
            rest: stream::empty().boxed(),
            first_again: None,
        })
    }

    async fn read_whole(self: Arc<Self>, object: &Object) -> Result<Bytes, StoreError> {
        let mut open = PieceReader::new(self, object.content.clone());
        let mut pieces = pieces(object.content.clone(), object.whole(), BLOCK).peekable();
        let mut all = Vec::new();
        while let Some(piece) = pieces.next() {
            let bytes = if let Some(read) = open.read_at_once(piece) {
                read?
            } else {
                let (given_back, bytes) = blocking(open, piece, PieceReader::read).await?;
                open = given_back;
                bytes
            };
            if all.is_empty() && pieces.peek().is_none() {
                return Ok(bytes);
            }
            all.extend_from_slice(&bytes);
        }
        Ok(Bytes::from(all))
    }

    pub(in crate::store) async fn read(
        self: Arc<Self>,
        content: Arc<Content>,
        range: ByteRange,
    ) -> Result<Reading, StoreError> {
        let mut pieces = pieces(content.clone(), range, PIECE);
        let Some(piece) = pieces.next() else {
            return Ok(Reading {
                first: Bytes::new(),
                rest: stream::empty().boxed(),
                first_again: None,
            });
        };
        let memory = Arc::clone(&self.memory.first_pieces);
        let (open, first) =
            blocking(PieceReader::new(self, content), piece, PieceReader::read).await?;
        // A piece of a cached block takes no memory of its own.
        let first_again = open.cached.is_none().then(|| FirstAgain {
            memory,
            is_wanted: Arc::default(),
        });
        let again = first_again.clone().map(|again| (again.is_wanted, piece));
        let begun = (open, pieces, again);
        let rest = stream::try_unfold(begun, |(mut open, mut pieces, again)| async move {
            let again = again.filter(|(is_wanted, _)| is_wanted.load(Ordering::Relaxed));
            let Some(piece) = again.map(|(_, piece)| piece).or_else(|| pieces.next()) else {
                return Ok(None);
            };
            let (open, bytes) = match open.take_cached(piece) {
                Some(bytes) => (open, bytes),
                None => blocking(open, piece, PieceReader::read).await?,
            };
            Ok(Some((bytes, (open, pieces, None))))
        });
        Ok(Reading {
            first,
            rest: rest.boxed(),
            first_again,
        })
    }

    /// Reads a range only to compute its digests.
    pub(in crate::store) async fn digest(
        self: Arc<Self>,
        content: Arc<Content>,
        range: ByteRange,
        wanted: &Wanted,
    ) -> Result<Digests, StoreError> {
        let mut open = PieceReader::new(self, content.clone());
        let mut hasher = Box::new(Hasher::new(wanted));
        for piece in pieces(content, range, BLOCK) {
            (open, hasher) = blocking(open, piece, move |open, piece| {
                hasher.update(&open.read(piece)?);
                Ok(hasher)
            })
            .await?;
        }
        Ok(hasher.finish())
    }

    fn open(&self, place: &Place) -> io::Result<(Arc<File>, u64)> {
        match place {
            Place::Log { segment, offset } => {
                Ok((self.segments.get(&self.places.log, *segment)?, *offset))
            }
            Place::Blob { id } => Ok((Arc::new(self.places.blobs.read(&id.to_string())?), 0)),
        }
    }
}

/// Runs a blocking operation on one piece in another thread, and returns the reader with the result.
async fn blocking<T: Send + 'static>(
    mut open: PieceReader,
    piece: Piece,
    with: impl FnOnce(&mut PieceReader, Piece) -> Result<T, StoreError> + Send + 'static,
) -> Result<(PieceReader, T), StoreError> {
    let reader = open.reader.clone();
    let _turn = reader.memory.turns.acquire().await;
    tokio::task::spawn_blocking(move || with(&mut open, piece).map(|done| (open, done)))
        .await
        .unwrap_or_else(|_| Err(Unavailable::from("a read was given up").into()))
}

/// Reads one piece after the other; a body's file stays open while its pieces are read.
struct PieceReader {
    reader: Arc<BodyReader>,
    content: Arc<Content>,
    file: Option<(u64, Arc<File>, u64)>,
    /// The last block, if the reader has not yet had all of it and there was room to cache it.
    cached: Option<CachedBlock>,
}

struct CachedBlock {
    body: u64,
    block: u64,
    bytes: Bytes,
    _place: OwnedSemaphorePermit,
}

impl PieceReader {
    fn new(reader: Arc<BodyReader>, content: Arc<Content>) -> Self {
        Self {
            reader,
            content,
            file: None,
            cached: None,
        }
    }

    /// A piece of the cached block. The block is dropped with its last piece.
    fn take_cached(&mut self, piece: Piece) -> Option<Bytes> {
        let cached = self
            .cached
            .take_if(|cached| (cached.body, cached.block) == (piece.body, piece.block))?;
        let bytes = cached.bytes.slice(within_block(piece));
        if piece.goes_on {
            self.cached = Some(cached);
        }
        Some(bytes)
    }

    /// Reads without waiting for the disk. `None`: the system does not have the bytes in its page cache.
    fn read_at_once(&mut self, piece: Piece) -> Option<Result<Bytes, StoreError>> {
        let body = self.content.bodies.get(&piece.body)?;
        let Place::Log { segment, .. } = &body.place else {
            return None;
        };
        self.reader.segments.opened(*segment)?;
        let cached =
            |file: &File, bytes: &mut [u8], at| Ok(read_cached(file, bytes, at).then_some(()));
        self.read_with(piece, cached).transpose()
    }

    fn read(&mut self, piece: Piece) -> Result<Bytes, StoreError> {
        let read = self.read_with(piece, |file, bytes, at| {
            file.read_exact_at(bytes, at).map(Some)
        });
        read.map(|bytes| bytes.expect("what waits for the disk has its bytes"))
    }

    /// `None` where `fill` does not have the bytes.
    fn read_with(
        &mut self,
        piece: Piece,
        fill: impl Fn(&File, &mut [u8], u64) -> io::Result<Option<()>>,
    ) -> Result<Option<Bytes>, StoreError> {
        self.cached = None;
        let Some(body) = self.content.bodies.get(&piece.body) else {
            return Err(DamagedBytes::from(format!("body {} is gone", piece.body)).into());
        };
        let (file, offset) = match self.file.take() {
            Some((id, file, offset)) if id == piece.body => (file, offset),
            _ => self
                .reader
                .open(&body.place)
                .map_err(|error| read_error(&body.place, &error))?,
        };
        let block_start = piece.block * BLOCK;
        let length = BLOCK.min(body.size_bytes.saturating_sub(block_start));
        let expected = usize::try_from(piece.block)
            .ok()
            .and_then(|at| body.block_crcs.get(at));
        let mut bytes = vec![0; usize::try_from(length).expect("at most a MiB")];
        let filled = fill(&file, &mut bytes, offset + block_start)
            .map_err(|error| read_error(&body.place, &error))?;
        if filled.is_none() {
            return Ok(None);
        }
        if expected != Some(&crc64_nvme(&bytes)) || piece.to > length {
            let place = body.place;
            let what = format!("{place:?}: the MiB at byte {block_start} is not what was stored");
            return Err(DamagedBytes::from(what).into());
        }
        self.file = Some((piece.body, file, offset));
        let within = within_block(piece);
        if !piece.goes_on {
            return Ok(Some(if within.len() == bytes.len() {
                Bytes::from(bytes)
            } else {
                Bytes::copy_from_slice(&bytes[within])
            }));
        }
        let Ok(place) = self.reader.memory.cached_blocks.clone().try_acquire_owned() else {
            return Ok(Some(Bytes::copy_from_slice(&bytes[within])));
        };
        let bytes = Bytes::from(bytes);
        let given = bytes.slice(within);
        self.cached = Some(CachedBlock {
            body: piece.body,
            block: piece.block,
            bytes,
            _place: place,
        });
        Ok(Some(given))
    }
}

fn within_block(piece: Piece) -> Range<usize> {
    let (from, to) = (usize::try_from(piece.from), usize::try_from(piece.to));
    from.expect("below a MiB")..to.expect("at most a MiB")
}

fn read_error(place: &Place, error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof => {
            DamagedBytes::because(format!("{place:?} cannot be read"), copy_of(error)).into()
        }
        _ => Unavailable::because(format!("{place:?} cannot be read"), copy_of(error)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::content::Extent;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pieces_cover_a_range_once_and_in_order(
            lengths in prop::collection::vec((0..3 * BLOCK, 1..3 * BLOCK), 1..5),
            ends in (any::<u64>(), any::<u64>()),
            most in prop::sample::select(vec![PIECE, BLOCK]),
        ) {
            let extents = lengths.iter().zip(0..);
            let extents = extents.map(|((start, length), body)| Extent::try_from((body, *start, *length)).unwrap());
            let content = Content { extents: extents.collect(), ..Content::default() };
            let size: u64 = lengths.iter().map(|(_, length)| length).sum();
            let (start, end) = (ends.0 % size, ends.1 % size);
            let range = ByteRange { start: start.min(end), end: start.max(end) + 1 };
            let mut position = range.start;
            for piece in pieces(Arc::new(content), range, most) {
                let body = usize::try_from(piece.body).unwrap();
                let before: u64 = lengths[..body].iter().map(|(_, length)| length).sum();
                let in_object = before + piece.block * BLOCK + piece.from - lengths[body].0;
                prop_assert_eq!(in_object, position);
                prop_assert!(piece.from < piece.to && piece.to <= BLOCK);
                prop_assert!(piece.to - piece.from <= most);
                position += piece.to - piece.from;
            }
            prop_assert_eq!(position, range.end);
        }
    }
}
