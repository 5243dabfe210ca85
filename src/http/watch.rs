//! The standing warnings of a running server: gathered from the modules that see them, told to readiness, and logged.

use super::Rooms;
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
    pub(crate) fn standing(&self, rooms: &Rooms) -> Vec<Warning> {
        let mut standing = rooms.store.health().warnings;
        let open = rooms.store.open_buckets().into_iter();
        standing.extend(open.map(|(bucket, opening)| self.open_bucket(&bucket, &opening)));
        standing.extend(
            rooms
                .tls
                .as_ref()
                .and_then(|tls| tls.warning(rooms.clock.now())),
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
    pub(crate) async fn run(rooms: Rooms) {
        loop {
            rooms.store.look_at_folder().await;
            let standing = rooms.watch.standing(&rooms);
            rooms
                .watch
                .inner
                .log
                .update(&standing, rooms.clock.elapsed());
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = rooms.store.disk_news() => {}
            }
        }
    }

    /// The certificate's files were read again: where it ends soon or is not valid, the log says so at once.
    pub(crate) fn certificate_was_read(&self, rooms: &Rooms) {
        let tls = rooms.tls.as_ref();
        if let Some(warning) = tls.and_then(|tls| tls.warning(rooms.clock.now())) {
            self.inner.log.log(&warning, rooms.clock.elapsed());
        }
    }

    /// What a bucket allows was set anew: where everybody gains from it, the log says so at once.
    pub(crate) fn bucket_was_set(&self, rooms: &Rooms, name: &BucketName) {
        let Some(bucket) = rooms.store.bucket(name) else {
            return;
        };
        if let Some(opening) = bucket.opening() {
            let warning = self.open_bucket(name, opening);
            self.inner.log.log(&warning, rooms.clock.elapsed());
        }
    }
}
