//! Buckets and their settings, object tags, and sweeps.

use super::multipart::{assert_references_hold, new_upload, put_part};
use super::*;

#[tokio::test]
async fn a_bucket_that_holds_an_object_is_not_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    put(&store, "a", b"a").await;
    let refused = store.delete_bucket(name("uploads")).await;
    assert!(matches!(refused, Err(StoreError::BucketNotEmpty)));
    let delete = store.delete(name("uploads"), key("a"));
    delete.await.unwrap();
    store.delete_bucket(name("uploads")).await.unwrap();
    assert!(store.bucket(&name("uploads")).is_none());
    let again = store.delete_bucket(name("uploads")).await;
    assert!(matches!(again, Err(StoreError::NoSuchBucket)));
}

#[tokio::test]
async fn a_deleted_bucket_takes_its_uploads_and_settings_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    let upload = store.create_upload(new_upload("a")).await.unwrap();
    put_part(&store, &upload, 1, b"one").await.unwrap();
    let policy = |document: &str| {
        let document = Some(document.to_owned());
        store.set_bucket(name("uploads"), BucketSetting::Policy, document)
    };
    policy("{}").await.unwrap();
    store.delete_bucket(name("uploads")).await.unwrap();
    assert!(matches!(policy("{}").await, Err(StoreError::NoSuchBucket)));
    assert_references_hold(&store).await;
    assert_eq!(
        store.create_bucket(name("uploads")).await.unwrap(),
        BucketCreation::Created
    );
    let anew = store.bucket(&name("uploads")).unwrap();
    assert_eq!(anew.setting(BucketSetting::Policy), None);
    let gone = store.upload(&upload.bucket, &upload.key, &upload.id).await;
    assert!(matches!(gone, Err(StoreError::NoSuchUpload)));
    let late = put_part(&store, &upload, 2, b"two").await;
    assert!(matches!(late, Err(StoreError::NoSuchUpload)));
}

#[tokio::test]
async fn bucket_settings_stay_until_they_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    let set = async |store: &Store, setting, document: Option<&str>| {
        let document = document.map(str::to_owned);
        store
            .set_bucket(name("uploads"), setting, document)
            .await
            .unwrap();
    };
    set(&store, BucketSetting::Policy, Some("old")).await;
    set(&store, BucketSetting::Policy, Some("\"new\"\u{1}é")).await;
    set(&store, BucketSetting::PublicAccessBlock, Some("x")).await;
    set(&store, BucketSetting::Cors, Some("<cors/>")).await;
    set(&store, BucketSetting::Cors, None).await;
    set(&store, BucketSetting::Lifecycle, None).await;
    store.close().await;
    let store = open(dir.path()).await.unwrap();
    let bucket = store.bucket(&name("uploads")).unwrap();
    assert_eq!(bucket.setting(BucketSetting::Policy), Some("\"new\"\u{1}é"));
    assert_eq!(bucket.setting(BucketSetting::PublicAccessBlock), Some("x"));
    assert_eq!(bucket.setting(BucketSetting::Cors), None);
}

