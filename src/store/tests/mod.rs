//! Tests of the vault through its public interface.

mod bucket;
mod copies;
mod freeing;
mod fuzz;
mod history;
mod hostile;
mod janitor;
mod listing;
mod log;
mod looking;
mod multipart;
mod parts;
mod rot;
mod small;

use crate::clock::Clock;
use crate::db;
use crate::s3::checksum::{Checksum, ChecksumAlgorithm, Wanted};
use crate::s3::conditional::WritePrecondition;
use crate::s3::range::ByteRange;
use crate::s3::{BucketName, BucketSetting, ETag, ObjectKey};
use crate::store::content;
use crate::store::index::damage::IndexFile;
use crate::store::journal::locks::RowLock;
use crate::store::*;
use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::future::BoxFuture;
use sqlx::{Connection, Row};
use std::path::Path;
use std::sync::Arc;

fn name(text: &str) -> BucketName {
    BucketName::parse(text).unwrap()
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

/// Rows of another module: `note.set` {"id","text"} and `note.cut` {"id"}.
fn notes() -> Vec<EffectKind> {
    const SET: &[&str] = &[
        "CREATE TABLE IF NOT EXISTS notes (id TEXT PRIMARY KEY, text TEXT NOT NULL)",
        "INSERT OR REPLACE INTO notes (id, text)
         SELECT value ->> '$.data.id', value ->> '$.data.text' FROM json_each(?1)",
    ];
    vec![EffectKind::new("note.set", SET)]
}

fn note(id: &str, text: &str) -> Effect {
    Effect {
        kind: "note.set",
        rows: vec![format!("note:{id}")],
        data: serde_json::json!({"id": id, "text": text}),
    }
}

pub(super) async fn open(dir: &Path) -> Result<Store, OpenError> {
    open_at(dir, Clock::default()).await
}

const MULTIPART_EXPIRES: std::time::Duration = std::time::Duration::from_hours(7 * 24);

fn config(dir: &Path) -> StoreConfig {
    StoreConfig {
        data_dir: dir.to_owned(),
        allow_unsafe_fs: true,
        multipart_expires: MULTIPART_EXPIRES,
        grace: std::time::Duration::from_hours(24),
        min_free_bytes: Some(0),
    }
}

async fn open_at(dir: &Path, clock: Clock) -> Result<Store, OpenError> {
    Store::open(config(dir), clock, notes().into()).await
}

/// As `hangar token list` does without a running server.
async fn look(dir: &Path) -> Result<Store, OpenError> {
    Store::look(&config(dir), Clock::default(), notes()).await
}

/// As `hangar rebuild` does, or a start.
async fn open_from(dir: &Path, source: Source) -> Result<(Store, Option<Rebuilt>), OpenError> {
    let progress = Progress::default();
    Store::open_from(
        config(dir),
        Clock::default(),
        notes().into(),
        source,
        &progress,
    )
    .await
}

/// A store with the bucket `uploads`.
async fn opened(dir: &Path) -> Store {
    let store = open(dir).await.unwrap();
    store.create_bucket(name("uploads")).await.unwrap();
    store
}

async fn sealed(store: &Store, body: &[u8]) -> Sealed {
    let mut staging = store.stage(&Wanted::default(), u64::MAX);
    for piece in body.chunks(100_000) {
        staging.write(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    staging.seal(&Expected::default()).await.unwrap()
}

fn target(at: &str) -> Target {
    let meta = ObjectMeta {
        content_type: Some("text/plain".to_owned()),
        ..ObjectMeta::default()
    };
    Target {
        bucket: name("uploads"),
        key: key(at),
        meta,
    }
}

async fn put(store: &Store, at: &str, body: &[u8]) -> Committed {
    let sealed = sealed(store, body).await;
    store
        .commit(target(at), sealed, WritePrecondition::None)
        .await
        .unwrap()
}

async fn get(store: &Store, at: &str) -> Option<Vec<u8>> {
    let object = store.object(&name("uploads"), &key(at)).await.unwrap()?;
    Some(read(store, &object, None).await.unwrap())
}

async fn read(
    store: &Store,
    object: &Object,
    range: Option<ByteRange>,
) -> Result<Vec<u8>, StoreError> {
    let reading = store.read(object, range).await?;
    let mut bytes = reading.first.to_vec();
    let rest: Vec<Bytes> = reading.rest.try_collect().await?;
    for piece in &rest {
        bytes.extend_from_slice(piece);
    }
    Ok(bytes)
}

/// Bytes that differ in each block.
fn pattern(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| u8::try_from((at / 7 + at / 1_000_003) % 251).unwrap())
        .collect()
}

/// Every row of every table that the log determines, as text.
async fn dump(store: &Store) -> Vec<String> {
    let mut view = store.read_view().await.unwrap();
    let connection = view.connection();
    let rows = sqlx::query(
        "SELECT json_array('bucket', name, created_ms, sequence) FROM buckets
         UNION ALL SELECT json_array('body', id, size_bytes, place, md5, block_crcs, refs) FROM bodies
         UNION ALL SELECT json_array('object', bucket, key, sequence, etag, size_bytes, modified_ms, extents, meta, parts)
                   FROM objects
         UNION ALL SELECT json_array('upload', id, bucket, key, initiated_ms, meta, checksum) FROM uploads
         UNION ALL SELECT json_array('part', upload, number, sequence, etag, size_bytes, modified_ms, extents, checksums)
                   FROM parts
         UNION ALL SELECT json_array('setting', bucket, setting, document) FROM bucket_settings
         UNION ALL SELECT json_array('position', log_id, sequence, segment, end_offset) FROM position",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn too_many_queued_changes_of_one_key_are_refused_and_block_no_other_key() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    let mut writes = Vec::new();
    for at in 0..900_u32 {
        let sealed = sealed(&store, &at.to_le_bytes()).await;
        writes.push(store.commit(target("hot"), sealed, WritePrecondition::None));
    }
    let other = sealed(&store, b"other").await;
    let hot = futures_util::future::join_all(writes);
    let other = store.commit(target("other"), other, WritePrecondition::None);
    let (hot, other) = tokio::join!(hot, other);
    other.unwrap();
    let (taken, refused): (Vec<_>, Vec<_>) = hot.into_iter().partition(Result::is_ok);
    assert!(taken.len() >= 256, "{}", taken.len());
    assert!(refused.len() >= 400, "{}", refused.len());
    for refusal in refused {
        assert!(
            matches!(refusal, Err(StoreError::Unavailable(_))),
            "{refusal:?}"
        );
    }
    let last = taken
        .into_iter()
        .map(Result::unwrap)
        .max_by_key(|it| it.sequence);
    let object = store.object(&name("uploads"), &key("hot")).await.unwrap();
    assert_eq!(object.unwrap().sequence, last.unwrap().sequence);
    store.close().await;
}

#[tokio::test]
async fn bytes_of_every_size_come_back_and_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    let sizes = [
        0,
        1,
        4095,
        4096,
        256 * 1024,
        256 * 1024 + 1,
        (1 << 20) - 1,
        1 << 20,
        3_500_000,
    ];
    for size in sizes {
        put(&store, &format!("of {size}"), &pattern(size)).await;
    }
    store.close().await;
    let store = open(dir.path()).await.unwrap();
    for size in sizes {
        assert_eq!(
            get(&store, &format!("of {size}")).await.unwrap(),
            pattern(size),
            "{size} bytes"
        );
    }
}

#[tokio::test]
async fn a_range_of_a_large_body_is_that_part_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    let body = pattern(3_500_000);
    put(&store, "large", &body).await;
    let object = store
        .object(&name("uploads"), &key("large"))
        .await
        .unwrap()
        .unwrap();
    for (start, end) in [
        (0, 1),
        (0, 3_500_000),
        (1_048_575, 1_048_577),
        (3_499_999, 3_500_000),
    ] {
        let range = Some(ByteRange { start, end });
        let part = read(&store, &object, range).await.unwrap();
        let (from, to) = (
            usize::try_from(start).unwrap(),
            usize::try_from(end).unwrap(),
        );
        assert_eq!(part, body[from..to], "{start}..{end}");
    }
}

#[tokio::test]
async fn waiting_readers_share_buffers_and_each_gets_the_whole_body() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    put(&store, "large", &pattern(2_500_000)).await;
    let large = store.object(&name("uploads"), &key("large")).await;
    let large = large.unwrap().unwrap();
    let mut waiting = Vec::new();
    for _ in 0..200 {
        waiting.push(store.read(&large, None).await.unwrap());
    }
    assert_eq!(
        read(&store, &large, None).await.unwrap(),
        pattern(2_500_000)
    );
    for one in waiting.drain(..).skip(100).step_by(10) {
        let rest: Vec<Bytes> = one.rest.try_collect().await.unwrap();
        let whole = [vec![one.first], rest].concat().concat();
        assert_eq!(whole, pattern(2_500_000));
    }
}

