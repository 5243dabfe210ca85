//! Restoring a backup into an empty data folder.

use crate::store::dir::Dir;
use crate::store::folder::{DATABASE, Places, RESTORING, remove_database};
use crate::store::parts::config::StoreConfig;
use crate::store::progress::Progress;
use crate::store::record::segments;
use crate::store::recovery::snapshot;
use crate::store::upkeep::backup::copies::{Copies, Verify};
use crate::store::upkeep::backup::copying::OnDamage;
use crate::store::upkeep::backup::error::{BackupError, at, at_dir};
use crate::store::upkeep::backup::folder::{copy_keys, is_inside, lock, make_home, make_owned_by};
use crate::store::upkeep::backup::source::Source;
use crate::store::upkeep::backup::transfer::Transfer;
use std::io;
use std::path::Path;

/// Restores a backup, or a plain copy of a data folder, into a data folder that is empty or holds the remains of an
/// interrupted restore. It restores everything in the source's log; if a backup there was interrupted, everything of
/// the backup before.
///
/// # Errors
/// `Refused` when there is no backup, when its log is damaged, or when the folder holds data.
pub async fn restore(
    from: &Path,
    config: &StoreConfig,
    progress: &Progress,
) -> Result<Copies, BackupError> {
    let source = Source::open(from).await?;
    let to = &config.data_dir;
    let path = to.join("@hangar");
    if is_inside(to, source.home.path()) {
        return Err(refused_restore(to, "is in the backup's own files"));
    }
    if path.exists() {
        let home = Dir::open(&path).map_err(at(&path))?;
        let has = |name: &str| home.has(name).map_err(at(&path));
        if !has(RESTORING)? || has(DATABASE)? || has("run")? {
            return Err(refused_restore(to, "holds data already"));
        }
    }
    // If root restores, the files belong to the owner of the backup, unless the target folder was created for another
    // user.
    let made_for = Dir::open(to).and_then(|to| to.owner()).ok();
    let owner = match made_for.filter(|owner| !owner.is_root()) {
        Some(owner) => owner,
        None => source.home.owner().map_err(at_dir(&source.home))?,
    };
    // The marker comes first: until it is removed, the folder is not a data folder.
    make_owned_by(to, owner)?;
    make_owned_by(&path, owner)?;
    let home = Dir::open(&path).map_err(at(&path))?;
    let marked = home.make(RESTORING).and_then(|file| file.sync_all());
    marked.and_then(|()| home.sync()).map_err(at_dir(&home))?;
    let (home, places) = make_home(to, owner)?;
    let lock = lock(to, &home)?;
    remove_remains(&home, &places).map_err(at_dir(&home))?;
    let transfer = Transfer {
        from: &source.places,
        to: &places,
        verify: Verify::All,
        on_damage: OnDamage::Copy,
        progress,
        copies: Copies::default(),
    };
    let copies = transfer.restore(&source).await?;
    copy_keys(&source.home, &home)?;
    if let Some(snapshot) = &source.snapshot {
        snapshot::copy_to(&source.home, snapshot, &home).map_err(at_dir(&home))?;
    }
    let ended = home.remove(RESTORING).and_then(|_| home.sync());
    ended.map_err(at_dir(&home))?;
    drop(lock);
    Ok(copies)
}

fn refused_restore(to: &Path, what: &str) -> BackupError {
    BackupError::Refused(format!(
        "{} {what}: restore into a new folder with --data-dir or HANGAR_DATA_DIR",
        to.display()
    ))
}

/// Removes the remains of an interrupted restore that the next restore must not use: its log and its snapshot.
fn remove_remains(home: &Dir, places: &Places) -> io::Result<()> {
    for segment in segments::segments(&places.log)? {
        places.log.remove(&segments::segment_name(segment))?;
    }
    let names: Vec<String> = home.names()?.collect::<Result<_, _>>()?;
    for name in names.iter().filter(|name| snapshot::is_name(name)) {
        remove_database(home, name)?;
    }
    home.sync()
}
