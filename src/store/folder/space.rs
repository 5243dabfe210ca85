//! Free space on the disk: how much must stay free, and a reserve that is released so that objects can be deleted when the
//! disk is full.
//!
//! Deleting needs space too: a record of the log, and a page of the index's journal. So a file of [`Space::reserve_bytes`]
//! lies in the data folder. When a write finds the disk full, hangar first releases the reserve. From then on it accepts no
//! uploads until there is space to create the reserve again.

use crate::store::dir::Dir;
use crate::store::error::is_full;
use crate::warnings::Warning;
use forecast::Forecast;
use rustix::fs::{FallocateFlags, StatVfsMountFlags, fallocate, statvfs};
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

mod forecast;

const MIB: u64 = 1 << 20;
const RESERVE: &str = "reserve";
/// A file that is created and removed again to find out whether uploads can be written.
const TRIAL: &str = "trial";
/// What a small upload needs: a piece of the log, and pages of the index and its journal. With less free space hangar
/// accepts no upload.
const SMALL_UPLOAD_BYTES: u64 = 64 << 10;
/// Twice what the index's journal may need at once (a checkpoint starts at 8000 pages).
const MOST_RESERVE_BYTES: u64 = 64 * MIB;
const LEAST_RESERVE_BYTES: u64 = 4 * MIB;
/// On a small disk the reserve is at most the disk's size divided by this.
const MOST_RESERVE_PART: u64 = 16;
/// The default of `HANGAR_MIN_FREE` is a hundredth of the disk, and at most this.
const MOST_DEFAULT_MIN_FREE_BYTES: u64 = 1 << 30;
/// How long a result of `statvfs` is used.
const MEASURE_EVERY: Duration = Duration::from_millis(500);
/// A warning begins when uploads will be refused within this time, at the rate of the last day.
const WARNED_AHEAD: Duration = Duration::from_hours(24);

#[derive(Debug)]
pub(in crate::store) struct Space {
    home: Dir,
    /// `HANGAR_MIN_FREE`
    min_free_bytes: u64,
    reserve_bytes: u64,
    has_reserve: AtomicBool,
    /// Result of the last `statvfs`.
    free_bytes: AtomicU64,
    is_read_only: AtomicBool,
    began: Instant,
    /// When that was, in milliseconds after `began`; 0: never.
    measured: AtomicU64,
    /// An upload failed because of the disk. Only a trial write shows whether another one would fail.
    in_doubt: AtomicBool,
    /// Why small uploads are not accepted, as the last trial found.
    trouble: Mutex<Option<Warning>>,
    /// Locked while the reserve or the trial file is written.
    file_lock: Mutex<()>,
    forecast: Mutex<Forecast>,
    /// When [`Space::examine`] last ran, in milliseconds after `began`; 0: never.
    examined: AtomicU64,
    /// Notified when something changed that may deserve a warning.
    news: Notify,
}

impl Space {
    /// `min_free_bytes`: `None` means a hundredth of the disk.
    pub(in crate::store) fn open(home: &Dir, min_free_bytes: Option<u64>) -> Self {
        let space = Self::read_only(home, min_free_bytes);
        drop(home.remove(TRIAL));
        space.has_reserve.store(false, Ordering::Relaxed);
        space.recover();
        space
    }

    /// For a folder that is opened read-only: creates nothing in it.
    pub(in crate::store) fn read_only(home: &Dir, min_free_bytes: Option<u64>) -> Self {
        let whole =
            statvfs(home.path()).map_or(0, |stat| stat.f_blocks.saturating_mul(stat.f_frsize));
        let hundredth = whole / 100;
        Self {
            home: home.clone(),
            min_free_bytes: min_free_bytes
                .unwrap_or_else(|| hundredth.min(MOST_DEFAULT_MIN_FREE_BYTES)),
            reserve_bytes: hundredth
                .clamp(LEAST_RESERVE_BYTES, MOST_RESERVE_BYTES)
                .min(whole / MOST_RESERVE_PART),
            has_reserve: AtomicBool::new(true),
            free_bytes: AtomicU64::new(u64::MAX),
            is_read_only: AtomicBool::new(false),
            began: Instant::now(),
            measured: AtomicU64::new(0),
            in_doubt: AtomicBool::new(false),
            trouble: Mutex::default(),
            file_lock: Mutex::default(),
            forecast: Mutex::default(),
            examined: AtomicU64::new(0),
            news: Notify::new(),
        }
    }

