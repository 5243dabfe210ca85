//! Malicious folders, snapshots and logs.

use super::history::copy_folder;
use super::*;
use crate::store::dir::Dir;
use crate::store::journal::log::Log;
use crate::store::record::{Change, Draft, Unreferenced};
use crate::store::record::{reader, segments};
use crate::store::{BackupError, content::Place, restore};
use std::os::unix::fs::symlink;

const LONG: usize = 300 * 1024;

/// A folder after a clean stop, with a blob and two bodies in its log.
async fn stopped() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    put(&store, "short", b"short").await;
    put(&store, "page", &pattern(9000)).await;
    put(&store, "long", &pattern(LONG)).await;
    store.close().await;
    dir
}

async fn backed_up(dir: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    let store = open(dir).await.unwrap();
    let progress = Progress::default();
    let copies = store
        .upkeep()
        .backup(to.path(), Verify::All, &progress)
        .await;
    assert_eq!(copies.unwrap().damages, 0);
    store.close().await;
    to
}

fn snapshot_of(dir: &Path) -> std::path::PathBuf {
    let home = std::fs::read_dir(dir.join("@hangar")).unwrap();
    let mut paths = home.map(|entry| entry.unwrap().path());
    paths
        .find(|path| {
            path.file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with("snapshot-")
        })
        .unwrap()
}

