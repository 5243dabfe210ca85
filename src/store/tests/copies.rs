//! Starts in a copied folder or without an index: snapshots, and rows whose bytes are missing.

use super::history::copy_folder;
use super::log::lose_index;
use super::*;
use crate::store::record::MAGIC;
use crate::store::{Repair, Salvaged, Scrub};

const LONG: usize = 300 * 1024;

fn snapshots(dir: &Path) -> Vec<std::path::PathBuf> {
    let home = std::fs::read_dir(dir.join("@hangar")).unwrap();
    let mut paths: Vec<_> = home.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        path.extension().is_some_and(|it| it == "db") && !path.ends_with("hangar.db")
    });
    paths.sort();
    paths
}

/// A copy of a folder, as `cp -a` makes it: its files have other inodes.
fn copied(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_folder(dir, copy.path());
    copy
}

fn lose_only_the_index(dir: &Path) {
    for name in ["hangar.db", "hangar.db-wal", "hangar.db-shm"] {
        drop(std::fs::remove_file(dir.join("@hangar").join(name)));
    }
}

/// The blobs of a folder.
fn blobs(dir: &Path) -> std::collections::BTreeSet<std::path::PathBuf> {
    let blobs = std::fs::read_dir(dir.join("@hangar/blobs")).unwrap();
    blobs.map(|entry| entry.unwrap().path()).collect()
}

/// Puts a long body and returns its file.
async fn put_blob(store: &Store, dir: &Path, at: &str, body: &[u8]) -> std::path::PathBuf {
    let before = blobs(dir);
    put(store, at, body).await;
    blobs(dir).difference(&before).next().unwrap().clone()
}

async fn delete(store: &Store, at: &str) {
    let deleted = store.delete(name("uploads"), key(at));
    assert_eq!(deleted.await.unwrap(), Deletion::Deleted);
}

#[tokio::test]
async fn a_lost_index_is_rebuilt_from_the_snapshot_of_a_clean_stop() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    put(&store, "a", b"a").await;
    let known = dump(&store).await;
    store.close().await;
    assert_eq!(snapshots(dir.path()).len(), 1);
    lose_only_the_index(dir.path());
    let (store, rebuilt) = open_from(dir.path(), Source::Index).await.unwrap();
    let rebuilt = rebuilt.unwrap();
    assert_eq!((rebuilt.snapshot, rebuilt.records), (Some(3), 0));
    assert_eq!(dump(&store).await, known);
    put(&store, "b", b"b").await;
    let known = dump(&store).await;
    store.close().await;
    // The two newest snapshots stay, not three.
    assert_eq!(snapshots(dir.path()).len(), 2);
    let (store, rebuilt) = open_from(dir.path(), Source::Index).await.unwrap();
    assert_eq!(rebuilt, None, "the index is trusted");
    store.close().await;
    assert_eq!(snapshots(dir.path()).len(), 2, "nothing changed");
    for source in [Source::Snapshot, Source::Log] {
        let (store, rebuilt) = open_from(dir.path(), source).await.unwrap();
        assert_eq!(
            rebuilt.unwrap().snapshot.is_some(),
            source == Source::Snapshot
        );
        assert_eq!(dump(&store).await, known);
        store.close().await;
    }
}

