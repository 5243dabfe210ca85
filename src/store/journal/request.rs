//! A change that waits for the writer, and what its caller is answered.
use crate::clock::Timestamp;
use crate::store::error::StoreError;
use crate::store::journal::locks::RowLock;
use crate::store::journal::work::Work;
use tokio::sync::oneshot;

/// What stands in the log of a change.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Recorded {
    pub(in crate::store) sequence: u64,
    pub(in crate::store) at: Timestamp,
}

/// `None`: there was nothing to record.
pub(in crate::store) type Answer = oneshot::Sender<Result<Option<Recorded>, StoreError>>;

pub(in crate::store) struct Request {
    pub(in crate::store) locks: Vec<RowLock>,
    pub(in crate::store) work: Work,
    pub(in crate::store) answer: Answer,
}

pub(in crate::store) fn answer(to: Answer, result: Result<Option<Recorded>, StoreError>) {
    // A caller that went away does not need to know.
    drop(to.send(result));
}
