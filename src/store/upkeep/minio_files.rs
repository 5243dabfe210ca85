//! Whether MinIO's files lie in the data folder, next to `@hangar`.
//!
//! It reads only names: it opens no file, and changes no access time of a file. It does not follow links. A folder
//! counts as MinIO's if its `.minio.sys` holds anything (or lies next to folders that may be its buckets), or if an
//! object's `xl.meta` lies in a folder next to `@hangar`. An empty `.minio.sys` alone does not count: a failed start of
//! MinIO leaves one behind.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::FileType;
use std::path::{Path, PathBuf};

const SYSTEM: &str = ".minio.sys";
/// MinIO's metadata of one object: a file in the folder that has the object's name.
const OBJECT: &str = "xl.meta";
/// Top-level folders that are not MinIO's buckets.
const NO_BUCKETS: [&str; 3] = ["@hangar", "lost+found", "minio"];
/// How many entries are searched for an `xl.meta`: a folder may hold millions of files that are not MinIO's.
const MOST_ENTRIES: usize = 2_000;
const NAMED_BUCKETS: usize = 3;

/// Folders that look like MinIO's buckets: some of their names, sorted, and the number of all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::store) struct MinioFiles {
    pub(in crate::store) buckets: Vec<String>,
    pub(in crate::store) count: usize,
}

/// `None` if there are none, or if the folder cannot be read.
pub(in crate::store) fn find(data_dir: &Path) -> Option<MinioFiles> {
    let mut system = None;
    let mut buckets = Vec::new();
    for entry in std::fs::read_dir(data_dir).ok()?.flatten() {
        let is_folder = entry.file_type().as_ref().is_ok_and(FileType::is_dir);
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_folder && name == SYSTEM {
            system = Some(entry.path());
        } else if is_folder && !name.starts_with('.') && !NO_BUCKETS.contains(&&*name) {
            buckets.push((name, entry.path()));
        }
    }
    let has_system = system.is_some_and(|system| !buckets.is_empty() || holds_anything(&system));
    let count = buckets.len();
    let (mut names, folders): (Vec<_>, _) = buckets.into_iter().unzip();
    if !has_system && !has_object(folders) {
        return None;
    }
    names.sort();
    names.truncate(NAMED_BUCKETS);
    Some(MinioFiles {
        buckets: names,
        count,
    })
}

/// Whether a folder holds anything. A folder that this user may not read counts as holding something.
fn holds_anything(folder: &Path) -> bool {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => true,
    }
}

/// Whether one of the first entries in these folders is an object's metadata. Searches breadth-first, so that one deep
/// folder does not use up the limit.
fn has_object(mut folders: VecDeque<PathBuf>) -> bool {
    let mut left = MOST_ENTRIES;
    while let Some(folder) = folders.pop_front() {
        let Ok(entries) = std::fs::read_dir(folder) else {
            continue;
        };
        for entry in entries.flatten() {
            let Some(rest) = left.checked_sub(1) else {
                return false;
            };
            left = rest;
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_file() && entry.file_name() == OsStr::new(OBJECT) {
                return true;
            }
            if kind.is_dir() {
                folders.push_back(entry.path());
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// The result for a folder with these files next to `@hangar`; a name that ends in `/` is a folder.
    fn found(holds: &[&str]) -> Option<MinioFiles> {
        let folder = tempfile::tempdir().unwrap();
        for name in holds.iter().chain(&["@hangar/log/", "@hangar/xl.meta"]) {
            let path = folder.path().join(name);
            let is_folder = name.ends_with('/');
            let above = if is_folder {
                Some(&*path)
            } else {
                path.parent()
            };
            std::fs::create_dir_all(above.unwrap()).unwrap();
            if !is_folder {
                std::fs::write(path, "").unwrap();
            }
        }
        find(folder.path())
    }

    #[rstest]
    #[case::erasure_coded(&[".minio.sys/format.json", "uploads/me.png/xl.meta"], &["uploads"])]
    #[case::plain_files(&[".minio.sys/format.json", "uploads/me.png"], &["uploads"])]
    #[case::no_bucket_yet(&[".minio.sys/format.json"], &[])]
    #[case::buckets_alone(&["uploads/a/b/c/xl.meta"], &["uploads"])]
    #[case::an_emptied_system_folder(&[".minio.sys/", "uploads/me.png"], &["uploads"])]
    #[case::other_folders_beside(&[".minio.sys/format.json", "b/", "a/", "lost+found/", ".snapshot/", "file"], &["a", "b"])]
    fn files_of_minio_are_found(#[case] holds: &[&str], #[case] buckets: &[&str]) {
        let found = found(holds).unwrap();
        assert_eq!(found.buckets, buckets);
        assert_eq!(found.count, buckets.len());
    }

    #[rstest]
    #[case::nothing(&[])]
    #[case::a_stray_system_folder(&[".minio.sys/", ".Trash-1000/", "lost+found/"])]
    #[case::other_files(&["notes/a.txt", "xl.meta", "photos/2026/"])]
    #[case::a_folder_of_that_name(&["uploads/xl.meta/part.1"])]
    fn other_files_do_not_count_as_minios(#[case] holds: &[&str]) {
        assert_eq!(found(holds), None);
    }

    #[test]
    fn many_buckets_are_counted_and_few_named() {
        let holds = [".minio.sys/format.json", "e/", "d/", "c/", "b/", "a/"];
        let found = found(&holds).unwrap();
        assert_eq!(found.buckets, ["a", "b", "c"]);
        assert_eq!(found.count, 5);
    }

    #[test]
    fn links_are_not_followed() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(elsewhere.path().join("me.png")).unwrap();
        std::fs::write(elsewhere.path().join("me.png/xl.meta"), "").unwrap();
        for name in ["uploads", SYSTEM] {
            std::os::unix::fs::symlink(elsewhere.path(), folder.path().join(name)).unwrap();
        }
        assert_eq!(find(folder.path()), None);
    }
}
