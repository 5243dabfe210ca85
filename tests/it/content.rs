//! The first bytes of an asset's file, judged while the rest of it is still to come.

use crate::app::{App, spawn_with};
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use std::fmt::Write as _;
use std::time::Duration;

const SIZE_BYTES: u64 = 100 * 1024 * 1024;
const BOUNDARY: &str = "----a-boundary";

async fn spawn() -> App {
    spawn_with(|config| config.assets.file_size_limit = 2 * SIZE_BYTES).await
}

/// Asks for the upload of an avatar that is said to be a PNG of 100 MiB: the fields of its form.
async fn asked_avatar(app: &App) -> Vec<(String, String)> {
    let asked = serde_json::json!({
        "name": "me.png", "type": "image/png", "size": SIZE_BYTES, "entity_type": "USER_AVATAR",
    });
    let answer = reqwest::Client::new()
        .post(app.url("/api/v1/assets/user-assets/"))
        .header("x-api-key", app.new_token().await)
        .json(&asked)
        .send()
        .await
        .expect("an answer");
    let answer: serde_json::Value = answer.json().await.expect("a JSON answer");
    let fields = answer["upload_data"]["fields"].as_object().expect("fields");
    fields
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().expect("a text").to_owned()))
        .collect()
}

fn key_in(fields: &[(String, String)]) -> String {
    let (_, key) = fields
        .iter()
        .find(|(name, _)| name == "key")
        .expect("a key");
    key.clone()
}

/// The refusal of a file that is no image, and nothing under its key.
async fn assert_refused(app: &App, answer: &str, key: &str) {
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("<Code>InvalidRequest</Code>"), "{answer}");
    let message = "<Message>The file is not a JPEG, PNG, WebP or GIF image.</Message>";
    assert!(answer.contains(message), "{answer}");
    let head = app.s3().head_object().bucket("uploads").key(key);
    let missing = head.send().await.expect_err("nothing was stored");
    assert!(
        missing
            .as_service_error()
            .is_some_and(HeadObjectError::is_not_found)
    );
}

#[tokio::test]
async fn a_form_of_100_mib_that_begins_as_text_is_refused_after_its_first_kib() {
    let app = spawn().await;
    let fields = asked_avatar(&app).await;
    let mut sent = format!(
        "POST /uploads HTTP/1.1\r\nHost: {}\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n\
         Content-Length: {SIZE_BYTES}\r\n\r\n",
        app.address
    );
    for (name, value) in &fields {
        write!(
            sent,
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        )
        .expect("a string takes all");
    }
    write!(
        sent,
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"me.png\"\r\n\r\n{}",
        "x".repeat(1024)
    )
    .expect("a string takes all");
    // The rest never comes: the answer does not wait for it.
    let answer = app.raw(sent.as_bytes()).await;
    assert_refused(&app, &answer, &key_in(&fields)).await;
}

#[tokio::test]
async fn a_put_of_100_mib_that_begins_as_text_is_refused_after_its_first_kib() {
    let app = spawn().await;
    let key = key_in(&asked_avatar(&app).await);
    let presigned = app
        .s3()
        .put_object()
        .bucket("uploads")
        .key(&key)
        .presigned(PresigningConfig::expires_in(Duration::from_hours(1)).expect("an hour"))
        .await
        .expect("a presigned request");
    let target = presigned
        .uri()
        .strip_prefix(&app.url(""))
        .expect("a target");
    let sent = format!(
        "PUT {target} HTTP/1.1\r\nHost: {}\r\nContent-Length: {SIZE_BYTES}\r\n\r\n{}",
        app.address,
        "x".repeat(1024)
    );
    let answer = app.raw(sent.as_bytes()).await;
    assert_refused(&app, &answer, &key).await;
}

#[tokio::test]
async fn a_short_file_that_is_no_image_is_refused_when_it_is_whole() {
    let app = spawn().await;
    let key = key_in(&asked_avatar(&app).await);
    let put = app.s3().put_object().bucket("uploads").key(&key);
    let refused = put.body(b"GIF8".to_vec().into()).send().await;
    let refused = refused.expect_err("four bytes are no image");
    let code = aws_sdk_s3::error::ProvideErrorMetadata::code(&refused);
    assert_eq!(code, Some("InvalidRequest"));
}

#[tokio::test]
async fn a_multipart_upload_to_an_asset_s_key_takes_any_bytes() {
    let app = spawn().await;
    let key = key_in(&asked_avatar(&app).await);
    let s3 = app.s3();
    let begun = s3.create_multipart_upload().bucket("uploads").key(&key);
    let begun = begun.send().await.expect("an upload is begun");
    let id = begun.upload_id().expect("an id");
    let part = s3.upload_part().bucket("uploads").key(&key).upload_id(id);
    let part = part.part_number(1).body(vec![b'x'; 1024].into());
    let part = part.send().await.expect("a part is taken");
    let named = CompletedPart::builder()
        .part_number(1)
        .e_tag(part.e_tag().expect("an ETag"));
    let parts = CompletedMultipartUpload::builder().parts(named.build());
    let completion = s3.complete_multipart_upload().bucket("uploads").key(&key);
    let completion = completion.upload_id(id).multipart_upload(parts.build());
    completion.send().await.expect("the upload is completed");
}
