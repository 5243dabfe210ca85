//! Verifies everything that is stored: every record of the log, every body, every object.
//!
//! Guarantees: the check finds every flipped byte, missing or truncated body, damaged record, and object whose bytes do
//! not add up, and reports it with the keys that it affects. Rows that are changed or freed meanwhile are not findings.
//! It changes nothing unless a repair is wanted: then it replaces damaged bytes by the same bytes from elsewhere.

use crate::db::{self, Readers, Verified};
use crate::store::blocking::blocking;
use crate::store::bodies::blobs::{self, Blobs};
use crate::store::content::Body;
use crate::store::dir::Dir;
use crate::store::error::{StoreError, unavailable};
use crate::store::folder::{DATABASE, Places};
use crate::store::index;
use crate::store::index::damage::Found;
use crate::store::parts::read_only::IndexRead;
use crate::store::parts::vault::Vault;
use crate::store::progress::Progress;
use crate::store::record::reader::ScanError;
use crate::store::recovery::snapshot;
use crate::store::upkeep::findings::{
    Checked, Damage, Finding, MOST_FINDINGS, Remedy, Repair, segment_file,
};
use crate::store::upkeep::handle::Upkeep;
use crate::store::upkeep::mend;
use crate::store::upkeep::verify::{verify_body, verify_records};
use crate::telemetry::with_causes;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How many bodies, or objects, are looked up at a time.
const PAGE: u32 = 500;

impl Upkeep {
    /// # Errors
    /// When the index or the folder cannot be read.
    pub async fn check(
        &self,
        progress: Arc<Progress>,
        repair: Repair,
    ) -> Result<Checked, StoreError> {
        let vault = &self.vault;
        let check = Check {
            readers: vault.reads.readers.clone(),
            home: vault.folder.home().clone(),
            vault: Some(vault.clone()),
            places: vault.folder.places().clone(),
            uploads: Some(vault.blobs.clone()),
            repair,
            progress,
            checked: Checked::default(),
            affected: Vec::new(),
        };
        check.run().await
    }
}

/// A check in progress.
pub(in crate::store) struct Check {
    readers: Readers,
    home: Dir,
    /// `None` for a backup.
    vault: Option<Arc<Vault>>,
    places: Places,
    /// Blobs that uploads are still writing; `None` if there are no uploads.
    uploads: Option<Blobs>,
    repair: Repair,
    progress: Arc<Progress>,
    checked: Checked,
    /// Damaged bodies, each with the number of its finding.
    affected: Vec<(u64, usize)>,
}

impl Check {
    /// A check of a backup. It repairs nothing.
    pub(in crate::store) fn of_backup(
        home: Dir,
        places: Places,
        readers: Readers,
        progress: Arc<Progress>,
    ) -> Self {
        Self {
            readers,
            home,
            vault: None,
            places,
            uploads: None,
            repair: Repair::default(),
            progress,
            checked: Checked::default(),
            affected: Vec::new(),
        }
    }

    pub(in crate::store) async fn run(mut self) -> Result<Checked, StoreError> {
        self.count().await?;
        let damaged_page = self.index().await?;
        self.snapshots(damaged_page.is_some()).await?;
        self.records().await?;
        self.bodies().await?;
        self.objects().await?;
        self.left_over().await?;
        self.name_affected_keys().await?;
        if let (Some(page), Some(vault)) = (damaged_page, self.vault)
            && vault.read_only.is_none()
        {
            let damage = vault.state.index_damage.clone();
            damage.report_later(page);
            tokio::spawn(async move {
                /// The command gets its result first, because the report stops the server.
                const PATIENCE: Duration = Duration::from_secs(2);
                tokio::time::sleep(PATIENCE).await;
                damage.report_postponed();
            });
        }
        Ok(self.checked)
    }

