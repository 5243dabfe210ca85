//! The MD5 of small bodies, computed in batches.
//!
//! A body's MD5 takes longer than all its other digests, and hashing several bodies together takes hardly longer than
//! hashing one ([`md5_of_each`]). So a task with a body yields to the other tasks that are ready on its thread,
//! for as long as that brings more bodies. The first task to run again then hashes all of them. No task waits for a body
//! that is still being received.

use crate::s3::checksum::md5_of_each;
use bytes::Bytes;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::oneshot::{self, error::TryRecvError};

/// Once this many bodies wait, no task yields any more.
const FULL_BATCH: usize = 16;

/// The bodies that wait to be hashed, of all threads.
static WAITING: Mutex<Vec<Waiting>> = Mutex::new(Vec::new());

struct Waiting {
    /// Cannot be upgraded once the caller has given up.
    body: Weak<Bytes>,
    answer: oneshot::Sender<[u8; 16]>,
}

pub(in crate::store) async fn md5(body: Bytes) -> [u8; 16] {
    let body = Arc::new(body);
    let (answer, mut answered) = oneshot::channel();
    let mut count = {
        let mut waiting = waiting();
        waiting.push(Waiting {
            body: Arc::downgrade(&body),
            answer,
        });
        waiting.len()
    };
    while count < FULL_BATCH {
        tokio::task::yield_now().await;
        match answered.try_recv() {
            Ok(md5) => return md5,
            // The task that took the batch failed.
            Err(TryRecvError::Closed) => return alone(&body),
            Err(TryRecvError::Empty) => {}
        }
        let now = waiting().len();
        if now <= count {
            break;
        }
        count = now;
    }
    let group = std::mem::take(&mut *waiting());
    hash(group);
    // Another thread may be about to send the MD5.
    answered.await.unwrap_or_else(|_| alone(&body))
}

fn alone(body: &[u8]) -> [u8; 16] {
    md5_of_each(&[body])[0]
}

fn waiting() -> MutexGuard<'static, Vec<Waiting>> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hash(group: Vec<Waiting>) {
    let (bodies, answers): (Vec<Arc<Bytes>>, Vec<_>) = group
        .into_iter()
        .filter_map(|one| Some((one.body.upgrade()?, one.answer)))
        .unzip();
    let bytes: Vec<&[u8]> = bodies.iter().map(|body| &***body).collect();
    for (answer, md5) in answers.into_iter().zip(md5_of_each(&bytes)) {
        // Sending fails if the caller has given up meanwhile.
        let _ = answer.send(md5);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::{join_all, poll_immediate};
    use md5::{Digest, Md5};

    fn body(number: u32) -> Bytes {
        number.to_be_bytes().repeat(1000 + number as usize).into()
    }

    fn expected(number: u32) -> [u8; 16] {
        Md5::digest(body(number)).into()
    }

    #[tokio::test]
    async fn each_caller_gets_the_md5_of_its_own_body() {
        let found = join_all((0..100).map(|number| md5(body(number)))).await;
        assert_eq!(found, (0..100).map(expected).collect::<Vec<_>>());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn tasks_of_many_threads_get_the_md5_of_their_own_bodies() {
        let tasks = (0..400).map(|number| {
            tokio::spawn(async move {
                assert_eq!(md5(body(number)).await, expected(number));
            })
        });
        for done in join_all(tasks).await {
            done.unwrap();
        }
    }

    #[tokio::test]
    async fn a_failed_batch_does_not_affect_other_callers() {
        let (one, other) = (body(1), body(2));
        let mut hashed = Box::pin(md5(one));
        assert!(poll_immediate(&mut hashed).await.is_none());
        drop(std::mem::take(&mut *waiting()));
        assert_eq!(hashed.await, expected(1));
        assert_eq!(md5(other).await, expected(2));
    }

    #[tokio::test]
    async fn a_caller_that_gives_up_delays_no_other_and_leaves_no_bytes() {
        let given_up = body(1);
        assert!(poll_immediate(md5(given_up.clone())).await.is_none());
        assert!(given_up.is_unique(), "its bytes are kept");
        assert_eq!(md5(body(2)).await, expected(2));
    }
}
