//! Uploads by form, under policies as Plane asks for them.

use crate::app::{ACCESS_KEY, App, SECRET_KEY, spawn_app};
use hangar::s3::policy::PostPolicy;
use hangar::s3::sigv4::{Credential, SigningKey};
use hangar::s3::{BucketName, ObjectKey, time};
use std::fmt::Write as _;
use std::time::Duration;

const BOUNDARY: &str = "----a-boundary";

/// The fields of a policy for `key`, as the asset API would give them out.
fn fields(app: &App, key: &str, length: std::ops::RangeInclusive<u64>) -> Vec<(String, String)> {
    let now = app.clock.now();
    let day = &time::amz_date(now)[..8];
    let credential = Credential::parse(&format!("{ACCESS_KEY}/{day}//s3/aws4_request"))
        .expect("a credential with an empty region");
    let signing_key = SigningKey::derive(SECRET_KEY, &credential.scope);
    PostPolicy {
        bucket: &BucketName::parse("uploads").expect("a bucket's name"),
        key: &ObjectKey::parse(key).expect("a key"),
        content_type: "image/png",
        length,
        now,
        expires_at: now.plus(Duration::from_hours(1)),
        credential: &credential,
    }
    .sign(&signing_key)
    .fields
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// A form whose body ends with its closing boundary.
fn form(fields: &[(String, String)], file: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend_from_slice(
            format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            )
            .as_bytes(),
        );
    }
    body.extend_from_slice(
        format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"me.png\"\r\n\r\n")
            .as_bytes(),
    );
    body.extend_from_slice(file);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    body
}

async fn post(app: &App, body: Vec<u8>) -> reqwest::Response {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client")
        .post(app.url("/uploads"))
        .header(
            "content-type",
            format!("multipart/form-data; boundary={BOUNDARY}"),
        )
        .header("origin", "https://plane.example.com")
        .body(body)
        .send()
        .await
        .expect("the answer arrives, not a reset")
}

/// What an error answer says: its code, and the elements that help.
async fn refusal(answer: reqwest::Response) -> String {
    let status = answer.status().as_u16();
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    let xml = answer.text().await.expect("an XML body");
    let element = |name: &str| {
        let (_, rest) = xml.split_once(&format!("<{name}>"))?;
        Some(format!(" {name}={}", rest.split_once('<')?.0))
    };
    let names = ["Code", "ProposedSize", "MaxSizeAllowed", "MinSizeAllowed"];
    let said: String = names.into_iter().filter_map(element).collect();
    format!("{status}{said}")
}

#[tokio::test]
async fn a_form_under_its_policy_becomes_an_object() {
    let app = spawn_app().await;
    let fields = fields(&app, "avatars/me.png", 1..=73);
    let answer = post(&app, form(&fields, &[7; 73])).await;
    assert_eq!(answer.status(), 204);
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert!(header("etag").starts_with('"'));
    assert_eq!(header("location"), app.url("/uploads/avatars/me.png"));
    assert_eq!(header("access-control-allow-origin"), "*");
    assert!(header("access-control-expose-headers").contains("ETag"));
    assert_eq!(app.stored("avatars/me.png").await, Some(vec![7; 73]));
    let head = app
        .s3()
        .head_object()
        .bucket("uploads")
        .key("avatars/me.png");
    assert_eq!(head.send().await.unwrap().content_type(), Some("image/png"));
}

#[tokio::test]
async fn a_file_over_its_limit_is_refused_with_its_size() {
    let app = spawn_app().await;
    let fields = fields(&app, "k", 1..=73);
    let slightly = post(&app, form(&fields, &[7; 74])).await;
    insta::assert_snapshot!(refusal(slightly).await, @"400 Code=EntityTooLarge ProposedSize=74 MaxSizeAllowed=73");
    let vastly = post(&app, form(&fields, &vec![7; 3_000_000])).await;
    let said = refusal(vastly).await;
    assert!(said.starts_with("400 Code=EntityTooLarge"), "{said}");
    assert!(said.ends_with("MaxSizeAllowed=73"), "{said}");
    assert_eq!(app.stored("k").await, None);
}

