//! Which file systems keep synced data after a power cut.

use crate::store::error::OpenError;
use std::path::Path;

#[cfg(target_os = "linux")]
pub(in crate::store) fn check(home: &Path, allow_unsafe: bool) -> Result<(), OpenError> {
    // The numbers of linux/magic.h, and those of the kernel's file system sources where the header lacks them
    let Ok(stat) = rustix::fs::statfs(home) else {
        return Ok(());
    };
    let name = match u32::try_from(stat.f_type & 0xffff_ffff).unwrap_or_default() {
        0x6969 => "NFS",
        0xff53_4d42 | 0xfe53_4d42 | 0x517b => "CIFS",
        0x0102_1997 => "9p",
        0x6573_5546 => "FUSE",
        0x4d44 | 0x2011_bab0 => "FAT",
        0x794c_7630 => {
            tracing::warn!(
                "the data folder is on overlayfs, inside a container's own layer: its files vanish with the \
                 container; mount a volume there"
            );
            return Ok(());
        }
        _ => return Ok(()),
    };
    if allow_unsafe {
        tracing::warn!("the data folder is on {name}, which may lose what was synced");
        return Ok(());
    }
    Err(OpenError::Refused(format!(
        "the data folder is on {name}, which may lose what was synced; use a local disk, or set \
         HANGAR_ALLOW_UNSAFE_FS=true to accept that"
    ).into()))
}

#[cfg(not(target_os = "linux"))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "other systems are for development only"
)]
pub(in crate::store) fn check(_home: &Path, _allow_unsafe: bool) -> Result<(), OpenError> {
    Ok(())
}
