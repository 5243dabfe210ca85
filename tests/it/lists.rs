//! Buckets, what is in them, and deleting many at once.

use crate::app::{App, presigned, spawn_app, spawn_with};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLocationConstraint, CreateBucketConfiguration, Delete, EncodingType, ObjectIdentifier,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hangar::s3::listing::NULL_VERSION;
use md5::{Digest, Md5};

async fn put(app: &App, bucket: &str, key: &str) -> String {
    let put = app.s3().put_object().bucket(bucket).key(key);
    let put = put.body(ByteStream::from_static(b"x")).send().await;
    let etag = put.expect("the object is stored").e_tag;
    etag.expect("an entity tag")
}

fn object(key: &str) -> aws_sdk_s3::types::builders::ObjectIdentifierBuilder {
    ObjectIdentifier::builder().key(key)
}

fn list<const N: usize>(
    objects: [aws_sdk_s3::types::builders::ObjectIdentifierBuilder; N],
) -> Delete {
    let built = objects.map(|object| object.build().expect("an object has a key"));
    let list = Delete::builder().set_objects(Some(built.to_vec()));
    list.build().expect("a list has objects")
}

#[tokio::test]
async fn objects_of_a_list_are_deleted_each_with_its_own_answer() {
    let app = spawn_app().await;
    let s3 = app.s3();
    for key in ["_ ", "a&b", "kept"] {
        put(&app, "uploads", key).await;
    }
    let etag = put(&app, "uploads", "matched").await;
    let asked = list([
        object("_ "),
        object("a&b").version_id(NULL_VERSION),
        object("missing").e_tag("badetag"),
        object("kept").e_tag("badetag"),
        object("matched").e_tag(etag),
        object("other").version_id("1"),
    ]);
    let answer = s3.delete_objects().bucket("uploads").delete(asked).send();
    let answer = answer.await.unwrap();
    let deleted: Vec<_> = answer.deleted().iter().filter_map(|it| it.key()).collect();
    assert_eq!(deleted, ["_ ", "a&b", "matched"]);
    let refused: Vec<_> = answer
        .errors()
        .iter()
        .filter_map(|it| Some((it.key()?, it.code()?)))
        .collect();
    assert_eq!(
        refused,
        [
            ("missing", "NoSuchKey"),
            ("kept", "PreconditionFailed"),
            ("other", "NoSuchVersion")
        ]
    );
    let left = s3.list_objects().bucket("uploads").send().await.unwrap();
    let left: Vec<_> = left.contents().iter().filter_map(|it| it.key()).collect();
    assert_eq!(left, ["kept"]);
}

#[tokio::test]
async fn a_list_whose_digest_does_not_hold_deletes_nothing() {
    let app = spawn_app().await;
    put(&app, "uploads", "a").await;
    let text = "<Delete><Object><Key>a</Key></Object></Delete>";
    let of = |text: &str| STANDARD.encode(Md5::digest(text));
    let ask = async |md5: &str| {
        let target = presigned(&app, "POST", "h", "/uploads", &[("delete", "")]);
        let length = text.len();
        let request = format!(
            "POST {target} HTTP/1.1\r\nHost: h\r\nContent-MD5: {md5}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}"
        );
        app.raw(request.as_bytes()).await
    };
    assert!(ask("x").await.contains("<Code>InvalidDigest</Code>"));
    let another = ask(&of("another list")).await;
    assert!(another.contains("<Code>BadDigest</Code>"), "{another}");
    let right = ask(&of(text)).await;
    assert!(right.contains("<Deleted><Key>a</Key></Deleted>"), "{right}");
}

#[tokio::test]
async fn a_bucket_can_be_deleted_once_it_is_empty() {
    let app = spawn_app().await;
    let s3 = app.s3();
    s3.create_bucket().bucket("more").send().await.unwrap();
    put(&app, "more", "a").await;
    let delete = async || s3.delete_bucket().bucket("more").send().await;
    assert_eq!(delete().await.unwrap_err().code(), Some("BucketNotEmpty"));
    let object = s3.delete_object().bucket("more").key("a").send();
    object.await.unwrap();
    delete().await.unwrap();
    assert_eq!(delete().await.unwrap_err().code(), Some("NoSuchBucket"));
    let listed = s3.list_objects().bucket("more").send().await;
    assert_eq!(listed.unwrap_err().code(), Some("NoSuchBucket"));
}

async fn create_in(app: &App, bucket: &str, region: &str) -> Result<(), String> {
    let constraint = BucketLocationConstraint::from(region);
    let configuration = CreateBucketConfiguration::builder().location_constraint(constraint);
    let create = app.s3().create_bucket().bucket(bucket);
    let create = create.create_bucket_configuration(configuration.build());
    match create.send().await {
        Ok(_) => Ok(()),
        Err(refusal) => Err(refusal.code().unwrap_or_default().to_owned()),
    }
}

