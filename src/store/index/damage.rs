//! Damage of the index: how it is reported, and how it is remembered until the index is rebuilt.
//!
//! A page of the index that differs from what was written is never used ([`db::is_damage`]). The first such page is
//! reported in the server's log, a marker in the folder is synced, and from then on nothing is written: the server ends
//! its run and starts again, and that start rebuilds the index from a snapshot and the log.

use crate::db::{self, Damage, Noted, Origin, Owner, Trust, Watch};
use crate::s3::checksum::crc64_nvme;
use crate::store::dir::Dir;
use crate::store::folder::{CHECKPOINT_NOTE, DATABASE, Folder, Identity, identity};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::watch;

const MARKER: &str = "index-damaged";
const OF_ANOTHER_TIME: &str = "index-of-another-time";
/// How many damaged indexes are kept after they were set aside.
const KEPT_ASIDE: usize = 3;
const ASIDE: &str = "aside-damaged-";

/// The damage that was found.
#[derive(Debug, Clone)]
pub(in crate::store) struct Found {
    /// The name of the damaged file of the index.
    pub(in crate::store) file: String,
    /// Where in the file the damage begins, bytes.
    pub(in crate::store) offset: u64,
}

/// The state of one folder's index: whether damage was found, and where.
#[derive(Debug)]
pub(in crate::store) struct IndexDamage {
    home: Dir,
    /// The folder is opened read only: no marker is written into it when damage is found.
    is_looked_at: bool,
    is_found: watch::Sender<bool>,
    found: Mutex<Option<Found>>,
    /// A damaged page whose report is postponed for a moment, or until the store is closed.
    postponed: Mutex<Option<u32>>,
    /// The index's file, kept open after the first read: see [`db::verify`].
    file: Mutex<Option<(Identity, Arc<File>)>>,
    /// The subscription to damage that connections to the index meet.
    _reports: Watch,
}

impl IndexDamage {
    /// Reports damage that connections meet from now on.
    pub(in crate::store) fn of(folder: &Folder) -> io::Result<Arc<Self>> {
        Self::new(folder, false)
    }

    /// For a folder that is opened read only.
    pub(in crate::store) fn looked_at(folder: &Folder) -> io::Result<Arc<Self>> {
        Self::new(folder, true)
    }

    fn new(folder: &Folder, is_looked_at: bool) -> io::Result<Arc<Self>> {
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
                home: folder.home().clone(),
                is_looked_at,
                is_found: watch::Sender::new(false),
                found: Mutex::default(),
                postponed: Mutex::default(),
                file: Mutex::default(),
                _reports: reports,
            }
        });
        trouble.map_or(Ok(damage), Err)
    }

    /// The index's file, for [`db::verify`] and [`db::verify_in_use`].
    pub(in crate::store) fn file(&self) -> io::Result<Arc<File>> {
        let mut kept = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let current = identity(&self.home, DATABASE)?.ok_or(io::ErrorKind::NotFound)?;
        if let Some((identity, file)) = &*kept
            && identity.is_same_file(current)
        {
            return Ok(file.clone());
        }
        let file = Arc::new(self.home.read(DATABASE)?);
        *kept = Some((current, file.clone()));
        Ok(file)
    }

    pub(in crate::store) fn report_page(&self, file: &Path, page: u32) {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let what = format!("page {page} of {name} differs from what was written");
        let found = Found {
            file: name.into_owned(),
            offset: db::offset_of(page),
        };
        self.report_first(&what, found);
    }

    /// Notes a damaged page of the index, for [`IndexDamage::report_postponed`] to report.
    pub(in crate::store) fn report_later(&self, page: u32) {
        let mut postponed = self
            .postponed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *postponed = Some(page);
    }

    pub(in crate::store) fn report_postponed(&self) {
        let mut postponed = self
            .postponed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(page) = postponed.take() {
            self.report_page(Path::new(DATABASE), page);
        }
    }

    /// Reports damage that is not confined to one page.
    pub(in crate::store) fn report(&self, what: &str) {
        let found = Found {
            file: DATABASE.to_owned(),
            offset: 0,
        };
        self.report_first(what, found);
    }

    /// Only the first report counts until the index is rebuilt.
    fn report_first(&self, what: &str, first: Found) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if found.is_some() {
            return;
        }
        *found = Some(first);
        if self.is_looked_at {
            self.is_found.send_replace(true);
            return;
        }
        tracing::error!(
            "the index is damaged: {what}; it is made again from a snapshot and the log, and nothing is written until then"
        );
        if let Err(error) = mark(&self.home) {
            tracing::warn!(%error, "the index could not be marked as damaged: after a crash the start has to find the damage again");
        }
        self.is_found.send_replace(true);
    }

    /// The reason why nothing can be read or written for now; `None`: no damage was found. The text names no file.
    pub(in crate::store) fn failure(&self) -> Option<String> {
        let text = "the index is damaged and is made again from the log";
        self.is_found.borrow().then(|| text.to_owned())
    }

    pub(in crate::store) fn found(&self) -> Option<Found> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.clone()
    }

    pub(in crate::store) fn is_found(&self) -> bool {
        *self.is_found.borrow()
    }

    /// Returns once damage is found.
    pub(in crate::store) async fn wait(&self) {
        let mut is_found = self.is_found.subscribe();
        // The sender lives in `self`.
        drop(is_found.wait_for(|is_found| *is_found).await);
    }

    /// Records that the index was rebuilt: removes the markers and forgets the damage.
    pub(in crate::store) fn is_made_again(&self) -> io::Result<()> {
        unmark(&self.home)?;
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.is_found.send_replace(false);
        Ok(())
    }

    /// Forgets the damage before the next try to rebuild the index. The marker stays.
    pub(in crate::store) fn try_again(&self) {
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.is_found.send_replace(false);
    }
}

