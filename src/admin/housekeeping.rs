//! Housekeeping: sweeps, which delete what has expired and reclaim bytes that no row references any more; checks,
//! scrubs and backups.
//!
//! Only one sweep runs at a time, whether it is due or an operator request for it. Nothing expires before the clock is
//! trusted; bytes wait for their grace period. Refuses to know the rules of either: the store and the assets have them.

use crate::assets::{AssetAges, PurgedAssets, purge};
use crate::store::{
    Checked, Copies, Freed, Janitor, Mode, Progress, Repair, Scrub, Store, StoreError, Swept,
    Verify,
};
use crate::telemetry::with_causes;
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// How often the disk is checked; while it is nearly full each check is a sweep.
const CHECK_EVERY: Duration = Duration::from_mins(1);
const MAX_SWEEP_INTERVAL: Duration = Duration::from_hours(1);

/// One for each running server.
pub struct Housekeeper {
    store: Store,
    ages: AssetAges,
    /// `None`: stored bytes are read only on request.
    scrub_interval: Option<Duration>,
    janitor: Mutex<Janitor>,
    checking: Mutex<Job<Repair, Checked>>,
    backing_up: Mutex<Job<(PathBuf, Verify), Copies>>,
}

/// A background job, which takes longer than a client waits for one response; `A` is the request that began it.
struct Job<A, T> {
    running: Option<Running<A, T>>,
}

struct Running<A, T> {
    request: A,
    progress: Arc<Progress>,
    task: JoinHandle<Result<T, String>>,
}

impl<A, T> Default for Job<A, T> {
    fn default() -> Self {
        Self { running: None }
    }
}

impl<A: PartialEq, T: Send + 'static> Job<A, T> {
    /// Begins the job where it does not run, and returns its progress.
    async fn start_or_poll<W>(
        &mut self,
        request: A,
        begin: impl FnOnce(Arc<Progress>) -> W,
    ) -> Result<Ongoing<T>, String>
    where
        W: Future<Output = Result<T, String>> + Send + 'static,
    {
        const PATIENCE: Duration = Duration::from_millis(500);
        if let Some(running) = self.running.take_if(|it| it.request != request)
            && !running.task.is_finished()
        {
            self.running = Some(running);
            return Err("another one is running: wait until it is done".to_owned());
        }
        let running = self.running.get_or_insert_with(|| {
            let progress = Arc::new(Progress::default());
            let task = tokio::spawn(begin(progress.clone()));
            Running {
                request,
                progress,
                task,
            }
        });
        match tokio::time::timeout(PATIENCE, &mut running.task).await {
            Ok(ended) => {
                self.running = None;
                Ok(Ongoing::Done(
                    ended.map_err(|_| "it was given up".to_owned())??,
                ))
            }
            Err(_) => Ok(Ongoing::Running {
                done_bytes: running.progress.done_bytes.load(Ordering::Relaxed),
                total_bytes: running.progress.total_bytes.load(Ordering::Relaxed),
            }),
        }
    }
}

/// The progress of a background job, or its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ongoing<T> {
    Running { done_bytes: u64, total_bytes: u64 },
    Done(T),
}

/// Whether other processes use the folder during a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderUse {
    /// A server uses the folder: the sweep is due, or a command request the server for it.
    Shared,
    /// A command holds the folder alone. The operator who runs the command vouches for the clock.
    Exclusive,
}

/// What a sweep did, or would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleared {
    pub dry_run: bool,
    /// Whether expired things were looked for: not in the hour after a start or a jump of the clock.
    pub by_age: bool,
    pub assets: PurgedAssets,
    /// By lifecycle rules, and by `HANGAR_MULTIPART_EXPIRES`.
    pub ended: Swept,
    pub freed: Freed,
}

impl Housekeeper {
    #[must_use]
    pub fn new(store: Store, ages: AssetAges, scrub_interval: Option<Duration>) -> Self {
        Self {
            janitor: Mutex::new(store.upkeep().janitor()),
            checking: Mutex::default(),
            backing_up: Mutex::default(),
            store,
            ages,
            scrub_interval,
        }
    }

