//! Multipart uploads, and objects that share their bodies.

use super::*;
use crate::clock::Timestamp;
use proptest::prelude::*;
use std::time::{Duration, Instant};

pub(super) fn new_upload(at: &str) -> NewUpload {
    NewUpload {
        bucket: name("uploads"),
        key: key(at),
        meta: target(at).meta,
        checksum: None,
    }
}

pub(super) async fn put_part(
    store: &Store,
    upload: &Upload,
    number: u16,
    body: &[u8],
) -> Result<Part, StoreError> {
    store
        .put_part(upload, number, sealed(store, body).await)
        .await
}

pub(super) fn completion(parts: &[Part]) -> Completion {
    Completion {
        parts: parts.to_vec(),
        etag: ETag::from_stored(format!("{:032x}-{}", parts[0].sequence, parts.len())),
        checksums: Vec::new(),
    }
}

async fn complete(store: &Store, upload: &Upload, parts: &[Part]) -> Result<Committed, StoreError> {
    store
        .complete_upload(upload, completion(parts), WritePrecondition::None)
        .await
}

async fn abort(store: &Store, upload: &Upload) -> Result<(), StoreError> {
    let (bucket, key) = (upload.bucket.clone(), upload.key.clone());
    store.abort_upload(bucket, key, upload.id.clone()).await
}

async fn object(store: &Store, at: &str) -> Object {
    let object = store.object(&name("uploads"), &key(at)).await.unwrap();
    object.unwrap()
}

/// Asserts that each body counts exactly the extents that reference it, and that each extent references an existing
/// body.
pub(super) async fn assert_references_hold(store: &Store) {
    let mut view = store.read_view().await.unwrap();
    let connection = view.connection();
    let wrong = sqlx::query(
        "WITH named AS (SELECT extent.value ->> 0 AS body FROM objects, json_each(objects.extents) AS extent
                        UNION ALL
                        SELECT extent.value ->> 0 FROM parts, json_each(parts.extents) AS extent),
              counted AS (SELECT body, count(*) AS refs FROM named GROUP BY body)
         SELECT json_array('counts wrong', bodies.id, bodies.refs, counted.refs) FROM bodies
         LEFT JOIN counted ON counted.body = bodies.id WHERE bodies.refs <> coalesce(counted.refs, 0)
         UNION ALL
         SELECT json_array('is gone', body) FROM counted WHERE body NOT IN (SELECT id FROM bodies)",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    let wrong: Vec<&str> = wrong.iter().map(|row| row.get(0)).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// The bytes that objects and parts reference.
async fn referred_bytes(store: &Store) -> i64 {
    let mut view = store.read_view().await.unwrap();
    let connection = view.connection();
    let row = sqlx::query("SELECT coalesce(sum(size_bytes), 0) FROM bodies WHERE refs > 0")
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    row.get(0)
}

#[tokio::test]
async fn parts_in_any_order_become_one_object() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    let upload = store.create_upload(new_upload("whole")).await.unwrap();
    let bodies = [pattern(1_500_000), pattern(300_001), pattern(7)];
    put_part(&store, &upload, 9, &bodies[2]).await.unwrap();
    put_part(&store, &upload, 2, &pattern(99)).await.unwrap();
    put_part(&store, &upload, 1, b"of no part").await.unwrap();
    let replaced = put_part(&store, &upload, 2, &bodies[0]).await.unwrap();
    put_part(&store, &upload, 5, &bodies[1]).await.unwrap();
    let parts = store.parts(&upload, 1, 10).await.unwrap().parts;
    assert_eq!(
        parts.iter().map(|part| part.number).collect::<Vec<_>>(),
        [2, 5, 9]
    );
    assert_eq!(
        (parts[0].sequence, &parts[0].extents),
        (replaced.sequence, &replaced.extents)
    );
    complete(&store, &upload, &parts).await.unwrap();

    let whole = object(&store, "whole").await;
    let expected = bodies.concat();
    assert_eq!(read(&store, &whole, None).await.unwrap(), expected);
    let range = ByteRange {
        start: 1_499_990,
        end: 1_800_003,
    };
    assert_eq!(
        read(&store, &whole, Some(range)).await.unwrap(),
        expected[1_499_990..1_800_003]
    );
    assert_eq!(whole.meta, upload.meta);
    let made_of = store.object_parts(&whole).await.unwrap().unwrap();
    assert_eq!(made_of.upload, Some(upload.id.clone()));
    let sizes: Vec<_> = made_of
        .parts
        .iter()
        .map(|part| (part.number, part.size_bytes))
        .collect();
    assert_eq!(sizes, [(2, 1_500_000), (5, 300_001), (9, 7)]);
    let gone = store.upload(&upload.bucket, &upload.key, &upload.id).await;
    assert!(matches!(gone, Err(StoreError::NoSuchUpload)));
    assert!(store.parts(&upload, 0, 10).await.unwrap().parts.is_empty());
    assert_references_hold(&store).await;
    assert_eq!(referred_bytes(&store).await, 1_800_008);
}

