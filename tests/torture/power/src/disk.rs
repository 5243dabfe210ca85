//! A disk that keeps what was synced, and beside it, in order, all that was not.
//!
//! As little as POSIX promises: bytes, sizes and times of a file last when this file was synced; a name, made, moved or
//! removed, when its folder was. What a rename does it does at once or not at all, and a disk that is asked to write some
//! bytes of a sector leaves the others whole. All else that was not synced may come about or not, in any order.

#[cfg(test)]
mod tests;

use crate::image::{Change, Image, PAGE_BYTES};
use fastrand::Rng;
use fuser::{Errno, FileAttr, FileType, INodeNo};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::time::{Duration, SystemTime};

pub(crate) const SIZE_BYTES: u64 = 4 << 30;
const ROOT: u64 = INodeNo::ROOT.0;

pub(crate) struct Disk {
    inodes: BTreeMap<u64, Inode>,
    /// Changes of names that were not synced, the oldest first.
    renamings: Vec<(u64, Vec<Naming>)>,
    /// Counts all changes, so that those of different files have an order.
    changes: u64,
    last_inode: u64,
    /// How long a sync takes: what is under way meanwhile is not on disk.
    pub(crate) sync_takes: Duration,
    /// Says of syncs of these that they were done, and does nothing.
    pub(crate) lies_about: Option<Kind>,
    /// No call succeeds.
    pub(crate) has_failed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Files,
    Folders,
}

struct Inode {
    perm: u16,
    owner: (u32, u32),
    node: Node,
}

enum Node {
    File {
        live: Image,
        durable: Image,
        unsynced: Vec<(u64, Change, SystemTime)>,
    },
    Folder {
        live: BTreeMap<OsString, u64>,
        durable: BTreeMap<OsString, u64>,
        changed: SystemTime,
    },
}

/// In this folder this name means this inode, or nothing.
#[derive(Clone)]
struct Naming {
    folder: u64,
    name: OsString,
    inode: Option<u64>,
}

impl Naming {
    fn is_of(&self, other: &Naming) -> bool {
        self.folder == other.folder && self.name == other.name
    }
}

/// What becomes of what was not synced.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fate {
    Lost,
    /// As if only the process had died.
    Kept,
    /// Up to some moment.
    KeptInOrder,
    Scattered,
    /// Writes fall apart into sectors, of which each has its own fate.
    Torn,
    /// Torn, and what is kept came in another order than it was written.
    Shuffled,
}

impl Fate {
    pub(crate) const ALL: [(&str, Self); 6] = [
        ("lost", Self::Lost),
        ("kept", Self::Kept),
        ("kept-in-order", Self::KeptInOrder),
        ("scattered", Self::Scattered),
        ("torn", Self::Torn),
        ("shuffled", Self::Shuffled),
    ];
}

/// What a cut did.
pub(crate) struct Cut {
    pub(crate) fate: &'static str,
    /// Changes, or the sectors that they fell into.
    pub(crate) unsynced: usize,
    pub(crate) lost: usize,
}

enum Unsynced {
    Change(u64, Change, SystemTime),
    Names(Vec<Naming>),
}

impl Disk {
    pub(crate) fn new(owner: (u32, u32)) -> Self {
        let root = Inode {
            perm: 0o755,
            owner,
            node: Node::folder(),
        };
        Self {
            inodes: BTreeMap::from([(ROOT, root)]),
            renamings: Vec::new(),
            changes: 0,
            // The number after the root's stands for the entry `..` of a folder that is read.
            last_inode: ROOT + 1,
            sync_takes: Duration::from_millis(2),
            lies_about: None,
            has_failed: false,
        }
    }

    // Looking

    pub(crate) fn attributes(&self, inode: u64) -> Result<FileAttr, Errno> {
        let Inode { perm, owner, node } = self.inodes.get(&inode).ok_or(Errno::ENOENT)?;
        let (kind, size, pages, changed) = match node {
            Node::File { live, .. } => {
                (FileType::RegularFile, live.size, live.pages(), live.changed)
            }
            Node::Folder { changed, .. } => (FileType::Directory, 0, 0, *changed),
        };
        Ok(FileAttr {
            ino: INodeNo(inode),
            size,
            blocks: pages * PAGE_BYTES / 512,
            atime: changed,
            mtime: changed,
            ctime: changed,
            crtime: changed,
            kind,
            perm: *perm,
            nlink: 1,
            uid: owner.0,
            gid: owner.1,
            rdev: 0,
            blksize: u32::try_from(PAGE_BYTES).expect("a page is small"),
            flags: 0,
        })
    }

