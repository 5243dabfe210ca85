//! Read-only stores: they return what the next start would, and refuse changes.

use super::parts::files_in;
use super::*;

#[tokio::test]
async fn a_store_opened_for_reading_reads_everything_and_refuses_changes() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    put(&store, "small", b"in the log").await;
    put(&store, "large", &pattern(300_000)).await;
    store.record_new(note("a", "a note")).await.unwrap();
    store.close().await;
    drop(store);
    let before = files_in(dir.path());
    let looked = look(dir.path()).await.unwrap();
    assert_eq!(get(&looked, "small").await.unwrap(), b"in the log");
    assert_eq!(get(&looked, "large").await.unwrap(), pattern(300_000));
    let refused = looked.record_new(note("b", "another")).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
    let refused = looked.create_bucket(name("another")).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))));
    let deleted = looked.delete(name("uploads"), key("small"));
    assert!(matches!(deleted.await, Err(StoreError::Unavailable(_))));
    let checked = looked
        .upkeep()
        .check(Arc::default(), Repair::default())
        .await
        .unwrap();
    assert_eq!((checked.damages, checked.objects), (0, 2));
    looked.close().await;
    assert!(files_in(dir.path()) == before);
    // Other commands may open it read-only too, and no server starts meanwhile.
    let another = look(dir.path()).await.unwrap();
    assert!(matches!(open(dir.path()).await, Err(OpenError::Locked(_))));
    drop((looked, another));
    let store = open(dir.path()).await.unwrap();
    assert!(matches!(look(dir.path()).await, Err(OpenError::Locked(_))));
    assert_eq!(get(&store, "small").await.unwrap(), b"in the log");
    store.close().await;
}

#[tokio::test]
async fn opening_an_empty_folder_read_only_creates_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let none = dir.path().join("none");
    for path in ["none", "empty", "home/@hangar", "log/@hangar/log"] {
        let path = dir.path().join(path);
        if path != none {
            std::fs::create_dir_all(&path).unwrap();
        }
    }
    for folder in ["none", "empty", "home", "log"] {
        let path = dir.path().join(folder);
        let Err(OpenError::Refused(refusal)) = look(&path).await else {
            panic!("{folder} was looked at as a data folder")
        };
        let sentence = refusal.sentence();
        let expected = match folder {
            "none" | "empty" => format!("the data folder {} cannot be used: ", path.display()),
            "home" => format!("{} holds no log: ", path.display()),
            _ => "the log in the data folder is missing; ".to_owned(),
        };
        assert!(sentence.starts_with(&expected), "{sentence}");
        assert!(!matches!(holds_data(&path), Ok(true)), "{folder}");
    }
    assert!(!none.exists());
    assert!(!dir.path().join("empty/@hangar").exists());
    assert!(!dir.path().join("home/@hangar/log").exists());
    assert!(!dir.path().join("log/@hangar/blobs").exists());
}

/// Rows that no snapshot has come from the log.
#[tokio::test]
async fn a_read_only_store_of_an_unclosed_folder_returns_what_its_next_start_returns() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    put(&store, "kept", b"kept").await;
    put(&store, "gone", b"gone").await;
    store.close().await;
    let store = open(dir.path()).await.unwrap();
    store.announce("{}").await.unwrap();
    put(&store, "kept", b"replaced").await;
    let deleted = store.delete(name("uploads"), key("gone"));
    deleted.await.unwrap();
    // The folder as a killed server leaves it.
    let copy = tempfile::tempdir().unwrap();
    for (path, bytes) in files_in(dir.path()) {
        let path = copy.path().join("@hangar").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    std::fs::create_dir_all(copy.path().join("@hangar/blobs")).unwrap();
    store.close().await;
    for is_there in [true, false] {
        if !is_there {
            std::fs::remove_file(copy.path().join("@hangar/hangar.db")).unwrap();
        }
        let before = files_in(copy.path());
        let looked = look(copy.path()).await.unwrap();
        assert_eq!(get(&looked, "kept").await.unwrap(), b"replaced");
        assert!(get(&looked, "gone").await.is_none());
        looked.close().await;
        assert!(files_in(copy.path()) == before);
    }
}

#[tokio::test]
async fn opening_read_only_is_refused_if_the_next_start_is_for_a_log_that_ends_too_early() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    put(&store, "kept", b"kept").await;
    let segment = dir.path().join("@hangar/log/00000000000000000001.log");
    let shorter = std::fs::metadata(&segment).unwrap().len();
    put(&store, "lost", b"lost").await;
    store.close().await;
    let home = dir.path().join("@hangar");
    let log = std::fs::OpenOptions::new().write(true).open(&segment);
    log.unwrap().set_len(shorter).unwrap();
    // Only the name of the snapshot is left.
    std::fs::remove_file(home.join("hangar.db")).unwrap();
    for entry in std::fs::read_dir(&home).unwrap() {
        let path = entry.unwrap().path();
        if path.to_str().unwrap().contains("/snapshot-") {
            std::fs::write(path, "nothing").unwrap();
        }
    }
    let before = files_in(dir.path());
    let looked = look(dir.path()).await.map(drop).unwrap_err();
    assert!(
        looked.to_string().contains("ends before record"),
        "{looked}"
    );
    assert!(files_in(dir.path()) == before);
    let started = open(dir.path()).await.map(drop).unwrap_err();
    assert_eq!(started.to_string(), looked.to_string());
}
