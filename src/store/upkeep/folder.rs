//! Checks of the data folder for the operator: other programs' files in it, and free space on its disk.

use crate::store::dir::Dir;
use crate::store::folder::space::Space;
use crate::store::parts::config::StoreConfig;
use crate::store::upkeep::minio_files;
use crate::warnings::Warning;
use std::path::Path;

/// Warnings about a folder for the operator. A server may hold its lock; nothing in the folder is changed.
#[must_use]
pub fn folder_warnings(config: &StoreConfig) -> Vec<Warning> {
    let home = Dir::open(&config.data_dir.join("@hangar")).ok();
    let of_disk = home.and_then(|home| Space::read_only(&home, config.min_free_bytes).warning());
    let warnings = [of_disk, foreign_files(&config.data_dir)];
    warnings.into_iter().flatten().collect()
}

/// A warning about other programs' files in the data folder.
pub(in crate::store) fn foreign_files(data_dir: &Path) -> Option<Warning> {
    let found = minio_files::find(data_dir)?;
    Some(Warning::MinioFiles {
        data_dir: data_dir.to_owned(),
        buckets: found.buckets,
        count: found.count,
    })
}
