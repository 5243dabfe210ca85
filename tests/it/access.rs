//! Who may do what: bucket policies, access keys with limits, and the old signature.

use crate::app::{ACCESS_KEY, App, SECRET_KEY, presigned, spawn_app, spawn_with};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier, PublicAccessBlockConfiguration};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hangar::http::TrustedProxies;
use hangar::s3::signature::Sigv2;
use hangar::s3::time;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn put(s3: &aws_sdk_s3::Client, key: &str) -> Result<(), String> {
    s3.put_object()
        .bucket("uploads")
        .key(key)
        .body(ByteStream::from_static(b"hello"))
        .send()
        .await
        .map(|_| ())
        .map_err(|refusal| refusal.code().unwrap_or_default().to_owned())
}

async fn get(s3: &aws_sdk_s3::Client, key: &str) -> Result<(), String> {
    s3.get_object()
        .bucket("uploads")
        .key(key)
        .send()
        .await
        .map(|_| ())
        .map_err(|refusal| refusal.code().unwrap_or_default().to_owned())
}

async fn list(s3: &aws_sdk_s3::Client, prefix: Option<&str>) -> Result<(), String> {
    s3.list_objects_v2()
        .bucket("uploads")
        .set_prefix(prefix.map(str::to_owned))
        .send()
        .await
        .map(|_| ())
        .map_err(|refusal| refusal.code().unwrap_or_default().to_owned())
}

fn denied() -> Result<(), String> {
    Err("AccessDenied".to_owned())
}

/// Sets a policy of these statements: effect, actions, resource below the bucket, condition.
async fn set_policy(app: &App, statements: &[(&str, &str, &str, &str)]) {
    let statements: Vec<String> = statements
        .iter()
        .map(|(effect, actions, below, condition)| {
            format!(
                r#"{{"Effect":"{effect}","Principal":{{"AWS":["*"]}},"Action":{actions},"Resource":"arn:aws:s3:::uploads{below}"{condition}}}"#
            )
        })
        .collect();
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{}]}}"#,
        statements.join(",")
    );
    app.s3()
        .put_bucket_policy()
        .bucket("uploads")
        .policy(policy)
        .send()
        .await
        .expect("the policy is set");
}

fn host(app: &App) -> String {
    app.url("").trim_start_matches("http://").to_owned()
}

/// The status and the code of the answer to an unsigned request.
async fn ask(app: &App, method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    ask_with(app, method, path, headers, "hello").await
}

/// The same, with this body of a PUT.
async fn ask_with(
    app: &App,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &'static str,
) -> String {
    let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
    let mut request = reqwest::Client::new().request(method.clone(), app.url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if method == reqwest::Method::PUT {
        request = request.body(body);
    }
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("a text");
    match text
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once('<'))
    {
        Some((code, _)) => format!("{status} {code}"),
        None => status.to_string(),
    }
}