    /// Whether hangar accepts uploads.
    pub(in crate::store) fn admits_bytes(&self) -> bool {
        !self.is_without_reserve() && !self.is_low()
    }

    /// Whether the reserve was released: space is short for deletes too.
    pub(in crate::store) fn is_without_reserve(&self) -> bool {
        !self.has_reserve.load(Ordering::Relaxed)
    }

    /// Whether less is free than `min_free_bytes`.
    pub(in crate::store) fn is_low(&self) -> bool {
        self.free_bytes() < self.min_free_bytes
    }

    /// The free space, as it was at most half a second ago.
    fn free_bytes(&self) -> u64 {
        if self.is_due(&self.measured) {
            self.measure();
        }
        self.free_bytes.load(Ordering::Relaxed)
    }

    /// Whether enough time has passed since `last`; if so, sets `last` to now.
    fn is_due(&self, last: &AtomicU64) -> bool {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX) + 1;
        let before = last.load(Ordering::Relaxed);
        let every = u64::try_from(MEASURE_EVERY.as_millis()).expect("half a second");
        let is_due = before == 0 || now.saturating_sub(before) >= every;
        if is_due {
            last.store(now, Ordering::Relaxed);
        }
        is_due
    }

    /// How much this user may still write. A file system that does not report it counts as having space.
    fn measure(&self) -> u64 {
        let (free_bytes, is_read_only) = match statvfs(self.home.path()) {
            Ok(stat) if stat.f_blocks == 0 => {
                (u64::MAX, stat.f_flag.contains(StatVfsMountFlags::RDONLY))
            }
            Ok(stat) => (
                stat.f_bavail.saturating_mul(stat.f_frsize),
                stat.f_flag.contains(StatVfsMountFlags::RDONLY),
            ),
            Err(_) => (u64::MAX, false),
        };
        self.free_bytes.store(free_bytes, Ordering::Relaxed);
        self.is_read_only.store(is_read_only, Ordering::Relaxed);
        free_bytes
    }

    /// Releases the reserve's space for the caller's write; `false` if it was released already.
    pub(in crate::store) fn let_go(&self) -> bool {
        // Without the lock, a concurrent `recover` could count the file that is about to be removed as the reserve.
        let _guard = self
            .file_lock
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !self.has_reserve.swap(false, Ordering::Relaxed) {
            return false;
        }
        let removed = self.home.remove(RESERVE);
        self.news.notify_one();
        match removed {
            Ok(_) => true,
            Err(error) => {
                tracing::warn!(%error, "could not let the reserve go");
                false
            }
        }
    }

    /// Creates the reserve again if it is missing and there is space for two, so that the disk is not full again at once.
    pub(in crate::store) fn recover(&self) {
        let _guard = self
            .file_lock
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !self.is_without_reserve() {
            return;
        }
        // In a copy of the folder the reserve may be a sparse file. Anything but a regular file of our own is replaced.
        let has = (self.home.stat(RESERVE)).is_ok_and(|file| {
            file.is_some_and(|file| {
                let is_file = rustix::fs::FileType::from_raw_mode(file.st_mode)
                    == rustix::fs::FileType::RegularFile;
                let blocks = file.st_blocks.cast_unsigned();
                is_file && file.st_nlink == 1 && blocks.saturating_mul(512) >= self.reserve_bytes
            })
        });
        let made = if has {
            Ok(())
        } else if self.measure() < (self.reserve_bytes * 2).saturating_add(self.min_free_bytes) {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            fill(&self.home, RESERVE, self.reserve_bytes)
        };
        match made {
            Ok(()) => self.has_reserve.store(true, Ordering::Relaxed),
            Err(error) => {
                // Half a reserve would only waste space.
                drop(self.home.remove(RESERVE));
                if !is_full(&error) {
                    tracing::warn!(%error, "could not keep a reserve on the disk");
                    self.has_reserve.store(true, Ordering::Relaxed);
                }
            }
        }
        self.measured.store(0, Ordering::Relaxed);
    }

    /// Records that an upload could not be written. [`Space::examine`] finds out whether others can.
    pub(in crate::store) fn doubt(&self) {
        self.in_doubt.store(true, Ordering::Relaxed);
        self.news.notify_one();
    }

    /// Returns when something changed that may deserve a warning.
    pub(in crate::store) async fn news(&self) {
        self.news.notified().await;
    }

    /// Whether there is anything to examine, and enough time has passed since the last time: any client may ask for
    /// readiness.
    pub(in crate::store) fn wants_examining(&self) -> bool {
        (self.is_without_reserve() || self.in_doubt.load(Ordering::Relaxed))
            && self.is_due(&self.examined)
    }

    /// Finds out whether uploads can be written, where that is in doubt, and whether there is space for the reserve
    /// again. It writes to the disk and blocks.
    pub(in crate::store) fn examine(&self) {
        if self.is_without_reserve() {
            self.recover();
        }
        if !self.in_doubt.load(Ordering::Relaxed) {
            return;
        }
        let _guard = match self.file_lock.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Another thread is about to find out.
            Err(TryLockError::WouldBlock) => return,
        };
        let written = fill(&self.home, TRIAL, SMALL_UPLOAD_BYTES);
        let removed = self.home.remove(TRIAL).map(drop);
        let trouble = match written.and(removed) {
            Ok(()) => None,
            Err(error) if is_full(&error) => Some(Warning::DiskFull),
            Err(error) => Some(Warning::FolderUnwritable {
                cause: error.to_string(),
            }),
        };
        self.in_doubt.store(trouble.is_some(), Ordering::Relaxed);
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        self.measured.store(0, Ordering::Relaxed);
    }

    /// Records the free space, for the rate at which it shrinks. `now` comes from the monotonic clock.
    pub(in crate::store) fn sample(&self, now: Duration) {
        let free_bytes = self.measure();
        let mut forecast = self.forecast.lock().unwrap_or_else(PoisonError::into_inner);
        forecast.sample(now, free_bytes);
    }

    /// The most important warning about the disk for the operator.
    pub(in crate::store) fn warning(&self) -> Option<Warning> {
        let free_bytes = self.free_bytes();
        let min_free_bytes = self.min_free_bytes;
        if self.is_read_only.load(Ordering::Relaxed) {
            return Some(Warning::DiskReadOnly);
        }
        // If more than the reserve is free above `min_free_bytes`, the reserve is missing for another reason than a
        // full disk.
        let is_full = self.is_without_reserve()
            && (free_bytes >= min_free_bytes || free_bytes < self.reserve_bytes);
        if is_full {
            return Some(Warning::DiskFull);
        }
        if free_bytes < min_free_bytes {
            return Some(Warning::DiskBelowMinFree { min_free_bytes });
        }
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trouble) = &*trouble {
            return Some(trouble.clone());
        }
        if free_bytes < SMALL_UPLOAD_BYTES {
            return Some(Warning::DiskFull);
        }
        // If `HANGAR_MIN_FREE` is 0, the reserve's size is the threshold.
        if free_bytes < (min_free_bytes.saturating_mul(2)).max(self.reserve_bytes) {
            return Some(Warning::DiskNearlyFull {
                free_bytes,
                min_free_bytes,
            });
        }
        let forecast = self.forecast.lock().unwrap_or_else(PoisonError::into_inner);
        let within = forecast.time_until(min_free_bytes)?;
        (within <= WARNED_AHEAD).then_some(Warning::DiskFullSoon { within })
    }
}

