//! The state of an arriving body: its age, its speed, and whether it was evicted.

use crate::http::memory::speed::Speed;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The state of an arriving body.
#[derive(Debug)]
pub(super) struct BodyState {
    began: Instant,
    speed: Mutex<Speed>,
    evicted: Notify,
    waits_for_client: AtomicBool,
}

impl BodyState {
    pub(super) fn begin() -> Self {
        Self {
            began: Instant::now(),
            speed: Mutex::new(Speed::begin()),
            evicted: Notify::new(),
            waits_for_client: AtomicBool::new(true),
        }
    }

    pub(super) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    pub(super) fn count(&self, bytes: usize) {
        let mut speed = self.speed.lock().unwrap_or_else(PoisonError::into_inner);
        speed.count(bytes);
    }

    /// The recent speed of the body, in bytes a second.
    pub(super) fn speed(&self) -> f64 {
        let speed = self.speed.lock().unwrap_or_else(PoisonError::into_inner);
        speed.bytes_a_second(self.began.elapsed())
    }

    /// Notifies the body's owner that it lost its share of the memory.
    pub(super) fn evict(&self) {
        self.evicted.notify_one();
    }

    /// Ends when the body was evicted.
    pub(super) async fn evicted(&self) {
        self.evicted.notified().await;
    }

    pub(super) fn set_waits_for_client(&self, waits: bool) {
        self.waits_for_client.store(waits, Ordering::Relaxed);
    }

    pub(super) fn waits_for_client(&self) -> bool {
        self.waits_for_client.load(Ordering::Relaxed)
    }
}
