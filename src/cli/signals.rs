//! SIGTERM and SIGINT, which ask a server to stop, and SIGHUP, which has it read its certificate again and never stops
//! it.

use super::Failure;
use crate::app::{Application, Ended};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Does work that makes files for itself alone: where a signal asks to stop, it is dropped, and they go with it.
pub(super) async fn until_asked_to_stop<T>(
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    // `nohup` has it ignored, which a listener would undo.
    let mut hangup = if ignores_hangup() {
        None
    } else {
        Some(listen(SignalKind::hangup())?)
    };
    let hung_up = async {
        match &mut hangup {
            Some(hangup) => hangup.recv().await,
            None => std::future::pending().await,
        }
    };
    let name = tokio::select! {
        done = work => return done,
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
        _ = hung_up => "SIGHUP",
    };
    Err(Failure::Failed(format!(
        "stopped by {name} before it was done; nothing was changed"
    )))
}

/// Where the system does not say: it does, and is left as it is.
fn ignores_hangup() -> bool {
    /// The mask has a bit for each signal, from 1 on; SIGHUP is the first.
    const SIGHUP: u64 = 1;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_none_or(|mask| mask & SIGHUP != 0)
}

fn listen(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::Failed(format!("signals cannot be listened to: {error}")))
}

pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    /// From here on these signals no longer end the process by themselves.
    pub(super) fn listen() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// The name of the next one that asks to stop. A signal that came before the call counts.
    pub(super) async fn next(&mut self) -> &'static str {
        self.next_while(|| {}).await
    }

    /// As [`Signals::next`]; each SIGHUP until then is for `reload`.
    async fn next_while(&mut self, reload: impl Fn()) -> &'static str {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.hangup.recv() => reload(),
            }
        }
    }

    /// Runs a server until a signal: what is in flight is finished, at most for 8 seconds. Further signals change
    /// nothing, for process managers and shells often deliver the same Ctrl-C twice.
    pub(super) async fn run(&mut self, application: Application) -> Result<Ended, Failure> {
        let (stopper, reloader) = (application.stopper(), application.reloader());
        let mut serving = std::pin::pin!(application.run_until_stopped());
        let outcome = tokio::select! {
            outcome = &mut serving => outcome,
            name = self.next_while(|| reloader.reload()) => {
                tracing::info!(signal = name, "stopping: what is in flight has 8 seconds");
                stopper.stop();
                let outcome = serving.await;
                tracing::info!("stopped");
                outcome.map(|_| Ended::Stopped)
            }
        };
        outcome.map_err(|error| {
            Failure::Failed(format!(
                "the listener failed ({error}): look at the log, then start again"
            ))
        })
    }
}