#[tokio::test]
async fn an_unreached_or_damaged_snapshot_is_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    put(&store, "a", b"a").await;
    store.close().await;
    let store = open(dir.path()).await.unwrap();
    put(&store, "b", b"b").await;
    store.close().await;
    let log = dir.path().join("@hangar/log/00000000000000000001.log");
    let whole = std::fs::read(&log).unwrap();
    // Without the last record the log ends before the newer snapshot.
    let last = whole.windows(MAGIC.len()).rposition(|at| at == MAGIC);
    std::fs::write(&log, &whole[..last.unwrap()]).unwrap();
    lose_only_the_index(dir.path());
    let Err(OpenError::Refused(refusal)) = open(dir.path()).await else {
        panic!("the log went on, and the folder was not copied")
    };
    let sentence = refusal.sentence();
    assert!(
        sentence.contains("does not go on to record 4"),
        "{sentence}"
    );
    let dir = copied(dir.path());
    let (store, rebuilt) = open_from(dir.path(), Source::Index).await.unwrap();
    assert_eq!(rebuilt.unwrap().snapshot, Some(3));
    assert!(get(&store, "a").await.is_some());
    assert!(get(&store, "b").await.is_none());
    store.close().await;
    for snapshot in snapshots(dir.path()) {
        let mut bytes = std::fs::read(&snapshot).unwrap();
        let half = bytes.len() / 2;
        bytes[4096..half].fill(0x5a);
        std::fs::write(snapshot, bytes).unwrap();
    }
    lose_only_the_index(dir.path());
    let (store, rebuilt) = open_from(dir.path(), Source::Index).await.unwrap();
    assert_eq!(rebuilt.unwrap().snapshot, None);
    assert!(get(&store, "a").await.is_some());
    store.close().await;
}

#[tokio::test]
async fn a_row_whose_bytes_are_missing_goes_back_to_an_earlier_version_or_is_dropped() {
    for alone in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let store = opened(dir.path()).await;
        put(&store, "short before", b"kept").await;
        put_blob(&store, dir.path(), "long before", &pattern(LONG)).await;
        put(&store, "deleted between", b"never again").await;
        delete(&store, "deleted between").await;
        let mut gone = Vec::new();
        for at in ["short before", "long before", "deleted between", "new"] {
            gone.push(put_blob(&store, dir.path(), at, &pattern(LONG + 1)).await);
        }
        put_blob(&store, dir.path(), "whole", &pattern(LONG + 2)).await;
        // Two versions lost their bytes: the row goes back to the version before them.
        put(&store, "third", b"first").await;
        gone.push(put_blob(&store, dir.path(), "third", &pattern(LONG + 3)).await);
        gone.push(put_blob(&store, dir.path(), "third", &pattern(LONG + 4)).await);
        let tags = Some("color=red".to_owned());
        store
            .set_tags(name("uploads"), key("third"), tags)
            .await
            .unwrap();
        store.close().await;
        for blob in gone {
            std::fs::remove_file(blob).unwrap();
        }
        let dir = copied(dir.path());
        if alone {
            lose_index(dir.path());
        } else {
            lose_only_the_index(dir.path());
        }
        // If nothing shows that the folder was copied, rows without bytes stay until `hangar rebuild`.
        let source = if alone { Source::Log } else { Source::Index };
        let (store, rebuilt) = open_from(dir.path(), source).await.unwrap();
        let salvaged = Salvaged {
            fell_back: 3,
            dropped: 2,
        };
        assert_eq!(rebuilt.unwrap().salvaged, salvaged);
        assert_eq!(get(&store, "short before").await.unwrap(), b"kept");
        assert_eq!(get(&store, "long before").await.unwrap(), pattern(LONG));
        assert_eq!(get(&store, "whole").await.unwrap(), pattern(LONG + 2));
        assert_eq!(get(&store, "third").await.unwrap(), b"first");
        assert!(get(&store, "deleted between").await.is_none());
        assert!(get(&store, "new").await.is_none());
        let checked = store
            .upkeep()
            .check(Progress::default().into(), Repair::default())
            .await
            .unwrap();
        assert_eq!((checked.damages, checked.left_over), (0, 0));
        // A replay of the log alone gives the same rows.
        let known = dump(&store).await;
        store.close().await;
        let (store, _) = open_from(dir.path(), Source::Log).await.unwrap();
        assert_eq!(dump(&store).await, known);
        store.close().await;
    }
}

