//! Freeing unreferenced bytes.

use super::*;
use crate::store::{Freed, Janitor, Mode};
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);
const LONG: usize = 300 * 1024;

async fn free(janitor: &mut Janitor) -> (u64, u64, u64) {
    let Freed {
        bodies,
        left_over,
        waiting,
        ..
    } = janitor.free(Mode::Do, false).await.unwrap();
    (bodies, left_over, waiting)
}

async fn delete(store: &Store, at: &str) {
    let deleted = store.delete(name("uploads"), key(at)).await;
    assert_eq!(deleted.unwrap(), Deletion::Deleted);
}

async fn look(store: &Store, at: &str) -> Object {
    store
        .object(&name("uploads"), &key(at))
        .await
        .unwrap()
        .unwrap()
}

async fn copy(store: &Store, source: &Object, to: &str) {
    store
        .copy(source, target(to), WritePrecondition::None, None)
        .await
        .unwrap();
}

/// A store with the bucket `uploads`, its clock, and its janitor.
async fn kept(dir: &Path) -> (Store, Clock, Janitor) {
    let clock = Clock::default();
    let store = open_at(dir, clock.clone()).await.unwrap();
    store.create_bucket(name("uploads")).await.unwrap();
    let janitor = store.upkeep().janitor();
    (store, clock, janitor)
}

fn blobs(store: &Store) -> usize {
    std::fs::read_dir(store.home().join("blobs"))
        .unwrap()
        .count()
}

/// The number of 512-byte blocks that the log uses.
fn log_blocks(store: &Store) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let segments = std::fs::read_dir(store.home().join("log")).unwrap();
    segments
        .map(|file| file.unwrap().metadata().unwrap().blocks())
        .sum()
}

#[tokio::test]
async fn deleted_bytes_are_freed_after_the_grace_period_in_blobs_and_in_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock, mut janitor) = kept(dir.path()).await;
    put(&store, "long", &vec![1; LONG]).await;
    put(&store, "short", &vec![2; 200_000]).await;
    put(&store, "stays", &vec![3; 100_000]).await;
    delete(&store, "long").await;
    delete(&store, "short").await;
    assert_eq!(free(&mut janitor).await, (0, 0, 2));
    clock.advance(Duration::from_hours(23));
    assert_eq!(free(&mut janitor).await, (0, 0, 2));
    assert_eq!(blobs(&store), 1);
    let before = log_blocks(&store);
    clock.advance(Duration::from_hours(1));
    assert_eq!(free(&mut janitor).await, (2, 0, 0));
    assert_eq!(blobs(&store), 0);
    assert!(
        log_blocks(&store) + 350 < before,
        "200,000 bytes are 390 blocks"
    );
    assert_eq!(free(&mut janitor).await, (0, 0, 0));
    store.close().await;
    std::fs::remove_file(dir.path().join("@hangar/hangar.db")).unwrap();
    let store = open(dir.path()).await.unwrap();
    assert_eq!(get(&store, "stays").await.unwrap(), vec![3; 100_000]);
    assert_eq!(get(&store, "long").await, None);
    store.close().await;
}

#[tokio::test]
async fn an_object_looked_up_before_its_deletion_can_be_read_and_copied() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock, mut janitor) = kept(dir.path()).await;
    for (at, length) in [("long", LONG), ("short", 1000)] {
        put(&store, at, &vec![7; length]).await;
        let object = look(&store, at).await;
        delete(&store, at).await;
        free(&mut janitor).await;
        clock.advance(DAY);
        // The grace period is over, but the object is in use.
        assert_eq!(free(&mut janitor).await.0, 0);
        copy(&store, &object, "copy").await;
        drop(object);
        assert_eq!(free(&mut janitor).await, (0, 0, 0));
        assert_eq!(get(&store, "copy").await.unwrap(), vec![7; length]);
        delete(&store, "copy").await;
        free(&mut janitor).await;
        clock.advance(DAY);
        assert_eq!(free(&mut janitor).await.0, 1);
    }
    store.close().await;
}

