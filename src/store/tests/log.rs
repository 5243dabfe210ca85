//! Starts with a log that is cut, damaged or from another time.

use super::*;
use crate::s3::checksum::crc64_nvme;
use crate::store::record::{BadHead, FORMAT_VERSION, HEAD_BYTES, Head, MAGIC};
use rstest::rstest;

const SEGMENT: &str = "@hangar/log/00000000000000000001.log";

/// Removes the index and its snapshots, so that the next start reads the log from its beginning.
pub(super) fn lose_index(dir: &Path) {
    for name in ["hangar.db", "hangar.db-wal", "hangar.db-shm"] {
        drop(std::fs::remove_file(dir.join("@hangar").join(name)));
    }
    for entry in std::fs::read_dir(dir.join("@hangar")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_str().unwrap().starts_with("snapshot-") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
}

/// The position of each record, found by its magic.
fn starts(log: &[u8]) -> Vec<usize> {
    (0..log.len())
        .step_by(8)
        .filter(|at| log[*at..].starts_with(&MAGIC))
        .collect()
}

#[tokio::test]
async fn a_log_cut_at_every_byte_of_its_last_records_holds_every_whole_record() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    put(&store, "kept", b"kept").await;
    put(&store, "body", &pattern(1000)).await;
    store.record_new(note("last", "note")).await.unwrap();
    store.close().await;
    let log = std::fs::read(dir.path().join(SEGMENT)).unwrap();
    let starts = starts(&log);
    let [.., body, note] = starts[..] else {
        panic!("too few records")
    };
    let end = log.len();
    for cut in (body..end).filter(|cut| cut % 7 == 0 || end - cut < 16 || *cut == note) {
        let copy = tempfile::tempdir().unwrap();
        copy_identical(dir.path(), copy.path());
        std::fs::write(copy.path().join(SEGMENT), &log[..cut]).unwrap();
        let store = open(copy.path()).await.unwrap();
        assert_eq!(get(&store, "kept").await.unwrap(), b"kept");
        let whole =
            cut >= note || log[cut..note].iter().all(|byte| *byte == 0) && cut > body + 1000;
        assert_eq!(
            get(&store, "body").await,
            whole.then(|| pattern(1000)),
            "cut at {cut}"
        );
        // The log continues from there, and the next start reads that too.
        put(&store, "body", b"again").await;
        store.close().await;
        lose_index(copy.path());
        let store = open(copy.path()).await.unwrap();
        assert_eq!(get(&store, "body").await.unwrap(), b"again");
        store.close().await;
    }
}

#[tokio::test]
async fn an_interrupted_first_start_is_repeated_whatever_index_it_left() {
    let other = tempfile::tempdir().unwrap();
    opened(other.path()).await.close().await;
    let mut damaged = std::fs::read(other.path().join("@hangar/hangar.db")).unwrap();
    damaged.truncate(4096);
    damaged[200] ^= 1;
    for left in [&damaged[..], &damaged[..100], b"", &[7; 4096]] {
        let dir = tempfile::tempdir().unwrap();
        let folder = crate::store::recovery::data_folder::open(dir.path(), false, None).unwrap();
        let mut file = IndexFile::of(&folder).unwrap();
        file.checkpoints.begin_anew(Some(db::Origin::New)).unwrap();
        std::fs::write(folder.database(), left).unwrap();
        drop((file, folder));
        let store = opened(dir.path()).await;
        put(&store, "key", b"body").await;
        store.close().await;
        let store = open(dir.path()).await.unwrap();
        assert_eq!(get(&store, "key").await.unwrap(), b"body");
        store.close().await;
        // After the first response, a missing log is a loss.
        std::fs::remove_file(dir.path().join(SEGMENT)).unwrap();
        assert!(refusal(dir.path()).await.contains("is missing"));
    }
}

/// Only the checkpoint note shows that there was a log.
#[tokio::test]
async fn a_log_that_is_lost_with_its_index_is_not_replaced_by_a_new_one() {
    use db::Origin::{Copy, Own, Unknown};
    for half_made in [None, Some(Own), Some(Copy), Some(Unknown)] {
        let dir = tempfile::tempdir().unwrap();
        let store = opened(dir.path()).await;
        put(&store, "key", b"body").await;
        store.close().await;
        if half_made.is_some() {
            let folder =
                crate::store::recovery::data_folder::open(dir.path(), false, None).unwrap();
            let mut file = IndexFile::of(&folder).unwrap();
            file.checkpoints.begin_anew(half_made).unwrap();
        }
        lose_index(dir.path());
        std::fs::remove_file(dir.path().join(SEGMENT)).unwrap();
        for _ in 0..2 {
            let said = refusal(dir.path()).await;
            let is_named = said.contains("is missing, and checkpoint says that there was one");
            assert!(is_named, "{half_made:?}: {said}");
        }
    }
}

