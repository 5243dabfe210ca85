//! Flipped bits in each file of the index: no wrong byte, no wrong header, no key that is not found, and in the end the
//! store is as it was before.

use super::parts::files_in;
use super::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::path::PathBuf;

const KEYS: u32 = 120;

/// Everything that the store knows about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    body: Vec<u8>,
    etag: String,
    size: u64,
    meta: ObjectMeta,
}

/// A folder as a process left it. It is restored before each flip. Its files keep their inodes, so that it is not a
/// copy.
struct Left {
    dir: tempfile::TempDir,
    files: BTreeMap<PathBuf, Vec<u8>>,
    known: BTreeMap<String, Known>,
}

/// How the process left the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Stop,
    /// With a journal whose first part is in the database already.
    Kill,
}

async fn known(store: &Store) -> Result<BTreeMap<String, Known>, StoreError> {
    let mut found = BTreeMap::new();
    for at in 0..KEYS + 10 {
        let at = format!("key {at}");
        if let Some(object) = store.object(&name("uploads"), &key(&at)).await? {
            let known = Known {
                body: read(store, &object, None).await?,
                etag: object.etag.as_str().to_owned(),
                size: object.size_bytes,
                meta: object.meta.as_ref().clone(),
            };
            found.insert(at, known);
        }
    }
    Ok(found)
}

async fn listed(store: &Store) -> Result<Vec<String>, StoreError> {
    let objects = store
        .vault
        .reads
        .sweep_page(&name("uploads"), None, "", 1000)
        .await?;
    Ok(objects
        .iter()
        .map(|it| it.key.as_str().to_owned())
        .collect())
}

async fn change(store: &Store, numbers: impl Iterator<Item = u32>) {
    for number in numbers {
        let mut target = target(&format!("key {number}"));
        if number.is_multiple_of(9) {
            // A row that is longer than a page.
            target.meta.content_type = Some(format!("text/{}", "x".repeat(6000)));
        }
        let bytes = if number == 7 { 300_000 } else { 100 + number };
        let sealed = sealed(store, &pattern(bytes as usize)[..bytes as usize]).await;
        let committed = store.commit(target, sealed, WritePrecondition::None).await;
        committed.unwrap();
    }
}

async fn left(by: By) -> Left {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    change(&store, 0..KEYS).await;
    store.close().await;
    let store = open(dir.path()).await.unwrap();
    change(&store, (0..KEYS).step_by(5)).await;
    // An open reader keeps SQLite from restarting the journal after the checkpoint.
    let mut reader = db::open_reader(&store.vault.folder.database())
        .await
        .unwrap();
    if by == By::Kill {
        sqlx::query("BEGIN").execute(&mut reader).await.unwrap();
        index::buckets(&mut reader).await.unwrap();
        let mut writer = db::open_durable(&store.vault.folder.database())
            .await
            .unwrap();
        let mut checkpoints = store.vault.index_files.checkpoints.lock().await;
        let moved = checkpoints.checkpoint(&mut writer, 0, db::Leaves::Journal);
        assert!(moved.await.unwrap());
        writer.close().await.unwrap();
    }
    for number in (0..KEYS).step_by(11) {
        let deleted = store.delete(name("uploads"), key(&format!("key {number}")));
        deleted.await.unwrap();
    }
    change(&store, (0..KEYS).step_by(13)).await;
    let known = known(&store).await.unwrap();
    assert_eq!(known.len(), listed(&store).await.unwrap().len());
    let files = |dir: &Path| {
        let home = std::fs::read_dir(dir.join("@hangar")).unwrap();
        let paths = home.map(|entry| entry.unwrap().path());
        let kept = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name == "checkpoint" || (name.contains(".db") && !name.ends_with("-shm"))
        };
        let files = paths.filter(kept);
        files
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect()
    };
    let killed = files(dir.path());
    reader.close().await.unwrap();
    store.close().await;
    let files = if by == By::Kill {
        killed
    } else {
        files(dir.path())
    };
    Left { dir, files, known }
}

impl Left {
    fn put_back(&self) {
        let home = self.dir.path().join("@hangar");
        let paths = std::fs::read_dir(&home).unwrap();
        let paths: Vec<PathBuf> = paths.map(|entry| entry.unwrap().path()).collect();
        for path in paths {
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.starts_with("aside-") {
                std::fs::rename(path.join("hangar.db"), home.join("hangar.db")).unwrap();
                std::fs::remove_dir_all(&path).unwrap();
            } else if path.is_file() && name.contains(".db") && name != "hangar.db" {
                std::fs::remove_file(&path).unwrap();
            }
        }
        for (path, bytes) in &self.files {
            std::fs::write(path, bytes).unwrap();
        }
    }