    /// Reads everything and compares it with its checksums. Call it again until it is done.
    ///
    /// # Errors
    /// When the index or the folder does not answer.
    pub async fn check(&self, repair: Repair) -> Result<Ongoing<Checked>, String> {
        let mut job = self.checking.lock().await;
        job.start_or_poll(repair.clone(), |progress| {
            let store = self.store.clone();
            async move {
                let checked = store.upkeep().check(progress, repair).await;
                checked.map_err(|error| with_causes(&error))
            }
        })
        .await
    }

    /// Copies everything to another folder. Call it again until it is done.
    ///
    /// # Errors
    /// One sentence: the target folder holds something other than a backup, or the copy failed.
    pub async fn back_up(&self, to: PathBuf, verify: Verify) -> Result<Ongoing<Copies>, String> {
        let mut job = self.backing_up.lock().await;
        job.start_or_poll((to.clone(), verify), |progress| {
            let store = self.store.clone();
            async move {
                let copies = store.upkeep().backup(&to, verify, &progress).await;
                copies.map_err(|error| error.sentence())
            }
        })
        .await
    }

    /// Sweeps each hour, or more often where a grace period is shorter, renews the snapshot, and scrubs what is stored
    /// piece by piece, for as long as it is polled.
    pub async fn run(&self) {
        let between =
            (self.store.upkeep().grace() / 2).clamp(Duration::from_secs(1), MAX_SWEEP_INTERVAL);
        let mut since_sweep = Duration::MAX;
        let mut scrub = Scrub::default();
        loop {
            if since_sweep >= between || self.store.upkeep().is_nearly_full() {
                since_sweep = Duration::ZERO;
                match self.sweep(Mode::Do, FolderUse::Shared).await {
                    Ok(cleared) => log_cleared(&cleared),
                    Err(error) => {
                        tracing::warn!(
                            error = with_causes(&error),
                            "what is to be cleared away stays until the next sweep"
                        );
                    }
                }
            }
            if let Err(error) = self.store.upkeep().renew_snapshot().await {
                tracing::warn!(
                    error = with_causes(&error),
                    "no snapshot of the database was made"
                );
            }
            let pause = CHECK_EVERY.min(between);
            tokio::time::sleep(pause).await;
            if let Some(interval) = self.scrub_interval
                && let Err(error) = self.store.upkeep().scrub(&mut scrub, pause, interval).await
            {
                tracing::warn!(
                    error = with_causes(&error),
                    "stored bytes could not be read in the background"
                );
            }
            since_sweep = since_sweep.saturating_add(pause);
        }
    }

    /// Compares the index and its snapshots with their checksums: right after the start, and once in each interval, for
    /// as long as it is polled.
    pub async fn verify_index(&self) {
        loop {
            if let Err(error) = self.store.upkeep().verify_index().await {
                tracing::warn!(
                    error = with_causes(&error),
                    "the index could not be verified in the background"
                );
            }
            match self.scrub_interval {
                Some(interval) => tokio::time::sleep(interval).await,
                None => return,
            }
        }
    }

    /// # Errors
    /// `Unavailable`, `Full`, … What the sweep deleted until then stays deleted.
    pub async fn sweep(&self, mode: Mode, folder_use: FolderUse) -> Result<Cleared, StoreError> {
        let mut janitor = self.janitor.lock().await;
        let is_alone = folder_use == FolderUse::Exclusive;
        let now = janitor
            .believed_now()
            .or_else(|| is_alone.then(|| self.store.now()));
        let (mut assets, mut ended) = (PurgedAssets::default(), Swept::default());
        if let Some(now) = now {
            assets = purge(&self.store, self.ages, now, mode).await?;
            ended = janitor.end_by_age(now, mode).await?;
        }
        Ok(Cleared {
            dry_run: mode == Mode::Tell,
            by_age: now.is_some(),
            assets,
            ended,
            freed: janitor.free(mode, is_alone).await?,
        })
    }
}

fn log_cleared(cleared: &Cleared) {
    let Cleared {
        assets,
        ended,
        freed,
        ..
    } = cleared;
    if *assets != PurgedAssets::default() || *ended != Swept::default() {
        tracing::info!(
            assets = assets.unuploaded + assets.deleted,
            objects = ended.objects,
            uploads = ended.uploads,
            "cleared away what ended by its age"
        );
    }
    if freed.bodies + freed.left_over > 0 {
        tracing::info!(
            bodies = freed.bodies,
            left_over = freed.left_over,
            bytes = freed.bytes + freed.left_over_bytes,
            "freed bytes that nothing needed any more"
        );
    }
}
