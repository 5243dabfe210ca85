//! `powercut MOUNTPOINT`: mounts a disk in memory there, and cuts its power when it is told to on standard input.
//!
//! | line | what it does |
//! |---|---|
//! | `freeze` | from now on no call is answered, so that nobody sees the power go |
//! | `fail` | each call fails, those that wait too: processes that were killed can end |
//! | `go-on` | calls succeed again: only processes died, and nothing is lost yet |
//! | `restart SEED [FATE]` | unmounts (nobody may use it any more), loses of what was not synced what the seed says, mounts again |
//! | `lie files`, `lie folders` | says from now on of their syncs that they were done, and does nothing |
//!
//! Each is answered by one line of JSON. At the end of the input it unmounts and ends.

mod disk;
mod image;

use disk::{Disk, Kind, SIZE_BYTES};
use fuser::{
    BackgroundSession, BsdFileFlags, Config, Errno, FileHandle, FileType, Filesystem, FopenFlags,
    Generation, INodeNo, LockOwner, MountOption, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate,
    ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request,
    TimeOrNow, WriteFlags,
};
use image::{Change, PAGE_BYTES};
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// All changes go through this mount: the kernel may believe what it knows.
const FOR_GOOD: Duration = Duration::from_hours(1);

fn main() -> ExitCode {
    let Some(mountpoint) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: powercut MOUNTPOINT");
        return ExitCode::from(2);
    };
    let owner = match std::fs::metadata(&mountpoint) {
        Ok(folder) => (folder.uid(), folder.gid()),
        Err(error) => {
            eprintln!("{}: {error}", mountpoint.display());
            return ExitCode::FAILURE;
        }
    };
    let disk = Arc::new(Mutex::new(Disk::new(owner)));
    let session = match mount(&disk, &mountpoint) {
        Ok(session) => session,
        Err(error) => {
            eprintln!("cannot mount at {}: {error}", mountpoint.display());
            return ExitCode::FAILURE;
        }
    };
    match obey(&disk, &mountpoint, session) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            let given_up = std::process::Command::new("umount")
                .arg("--lazy")
                .arg(&mountpoint)
                .status();
            if let Err(error) = given_up {
                eprintln!("cannot unmount {}: {error}", mountpoint.display());
            }
            ExitCode::FAILURE
        }
    }
}

fn obey(
    disk: &Arc<Mutex<Disk>>,
    mountpoint: &Path,
    mut session: BackgroundSession,
) -> io::Result<()> {
    let mut frozen: Option<MutexGuard<'_, Disk>> = None;
    tell(r#"{"mounted": true}"#)?;
    for line in io::stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["freeze"] => {
                frozen.get_or_insert_with(|| hold(disk));
                tell(r#"{"frozen": true}"#)?;
            }
            ["fail"] => {
                frozen.take().unwrap_or_else(|| hold(disk)).has_failed = true;
                tell(r#"{"failing": true}"#)?;
            }
            ["go-on"] => {
                hold(disk).has_failed = false;
                tell(r#"{"working": true}"#)?;
            }
            ["restart", seed, ref fate @ ..] => {
                let seed = seed.parse().map_err(io::Error::other)?;
                frozen.take().unwrap_or_else(|| hold(disk)).has_failed = true;
                session.umount_and_join()?;
                let cut = {
                    let mut disk = hold(disk);
                    disk.has_failed = false;
                    disk.lose(seed, fate.first().copied())
                };
                session = mount(disk, mountpoint)?;
                let (fate, unsynced, lost) = (cut.fate, cut.unsynced, cut.lost);
                tell(&format!(
                    r#"{{"fate": "{fate}", "unsynced": {unsynced}, "lost": {lost}}}"#
                ))?;
            }
            ["lie", about @ ("files" | "folders")] => {
                hold(disk).lies_about = Some(match about {
                    "files" => Kind::Files,
                    _ => Kind::Folders,
                });
                tell(r#"{"lying": true}"#)?;
            }
            _ => return Err(io::Error::other(format!("{line:?} is no command"))),
        }
    }
    frozen.take().unwrap_or_else(|| hold(disk)).has_failed = true;
    session.umount_and_join()
}

fn tell(line: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}")?;
    output.flush()
}

fn hold(disk: &Mutex<Disk>) -> MutexGuard<'_, Disk> {
    disk.lock().unwrap_or_else(PoisonError::into_inner)
}

fn mount(disk: &Arc<Mutex<Disk>>, mountpoint: &Path) -> io::Result<BackgroundSession> {
    let mut config = Config::default();
    config.mount_options = vec![
        MountOption::FSName("powercut".to_owned()),
        MountOption::DefaultPermissions,
        MountOption::NoDev,
        MountOption::NoSuid,
    ];
    fuser::spawn_mount(Mounted(disk.clone()), mountpoint, &config)
}

/// One mount of the disk.
struct Mounted(Arc<Mutex<Disk>>);

impl Mounted {
    /// Waits while the disk is frozen.
    fn disk(&self) -> Result<MutexGuard<'_, Disk>, Errno> {
        working(&self.0)
    }

    fn sync(&self, inode: INodeNo, reply: ReplyEmpty) {
        let (begun, takes) = match self.disk() {
            Ok(disk) => (disk.now(), disk.sync_takes),
            Err(error) => return reply.error(error),
        };
        let disk = self.0.clone();
        std::thread::spawn(move || {
            std::thread::sleep(takes);
            answer(
                working(&disk).map(|mut disk| disk.sync(inode.0, begun)),
                reply,
            );
        });
    }

    fn entry(&self, made: Result<u64, Errno>, reply: ReplyEntry) {
        let found = made.and_then(|inode| self.disk()?.attributes(inode));
        match found {
            Ok(attributes) => reply.entry(&FOR_GOOD, &attributes, Generation(0)),
            Err(error) => reply.error(error),
        }
    }
}