    /// The file whose name ends with `ends`.
    fn file(&self, ends: &str) -> PathBuf {
        let mut paths = self.files.keys().rev();
        paths
            .find(|path| path.to_str().unwrap().ends_with(ends))
            .unwrap()
            .clone()
    }
}

fn flip(path: &Path, random: &mut StdRng) -> usize {
    let mut bytes = std::fs::read(path).unwrap();
    let bit = random.random_range(0..bytes.len() * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
    std::fs::write(path, bytes).unwrap();
    bit
}

/// Which file is damaged, and which file the start uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rot {
    Index,
    Journal,
    /// The index is lost too.
    Snapshot,
}

/// Flips bits of a file of a stopped store, and starts after each flip.
async fn flips_at_rest(by: By, rot: Rot, rounds: usize) {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let folder = left(by).await;
    let path = folder.file(match rot {
        Rot::Index => "hangar.db",
        Rot::Journal => "hangar.db-wal",
        Rot::Snapshot => ".db",
    });
    let mut made_again = 0;
    for _ in 0..rounds {
        folder.put_back();
        let bit = flip(&path, &mut random);
        // Bit rot changes no file times: the start must not see that this file was written last.
        for (other, bytes) in folder.files.iter().filter(|(other, _)| **other != path) {
            std::fs::write(other, bytes).unwrap();
        }
        let what = format!("seed {seed}, {by:?}, {}, bit {bit}", path.display());
        if rot == Rot::Snapshot {
            std::fs::write(folder.dir.path().join("@hangar/index-damaged"), b"").unwrap();
        }
        let before = files_in(folder.dir.path());
        let looked = look(folder.dir.path()).await.unwrap();
        assert!(known(&looked).await.unwrap() == folder.known, "{what}");
        looked.close().await;
        drop(looked);
        assert!(files_in(folder.dir.path()) == before, "{what}");
        let store = open(folder.dir.path()).await.unwrap();
        let was_found = store.vault.index_files.take_found_at_start().is_some();
        made_again += usize::from(was_found);
        assert!(was_found || rot != Rot::Index || by == By::Kill, "{what}");
        assert!(known(&store).await.unwrap() == folder.known, "{what}");
        let keys: Vec<String> = listed(&store).await.unwrap();
        assert!(
            keys.iter().eq(folder
                .known
                .keys()
                .collect::<std::collections::BTreeSet<_>>()),
            "{what}"
        );
        let checked = store
            .upkeep()
            .check(Arc::default(), Repair::default())
            .await
            .unwrap();
        // The check itself finds a damaged snapshot that the start did not use, and replaces it.
        assert!(
            checked
                .findings
                .iter()
                .all(|it| it.file.starts_with("snapshot-")),
            "{what}: {checked:?}"
        );
        let checked = store
            .upkeep()
            .check(Arc::default(), Repair::default())
            .await
            .unwrap();
        assert_eq!(checked.damages, 0, "{what}: {checked:?}");
        store.close().await;
    }
    println!("{made_again} of {rounds} were found by the start");
    // The whole journal is needed, including the part that is in the database already.
    assert!(made_again > 0 || rot != Rot::Journal, "seed {seed}");
}

#[tokio::test]
async fn a_start_finds_a_flipped_bit_of_the_index_and_rebuilds_it() {
    flips_at_rest(By::Stop, Rot::Index, 60).await;
}

#[tokio::test]
async fn a_flipped_bit_of_an_index_with_a_journal_damages_no_key() {
    flips_at_rest(By::Kill, Rot::Index, 60).await;
}

#[tokio::test]
async fn a_flipped_bit_of_a_journal_damages_no_key() {
    flips_at_rest(By::Kill, Rot::Journal, 60).await;
}

#[tokio::test]
async fn a_flipped_bit_of_a_snapshot_damages_no_key() {
    flips_at_rest(By::Stop, Rot::Snapshot, 60).await;
}

#[tokio::test]
#[ignore = "takes minutes: to be run by hand"]
async fn thousands_of_flipped_bits_damage_no_key() {
    for (by, rot) in [
        (By::Stop, Rot::Index),
        (By::Kill, Rot::Index),
        (By::Kill, Rot::Journal),
        (By::Stop, Rot::Snapshot),
    ] {
        flips_at_rest(by, rot, 1000).await;
    }
}

