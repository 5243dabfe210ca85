//! Damage of the index: where it is reported, and what keeps the knowledge of it until the index is made again.
//!
//! A page of the index that is not what was written is never believed ([`db::is_damage`]). The first one that is found is
//! said in the server's log, a marker in the folder is synced, and from then on nothing is written: the server ends its
//! run and starts anew, and that start makes the index again from a snapshot and the log.

use super::folder::{Folder, identity};
use super::log::sync_folder;
use crate::db::{self, Damage, Owner, Trust, Watch};
use crate::s3::checksum::crc64_nvme;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::watch;

const MARKER: &str = "index-damaged";
/// Indexes that were set aside for their damage and are kept.
const KEPT_ASIDE: usize = 3;
const ASIDE: &str = "aside-damaged-";

/// What was found damaged.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// A file of the index, by its name.
    pub(super) file: String,
    /// Where in the file it begins, bytes.
    pub(super) offset: u64,
}

/// What is known of the damage of one folder's index.
#[derive(Debug)]
pub(super) struct IndexDamage {
    home: PathBuf,
    is_found: watch::Sender<bool>,
    found: Mutex<Option<Found>>,
    /// Of connections to the index.
    _reports: Watch,
}

impl IndexDamage {
    /// Hears of what connections meet from here on.
    pub(super) fn of(folder: &Folder) -> io::Result<Arc<Self>> {
        let mut trouble = None;
        let damage = Arc::new_cyclic(|this: &Weak<Self>| {
            let this = this.clone();
            let report = move |damage: Damage| {
                if let Some(this) = this.upgrade() {
                    this.report_page(&damage.file, damage.page);
                }
            };
            let reports = db::watch(&folder.database(), report).unwrap_or_else(|error| {
                trouble = Some(error);
                Watch::none()
            });
            Self {
                home: folder.home().to_owned(),
                is_found: watch::Sender::new(false),
                found: Mutex::default(),
                _reports: reports,
            }
        });
        trouble.map_or(Ok(damage), Err)
    }

    pub(super) fn report_page(&self, file: &Path, page: u32) {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let what = format!("page {page} of {name} is not what was written");
        let found = Found {
            file: name.into_owned(),
            offset: db::offset_of(page),
        };
        self.first(&what, found);
    }

    /// Damage that is not of one page.
    pub(super) fn report(&self, what: &str) {
        let found = Found {
            file: "hangar.db".to_owned(),
            offset: 0,
        };
        self.first(what, found);
    }

    /// Only the first report counts until the index is made again.
    fn first(&self, what: &str, first: Found) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if found.is_some() {
            return;
        }
        *found = Some(first);
        tracing::error!(
            "the index is damaged: {what}; it is made again from a snapshot and the log, and nothing is written until then"
        );
        if let Err(error) = mark(&self.home) {
            tracing::warn!(%error, "a start after a crash has to find the damage of the index itself");
        }
        self.is_found.send_replace(true);
    }

    /// Why nothing can be read or written for now. Says no names.
    pub(super) fn failure(&self) -> Option<String> {
        let text = "the index is damaged and is made again from the log";
        self.is_found.borrow().then(|| text.to_owned())
    }

    pub(super) fn found(&self) -> Option<Found> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.clone()
    }

    pub(super) fn is_found(&self) -> bool {
        *self.is_found.borrow()
    }

    /// Answers once damage is found.
    pub(super) async fn wait(&self) {
        let mut is_found = self.is_found.subscribe();
        // The sender lives in `self`.
        drop(is_found.wait_for(|is_found| *is_found).await);
    }

    /// The index is another one.
    pub(super) fn is_made_again(&self) -> io::Result<()> {
        unmark(&self.home)?;
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.is_found.send_replace(false);
        Ok(())
    }

    /// For the next try: the marker stays.
    pub(super) fn try_again(&self) {
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.is_found.send_replace(false);
    }
}

fn mark(home: &Path) -> io::Result<()> {
    let marker = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(home.join(MARKER))?;
    marker.sync_all()?;
    sync_folder(home)
}

/// Whether the index was found damaged and was not made again since.
pub(super) fn is_marked(home: &Path) -> bool {
    home.join(MARKER).exists()
}

fn unmark(home: &Path) -> io::Result<()> {
    match std::fs::remove_file(home.join(MARKER)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.and_then(|()| sync_folder(home)),
    }
}

/// What tells this folder from a copy of it: the folder of its log, and its index.
pub(super) fn owner(folder: &Folder) -> io::Result<Owner> {
    let sum = |path: &Path| {
        let Some(file) = identity(path)? else {
            return Ok(0);
        };
        let both = [file.inode.to_le_bytes(), file.born.to_le_bytes()].concat();
        Ok::<_, io::Error>(crc64_nvme(&both))
    };
    let mut owner = Owner::default();
    owner[..8].copy_from_slice(&sum(&folder.log())?.to_le_bytes());
    owner[8..].copy_from_slice(&sum(&folder.database())?.to_le_bytes());
    Ok(owner)
}

/// Where checkpoints of the index are noted.
pub(super) fn note(folder: &Folder) -> PathBuf {
    folder.home().join("checkpoint")
}

/// Says of an index that was set aside that it was for damage, and removes the oldest ones of these.
pub(super) fn keep_aside(home: &Path, aside: &Path) -> io::Result<PathBuf> {
    let name = aside.file_name().unwrap_or_default().to_string_lossy();
    let at = name.strip_prefix("aside-").unwrap_or(&name);
    let kept = home.join(format!("{ASIDE}{at}"));
    std::fs::rename(aside, &kept)?;
    let mut asides = Vec::new();
    for entry in std::fs::read_dir(home)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if let Some(at) = name
            .strip_prefix(ASIDE)
            .and_then(|at| at.parse::<u64>().ok())
        {
            asides.push((at, path));
        }
    }
    asides.sort_unstable_by_key(|(at, _)| std::cmp::Reverse(*at));
    for (_, old) in asides.into_iter().skip(KEPT_ASIDE) {
        std::fs::remove_dir_all(old)?;
    }
    sync_folder(home)?;
    Ok(kept)
}

/// What a start and a running store need of the index's file beside connections to it.
pub(super) struct IndexFile {
    pub(super) damage: Arc<IndexDamage>,
    pub(super) checkpoints: db::Checkpoints,
    owner: Owner,
}

impl IndexFile {
    pub(super) fn of(folder: &Folder) -> io::Result<Self> {
        let owner = owner(folder)?;
        Ok(Self {
            damage: IndexDamage::of(folder)?,
            checkpoints: db::Checkpoints::of(folder.database(), note(folder), owner),
            owner,
        })
    }

    /// Whether the database and its journal make one index, and whether they are this folder's own and not copied. To be
    /// asked before the database is opened.
    pub(super) fn trust(&self, folder: &Folder) -> io::Result<(Trust, bool)> {
        let (trust, owner) = db::trust(&folder.database(), &note(folder))?;
        Ok((trust, owner == Some(self.owner)))
    }
}