    async fn count(&self) -> Result<(), StoreError> {
        let mut connection = self.readers.acquire().await?;
        let (_, bytes) = index::stored(&mut connection).await?;
        self.progress.total_bytes.store(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Verifies each page of the index. Returns a damaged one: the index is rebuilt after everything else is checked.
    async fn index(&mut self) -> Result<Option<u32>, StoreError> {
        let Some(vault) = self.vault.clone() else {
            return Ok(None);
        };
        if let Some(Found { file, offset }) = vault.index_files.take_found_at_start() {
            self.found_in_index(file, offset);
        }
        // The folder's own index was not used, and the next start rebuilds it.
        if (vault.read_only.as_ref()).is_some_and(|it| it.index == IndexRead::Rebuilt) {
            return Ok(None);
        }
        let file = vault.state.index_damage.file();
        let file = file.map_err(|error| unavailable(&error))?;
        let verified = db::verify_in_use(file, Duration::ZERO).await;
        let Verified::Damaged { page } = verified.map_err(|error| unavailable(&error))? else {
            return Ok(None);
        };
        self.found_in_index(DATABASE.to_owned(), db::offset_of(page));
        Ok(Some(page))
    }

    /// Verifies each page of the snapshots. Replaces a damaged one, but not in a backup, in a read-only vault, or from
    /// a damaged index.
    async fn snapshots(&mut self, is_index_damaged: bool) -> Result<(), StoreError> {
        for name in snapshot::names(&self.home).map_err(|error| unavailable(&error))? {
            let page = snapshot::verify(&self.home, &name, Duration::ZERO).await;
            let Some(page) = page.map_err(|error| unavailable(&error))? else {
                continue;
            };
            self.found_in_index(name.clone(), db::offset_of(page));
            if !is_index_damaged
                && let Some(vault) = &self.vault
                && vault.read_only.is_none()
            {
                vault.index_files.replace_snapshot(&name).await?;
            }
        }
        Ok(())
    }

    /// With a repair it counts as mended: the index or snapshot is rebuilt now or right after the check.
    fn found_in_index(&mut self, file: String, offset: u64) {
        if self.repair.wanted {
            self.checked.index_mended += 1;
        } else {
            self.found(Damage::Index, file, offset, None);
        }
    }

    fn found(&mut self, damage: Damage, file: String, offset: u64, body: Option<u64>) {
        self.checked.damages += 1;
        if self.checked.findings.len() == MOST_FINDINGS {
            return;
        }
        self.affected
            .extend(body.map(|body| (body, self.checked.findings.len())));
        self.checked.findings.push(Finding {
            damage,
            file,
            offset,
            hurts: Vec::new(),
            remedy: (damage == Damage::Index).then(|| self.remedy()),
        });
    }

    /// Which later step rebuilds a damaged index.
    fn remedy(&self) -> Remedy {
        match &self.vault {
            None => Remedy::NextBackup,
            Some(vault) if vault.read_only.is_some() => Remedy::NextStart,
            Some(_) => Remedy::Server,
        }
    }

    /// Verifies every record up to the index's position.
    async fn records(&mut self) -> Result<(), StoreError> {
        let mut connection = self.readers.acquire().await?;
        let position = index::position(&mut connection).await?;
        drop(connection);
        let Some((id, until)) = position else {
            return Ok(());
        };
        let dir = self.places.log.clone();
        let (records, damaged) =
            blocking(move || verify_records(&dir, id, until).map_err(|error| trouble(&error)))
                .await?;
        self.checked.records = records;
        for (segment, offset) in damaged {
            self.found(Damage::Record, segment_file(segment), offset, None);
        }
        Ok(())
    }

    async fn bodies(&mut self) -> Result<(), StoreError> {
        let mut after = 0;
        loop {
            let mut connection = self.readers.acquire().await?;
            let page = index::bodies_after(&mut connection, after, PAGE).await?;
            drop(connection);
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            after = *last;
            for (id, body) in page {
                self.body(id, body).await?;
            }
        }
    }

    async fn body(&mut self, id: u64, body: Body) -> Result<(), StoreError> {
        let (places, progress) = (self.places.clone(), self.progress.clone());
        let size_bytes = body.size_bytes;
        let place = body.place;
        let read = body.clone();
        let damage = blocking(move || Ok(verify_body(&read, &places, &progress).err())).await?;
        self.checked.bodies += 1;
        self.checked.bytes += size_bytes;
        let Some((damage, at)) = damage else {
            return Ok(());
        };
        // The body may have been freed meanwhile.
        let mut connection = self.readers.acquire().await?;
        let is_there = index::has_body(&mut connection, id).await?;
        drop(connection);
        if is_there && self.repair.wanted && self.mend(id, body).await? {
            self.checked.mended += 1;
        } else if is_there {
            let Finding { file, offset, .. } = Finding::of(damage, &place, at, Vec::new());
            self.found(damage, file, offset, Some(id));
        }
        Ok(())
    }

    /// Repairs a body from another body with the same bytes, or from the backup. Returns whether it is whole again.
    async fn mend(&self, id: u64, body: Body) -> Result<bool, StoreError> {
        let home = self.places.clone();
        let mut connection = self.readers.acquire().await?;
        let twins = index::twins_of_body(&mut connection, id).await?;
        drop(connection);
        let mut sources: Vec<_> = twins
            .into_iter()
            .map(|place| (home.clone(), place))
            .collect();
        if let Some(backup) = &self.repair.from {
            let backup = Dir::open(&backup.join("@hangar")).and_then(|home| Places::of(&home));
            sources.push((backup.map_err(|error| unavailable(&error))?, body.place));
        }
        blocking(move || mend::mend(&body, &home, &sources).map_err(|error| unavailable(&error)))
            .await
    }

    /// Verifies that the bodies that objects reference exist and add up.
    async fn objects(&mut self) -> Result<(), StoreError> {
        let mut after: Option<(String, String)> = None;
        loop {
            let mut connection = self.readers.acquire().await?;
            let page = index::object_sums(&mut connection, after.as_ref(), PAGE).await?;
            drop(connection);
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some((last.bucket.clone(), last.key.clone()));
            for object in page {
                self.checked.objects += 1;
                if !object.adds_up {
                    self.found(Damage::Reference, "hangar.db".to_owned(), 0, None);
                    if let Some(finding) = self.checked.findings.last_mut() {
                        finding.hurts = vec![format!("{}/{}", object.bucket, object.key)];
                    }
                }
            }
        }
    }

    async fn left_over(&mut self) -> Result<(), StoreError> {
        let dir = self.places.blobs.clone();
        let pages = blocking(move || {
            let pages = blobs::pages(&dir, PAGE as usize).map_err(|error| unavailable(&error))?;
            Ok(pages.collect::<Vec<_>>())
        });
        for mut page in pages.await? {
            page.retain(|id| !self.uploads.as_ref().is_some_and(|it| it.is_under_way(*id)));
            let mut connection = self.readers.acquire().await?;
            let known = index::known_blobs(&mut connection, &page).await?;
            self.checked.left_over += (page.len() - known.len()) as u64;
        }
        Ok(())
    }

    async fn name_affected_keys(&mut self) -> Result<(), StoreError> {
        for page in self.affected.chunks(PAGE as usize) {
            let ids: Vec<u64> = page.iter().map(|(body, _)| *body).collect();
            let mut connection = self.readers.acquire().await?;
            let users = index::users_of_bodies(&mut connection, &ids).await?;
            drop(connection);
            for (body, finding) in page {
                let named = users.iter().filter(|(used, _)| used == body);
                self.checked.findings[*finding]
                    .hurts
                    .extend(named.map(|(_, name)| name.clone()));
            }
        }
        Ok(())
    }
}

fn trouble(error: &ScanError) -> StoreError {
    match error {
        ScanError::Io(error) => unavailable(error),
        other => StoreError::Unavailable(with_causes(other).into()),
    }
}
