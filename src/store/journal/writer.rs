//! The writer: the one thread through which everything changes.
//!
//! Changes that arrive while a group is on its way to the disk make up the next group. A group is judged against the
//! index, written to the log and synced ([`Log::append`]); then, while the next group is already being synced, it is
//! applied to the index in one transaction, and only then are its callers answered. A failed sync, or an index that
//! cannot take what the log holds, is final: nothing is written after it until a restart.

use crate::clock::Timestamp;
use crate::db::{self, Checkpoints, Leaves};
use crate::faults;
use crate::store::bodies::blobs::UnderWay;
use crate::store::content::Content;
use crate::store::dir::Dir;
use crate::store::effect::EffectKind;
use crate::store::error::{StoreError, unavailable};
use crate::store::index;
use crate::store::journal::locks::{Held, Name};
use crate::store::journal::log::{AppendError, Log, Written};
use crate::store::journal::planner::{self, Judging, Verdict, Work};
use crate::store::journal::queue::Queue;
use crate::store::journal::state::State;
use crate::store::record::segments::End;
use crate::store::record::{Draft, LogId, Record};
use sqlx::SqliteConnection;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

/// What stands in the log of a change.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Recorded {
    pub(in crate::store) sequence: u64,
    pub(in crate::store) at: Timestamp,
}

/// `None`: there was nothing to record.
pub(in crate::store) type Answer = oneshot::Sender<Result<Option<Recorded>, StoreError>>;

pub(in crate::store) struct Request {
    pub(in crate::store) names: Vec<Name>,
    pub(in crate::store) work: Work,
    pub(in crate::store) answer: Answer,
}

/// A change that was judged and is to be written.
struct Judged {
    draft: Draft,
    bytes: planner::Held,
    names: Vec<Name>,
    answer: Answer,
}

/// A change that is on disk and not in the index yet.
struct Logged {
    record: Record,
    /// Until the index names them.
    bytes: Kept,
    names: Vec<Name>,
    answer: Answer,
}

