//! A folder that is kept open, and the files directly in it: files of `@hangar` are opened only in this way.
//!
//! Guarantees: a name is one component that is looked up in the open folder, and a symbolic link is never followed; only
//! regular files are opened; nothing here waits for a pipe or a device. So no text from a log, an index, a snapshot or a
//! backup leads out of the folder, and a folder that is moved meanwhile stays the same folder. Only the root
//! (`DATA/@hangar`) may be reached through a link: the operator chose it.
//!
//! `openat2(RESOLVE_BENEATH)` would allow whole paths. One component and `O_NOFOLLOW` need no recent kernel.

use crate::owner::{self, Owner};
use rustix::fs::{Access, AtFlags, FileType, Mode, OFlags, Stat};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const PRIVATE_FILE: Mode = Mode::from_raw_mode(0o600);
const PRIVATE_FOLDER: Mode = Mode::from_raw_mode(0o700);
const PIECE_BYTES: usize = 1 << 20;

/// An open folder. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Dir {
    folder: Arc<OwnedFd>,
    /// The path under which it was opened: for messages, and for SQLite, which opens by path.
    path: Arc<PathBuf>,
}

impl Dir {
    /// Opens the root. Links in `path` are followed.
    ///
    /// # Errors
    /// If the folder is missing, is not a folder, or cannot be accessed.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(path, flags, Mode::empty());
        let folder = folder.map_err(|error| explained(path, error.into()))?;
        Ok(Self {
            folder: Arc::new(folder),
            path: Arc::new(path.to_owned()),
        })
    }

    /// Opens a folder in this one.
    pub(in crate::store) fn folder(&self, name: &str) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.folder, component(name)?, flags, Mode::empty());
        let folder = opened.map_err(|error| match error {
            rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP => self.not_a("folder", name),
            error => self.explained(name, error.into()),
        })?;
        Ok(Self {
            folder: Arc::new(folder),
            path: Arc::new(self.path.join(name)),
        })
    }

    /// Opens a folder in this one. If it is missing, makes it first, with access for this folder's owner alone.
    pub(in crate::store) fn make_folder(&self, name: &str) -> io::Result<Self> {
        match rustix::fs::mkdirat(&self.folder, component(name)?, PRIVATE_FOLDER) {
            Ok(()) => {
                let made = self.folder(name)?;
                owner::follow(&made.folder, &self.folder);
                Ok(made)
            }
            Err(rustix::io::Errno::EXIST) => self.folder(name),
            Err(error) => Err(self.explained(name, error.into())),
        }
    }

    /// The owner of the folder.
    pub(in crate::store) fn owner(&self) -> io::Result<Owner> {
        Owner::of(&self.folder)
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it, for messages and for SQLite.
    pub(in crate::store) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    /// `NotFound`; `InvalidData` if it is a link, a folder, a pipe or a device.
    pub fn read(&self, name: &str) -> io::Result<File> {
        self.open_file(name, OFlags::RDONLY)
    }

    /// Opens an existing file for reading and writing.
    pub(in crate::store) fn write(&self, name: &str) -> io::Result<File> {
        let file = self.open_file(name, OFlags::RDWR)?;
        // Writing would also change the file under its other name.
        if rustix::fs::fstat(&file)?.st_nlink > 1 {
            let path = self.path_of(name);
            return Err(invalid(format!(
                "{} is a hard link: make a copy of the folder that shares no files (`cp -a`, not `cp -al`)",
                path.display()
            )));
        }
        Ok(file)
    }

    /// Opens a file for writing, and makes it if it is missing. Its content stays.
    pub(in crate::store) fn make(&self, name: &str) -> io::Result<File> {
        match self.make_new(name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.write(name),
            made => made,
        }
    }

    /// Makes a new file, with access for the folder's owner alone.
    ///
    /// # Errors
    /// `AlreadyExists` if anything has that name, also a link.
    pub fn make_new(&self, name: &str) -> io::Result<File> {
        let file = self.open_file(name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)?;
        owner::follow(&file, &self.folder);
        Ok(file)
    }

    /// Makes an empty file. A file that has the name is removed first.
    pub(in crate::store) fn make_anew(&self, name: &str) -> io::Result<File> {
        self.remove(name)?;
        self.make_new(name)
    }

    fn open_file(&self, name: &str, flags: OFlags) -> io::Result<File> {
        // NONBLOCK: a pipe without a writer must not be waited for.
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.folder, component(name)?, flags, PRIVATE_FILE);
        let file = opened.map_err(|error| match error {
            rustix::io::Errno::LOOP | rustix::io::Errno::ISDIR | rustix::io::Errno::NXIO => {
                self.not_a("regular file", name)
            }
            error => self.explained(name, error.into()),
        })?;
        match FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) {
            FileType::RegularFile => Ok(File::from(file)),
            _ => Err(self.not_a("regular file", name)),
        }
    }

    fn explained(&self, name: &str, error: io::Error) -> io::Error {
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                explained(&self.path_of(name), error)
            }
            _ => error,
        }
    }

    fn not_a(&self, what: &str, name: &str) -> io::Error {
        invalid(format!("{} is not a {what}", self.path_of(name).display()))
    }

    /// The status of a file; `None`: nothing has that name. A link is not followed.
    pub(in crate::store) fn stat(&self, name: &str) -> io::Result<Option<Stat>> {
        match rustix::fs::statat(&self.folder, component(name)?, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The length of a file, bytes; `None`: there is no such file.
    ///
    /// # Errors
    /// `InvalidData` if something other than a regular file has the name.
    pub(in crate::store) fn length(&self, name: &str) -> io::Result<Option<u64>> {
        match self.stat(name)? {
            None => Ok(None),
            Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {
                Ok(Some(stat.st_size.cast_unsigned()))
            }
            Some(_) => Err(self.not_a("regular file", name)),
        }
    }

    /// Requires that this user has the given access to a file. A missing file is no error. The file is not opened,
    /// because closing a database's file would release SQLite's locks on it.
    pub(in crate::store) fn require(&self, name: &str, access: Access) -> io::Result<()> {
        match rustix::fs::accessat(&self.folder, component(name)?, access, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(error) => Err(self.explained(name, error.into())),
        }
    }

    /// Whether anything has this name.
    pub(in crate::store) fn has(&self, name: &str) -> io::Result<bool> {
        Ok(self.stat(name)?.is_some())
    }

    /// Removes a file; `false`: there was no such file.
    ///
    /// # Errors
    /// If the name is a folder's: the folder stays. If the system refuses the removal.
    pub fn remove(&self, name: &str) -> io::Result<bool> {
        match rustix::fs::unlinkat(&self.folder, component(name)?, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::NOENT) => Ok(false),
            // The folder must be writable, so the error names the folder.
            Err(error) => Err(explained(self.path(), error.into())),
        }
    }

    /// Renames a file, in this folder or into another. A file that has the new name is replaced.
    ///
    /// # Errors
    /// `NotFound`, or the error of the system.
    pub fn rename(&self, name: &str, to: &Self, new: &str) -> io::Result<()> {
        let (name, new) = (component(name)?, component(new)?);
        Ok(rustix::fs::renameat(&self.folder, name, &to.folder, new)?)
    }

    /// The names in the folder, in no order. Names that are not UTF-8 are left out: hangar makes none.
    pub(in crate::store) fn names(
        &self,
    ) -> io::Result<impl Iterator<Item = io::Result<String>> + use<>> {
        let entries = rustix::fs::Dir::read_from(&self.folder)?;
        Ok(entries.filter_map(|entry| match entry {
            Ok(entry) => {
                let name = entry.file_name().to_str().ok()?;
                (!matches!(name, "." | "..")).then(|| Ok(name.to_owned()))
            }
            Err(error) => Some(Err(error.into())),
        }))
    }

    /// Syncs the folder: its names are on the disk then.
    ///
    /// # Errors
    /// If the sync fails.
    pub fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.folder)?)
    }

    /// Copies a file, and syncs the copy. A file that has the new name is removed first.
    pub(in crate::store) fn copy(&self, name: &str, to: &Self, new: &str) -> io::Result<File> {
        let mut source = self.read(name)?;
        let mut copy = to.make_anew(new)?;
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match io::Read::read(&mut source, &mut piece)? {
                0 => break,
                count => io::Write::write_all(&mut copy, &piece[..count])?,
            }
        }
        copy.sync_all()?;
        Ok(copy)
    }

    /// Reads a short file; `None`: there is no such file.
    ///
    /// # Errors
    /// `InvalidData` if it is longer than `most_bytes`, or not a regular file.
    pub fn read_short(&self, name: &str, most_bytes: u64) -> io::Result<Option<Vec<u8>>> {
        let file = match self.read(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(file, most_bytes + 1), &mut bytes)?;
        if bytes.len() as u64 > most_bytes {
            let path = self.path_of(name);
            return Err(invalid(format!("{} is too long", path.display())));
        }
        Ok(Some(bytes))
    }
}