/// Writes a file with allocated blocks: a sparse file would reserve nothing.
fn fill(home: &Dir, name: &str, bytes: u64) -> io::Result<()> {
    let file = home.make_anew(name)?;
    match fallocate(&file, FallocateFlags::empty(), 0, bytes) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => write_zeros(&file, bytes),
        Err(error) => Err(error.into()),
    }?;
    file.sync_all()
}

fn write_zeros(mut file: &File, bytes: u64) -> io::Result<()> {
    let zeros = vec![0; 1 << 16];
    let mut left = bytes;
    while left > 0 {
        let count = left.min(1 << 16);
        io::Write::write_all(&mut file, &zeros[..usize::try_from(count).expect("64 KiB")])?;
        left -= count;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_released_once_and_created_again_when_there_is_space() {
        let dir = tempfile::tempdir().unwrap();
        let space = Space::open(&Dir::open(dir.path()).unwrap(), Some(0));
        assert!(space.admits_bytes());
        let size = std::fs::metadata(dir.path().join("reserve")).unwrap().len();
        assert_eq!(size, space.reserve_bytes);
        assert!(space.let_go());
        assert!(!space.let_go());
        assert!(!space.admits_bytes());
        assert_eq!(space.warning(), Some(Warning::DiskFull));
        space.recover();
        assert!(space.admits_bytes());
        assert_eq!(space.warning(), None);
    }

    #[test]
    fn the_reserve_counts_only_while_its_file_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let space = Space::open(&Dir::open(dir.path()).unwrap(), Some(0));
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    space.examine();
                }
            });
            for _ in 0..200 {
                space.let_go();
                let _guard = space.file_lock.lock().unwrap();
                let is_there = dir.path().join("reserve").exists();
                if is_there == space.is_without_reserve() {
                    is_over.store(true, Ordering::Relaxed);
                    panic!("reserve: {is_there}");
                }
            }
            is_over.store(true, Ordering::Relaxed);
        });
    }

    #[test]
    fn a_disk_with_less_than_the_minimum_free_accepts_no_uploads() {
        let dir = tempfile::tempdir().unwrap();
        let space = Space::open(&Dir::open(dir.path()).unwrap(), Some(u64::MAX / 2));
        assert!(!space.admits_bytes());
        assert!(!dir.path().join("reserve").exists());
        let warning = space.warning().unwrap();
        assert_eq!(warning.kind(), "disk-below-min-free", "it is not full");
    }

    #[test]
    fn less_than_twice_the_minimum_free_is_a_warning() {
        let dir = tempfile::tempdir().unwrap();
        let home = Dir::open(dir.path()).unwrap();
        let free_bytes = Space::open(&home, Some(0)).measure();
        let space = Space::read_only(&home, Some(free_bytes / 3 * 2));
        assert!(space.admits_bytes());
        let warning = space.warning().unwrap();
        assert_eq!(warning.kind(), "disk-nearly-full");
        assert!(!warning.refuses_uploads());
    }

    #[test]
    fn after_a_failed_upload_a_trial_write_finds_out_whether_uploads_work() {
        let dir = tempfile::tempdir().unwrap();
        let space = Space::open(&Dir::open(dir.path()).unwrap(), Some(0));
        space.doubt();
        assert_eq!(space.warning(), None, "it is not known yet");
        space.examine();
        assert_eq!(space.warning(), None);
        assert!(!dir.path().join("trial").exists());

        // A folder of the trial's name makes the trial fail, as a read-only folder would.
        std::fs::create_dir_all(dir.path().join("trial/in-the-way")).unwrap();
        space.examine();
        assert_eq!(space.warning(), None, "nothing gave reason to try");
        space.doubt();
        space.examine();
        let warning = space.warning().unwrap();
        assert_eq!(warning.kind(), "folder-unwritable");
        assert!(warning.refuses_uploads());
        std::fs::remove_dir_all(dir.path().join("trial")).unwrap();
        space.examine();
        assert_eq!(space.warning(), None, "it is tried again until it succeeds");
    }

    #[test]
    fn a_disk_that_will_be_full_within_a_day_is_a_warning() {
        let dir = tempfile::tempdir().unwrap();
        let space = Space::open(&Dir::open(dir.path()).unwrap(), Some(0));
        let free_bytes = space.measure();
        let sampled = |hour, free_bytes| {
            let mut forecast = space.forecast.lock().unwrap();
            forecast.sample(Duration::from_hours(hour), free_bytes);
        };
        for hour in 0..24 {
            sampled(hour, free_bytes / 24 * (48 - hour));
        }
        assert_eq!(space.warning(), None);
        sampled(24, free_bytes);
        assert_eq!(space.warning().unwrap().kind(), "disk-full-soon");
    }
}