#[tokio::test]
async fn a_policy_grants_anonymous_clients_what_it_says_and_nothing_else() {
    let app = spawn_app().await;
    put(&app.s3(), "open/a").await.unwrap();
    put(&app.s3(), "a").await.unwrap();
    assert_eq!(
        ask(&app, "GET", "/uploads/open/a", &[]).await,
        "403 AccessDenied"
    );
    set_policy(&app, &[("Allow", r#""s3:GetObject""#, "/open/*", "")]).await;
    for (method, path, answer) in [
        ("GET", "/uploads/open/a", "200"),
        ("HEAD", "/uploads/open/a", "200"),
        ("GET", "/uploads/open/missing", "403 AccessDenied"),
        ("HEAD", "/uploads/open/missing", "403"),
        ("GET", "/uploads/a", "403 AccessDenied"),
        ("PUT", "/uploads/open/b", "403 AccessDenied"),
        ("DELETE", "/uploads/open/a", "403 AccessDenied"),
        ("GET", "/uploads", "403 AccessDenied"),
        ("GET", "/uploads?policy", "403 AccessDenied"),
        ("GET", "/elsewhere/a", "404 NoSuchBucket"),
        ("PUT", "/elsewhere", "403 AccessDenied"),
        ("GET", "/", "403 AccessDenied"),
    ] {
        assert_eq!(
            ask(&app, method, path, &[]).await,
            answer,
            "{method} {path}"
        );
    }
    app.s3()
        .delete_bucket_policy()
        .bucket("uploads")
        .send()
        .await
        .unwrap();
    assert_eq!(
        ask(&app, "GET", "/uploads/open/a", &[]).await,
        "403 AccessDenied"
    );
}

#[tokio::test]
async fn a_client_that_may_list_gets_404_for_a_missing_object() {
    let app = spawn_app().await;
    set_policy(
        &app,
        &[
            ("Allow", r#""s3:GetObject""#, "/*", ""),
            (
                "Allow",
                r#"["s3:ListBucket","s3:GetBucketLocation"]"#,
                "",
                "",
            ),
        ],
    )
    .await;
    assert_eq!(
        ask(&app, "GET", "/uploads/missing", &[]).await,
        "404 NoSuchKey"
    );
    assert_eq!(ask(&app, "GET", "/uploads?list-type=2", &[]).await, "200");
    assert_eq!(ask(&app, "GET", "/uploads?location", &[]).await, "200");
}

#[tokio::test]
async fn anonymous_clients_write_where_a_policy_allows_it() {
    let app = spawn_app().await;
    let writes = r#"["s3:PutObject","s3:DeleteObject"]"#;
    set_policy(&app, &[("Allow", writes, "/in/*", "")]).await;
    assert_eq!(ask(&app, "PUT", "/uploads/in/a", &[]).await, "200");
    let tagged = [("x-amz-tagging", "a=b")];
    assert_eq!(
        ask(&app, "PUT", "/uploads/in/a", &tagged).await,
        "403 AccessDenied"
    );
    let sha256 = [("x-amz-content-sha256", "0".repeat(64))];
    let sha256 = sha256
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    assert_eq!(
        ask(&app, "PUT", "/uploads/in/b", &sha256).await,
        "400 XAmzContentSHA256Mismatch"
    );
    for (key, status) in [("in/form", 204), ("form", 403)] {
        let form = reqwest::multipart::Form::new().text("key", key).part(
            "file",
            reqwest::multipart::Part::bytes(b"hello").file_name("f"),
        );
        let client = reqwest::Client::new();
        let answer = client
            .post(app.url("/uploads"))
            .multipart(form)
            .send()
            .await;
        assert_eq!(answer.unwrap().status(), status, "{key}");
    }
    get(&app.s3(), "in/form").await.unwrap();
    assert_eq!(ask(&app, "DELETE", "/uploads/in/a", &[]).await, "204");
}

#[tokio::test]
async fn a_policy_can_deny_the_owner_all_but_changing_the_policy() {
    let app = spawn_app().await;
    put(&app.s3(), "a").await.unwrap();
    set_policy(&app, &[("Deny", r#""s3:*""#, "*", "")]).await;
    assert_eq!(get(&app.s3(), "a").await, denied());
    assert_eq!(list(&app.s3(), None).await, denied());
    app.s3()
        .get_bucket_policy()
        .bucket("uploads")
        .send()
        .await
        .unwrap();
    app.s3()
        .delete_bucket_policy()
        .bucket("uploads")
        .send()
        .await
        .unwrap();
    get(&app.s3(), "a").await.unwrap();
}

#[tokio::test]
async fn a_policy_that_cannot_be_evaluated_is_refused_with_the_reason() {
    let app = spawn_app().await;
    let policy = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::other/*"}}"#;
    let refused = app
        .s3()
        .put_bucket_policy()
        .bucket("uploads")
        .policy(policy)
        .send()
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Some("MalformedPolicy"));
    assert_eq!(refused.message(), Some("Policy has invalid resource"));
}

#[tokio::test]
async fn a_public_policy_grants_nothing_where_the_bucket_restricts_public_access() {
    let app = spawn_app().await;
    put(&app.s3(), "a").await.unwrap();
    set_policy(&app, &[("Allow", r#""s3:GetObject""#, "/*", "")]).await;
    assert_eq!(ask(&app, "GET", "/uploads/a", &[]).await, "200");
    let block = PublicAccessBlockConfiguration::builder().restrict_public_buckets(true);
    app.s3()
        .put_public_access_block()
        .bucket("uploads")
        .public_access_block_configuration(block.build())
        .send()
        .await
        .unwrap();
    assert_eq!(
        ask(&app, "GET", "/uploads/a", &[]).await,
        "403 AccessDenied"
    );
    get(&app.s3(), "a").await.unwrap();
}

#[tokio::test]
async fn a_spoofed_client_address_grants_no_access() {
    const ELSEWHERE: &str = r#","Condition":{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#;
    let claimed = [("x-forwarded-for", "203.0.113.9")];
    for (trusted, answer) in [(None, "403 AccessDenied"), (Some("private"), "200")] {
        let app = spawn_with(|config| {
            if let Some(trusted) = trusted {
                config.http.trusted_proxies = TrustedProxies::parse(trusted).expect("a setting");
            }
        })
        .await;
        put(&app.s3(), "a").await.unwrap();
        set_policy(&app, &[("Allow", r#""s3:GetObject""#, "/*", ELSEWHERE)]).await;
        assert_eq!(
            ask(&app, "GET", "/uploads/a", &[]).await,
            "403 AccessDenied"
        );
        assert_eq!(ask(&app, "GET", "/uploads/a", &claimed).await, answer);
    }
}

#[tokio::test]
async fn anonymous_reads_are_served_so_that_a_browser_runs_nothing_unless_the_setting_allows_it() {
    for safe_reads in [true, false] {
        let app = spawn_with(|config| config.http.safe_reads = safe_reads).await;
        app.s3()
            .put_object()
            .bucket("uploads")
            .key("page")
            .content_type("text/html")
            .body(ByteStream::from_static(b"<p>"))
            .send()
            .await
            .unwrap();
        set_policy(&app, &[("Allow", r#""s3:GetObject""#, "/*", "")]).await;
        let answer = reqwest::get(app.url("/uploads/page")).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(
            answer.headers().contains_key("content-security-policy"),
            safe_reads
        );
        let overridden = "/uploads/page?response-content-type=text/plain";
        assert_eq!(
            ask(&app, "GET", overridden, &[]).await,
            "400 InvalidRequest"
        );
    }
}

#[tokio::test]
async fn a_read_only_key_changes_nothing() {
    let app = spawn_app().await;
    put(&app.s3(), "a").await.unwrap();
    let (id, secret) = app.new_access_key(&["--read-only"]).await;
    let s3 = app.s3_as(&id, &secret);
    get(&s3, "a").await.unwrap();
    list(&s3, None).await.unwrap();
    assert_eq!(get(&s3, "missing").await, Err("NoSuchKey".to_owned()));
    assert_eq!(put(&s3, "b").await, denied());
    let copied = s3
        .copy_object()
        .bucket("uploads")
        .key("b")
        .copy_source("uploads/a")
        .send()
        .await;
    assert_eq!(copied.unwrap_err().code(), Some("AccessDenied"));
    let begun = s3
        .create_multipart_upload()
        .bucket("uploads")
        .key("b")
        .send()
        .await;
    assert_eq!(begun.unwrap_err().code(), Some("AccessDenied"));
    let objects = ObjectIdentifier::builder().key("a").build().unwrap();
    let list = Delete::builder().objects(objects).build().unwrap();
    let deleted = s3
        .delete_objects()
        .bucket("uploads")
        .delete(list)
        .send()
        .await;
    assert_eq!(deleted.unwrap_err().code(), Some("AccessDenied"));
    get(&app.s3(), "a").await.unwrap();
}

#[tokio::test]
async fn a_key_below_a_prefix_reaches_nothing_else() {
    let app = spawn_app().await;
    app.s3()
        .create_bucket()
        .bucket("elsewhere")
        .send()
        .await
        .unwrap();
    put(&app.s3(), "a").await.unwrap();
    let limits = ["--bucket", "uploads", "--prefix", "in/"];
    let (id, secret) = app.new_access_key(&limits).await;
    let s3 = app.s3_as(&id, &secret);
    put(&s3, "in/a").await.unwrap();
    get(&s3, "in/a").await.unwrap();
    list(&s3, Some("in/")).await.unwrap();
    list(&s3, Some("in/a")).await.unwrap();
    for prefix in [None, Some(""), Some("in"), Some("a")] {
        assert_eq!(list(&s3, prefix).await, denied(), "{prefix:?}");
    }
    assert_eq!(get(&s3, "a").await, denied());
    assert_eq!(put(&s3, "inn").await, denied());
    let copied = s3
        .copy_object()
        .bucket("uploads")
        .key("in/b")
        .copy_source("uploads/a")
        .send()
        .await;
    assert_eq!(copied.unwrap_err().code(), Some("AccessDenied"));
    let buckets = s3.list_buckets().send().await.unwrap();
    let names: Vec<_> = buckets
        .buckets()
        .iter()
        .filter_map(|bucket| bucket.name())
        .collect();
    assert_eq!(names, ["uploads"]);
    s3.head_bucket().bucket("uploads").send().await.unwrap();
    // A HEAD has no body to name the code in.
    let foreign = s3.head_bucket().bucket("elsewhere").send().await;
    let foreign = foreign.unwrap_err();
    assert_eq!(
        foreign.raw_response().map(|raw| raw.status().as_u16()),
        Some(403)
    );
    let made = s3.create_bucket().bucket("another").send().await;
    assert_eq!(made.unwrap_err().code(), Some("AccessDenied"));
    let objects = ["in/a", "a"].map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    let keys = Delete::builder()
        .set_objects(Some(objects.to_vec()))
        .build()
        .unwrap();
    let deleted = s3
        .delete_objects()
        .bucket("uploads")
        .delete(keys)
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.deleted().len(), 1);
    assert_eq!(deleted.errors()[0].code(), Some("AccessDenied"));
    get(&app.s3(), "a").await.unwrap();
}

// ---- Signature Version 2

fn signature(string_to_sign: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(SECRET_KEY.as_bytes()).expect("any length");
    mac.update(string_to_sign.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[tokio::test]
async fn the_old_signature_is_accepted_where_the_setting_says() {
    const UNSUPPORTED: &str = "400 InvalidRequest";
    for (sigv2, header_answer, query_answer) in [
        (Sigv2::On, "200", "200"),
        (Sigv2::Presigned, UNSUPPORTED, "200"),
        (Sigv2::Off, UNSUPPORTED, UNSUPPORTED),
    ] {
        let app = spawn_with(|config| config.http.sigv2 = sigv2).await;
        put(&app.s3(), "a").await.unwrap();
        let date = time::http_date(app.clock.now());
        let signed = signature(&format!("GET\n\n\n{date}\n/uploads/a"));
        let authorization = format!("AWS {ACCESS_KEY}:{signed}");
        let headers = [("date", date.as_str()), ("authorization", &authorization)];
        assert_eq!(
            ask(&app, "GET", "/uploads/a", &headers).await,
            header_answer
        );
        let path = presigned_by_v2(&app, "/uploads/a", "");
        assert_eq!(ask(&app, "GET", &path, &[]).await, query_answer);
        let tampered = path.replace("uploads/a", "uploads/b");
        let refused = match sigv2 {
            Sigv2::Off => query_answer,
            _ => "403 SignatureDoesNotMatch",
        };
        assert_eq!(ask(&app, "GET", &tampered, &[]).await, refused);
    }
}

/// A path with a query that Signature Version 2 signed for a GET; `signed`: sub-resources as they are signed and sent.
fn presigned_by_v2(app: &App, path: &str, signed: &str) -> String {
    let expires = app.clock.now().as_secs() + 60;
    let signature = signature(&format!("GET\n\n\n{expires}\n{path}{signed}"))
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    let joint = if signed.is_empty() { '?' } else { '&' };
    format!(
        "{path}{signed}{joint}AWSAccessKeyId={ACCESS_KEY}&Expires={expires}&Signature={signature}"
    )
}

/// AWS and MinIO: Version 2 signs no parameter of a listing, and each is taken.
#[tokio::test]
async fn a_url_of_the_old_signature_lists_with_any_parameter_and_opens_nothing_else() {
    let app = spawn_app().await;
    put(&app.s3(), "a").await.unwrap();
    let list = presigned_by_v2(&app, "/uploads", "");
    for added in ["", "&prefix=a", "&list-type=2", "&marker=a", "&max-keys=1"] {
        let other = format!("{list}{added}");
        assert_eq!(ask(&app, "GET", &other, &[]).await, "200", "{added}");
    }
    for other in [
        format!("{list}&policy"),
        format!("{list}&uploads"),
        format!("{list}&versions"),
        list.replace("/uploads?", "/uploads/a?"),
    ] {
        let answer = ask(&app, "GET", &other, &[]).await;
        assert_eq!(answer, "403 SignatureDoesNotMatch", "{other}");
    }
    let read = presigned_by_v2(&app, "/uploads/a", "");
    for ignored in ["prefix=a", "userId=5", "v2"] {
        let other = format!("{read}&{ignored}");
        assert_eq!(ask(&app, "GET", &other, &[]).await, "200", "{ignored}");
    }
}

// ---- Names in a query that mean nothing

#[tokio::test]
async fn an_ignored_name_changes_no_permission_and_no_answer() {
    let app = spawn_app().await;
    put(&app.s3(), "a").await.unwrap();
    put(&app.s3(), "b").await.unwrap();
    set_policy(&app, &[("Allow", r#""s3:GetObject""#, "/a", "")]).await;
    // Twice: the second may be answered from memory.
    for _ in 0..2 {
        for query in [
            "",
            "?v=2",
            "?1421925028",
            "?v2",
            "?t=",
            "?a&b",
            "?prefix=x",
            "?x+y",
        ] {
            for (key, answer) in [("a", "200"), ("b", "403 AccessDenied")] {
                let path = format!("/uploads/{key}{query}");
                assert_eq!(ask(&app, "GET", &path, &[]).await, answer, "{path}");
            }
        }
        for query in ["?acl", "?v=2&tagging", "?annotation&annotationName=a"] {
            let path = format!("/uploads/a{query}");
            assert_eq!(
                ask(&app, "GET", &path, &[]).await,
                "403 AccessDenied",
                "{path}"
            );
        }
    }
    // What was open is closed at once under every name.
    set_policy(&app, &[("Allow", r#""s3:GetObject""#, "/b", "")]).await;
    for query in ["", "?v=2", "?1421925028", "?v2", "?t=", "?a&b"] {
        let path = format!("/uploads/a{query}");
        assert_eq!(
            ask(&app, "GET", &path, &[]).await,
            "403 AccessDenied",
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_address_of_an_unnamed_proxy_grants_no_access() {
    const NEAR: &str = r#","Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}"#;
    let app = spawn_app().await;
    put(&app.s3(), "a").await.unwrap();
    let claimed = [("x-forwarded-for", "203.0.113.9")];
    set_policy(&app, &[("Allow", r#""s3:GetObject""#, "/*", NEAR)]).await;
    assert_eq!(ask(&app, "GET", "/uploads/a", &[]).await, "200");
    for name in ["x-forwarded-for", "x-forwarded-host", "forwarded"] {
        let through = ask(&app, "GET", "/uploads/a", &[(name, "for")]).await;
        assert_eq!(through, "403 AccessDenied", "{name}");
    }
    let all_but_near = [
        ("Allow", r#""s3:GetObject""#, "/*", ""),
        ("Deny", r#""s3:GetObject""#, "/*", NEAR),
    ];
    set_policy(&app, &all_but_near).await;
    assert_eq!(
        ask(&app, "GET", "/uploads/a", &claimed).await,
        "403 AccessDenied"
    );
}

#[tokio::test]
async fn a_page_of_another_origin_cannot_read_what_only_the_clients_address_grants() {
    const NEAR: &str = r#","Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}"#;
    let app = spawn_app().await;
    put(&app.s3(), "a").await.unwrap();
    for (condition, allowed) in [(NEAR, None), ("", Some("*"))] {
        set_policy(&app, &[("Allow", r#""s3:GetObject""#, "/*", condition)]).await;
        let page = reqwest::Client::new().get(app.url("/uploads/a"));
        let answer = page.header("origin", "https://page.example").send().await;
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 200);
        let stated = answer.headers().get("access-control-allow-origin");
        assert_eq!(stated.map(|it| it.to_str().unwrap()), allowed);
    }
    let signed = presigned(&app, "GET", &host(&app), "/uploads/a", &[]);
    set_policy(&app, &[("Allow", r#""s3:GetObject""#, "/*", NEAR)]).await;
    let page = reqwest::Client::new().get(app.url(&signed));
    let answer = page.header("origin", "https://page.example").send().await;
    let answer = answer.unwrap();
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    // What looks like a signature and is none: the request is taken for what it is, an anonymous one.
    for (target, authorization) in [
        ("/uploads/a?Signature=x", None),
        ("/uploads/a?X-Amz-SignedHeaders=host", None),
        ("/uploads/a", Some("Bearer x")),
        ("/uploads/a", Some("Basic eDp5")),
    ] {
        let page = reqwest::Client::new().get(app.url(target));
        let page = page.header("origin", "https://page.example");
        let page = authorization.map_or(page.try_clone(), |value| {
            Some(page.header("authorization", value))
        });
        let answer = page.unwrap().send().await.unwrap();
        assert_eq!(answer.status(), 200, "{target} {authorization:?}");
        let stated = answer.headers().get("access-control-allow-origin");
        assert_eq!(stated, None, "{target} {authorization:?}");
    }
}

#[tokio::test]
async fn a_copy_carries_tags_only_where_the_client_may_read_and_write_them() {
    let app = spawn_app().await;
    let tagged = app.s3().put_object().bucket("uploads").key("source");
    let tagged = tagged.tagging("k=secret").send().await;
    tagged.unwrap();
    let may = [
        ("Allow", r#""s3:GetObject""#, "/*", ""),
        (
            "Allow",
            r#"["s3:PutObject","s3:GetObjectTagging"]"#,
            "/in/*",
            "",
        ),
    ];
    set_policy(&app, &may).await;
    let source = ("x-amz-copy-source", "/uploads/source");
    let replaced = [source, ("x-amz-tagging-directive", "REPLACE")];
    let copied = ask(&app, "PUT", "/uploads/in/a", &[source]).await;
    assert_eq!(copied, "403 AccessDenied");
    assert_eq!(ask(&app, "PUT", "/uploads/in/a", &replaced).await, "200");
}

#[tokio::test]
async fn the_refusal_of_a_signature_contains_no_cookie_and_no_token() {
    let app = spawn_app().await;
    let signed = presigned(&app, "GET", &host(&app), "/uploads/a", &[]);
    let names = "X-Amz-SignedHeaders=authorization%3Bcookie%3Bhost%3Bx-api-key";
    let target = signed.replace("X-Amz-SignedHeaders=host", names);
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: {}\r\nCookie: session=hidden\r\nAuthorization: Bearer hidden\r\nX-Api-Key: hidden\r\nConnection: close\r\n\r\n",
        host(&app)
    );
    let answer = app.raw(request.as_bytes()).await;
    assert!(
        answer.contains("<Code>SignatureDoesNotMatch</Code>"),
        "{answer}"
    );
    assert!(answer.contains("cookie:…"), "{answer}");
    assert!(!answer.contains("hidden"), "{answer}");
}

/// Puts an object with these tags.
async fn put_tagged(app: &App, key: &str, tags: &str) {
    let put = app.s3().put_object().bucket("uploads").key(key);
    put.tagging(tags).send().await.expect("it is stored");
}

#[tokio::test]
async fn a_policy_allows_and_denies_objects_by_their_tags() {
    const PUBLIC: &str =
        r#","Condition":{"StringEquals":{"s3:ExistingObjectTag/publicAccess":["true"]}}"#;
    let app = spawn_app().await;
    put_tagged(&app, "open", "publicAccess=true").await;
    put_tagged(&app, "closed", "publicAccess=false").await;
    set_policy(&app, &[("Allow", r#"["s3:GetObject"]"#, "/*", PUBLIC)]).await;
    let denied = "403 AccessDenied";
    for method in ["GET", "HEAD"] {
        let answer = ask(&app, method, "/uploads/open", &[]).await;
        assert_eq!(answer, "200", "{method}");
        // A client that may not list cannot tell a missing object from one that it may not read.
        for key in ["closed", "none"] {
            let answer = ask(&app, method, &format!("/uploads/{key}"), &[]).await;
            assert!(answer.starts_with("403"), "{method} {key}: {answer}");
        }
    }
    assert_eq!(ask(&app, "GET", "/uploads/open?tagging", &[]).await, denied);

    // Asked again after each change: no answer is kept that is older than the tags.
    app.s3()
        .delete_object_tagging()
        .bucket("uploads")
        .key("open")
        .send()
        .await
        .unwrap();
    assert_eq!(ask(&app, "GET", "/uploads/open", &[]).await, denied);
    put_tagged(&app, "open", "publicAccess=true").await;
    assert_eq!(ask(&app, "GET", "/uploads/open", &[]).await, "200");
    put(&app.s3(), "open").await.unwrap();
    assert_eq!(ask(&app, "GET", "/uploads/open", &[]).await, denied);

    // A copy is read where its source could be.
    put_tagged(&app, "open", "publicAccess=true").await;
    let may_copy = [
        ("Allow", r#"["s3:GetObject"]"#, "/*", PUBLIC),
        ("Allow", r#"["s3:PutObject"]"#, "/in/*", ""),
    ];
    set_policy(&app, &may_copy).await;
    for (source, answer) in [("open", "200"), ("closed", denied), ("none", denied)] {
        let source = format!("/uploads/{source}");
        let headers = [
            ("x-amz-copy-source", source.as_str()),
            ("x-amz-tagging-directive", "REPLACE"),
        ];
        let copied = ask(&app, "PUT", "/uploads/in/a", &headers).await;
        assert_eq!(copied, answer, "{source}");
    }

    // A deny holds for the owner too, and for tags as they are.
    let sealed = r#","Condition":{"StringLike":{"s3:ExistingObjectTag/seal":"*"}}"#;
    let actions = r#"["s3:GetObject","s3:PutObjectTagging"]"#;
    set_policy(&app, &[("Deny", actions, "/*", sealed)]).await;
    put_tagged(&app, "sealed", "seal=wax").await;
    assert_eq!(get(&app.s3(), "sealed").await, self::denied());
    assert_eq!(get(&app.s3(), "closed").await, Ok(()));
}

#[tokio::test]
async fn a_deny_of_plain_http_allows_requests_that_reached_a_trusted_proxy_by_tls() {
    const PLAIN: &str = r#","Condition":{"Bool":{"aws:SecureTransport":"false"}}"#;
    let all = [
        ("Allow", r#""s3:GetObject""#, "/*", ""),
        ("Deny", r#""s3:*""#, "/*", PLAIN),
    ];
    let settings = [
        (TrustedProxies::Private, "200"),
        (TrustedProxies::parse("127.0.0.0/8").unwrap(), "200"),
        (
            TrustedProxies::parse("192.0.2.1").unwrap(),
            "403 AccessDenied",
        ),
        (TrustedProxies::None, "403 AccessDenied"),
    ];
    for (trusted, by_tls) in settings {
        let app = spawn_with(|config| config.http.trusted_proxies = trusted).await;
        put(&app.s3(), "a").await.unwrap();
        set_policy(&app, &all).await;
        let asked = async |scheme: &[(&str, &str)]| ask(&app, "GET", "/uploads/a", scheme).await;
        let proto = "x-forwarded-proto";
        assert_eq!(asked(&[]).await, "403 AccessDenied");
        assert_eq!(asked(&[(proto, "http")]).await, "403 AccessDenied");
        assert_eq!(asked(&[(proto, "https")]).await, by_tls);
        assert_eq!(asked(&[(proto, "HTTPS, http")]).await, by_tls);
    }
}

#[tokio::test]
async fn tags_that_deny_an_object_hold_for_a_document_that_is_still_received() {
    const LOCKED: &str = r#","Condition":{"StringEquals":{"s3:ExistingObjectTag/locked":"yes"}}"#;
    const TAGGING: &str =
        "<Tagging><TagSet><Tag><Key>x</Key><Value>1</Value></Tag></TagSet></Tagging>";
    let app = spawn_app().await;
    put(&app.s3(), "a").await.unwrap();
    let policy = [
        ("Allow", r#""s3:PutObjectTagging""#, "/*", ""),
        ("Deny", r#""s3:PutObjectTagging""#, "/*", LOCKED),
    ];
    set_policy(&app, &policy).await;
    let head = format!(
        "PUT /uploads/a?tagging HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
        host(&app),
        TAGGING.len()
    );
    let mut client = tokio::net::TcpStream::connect(&app.address).await.unwrap();
    client.write_all(head.as_bytes()).await.unwrap();
    let mut asked_for = [0; 25];
    client.read_exact(&mut asked_for).await.unwrap();
    assert!(asked_for.starts_with(b"HTTP/1.1 100"));
    put_tagged(&app, "a", "locked=yes").await;
    client.write_all(TAGGING.as_bytes()).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("<Code>AccessDenied</Code>"), "{answer}");
    put(&app.s3(), "a").await.unwrap();
    let tagged = ask_with(&app, "PUT", "/uploads/a?tagging", &[], TAGGING).await;
    assert_eq!(tagged, "200");
}

#[tokio::test]
async fn a_copy_does_not_reveal_a_missing_source_to_a_client_that_may_not_list_it() {
    let app = spawn_app().await;
    let other = app.s3().create_bucket().bucket("other").send().await;
    other.unwrap();
    let may = [
        ("Allow", r#""s3:PutObject""#, "/in/*", ""),
        ("Allow", r#""s3:ListBucket""#, "", ""),
    ];
    set_policy(&app, &may).await;
    let read = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::other/*"}]}"#;
    let set = app.s3().put_bucket_policy().bucket("other").policy(read);
    set.send().await.unwrap();
    let source = [("x-amz-copy-source", "/other/none")];
    let copied = ask(&app, "PUT", "/uploads/in/a", &source).await;
    assert_eq!(copied, "403 AccessDenied");
    assert_eq!(
        ask(&app, "GET", "/other/none", &[]).await,
        "403 AccessDenied"
    );
}

/// The response to a request whose client waits with the whole body until `meanwhile` is done: the server has looked at the
/// head by then, since it asked for the body.
async fn held_back(
    app: &App,
    head: &str,
    body: &str,
    meanwhile: impl Future<Output = ()>,
) -> String {
    let mut socket = tokio::net::TcpStream::connect(host(app))
        .await
        .expect("a socket");
    let head = format!(
        "{head}\r\nHost: {}\r\nContent-Length: {}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
        host(app),
        body.len()
    );
    socket.write_all(head.as_bytes()).await.expect("a head");
    let mut asked_for = [0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
    socket.read_exact(&mut asked_for).await.expect("a line");
    assert!(asked_for.starts_with(b"HTTP/1.1 100 "), "{asked_for:?}");
    meanwhile.await;
    socket.write_all(body.as_bytes()).await.expect("a body");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("a text");
    answer
}

async fn withdraw_policy(app: &App) {
    let withdrawing = app.s3().delete_bucket_policy().bucket("uploads").send();
    withdrawing.await.expect("the policy is gone");
}

#[tokio::test]
async fn a_permission_that_is_withdrawn_while_a_list_of_deletions_arrives_deletes_nothing() {
    let app = spawn_app().await;
    put(&app.s3(), "x").await.expect("stored");
    set_policy(&app, &[("Allow", r#"["s3:DeleteObject"]"#, "/*", "")]).await;
    let list = "<Delete><Object><Key>x</Key></Object></Delete>";
    let answer = held_back(
        &app,
        "POST /uploads?delete HTTP/1.1",
        list,
        withdraw_policy(&app),
    )
    .await;
    assert!(answer.contains("<Code>AccessDenied</Code>"), "{answer}");
    assert_eq!(get(&app.s3(), "x").await, Ok(()));
}

#[tokio::test]
async fn a_permission_that_is_withdrawn_while_a_form_arrives_stores_nothing() {
    let app = spawn_app().await;
    set_policy(&app, &[("Allow", r#"["s3:PutObject"]"#, "/*", "")]).await;
    let form = "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nx\r\n\
                --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\nhello\r\n--b--\r\n";
    let head = "POST /uploads HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b";
    let answer = held_back(&app, head, form, withdraw_policy(&app)).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert_eq!(get(&app.s3(), "x").await, Err("NoSuchKey".to_owned()));
}

#[tokio::test]
async fn a_denial_by_tags_that_is_set_while_a_needless_body_arrives_holds() {
    let app = spawn_app().await;
    let tagged = app
        .s3()
        .put_object()
        .bucket("uploads")
        .key("x")
        .tagging("locked=yes");
    tagged.send().await.expect("stored");
    let allow = ("Allow", r#"["s3:GetObject"]"#, "/*", "");
    set_policy(&app, &[allow]).await;
    let locked = r#","Condition":{"StringEquals":{"s3:ExistingObjectTag/locked":"yes"}}"#;
    let deny = ("Deny", r#"["s3:GetObject"]"#, "/*", locked);
    let statements = [allow, deny];
    let denied = set_policy(&app, &statements);
    let answer = held_back(&app, "GET /uploads/x HTTP/1.1", "body", denied).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
}

#[tokio::test]
async fn a_client_that_may_not_list_any_more_when_its_upload_ends_does_not_learn_that_the_key_is_missing()
 {
    let app = spawn_app().await;
    let write = ("Allow", r#"["s3:PutObject"]"#, "/*", "");
    let list = ("Allow", r#"["s3:ListBucket"]"#, "", "");
    set_policy(&app, &[write, list]).await;
    let head = "PUT /uploads/absent HTTP/1.1\r\nIf-Match: \"5d41402abc4b2a76b9719d911017c592\"";
    let only_write = [write];
    let answer = held_back(&app, head, "hello", set_policy(&app, &only_write)).await;
    assert!(answer.contains("<Code>AccessDenied</Code>"), "{answer}");
}