/// For a denied permission or a read-only file system: an error of the same kind that names the file, and for a denied
/// permission also its owner and this user. Any other error is returned unchanged.
pub(in crate::store) fn explained(path: &Path, error: io::Error) -> io::Error {
    let kind = error.kind();
    let text = match kind {
        io::ErrorKind::PermissionDenied => denied(path),
        io::ErrorKind::ReadOnlyFilesystem => {
            format!("{} is on a file system that is read-only", path.display())
        }
        _ => return error,
    };
    io::Error::new(kind, text)
}

/// The text names the deepest part of the path that can still be examined, since that part denies the access.
fn denied(path: &Path) -> String {
    use std::os::unix::fs::MetadataExt;
    let user = owner::user();
    let seen = path
        .ancestors()
        .find_map(|part| std::fs::symlink_metadata(part).ok().map(|it| (part, it)));
    let Some((part, metadata)) = seen else {
        return format!("{} is closed to user {user}", path.display());
    };
    format!(
        "permission denied for {}: {} belongs to user {} and group {} with mode {:04o}, and this process runs as user {user}",
        path.display(),
        part.display(),
        metadata.uid(),
        metadata.gid(),
        metadata.mode() & 0o7777
    )
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// Checks that a name is one component, which cannot lead out of the folder.
fn component(name: &str) -> io::Result<&str> {
    let leads_elsewhere = matches!(name, "" | "." | "..") || name.contains(['/', '\0']);
    if leads_elsewhere {
        return Err(io::ErrorKind::InvalidFilename.into());
    }
    Ok(name)
}

/// Drops the pages of a file from the page cache, from offset `from` on, as far as they are on the disk.
pub(in crate::store) fn forget(file: &File, from: u64) -> io::Result<()> {
    // A page that is named only in part would not be dropped.
    #[cfg(target_os = "linux")]
    rustix::fs::fadvise(file, from - from % 4096, None, rustix::fs::Advice::DontNeed)?;
    #[cfg(not(target_os = "linux"))]
    let _ = (file, from);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::os::unix::fs::symlink;

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let temporary = tempfile::tempdir().unwrap();
        std::fs::write(temporary.path().join("victim"), "precious").unwrap();
        std::fs::create_dir(temporary.path().join("root")).unwrap();
        let dir = Dir::open(&temporary.path().join("root")).unwrap();
        for name in ["../victim", "..", ".", "", "a/b", "/etc/passwd", "a\0b"] {
            let kind = |error: io::Error| error.kind();
            let refused = io::ErrorKind::InvalidFilename;
            assert_eq!(dir.read(name).map_err(kind).unwrap_err(), refused, "{name}");
            assert_eq!(dir.make(name).map_err(kind).unwrap_err(), refused);
            assert_eq!(dir.remove(name).map_err(kind).unwrap_err(), refused);
            assert_eq!(dir.folder(name).map_err(kind).unwrap_err(), refused);
            assert_eq!(
                dir.rename("a", &dir, name).map_err(kind).unwrap_err(),
                refused
            );
        }
    }

    #[test]
    fn only_regular_files_are_opened_and_links_and_pipes_are_refused() {
        let temporary = tempfile::tempdir().unwrap();
        let victim = temporary.path().join("victim");
        std::fs::write(&victim, "precious").unwrap();
        let root = temporary.path().join("root");
        std::fs::create_dir(&root).unwrap();
        symlink(&victim, root.join("link")).unwrap();
        symlink(temporary.path(), root.join("link-to-folder")).unwrap();
        symlink(root.join("absent"), root.join("dangling")).unwrap();
        std::fs::create_dir(root.join("folder")).unwrap();
        let pipe = Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, root.join("pipe"), FileType::Fifo, pipe, 0).unwrap();
        std::fs::hard_link(&victim, root.join("hard")).unwrap();
        let dir = Dir::open(&root).unwrap();
        for name in ["link", "dangling", "folder", "pipe", "link-to-folder"] {
            for opened in [dir.read(name), dir.write(name), dir.make(name)] {
                let error = opened.unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{name}: {error}");
                assert!(
                    error.to_string().contains("is not a regular file"),
                    "{error}"
                );
            }
            let error = dir.length(name).unwrap_err();
            assert!(
                error.to_string().contains("is not a regular file"),
                "{error}"
            );
        }
        for opened in [
            dir.folder("link-to-folder"),
            dir.make_folder("link-to-folder"),
        ] {
            let error = opened.map(drop).unwrap_err();
            assert!(error.to_string().contains("is not a folder"), "{error}");
        }
        assert!(
            dir.write("hard")
                .unwrap_err()
                .to_string()
                .contains("hard link")
        );
        dir.make_anew("link").unwrap();
        dir.make_anew("hard").unwrap();
        assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
    }

    #[test]
    fn all_names_are_listed_however_many_there_are() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = Dir::open(temporary.path()).unwrap();
        let names: BTreeSet<String> = (0..1500).map(|at| format!("a file {at}")).collect();
        for name in &names {
            dir.make_new(name).unwrap();
        }
        let listed: Result<BTreeSet<String>, _> = dir.names().unwrap().collect();
        assert_eq!(listed.unwrap(), names);
        let again: Result<Vec<String>, _> = dir.names().unwrap().collect();
        assert_eq!(again.unwrap().len(), 1500);
    }
}