#[tokio::test]
async fn first_pieces_for_slow_readers_are_bounded_and_dropped_ones_are_read_again() {
    /// The limit: 64 KiB for each of 128 bodies, and 32 MiB for the first pieces of others.
    const MOST_BYTES: usize = (128 << 16) + (32 << 20);
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    let content = pattern(300_000);
    put(&store, "large", &content).await;
    let large = store.object(&name("uploads"), &key("large")).await;
    let large = large.unwrap().unwrap();
    // The last piece of a block is never cached with its block.
    let part = ByteRange {
        start: 240_000,
        end: 300_000,
    };
    let (mut waiting, mut held) = (Vec::new(), 0);
    for at in 0..900 {
        let range = (at % 2 == 0).then_some(part);
        let reading = store.read(&large, range).await.unwrap().for_slow_reader();
        held += reading.first.len();
        waiting.push((reading, range));
    }
    assert!(held <= MOST_BYTES, "{held} bytes are held");
    for (reading, range) in waiting.into_iter().step_by(7) {
        let rest: Vec<Bytes> = reading.rest.try_collect().await.unwrap();
        let whole = [vec![reading.first], rest].concat().concat();
        match range {
            Some(_) => assert_eq!(whole, content[240_000..]),
            None => assert_eq!(whole, content),
        }
    }
}

