//! The standing warnings of a running server: gathered from the modules that see them, told to readiness, and logged.

use crate::http::app_state::AppState;
use crate::s3::BucketName;
use crate::warnings::{Warning, WarningLog};
use std::sync::Arc;
use std::time::Duration;

/// How often the disk, the data folder and all else that is warned of is looked at, to be logged.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// Cheap to clone.
#[derive(Clone, Default)]
pub struct Watch {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    log: WarningLog,
    /// Where a command that the log names finds this server.
    endpoint: String,
    /// Of the settings: they stand until a restart.
    of_settings: Vec<Warning>,
}

impl Watch {
    /// `endpoint`: scheme, host and port at which this server is reached.
    #[must_use]
    pub fn new(endpoint: String, of_settings: Vec<Warning>) -> Self {
        let inner = Inner {
            log: WarningLog::default(),
            endpoint,
            of_settings,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// What stands now.
    pub(crate) fn standing(&self, state: &AppState) -> Vec<Warning> {
        let upkeep = state.store.upkeep();
        let mut standing = upkeep.health().warnings;
        let open = upkeep.open_buckets().into_iter();
        standing.extend(open.map(|(bucket, opening)| self.open_bucket(&bucket, &opening)));
        standing.extend(
            state
                .tls
                .as_ref()
                .and_then(|tls| tls.warning(state.clock.now())),
        );
        standing.extend(self.inner.of_settings.iter().cloned());
        standing
    }

    fn open_bucket(&self, bucket: &BucketName, opening: &impl ToString) -> Warning {
        Warning::BucketOpenToEverybody {
            bucket: bucket.to_string(),
            opening: opening.to_string(),
            endpoint: self.inner.endpoint.clone(),
        }
    }

    /// Looks again and again, and logs what begins and what is over. Never ends.
    pub(crate) async fn run(state: AppState) {
        let upkeep = state.store.upkeep();
        loop {
            upkeep.look_at_folder().await;
            let standing = state.watch.standing(&state);
            state
                .watch
                .inner
                .log
                .update(&standing, state.clock.elapsed());
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = upkeep.disk_news() => {}
            }
        }
    }

    /// The certificate's files were read again: where it ends soon or is not valid, the log says so at once.
    pub(crate) fn certificate_was_read(&self, state: &AppState) {
        let tls = state.tls.as_ref();
        if let Some(warning) = tls.and_then(|tls| tls.warning(state.clock.now())) {
            self.inner.log.log(&warning, state.clock.elapsed());
        }
    }

    /// What a bucket allows was set anew: where everybody gains from it, the log says so at once.
    pub(crate) fn bucket_was_set(&self, state: &AppState, name: &BucketName) {
        let Some(bucket) = state.store.bucket(name) else {
            return;
        };
        if let Some(opening) = bucket.opening() {
            let warning = self.open_bucket(name, opening);
            self.inner.log.log(&warning, state.clock.elapsed());
        }
    }
}
