//! The writer: the one thread that makes all changes.
//!
//! Changes that arrive while a group is on its way to the disk make up the next group. A group is planned against the
//! index, written to the log and synced ([`Log::append`]); then, while the next group is already being synced, it is
//! applied to the index in one transaction, and only then do its callers get their results. A failed sync, or a record of
//! the log that cannot be applied to the index, is final: nothing is written after it until a restart.

use crate::faults;
use crate::store::dir::Dir;
use crate::store::error::{StoreError, unavailable};
use crate::store::journal::indexer::Logged;
use crate::store::journal::locks::{LockSet, RowLock};
use crate::store::journal::log::{AppendError, Log, Written};
use crate::store::journal::pinned::{KeptBytes, PinnedBytes};
use crate::store::journal::planner::{Plan, Planner};
use crate::store::journal::queue::Queue;
use crate::store::journal::request::{Answer, Request, answer};
use crate::store::journal::state::{FailWhenUnwinding, State};
use crate::store::record::segments::End;
use crate::store::record::{Draft, Record};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

/// A change that was planned and is to be written.
struct Planned {
    draft: Draft,
    bytes: PinnedBytes,
    locks: Vec<RowLock>,
    answer: Answer,
}

impl Planned {
    /// Whether the change adds bytes, for which a full disk has no room. Other changes are tried with the space of the
    /// reserve.
    fn brings_bytes(&self) -> bool {
        !self.draft.body.bytes.is_empty() || !matches!(self.bytes, PinnedBytes::Nothing)
    }
}

pub(in crate::store) struct Writer {
    pub(in crate::store) requests: mpsc::Receiver<Request>,
    pub(in crate::store) log: Log,
    pub(in crate::store) planner: Planner,
    /// The folder of blobs, opened once: running out of file descriptors must not look like a failed sync.
    pub(in crate::store) blobs: Dir,
    pub(in crate::store) state: Arc<State>,
    pub(in crate::store) indexer: mpsc::Sender<(Vec<Logged>, End)>,
    pub(in crate::store) released: mpsc::UnboundedReceiver<Vec<RowLock>>,
}

impl Writer {
    /// Runs until every sender of requests is dropped, on a thread of its own, which blocks while it writes and syncs.
    /// The receiver gets a value when the writer has ended, and an error if it was stopped by a panic.
    pub(in crate::store) fn start(self) -> std::io::Result<oneshot::Receiver<()>> {
        let (ended, end) = oneshot::channel();
        let runtime = Handle::current();
        std::thread::Builder::new()
            .name("hangar-writer".to_owned())
            .spawn(move || {
                runtime.block_on(self.run());
                // Sending fails if the store was dropped and does not wait.
                let _ = ended.send(());
            })?;
        Ok(end)
    }

    async fn run(mut self) {
        let _unwinding = FailWhenUnwinding(self.state.clone());
        let mut pending = Queue::default();
        let mut held = LockSet::default();
        let mut closed = false;
        loop {
            while pending.has_place()
                && let Ok(request) = self.requests.try_recv()
            {
                push(&mut pending, request);
            }
            while let Ok(locks) = self.released.try_recv() {
                held.release(&locks);
            }
            if let Some(failure) = self.state.failure() {
                for request in pending.drain() {
                    answer(
                        request.answer,
                        Err(StoreError::Unavailable(failure.clone().into())),
                    );
                }
            }
            let group = pending.take_group(&mut held);
            if !group.is_empty() {
                let postponed = self.carry_out(group, &mut held).await;
                pending.push_front(postponed);
                continue;
            }
            if closed && pending.is_empty() {
                return;
            }
            tokio::select! {
                request = self.requests.recv(), if !closed && pending.has_place() => match request {
                    Some(request) => push(&mut pending, request),
                    None => closed = true,
                },
                Some(locks) = self.released.recv() => held.release(&locks),
                // The indexer has ended, so the locks that the other changes wait for are never released.
                else => return,
            }
        }
    }