#[tokio::test]
async fn a_flipped_byte_is_never_served() {
    use std::os::unix::fs::FileExt;
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    put(&store, "small", &pattern(50_000)).await;
    put(&store, "large", &pattern(3_500_000)).await;
    let blob = std::fs::read_dir(dir.path().join("@hangar/blobs"))
        .unwrap()
        .next()
        .unwrap();
    let flip = |path: &Path, at: u64| {
        let file = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    };
    let small = store
        .object(&name("uploads"), &key("small"))
        .await
        .unwrap()
        .unwrap();
    let small_body = small.content.bodies.values().next().unwrap();
    let content::Place::Log { offset, .. } = small_body.place else {
        panic!("not in the log")
    };
    flip(
        &dir.path().join("@hangar/log/00000000000000000001.log"),
        offset + 40_000,
    );
    flip(&blob.unwrap().path(), 2_000_000);
    let damaged = read(&store, &small, Some(ByteRange { start: 0, end: 1 })).await;
    assert!(matches!(damaged, Err(StoreError::Damaged(_))));
    let large = store
        .object(&name("uploads"), &key("large"))
        .await
        .unwrap()
        .unwrap();
    let whole = read(
        &store,
        &large,
        Some(ByteRange {
            start: 0,
            end: 1_048_576,
        }),
    )
    .await
    .unwrap();
    assert_eq!(whole, pattern(1_048_576));
    let damaged = read(&store, &large, None).await;
    assert!(matches!(damaged, Err(StoreError::Damaged(_))));
}

