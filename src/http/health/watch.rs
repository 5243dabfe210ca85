//! The standing warnings of a running server: collected from the modules that detect them, reported by readiness, and
//! logged.

use crate::clock::{Clock, Timestamp};
use crate::http::connection::tls::Tls;
use crate::s3::BucketName;
use crate::store::{Store, Upkeep};
use crate::warnings::{Warning, WarningLog};
use std::sync::Arc;
use std::time::Duration;

/// How often the disk, the data folder and all other causes of warnings are checked.
const CHECK_EVERY: Duration = Duration::from_mins(1);

/// Cheap to clone.
#[derive(Clone, Default)]
pub struct Watch {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    log: WarningLog,
    /// The address of this server, for commands that the log suggests.
    endpoint: String,
    /// Warnings about settings: they stand until a restart.
    setting_warnings: Vec<Warning>,
}

impl Watch {
    /// `endpoint`: scheme, host and port at which this server is reached.
    #[must_use]
    pub fn new(endpoint: String, setting_warnings: Vec<Warning>) -> Self {
        let inner = Inner {
            log: WarningLog::default(),
            endpoint,
            setting_warnings,
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
        standing.extend(self.inner.setting_warnings.iter().cloned());
        standing
    }

    fn open_bucket(&self, bucket: &BucketName, opening: &impl ToString) -> Warning {
        Warning::BucketOpenToEverybody {
            bucket: bucket.to_string(),
            opening: opening.to_string(),
            endpoint: self.inner.endpoint.clone(),
        }
    }

    /// Collects the warnings at each interval, and logs those that begin and those that end. Never ends.
    pub(crate) async fn run(self, upkeep: Upkeep, tls: Option<Tls>, clock: Clock) {
        loop {
            upkeep.look_at_folder().await;
            let standing = self.standing(&upkeep, tls.as_ref(), clock.now());
            self.inner.log.update(&standing, clock.elapsed());
            tokio::select! {
                () = tokio::time::sleep(CHECK_EVERY) => {}
                () = upkeep.disk_news() => {}
            }
        }
    }

    /// Logs a warning at once where the certificate that was just read expires soon or is not valid.
    pub(crate) fn certificate_was_read(&self, tls: &Tls, clock: &Clock) {
        if let Some(warning) = tls.warning(clock.now()) {
            self.inner.log.log(&warning, clock.elapsed());
        }
    }

    /// Logs a warning at once where a changed setting opened the bucket to the public.
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
