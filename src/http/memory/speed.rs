//! The speed of an arriving body.

use std::time::Duration;
use tokio::time::Instant;

/// After this time, bytes that arrived count half in the speed of a body.
const PACE_HALF_LIFE: Duration = Duration::from_secs(4);

/// A decaying count of the bytes that arrived: older bytes count less.
#[derive(Debug)]
pub(super) struct Speed {
    recent: f64,
    at: Instant,
}

impl Speed {
    /// The speed of a body of which no byte has arrived.
    pub(super) fn begin() -> Self {
        Self {
            recent: 0.0,
            at: Instant::now(),
        }
    }

    pub(super) fn count(&mut self, bytes: usize) {
        #[expect(clippy::cast_precision_loss, reason = "a pace is no count")]
        let bytes = bytes as f64;
        self.recent = self.recent * fading(self.at.elapsed()) + bytes;
        self.at = Instant::now();
    }

    /// `age`: the body's age.
    pub(super) fn bytes_a_second(&self, age: Duration) -> f64 {
        let recent = self.recent * fading(self.at.elapsed());
        let seconds = PACE_HALF_LIFE.as_secs_f64() / std::f64::consts::LN_2;
        // A young body had less time to send what counts.
        let share_of_time = (1.0 - fading(age)).max(0.01);
        recent / (seconds * share_of_time)
    }
}

fn fading(time: Duration) -> f64 {
    (-time.as_secs_f64() / PACE_HALF_LIFE.as_secs_f64()).exp2()
}
