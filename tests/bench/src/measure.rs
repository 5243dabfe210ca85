//! What was measured, as it is printed.

use anyhow::Context;
use hdrhistogram::Histogram;
use serde::Serialize;
use std::time::Duration;

#[derive(Serialize)]
pub(crate) struct Measured {
    /// What was done within the time measured: answers, or files.
    pub(crate) answers: u64,
    pub(crate) seconds: f64,
    pub(crate) rate: f64,
    /// Of the answers, heads included.
    pub(crate) bytes: u64,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) max_us: u64,
    /// Of the processes that were named, or of this one where it does the work itself.
    pub(crate) cpu_seconds: f64,
    /// Connections that the server closed and that were made again.
    pub(crate) reconnects: u64,
}

impl Measured {
    pub(crate) fn new(latencies: &Histogram<u64>, took: Duration, cpu_seconds: f64) -> Self {
        let seconds = took.as_secs_f64();
        Self {
            answers: latencies.len(),
            seconds,
            rate: precise(latencies.len()) / seconds,
            bytes: 0,
            p50_us: latencies.value_at_quantile(0.5),
            p99_us: latencies.value_at_quantile(0.99),
            max_us: latencies.max(),
            cpu_seconds,
            reconnects: 0,
        }
    }

    pub(crate) fn print(&self) -> anyhow::Result<()> {
        println!("{}", serde_json::to_string(self)?);
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn precise(count: u64) -> f64 {
    count as f64
}

/// Of microseconds, up to a minute, to three digits.
pub(crate) fn latencies() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("the bounds lie far enough apart")
}

pub(crate) fn note(latencies: &mut Histogram<u64>, took: Duration) {
    latencies.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
}

/// User and system time in seconds of these processes since their start, their ended threads included. `proc_pid_stat(5)`.
pub(crate) fn cpu_seconds(pids: &[u32]) -> anyhow::Result<f64> {
    let mut ticks = 0;
    for pid in pids {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .with_context(|| format!("process {pid} is gone"))?;
        // The name, in brackets, may hold anything; what follows is the third field.
        let (_, fields) = stat
            .rsplit_once(") ")
            .context("a stat has a name in brackets")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        ticks += fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    }
    let a_second = rustix::param::clock_ticks_per_second();
    Ok(precise(ticks) / precise(a_second))
}