    pub(crate) fn lookup(&self, folder: u64, name: &OsStr) -> Result<u64, Errno> {
        self.names(folder)?.get(name).copied().ok_or(Errno::ENOENT)
    }

    /// Entries with a higher inode than `after`, by inode: whatever comes and goes meanwhile, each is told once.
    pub(crate) fn list(&self, folder: u64, after: u64) -> Result<Vec<(u64, OsString)>, Errno> {
        let names = self.names(folder)?.iter();
        let mut entries: Vec<_> = names
            .filter(|(_, inode)| **inode > after)
            .map(|(name, inode)| (*inode, name.clone()))
            .collect();
        entries.sort_unstable();
        Ok(entries)
    }

    pub(crate) fn read(&self, inode: u64, offset: u64, count: u64) -> Result<Vec<u8>, Errno> {
        match &self.inodes.get(&inode).ok_or(Errno::ENOENT)?.node {
            Node::File { live, .. } => Ok(live.read(offset, count)),
            Node::Folder { .. } => Err(Errno::EISDIR),
        }
    }

    pub(crate) fn used_pages(&self) -> u64 {
        let pages = self.inodes.values().map(|inode| match &inode.node {
            Node::File { live, .. } => live.pages(),
            Node::Folder { .. } => 0,
        });
        pages.sum()
    }

    fn names(&self, folder: u64) -> Result<&BTreeMap<OsString, u64>, Errno> {
        match &self.inodes.get(&folder).ok_or(Errno::ENOENT)?.node {
            Node::Folder { live, .. } => Ok(live),
            Node::File { .. } => Err(Errno::ENOTDIR),
        }
    }

    // Changing

    pub(crate) fn change(&mut self, inode: u64, change: Change) -> Result<(), Errno> {
        self.changes += 1;
        match &mut self.inodes.get_mut(&inode).ok_or(Errno::ENOENT)?.node {
            Node::File { live, unsynced, .. } => {
                let at = now();
                live.apply(&change, at);
                unsynced.push((self.changes, change, at));
                Ok(())
            }
            Node::Folder { .. } => Err(Errno::EISDIR),
        }
    }

    /// At once, as nothing here depends on it.
    pub(crate) fn set_permissions(&mut self, inode: u64, perm: u16) -> Result<(), Errno> {
        self.inodes.get_mut(&inode).ok_or(Errno::ENOENT)?.perm = perm;
        Ok(())
    }

    pub(crate) fn create(
        &mut self,
        folder: u64,
        name: &OsStr,
        kind: Kind,
        perm: u16,
        owner: (u32, u32),
    ) -> Result<u64, Errno> {
        if self.names(folder)?.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        self.last_inode += 1;
        let node = match kind {
            Kind::Files => Node::file(),
            Kind::Folders => Node::folder(),
        };
        self.inodes
            .insert(self.last_inode, Inode { perm, owner, node });
        self.name(vec![Naming {
            folder,
            name: name.to_owned(),
            inode: Some(self.last_inode),
        }]);
        Ok(self.last_inode)
    }

    pub(crate) fn remove(&mut self, folder: u64, name: &OsStr, kind: Kind) -> Result<(), Errno> {
        let inode = self.lookup(folder, name)?;
        match (&self.inodes[&inode].node, kind) {
            (Node::File { .. }, Kind::Folders) => return Err(Errno::ENOTDIR),
            (Node::Folder { .. }, Kind::Files) => return Err(Errno::EISDIR),
            (Node::Folder { live, .. }, _) if !live.is_empty() => return Err(Errno::ENOTEMPTY),
            _ => {}
        }
        self.name(vec![Naming {
            folder,
            name: name.to_owned(),
            inode: None,
        }]);
        Ok(())
    }

