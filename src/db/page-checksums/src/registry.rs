//! What connections to one database share: the report of damage, and the checksums of the pages in its `-wal`.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, RwLock, Weak};

/// What was found damaged while it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    pub file: PathBuf,
    /// Of the database, from 1; of a `-wal` the frame, from 1.
    pub page: u32,
}

type Report = Arc<dyn Fn(Damage) + Send + Sync>;

/// Reports end when it is dropped.
pub struct Watch {
    database: PathBuf,
    report: Report,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut shared = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = shared.get_mut(&self.database) {
            entry
                .report
                .take_if(|report| Arc::ptr_eq(report, &self.report));
        }
    }
}

impl Watch {
    /// Of no database.
    pub fn none() -> Self {
        Self {
            database: PathBuf::new(),
            report: Arc::new(|_| {}),
        }
    }
}

/// Reports damage that connections to this database meet, by the thread that reads: `report` should be short. Only the
/// latest watch of a database gets reports. `database`: the path without links, as SQLite knows it.
pub fn watch(database: PathBuf, report: impl Fn(Damage) + Send + Sync + 'static) -> Watch {
    let report: Report = Arc::new(report);
    entry(&database, |entry| entry.report = Some(report.clone()));
    Watch { database, report }
}

#[derive(Default)]
struct Entry {
    report: Option<Report>,
    journal: Weak<JournalSums>,
}

static REGISTRY: LazyLock<Mutex<HashMap<PathBuf, Entry>>> = LazyLock::new(Mutex::default);

fn entry<T>(database: &Path, change: impl FnOnce(&mut Entry) -> T) -> T {
    let mut shared = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    if !shared.contains_key(database) {
        shared.retain(|_, entry| entry.report.is_some() || entry.journal.strong_count() > 0);
    }
    change(shared.entry(database.to_owned()).or_default())
}

/// What the files of one connection share with those of others.
#[derive(Clone)]
pub(super) struct Shared {
    database: PathBuf,
    pub(super) journal: Arc<JournalSums>,
}

impl Shared {
    /// `database`: as SQLite gives it to a VFS.
    pub(super) fn of(database: &[u8]) -> Self {
        let database = PathBuf::from(OsStr::from_bytes(database));
        let journal = entry(&database, |entry| {
            entry.journal.upgrade().unwrap_or_else(|| {
                let journal = Arc::default();
                entry.journal = Arc::downgrade(&journal);
                journal
            })
        });
        Self { database, journal }
    }

    /// Tells of a damaged page, or of a damaged frame of the `-wal`.
    pub(super) fn report(&self, page: u32, is_journal: bool) {
        let report = entry(&self.database, |entry| entry.report.clone());
        let mut file = self.database.clone().into_os_string();
        if is_journal {
            file.push("-wal");
        }
        if let Some(report) = report {
            report(Damage {
                file: file.into(),
                page,
            });
        }
    }
}

/// The checksums of the pages in a `-wal`, by frame: of what this process wrote there, and of what SQLite recovered.
#[derive(Default)]
pub(super) struct JournalSums(RwLock<Vec<u64>>);

/// It is not known what should be there.
const UNKNOWN: u64 = 0;
/// Frames past this many are not remembered.
const MOST_FRAMES: usize = 1 << 24;

impl JournalSums {
    pub(super) fn set(&self, frame: usize, sum: u64) {
        let mut sums = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if frame >= MOST_FRAMES {
            return;
        }
        if sums.len() <= frame {
            sums.resize(frame + 1, UNKNOWN);
        }
        sums[frame] = sum.max(UNKNOWN + 1);
    }

    /// `None`: it is not known.
    pub(super) fn is(&self, frame: usize, sum: u64) -> Option<bool> {
        let sums = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let known = sums.get(frame).copied().filter(|sum| *sum != UNKNOWN)?;
        Some(known == sum.max(UNKNOWN + 1))
    }

    /// Forgets this frame and those after it.
    pub(super) fn forget_from(&self, frame: usize) {
        let mut sums = self.0.write().unwrap_or_else(PoisonError::into_inner);
        sums.truncate(frame);
    }
}