#[tokio::test]
async fn parts_are_listed_in_pages() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    let upload = store.create_upload(new_upload("a")).await.unwrap();
    for number in [1, 2, 3] {
        put_part(&store, &upload, number, b"x").await.unwrap();
    }
    for (after, max, numbers, is_truncated) in [
        (0, 3, vec![1, 2, 3], false),
        (0, 2, vec![1, 2], true),
        (2, 1, vec![3], false),
        (3, 9, vec![], false),
        (0, 0, vec![], true),
    ] {
        let page = store.parts(&upload, after, max).await.unwrap();
        let seen: Vec<u16> = page.parts.iter().map(|part| part.number).collect();
        assert_eq!(
            (seen, page.is_truncated),
            (numbers, is_truncated),
            "{after} {max}"
        );
    }
}

#[tokio::test]
async fn an_aborted_upload_releases_its_bodies() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    let upload = store.create_upload(new_upload("a")).await.unwrap();
    put_part(&store, &upload, 1, b"one").await.unwrap();
    let elsewhere = store
        .abort_upload(name("uploads"), key("b"), upload.id.clone())
        .await;
    assert!(matches!(elsewhere, Err(StoreError::NoSuchUpload)));
    abort(&store, &upload).await.unwrap();
    assert!(matches!(
        abort(&store, &upload).await,
        Err(StoreError::NoSuchUpload)
    ));
    let late = put_part(&store, &upload, 2, b"two").await;
    assert!(matches!(late, Err(StoreError::NoSuchUpload)));
    assert_references_hold(&store).await;
    assert_eq!(referred_bytes(&store).await, 0);
}

#[tokio::test]
async fn a_part_that_was_replaced_since_it_was_read_is_not_completed() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    let upload = store.create_upload(new_upload("a")).await.unwrap();
    let old = put_part(&store, &upload, 1, b"old").await.unwrap();
    let new = put_part(&store, &upload, 1, b"new").await.unwrap();
    let refused = complete(&store, &upload, &[old]).await;
    assert!(matches!(refused, Err(StoreError::UploadChanged)));
    let wanted = completion(std::slice::from_ref(&new));
    put(&store, "a", b"before").await;
    let refused = store
        .complete_upload(&upload, wanted, WritePrecondition::Absent)
        .await;
    assert!(matches!(refused, Err(StoreError::PreconditionFailed)));
    complete(&store, &upload, &[new]).await.unwrap();
    assert_eq!(get(&store, "a").await.unwrap(), b"new");
}

#[tokio::test]
async fn the_later_of_two_parts_with_one_number_stays() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    let upload = store.create_upload(new_upload("a")).await.unwrap();
    let bodies: Vec<Vec<u8>> = (0..20_usize).map(|at| pattern(at + 1)).collect();
    let puts = bodies.iter().map(|body| put_part(&store, &upload, 1, body));
    let put: Vec<Part> = futures_util::future::try_join_all(puts).await.unwrap();
    let last = put.iter().max_by_key(|part| part.sequence).unwrap();
    let parts = store.parts(&upload, 0, 10).await.unwrap().parts;
    assert_eq!(parts.len(), 1);
    assert_eq!(parts[0].sequence, last.sequence);
    assert_references_hold(&store).await;
    complete(&store, &upload, &parts).await.unwrap();
    assert_eq!(object(&store, "a").await.size_bytes, last.size_bytes);
}

#[tokio::test]
async fn exactly_one_of_racing_completes_and_aborts_wins() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    for round in 0..20 {
        let at = format!("round {round}");
        let upload = store.create_upload(new_upload(&at)).await.unwrap();
        let part = put_part(&store, &upload, 1, b"one").await.unwrap();
        let parts = std::slice::from_ref(&part);
        let (one, other, given_up, late) = tokio::join!(
            complete(&store, &upload, parts),
            complete(&store, &upload, parts),
            abort(&store, &upload),
            put_part(&store, &upload, 2, b"two"),
        );
        let ends = [one.map(drop), other.map(drop), given_up];
        assert_eq!(ends.iter().filter(|end| end.is_ok()).count(), 1);
        let refused = ends.iter().filter_map(|end| end.as_ref().err());
        for error in refused.chain(late.as_ref().err()) {
            assert!(matches!(error, StoreError::NoSuchUpload), "{error:?}");
        }
        assert_eq!(get(&store, &at).await.is_some(), ends[2].is_err());
        assert_references_hold(&store).await;
    }
}