    pub(crate) fn rename(
        &mut self,
        from: (u64, &OsStr),
        to: (u64, &OsStr),
        replaces: bool,
    ) -> Result<(), Errno> {
        let inode = self.lookup(from.0, from.1)?;
        if let Ok(there) = self.lookup(to.0, to.1) {
            if !replaces {
                return Err(Errno::EEXIST);
            }
            if there == inode {
                return Ok(());
            }
            if let Node::Folder { live, .. } = &self.inodes[&there].node
                && !live.is_empty()
            {
                return Err(Errno::ENOTEMPTY);
            }
        }
        let naming = |(folder, name): (u64, &OsStr), inode| Naming {
            folder,
            name: name.to_owned(),
            inode,
        };
        self.name(vec![naming(from, None), naming(to, Some(inode))]);
        Ok(())
    }

    fn name(&mut self, namings: Vec<Naming>) {
        self.changes += 1;
        for Naming {
            folder,
            name,
            inode,
        } in &namings
        {
            if let Some(Node::Folder { live, changed, .. }) = self.node(*folder) {
                put(live, name, *inode);
                *changed = now();
            }
        }
        self.renamings.push((self.changes, namings));
    }

    fn node(&mut self, inode: u64) -> Option<&mut Node> {
        self.inodes.get_mut(&inode).map(|inode| &mut inode.node)
    }

    // Syncing

    /// The last change so far.
    pub(crate) fn now(&self) -> u64 {
        self.changes
    }

    /// What was changed of this file or folder up to a moment is on disk.
    pub(crate) fn sync(&mut self, inode: u64, until: u64) {
        let lies_about = self.lies_about;
        match self.node(inode) {
            Some(Node::File {
                live,
                durable,
                unsynced,
            }) if lies_about != Some(Kind::Files) => {
                let later = unsynced.split_off(unsynced.partition_point(|(at, ..)| *at <= until));
                for (_, change, at) in std::mem::replace(unsynced, later) {
                    durable.apply(&change, at);
                }
                if unsynced.is_empty() {
                    // The same bytes, once.
                    *durable = live.clone();
                }
            }
            Some(Node::Folder { .. }) if lies_about != Some(Kind::Folders) => {
                self.sync_names(inode, until);
            }
            _ => {}
        }
    }

    fn sync_names(&mut self, folder: u64, until: u64) {
        let mut kept: Vec<(u64, Vec<Naming>)> = Vec::new();
        for (at, namings) in std::mem::take(&mut self.renamings) {
            if at > until || namings.iter().all(|naming| naming.folder != folder) {
                kept.push((at, namings));
                continue;
            }
            // What the other folder of a move had in mind for this name before is past.
            for (_, older) in &mut kept {
                older.retain(|older| !namings.iter().any(|naming| naming.is_of(older)));
            }
            self.make_durable(&namings);
        }
        kept.retain(|(_, namings)| !namings.is_empty());
        self.renamings = kept;
    }

    fn make_durable(&mut self, namings: &[Naming]) {
        for naming in namings {
            if let Some(Node::Folder { durable, .. }) = self.node(naming.folder) {
                put(durable, &naming.name, naming.inode);
            }
        }
    }

    // Losing

