//! The writer: the one task through which everything changes.
//!
//! Changes that arrive while a group is on its way to the disk make up the next group. A group is judged against the
//! index, written to the log and synced ([`Log::append`]); then, while the next group is already being synced, it is
//! applied to the index in one transaction, and only then are its callers answered. A failed sync, or an index that
//! cannot take what the log holds, is final: nothing is written after it until a restart.

use super::blobs::NewBlob;
use super::log::{AppendError, End, Log, Written};
use super::meta;
use super::names::{Held, Name};
use super::record::{BodyPlace, Change, Draft, LogId, Put, Record};
use super::staging::{Permits, Sealed, SealedBody};
use super::{
    Bucket, BucketCreation, Committed, Deletion, Effect, EffectKind, State, StoreError, Target,
    unavailable,
};
use crate::clock::Clock;
use crate::s3::conditional::WritePrecondition;
use crate::s3::{BucketName, ObjectKey};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use sqlx::SqliteConnection;
use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Changes that wait to be taken; past it their callers wait.
pub(super) const QUEUE: usize = 1024;
const GROUP_CHANGES: usize = 256;
const GROUP_BYTES: usize = 8 << 20;

/// Looks at rows and says what to record, keeping the caller's answer for itself; `Err`: it refused.
pub(super) type Judge = Box<
    dyn for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<Option<Effect>, Refused>>
        + Send,
>;

/// The judge has told its caller why.
pub(super) struct Refused;

pub(super) enum Work {
    Put(Box<NewBytes>),
    Delete {
        bucket: BucketName,
        key: ObjectKey,
        precondition: WritePrecondition,
    },
    CreateBucket(BucketName),
    Judge(Judge),
    /// Needs no judging: a new row under a new id.
    New(Effect),
}

/// Sealed bytes for a key.
pub(super) struct NewBytes {
    pub(super) target: Target,
    pub(super) sealed: Sealed,
    pub(super) precondition: WritePrecondition,
    pub(super) effect: Option<Effect>,
}

/// What became of a change.
#[derive(Debug)]
pub(super) enum Outcome {
    Committed(Committed),
    Deleted(Deletion),
    Bucket(BucketCreation),
    Recorded,
    /// The judge refused, or had nothing to record.
    Nothing,
}

pub(super) type Answer = oneshot::Sender<Result<Outcome, StoreError>>;

pub(super) struct Request {
    pub(super) names: Vec<Name>,
    pub(super) work: Work,
    pub(super) answer: Answer,
}

/// A change that was judged and is to be written.
struct Judged {
    draft: Draft,
    blob: Option<NewBlob>,
    outcome: Outcome,
    names: Vec<Name>,
    answer: Answer,
}

/// A change that is on disk and not in the index yet.
struct Logged {
    record: Record,
    outcome: Outcome,
    names: Vec<Name>,
    answer: Answer,
}

pub(super) struct Writer {
    pub(super) requests: mpsc::Receiver<Request>,
    /// Away while a group is being written.
    pub(super) log: Option<Log>,
    pub(super) end: End,
    /// Only reads.
    pub(super) judging: SqliteConnection,
    /// The folder of blobs, opened once: running out of files must not look like a failed sync.
    pub(super) blobs: Arc<File>,
    pub(super) state: Arc<State>,
    pub(super) clock: Clock,
    pub(super) indexer: mpsc::Sender<(Vec<LoggedGroup>, End)>,
    pub(super) released: mpsc::UnboundedReceiver<Vec<Name>>,
}

/// Opaque outside: what the writer hands to the [`Indexer`].
pub(super) struct LoggedGroup(Logged);

