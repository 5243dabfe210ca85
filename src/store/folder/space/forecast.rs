//! When the disk will be full, by what was used of it in the last day.
//!
//! Free bytes are sampled with the monotonic clock, so a jump of the wall clock has no effect. The rate is the decrease from
//! the oldest sample of the last 24 hours to the newest one. In the first six hours there is no forecast: otherwise the
//! first minutes of an import would be extrapolated to a whole day. (Six hours is also the window of kube-prometheus'
//! `NodeFilesystemSpaceFillingUp`.) A restart discards the samples.

use std::collections::VecDeque;
use std::time::Duration;

const WINDOW: Duration = Duration::from_hours(24);
/// With samples over a shorter time there is no forecast.
const LEAST_WATCHED: Duration = Duration::from_hours(6);
/// A sample that is closer than this replaces the one before, so that a day has some hundred samples.
const APART: Duration = Duration::from_mins(10);

#[derive(Debug, Default)]
pub(super) struct Forecast {
    /// The oldest first: the time, and the free bytes. The last one may be closer to its predecessor than `APART`.
    samples: VecDeque<(Duration, u64)>,
}

impl Forecast {
    pub(super) fn sample(&mut self, now: Duration, free_bytes: u64) {
        if self.samples.back().is_some_and(|(last, _)| *last > now) {
            return;
        }
        let last_kept = self.samples.iter().rev().nth(1);
        if last_kept.is_some_and(|(kept, _)| now.saturating_sub(*kept) < APART) {
            self.samples.pop_back();
        }
        self.samples.push_back((now, free_bytes));
        while self
            .samples
            .front()
            .is_some_and(|(first, _)| now.saturating_sub(*first) > WINDOW)
        {
            self.samples.pop_front();
        }
    }

    /// How long it takes, at the rate of the last day, until only `least_bytes` are free. `None` if that is unknown, or
    /// if free space does not shrink.
    pub(super) fn time_until(&self, least_bytes: u64) -> Option<Duration> {
        let ((began, before), (now, free)) = (*self.samples.front()?, *self.samples.back()?);
        let watched = now.saturating_sub(began);
        let used = before.checked_sub(free).filter(|used| *used > 0)?;
        if watched < LEAST_WATCHED {
            return None;
        }
        let left = u128::from(free.saturating_sub(least_bytes));
        let seconds = u128::from(watched.as_secs()) * left / u128::from(used);
        Some(Duration::from_secs(
            u64::try_from(seconds).unwrap_or(u64::MAX),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const GIB: u64 = 1 << 30;

    /// A forecast with a sample for each minute; `free` returns the free bytes after that many minutes.
    fn watched(minutes: u64, free: impl Fn(u64) -> u64) -> Forecast {
        let mut forecast = Forecast::default();
        for minute in 0..=minutes {
            forecast.sample(Duration::from_mins(minute), free(minute));
        }
        forecast
    }

    fn hours_until_full(forecast: &Forecast) -> Option<u64> {
        let time = forecast.time_until(GIB)?;
        Some((time.as_secs() + 1800) / 3600)
    }

    #[rstest]
    #[case::steady(48 * 60, Some(51))]
    #[case::six_hours(6 * 60, Some(93))]
    #[case::too_short(6 * 60 - 1, None)]
    #[case::nothing_yet(0, None)]
    fn the_rate_is_that_of_the_last_day(#[case] minutes: u64, #[case] hours: Option<u64>) {
        // 1 GiB an hour, of 100 GiB
        let forecast = watched(minutes, |minute| 100 * GIB - minute * GIB / 60);
        assert_eq!(hours_until_full(&forecast), hours);
    }

    #[test]
    fn use_before_the_last_day_does_not_count() {
        let forecast = watched(48 * 60, |minute| {
            if minute < 60 {
                (300 - minute * 4) * GIB
            } else {
                60 * GIB - minute
            }
        });
        assert!(hours_until_full(&forecast).unwrap() > 1_000_000);
    }

    #[rstest]
    #[case::nothing_used(|_| 50 * GIB)]
    #[case::more_room(|minute| 50 * GIB + minute)]
    fn a_disk_that_does_not_fill_has_no_forecast(#[case] free: fn(u64) -> u64) {
        assert_eq!(watched(24 * 60, free).time_until(GIB), None);
    }

    #[test]
    fn a_disk_below_the_limit_has_no_time_left() {
        let forecast = watched(24 * 60, |minute| GIB - minute);
        assert_eq!(forecast.time_until(GIB), Some(Duration::ZERO));
    }

    #[test]
    fn samples_are_few_and_the_newest_counts() {
        let mut forecast = watched(72 * 60, |_| 50 * GIB);
        assert!(forecast.samples.len() < 170, "{}", forecast.samples.len());
        forecast.sample(Duration::from_mins(72 * 60 + 1), 49 * GIB);
        assert!(forecast.time_until(GIB).is_some());
    }

    #[test]
    fn a_clock_that_went_back_adds_no_sample() {
        let mut forecast = watched(12 * 60, |minute| 100 * GIB - minute);
        let before = forecast.time_until(GIB);
        forecast.sample(Duration::ZERO, GIB);
        assert_eq!(forecast.time_until(GIB), before);
    }
}