#[tokio::test]
async fn a_part_that_arrives_during_a_complete_is_included_whole_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    for round in 0..20 {
        let at = format!("round {round}");
        let upload = store.create_upload(new_upload(&at)).await.unwrap();
        let part = put_part(&store, &upload, 1, b"old").await.unwrap();
        let completes = complete(&store, &upload, std::slice::from_ref(&part));
        let puts = put_part(&store, &upload, 1, b"new");
        let (completed, put) = if round % 2 == 0 {
            tokio::join!(completes, puts)
        } else {
            let (put, completed) = tokio::join!(puts, completes);
            (completed, put)
        };
        match (completed, put) {
            (Ok(_), Err(StoreError::NoSuchUpload)) => {
                assert_eq!(get(&store, &at).await.unwrap(), b"old");
            }
            (Err(StoreError::UploadChanged), Ok(_)) => assert_eq!(get(&store, &at).await, None),
            other => panic!("{other:?}"),
        }
        assert_references_hold(&store).await;
    }
}

#[tokio::test]
async fn ten_thousand_parts_are_completed_quickly_and_read_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    let upload = store.create_upload(new_upload("large")).await.unwrap();
    let numbers: Vec<u16> = (1..=10_000).collect();
    for numbers in numbers.chunks(1000) {
        let puts = numbers.iter().map(|number| async {
            let body = number.to_string();
            put_part(&store, &upload, *number, body.as_bytes())
                .await
                .unwrap();
        });
        futures_util::future::join_all(puts).await;
    }
    let began = Instant::now();
    let page = store.parts(&upload, 0, 10_000).await.unwrap();
    assert_eq!((page.parts.len(), page.is_truncated), (10_000, false));
    complete(&store, &upload, &page.parts).await.unwrap();
    let whole = object(&store, "large").await;
    let made_of = store.object_parts(&whole).await.unwrap().unwrap();
    let took = began.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(made_of.parts.len(), 10_000);
    let expected: String = numbers.iter().map(u16::to_string).collect();
    let range = ByteRange {
        start: 0,
        end: 1000,
    };
    assert_eq!(
        read(&store, &whole, Some(range)).await.unwrap(),
        expected.as_bytes()[..1000]
    );
    assert_eq!(whole.size_bytes, expected.len() as u64);
    assert_references_hold(&store).await;
    let before = dump(&store).await;
    store.close().await;
    log::lose_index(dir.path());
    let store = open(dir.path()).await.unwrap();
    assert!(
        dump(&store).await == before,
        "the index made again is another"
    );
}

#[tokio::test]
async fn a_copy_shares_the_bytes_and_outlives_its_source() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    put(&store, "a", &pattern(300_000)).await;
    let source = object(&store, "a").await;
    let copied = store
        .copy(&source, target("b"), WritePrecondition::None, None)
        .await
        .unwrap();
    assert_eq!(copied.etag, source.etag);
    let delete = store.delete(name("uploads"), key("a"));
    delete.await.unwrap();
    assert_eq!(get(&store, "b").await.unwrap(), pattern(300_000));
    let delete = store.delete(name("uploads"), key("b"));
    delete.await.unwrap();
    assert_eq!(referred_bytes(&store).await, 0);
    // The copy uses the source as it was looked up, even if it changed since.
    store
        .copy(&source, target("c"), WritePrecondition::Absent, None)
        .await
        .unwrap();
    assert_eq!(get(&store, "c").await.unwrap(), pattern(300_000));
    assert_eq!(referred_bytes(&store).await, 300_000);
    let refused = store
        .copy(&source, target("c"), WritePrecondition::Absent, None)
        .await;
    assert!(matches!(refused, Err(StoreError::PreconditionFailed)));
    let itself = object(&store, "c").await;
    let mut other = target("c");
    other.meta.content_type = Some("text/html".to_owned());
    store
        .copy(&itself, other, WritePrecondition::None, None)
        .await
        .unwrap();
    let now = object(&store, "c").await;
    assert_eq!(now.meta.content_type.as_deref(), Some("text/html"));
    assert_references_hold(&store).await;
}

#[tokio::test]
async fn a_copy_races_with_the_delete_of_its_source() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    for round in 0..20 {
        put(&store, "a", b"bytes").await;
        let source = object(&store, "a").await;
        let at = format!("copy {round}");
        let (copied, deleted) = tokio::join!(
            store.copy(&source, target(&at), WritePrecondition::None, None),
            store.delete(name("uploads"), key("a")),
        );
        copied.unwrap();
        deleted.unwrap();
        assert_eq!(get(&store, &at).await.unwrap(), b"bytes");
        assert_references_hold(&store).await;
    }
}