async fn location(app: &App, bucket: &str) -> String {
    let answer = app.s3().get_bucket_location().bucket(bucket).send().await;
    let constraint = answer.expect("the bucket is there").location_constraint;
    constraint.map_or_else(String::new, |it| it.as_str().to_owned())
}

#[tokio::test]
async fn a_bucket_reports_the_location_that_it_was_created_with() {
    let app = spawn_app().await;
    assert_eq!(location(&app, "uploads").await, "");
    for region in ["us-east-1", "eu-west-1"] {
        create_in(&app, region, region).await.unwrap();
        assert_eq!(location(&app, region).await, region);
    }
    let refused = create_in(&app, "nowhere", "no where").await;
    assert_eq!(refused, Err("InvalidLocationConstraint".to_owned()));
    let head = app.s3().head_bucket().bucket("eu-west-1").send().await;
    assert_eq!(head.unwrap().bucket_region(), Some("eu-west-1"));
}

#[tokio::test]
async fn a_bucket_with_the_location_auto_is_in_the_servers_region() {
    for (configured, told) in [
        ("", ""),
        ("us-east-1", ""),
        ("eu-central-1", "eu-central-1"),
    ] {
        let app = spawn_with(|config| config.http.region = configured.to_owned()).await;
        create_in(&app, "anywhere", "auto").await.unwrap();
        assert_eq!(location(&app, "anywhere").await, told);
    }
}

#[tokio::test]
async fn a_server_of_one_region_takes_no_bucket_of_another() {
    let app = spawn_with(|config| config.http.region = "eu-central-1".to_owned()).await;
    let refused = create_in(&app, "elsewhere", "eu-west-1").await;
    assert_eq!(
        refused,
        Err("IllegalLocationConstraintException".to_owned())
    );
    create_in(&app, "here", "eu-central-1").await.unwrap();
    assert_eq!(location(&app, "here").await, "eu-central-1");
    assert_eq!(location(&app, "uploads").await, "eu-central-1");
}

#[tokio::test]
async fn versions_are_paged_by_their_markers() {
    let app = spawn_app().await;
    for key in ["a", "b", "c"] {
        put(&app, "uploads", key).await;
    }
    let s3 = app.s3();
    let (mut seen, mut marker, mut version) = (Vec::new(), None, None);
    loop {
        let page = s3
            .list_object_versions()
            .bucket("uploads")
            .max_keys(2)
            .set_key_marker(marker)
            .set_version_id_marker(version)
            .send()
            .await
            .unwrap();
        for listed in page.versions() {
            assert_eq!(listed.version_id(), Some(NULL_VERSION));
            assert_eq!(listed.is_latest(), Some(true));
            seen.extend(listed.key().map(str::to_owned));
        }
        if page.is_truncated() != Some(true) {
            break;
        }
        (marker, version) = (page.next_key_marker, page.next_version_id_marker);
    }
    assert_eq!(seen, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_continuation_token_of_one_bucket_is_refused_in_another() {
    let app = spawn_app().await;
    let s3 = app.s3();
    s3.create_bucket().bucket("more").send().await.unwrap();
    for key in ["a", "b"] {
        put(&app, "uploads", key).await;
    }
    let page = s3.list_objects_v2().bucket("uploads").max_keys(1).send();
    let token = page.await.unwrap().next_continuation_token.unwrap();
    let other = s3.list_objects_v2().bucket("more");
    let refused = other.continuation_token(token).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidArgument"));
    assert_eq!(
        refused.message(),
        Some("The continuation token provided is incorrect")
    );
}

#[tokio::test]
async fn names_that_xml_cannot_hold_are_listed_encoded_and_hide_no_other() {
    let app = spawn_app().await;
    for key in ["a\u{1}", "a\u{2}", "ab", "az", "b\u{1}/x", "c\u{1}"] {
        put(&app, "uploads", key).await;
    }
    for delimiter in [None, Some("/".to_owned())] {
        let (mut keys, mut marker) = (Vec::new(), None);
        loop {
            let list = app.s3().list_objects().bucket("uploads").max_keys(1);
            let list = list.set_marker(marker).set_delimiter(delimiter.clone());
            let page = list.send().await.unwrap();
            assert!(page.contents().len() <= 1);
            keys.extend(
                page.contents()
                    .iter()
                    .map(|it| it.key().unwrap().to_owned()),
            );
            if page.is_truncated() != Some(true) {
                break;
            }
            marker = keys.last().cloned();
        }
        assert_eq!(keys, ["ab", "az"], "{delimiter:?}");
    }
    let encoded = app.s3().list_objects_v2().bucket("uploads");
    let encoded = encoded
        .encoding_type(EncodingType::Url)
        .send()
        .await
        .unwrap();
    assert_eq!(encoded.key_count(), Some(6));
}