/// Damage under an open store is an error for its readers, until the store is closed and opened again.
#[tokio::test]
async fn a_flipped_bit_under_an_open_store_is_an_error_and_the_next_open_rebuilds_the_index() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let folder = left(By::Stop).await;
    let (database, mut errors) = (folder.file("hangar.db"), 0);
    for _ in 0..30 {
        folder.put_back();
        let store = open(folder.dir.path()).await.unwrap();
        let bits: Vec<usize> = (0..4).map(|_| flip(&database, &mut random)).collect();
        let what = format!("seed {seed}, bits {bits:?}");
        for (at, known) in &folder.known {
            match store.object(&name("uploads"), &key(at)).await {
                Ok(Some(object)) => {
                    assert_eq!(object.etag.as_str(), known.etag, "{what}");
                    assert!(
                        read(&store, &object, None).await.unwrap() == known.body,
                        "{what}"
                    );
                }
                Ok(None) => panic!("{what}: {at} is not found"),
                Err(error) => {
                    assert!(
                        matches!(error, StoreError::Unavailable(_)),
                        "{what}: {error}"
                    );
                    errors += 1;
                }
            }
        }
        if !store.upkeep().is_index_damaged() {
            store.upkeep().verify_index().await.unwrap();
        }
        store.upkeep().index_is_damaged().await;
        let failed = store.upkeep().health().failed.unwrap();
        assert!(failed.contains("made again from the log"), "{failed}");
        let sealed = sealed(&store, b"new").await;
        let refused = store
            .commit(target("new"), sealed, WritePrecondition::None)
            .await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{what}");
        store.close().await;
        let store = open(folder.dir.path()).await.unwrap();
        assert!(known(&store).await.unwrap() == folder.known, "{what}");
        assert!(store.upkeep().health().failed.is_none());
        store.close().await;
    }
    assert!(errors > 0, "no page that is read was hit");
}

#[tokio::test]
async fn a_change_that_meets_damage_is_refused_and_afterwards_complete_or_absent() {
    let folder = left(By::Stop).await;
    let store = open(folder.dir.path()).await.unwrap();
    let database = folder.file("hangar.db");
    let mut bytes = std::fs::read(&database).unwrap();
    for at in (4096 + 300..bytes.len()).step_by(4096) {
        bytes[at] ^= 8;
    }
    std::fs::write(&database, bytes).unwrap();
    let sealed = sealed(&store, b"new").await;
    let refused = store
        .commit(target("new"), sealed, WritePrecondition::None)
        .await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))));
    store.upkeep().index_is_damaged().await;
    store.close().await;
    let store = open(folder.dir.path()).await.unwrap();
    // The change was not acknowledged, so both outcomes are correct; but an existing object is whole.
    assert!([None, Some(b"new".to_vec())].contains(&get(&store, "new").await));
    assert!(known(&store).await.unwrap() == folder.known);
    store.close().await;
}

#[tokio::test]
async fn a_start_repairs_the_damage_that_it_meets_in_a_large_index() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    put(&store, "kept", b"kept").await;
    store.close().await;
    let path = dir.path().join("@hangar/hangar.db");
    // A database above the limit for verification before the start.
    let mut index = db::open_writer(&path).await.unwrap();
    for statement in [
        "CREATE TABLE filler (bytes BLOB)",
        "INSERT INTO filler VALUES (randomblob(20000000))",
    ] {
        sqlx::query(statement).execute(&mut index).await.unwrap();
    }
    let page: i64 = sqlx::query_scalar("SELECT rootpage FROM sqlite_schema WHERE name = 'buckets'")
        .fetch_one(&mut index)
        .await
        .unwrap();
    db::set_checkpoint_on_close(&mut index, true).await.unwrap();
    index.close().await.unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[(usize::try_from(page).unwrap() - 1) * 4096 + 4000] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let store = open(dir.path()).await.unwrap();
    assert_eq!(get(&store, "kept").await.unwrap(), b"kept");
    assert!(!store.upkeep().is_index_damaged());
    store.close().await;
    assert!(!dir.path().join("@hangar/index-damaged").exists());
}

#[tokio::test]
async fn damage_found_just_before_the_store_is_closed_is_not_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    let path = dir.path().join("@hangar/hangar.db");
    let mut index = db::open_durable(&path).await.unwrap();
    for statement in [
        "CREATE TABLE filler (bytes BLOB)",
        "INSERT INTO filler VALUES (randomblob(100000))",
    ] {
        sqlx::query(statement).execute(&mut index).await.unwrap();
    }
    index.close().await.unwrap();
    store.close().await;
    let store = open(dir.path()).await.unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    // A page that no request reads.
    let at = bytes.len() - 4000;
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let checked = store
        .upkeep()
        .check(Arc::default(), Repair::default())
        .await;
    assert_eq!(checked.unwrap().damages, 1);
    store.close().await;
    assert!(dir.path().join("@hangar/index-damaged").exists());
    let store = open(dir.path()).await.unwrap();
    let checked = store
        .upkeep()
        .check(Arc::default(), Repair::default())
        .await;
    assert_eq!(checked.unwrap().damages, 0);
    store.close().await;
}