    /// Plans a group and writes it. Returns the requests that must wait for locked rows.
    async fn carry_out(&mut self, group: Vec<Request>, held: &mut LockSet) -> Vec<Request> {
        let mut planned = Vec::with_capacity(group.len());
        let mut postponed = Vec::new();
        for mut request in group {
            let effect = match self.planner.hook_effect(&request.work).await {
                Ok(effect) => effect,
                Err(error) => {
                    held.release(&request.locks);
                    answer(request.answer, Err(error));
                    continue;
                }
            };
            let mut further: Vec<RowLock> = RowLock::of_effect(effect.as_ref()).collect();
            further.retain(|lock| !request.locks.iter().any(|held| held.is(lock)));
            let is_free = held.admits(&further);
            if is_free {
                held.hold(&further);
            } else {
                held.release(&request.locks);
            }
            request.locks.append(&mut further);
            if !is_free {
                // The hook is called again once those rows are free.
                postponed.push(request);
                continue;
            }
            match self.planner.plan(request.work, effect).await {
                Ok(Plan::Record(draft, bytes)) => {
                    let (locks, answer) = (request.locks, request.answer);
                    planned.push(Planned {
                        draft: *draft,
                        bytes,
                        locks,
                        answer,
                    });
                }
                Ok(Plan::Nothing) => {
                    held.release(&request.locks);
                    answer(request.answer, Ok(None));
                }
                Err(error) => {
                    held.release(&request.locks);
                    answer(request.answer, Err(error));
                }
            }
        }
        if !planned.is_empty()
            && let Err((planned, error)) = self.write(planned).await
        {
            self.write_one_by_one(planned, error, held).await;
        }
        postponed
    }

    /// Writes the changes of a group that could not be written whole one by one, so that those that fit are kept. On a
    /// full disk these are the changes that add no bytes: they get the space of the reserve.
    async fn write_one_by_one(
        &mut self,
        planned: Vec<Planned>,
        error: StoreError,
        held: &mut LockSet,
    ) {
        let alone = planned.len() == 1;
        let is_full = matches!(error, StoreError::Full);
        if is_full {
            self.state.space.let_go();
        }
        for planned in planned {
            let cannot_succeed = if is_full {
                planned.brings_bytes()
            } else {
                alone
            };
            let result = if cannot_succeed || self.state.failure().is_some() {
                Err((vec![planned], error.clone()))
            } else {
                self.write(vec![planned]).await
            };
            if let Err((planned, error)) = result {
                for planned in planned {
                    held.release(&planned.locks);
                    answer(planned.answer, Err(error.clone()));
                }
            }
        }
    }

    /// Writes a group to the log, syncs it, and passes it to the indexer.
    async fn write(&mut self, planned: Vec<Planned>) -> Result<(), (Vec<Planned>, StoreError)> {
        let mut drafts = Vec::with_capacity(planned.len());
        let mut rest = Vec::with_capacity(planned.len());
        let mut has_blob = false;
        for Planned {
            draft,
            bytes,
            locks,
            answer,
        } in planned
        {
            has_blob |= matches!(bytes, PinnedBytes::Blob(_));
            drafts.push(draft);
            rest.push((bytes, locks, answer));
        }
        let written = match self.append(&drafts, has_blob) {
            Ok(written) => written,
            Err(error) => {
                let source = match error {
                    AppendError::Refused(source) => source,
                    AppendError::Final(source) => {
                        self.state
                            .fail(&format!("the log could not be synced: {source}"));
                        // Their records may be on disk: the next start decides.
                        for (bytes, ..) in &mut rest {
                            let bytes = std::mem::replace(bytes, PinnedBytes::Nothing);
                            drop(KeptBytes::of(bytes));
                        }
                        source
                    }
                };
                let planned = drafts.into_iter().zip(rest);
                let planned = planned.map(|(draft, (bytes, locks, answer))| Planned {
                    draft,
                    bytes,
                    locks,
                    answer,
                });
                return Err((planned.collect(), unavailable(&source)));
            }
        };
        let mut logged = Vec::with_capacity(written.len());
        for ((draft, written), (bytes, locks, answer)) in drafts.into_iter().zip(written).zip(rest)
        {
            let record = record(draft, written);
            logged.push(Logged {
                record,
                bytes: KeptBytes::of(bytes),
                locks,
                answer,
            });
        }
        if self.indexer.send((logged, self.log.end())).await.is_err() {
            self.state
                .fail("the index stopped taking what the log holds");
        }
        Ok(())
    }

    fn append(&mut self, drafts: &[Draft], has_blob: bool) -> Result<Vec<Written>, AppendError> {
        if has_blob {
            // The names of blobs are synced first: a record never names a file that a power cut could remove.
            let named = faults::call("blobs-sync").and_then(|()| self.blobs.sync());
            named.map_err(AppendError::Final)?;
        }
        faults::step("blobs-named");
        self.log.append(drafts)
    }
}

/// Queues a change, or refuses it if too many changes of one of its rows are waiting.
fn push(pending: &mut Queue, request: Request) {
    if let Some(refused) = pending.push(request) {
        let why = "too many changes of one key, or row, are waiting";
        answer(refused.answer, Err(StoreError::Unavailable(why.into())));
    }
}

fn record(draft: Draft, written: Written) -> Record {
    Record {
        sequence: written.sequence,
        at: draft.at,
        change: draft.change,
        effect: draft.effect,
        segment: written.segment,
        body_offset: written.body_offset,
    }
}
