//! Room on the disk: how much must stay free, and a reserve that is let go so that a full disk can be emptied.
//!
//! Deleting takes room too: a record of the log, and a page of the index's journal. So a file of [`Space::reserve_bytes`]
//! lies in the data folder. Where a write finds the disk full the reserve goes first, and from then on nothing that
//! brings bytes is taken until there is room to make the reserve again.

use super::dir::Dir;
use super::error::is_full;
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const MIB: u64 = 1 << 20;
const RESERVE: &str = "reserve";
/// What the index's journal may need at once (a checkpoint moves it at 8000 pages), twice.
const MOST_RESERVE_BYTES: u64 = 64 * MIB;
const LEAST_RESERVE_BYTES: u64 = 4 * MIB;
/// A reserve is no more than this part of a small disk.
const MOST_RESERVE_PART: u64 = 16;
/// Where `HANGAR_MIN_FREE` is not set: a hundredth of the disk, and no more than this.
const MOST_DEFAULT_MIN_FREE_BYTES: u64 = 1 << 30;
/// How long an answer of the file system is believed.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Space {
    home: Dir,
    /// `HANGAR_MIN_FREE`
    min_free_bytes: u64,
    reserve_bytes: u64,
    has_reserve: AtomicBool,
    /// Of the last look.
    is_low: AtomicBool,
    began: Instant,
    /// Milliseconds after `began`; 0: never.
    looked: AtomicU64,
}

impl Space {
    /// `min_free_bytes`: `None` for a hundredth of the disk.
    pub(super) fn open(home: &Dir, min_free_bytes: Option<u64>) -> Self {
        let whole =
            statvfs(home.path()).map_or(0, |stat| stat.f_blocks.saturating_mul(stat.f_frsize));
        let hundredth = whole / 100;
        let space = Self {
            home: home.clone(),
            min_free_bytes: min_free_bytes
                .unwrap_or_else(|| hundredth.min(MOST_DEFAULT_MIN_FREE_BYTES)),
            reserve_bytes: hundredth
                .clamp(LEAST_RESERVE_BYTES, MOST_RESERVE_BYTES)
                .min(whole / MOST_RESERVE_PART),
            has_reserve: AtomicBool::new(false),
            is_low: AtomicBool::new(false),
            began: Instant::now(),
            looked: AtomicU64::new(0),
        };
        space.recover();
        space
    }

    /// Of a folder that is looked at and not written: the reserve stays as it is, made or not.
    pub(super) fn look(home: &Dir) -> Self {
        Self {
            home: home.clone(),
            min_free_bytes: 0,
            reserve_bytes: 0,
            has_reserve: AtomicBool::new(true),
            is_low: AtomicBool::new(false),
            began: Instant::now(),
            looked: AtomicU64::new(0),
        }
    }

    /// Whether a body may be taken.
    pub(super) fn admits_bytes(&self) -> bool {
        !self.is_without_reserve() && !self.is_low()
    }

    /// Whether the reserve was let go: room is short for deletes too.
    pub(super) fn is_without_reserve(&self) -> bool {
        !self.has_reserve.load(Ordering::Relaxed)
    }

    /// Whether less is free than must stay free.
    pub(super) fn is_low(&self) -> bool {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX) + 1;
        let looked = self.looked.load(Ordering::Relaxed);
        let every = u64::try_from(LOOK_EVERY.as_millis()).expect("half a second");
        if looked == 0 || now.saturating_sub(looked) >= every {
            self.looked.store(now, Ordering::Relaxed);
            let is_low = self.free_bytes() < self.min_free_bytes;
            self.is_low.store(is_low, Ordering::Relaxed);
        }
        self.is_low.load(Ordering::Relaxed)
    }

    /// What this user may still write; a file system that does not tell has room.
    fn free_bytes(&self) -> u64 {
        statvfs(self.home.path())
            .map_or(u64::MAX, |stat| stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// Gives the reserve's room to whoever needs it now; `false`: it was gone already.
    pub(super) fn let_go(&self) -> bool {
        if !self.has_reserve.swap(false, Ordering::Relaxed) {
            return false;
        }
        tracing::warn!(
            "the disk is full: uploads are refused until there is room; delete files, or give the data folder a larger disk"
        );
        match self.home.remove(RESERVE) {
            Ok(_) => true,
            Err(error) => {
                tracing::warn!(%error, "could not let the reserve go");
                false
            }
        }
    }

    /// Makes the reserve where it is not and there is room for two, so that the disk is not full again at once.
    pub(super) fn recover(&self) {
        if !self.is_without_reserve() {
            return;
        }
        // A copy of the folder may have it as a hole; what is no file of our own is made anew.
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
        } else if self.free_bytes() < (self.reserve_bytes * 2).saturating_add(self.min_free_bytes) {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            fill(&self.home, self.reserve_bytes)
        };
        match made {
            Ok(()) => self.has_reserve.store(true, Ordering::Relaxed),
            Err(error) => {
                // Half a reserve would be room that nobody gets.
                drop(self.home.remove(RESERVE));
                if !is_full(&error) {
                    tracing::warn!(%error, "could not keep a reserve on the disk");
                    self.has_reserve.store(true, Ordering::Relaxed);
                }
            }
        }
        self.looked.store(0, Ordering::Relaxed);
    }

    /// What readiness warns of.
    pub(super) fn warning(&self) -> Option<String> {
        if self.is_without_reserve() {
            return Some("the disk is full: uploads are refused, deletes are not".to_owned());
        }
        self.is_low().then(|| {
            format!(
                "less than {} MiB are free (HANGAR_MIN_FREE): uploads are refused, deletes are not",
                self.min_free_bytes.div_ceil(MIB)
            )
        })
    }
}

/// A file whose blocks are its own: a hole would be no reserve.
fn fill(home: &Dir, bytes: u64) -> io::Result<()> {
    let file = home.make_anew(RESERVE)?;
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
    fn the_reserve_is_let_go_once_and_made_again_when_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        let space = Space::open(&Dir::open(dir.path()).unwrap(), Some(0));
        assert!(space.admits_bytes());
        let size = std::fs::metadata(dir.path().join("reserve")).unwrap().len();
        assert_eq!(size, space.reserve_bytes);
        assert!(space.let_go());
        assert!(!space.let_go());
        assert!(!space.admits_bytes());
        assert!(space.warning().unwrap().starts_with("the disk is full"));
        space.recover();
        assert!(space.admits_bytes());
        assert_eq!(space.warning(), None);
    }

    #[test]
    fn a_disk_with_less_free_than_must_stay_free_takes_no_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let space = Space::open(&Dir::open(dir.path()).unwrap(), Some(u64::MAX / 2));
        assert!(!space.admits_bytes());
        assert!(!dir.path().join("reserve").exists());
    }
}