async fn say(snapshot: &Path, statements: &[&'static str]) {
    let mut index = db::open_copy(snapshot).await.unwrap();
    for statement in statements {
        sqlx::query(*statement).execute(&mut index).await.unwrap();
    }
    index.close().await.unwrap();
}

#[tokio::test]
async fn a_snapshot_with_a_blob_outside_the_folder_is_not_restored() {
    let dir = stopped().await;
    for statement in [
        r#"UPDATE bodies SET place = '{"blob":{"id":"../../victim"}}' WHERE place LIKE '%blob%'"#,
        r#"UPDATE bodies SET place = '{"blob":{"id":"/etc/passwd"}}' WHERE place LIKE '%blob%'"#,
        r#"UPDATE bodies SET place = '{"log":{"segment":1,"offset":18446744073709551615}}' WHERE place LIKE '%blob%'"#,
    ] {
        let backup = backed_up(dir.path()).await;
        say(&snapshot_of(backup.path()), &[statement]).await;
        let to = tempfile::tempdir().unwrap();
        let to = to.path().join("data");
        let progress = Progress::default();
        let restored = restore(backup.path(), &config(&to), &progress).await;
        assert!(
            matches!(restored, Err(BackupError::Store(_))),
            "{statement}"
        );
        let Err(OpenError::Refused(refusal)) = open(&to).await else {
            panic!("a folder that was not restored whole started a server")
        };
        let sentence = refusal.sentence();
        assert!(
            sentence.contains("was cut off: run `hangar restore` again"),
            "{sentence}"
        );
    }
}

#[tokio::test]
async fn absurd_numbers_in_a_snapshot_are_damage_and_cause_no_panic() {
    let dir = stopped().await;
    for statement in [
        "UPDATE bodies SET size_bytes = 4611686018427387904",
        r#"UPDATE bodies SET place = '{"log":{"segment":1,"offset":281474976710656}}'"#,
        r#"UPDATE bodies SET place = '{"log":{"segment":9223372036854775807,"offset":8}}'"#,
        "UPDATE bodies SET block_crcs = ''",
        "UPDATE bodies SET block_crcs = block_crcs || block_crcs || block_crcs",
    ] {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(dir.path(), copy.path());
        std::fs::remove_file(copy.path().join("@hangar/hangar.db")).unwrap();
        say(&snapshot_of(copy.path()), &[statement]).await;
        match open(copy.path()).await {
            Ok(store) => {
                for at in ["short", "page", "long"] {
                    let object = store.object(&name("uploads"), &key(at)).await;
                    if let Ok(Some(object)) = object
                        && let Ok(body) = read(&store, &object, None).await
                    {
                        assert!([5, 9000, LONG].contains(&body.len()), "{statement}");
                    }
                }
                store.close().await;
            }
            Err(OpenError::Refused(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_snapshot_with_a_trigger_or_a_view_is_skipped() {
    let dir = stopped().await;
    for statement in [
        "CREATE TRIGGER act AFTER INSERT ON objects BEGIN DELETE FROM objects; END",
        "CREATE VIEW act AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n",
    ] {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(dir.path(), copy.path());
        std::fs::remove_file(copy.path().join("@hangar/hangar.db")).unwrap();
        say(&snapshot_of(copy.path()), &[statement]).await;
        let (store, rebuilt) = open_from(copy.path(), Source::Index).await.unwrap();
        assert_eq!(rebuilt.unwrap().snapshot, None, "the log alone");
        assert_eq!(get(&store, "page").await.unwrap(), pattern(9000));
        store.close().await;
    }
}

#[tokio::test]
async fn a_record_that_frees_more_than_its_body_frees_nothing() {
    let dir = stopped().await;
    let home = Dir::open(&dir.path().join("@hangar")).unwrap();
    let log = home.folder("log").unwrap();
    let reader::Found::Log(id) = reader::find(&log).unwrap() else {
        panic!("there is a log")
    };
    let mut reader =
        reader::Reader::new(&log, id, segments::begin(&log).unwrap().unwrap()).unwrap();
    let mut end = segments::begin(&log).unwrap().unwrap();
    while let Some((_, next)) = reader.next().unwrap() {
        end = next;
    }
    let mut writing = Log::resume(&log, id, end).unwrap();
    let bodies = vec![Unreferenced {
        body: 1,
        place: Place::Log {
            segment: 1,
            offset: 0,
        },
        size_bytes: 1 << 40,
    }];
    let change = Change::Freed { bodies };
    let draft = Draft::new(crate::clock::Timestamp::from_millis(0), change, None);
    writing.append(&[draft]).unwrap();
    drop(writing);
    let before = std::fs::read(dir.path().join("@hangar/log/00000000000000000001.log")).unwrap();
    let store = open(dir.path()).await.unwrap();
    assert_eq!(get(&store, "page").await.unwrap(), pattern(9000));
    store.close().await;
    let after = std::fs::read(dir.path().join("@hangar/log/00000000000000000001.log")).unwrap();
    assert!(before == after);
}

#[tokio::test]
async fn folders_and_files_that_are_links_stop_the_start_and_are_not_written_through() {
    let dir = stopped().await;
    for part in [
        "log",
        "blobs",
        "lock",
        "hangar.db",
        "log/00000000000000000001.log",
    ] {
        let (copy, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        copy_folder(dir.path(), copy.path());
        let (path, moved) = (
            copy.path().join("@hangar").join(part),
            elsewhere.path().join("moved"),
        );
        std::fs::rename(&path, &moved).unwrap();
        symlink(&moved, &path).unwrap();
        let before = std::fs::read(&moved).ok();
        let Err(OpenError::Refused(refusal)) = open(copy.path()).await else {
            panic!("{part} is a link, and it started")
        };
        let sentence = refusal.sentence();
        assert!(sentence.contains("is not a"), "{sentence}");
        assert_eq!(std::fs::read(&moved).ok(), before);
    }
}

#[tokio::test]
async fn a_log_with_a_second_hard_link_is_not_written_to() {
    let dir = stopped().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let segment = dir.path().join("@hangar/log/00000000000000000001.log");
    std::fs::hard_link(&segment, elsewhere.path().join("kept")).unwrap();
    let Err(OpenError::Refused(refusal)) = open(dir.path()).await else {
        panic!("it started")
    };
    let sentence = refusal.sentence();
    assert!(sentence.contains("hard link"), "{sentence}");
}

#[tokio::test]
async fn a_blob_that_only_the_log_names_is_never_removed_as_left_over() {
    let dir = stopped().await;
    let mut index = db::open_writer(&dir.path().join("@hangar/hangar.db"))
        .await
        .unwrap();
    for statement in [
        "DELETE FROM objects WHERE key = 'long'",
        "DELETE FROM bodies WHERE place LIKE '%blob%'",
    ] {
        sqlx::query(statement).execute(&mut index).await.unwrap();
    }
    index.close().await.unwrap();
    let store = open(dir.path()).await.unwrap();
    let freed = store.upkeep().janitor().free(Mode::Do, true).await.unwrap();
    assert_eq!(freed.left_over, 0);
    store.close().await;
    super::log::lose_index(dir.path());
    let store = open(dir.path()).await.unwrap();
    assert_eq!(get(&store, "long").await.unwrap(), pattern(LONG));
    store.close().await;
}

#[tokio::test]
async fn an_index_that_was_partly_set_aside_is_set_aside_completely() {
    let dir = stopped().await;
    let store = open(dir.path()).await.unwrap();
    store.announce("{}").await.unwrap();
    put(&store, "last", b"last").await;
    let live = tempfile::tempdir().unwrap();
    copy_folder(dir.path(), live.path());
    store.close().await;
    // Every state in which a crash may leave files that are renamed one after the other.
    for moved in 0..=3_usize {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(live.path(), copy.path());
        let home = copy.path().join("@hangar");
        std::fs::create_dir(home.join("aside-1")).unwrap();
        for name in ["hangar.db", "hangar.db-wal", "hangar.db-shm"]
            .iter()
            .take(moved)
        {
            std::fs::rename(home.join(name), home.join("aside-1").join(name)).unwrap();
        }
        std::fs::write(home.join("snapshot.new"), "half").unwrap();
        std::fs::copy(
            live.path().join("@hangar/hangar.db-wal"),
            home.join("snapshot.new-wal"),
        )
        .unwrap();
        let store = open(copy.path()).await.unwrap();
        assert_eq!(
            get(&store, "last").await.unwrap(),
            b"last",
            "{moved} were moved"
        );
        assert_eq!(get(&store, "long").await.unwrap(), pattern(LONG));
        store.close().await;
    }
}
