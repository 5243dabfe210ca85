//! Settings of the vault.

use std::path::PathBuf;
use std::time::Duration;

/// Settings of the vault.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// The data folder; hangar writes only to `@hangar/` in it.
    pub data_dir: PathBuf,
    /// `HANGAR_ALLOW_UNSAFE_FS`
    pub allow_unsafe_fs: bool,
    /// `HANGAR_MULTIPART_EXPIRES`: an upload that was not completed within this time is aborted.
    pub multipart_expires: Duration,
    /// `HANGAR_GRACE`: how long unreferenced bytes stay on the disk.
    pub grace: Duration,
    /// `HANGAR_MIN_FREE`: with less than this free, hangar accepts no uploads; `None`: a hundredth of the disk.
    pub min_free_bytes: Option<u64>,
}