impl Writer {
    /// Runs until every sender of requests is gone.
    pub(super) async fn run(mut self) {
        let _unwinding = FailWhenUnwinding(self.state.clone());
        let mut pending = VecDeque::new();
        let mut held = Held::default();
        let mut closed = false;
        loop {
            while pending.len() < QUEUE
                && let Ok(request) = self.requests.try_recv()
            {
                pending.push_back(request);
            }
            while let Ok(names) = self.released.try_recv() {
                held.release(&names);
            }
            if let Some(failure) = self.state.failure() {
                for request in pending.drain(..) {
                    answer(
                        request.answer,
                        Err(StoreError::Unavailable(failure.clone())),
                    );
                }
            }
            let group = admit(&mut pending, &mut held);
            if !group.is_empty() {
                self.carry_out(group, &mut held).await;
                continue;
            }
            if closed && pending.is_empty() {
                return;
            }
            tokio::select! {
                request = self.requests.recv(), if !closed && pending.len() < QUEUE => match request {
                    Some(request) => pending.push_back(request),
                    None => closed = true,
                },
                Some(names) = self.released.recv() => held.release(&names),
            }
        }
    }

    async fn carry_out(&mut self, group: Vec<Request>, held: &mut Held) {
        let mut judged = Vec::with_capacity(group.len());
        for request in group {
            match self.judge(request.work).await {
                Ok(Verdict::Record(draft, blob, outcome)) => {
                    let (names, answer) = (request.names, request.answer);
                    judged.push(Judged {
                        draft: *draft,
                        blob,
                        outcome,
                        names,
                        answer,
                    });
                }
                Ok(Verdict::Nothing(outcome)) => {
                    held.release(&request.names);
                    answer(request.answer, Ok(outcome));
                }
                Err(error) => {
                    held.release(&request.names);
                    answer(request.answer, Err(error));
                }
            }
        }
        if judged.is_empty() {
            return;
        }
        if let Err((judged, error)) = self.write(judged).await {
            self.write_one_by_one(judged, error, held).await;
        }
    }

