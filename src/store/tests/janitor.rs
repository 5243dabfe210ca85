//! Expiry by age.

use super::*;
use crate::store::{Janitor, Mode, NewUpload, Swept, UploadListRequest};
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// A store with the bucket `uploads` and these rules, its clock, and a janitor that has watched the clock for an hour.
async fn ruled(dir: &Path, rules: &str) -> (Store, Clock, Janitor) {
    let clock = Clock::default();
    let store = open_at(dir, clock.clone()).await.unwrap();
    store.create_bucket(name("uploads")).await.unwrap();
    rule(&store, rules).await;
    let janitor = store.upkeep().janitor();
    clock.advance(HOUR);
    (store, clock, janitor)
}

/// Returns `None` while the clock is not believed.
async fn sweep(janitor: &mut Janitor) -> Result<Option<Swept>, StoreError> {
    match janitor.believed_now() {
        Some(now) => janitor.end_by_age(now, Mode::Do).await.map(Some),
        None => Ok(None),
    }
}

async fn rule(store: &Store, rules: &str) {
    let document = format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>");
    store
        .set_bucket(name("uploads"), BucketSetting::Lifecycle, Some(document))
        .await
        .unwrap();
}

const LOGS_LIVE_TWO_DAYS: &str = "<Rule><ID>logs</ID><Status>Enabled</Status><Prefix>logs/</Prefix>\
    <Expiration><Days>2</Days></Expiration></Rule>";

async fn keys(store: &Store) -> Vec<String> {
    let all = ListRequest {
        max: 10_000,
        ..ListRequest::default()
    };
    let page = store.list(&name("uploads"), &all).await.unwrap();
    let keys = page.objects.iter();
    keys.map(|object| object.key.as_str().to_owned()).collect()
}

async fn begin(store: &Store, at: &str) {
    let new = NewUpload {
        bucket: name("uploads"),
        key: key(at),
        meta: ObjectMeta::default(),
        checksum: None,
    };
    store.create_upload(new).await.unwrap();
}

async fn uploads(store: &Store) -> Vec<String> {
    let all = UploadListRequest {
        max: 1000,
        ..UploadListRequest::default()
    };
    let page = store.list_uploads(&name("uploads"), &all).await.unwrap();
    let uploads = page.uploads.iter();
    uploads
        .map(|upload| upload.key.as_str().to_owned())
        .collect()
}

#[tokio::test]
async fn objects_expire_at_their_age_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock, mut janitor) = ruled(dir.path(), LOGS_LIVE_TWO_DAYS).await;
    for at in ["a", "logs/a", "logs/b", "logs2"] {
        put(&store, at, b"x").await;
    }
    clock.advance(DAY);
    put(&store, "logs/later", b"x").await;
    assert_eq!(sweep(&mut janitor).await.unwrap(), Some(Swept::default()));
    // Two days, and the rest of the third.
    clock.advance(DAY * 2);
    let swept = sweep(&mut janitor).await.unwrap().unwrap();
    assert_eq!((swept.objects, swept.uploads), (2, 0));
    assert_eq!(keys(&store).await, ["a", "logs/later", "logs2"]);
    // A replay applies these deletions like any other.
    let before = dump(&store).await;
    store.close().await;
    let store = open(dir.path()).await.unwrap();
    assert_eq!(dump(&store).await, before);
}

#[tokio::test]
async fn many_pages_of_objects_expire_in_one_sweep() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock, mut janitor) = ruled(dir.path(), LOGS_LIVE_TWO_DAYS).await;
    let puts = (0..2100).map(|at| {
        let store = store.clone();
        async move { put(&store, &format!("logs/{at}"), b"x").await }
    });
    futures_util::future::join_all(puts).await;
    put(&store, "kept", b"x").await;
    clock.advance(DAY * 3);
    assert_eq!(sweep(&mut janitor).await.unwrap().unwrap().objects, 2100);
    assert_eq!(keys(&store).await, ["kept"]);
}

#[tokio::test]
async fn nothing_expires_after_a_clock_jump() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock, mut janitor) = ruled(dir.path(), LOGS_LIVE_TWO_DAYS).await;
    put(&store, "logs/a", b"x").await;
    begin(&store, "unfinished").await;
    let week = i64::try_from((DAY * 8).as_millis()).unwrap();
    clock.jump(week);
    assert_eq!(sweep(&mut janitor).await.unwrap(), None);
    clock.jump(-week);
    assert_eq!(sweep(&mut janitor).await.unwrap(), None);
    clock.advance(HOUR);
    assert_eq!(sweep(&mut janitor).await.unwrap(), Some(Swept::default()));
    assert_eq!(keys(&store).await, ["logs/a"]);
    assert_eq!(uploads(&store).await, ["unfinished"]);
}

#[tokio::test]
async fn a_fresh_start_deletes_nothing_for_an_hour() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock, _) = ruled(dir.path(), LOGS_LIVE_TWO_DAYS).await;
    put(&store, "logs/a", b"x").await;
    clock.advance(DAY * 3);
    let mut janitor = store.upkeep().janitor();
    assert_eq!(sweep(&mut janitor).await.unwrap(), None);
    clock.advance(HOUR);
    assert_eq!(sweep(&mut janitor).await.unwrap().unwrap().objects, 1);
}

#[tokio::test]
async fn unfinished_uploads_expire_by_rule_and_by_the_setting() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock, mut janitor) = ruled(
        dir.path(),
        "<Rule><ID>a</ID><Status>Enabled</Status><Prefix>a/</Prefix><AbortIncompleteMultipartUpload>\
         <DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>",
    )
    .await;
    begin(&store, "a/1").await;
    begin(&store, "b/1").await;
    clock.advance(DAY * 2);
    begin(&store, "a/2").await;
    assert_eq!(sweep(&mut janitor).await.unwrap().unwrap().uploads, 1);
    assert_eq!(uploads(&store).await, ["a/2", "b/1"]);
    clock.advance(DAY * 5);
    assert_eq!(sweep(&mut janitor).await.unwrap().unwrap().uploads, 2);
    assert!(uploads(&store).await.is_empty());
}

#[tokio::test]
async fn a_replaced_object_gets_a_new_lifetime() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock, mut janitor) = ruled(dir.path(), LOGS_LIVE_TWO_DAYS).await;
    put(&store, "logs/a", b"old").await;
    clock.advance(DAY * 3);
    put(&store, "logs/a", b"new").await;
    assert_eq!(sweep(&mut janitor).await.unwrap(), Some(Swept::default()));
    assert_eq!(get(&store, "logs/a").await.unwrap(), b"new");
}

#[tokio::test]
async fn rules_can_select_objects_by_tag_and_size() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock, mut janitor) = ruled(
        dir.path(),
        "<Rule><ID>t</ID><Status>Enabled</Status><Filter><And><Tag><Key>keep</Key><Value>no</Value></Tag>\
         <ObjectSizeGreaterThan>1</ObjectSizeGreaterThan></And></Filter><Expiration><Days>1</Days></Expiration></Rule>",
    )
    .await;
    for (at, body, tags) in [
        ("small", "x", "keep=no"),
        ("tagged", "xx", "a=b&keep=no"),
        ("untagged", "xx", "keep=yes"),
    ] {
        put(&store, at, body.as_bytes()).await;
        store
            .set_tags(name("uploads"), key(at), Some(tags.to_owned()))
            .await
            .unwrap();
    }
    clock.advance(DAY * 2);
    assert_eq!(sweep(&mut janitor).await.unwrap().unwrap().objects, 1);
    assert_eq!(keys(&store).await, ["small", "untagged"]);
}