    /// The power is gone and comes back: what was not synced has the fate that `seed` gives it.
    pub(crate) fn lose(&mut self, seed: u64, fate: Option<&str>) -> Cut {
        let mut chance = Rng::with_seed(seed);
        let drawn = Fate::ALL[chance.usize(..Fate::ALL.len())];
        let named = Fate::ALL.into_iter().find(|(name, _)| Some(*name) == fate);
        let (name, fate) = named.unwrap_or(drawn);
        let share = chance.f64();
        let grows = chance.bool();
        let noise = chance.bool();
        let sector_bytes = [512, PAGE_BYTES][chance.usize(..2)];
        let takes = [0, 1, 4, 15][chance.usize(..4)];

        let mut unsynced = self.take_unsynced();
        if matches!(fate, Fate::Torn | Fate::Shuffled) {
            unsynced = in_sectors(unsynced, sector_bytes);
        }
        let count = unsynced.len();
        let moment = chance.usize(..=count);
        let mut lost = 0;
        let mut kept = Vec::with_capacity(count);
        for (position, unsynced) in unsynced.into_iter().enumerate() {
            let survives = match fate {
                Fate::Lost => false,
                Fate::Kept => true,
                Fate::KeptInOrder => position < moment,
                Fate::Scattered | Fate::Torn | Fate::Shuffled => chance.f64() < share,
            };
            if survives {
                kept.push(unsynced);
                continue;
            }
            lost += 1;
            // A file's size may be on disk before its bytes are.
            if grows
                && matches!(fate, Fate::Scattered | Fate::Torn | Fate::Shuffled)
                && let Unsynced::Change(inode, Change::Write { offset, data }, at) = unsynced
            {
                let end = offset + data.len() as u64;
                let noise = noise.then(|| chance.u64(..));
                kept.push(Unsynced::Change(inode, Change::Grow { end, noise }, at));
            }
        }
        if matches!(fate, Fate::Shuffled) {
            chance.shuffle(&mut kept);
        }
        for unsynced in kept {
            match unsynced {
                Unsynced::Change(inode, change, at) => {
                    if let Some(Node::File { durable, .. }) = self.node(inode) {
                        durable.apply(&change, at);
                    }
                }
                Unsynced::Names(namings) => self.make_durable(&namings),
            }
        }
        self.begin_anew();
        self.sync_takes = Duration::from_millis(takes);
        Cut {
            fate: name,
            unsynced: count,
            lost,
        }
    }

    fn take_unsynced(&mut self) -> Vec<Unsynced> {
        let renamings = std::mem::take(&mut self.renamings).into_iter();
        let mut all: Vec<(u64, Unsynced)> = renamings
            .map(|(at, namings)| (at, Unsynced::Names(namings)))
            .collect();
        for (inode, Inode { node, .. }) in &mut self.inodes {
            if let Node::File { unsynced, .. } = node {
                let changes = std::mem::take(unsynced).into_iter();
                all.extend(
                    changes
                        .map(|(order, change, at)| (order, Unsynced::Change(*inode, change, at))),
                );
            }
        }
        all.sort_by_key(|(order, _)| *order);
        all.into_iter().map(|(_, unsynced)| unsynced).collect()
    }

    /// From what is on disk, and without what has no name there.
    fn begin_anew(&mut self) {
        let mut named = BTreeSet::from([ROOT]);
        let mut folders = vec![ROOT];
        while let Some(folder) = folders.pop() {
            if let Some(Node::Folder { live, durable, .. }) = self.node(folder) {
                live.clone_from(durable);
                // Two moves, one of which is lost, may leave two names.
                folders.extend(live.values().filter(|inode| named.insert(**inode)));
            }
        }
        self.inodes.retain(|inode, _| named.contains(inode));
        for inode in self.inodes.values_mut() {
            if let Node::File { live, durable, .. } = &mut inode.node {
                live.clone_from(durable);
            }
        }
    }
}

impl Node {
    fn file() -> Self {
        let empty = Image::empty(now());
        Self::File {
            live: empty.clone(),
            durable: empty,
            unsynced: Vec::new(),
        }
    }

    fn folder() -> Self {
        Self::Folder {
            live: BTreeMap::new(),
            durable: BTreeMap::new(),
            changed: now(),
        }
    }
}

fn put(names: &mut BTreeMap<OsString, u64>, name: &OsStr, inode: Option<u64>) {
    match inode {
        Some(inode) => names.insert(name.to_owned(), inode),
        None => names.remove(name),
    };
}

fn in_sectors(unsynced: Vec<Unsynced>, sector_bytes: u64) -> Vec<Unsynced> {
    let mut pieces = Vec::new();
    for unsynced in unsynced {
        match unsynced {
            Unsynced::Change(inode, change, at) => {
                let changes = change.in_sectors(sector_bytes).into_iter();
                pieces.extend(changes.map(|change| Unsynced::Change(inode, change, at)));
            }
            names @ Unsynced::Names(_) => pieces.push(names),
        }
    }
    pieces
}

#[expect(
    clippy::disallowed_methods,
    reason = "a file system's time is the system's"
)]
fn now() -> SystemTime {
    SystemTime::now()
}
