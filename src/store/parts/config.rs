//! Settings of the vault.

use std::path::PathBuf;
use std::time::Duration;

/// Settings of the vault.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// The data folder; all that hangar writes lies in `@hangar/` beneath it.
    pub data_dir: PathBuf,
    /// `HANGAR_ALLOW_UNSAFE_FS`
    pub allow_unsafe_fs: bool,
    /// `HANGAR_MULTIPART_EXPIRES`: an upload that was not completed within this time is aborted.
    pub multipart_expires: Duration,
    /// `HANGAR_GRACE`: how long bytes stay on the disk after the last reference to them is gone.
    pub grace: Duration,
    /// `HANGAR_MIN_FREE`: with less than this free no bytes are taken; `None`: a hundredth of the disk.
    pub min_free_bytes: Option<u64>,
}
