//! Copies, overrides and conditional deletes through the official SDK.

use crate::app::{App, spawn_app};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::operation::copy_object::builders::CopyObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, MetadataDirective, TaggingDirective};

/// An object with a type, metadata and a tag.
async fn put_source(app: &App) -> String {
    let put = app
        .s3()
        .put_object()
        .bucket("uploads")
        .key("from/ü%.txt")
        .content_type("text/plain")
        .metadata("author", "me")
        .tagging("k=v")
        .body(ByteStream::from_static(b"123456789"))
        .send()
        .await
        .expect("the source is stored");
    put.e_tag().expect("it has a tag").to_owned()
}

fn copy(app: &App, key: &str) -> CopyObjectFluentBuilder {
    app.s3()
        .copy_object()
        .bucket("uploads")
        .key(key)
        .copy_source("uploads/from/%C3%BC%25.txt")
}

async fn told(app: &App, key: &str) -> aws_sdk_s3::operation::get_object::GetObjectOutput {
    app.s3()
        .get_object()
        .bucket("uploads")
        .key(key)
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await
        .expect("the copy is there")
}

#[tokio::test]
async fn a_copy_has_the_bytes_and_what_was_stored_with_them() {
    let app = spawn_app().await;
    let etag = put_source(&app).await;
    let copied = copy(&app, "to").send().await.unwrap();
    let result = copied.copy_object_result().unwrap();
    assert_eq!(result.e_tag(), Some(etag.as_str()));
    assert!(result.last_modified().is_some());
    let app = app.restarted().await;
    let copy = told(&app, "to").await;
    assert_eq!(copy.content_type(), Some("text/plain"));
    assert_eq!(copy.metadata().unwrap()["author"], "me");
    assert_eq!(copy.tag_count(), Some(1));
    assert_eq!(copy.checksum_crc32(), Some("y/Q5Jg=="));
    assert_eq!(copy.body.collect().await.unwrap().to_vec(), b"123456789");
}

#[tokio::test]
async fn a_copy_replaces_what_its_directives_name() {
    let app = spawn_app().await;
    put_source(&app).await;
    copy(&app, "metadata")
        .metadata_directive(MetadataDirective::Replace)
        .metadata("author", "you")
        .send()
        .await
        .unwrap();
    let replaced = told(&app, "metadata").await;
    assert_eq!(replaced.metadata().unwrap()["author"], "you");
    assert_eq!(replaced.content_type(), Some("binary/octet-stream"));
    assert_eq!(replaced.tag_count(), Some(1));
    copy(&app, "tags")
        .tagging_directive(TaggingDirective::Replace)
        .tagging("a=1&b=2")
        .send()
        .await
        .unwrap();
    let replaced = told(&app, "tags").await;
    assert_eq!(replaced.metadata().unwrap()["author"], "me");
    assert_eq!(replaced.tag_count(), Some(2));
    for refused in [
        copy(&app, "k").metadata_directive(MetadataDirective::from("MOVE")),
        copy(&app, "k").tagging_directive(TaggingDirective::from("MOVE")),
    ] {
        let refused = refused.send().await.unwrap_err();
        assert_eq!(refused.code(), Some("InvalidArgument"));
    }
}

#[tokio::test]
async fn a_plus_in_a_copy_s_source_is_a_space_before_it_is_a_plus_sign() {
    let app = spawn_app().await;
    let put = async |key: &str| {
        let put = app.s3().put_object().bucket("uploads").key(key);
        let body = ByteStream::from(key.as_bytes().to_vec());
        put.body(body).send().await.unwrap();
    };
    let copied = async |source: &str| {
        let copy = app.s3().copy_object().bucket("uploads").key("to");
        let copied = copy.copy_source(format!("uploads/{source}")).send().await;
        copied.map_err(|refusal| refusal.code().unwrap_or_default().to_owned())?;
        let body = told(&app, "to").await.body.collect().await.unwrap();
        Ok(String::from_utf8(body.to_vec()).unwrap())
    };
    let named = |key: &str| Ok::<_, String>(key.to_owned());
    assert_eq!(copied("a+b").await, Err("NoSuchKey".to_owned()));
    put("a+b").await;
    assert_eq!(copied("a+b").await, named("a+b"));
    put("a b").await;
    assert_eq!(copied("a+b").await, named("a b"));
    assert_eq!(copied("a%2Bb").await, named("a+b"));
    assert_eq!(copied("a%20b").await, named("a b"));
}

#[tokio::test]
async fn a_copy_onto_itself_must_change_something() {
    let app = spawn_app().await;
    put_source(&app).await;
    let onto_itself = || copy(&app, "from/ü%.txt");
    let refused = onto_itself().send().await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidRequest"));
    onto_itself()
        .metadata_directive(MetadataDirective::Replace)
        .metadata("foo", "bar")
        .send()
        .await
        .unwrap();
    let changed = told(&app, "from/ü%.txt").await;
    assert_eq!(changed.metadata().unwrap()["foo"], "bar");
    assert_eq!(changed.metadata().unwrap().len(), 1);
    assert_eq!(changed.body.collect().await.unwrap().to_vec(), b"123456789");
}