#[tokio::test]
async fn a_copy_keeps_the_parts_but_not_the_upload() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    let upload = store.create_upload(new_upload("a")).await.unwrap();
    let part = put_part(&store, &upload, 3, b"three").await.unwrap();
    complete(&store, &upload, &[part]).await.unwrap();
    let source = object(&store, "a").await;
    store
        .copy(&source, target("b"), WritePrecondition::None, None)
        .await
        .unwrap();
    let copy = object(&store, "b").await;
    let made_of = store.object_parts(&copy).await.unwrap().unwrap();
    assert_eq!((made_of.upload, made_of.parts[0].number), (None, 3));
    put(&store, "b", b"plain").await;
    let replaced = store.object_parts(&copy).await;
    assert!(matches!(replaced, Err(StoreError::UploadChanged)));
    let plain = object(&store, "b").await;
    assert_eq!(store.object_parts(&plain).await.unwrap(), None);
}

#[tokio::test]
async fn ranges_copied_as_parts_are_the_sources_bytes_with_their_digests() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    let body = pattern(2_500_000);
    put(&store, "source", &body).await;
    let source = object(&store, "source").await;
    let checksum = UploadChecksum {
        algorithm: ChecksumAlgorithm::Sha256,
        checksum_type: crate::s3::checksum::ChecksumType::Composite,
    };
    let new = NewUpload {
        checksum: Some(checksum),
        ..new_upload("copy")
    };
    let upload = store.create_upload(new).await.unwrap();
    let cuts = [0_u64, 1_048_577, 1_048_578, 2_500_000];
    for (number, cut) in (1..).zip(cuts.windows(2)) {
        let range = ByteRange {
            start: cut[0],
            end: cut[1],
        };
        let part = store
            .copy_part(&upload, number, &source, Some(range))
            .await
            .unwrap();
        let (from, to) = (
            usize::try_from(cut[0]).unwrap(),
            usize::try_from(cut[1]).unwrap(),
        );
        let wanted = Wanted {
            sha256: false,
            checksums: vec![ChecksumAlgorithm::Sha256],
        };
        let mut staging = store.stage(&wanted, u64::MAX);
        staging
            .write(Bytes::copy_from_slice(&body[from..to]))
            .await
            .unwrap();
        let same = staging.seal(&Expected::default()).await.unwrap();
        assert_eq!(
            (&part.etag, &part.checksums[..]),
            (&same.etag(), same.checksums())
        );
    }
    put(&store, "empty", b"").await;
    let empty = object(&store, "empty").await;
    let nothing = store.copy_part(&upload, 4, &empty, None).await.unwrap();
    assert_eq!(nothing.size_bytes, 0);
    let parts = store.parts(&upload, 0, 10).await.unwrap().parts;
    complete(&store, &upload, &parts).await.unwrap();
    let copy = object(&store, "copy").await;
    assert_eq!(read(&store, &copy, None).await.unwrap(), body);
    // Adjacent ranges of one body become one extent again.
    assert_eq!(copy.content.extents, source.content.extents);
    assert_eq!(copy.meta.checksum_type, checksum.checksum_type);
    let delete = store.delete(name("uploads"), key("source"));
    delete.await.unwrap();
    assert_eq!(get(&store, "copy").await.unwrap(), body);
    assert_references_hold(&store).await;
}

#[tokio::test]
async fn a_digest_of_damaged_bytes_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    put(&store, "a", &pattern(1_500_000)).await;
    let whole = object(&store, "a").await;
    let wanted = Wanted {
        sha256: true,
        ..Wanted::default()
    };
    let digests = store.digest(&whole, None, &wanted).await.unwrap();
    assert_eq!(ETag::from_md5(digests.md5), whole.etag);
    let blob = std::fs::read_dir(dir.path().join("@hangar/blobs"))
        .unwrap()
        .next();
    let blob = blob.unwrap().unwrap().path();
    let mut bytes = std::fs::read(&blob).unwrap();
    bytes[1_200_000] ^= 1;
    std::fs::write(&blob, bytes).unwrap();
    let damaged = store.digest(&whole, None, &wanted).await;
    assert!(matches!(damaged, Err(StoreError::Damaged(_))));
}