    /// A group that cannot be written whole is tried one by one, so that what fits is kept.
    async fn write_one_by_one(&mut self, judged: Vec<Judged>, error: StoreError, held: &mut Held) {
        let alone = judged.len() == 1;
        for judged in judged {
            let result = if alone || self.state.failure().is_some() {
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
            blob,
            outcome,
            names,
            answer,
        } in judged
        {
            has_blob |= blob.is_some();
            drafts.push(draft);
            rest.push((blob, outcome, names, answer));
        }
        let blobs = has_blob.then(|| self.blobs.clone());
        let (drafts, result) = self.append(drafts, blobs).await;
        let written = match result {
            Ok(written) => written,
            Err(error) => {
                let source = match error {
                    AppendError::Refused(source) => source,
                    AppendError::Final(source) => {
                        self.state
                            .fail(&format!("the log could not be synced: {source}"));
                        // Their records may be on disk: the next start decides.
                        for (blob, ..) in &mut rest {
                            if let Some(blob) = blob.take() {
                                blob.keep();
                            }
                        }
                        source
                    }
                };
                let judged = drafts.into_iter().zip(rest);
                let judged = judged.map(|(draft, (blob, outcome, names, answer))| Judged {
                    draft,
                    blob,
                    outcome,
                    names,
                    answer,
                });
                return Err((judged.collect(), unavailable(&source)));
            }
        };
        let mut logged = Vec::with_capacity(written.len());
        for ((draft, written), (blob, mut outcome, names, answer)) in
            drafts.into_iter().zip(written).zip(rest)
        {
            if let Some(blob) = blob {
                blob.keep();
            }
            if let Outcome::Committed(committed) = &mut outcome {
                committed.sequence = written.sequence;
            }
            let record = record(draft, written);
            logged.push(LoggedGroup(Logged {
                record,
                outcome,
                names,
                answer,
            }));
        }
        if self.indexer.send((logged, self.end)).await.is_err() {
            self.state
                .fail("the index stopped taking what the log holds");
        }
        Ok(())
    }

    async fn append(
        &mut self,
        drafts: Vec<Draft>,
        blobs: Option<Arc<File>>,
    ) -> (Vec<Draft>, Result<Vec<Written>, AppendError>) {
        let Some(mut log) = self.log.take() else {
            let lost = std::io::Error::other("the log's writer stopped");
            return (drafts, Err(AppendError::Final(lost)));
        };
        let work = move || {
            // Names of blobs first: a record never names a file that a power cut could take.
            let named = blobs.map_or(Ok(()), |blobs| blobs.sync_all());
            let named = named.map_err(AppendError::Final);
            let result = named.and_then(|()| log.append(&drafts));
            (log, drafts, result)
        };
        match tokio::task::spawn_blocking(work).await {
            Ok((log, drafts, result)) => {
                self.end = log.end();
                self.log = Some(log);
                (drafts, result)
            }
            Err(error) => (
                Vec::new(),
                Err(AppendError::Final(std::io::Error::other(error))),
            ),
        }
    }

    async fn judge(&mut self, work: Work) -> Result<Verdict, StoreError> {
        match work {
            Work::Put(new) => {
                let NewBytes {
                    target,
                    sealed,
                    precondition,
                    effect,
                } = *new;
                if !self.state.has_bucket(&target.bucket) {
                    return Err(StoreError::NoSuchBucket);
                }
                self.require(&target.bucket, &target.key, &precondition)
                    .await?;
                Ok(self.put(target, sealed, effect))
            }
            Work::Delete {
                bucket,
                key,
                precondition,
            } => {
                if !self.state.has_bucket(&bucket) {
                    return Err(StoreError::NoSuchBucket);
                }
                let current = self.etag(&bucket, &key).await?;
                if !precondition.holds(current.as_ref()) {
                    return Err(StoreError::PreconditionFailed);
                }
                if current.is_none() {
                    return Ok(Verdict::Nothing(Outcome::Deleted(Deletion::WasAbsent)));
                }
                let change = Change::Delete { bucket, key };
                Ok(self.record(change, None, Outcome::Deleted(Deletion::Deleted)))
            }
            Work::CreateBucket(bucket) => {
                if self.state.has_bucket(&bucket) {
                    return Ok(Verdict::Nothing(Outcome::Bucket(
                        BucketCreation::AlreadyThere,
                    )));
                }
                let change = Change::BucketCreated { bucket };
                Ok(self.record(change, None, Outcome::Bucket(BucketCreation::Created)))
            }
            Work::Judge(judge) => match judge(&mut self.judging).await {
                Ok(Some(effect)) => {
                    Ok(self.record(Change::Domain, Some(effect), Outcome::Recorded))
                }
                Ok(None) | Err(Refused) => Ok(Verdict::Nothing(Outcome::Nothing)),
            },
            Work::New(effect) => Ok(self.record(Change::Domain, Some(effect), Outcome::Recorded)),
        }
    }

    async fn require(
        &mut self,
        bucket: &BucketName,
        key: &ObjectKey,
        precondition: &WritePrecondition,
    ) -> Result<(), StoreError> {
        if *precondition == WritePrecondition::None {
            return Ok(());
        }
        let current = self.etag(bucket, key).await?;
        if precondition.holds(current.as_ref()) {
            Ok(())
        } else {
            Err(StoreError::PreconditionFailed)
        }
    }

    async fn etag(
        &mut self,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> Result<Option<crate::s3::ETag>, StoreError> {
        meta::etag(&mut self.judging, bucket, key)
            .await
            .map_err(StoreError::from)
    }

    fn put(&self, target: Target, sealed: Sealed, effect: Option<Effect>) -> Verdict {
        let Target { bucket, key, meta } = target;
        let etag = sealed.etag();
        let Sealed { digests, body, .. } = sealed;
        let (place, bytes, blob) = match body {
            SealedBody::Memory { bytes, .. } if bytes.is_empty() => {
                (BodyPlace::Empty, Bytes::new(), None)
            }
            SealedBody::Memory { bytes, permits } => (
                BodyPlace::Here,
                Bytes::from_owner(HeldBody(bytes, permits)),
                None,
            ),
            SealedBody::Blob(blob) => (
                BodyPlace::Blob {
                    id: blob.id().to_owned(),
                },
                Bytes::new(),
                Some(blob),
            ),
        };
        let at = self.clock.now();
        let put = Put {
            bucket,
            key,
            etag: etag.clone(),
            size_bytes: digests.size_bytes,
            md5: hex::encode(digests.md5),
            block_crcs: meta::crcs_to_hex(&digests.block_crcs),
            body: place,
            meta,
        };
        let draft = Draft {
            at,
            change: Change::Put(Box::new(put)),
            effect,
            body: bytes,
        };
        let committed = Committed {
            etag,
            last_modified: at,
            sequence: 0,
        };
        Verdict::Record(Box::new(draft), blob, Outcome::Committed(committed))
    }

    fn record(&self, change: Change, effect: Option<Effect>, outcome: Outcome) -> Verdict {
        let draft = Draft {
            at: self.clock.now(),
            change,
            effect,
            body: Bytes::new(),
        };
        Verdict::Record(Box::new(draft), None, outcome)
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

/// A body in memory together with its share of the memory, which it gives back when the body is written.
struct HeldBody(
    Bytes,
    #[expect(dead_code, reason = "held until dropped")] Permits,
);

impl AsRef<[u8]> for HeldBody {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

enum Verdict {
    Record(Box<Draft>, Option<NewBlob>, Outcome),
    Nothing(Outcome),
}

/// Takes from what waits, in order of arrival, what meets no name under way and none of what waits before it.
fn admit(pending: &mut VecDeque<Request>, held: &mut Held) -> Vec<Request> {
    let mut group = Vec::new();
    let mut bytes = 0;
    let mut blocked = Held::default();
    let mut waiting = VecDeque::new();
    while let Some(request) = pending.pop_front() {
        let full = group.len() >= GROUP_CHANGES || bytes >= GROUP_BYTES;
        if full {
            waiting.push_back(request);
            break;
        }
        if blocked.admits(&request.names) && held.admits(&request.names) {
            held.hold(&request.names);
            bytes += match &request.work {
                Work::Put(new) => new.sealed.memory_bytes(),
                _ => 0,
            };
            group.push(request);
        } else {
            blocked.hold(&request.names);
            waiting.push_back(request);
        }
    }
    waiting.append(pending);
    *pending = waiting;
    group
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

fn answer(to: Answer, result: Result<Outcome, StoreError>) {
    // A caller that went away does not need to know.
    drop(to.send(result));
}

/// Applies what is on disk to the index, and answers.
pub(super) struct Indexer {
    pub(super) groups: mpsc::Receiver<(Vec<LoggedGroup>, End)>,
    pub(super) index: SqliteConnection,
    pub(super) effects: Arc<[EffectKind]>,
    pub(super) log: LogId,
    pub(super) state: Arc<State>,
    pub(super) released: mpsc::UnboundedSender<Vec<Name>>,
}

impl Indexer {
    /// Runs until the writer is gone; answers the connection for the clean stop.
    pub(super) async fn run(mut self) -> SqliteConnection {
        let _unwinding = FailWhenUnwinding(self.state.clone());
        while let Some((group, end)) = self.groups.recv().await {
            let (records, callers): (Vec<Record>, Vec<_>) = group
                .into_iter()
                .map(
                    |LoggedGroup(Logged {
                         record,
                         outcome,
                         names,
                         answer,
                     })| { (record, (outcome, names, answer)) },
                )
                .unzip();
            let failure = match self.state.failure() {
                Some(failure) => Some(failure),
                None => self.apply(&records, end).await,
            };
            if failure.is_none() {
                for record in &records {
                    if let Change::BucketCreated { bucket } = &record.change {
                        let bucket = Bucket {
                            name: bucket.clone(),
                            created_at: record.at,
                            settings: Arc::default(),
                        };
                        self.state.add_bucket(bucket);
                    }
                }
            }
            for (outcome, names, caller) in callers {
                drop(self.released.send(names));
                match &failure {
                    None => answer(caller, Ok(outcome)),
                    Some(failure) => answer(caller, Err(StoreError::Unavailable(failure.clone()))),
                }
            }
        }
        self.index
    }

    async fn apply(&mut self, records: &[Record], end: End) -> Option<String> {
        match meta::apply(&mut self.index, records, &self.effects, self.log, end).await {
            Ok(()) => None,
            Err(error) => {
                let failure = format!("the index could not take what the log holds: {error}");
                self.state.fail(&failure);
                Some(failure)
            }
        }
    }
}