#[tokio::test]
async fn a_copy_gets_the_checksum_that_is_asked_for() {
    let app = spawn_app().await;
    put_source(&app).await;
    let asked = copy(&app, "to").checksum_algorithm(ChecksumAlgorithm::Sha1);
    let copied = asked.send().await.unwrap();
    let sha1 = Some("98O8HYCOBHMq32eZZczDTKeuNEE=");
    assert_eq!(copied.copy_object_result().unwrap().checksum_sha1(), sha1);
    let copy = told(&app, "to").await;
    assert_eq!((copy.checksum_sha1(), copy.checksum_crc32()), (sha1, None));
}

#[tokio::test]
async fn conditions_hold_for_the_source_and_for_the_target() {
    let app = spawn_app().await;
    let etag = put_source(&app).await;
    for (asked, code) in [
        (
            copy(&app, "to").copy_source_if_match("ABCORZ"),
            "PreconditionFailed",
        ),
        (
            copy(&app, "to").copy_source_if_none_match(&etag),
            "PreconditionFailed",
        ),
        (copy(&app, "to").if_match(&etag), "NoSuchKey"),
        (copy(&app, "to").copy_source("uploads/none"), "NoSuchKey"),
        (copy(&app, "to").copy_source("nowhere/none"), "NoSuchBucket"),
        (copy(&app, "to").copy_source("uploads"), "InvalidArgument"),
        (
            copy(&app, "to").copy_source("uploads/from/%C3%BC%25.txt?versionId=1"),
            "NoSuchVersion",
        ),
        (copy(&app, "to").bucket("nowhere"), "NoSuchBucket"),
    ] {
        assert_eq!(asked.send().await.unwrap_err().code(), Some(code));
    }
    copy(&app, "to")
        .copy_source_if_match(&etag)
        .if_none_match("*")
        .send()
        .await
        .unwrap();
    let again = copy(&app, "to").if_none_match("*").send().await;
    assert_eq!(again.unwrap_err().code(), Some("PreconditionFailed"));
    copy(&app, "to").if_match(&etag).send().await.unwrap();
}

#[tokio::test]
async fn a_write_takes_both_conditions_with_a_star_or_a_tag() {
    let app = spawn_app().await;
    let s3 = app.s3();
    let put = || {
        s3.put_object()
            .bucket("uploads")
            .key("k")
            .body(ByteStream::from_static(b"x"))
    };
    let absent = put().if_match("*").send().await.unwrap_err();
    assert_eq!(absent.code(), Some("NoSuchKey"));
    let other = "5d41402abc4b2a76b9719d911017c592";
    let etag = put().if_none_match(other).send().await.unwrap();
    let etag = etag.e_tag().unwrap().to_owned();
    let same = put().if_none_match(&etag).send().await.unwrap_err();
    assert_eq!(same.code(), Some("PreconditionFailed"));
    put().if_match("*").send().await.unwrap();
    let other = put().if_match("\"other\"").send().await.unwrap_err();
    assert_eq!(other.code(), Some("PreconditionFailed"));
}

#[tokio::test]
async fn a_delete_takes_a_condition_on_what_is_there() {
    let app = spawn_app().await;
    let etag = put_source(&app).await;
    let delete = |tag: &str| {
        app.s3()
            .delete_object()
            .bucket("uploads")
            .key("from/ü%.txt")
            .if_match(tag)
            .send()
    };
    let refused = delete("\"other\"").await.unwrap_err();
    assert_eq!(refused.code(), Some("PreconditionFailed"));
    delete(&etag).await.unwrap();
    let gone = delete(&etag).await.unwrap_err();
    assert_eq!(gone.code(), Some("NoSuchKey"));
}

#[tokio::test]
async fn response_overrides_replace_the_stored_headers() {
    let app = spawn_app().await;
    put_source(&app).await;
    let got = app
        .s3()
        .get_object()
        .bucket("uploads")
        .key("from/ü%.txt")
        .response_content_type("text/csv")
        .response_content_language("de")
        .response_content_encoding("identity")
        .response_content_disposition("attachment; filename=a.csv")
        .response_cache_control("no-store")
        .send()
        .await
        .unwrap();
    assert_eq!(got.content_type(), Some("text/csv"));
    assert_eq!(got.content_language(), Some("de"));
    assert_eq!(got.content_encoding(), Some("identity"));
    assert_eq!(
        got.content_disposition(),
        Some("attachment; filename=a.csv")
    );
    assert_eq!(got.cache_control(), Some("no-store"));
}

#[tokio::test]
async fn response_overrides_need_a_signature() {
    let app = spawn_app().await;
    put_source(&app).await;
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::uploads/*"}]}"#;
    let put = app.s3().put_bucket_policy().bucket("uploads");
    put.policy(policy).send().await.unwrap();
    let address = app.url("/uploads/from/%C3%BC%25.txt");
    let plain = reqwest::get(&address).await.unwrap();
    assert_eq!(plain.status(), 200);
    let overridden = reqwest::get(format!("{address}?response-content-type=text/csv"));
    let overridden = overridden.await.unwrap();
    assert_eq!(overridden.status(), 400);
    let text = overridden.text().await.unwrap();
    assert!(text.contains("<Code>InvalidRequest</Code>"), "{text}");
}