fn mark(home: &Dir) -> io::Result<()> {
    home.make(MARKER)?.sync_all()?;
    home.sync()
}

/// Marks the index as not to be trusted, because it and its journal are of different times. No start trusts it until it
/// is rebuilt. The position in the log that it states still counts.
pub(in crate::store) fn distrust(home: &Dir) -> io::Result<()> {
    home.make(OF_ANOTHER_TIME)?.sync_all()?;
    home.sync()
}

pub(in crate::store) fn is_distrusted(home: &Dir) -> io::Result<bool> {
    home.has(OF_ANOTHER_TIME)
}

/// Whether the index was found damaged and has not been rebuilt since.
pub(in crate::store) fn is_marked(home: &Dir) -> io::Result<bool> {
    home.has(MARKER)
}

fn unmark(home: &Dir) -> io::Result<()> {
    let was_marked = home.remove(MARKER)?;
    if home.remove(OF_ANOTHER_TIME)? || was_marked {
        home.sync()?;
    }
    Ok(())
}

/// Distinguishes this folder from a copy of it, by the inodes and times of birth of its log's folder and of its index.
pub(in crate::store) fn owner(folder: &Folder) -> io::Result<Owner> {
    let sum = |file: Identity| {
        let both = [file.inode.to_le_bytes(), file.born.to_le_bytes()].concat();
        crc64_nvme(&both)
    };
    let log = Identity::of(&std::fs::symlink_metadata(folder.log().path())?);
    let database = identity(folder.home(), DATABASE)?.map_or(0, sum);
    let mut owner = Owner::default();
    owner[..8].copy_from_slice(&sum(log).to_le_bytes());
    owner[8..].copy_from_slice(&database.to_le_bytes());
    Ok(owner)
}

/// Renames an index that was set aside, so that its name says that it was damaged, and removes the oldest of these.
/// Returns its new name.
pub(in crate::store) fn keep_aside(home: &Dir, aside: &str) -> io::Result<String> {
    let at = aside.strip_prefix("aside-").unwrap_or(aside);
    let kept = format!("{ASIDE}{at}");
    home.rename(aside, home, &kept)?;
    let mut asides = Vec::new();
    for name in home.names()? {
        let name = name?;
        if let Some(at) = name.strip_prefix(ASIDE) {
            let at = at.split('-').next().and_then(|at| at.parse::<u64>().ok());
            asides.extend(at.map(|at| (at, name.clone())));
        }
    }
    asides.sort_unstable_by_key(|(at, _)| std::cmp::Reverse(*at));
    for (_, old) in asides.into_iter().skip(KEPT_ASIDE) {
        std::fs::remove_dir_all(home.path_of(&old))?;
    }
    home.sync()?;
    Ok(kept)
}

/// What a start and a running store need for the index's file besides connections to it.
pub(in crate::store) struct IndexFile {
    pub(in crate::store) damage: Arc<IndexDamage>,
    pub(in crate::store) checkpoints: db::Checkpoints,
    owner: Owner,
}

impl IndexFile {
    pub(in crate::store) fn of(folder: &Folder) -> io::Result<Self> {
        let owner = owner(folder)?;
        Ok(Self {
            damage: IndexDamage::of(folder)?,
            checkpoints: db::Checkpoints::of(
                folder.database(),
                folder.home().path_of(CHECKPOINT_NOTE),
                owner,
            ),
            owner,
        })
    }

    /// Returns whether the database and its journal belong together, whether they are this folder's own and not copied,
    /// and, if an earlier start of this folder was stopped or refused while it made the index, what that start knew of
    /// the folder. Call it before the database is opened.
    pub(in crate::store) fn trust(
        &self,
        folder: &Folder,
    ) -> io::Result<(Trust, bool, Option<Origin>)> {
        let noted = db::trust(&folder.database(), &folder.home().path_of(CHECKPOINT_NOTE))?;
        let Noted {
            trust,
            owner,
            making,
        } = noted;
        // When the note was written, the database was another file. The folder of the log is still the same, so only
        // that half of the owner is compared.
        let is_of_folder = owner.is_some_and(|owner| owner[..8] == self.owner[..8]);
        let making = making.filter(|_| is_of_folder);
        Ok((trust, owner == Some(self.owner), making))
    }
}
