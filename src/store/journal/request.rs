//! A change that waits for the writer, and the result that its caller gets.
use crate::clock::Timestamp;
use crate::store::error::StoreError;
use crate::store::journal::locks::RowLock;
use crate::store::journal::work::Work;
use tokio::sync::oneshot;

/// The sequence and the time of a change's record in the log.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Recorded {
    pub(in crate::store) sequence: u64,
    pub(in crate::store) at: Timestamp,
}

/// Sends the result to the caller. `None`: there was nothing to record.
pub(in crate::store) type Answer = oneshot::Sender<Result<Option<Recorded>, StoreError>>;

pub(in crate::store) struct Request {
    pub(in crate::store) locks: Vec<RowLock>,
    pub(in crate::store) work: Work,
    pub(in crate::store) answer: Answer,
}

pub(in crate::store) fn answer(to: Answer, result: Result<Option<Recorded>, StoreError>) {
    // Sending fails if the caller has given up meanwhile.
    drop(to.send(result));
}