#[tokio::test]
async fn an_empty_file_is_too_small_for_plane() {
    let app = spawn_app().await;
    let answer = post(&app, form(&fields(&app, "k", 1..=73), b"")).await;
    insta::assert_snapshot!(refusal(answer).await, @"400 Code=EntityTooSmall ProposedSize=0 MinSizeAllowed=1");
    assert_eq!(app.stored("k").await, None);
}

#[tokio::test]
async fn a_form_that_ends_early_stores_nothing() {
    let app = spawn_app().await;
    let whole = form(&fields(&app, "k", 1..=1_000_000), &vec![7; 600_000]);
    let cut = post(&app, whole[..whole.len() - 4].to_vec()).await;
    insta::assert_snapshot!(refusal(cut).await, @"400 Code=MalformedPOSTRequest");
    // The sender promises more than it sends, and hangs up.
    let head = format!(
        "POST /uploads HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {}\r\n\r\n",
        whole.len() + 10
    );
    let mut request = head.into_bytes();
    request.extend_from_slice(&whole);
    let answer = app.raw_half_closed(&request).await;
    assert!(answer.contains("<Code>IncompleteBody</Code>"), "{answer}");
    assert_eq!(app.stored("k").await, None);
}

#[tokio::test]
async fn a_form_is_refused_by_the_first_check_that_fails() {
    let app = spawn_app().await;
    let good = fields(&app, "k", 1..=73);
    let file = [7; 100];
    let without = |name: &str| -> Vec<(String, String)> {
        good.iter()
            .filter(|(present, _)| present != name)
            .cloned()
            .collect()
    };
    let with = |name: &str, value: &str| {
        let mut fields = without(name);
        fields.push((name.to_owned(), value.to_owned()));
        fields
    };
    let day = time::amz_date(app.clock.now())[..8].to_owned();
    let other_key = format!("other/{day}//s3/aws4_request");
    let cases = [
        ("no policy", without("policy")),
        ("no signature", without("x-amz-signature")),
        ("wrong signature", with("x-amz-signature", &"0".repeat(64))),
        ("unknown key", with("x-amz-credential", &other_key)),
        ("other key", with("key", "l")),
        ("extra field", with("x-amz-meta-a", "b")),
        ("too long", good.clone()),
    ];
    let mut said = String::new();
    for (case, fields) in cases {
        let refusal = refusal(post(&app, form(&fields, &file)).await).await;
        writeln!(said, "{case}: {refusal}").expect("a string takes it");
    }
    app.clock.advance(Duration::from_secs(3601));
    let late = refusal(post(&app, form(&good, &file)).await).await;
    writeln!(said, "late: {late}").expect("a string takes it");
    insta::assert_snapshot!(said, @r"
    no policy: 403 Code=AccessDenied
    no signature: 400 Code=InvalidArgument
    wrong signature: 403 Code=SignatureDoesNotMatch
    unknown key: 403 Code=InvalidAccessKeyId
    other key: 403 Code=AccessDenied
    extra field: 403 Code=AccessDenied
    too long: 400 Code=EntityTooLarge ProposedSize=100 MaxSizeAllowed=73
    late: 403 Code=AccessDenied
    ");
    assert_eq!(app.stored("k").await, None);
}

#[tokio::test]
async fn a_large_file_is_stored_whole() {
    let app = spawn_app().await;
    let file: Vec<u8> = (0..20_000_000_u32).map(|at| (at % 253) as u8).collect();
    let answer = post(&app, form(&fields(&app, "large", 1..=30_000_000), &file)).await;
    assert_eq!(answer.status(), 204);
    assert!(
        app.stored("large").await == Some(file),
        "the bytes are the same"
    );
}