#[tokio::test]
async fn damage_before_the_synced_end_stops_the_start_and_damage_after_it_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    put(&store, "first", &pattern(100)).await;
    put(&store, "second", &pattern(100)).await;
    put(&store, "third", &pattern(100)).await;
    store.close().await;
    let log = std::fs::read(dir.path().join(SEGMENT)).unwrap();
    let starts = starts(&log);
    let flipped = |at: usize| {
        let copy = tempfile::tempdir().unwrap();
        copy_identical(dir.path(), copy.path());
        let mut log = log.clone();
        log[at] ^= 1;
        std::fs::write(copy.path().join(SEGMENT), log).unwrap();
        copy
    };
    // The head of the second record: in a copied folder, or with `hangar rebuild`, the log ends there, and the rest is
    // set aside.
    let copy = flipped(starts[3] + HEAD_BYTES + 3);
    let sentence = refusal(copy.path()).await;
    assert!(sentence.contains("record 4 is damaged"), "{sentence}");
    let store = rebuilt(copy.path()).await;
    assert!(get(&store, "first").await.is_some());
    assert!(get(&store, "second").await.is_none());
    store.close().await;
    let aside = std::fs::read_dir(copy.path().join("@hangar")).unwrap();
    let aside: Vec<String> = aside
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        aside.iter().any(|name| name.starts_with("aside-log-")),
        "{aside:?}"
    );
    // A damaged body before the synced end does not stop the start; its reader gets an error.
    let head: &[u8; HEAD_BYTES] = log[starts[3]..starts[3] + HEAD_BYTES].try_into().unwrap();
    let head = Head::parse(head, Head::log_id(head).unwrap()).unwrap();
    let body = usize::try_from(head.body_offset(starts[3] as u64)).unwrap();
    let copy = flipped(body + 5);
    let store = open(copy.path()).await.unwrap();
    let second = store
        .object(&name("uploads"), &key("second"))
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(
        read(&store, &second, None).await,
        Err(StoreError::Damaged(_))
    ));
    assert!(get(&store, "third").await.is_some());
    store.close().await;
    // In the last record, damage to the head or the body is a torn write.
    let copy = flipped(body + starts[4] - starts[3] + 5);
    let store = open(copy.path()).await.unwrap();
    assert!(get(&store, "second").await.is_some());
    assert!(get(&store, "third").await.is_none());
    store.close().await;
}

/// A folder whose record 6 is damaged, after three records of one row. These are applied in separate transactions, so
/// the index is half-made when the replay finds the damage.
async fn damaged_behind_applied_records() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    for _ in 0..3 {
        put(&store, "first", &pattern(100)).await;
    }
    put(&store, "second", &pattern(100)).await;
    put(&store, "third", &pattern(100)).await;
    store.close().await;
    let mut log = std::fs::read(dir.path().join(SEGMENT)).unwrap();
    let at = starts(&log)[5] + HEAD_BYTES + 3;
    log[at] ^= 1;
    std::fs::write(dir.path().join(SEGMENT), log).unwrap();
    dir
}

#[rstest]
#[case::of_which_nothing_is_known(false)]
#[case::that_is_its_own(true)]
#[tokio::test]
async fn a_start_that_was_refused_halfway_is_refused_again_and_sets_no_log_aside(
    #[case] is_own: bool,
) {
    let dir = damaged_behind_applied_records().await;
    let log = std::fs::read(dir.path().join(SEGMENT)).unwrap();
    let database = dir.path().join("@hangar/hangar.db");
    if is_own {
        let index = std::fs::read(&database).unwrap();
        lose_index(dir.path());
        std::fs::write(&database, index).unwrap();
        std::fs::write(dir.path().join("@hangar/index-damaged"), b"").unwrap();
        let folder = crate::store::recovery::data_folder::open(dir.path(), true, Some(0)).unwrap();
        let mut file = IndexFile::of(&folder).unwrap();
        file.checkpoints.begin_anew(None).unwrap();
        folder.release();
    } else {
        lose_index(dir.path());
    }
    for _ in 0..6 {
        let sentence = refusal(dir.path()).await;
        assert!(sentence.contains("record 6 is damaged"), "{sentence}");
        assert!(std::fs::read(dir.path().join(SEGMENT)).unwrap() == log);
    }
    let set_aside = std::fs::read_dir(dir.path().join("@hangar")).unwrap();
    let names = set_aside.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let set_aside: Vec<String> = names.filter(|name| name.starts_with("aside")).collect();
    assert!(set_aside.len() <= 3, "{set_aside:?}");
    if !is_own {
        let store = rebuilt(dir.path()).await;
        assert!(get(&store, "first").await.is_some());
        assert!(get(&store, "second").await.is_none());
        store.close().await;
    }
}

