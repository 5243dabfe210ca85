//! What changes need: a channel to the writer.

use crate::s3::{BucketName, ObjectKey};
use crate::store::error::{StoreError, overloaded, stopped};
use crate::store::journal::locks::RowLock;
use crate::store::journal::request::{Recorded, Request};
use crate::store::journal::work::{Which, Work};
use crate::store::object::Deletion;
use crate::store::upload::UploadId;
use sqlx::SqliteConnection;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// How long a change waits for a place in the writer's queue.
const QUEUE_PATIENCE: Duration = Duration::from_secs(10);

/// A channel to the writer, for as long as the vault is open.
pub(in crate::store) struct Changes {
    requests: RwLock<Option<mpsc::Sender<Request>>>,
    tasks: Mutex<Option<Tasks>>,
}

/// The running writer and indexer.
pub(in crate::store) struct Tasks {
    /// Resolves when the writer has ended.
    pub(in crate::store) writer: oneshot::Receiver<()>,
    /// Returns the connection to the index.
    pub(in crate::store) indexer: JoinHandle<SqliteConnection>,
}

impl Changes {
    pub(in crate::store) fn through(requests: mpsc::Sender<Request>, tasks: Tasks) -> Self {
        Self {
            requests: RwLock::new(Some(requests)),
            tasks: Mutex::new(Some(tasks)),
        }
    }

    /// Without a writer: refuses every change.
    pub(in crate::store) fn refused() -> Self {
        Self {
            requests: RwLock::new(None),
            tasks: Mutex::new(None),
        }
    }

    /// Sends a change to the writer; `None`: there was nothing to record.
    pub(in crate::store) async fn ask(
        &self,
        names: Vec<RowLock>,
        work: Work,
    ) -> Result<Option<Recorded>, StoreError> {
        let requests = self.requests.read();
        let requests = requests
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .ok_or_else(stopped)?;
        let (answer, answered) = oneshot::channel();
        let place = tokio::time::timeout(QUEUE_PATIENCE, requests.reserve());
        let place = place.await.map_err(|_| overloaded())?;
        place.map_err(|_| stopped())?.send(Request {
            locks: names,
            work,
            answer,
        });
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Sends a change that the writer either refuses or records.
    pub(in crate::store) async fn change(
        &self,
        names: Vec<RowLock>,
        work: Work,
    ) -> Result<Recorded, StoreError> {
        self.ask(names, work).await?.ok_or_else(|| {
            StoreError::Unavailable("the writer recorded nothing of a change".into())
        })
    }

    /// Deletes one object of a key.
    pub(in crate::store) async fn delete(
        &self,
        bucket: BucketName,
        key: ObjectKey,
        which: Which,
    ) -> Result<Deletion, StoreError> {
        let names = RowLock::of_object(&bucket, &key);
        let work = Work::Delete { bucket, key, which };
        Ok(match self.ask(names, work).await? {
            Some(_) => Deletion::Deleted,
            None => Deletion::WasAbsent,
        })
    }

    /// Aborts an upload in progress.
    pub(in crate::store) async fn abort_upload(
        &self,
        bucket: BucketName,
        key: ObjectKey,
        id: UploadId,
    ) -> Result<(), StoreError> {
        let names = RowLock::of_upload(&bucket, &id);
        let work = Work::AbortUpload {
            bucket,
            key,
            upload: id,
        };
        self.ask(names, work).await.map(drop)
    }

    /// Accepts no more changes, and returns the tasks to wait for. `None`: there was no writer, or it was already
    /// stopped.
    pub(in crate::store) fn stop(&self) -> Option<Tasks> {
        drop(
            self.requests
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        self.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}