fn working(disk: &Mutex<Disk>) -> Result<MutexGuard<'_, Disk>, Errno> {
    let disk = hold(disk);
    if disk.has_failed {
        Err(Errno::EIO)
    } else {
        Ok(disk)
    }
}

fn answer(done: Result<(), Errno>, reply: ReplyEmpty) {
    match done {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

fn permissions(mode: u32, umask: u32) -> u16 {
    u16::try_from(mode & !umask & 0o7777).expect("twelve bits")
}

impl Filesystem for Mounted {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = self.disk().and_then(|disk| disk.lookup(parent.0, name));
        self.entry(found, reply);
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.disk().and_then(|disk| disk.attributes(inode.0)) {
            Ok(attributes) => reply.attr(&FOR_GOOD, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        inode: INodeNo,
        mode: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let set = self.disk().and_then(|mut disk| {
            if let Some(mode) = mode {
                disk.set_permissions(inode.0, permissions(mode, 0))?;
            }
            if let Some(size) = size {
                disk.change(inode.0, Change::Resize(size))?;
            }
            disk.attributes(inode.0)
        });
        match set {
            Ok(attributes) => reply.attr(&FOR_GOOD, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: ReplyEntry,
    ) {
        let owner = (request.uid(), request.gid());
        let perm = permissions(mode, umask);
        let made = self
            .disk()
            .and_then(|mut disk| disk.create(parent.0, name, Kind::Folders, perm, owner));
        self.entry(made, reply);
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let owner = (request.uid(), request.gid());
        let perm = permissions(mode, umask);
        let made = self.disk().and_then(|mut disk| {
            let inode = disk.create(parent.0, name, Kind::Files, perm, owner)?;
            disk.attributes(inode)
        });
        match made {
            Ok(attributes) => reply.created(
                &FOR_GOOD,
                &attributes,
                Generation(0),
                FileHandle(0),
                FopenFlags::FOPEN_KEEP_CACHE,
            ),
            Err(error) => reply.error(error),
        }
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let done = self
            .disk()
            .and_then(|mut disk| disk.remove(parent.0, name, Kind::Files));
        answer(done, reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let done = self
            .disk()
            .and_then(|mut disk| disk.remove(parent.0, name, Kind::Folders));
        answer(done, reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        if !RenameFlags::RENAME_NOREPLACE.contains(flags) {
            return reply.error(Errno::EINVAL);
        }
        let (from, to) = ((parent.0, name), (new_parent.0, new_name));
        let done = self
            .disk()
            .and_then(|mut disk| disk.rename(from, to, flags.is_empty()));
        answer(done, reply);
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.disk() {
            Ok(_) => reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE),
            Err(error) => reply.error(error),
        }
    }

    fn read(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self
            .disk()
            .and_then(|disk| disk.read(inode.0, offset, size.into()))
        {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let change = Change::Write {
            offset,
            data: data.to_vec(),
        };
        match self
            .disk()
            .and_then(|mut disk| disk.change(inode.0, change))
        {
            Ok(()) => reply.written(u32::try_from(data.len()).expect("a request is small")),
            Err(error) => reply.error(error),
        }
    }

    fn fallocate(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        // linux/falloc.h
        const KEEP_SIZE: i32 = 1;
        const PUNCH_HOLE: i32 = 2;
        const PUNCH: i32 = PUNCH_HOLE | KEEP_SIZE;
        let end = offset.saturating_add(length);
        let change = match mode {
            0 | KEEP_SIZE => Change::Allocate {
                offset,
                end,
                keeps_size: mode == KEEP_SIZE,
            },
            PUNCH => Change::Punch { offset, end },
            _ => return reply.error(Errno::EOPNOTSUPP),
        };
        let done = self
            .disk()
            .and_then(|mut disk| disk.change(inode.0, change));
        answer(done, reply);
    }

    fn fsync(&self, _: &Request, inode: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.sync(inode, reply);
    }

    fn fsyncdir(&self, _: &Request, inode: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.sync(inode, reply);
    }

    fn readdir(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let listed = self.disk().and_then(|disk| {
            let entries = disk.list(inode.0, offset)?;
            let own = [(1, ".".into()), (2, "..".into())];
            for (position, name) in own
                .into_iter()
                .filter(|(at, _)| *at > offset)
                .chain(entries)
            {
                let (inode, kind) = if position <= 2 {
                    (inode, FileType::Directory)
                } else {
                    (INodeNo(position), disk.attributes(position)?.kind)
                };
                if reply.add(inode, position, kind, name) {
                    break;
                }
            }
            Ok(())
        });
        match listed {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        }
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let page_bytes = u32::try_from(PAGE_BYTES).expect("a page is small");
        let all = SIZE_BYTES / PAGE_BYTES;
        match self.disk() {
            Ok(disk) => {
                let free = all.saturating_sub(disk.used_pages());
                reply.statfs(all, free, free, all, all, page_bytes, 255, page_bytes);
            }
            Err(error) => reply.error(error),
        }
    }
}