#[tokio::test]
async fn a_rebuild_that_the_log_does_not_allow_keeps_the_existing_index() {
    let dir = damaged_behind_applied_records().await;
    for _ in 0..2 {
        let progress = Progress::default();
        let config = config(dir.path());
        let opened = Store::open_from(
            config,
            Clock::default(),
            notes().into(),
            Source::Log,
            &progress,
        );
        let Err(OpenError::Refused(refusal)) = opened.await else {
            panic!("it was made again")
        };
        let sentence = refusal.sentence();
        assert!(sentence.contains("record 6 is damaged"), "{sentence}");
        let store = open(dir.path()).await.unwrap();
        for at in ["first", "second", "third"] {
            assert_eq!(get(&store, at).await.unwrap(), pattern(100), "{at}");
        }
        store.close().await;
    }
}

#[tokio::test]
async fn damage_in_what_the_index_has_not_seen_stops_the_start_with_a_sentence() {
    use std::os::unix::fs::FileExt;
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    put(&store, "first", &pattern(100)).await;
    put(&store, "second", &pattern(100)).await;
    store.close().await;
    let log = std::fs::read(dir.path().join(SEGMENT)).unwrap();
    let first = starts(&log)[2];
    let segment = std::fs::OpenOptions::new()
        .write(true)
        .open(dir.path().join(SEGMENT))
        .unwrap();
    segment.write_all_at(b"x", first as u64 + 20).unwrap();
    // The index as it was before both changes.
    let mut index = db::open_writer(&dir.path().join("@hangar/hangar.db"))
        .await
        .unwrap();
    sqlx::query("UPDATE position SET sequence = 2, end_offset = ?1")
        .bind(i64::try_from(first).unwrap())
        .execute(&mut index)
        .await
        .unwrap();
    db::set_checkpoint_on_close(&mut index, true).await.unwrap();
    index.close().await.unwrap();
    // With the checkpoint note of that time.
    let folder = crate::store::recovery::data_folder::open(dir.path(), true, Some(0)).unwrap();
    let mut file = IndexFile::of(&folder).unwrap();
    file.checkpoints.begin_anew(None).unwrap();
    folder.release();
    let Err(OpenError::Refused(refusal)) = open(dir.path()).await else {
        panic!("it started")
    };
    let sentence = refusal.sentence();
    assert!(sentence.contains("record 3 is damaged"), "{sentence}");
}

#[tokio::test]
async fn a_log_or_a_database_of_a_newer_hangar_stops_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    store.close().await;
    let mut log = std::fs::read(dir.path().join(SEGMENT)).unwrap();
    let at = *starts(&log).last().unwrap();
    log[at + 8..at + 10].copy_from_slice(&(FORMAT_VERSION + 1).to_le_bytes());
    let copy = tempfile::tempdir().unwrap();
    copy_identical(dir.path(), copy.path());
    std::fs::write(copy.path().join(SEGMENT), &log).unwrap();
    for opened in [open(copy.path()).await, look(copy.path()).await] {
        let Err(OpenError::Refused(refusal)) = opened else {
            panic!("it started")
        };
        let sentence = refusal.sentence();
        assert!(
            sentence.contains("log") && sentence.contains("newer hangar"),
            "{sentence}"
        );
    }

    let mut index = db::open_writer(&dir.path().join("@hangar/hangar.db"))
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (999999, 'of tomorrow', TRUE, x'00', 0)",
    )
    .execute(&mut index)
    .await
    .unwrap();
    index.close().await.unwrap();
    let Err(OpenError::Refused(refusal)) = open(dir.path()).await else {
        panic!("it started")
    };
    let sentence = refusal.sentence();
    assert!(
        sentence.contains("database") && sentence.contains("newer hangar"),
        "{sentence}"
    );
}

