//! Taking a backup while others use the folder.

use crate::db;
use crate::store::bodies::blobs;
use crate::store::content::BlobId;
use crate::store::dir::Dir;
use crate::store::folder::{BACKUP, DATABASE, Places, remove_database};
use crate::store::index;
use crate::store::progress::Progress;
use crate::store::record::reader::{self, Found};
use crate::store::recovery::snapshot::{self, Snapshot, SnapshotError};
use crate::store::upkeep::backup::copies::{Copies, Verify};
use crate::store::upkeep::backup::copying::OnDamage;
use crate::store::upkeep::backup::error::{BackupError, at_dir};
use crate::store::upkeep::backup::folder::{BACKING_UP, copy_keys, is_inside, lock, make_home};
use crate::store::upkeep::backup::transfer::Transfer;
use crate::store::upkeep::findings::Damage;
use crate::store::upkeep::handle::Upkeep;
use sqlx::Connection;
use std::io;
use std::path::Path;

/// How many blobs are looked up at a time.
const PAGE: usize = 500;

impl Upkeep {
    /// Copies everything that the index holds now to a folder of its own. `progress` counts bytes of bodies.
    ///
    /// # Errors
    /// `Refused` when the folder is something else. After any other error the next backup continues with what was
    /// copied.
    pub async fn backup(
        &self,
        to: &Path,
        verify: Verify,
        progress: &Progress,
    ) -> Result<Copies, BackupError> {
        let folder = &self.vault.folder;
        if is_inside(to, folder.home().path()) {
            return Err(refused(to, "is in the data folder's own files"));
        }
        let path = to.join("@hangar");
        if is_inside(&path, folder.home().path()) {
            return Err(refused(to, "is the data folder itself"));
        }
        if path.join(DATABASE).exists() || path.join("run").exists() {
            return Err(refused(to, "holds a data folder, not a backup"));
        }
        // The server makes later backups, and it runs as the owner of its folder.
        let owner = folder.home().owner().map_err(at_dir(folder.home()))?;
        let (home, places) = make_home(to, owner)?;
        let _lock = lock(to, &home)?;
        let former = snapshot::all(&home).await.map_err(at_dir(&home))?;
        // From here on the server frees no bytes.
        let _held = self.vault.state.hold_bytes();
        let new = snapshot::make(&folder.database(), &home, None).await;
        let new = new.map_err(|error| match error {
            SnapshotError::Database(error) if db::is_full(&error) => {
                at_dir(&home)(io::ErrorKind::StorageFull.into())
            }
            SnapshotError::Io(error) => at_dir(&home)(error),
            error => error.into_trouble().into(),
        })?;
        let is_another = match reader::find(&places.log) {
            Ok(Found::Log(id)) => id != new.log,
            Ok(Found::Nothing | Found::Damaged) | Err(_) => false,
        };
        if is_another || former.iter().any(|former| former.log != new.log) {
            remove_database(&home, &new.name).map_err(at_dir(&home))?;
            return Err(refused(to, "holds a backup of another data folder"));
        }
        let marked = home.make(BACKUP).and_then(|_| home.make(BACKING_UP));
        marked.and_then(|_| home.sync()).map_err(at_dir(&home))?;
        let transfer = Transfer {
            from: folder.places(),
            to: &places,
            verify,
            on_damage: OnDamage::Skip,
            progress,
            copies: Copies::default(),
        };
        let copies = transfer.back_up(&home, &new, former.first()).await?;
        let lost = (copies.findings.iter()).find(|it| it.damage == Damage::Record);
        if let (Some(lost), Some(former)) = (lost, former.first()) {
            // No restore would accept the new snapshot.
            remove_database(&home, &new.name).map_err(at_dir(&home))?;
            return Err(BackupError::Refused(format!(
                "{} stays the backup that it was, up to record {}: a record of the data folder's log that came since is \
                 damaged ({}, byte {}), and a backup with it could not be restored. The server still has what it tells of: \
                 copy its buckets to a new hangar with an S3 client, and back that one up",
                to.display(),
                former.end.sequence,
                lost.file,
                lost.offset,
            )));
        }
        copy_keys(folder.home(), &home)?;
        let new = snapshot::give_final_name(&new, &home).map_err(at_dir(&home))?;
        // This includes snapshots that cannot be read.
        for old in snapshot::names(&home).map_err(at_dir(&home))? {
            if old != new.name {
                remove_database(&home, &old).map_err(at_dir(&home))?;
            }
        }
        let copies = prune(&home, &places, &new, copies).await?;
        let ended = home.remove(BACKING_UP).and_then(|_| home.sync());
        ended.map_err(at_dir(&home))?;
        Ok(copies)
    }
}

fn refused(to: &Path, what: &str) -> BackupError {
    BackupError::Refused(format!(
        "{} {what}: name a folder of its own for the backup",
        to.display()
    ))
}

/// Removes blobs that the backup no longer references.
async fn prune(
    home: &Dir,
    places: &Places,
    snapshot: &Snapshot,
    mut copies: Copies,
) -> Result<Copies, BackupError> {
    let dir = &places.blobs;
    let mut index = snapshot::open(home, &snapshot.name).await?;
    let pages: Vec<Vec<BlobId>> = blobs::pages(dir, PAGE).map_err(at_dir(dir))?.collect();
    for page in pages {
        let known = index::known_blobs(&mut index, &page).await?;
        for id in page.iter().filter(|id| !known.contains(id)) {
            dir.remove(&id.to_string()).map_err(at_dir(dir))?;
            copies.removed += 1;
        }
    }
    index.close().await?;
    Ok(copies)
}
