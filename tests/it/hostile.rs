//! Requests that are signed by a key of the server's, and ask for more than was signed, or for what is not there.

use crate::app::{App, presigned, spawn_app, spawn_with};

/// One request as it is, and its whole answer.
async fn send(app: &App, method: &str, target: &str, hosts: &str, body: &str) -> String {
    let length = body.len();
    app.raw(
        format!("{method} {target} HTTP/1.1\r\n{hosts}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
            .as_bytes(),
    )
    .await
}

/// A presigned request to the server's own host, where each test is.
async fn ask(
    app: &App,
    method: &str,
    path: &str,
    extra: &[(&str, &str)],
    body: &str,
) -> (u16, String) {
    let target = presigned(app, method, "h", path, extra);
    let answer = send(app, method, &target, "Host: h\r\n", body).await;
    let status = answer[9..12].parse().expect("a status");
    (status, answer)
}

#[tokio::test]
async fn a_signature_for_one_bucket_is_not_valid_for_another_through_the_host() {
    let app = spawn_with(|config| {
        config.http.s3_domain = Some("s3.example.com".to_owned());
        config.http.public_url = Some("http://files.example.org".to_owned());
    })
    .await;
    for (path, body) in [
        ("/other", ""),
        ("/uploads/key", "own"),
        ("/other/uploads/key", "foreign"),
    ] {
        assert_eq!(ask(&app, "PUT", path, &[], body).await.0, 200, "{path}");
    }
    let target = presigned(&app, "GET", "files.example.org", "/uploads/key", &[]);
    let own = send(&app, "GET", &target, "Host: hangar:9000\r\n", "").await;
    assert!(own.ends_with("own"), "{own}");
    for hosts in [
        "Host: other.s3.example.com\r\n",
        "Host: files.example.org\r\nX-Forwarded-Host: other.s3.example.com\r\n",
        "Host: other.s3.example.com\r\nX-Forwarded-Host: files.example.org\r\n",
    ] {
        let answer = send(&app, "GET", &target, hosts, "").await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{hosts}{answer}");
    }
}

#[tokio::test]
async fn encryption_asked_for_in_a_presigned_query_is_not_ignored() {
    let app = spawn_app().await;
    let encrypted = [("x-amz-server-side-encryption", "AES256")];
    let (status, answer) = ask(&app, "PUT", "/uploads/k", &encrypted, "plain").await;
    assert_eq!(status, 501, "{answer}");
    assert_eq!(ask(&app, "HEAD", "/uploads/k", &[], "").await.0, 404);
}

#[tokio::test]
async fn a_copy_asked_for_in_a_presigned_query_never_stores_an_empty_object() {
    let app = spawn_app().await;
    let copy = [("x-amz-copy-source", "/uploads/source")];
    let (status, answer) = ask(&app, "PUT", "/uploads/k", &copy, "").await;
    assert_eq!(status, 404, "{answer}");
    assert!(answer.contains("<Code>NoSuchKey</Code>"), "{answer}");
    assert_eq!(ask(&app, "HEAD", "/uploads/k", &[], "").await.0, 404);
}

#[tokio::test]
async fn metadata_in_a_presigned_query_is_stored_and_a_checksum_there_is_not_verified() {
    let app = spawn_app().await;
    let stated = [
        ("X-Amz-Meta-Author", "ana"),
        ("x-amz-checksum-crc32", "AAAAAA=="),
        ("x-amz-sdk-checksum-algorithm", "CRC32"),
    ];
    assert_eq!(ask(&app, "PUT", "/uploads/k", &stated, "body").await.0, 200);
    let (_, found) = ask(&app, "HEAD", "/uploads/k", &[], "").await;
    assert!(found.contains("x-amz-meta-author: ana"), "{found}");
    let (_, found) = ask(
        &app,
        "HEAD",
        "/uploads/k",
        &[("x-amz-checksum-mode", "ENABLED")],
        "",
    )
    .await;
    assert!(!found.contains("x-amz-checksum-crc32"), "{found}");
}

#[tokio::test]
async fn an_object_lock_that_cannot_be_kept_is_refused() {
    let app = spawn_app().await;
    let locked = [("x-amz-object-lock-mode", "COMPLIANCE")];
    let (status, answer) = ask(&app, "PUT", "/uploads/k", &locked, "x").await;
    assert_eq!(status, 400, "{answer}");
    assert!(answer.contains("<Code>InvalidRequest</Code>"), "{answer}");
    assert_eq!(ask(&app, "HEAD", "/uploads/k", &[], "").await.0, 404);
}

#[tokio::test]
async fn a_trailer_that_no_framing_can_carry_is_refused() {
    let app = spawn_app().await;
    let trailer = [("x-amz-trailer", "x-amz-checksum-crc32")];
    let (status, answer) = ask(&app, "PUT", "/uploads/k", &trailer, "x").await;
    assert_eq!(status, 400, "{answer}");
    assert_eq!(ask(&app, "HEAD", "/uploads/k", &[], "").await.0, 404);
}

#[tokio::test]
async fn every_presigned_answer_keeps_its_address_from_other_pages() {
    let app = spawn_app().await;
    for (method, path, status) in [
        ("PUT", "/uploads/k", 200),
        ("GET", "/uploads/k", 200),
        ("GET", "/uploads/absent", 404),
        ("DELETE", "/uploads/k", 204),
    ] {
        let (answered, answer) = ask(&app, method, path, &[], "").await;
        assert_eq!(answered, status, "{answer}");
        assert!(answer.contains("referrer-policy: no-referrer"), "{answer}");
    }
}