#[tokio::test]
async fn a_body_that_was_punched_out_of_the_log_counts_as_missing() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    put(&store, "zeros", &[0; 9000]).await;
    put(&store, "punched", &pattern(9000)).await;
    put(&store, "last", b"a").await;
    let object = store.object(&name("uploads"), &key("punched")).await;
    let content = object.unwrap().unwrap().content.clone();
    let body = content.bodies.values().next().unwrap();
    let crate::store::content::Place::Log { segment, offset } = body.place else {
        panic!("it is in the log")
    };
    store.close().await;
    let log = Dir::open(&dir.path().join("@hangar/log")).unwrap();
    crate::store::record::segments::punch(&log, segment, offset, 9000).unwrap();
    let dir = copied(dir.path());
    lose_only_the_index(dir.path());
    let (store, rebuilt) = open_from(dir.path(), Source::Index).await.unwrap();
    assert_eq!(rebuilt.unwrap().salvaged.dropped, 1);
    assert!(get(&store, "punched").await.is_none());
    assert_eq!(get(&store, "zeros").await.unwrap(), [0; 9000]);
    store.close().await;
}

#[tokio::test]
async fn a_start_that_migrates_the_index_leaves_a_snapshot_from_before() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    store.close().await;
    for snapshot in snapshots(dir.path()) {
        std::fs::remove_file(snapshot).unwrap();
    }
    let database = dir.path().join("@hangar/hangar.db");
    let mut index = db::open_writer(&database).await.unwrap();
    for statement in [
        "DROP TABLE pointers",
        "CREATE TABLE pointers (kind TEXT, owner_id TEXT, asset_id TEXT)",
        "DELETE FROM _sqlx_migrations WHERE version = 8",
    ] {
        sqlx::query(statement).execute(&mut index).await.unwrap();
    }
    index.close().await.unwrap();
    let store = open(dir.path()).await.unwrap();
    store.close().await;
    let [snapshot] = &snapshots(dir.path())[..] else {
        panic!("one snapshot")
    };
    let mut before = db::open_copy(snapshot).await.unwrap();
    assert_eq!(db::tables(&mut before).await.unwrap(), db::Tables::Older);
}

#[tokio::test]
async fn a_snapshot_is_made_when_the_log_has_grown_and_not_twice_in_an_hour() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::default();
    let store = open_at(dir.path(), clock.clone()).await.unwrap();
    store.upkeep().renew_snapshot().await.unwrap();
    assert_eq!(snapshots(dir.path()).len(), 0, "a log that is short");
    store.create_bucket(name("uploads")).await.unwrap();
    put(&store, "a", &pattern(200_000)).await;
    store.upkeep().renew_snapshot().await.unwrap();
    assert_eq!(snapshots(dir.path()).len(), 1);
    put(&store, "b", &pattern(200_000)).await;
    store.upkeep().renew_snapshot().await.unwrap();
    assert_eq!(snapshots(dir.path()).len(), 1, "within the hour");
    clock.advance(std::time::Duration::from_mins(61));
    store.upkeep().renew_snapshot().await.unwrap();
    assert_eq!(snapshots(dir.path()).len(), 2);
    store.close().await;
}

#[tokio::test]
async fn the_scrub_reads_everything_once_in_an_interval_and_reports_damage() {
    use std::time::Duration;
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    put(&store, "whole", &pattern(9000)).await;
    let blob = put_blob(&store, dir.path(), "damaged", &pattern(LONG)).await;
    std::fs::write(&blob, vec![7; LONG]).unwrap();
    let (hour, mut scrub) = (Duration::from_hours(1), Scrub::default());
    store
        .upkeep()
        .scrub(&mut scrub, hour / 10, hour)
        .await
        .unwrap();
    assert_eq!(
        store.upkeep().health().warnings,
        [],
        "its turn has not come"
    );
    // The progress of a scrub survives a restart.
    let mut scrub = Scrub::default();
    store.upkeep().scrub(&mut scrub, hour, hour).await.unwrap();
    assert_eq!(
        store.upkeep().health().warnings,
        [crate::warnings::Warning::DamagedBodies { count: 1 }]
    );
    std::fs::write(&blob, pattern(LONG)).unwrap();
    store.upkeep().scrub(&mut scrub, hour, hour).await.unwrap();
    store.upkeep().scrub(&mut scrub, hour, hour).await.unwrap();
    assert_eq!(
        store.upkeep().health().warnings,
        [],
        "the next round finds it whole"
    );
    store.close().await;
}