/// Bytes that stay on disk for as long as this is held, whatever the index says.
enum Kept {
    Nothing,
    Blob(#[expect(dead_code, reason = "held until dropped")] UnderWay),
    Source(#[expect(dead_code, reason = "held until dropped")] Arc<Content>),
}

impl Kept {
    fn of(bytes: planner::Held) -> Self {
        match bytes {
            planner::Held::Nothing => Self::Nothing,
            planner::Held::Blob(blob) => blob.keep().map_or(Self::Nothing, Self::Blob),
            planner::Held::Source(source) => Self::Source(source),
        }
    }
}

impl Judged {
    /// What a full disk has no room for; anything else is tried with the room of the reserve.
    fn brings_bytes(&self) -> bool {
        !self.draft.body.bytes.is_empty() || !matches!(self.bytes, planner::Held::Nothing)
    }
}

pub(in crate::store) struct Writer {
    pub(in crate::store) requests: mpsc::Receiver<Request>,
    pub(in crate::store) log: Log,
    pub(in crate::store) judging: Judging,
    /// The folder of blobs, opened once: running out of files must not look like a failed sync.
    pub(in crate::store) blobs: Dir,
    pub(in crate::store) state: Arc<State>,
    pub(in crate::store) indexer: mpsc::Sender<(Vec<LoggedGroup>, End)>,
    pub(in crate::store) released: mpsc::UnboundedReceiver<Vec<Name>>,
}

/// Opaque outside: what the writer hands to the [`Indexer`].
pub(in crate::store) struct LoggedGroup(Logged);

impl Writer {
    /// Runs until every sender of requests is gone, on a thread of its own: it writes and syncs where it stands. Answers
    /// when it has ended; an error where it was cut short.
    pub(in crate::store) fn start(self) -> std::io::Result<oneshot::Receiver<()>> {
        let (ended, end) = oneshot::channel();
        let runtime = Handle::current();
        std::thread::Builder::new()
            .name("hangar-writer".to_owned())
            .spawn(move || {
                runtime.block_on(self.run());
                // Whoever dropped the store does not wait for it.
                let _ = ended.send(());
            })?;
        Ok(end)
    }

    async fn run(mut self) {
        let _unwinding = FailWhenUnwinding(self.state.clone());
        let mut pending = Queue::default();
        let mut held = Held::default();
        let mut closed = false;
        loop {
            while pending.has_place()
                && let Ok(request) = self.requests.try_recv()
            {
                line_up(&mut pending, request);
            }
            while let Ok(names) = self.released.try_recv() {
                held.release(&names);
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
                pending.put_first(postponed);
                continue;
            }
            if closed && pending.is_empty() {
                return;
            }
            tokio::select! {
                request = self.requests.recv(), if !closed && pending.has_place() => match request {
                    Some(request) => line_up(&mut pending, request),
                    None => closed = true,
                },
                Some(names) = self.released.recv() => held.release(&names),
                // The indexer is gone, and with it who could release what the rest waits for.
                else => return,
            }
        }
    }

    /// Answers what is to wait for rows that are under way.
    async fn carry_out(&mut self, group: Vec<Request>, held: &mut Held) -> Vec<Request> {
        let mut judged = Vec::with_capacity(group.len());
        let mut postponed = Vec::new();
        for mut request in group {
            match self.judging.accompany(&mut request.work).await {
                Ok(mut found) => {
                    found.retain(|found| !request.names.iter().any(|name| name.is(found)));
                    let is_free = held.admits(&found);
                    if is_free {
                        held.hold(&found);
                    } else {
                        held.release(&request.names);
                    }
                    request.names.append(&mut found);
                    if !is_free {
                        Judging::forget_companion(&mut request.work);
                        postponed.push(request);
                        continue;
                    }
                }
                Err(error) => {
                    held.release(&request.names);
                    answer(request.answer, Err(error));
                    continue;
                }
            }
            match self.judging.judge(request.work).await {
                Ok(Verdict::Record(draft, bytes)) => {
                    let (names, answer) = (request.names, request.answer);
                    judged.push(Judged {
                        draft: *draft,
                        bytes,
                        names,
                        answer,
                    });
                }
                Ok(Verdict::Nothing) => {
                    held.release(&request.names);
                    answer(request.answer, Ok(None));
                }
                Err(error) => {
                    held.release(&request.names);
                    answer(request.answer, Err(error));
                }
            }
        }
        if !judged.is_empty()
            && let Err((judged, error)) = self.write(judged).await
        {
            self.write_one_by_one(judged, error, held).await;
        }
        postponed
    }

    /// A group that cannot be written whole is tried one by one, so that what fits is kept. On a full disk that is what
    /// brings no bytes: it gets the reserve's room.
    async fn write_one_by_one(&mut self, judged: Vec<Judged>, error: StoreError, held: &mut Held) {
        let alone = judged.len() == 1;
        let is_full = matches!(error, StoreError::Full);
        if is_full {
            self.state.space.let_go();
        }
        for judged in judged {
            let is_in_vain = if is_full {
                judged.brings_bytes()
            } else {
                alone
            };
            let result = if is_in_vain || self.state.failure().is_some() {
                Err((vec![judged], error.clone()))
            } else {
                self.write(vec![judged]).await
            };
            if let Err((judged, error)) = result {
                for judged in judged {
                    held.release(&judged.names);
                    answer(judged.answer, Err(error.clone()));
                }
            }
        }
    }

    /// Writes a group to the log, syncs it and hands it on.
    async fn write(&mut self, judged: Vec<Judged>) -> Result<(), (Vec<Judged>, StoreError)> {
        let mut drafts = Vec::with_capacity(judged.len());
        let mut rest = Vec::with_capacity(judged.len());
        let mut has_blob = false;
        for Judged {
            draft,
            bytes,
            names,
            answer,
        } in judged
        {
            has_blob |= matches!(bytes, planner::Held::Blob(_));
            drafts.push(draft);
            rest.push((bytes, names, answer));
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
                            let bytes = std::mem::replace(bytes, planner::Held::Nothing);
                            drop(Kept::of(bytes));
                        }
                        source
                    }
                };
                let judged = drafts.into_iter().zip(rest);
                let judged = judged.map(|(draft, (bytes, names, answer))| Judged {
                    draft,
                    bytes,
                    names,
                    answer,
                });
                return Err((judged.collect(), unavailable(&source)));
            }
        };
        let mut logged = Vec::with_capacity(written.len());
        for ((draft, written), (bytes, names, answer)) in drafts.into_iter().zip(written).zip(rest)
        {
            let record = record(draft, written);
            logged.push(LoggedGroup(Logged {
                record,
                bytes: Kept::of(bytes),
                names,
                answer,
            }));
        }
        if self.indexer.send((logged, self.log.end())).await.is_err() {
            self.state
                .fail("the index stopped taking what the log holds");
        }
        Ok(())
    }

    fn append(&mut self, drafts: &[Draft], has_blob: bool) -> Result<Vec<Written>, AppendError> {
        if has_blob {
            // Names of blobs first: a record never names a file that a power cut could take.
            let named = faults::call("blobs-sync").and_then(|()| self.blobs.sync());
            named.map_err(AppendError::Final)?;
        }
        faults::step("blobs-named");
        self.log.append(drafts)
    }
}

