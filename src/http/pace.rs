//! The pace that clients must keep, as senders of bodies and as readers of responses: [`PACE_BYTES`] in [`PACE_TIME`].
//!
//! A slow sender or reader holds memory, a connection and open files. Refuses to know what is sent.

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use std::time::Duration;
use tokio::time::Instant;

/// 30 KiB in 30 s: 1 KiB/s.
pub(crate) const PACE_BYTES: u64 = 30 * 1024;
pub(crate) const PACE_TIME: Duration = Duration::from_secs(30);

/// A client sent, or took, less than [`PACE_BYTES`] while the server waited for it during [`PACE_TIME`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client was too slow")]
pub(crate) struct TooSlow;

/// The pace of a client in the current window. A window is time that was spent waiting for the client.
#[derive(Debug)]
pub(crate) struct Pace {
    window: Duration,
    bytes: u64,
    waited: Duration,
}

impl Pace {
    pub(crate) fn begin(window: Duration) -> Self {
        Self {
            window,
            bytes: 0,
            waited: Duration::ZERO,
        }
    }

    /// The pace of a reader of a response.
    pub(crate) fn of_a_reader() -> Self {
        Self::begin(PACE_TIME)
    }

    /// Counts the bytes that a reader took, and the time that the server waited for it.
    /// # Errors
    /// [`TooSlow`] where it took too little in a window that is over.
    pub(crate) fn count(&mut self, waited: Duration, bytes: usize) -> Result<(), TooSlow> {
        self.waited += waited;
        if self.waited >= self.window {
            self.next_window()?;
        }
        self.bytes += bytes as u64;
        Ok(())
    }

    /// Counts the bytes that a sender sent.
    pub(crate) fn receive(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// Counts the time that the server waited for a sender.
    pub(crate) fn wait(&mut self, waited: Duration) {
        self.waited += waited;
    }

    /// How much longer the server may wait for the client in this window.
    pub(crate) fn left(&self) -> Duration {
        self.window.saturating_sub(self.waited)
    }

    /// Ends the window and begins the next one.
    /// # Errors
    /// [`TooSlow`] where the client sent or took too little in it.
    pub(crate) fn next_window(&mut self) -> Result<(), TooSlow> {
        if self.bytes < PACE_BYTES {
            return Err(TooSlow);
        }
        *self = Self::begin(self.window);
        Ok(())
    }
}

/// How many bytes are handed out at once: the connection of a slow reader holds this much in memory.
pub(crate) const HANDED_BYTES: usize = 64 * 1024;

/// The bytes of a response, until its reader is slower than the pace. (The kernel has buffers of its own: a slow reader
/// is noticed only when they are full.)
pub(crate) fn for_readers_at_pace<S, E>(
    pieces: S,
) -> impl Stream<Item = Result<Bytes, Box<dyn std::error::Error>>>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::error::Error + 'static,
{
    let begun = (pieces, Bytes::new(), Pace::of_a_reader(), Instant::now());
    stream::try_unfold(
        begun,
        async |(mut pieces, mut left, mut pace, handed_at)| {
            // The next piece is requested when the previous one was handed over.
            pace.count(handed_at.elapsed(), 0)?;
            while left.is_empty() {
                match pieces.next().await {
                    None => return Ok(None),
                    Some(piece) => left = piece?,
                }
            }
            let piece = left.split_to(left.len().min(HANDED_BYTES));
            pace.bytes += piece.len() as u64;
            Ok(Some((piece, (pieces, left, pace, Instant::now()))))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_large_piece_is_handed_out_in_small_ones_and_whole() {
        let whole: Vec<u8> = (0..200_000_u32).map(|at| (at % 251) as u8).collect();
        let pieces = stream::iter([
            Ok::<_, std::io::Error>(Bytes::from(whole[..150_000].to_vec())),
            Ok(Bytes::from(whole[150_000..].to_vec())),
        ]);
        let handed: Vec<Bytes> = for_readers_at_pace(pieces)
            .map(Result::unwrap)
            .collect()
            .await;
        assert!(handed.iter().all(|piece| piece.len() <= HANDED_BYTES));
        assert_eq!(handed.concat(), whole);
    }

    #[test]
    fn a_reader_that_takes_a_byte_now_and_then_is_too_slow() {
        let mut trickling = Pace::of_a_reader();
        let mut steady = Pace::of_a_reader();
        let wait = Duration::from_secs(10);
        for _ in 0..2 {
            trickling.count(wait, 1).unwrap();
            steady.count(wait, 16 * 1024).unwrap();
        }
        let refused = trickling.count(wait, 1);
        assert!(matches!(refused, Err(TooSlow)), "{refused:?}");
        steady.count(wait, 16 * 1024).unwrap();
    }
}