#[tokio::test]
async fn a_copy_keeps_the_bytes_of_an_object_that_was_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock, mut janitor) = kept(dir.path()).await;
    put(&store, "a", &vec![1; LONG]).await;
    let source = look(&store, "a").await;
    copy(&store, &source, "b").await;
    drop(source);
    put(&store, "a", &vec![2; LONG]).await;
    free(&mut janitor).await;
    clock.advance(DAY);
    assert_eq!(free(&mut janitor).await, (0, 0, 0));
    assert_eq!(get(&store, "b").await.unwrap(), vec![1; LONG]);
    store.close().await;
}

#[tokio::test]
async fn a_running_upload_keeps_its_blob_and_an_interrupted_one_leaves_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock, mut janitor) = kept(dir.path()).await;
    let slow = sealed(&store, &vec![5; LONG]).await;
    std::fs::write(store.home().join("blobs").join("0".repeat(32)), "cut off").unwrap();
    std::fs::write(store.home().join("blobs/notes.txt"), "somebody's").unwrap();
    assert_eq!(free(&mut janitor).await, (0, 0, 1));
    clock.advance(DAY * 2);
    assert_eq!(free(&mut janitor).await, (0, 1, 0));
    store
        .commit(target("slow"), slow, WritePrecondition::None)
        .await
        .unwrap();
    assert_eq!(get(&store, "slow").await.unwrap(), vec![5; LONG]);
    clock.advance(DAY * 2);
    assert_eq!(free(&mut janitor).await, (0, 0, 0));
    assert_eq!(blobs(&store), 2);
    store.close().await;
}

#[tokio::test]
async fn neither_the_wall_clock_nor_a_dry_run_frees_anything() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock, mut janitor) = kept(dir.path()).await;
    put(&store, "a", &vec![1; LONG]).await;
    delete(&store, "a").await;
    free(&mut janitor).await;
    clock.jump(i64::from(u32::MAX));
    assert_eq!(free(&mut janitor).await, (0, 0, 1));
    clock.advance(DAY);
    let told = janitor.free(Mode::Tell, false).await.unwrap();
    assert_eq!((told.bodies, told.bytes), (1, LONG as u64));
    assert_eq!(blobs(&store), 1);
    assert_eq!(free(&mut janitor).await, (1, 0, 0));
    store.close().await;
}

#[tokio::test]
async fn a_crash_between_recording_and_freeing_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock, mut janitor) = kept(dir.path()).await;
    put(&store, "a", &vec![1; LONG]).await;
    let file = std::fs::read_dir(store.home().join("blobs"))
        .unwrap()
        .next();
    let path = file.unwrap().unwrap().path();
    delete(&store, "a").await;
    free(&mut janitor).await;
    clock.advance(DAY);
    assert_eq!(free(&mut janitor).await, (1, 0, 0));
    store.close().await;
    // The state after a crash that came before the file was removed and the index had applied the record.
    std::fs::write(&path, vec![1; LONG]).unwrap();
    super::log::lose_index(dir.path());
    let store = open(dir.path()).await.unwrap();
    assert!(!path.exists());
    assert_eq!(get(&store, "a").await, None);
    store.close().await;
}

#[tokio::test]
async fn parts_of_an_aborted_upload_are_freed() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock, mut janitor) = kept(dir.path()).await;
    let new = NewUpload {
        bucket: name("uploads"),
        key: key("big"),
        meta: ObjectMeta::default(),
        checksum: None,
    };
    let upload = store.create_upload(new).await.unwrap();
    let part = sealed(&store, &vec![1; LONG]).await;
    store.put_part(&upload, 1, part).await.unwrap();
    clock.advance(DAY);
    assert_eq!(free(&mut janitor).await, (0, 0, 0));
    store
        .abort_upload(upload.bucket, upload.key, upload.id)
        .await
        .unwrap();
    free(&mut janitor).await;
    clock.advance(DAY);
    assert_eq!(free(&mut janitor).await, (1, 0, 0));
    assert_eq!(blobs(&store), 0);
    store.close().await;
}