/// A panic must not leave a server that looks ready and writes nothing.
struct FailWhenUnwinding(Arc<State>);

impl Drop for FailWhenUnwinding {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail("the writer met a fault of its own");
        }
    }
}

/// Has a change wait its turn, or refuses it.
fn line_up(pending: &mut Queue, request: Request) {
    if let Some(refused) = pending.line_up(request) {
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

fn answer(to: Answer, result: Result<Option<Recorded>, StoreError>) {
    // A caller that went away does not need to know.
    drop(to.send(result));
}

/// Applies what is on disk to the index, and answers.
pub(in crate::store) struct Indexer {
    pub(in crate::store) groups: mpsc::Receiver<(Vec<LoggedGroup>, End)>,
    pub(in crate::store) index: SqliteConnection,
    pub(in crate::store) effects: Arc<[EffectKind]>,
    pub(in crate::store) log: LogId,
    /// The last sequence that the index holds.
    pub(in crate::store) committed: u64,
    pub(in crate::store) state: Arc<State>,
    pub(in crate::store) checkpoints: Arc<tokio::sync::Mutex<Checkpoints>>,
    pub(in crate::store) released: mpsc::UnboundedSender<Vec<Name>>,
}

impl Indexer {
    /// Runs until the writer is gone; answers the connection for the clean stop.
    pub(in crate::store) async fn run(mut self) -> SqliteConnection {
        let _unwinding = FailWhenUnwinding(self.state.clone());
        while let Some((group, end)) = self.groups.recv().await {
            let (records, callers): (Vec<Record>, Vec<_>) = group
                .into_iter()
                .map(
                    |LoggedGroup(Logged {
                         record,
                         bytes,
                         names,
                         answer,
                     })| { (record, (bytes, names, answer)) },
                )
                .unzip();
            let failure = match self.state.failure() {
                Some(failure) => Some(failure),
                None => self.apply(&records, end).await,
            };
            faults::step("index-committed");
            if failure.is_none() {
                for record in &records {
                    self.state.follow(record);
                }
                for (_, names, _) in &callers {
                    self.state
                        .caches
                        .versions
                        .have_changed(Name::changing(names));
                }
            }
            for (record, (bytes, names, caller)) in records.iter().zip(callers) {
                drop(bytes);
                drop(self.released.send(names));
                let recorded = Recorded {
                    sequence: record.sequence,
                    at: record.at,
                };
                match &failure {
                    None => {
                        answer(caller, Ok(Some(recorded)));
                        faults::step("answered");
                    }
                    Some(failure) => {
                        answer(caller, Err(StoreError::Unavailable(failure.clone().into())));
                    }
                }
            }
            if failure.is_none() {
                let mut checkpoints = self.checkpoints.lock().await;
                (checkpoints.after_commit(&mut self.index, end.sequence)).await;
            }
        }
        self.index
    }

    /// Moves what the journal holds into the database, so that its room is free again: as much as readers allow.
    async fn empty_journal(&mut self) {
        let mut checkpoints = self.checkpoints.lock().await;
        let emptied = checkpoints.checkpoint(&mut self.index, self.committed, Leaves::Nothing);
        if let Err(error) = emptied.await {
            tracing::debug!(%error, "the journal of the database stays as long as it is");
        }
    }

    async fn try_apply(&mut self, records: &[Record], end: End) -> Result<(), sqlx::Error> {
        index::apply(&mut self.index, records, &self.effects, self.log, end).await
    }

    async fn apply(&mut self, records: &[Record], end: End) -> Option<String> {
        let mut applied = self.try_apply(records, end).await;
        if applied.as_ref().is_err_and(db::is_full) {
            self.state.space.let_go();
            self.empty_journal().await;
            applied = self.try_apply(records, end).await;
        }
        if self.state.space.is_without_reserve() {
            // Else each delete would add to the journal until that is long.
            self.empty_journal().await;
        }
        match applied {
            Ok(()) => {
                self.committed = end.sequence;
                None
            }
            Err(error) if db::is_damage(&error) => {
                let damage = &self.state.index_damage;
                damage.report(&format!("it could not take what the log holds: {error}"));
                damage.failure()
            }
            Err(error) => {
                let failure = format!("the index could not take what the log holds: {error}");
                self.state.fail(&failure);
                Some(failure)
            }
        }
    }
}