#[tokio::test]
async fn when_an_upload_races_with_the_delete_of_its_bucket_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    for round in 0..20 {
        let bucket = name(&format!("round-{round}"));
        store.create_bucket(bucket.clone()).await.unwrap();
        let sealed = sealed(&store, b"x").await;
        let to = Target {
            bucket: bucket.clone(),
            ..target("a")
        };
        let puts = store.commit(to, sealed, WritePrecondition::None);
        let deletes = store.delete_bucket(bucket);
        let (put, deleted) = if round % 2 == 0 {
            tokio::join!(puts, deletes)
        } else {
            let (deleted, put) = tokio::join!(deletes, puts);
            (put, deleted)
        };
        match (put, deleted) {
            (Ok(_), Err(StoreError::BucketNotEmpty)) | (Err(StoreError::NoSuchBucket), Ok(())) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn setting_tags_changes_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    let committed = put(&store, "a", b"a").await;
    let set = async |tagging: Option<&str>| {
        let tagging = tagging.map(str::to_owned);
        store
            .set_tags(name("uploads"), key("a"), tagging)
            .await
            .unwrap();
        store
            .object(&name("uploads"), &key("a"))
            .await
            .unwrap()
            .unwrap()
    };
    let tagged = set(Some("k=v&k2=%C3%A9")).await;
    let meta = ObjectMeta {
        tagging: Some("k=v&k2=%C3%A9".to_owned()),
        ..target("a").meta
    };
    assert_eq!(*tagged.meta, meta);
    let now = (tagged.sequence, tagged.last_modified, tagged.etag);
    assert_eq!(
        now,
        (committed.sequence, committed.last_modified, committed.etag)
    );
    assert_eq!(*set(None).await.meta, target("a").meta);
    assert_eq!(*set(None).await.meta, target("a").meta);
    let missing = store.set_tags(name("uploads"), key("b"), None).await;
    assert!(matches!(missing, Err(StoreError::NoSuchKey)));
}

#[tokio::test]
async fn only_the_object_that_was_looked_up_is_deleted_or_tagged() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    let look = async || store.object(&name("uploads"), &key("a")).await.unwrap();
    put(&store, "a", b"same").await;
    let old = look().await.unwrap();
    put(&store, "a", b"same").await;
    let untagged = look().await.unwrap();
    let tagging = Some("keep=yes".to_owned());
    let tagged = store.set_tags(name("uploads"), key("a"), tagging).await;
    tagged.unwrap();
    for changed in [old, untagged] {
        let refused = store.delete_this(&changed).await;
        assert!(matches!(refused, Err(StoreError::PreconditionFailed)));
        let refused = store.set_tags_of_this(&changed, None).await;
        assert!(matches!(refused, Err(StoreError::PreconditionFailed)));
    }
    let kept = look().await.unwrap();
    store.set_tags_of_this(&kept, None).await.unwrap();
    let new = look().await.unwrap();
    assert_eq!(
        (kept.meta.tagging.is_some(), &new.meta.tagging),
        (true, &None)
    );
    assert_eq!(store.delete_this(&new).await.unwrap(), Deletion::Deleted);
    assert_eq!(store.delete_this(&new).await.unwrap(), Deletion::WasAbsent);
}

#[tokio::test]
async fn a_sweep_sees_every_object_under_its_prefix_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    for at in ["a", "b/1", "b/2", "b/3", "c"] {
        put(&store, at, at.as_bytes()).await;
    }
    let mut seen = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = store
            .vault
            .reads
            .sweep_page(&name("uploads"), after.as_deref(), "b/", 2)
            .await
            .unwrap();
        for object in &page {
            let body = read(&store, object, None).await.unwrap();
            seen.push(String::from_utf8(body).unwrap());
        }
        after = page.last().map(|object| object.key.as_str().to_owned());
        if page.len() < 2 {
            break;
        }
    }
    assert_eq!(seen, ["b/1", "b/2", "b/3"]);
    let missing = store
        .vault
        .reads
        .sweep_page(&name("missing"), None, "", 2)
        .await;
    assert!(matches!(missing, Err(StoreError::NoSuchBucket)));
}

#[tokio::test]
async fn a_bucket_is_created_together_with_its_settings() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path()).await;
    let stated = |region: &str| [(BucketSetting::Location, region.to_owned())].into();
    let make = |region| store.create_bucket_with(name("far-away"), stated(region));
    assert_eq!(make("eu-west-1").await.unwrap(), BucketCreation::Created);
    assert_eq!(
        make("af-south-1").await.unwrap(),
        BucketCreation::AlreadyThere
    );
    let region = |store: &Store| {
        let bucket = store.bucket(&name("far-away")).unwrap();
        bucket.setting(BucketSetting::Location).map(str::to_owned)
    };
    assert_eq!(region(&store).as_deref(), Some("eu-west-1"));
    store.close().await;
    let store = open(dir.path()).await.unwrap();
    assert_eq!(region(&store).as_deref(), Some("eu-west-1"));
}