#[test]
fn a_body_that_looks_like_a_record_is_not_one_without_the_logs_id() {
    let mut forged = [0; HEAD_BYTES];
    forged[..8].copy_from_slice(&MAGIC);
    let log = crate::store::record::LogId::random();
    assert_eq!(
        Head::parse(&forged, log).map(drop),
        Err(BadHead::NotARecord)
    );
    assert_eq!(crc64_nvme(b"123456789"), 0xae8b_1486_0a79_9888);
}

fn copy_identical(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.join("@hangar/log")).unwrap();
    std::fs::create_dir_all(to.join("@hangar/blobs")).unwrap();
    std::fs::copy(from.join(SEGMENT), to.join(SEGMENT)).unwrap();
}

/// As `hangar rebuild --from-log` does.
async fn rebuilt(dir: &Path) -> Store {
    open_from(dir, Source::Log).await.unwrap().0
}

async fn refusal(dir: &Path) -> String {
    match open(dir).await {
        Err(OpenError::Refused(refusal)) => refusal.sentence(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it started"),
    }
}

#[rstest]
#[case::short(4)]
#[case::long(9000)]
#[tokio::test]
async fn a_log_whose_first_bytes_are_damaged_is_never_begun_anew(#[case] bytes: usize) {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    put(&store, "kept", &pattern(bytes)).await;
    store.close().await;
    let whole = std::fs::read(dir.path().join(SEGMENT)).unwrap();
    // In the magic, and in the id: neither is needed as long as the index is intact.
    for at in [0, 30] {
        let mut log = whole.clone();
        log[at] ^= 1;
        std::fs::write(dir.path().join(SEGMENT), &log).unwrap();
        let store = open(dir.path()).await.unwrap();
        assert!(get(&store, "kept").await.is_some());
        store.close().await;
        // Without the index the start cannot know what the log holds.
        let copy = tempfile::tempdir().unwrap();
        copy_identical(dir.path(), copy.path());
        let sentence = refusal(copy.path()).await;
        assert!(sentence.contains("damaged where it begins"), "{sentence}");
        assert_eq!(std::fs::read(copy.path().join(SEGMENT)).unwrap(), log);
    }
}

#[tokio::test]
async fn an_index_without_its_log_stops_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    store.close().await;
    std::fs::remove_file(dir.path().join(SEGMENT)).unwrap();
    let sentence = refusal(dir.path()).await;
    assert!(
        sentence.contains("the log in the data folder is missing"),
        "{sentence}"
    );
}

#[tokio::test]
async fn an_incomplete_first_record_is_written_again() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("@hangar/log")).unwrap();
    std::fs::write(dir.path().join(SEGMENT), &MAGIC[..5]).unwrap();
    let store = opened(dir.path()).await;
    put(&store, "a", b"a").await;
    store.close().await;
    assert!(get(&open(dir.path()).await.unwrap(), "a").await.is_some());
}

#[tokio::test]
async fn a_damaged_database_is_rebuilt_from_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    put(&store, "kept", b"kept").await;
    store.close().await;
    std::fs::write(dir.path().join("@hangar/hangar.db"), pattern(20_000)).unwrap();
    let store = open(dir.path()).await.unwrap();
    assert_eq!(get(&store, "kept").await.unwrap(), b"kept");
}

#[tokio::test]
async fn an_unknown_effect_stops_the_replay() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    let tomorrow = Effect {
        kind: "of.tomorrow",
        ..note("a", "b")
    };
    store.record_new(tomorrow).await.unwrap();
    store.close().await;
    lose_index(dir.path());
    let sentence = refusal(dir.path()).await;
    assert!(sentence.contains("newer hangar"), "{sentence}");
}

#[tokio::test]
async fn a_change_that_no_reader_would_take_is_refused_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    let long = "x".repeat(record::STATEMENT_LIMIT_BYTES);
    let set = store.set_bucket(name("uploads"), BucketSetting::Policy, Some(long));
    let (refused, _) = tokio::join!(set, put(&store, "a", b"a"));
    assert!(matches!(refused, Err(StoreError::Unavailable(_))));
    put(&store, "b", b"b").await;
    store.close().await;
    lose_index(dir.path());
    let store = open(dir.path()).await.unwrap();
    assert_eq!(get(&store, "a").await.unwrap(), b"a");
    assert_eq!(get(&store, "b").await.unwrap(), b"b");
}