#[tokio::test]
async fn an_object_of_too_many_pieces_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    let upload = store.create_upload(new_upload("a")).await.unwrap();
    let mut part = put_part(&store, &upload, 1, b"one").await.unwrap();
    part.extents = (0..200_001)
        .map(|at| content::Extent::try_from((part.sequence, at % 2, 1)).unwrap())
        .collect();
    part.extents.dedup();
    let refused = complete(&store, &upload, &[part]).await;
    assert!(matches!(refused, Err(StoreError::TooManyPieces)));
}

#[tokio::test]
async fn old_uploads_are_found_oldest_first() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::default();
    let store = open_at(dir.path(), clock.clone()).await.unwrap();
    store.create_bucket(name("uploads")).await.unwrap();
    let mut begun = Vec::new();
    for at in ["c", "a", "b"] {
        begun.push(store.create_upload(new_upload(at)).await.unwrap());
        clock.advance(Duration::from_hours(1));
    }
    assert!(begun.is_sorted_by_key(|upload| upload.id.clone()));
    let before = begun[2].initiated_at;
    let old = store.vault.reads.uploads_before(before, 10).await.unwrap();
    let ids: Vec<_> = old.iter().map(|upload| &upload.id).collect();
    assert_eq!(ids, [&begun[0].id, &begun[1].id]);
    assert_eq!(
        store
            .vault
            .reads
            .uploads_before(before, 1)
            .await
            .unwrap()
            .len(),
        1
    );
    let none = store
        .vault
        .reads
        .uploads_before(Timestamp::from_millis(0), 10)
        .await
        .unwrap();
    assert!(none.is_empty());
}

async fn uploads_in_pages(
    store: &Store,
    prefix: &str,
    delimiter: Option<&str>,
    max: u32,
) -> Vec<String> {
    let mut all = Vec::new();
    let mut after = (None, None);
    loop {
        let request = UploadListRequest {
            prefix: prefix.to_owned(),
            delimiter: delimiter.map(str::to_owned),
            after_key: after.0,
            after_upload: after.1,
            max,
        };
        let page = store
            .list_uploads(&name("uploads"), &request)
            .await
            .unwrap();
        assert!(page.uploads.len() + page.common_prefixes.len() <= max as usize);
        all.extend(
            page.uploads
                .iter()
                .map(|upload| format!("{} {}", upload.key, upload.id.as_str())),
        );
        all.extend(page.common_prefixes);
        match page.next {
            Some((key, id)) => after = (Some(key), Some(id)),
            None => break,
        }
    }
    all.sort();
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]
    #[test]
    fn pages_of_uploads_joined_are_the_naive_listing(
        keys in prop::collection::vec("[ab/é]{1,4}", 0..60),
        looks in prop::collection::vec(("[ab/]{0,2}", prop_oneof![Just(None), Just(Some("/")), Just(Some("b/"))], 1..5u32), 4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let store = opened(folder.path()).await;
            let creates = keys.iter().map(|key| store.create_upload(new_upload(key)));
            let uploads = futures_util::future::try_join_all(creates).await.unwrap();
            for (prefix, delimiter, max) in looks {
                let mut expected: Vec<String> = uploads.iter().filter_map(|upload| {
                    let rest = upload.key.as_str().strip_prefix(&prefix)?;
                    Some(match delimiter.and_then(|delimiter| rest.find(delimiter).map(|at| at + delimiter.len())) {
                        Some(end) => format!("{prefix}{}", &rest[..end]),
                        None => format!("{} {}", upload.key, upload.id.as_str()),
                    })
                }).collect();
                expected.sort();
                expected.dedup();
                let seen = uploads_in_pages(&store, &prefix, delimiter, max).await;
                assert_eq!(seen, expected, "{prefix:?} {delimiter:?} {max}");
            }
            store.close().await;
        });
    }
}

#[tokio::test]
async fn a_marker_without_an_upload_is_followed_by_later_keys_only() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    let mut ids = Vec::new();
    for at in ["a", "a", "b"] {
        ids.push(store.create_upload(new_upload(at)).await.unwrap().id);
    }
    ids[..2].sort();
    let after = |id: Option<&UploadId>| UploadListRequest {
        after_key: Some("a".to_owned()),
        after_upload: id.map(|id| id.as_str().to_owned()),
        max: 10,
        ..UploadListRequest::default()
    };
    for (id, expected) in [
        (None, &ids[2..]),
        (Some(&ids[0]), &ids[1..]),
        (Some(&ids[1]), &ids[2..]),
    ] {
        let page = store
            .list_uploads(&name("uploads"), &after(id))
            .await
            .unwrap();
        let seen: Vec<UploadId> = page.uploads.into_iter().map(|upload| upload.id).collect();
        assert_eq!(seen, expected);
    }
}
