//! The standing warnings of a running server: gathered from the modules that see them, reported by readiness, and logged.

use crate::clock::{Clock, Timestamp};
use crate::http::connection::tls::Tls;
use crate::s3::BucketName;
use crate::store::{Store, Upkeep};
use crate::warnings::{Warning, WarningLog};
use std::sync::Arc;
use std::time::Duration;

/// How often the disk, the data folder and all other causes of warnings are checked.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// Cheap to clone.
#[derive(Clone, Default)]
pub struct Watch {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    log: WarningLog,
    /// The address at which a command that the log names finds this server.
    endpoint: String,
    /// Warnings of settings: they stand until a restart.
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

    /// The warnings that stand now.
    pub(crate) fn standing(
        &self,
        upkeep: &Upkeep,
        tls: Option<&Tls>,
        now: Timestamp,
    ) -> Vec<Warning> {
        let mut standing = upkeep.health().warnings;
        let open = upkeep.open_buckets().into_iter();
        standing.extend(open.map(|(bucket, opening)| self.open_bucket(&bucket, &opening)));
        standing.extend(tls.and_then(|tls| tls.warning(now)));
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

    /// Gathers the warnings again and again, and logs those that begin and those that are over. Never ends.
    pub(crate) async fn run(self, upkeep: Upkeep, tls: Option<Tls>, clock: Clock) {
        loop {
            upkeep.look_at_folder().await;
            let standing = self.standing(&upkeep, tls.as_ref(), clock.now());
            self.inner.log.update(&standing, clock.elapsed());
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = upkeep.disk_news() => {}
            }
        }
    }

    /// The certificate's files were read again: where it ends soon or is not valid, the log says so at once.
    pub(crate) fn certificate_was_read(&self, tls: &Tls, clock: &Clock) {
        if let Some(warning) = tls.warning(clock.now()) {
            self.inner.log.log(&warning, clock.elapsed());
        }
    }

    /// The access to a bucket was changed: where everybody gained from that, the log says so at once.
    pub(crate) fn bucket_was_set(&self, store: &Store, clock: &Clock, name: &BucketName) {
        let Some(bucket) = store.bucket(name) else {
            return;
        };
        if let Some(opening) = bucket.opening() {
            let warning = self.open_bucket(name, opening);
            self.inner.log.log(&warning, clock.elapsed());
        }
    }
}
