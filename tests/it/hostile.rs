//! Requests that are signed by a key of the server's, and ask for more than was signed, or for what is not there.

use crate::app::{ACCESS_KEY, App, SECRET_KEY, spawn_with};
use hangar::s3::sigv4::{Credential, SigningKey, presign_query};
use hangar::s3::time;

/// The target of a presigned request; `extra` are signed parameters.
fn presigned(app: &App, method: &str, host: &str, path: &str, extra: &[(&str, &str)]) -> String {
    let now = app.clock.now();
    let day = &time::amz_date(now)[..8];
    let credential = Credential::parse(&format!("{ACCESS_KEY}/{day}/us-east-1/s3/aws4_request"))
        .expect("a credential");
    let key = SigningKey::derive(SECRET_KEY, &credential.scope);
    let query = presign_query(method, host, path, extra, &credential, &key, now, 60);
    format!("{path}?{query}")
}

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
async fn what_was_signed_for_one_bucket_is_not_good_for_another_through_the_host() {
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
