//! Flood protection of HTTP/2: a budget for frames that cost the server work and get nothing done.
//!
//! Frames that cost their sender nothing can keep a server busy: resets of requests just sent, PINGs, SETTINGS, empty
//! DATA, window updates of a byte. The frames are counted here, below the HTTP/2 library, whatever the library does
//! with each. Guarantees: a connection has a budget; each received frame costs some of it; reading bodies, sending
//! responses, and time give it back; once nothing is left, the connection is read no further. Refuses to know what
//! frames mean. RFC 9113, 10.5: <https://www.rfc-editor.org/rfc/rfc9113#section-10.5>

use crate::http::connection::http2::memory::AtWork;
use crate::http::connection::transport::Transport;
use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::Instant;

/// What a frame costs besides its length.
const FRAME_COST: u64 = 1024;
/// One of this many bytes of a body counts.
const DATA_SHARE: u64 = 16;
/// The budget that an answered request gives back, besides the length of its head: the cost of its frames, and some for
/// window updates and priorities.
pub(super) const ANSWER_GAIN: u64 = 12 * FRAME_COST;
/// Some 500 requests that are reset at once, 4,000 PINGs, or 64 MB of bodies that no handler reads: much of a refused
/// upload is still under way, and windows bound the memory that it takes.
const BUDGET: u64 = 8 * 1024 * 1024;
/// The refill in a second: 128 PINGs.
const REFILL: u64 = 256 * 1024;

const PREFACE_BYTES: usize = 24;
const HEADER_BYTES: usize = 9;

/// A connection's budget.
#[derive(Debug)]
pub(super) struct Budget {
    left: Cell<u64>,
    refilled_at: Cell<Instant>,
    exceeded: Cell<bool>,
    notify: Notify,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self {
            left: Cell::new(BUDGET),
            refilled_at: Cell::new(Instant::now()),
            exceeded: Cell::new(false),
            notify: Notify::new(),
        }
    }

    pub(super) fn earn(&self, bytes: u64) {
        self.left
            .set(self.left.get().saturating_add(bytes).min(BUDGET));
    }

    fn spend(&self, bytes: u64) {
        let left = self.left.get().checked_sub(bytes);
        self.left.set(left.unwrap_or(0));
        if left.is_none() {
            self.exceeded.set(true);
            self.notify.notify_one();
        }
    }

    fn refill(&self) {
        let elapsed = self.refilled_at.get().elapsed().as_millis();
        if elapsed > 0 {
            self.refilled_at.set(Instant::now());
            let millis = u64::try_from(elapsed).unwrap_or(u64::MAX);
            self.earn(millis.saturating_mul(REFILL / 1000));
        }
    }

    /// Ends when nothing of the budget is left.
    pub(super) async fn exceeded(&self) {
        while !self.exceeded.get() {
            self.notify.notified().await;
        }
    }
}

/// Finds frames in the received bytes.
#[derive(Debug)]
struct Frames {
    /// The bytes left of the preface, or of a frame's payload.
    skip: usize,
    header: [u8; HEADER_BYTES],
    header_length: usize,
}

impl Frames {
    fn new() -> Self {
        Self {
            skip: PREFACE_BYTES,
            header: [0; HEADER_BYTES],
            header_length: 0,
        }
    }

    /// The cost of the frames whose headers end in `bytes`.
    fn cost(&mut self, mut bytes: &[u8]) -> u64 {
        let mut cost = 0;
        while !bytes.is_empty() {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                self.skip -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            let missing = HEADER_BYTES - self.header_length;
            let more = missing.min(bytes.len());
            self.header[self.header_length..][..more].copy_from_slice(&bytes[..more]);
            self.header_length += more;
            bytes = &bytes[more..];
            if self.header_length == HEADER_BYTES {
                let [high, middle, low, kind, flags, ..] = self.header;
                let length = u32::from_be_bytes([0, high, middle, low]);
                cost += frame_cost(kind, flags, length);
                self.skip = length as usize;
                self.header_length = 0;
            }
        }
        cost
    }
}

fn frame_cost(kind: u8, flags: u8, length: u32) -> u64 {
    const DATA: u8 = 0;
    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const SETTINGS: u8 = 4;
    const PING: u8 = 6;
    /// `END_STREAM` of DATA, `ACK` of SETTINGS.
    const FIRST_FLAG: u8 = 1;
    let frames = match kind {
        // The frame carries nothing at all.
        DATA if length == 0 && flags & FIRST_FLAG == 0 => 8,
        SETTINGS if flags & FIRST_FLAG == 0 => 8,
        HEADERS | RST_STREAM => 8,
        PING => 2,
        _ => 1,
    };
    let bytes = u64::from(length);
    frames * FRAME_COST
        + if kind == DATA {
            bytes / DATA_SHARE
        } else {
            bytes
        }
}

/// The budget that a piece of a body gives back when it is read: the cost of its frame.
pub(super) fn data_gain(bytes: usize) -> u64 {
    FRAME_COST + bytes as u64 / DATA_SHARE
}

/// A transport that counts the connection's frames and bytes.
pub(super) struct Metered {
    transport: Transport,
    frames: Frames,
    budget: Rc<Budget>,
    at_work: Rc<AtWork>,
}

impl Metered {
    pub(super) fn new(transport: Transport, budget: Rc<Budget>, at_work: Rc<AtWork>) -> Self {
        Self {
            transport,
            frames: Frames::new(),
            budget,
            at_work,
        }
    }

    fn wrote(&self, bytes: usize) {
        self.budget.earn(bytes as u64);
        self.at_work.count(bytes);
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.budget.exceeded.get() {
            // The task that waits for this ends the connection.
            return Poll::Pending;
        }
        let before = buf.filled().len();
        ready!(self.transport.poll_read(cx, buf))?;
        let cost = self.frames.cost(&buf.filled()[before..]);
        self.budget.refill();
        self.budget.spend(cost);
        self.at_work.count(buf.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(self.transport.poll_write(cx, buf))?;
        self.wrote(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(self.transport.poll_write_vectored(cx, parts))?;
        self.wrote(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.transport.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.transport.poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::time::Duration;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags, 0, 0, 0, 1]);
        frame.extend(payload);
        frame
    }

    #[test]
    fn frames_cost_the_same_however_they_are_cut() {
        let mut came = vec![0; PREFACE_BYTES];
        came.extend(frame(4, 0, &[0; 6]));
        came.extend(frame(0, 0, b""));
        came.extend(frame(0, 1, &[0; 32]));
        came.extend(frame(6, 0, &[0; 8]));
        let whole = (8 + 8 + 1 + 2) * FRAME_COST + 6 + 32 / DATA_SHARE + 8;
        for cut in 0..came.len() {
            let mut frames = Frames::new();
            let cost = frames.cost(&came[..cut]) + frames.cost(&came[cut..]);
            assert_eq!(cost, whole, "cut at {cut}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_budget_refills_with_time_and_with_work_and_never_past_its_limit() {
        let budget = Budget::new();
        budget.spend(BUDGET);
        assert!(budget.exceeded().now_or_never().is_none());
        budget.earn(10);
        tokio::time::advance(Duration::from_secs(1)).await;
        budget.refill();
        budget.spend(REFILL / 1000 * 1000 + 10);
        assert!(budget.exceeded().now_or_never().is_none());
        budget.earn(2 * BUDGET);
        budget.spend(BUDGET);
        assert!(budget.exceeded().now_or_never().is_none());
        budget.spend(1);
        assert!(budget.exceeded().now_or_never().is_some());
    }
}
