//! Small bodies that are sent again and again: from the cache, or from the page cache.

use super::*;
use std::os::unix::fs::FileExt;

/// Returns `None` if the system does not report the page cache; some file systems do not.
async fn opened_if_the_page_cache_is_reported(dir: &Path) -> Option<Store> {
    let path = dir.join("asked");
    std::fs::write(&path, b"x").unwrap();
    let file = std::fs::File::open(path).unwrap();
    if !crate::store::bodies::kept::read_cached(&file, &mut [0], 0) {
        println!("skipped: this file system does not say what is in memory (RWF_NOWAIT)");
        return None;
    }
    Some(opened(dir).await)
}

/// A small object and its bytes, which were read once.
async fn known(store: &Store, at: &str, bytes: &[u8]) -> (Object, SmallBody) {
    put(store, at, bytes).await;
    let object = store.object(&name("uploads"), &key(at)).await;
    let object = object.unwrap().unwrap();
    assert_eq!(read(store, &object, None).await.unwrap(), bytes);
    let body = store.small_body(&object).unwrap();
    (object, body)
}

fn forget_bodies(store: &Store) {
    store.vault.state.caches.clear();
}

fn is_in_memory(store: &Store, object: &Object) -> bool {
    store.vault.reads.bodies.kept.get(object.sequence).is_some()
}

#[tokio::test]
async fn a_body_that_left_the_cache_is_read_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let Some(store) = opened_if_the_page_cache_is_reported(dir.path()).await else {
        return;
    };
    for (at, size) in [("a byte", 1), ("a picture", 50_000), ("a page", 4096)] {
        let bytes = pattern(size);
        let (object, body) = known(&store, at, &bytes).await;
        assert_eq!(&*body.at_once().unwrap(), bytes);
        forget_bodies(&store);
        let together = [body.at_once().unwrap(), body.at_once().unwrap()];
        assert!(together.iter().all(|one| **one == *bytes), "{at}");
        assert!(!is_in_memory(&store, &object));
    }
    store.close().await;
}

#[tokio::test]
async fn a_body_that_is_read_repeatedly_is_cached() {
    let dir = tempfile::tempdir().unwrap();
    let Some(store) = opened_if_the_page_cache_is_reported(dir.path()).await else {
        return;
    };
    let (object, body) = known(&store, "a", &pattern(50_000)).await;
    forget_bodies(&store);
    let mut reads = 0;
    while !is_in_memory(&store, &object) {
        assert_eq!(&*body.at_once().unwrap(), pattern(50_000));
        reads += 1;
        assert!(reads < 100);
    }
    assert!(reads > 1, "each would drive out another");
    store.close().await;
}

#[tokio::test]
async fn a_damaged_body_is_left_to_the_verifying_reader() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    let (object, body) = known(&store, "a", &pattern(50_000)).await;
    let content::Place::Log { offset, .. } = object.content.bodies.values().next().unwrap().place
    else {
        panic!("not in the log")
    };
    forget_bodies(&store);
    let log = dir.path().join("@hangar/log/00000000000000000001.log");
    let log = std::fs::OpenOptions::new().write(true).open(log).unwrap();
    log.write_all_at(b"x", offset + 40_000).unwrap();
    assert!(body.at_once().is_none());
    let damaged = read(&store, &object, None).await;
    assert!(matches!(damaged, Err(StoreError::Damaged(_))));
    store.close().await;
}

#[tokio::test]
async fn bodies_held_by_slow_readers_count_towards_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let Some(store) = opened_if_the_page_cache_is_reported(dir.path()).await else {
        return;
    };
    let size = usize::try_from(crate::store::bodies::kept::SMALL_BYTES).unwrap();
    let (_, body) = known(&store, "a", &pattern(size)).await;
    forget_bodies(&store);
    let mut held = Vec::new();
    while let Some(bytes) = body.at_once() {
        forget_bodies(&store);
        held.push(bytes);
        assert!(held.len() * size <= 64 << 20);
    }
    assert!(held.len() * size > 60 << 20, "{}", held.len());
    held.pop();
    assert!(body.at_once().is_some());
    store.close().await;
}

#[tokio::test]
async fn a_short_body_is_not_read_into_a_long_buffer() {
    let dir = tempfile::tempdir().unwrap();
    let Some(store) = opened_if_the_page_cache_is_reported(dir.path()).await else {
        return;
    };
    let (_, long) = known(&store, "long", &pattern(60_000)).await;
    let (_, short) = known(&store, "short", &pattern(100)).await;
    forget_bodies(&store);
    drop(long.at_once().unwrap());
    let held: Vec<SmallBytes> = (0..3).map(|_| short.at_once().unwrap()).collect();
    assert!(held.iter().all(|one| **one == *pattern(100)));
    assert!(held.iter().all(|one| one.held_bytes() <= 200));
    drop(held);
    assert_eq!(&*long.at_once().unwrap(), pattern(60_000));
    store.close().await;
}

#[tokio::test]
async fn a_large_object_has_no_small_body() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    put(&store, "large", &pattern(300_000)).await;
    let large = store.object(&name("uploads"), &key("large")).await;
    assert!(store.small_body(&large.unwrap().unwrap()).is_none());
    store.close().await;
}