#[tokio::test]
async fn what_is_not_sealed_or_not_committed_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    let mut staging = store.stage(&Wanted::default(), 1_000_000);
    staging.write(pattern(600_000).into()).await.unwrap();
    let too_long = staging.write(pattern(400_001).into()).await;
    assert!(matches!(
        too_long,
        Err(StageError::TooLong {
            limit_bytes: 1_000_000
        })
    ));
    drop(staging);
    let mut staging = store.stage(&Wanted::default(), 1_000_000);
    staging.write(pattern(1_000_000).into()).await.unwrap();
    let wrong = Expected {
        md5: Some([0; 16]),
        ..Expected::default()
    };
    assert!(matches!(
        staging.seal(&wrong).await,
        Err(StageError::Md5Mismatch)
    ));
    let nowhere = Target {
        bucket: name("nowhere"),
        ..target("x")
    };
    let bytes = sealed(&store, &pattern(600_000)).await;
    let refused = store.commit(nowhere, bytes, WritePrecondition::None).await;
    assert!(matches!(refused, Err(StoreError::NoSuchBucket)));
    // A background task unlinks the files: when the runtime has ended, all of them are gone.
    let blobs = dir.path().join("@hangar/blobs");
    for _ in 0..1000 {
        if std::fs::read_dir(&blobs).unwrap().next().is_none() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("a blob stayed");
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_passes_and_checksums_must_match() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    let wanted = Wanted {
        sha256: true,
        checksums: vec![ChecksumAlgorithm::Crc32],
    };
    let mut staging = store.stage(&wanted, 9);
    staging
        .write(Bytes::from_static(b"123456789"))
        .await
        .unwrap();
    let crc = Checksum {
        algorithm: ChecksumAlgorithm::Crc32,
        value: "y/Q5Jg==".to_owned(),
    };
    let expected = Expected {
        exact_bytes: Some(9),
        checksums: vec![crc.clone()],
        ..Expected::default()
    };
    let sealed = staging.seal(&expected).await.unwrap();
    assert_eq!(sealed.checksums(), std::slice::from_ref(&crc));
    assert_eq!(sealed.head(), b"123456789");
    let mut staging = store.stage(&wanted, 9);
    staging
        .write(Bytes::from_static(b"123456780"))
        .await
        .unwrap();
    let mismatch = staging.seal(&expected).await;
    assert!(matches!(
        mismatch,
        Err(StageError::ChecksumMismatch(ChecksumAlgorithm::Crc32))
    ));
}

#[tokio::test]
async fn of_racing_writes_that_want_an_absent_key_exactly_one_wins() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    for round in 0..20 {
        let writes = (0..8).map(|writer| {
            let (store, at) = (store.clone(), format!("round {round}"));
            tokio::spawn(async move {
                let sealed = sealed(&store, format!("by {writer}").as_bytes()).await;
                store
                    .commit(target(&at), sealed, WritePrecondition::Absent)
                    .await
            })
        });
        let results = futures_util::future::join_all(writes).await;
        let won = results
            .iter()
            .filter(|result| matches!(result, Ok(Ok(_))))
            .count();
        assert_eq!(won, 1);
    }
}

#[tokio::test]
async fn a_check_sees_earlier_changes_and_its_refusal_reaches_its_caller() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    store.record_new(note("count", "0")).await.unwrap();
    let adds = (0..50).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            store
                .record(vec!["note:count".to_owned()], |view| {
                    Box::pin(async move {
                        let row = view.row("SELECT text FROM notes WHERE id = 'count'", []);
                        let row = row.await.unwrap().unwrap();
                        let count: u32 = row.text("text").unwrap().parse().unwrap();
                        if count == 40 {
                            return Err("enough");
                        }
                        let effect = Some(note("count", &(count + 1).to_string()));
                        Ok(Decision {
                            effect,
                            answer: count,
                        })
                    })
                })
                .await
        })
    });
    let results = futures_util::future::join_all(adds).await;
    let mut counts: Vec<u32> = Vec::new();
    let mut refused = 0;
    for result in results {
        match result.unwrap() {
            Ok(count) => counts.push(count),
            Err(RecordError::Refused("enough")) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    counts.sort_unstable();
    assert_eq!((counts, refused), ((0..40).collect(), 10));
}

#[tokio::test]
async fn a_second_store_on_one_folder_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    let second = open(dir.path()).await;
    assert!(matches!(second, Err(OpenError::Locked(_))));
    store.close().await;
}

#[tokio::test]
async fn a_delete_reports_whether_there_was_an_object() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    put(&store, "a", b"a").await;
    let delete = || store.delete(name("uploads"), key("a"));
    assert_eq!(delete().await.unwrap(), Deletion::Deleted);
    assert_eq!(delete().await.unwrap(), Deletion::WasAbsent);
    assert_eq!(get(&store, "a").await, None);
}