/// A key with rotted bytes is not one whose bytes were never copied, which would go back to an earlier version.
#[tokio::test]
async fn a_rotted_blob_of_a_restored_backup_is_an_error_for_its_reader() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    put(&store, "replaced", b"before").await;
    for at in ["replaced", "new"] {
        put(&store, at, &pattern(400_000)).await;
    }
    let backup = tempfile::tempdir().unwrap();
    let progress = Progress::default();
    let copies = store
        .upkeep()
        .backup(backup.path(), Verify::All, &progress)
        .await;
    assert_eq!(copies.unwrap().damages, 0);
    store.close().await;
    for blob in std::fs::read_dir(backup.path().join("@hangar/blobs")).unwrap() {
        let path = blob.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[200_000] ^= 1;
        std::fs::write(path, bytes).unwrap();
    }
    let to = tempfile::tempdir().unwrap();
    let config = StoreConfig {
        data_dir: to.path().join("data"),
        allow_unsafe_fs: true,
        multipart_expires: MULTIPART_EXPIRES,
        grace: std::time::Duration::from_hours(24),
        min_free_bytes: Some(0),
    };
    let copies = restore(backup.path(), &config, &progress).await.unwrap();
    assert_eq!((copies.damages, copies.findings.len()), (2, 2));
    let store = open(&config.data_dir).await.unwrap();
    for at in ["replaced", "new"] {
        let object = store.object(&name("uploads"), &key(at)).await.unwrap();
        let body = read(&store, &object.unwrap(), None).await;
        assert!(matches!(body, Err(StoreError::Damaged(_))), "{at}");
    }
    // A repair makes it whole.
    let repair = Repair {
        wanted: true,
        from: Some(dir.path().to_owned()),
    };
    let checked = store.upkeep().check(Arc::default(), repair).await.unwrap();
    assert_eq!((checked.mended, checked.damages), (2, 0));
    for at in ["replaced", "new"] {
        assert_eq!(get(&store, at).await.unwrap(), pattern(400_000), "{at}");
    }
    store.close().await;
}

#[tokio::test]
async fn only_a_few_damaged_indexes_are_kept() {
    let mut random = StdRng::seed_from_u64(3);
    let folder = left(By::Stop).await;
    for _ in 0..6 {
        let database = folder.dir.path().join("@hangar/hangar.db");
        flip(&database, &mut random);
        let store = open(folder.dir.path()).await.unwrap();
        assert!(known(&store).await.unwrap() == folder.known);
        store.close().await;
    }
    let home = std::fs::read_dir(folder.dir.path().join("@hangar")).unwrap();
    let asides = home.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_str().unwrap().starts_with("aside-")
    });
    assert_eq!(asides.count(), 3);
}

#[tokio::test]
async fn an_index_of_an_older_hangar_without_checksums_gets_them() {
    let folder = left(By::Stop).await;
    let database = folder.file("hangar.db");
    let old = folder.dir.path().join("old.db");
    db::make_without_checksums(&old, &database).await.unwrap();
    std::fs::write(&database, std::fs::read(&old).unwrap()).unwrap();
    std::fs::remove_file(folder.dir.path().join("@hangar/checkpoint")).unwrap();
    assert!(!db::has_checksums(&database).unwrap());
    let store = open(folder.dir.path()).await.unwrap();
    assert!(store.vault.index_files.take_found_at_start().is_none());
    assert!(known(&store).await.unwrap() == folder.known);
    store.close().await;
    assert_eq!(
        db::verify(std::fs::File::open(&database).unwrap()).unwrap(),
        db::Verified::Whole
    );
    let store = open(folder.dir.path()).await.unwrap();
    assert!(
        store.vault.index_files.take_found_at_start().is_none(),
        "it is trusted"
    );
    store.close().await;
    let home = std::fs::read_dir(folder.dir.path().join("@hangar")).unwrap();
    assert!(
        home.filter_map(Result::ok).all(|it| !it
            .file_name()
            .to_str()
            .unwrap()
            .starts_with("aside"))
    );
}
