//! Objects through the official SDK.

use crate::app::{App, spawn_app, spawn_with};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumMode;
use hangar::http::TrustedProxies;
use std::fmt::Write as _;
use std::time::Duration;

async fn put(app: &App, key: &str, body: &'static [u8]) {
    app.s3()
        .put_object()
        .bucket("uploads")
        .key(key)
        .body(ByteStream::from_static(body))
        .send()
        .await
        .expect("the object is stored");
}

async fn get(app: &App, key: &str) -> Vec<u8> {
    let got = app.s3().get_object().bucket("uploads").key(key).send();
    let body = got.await.expect("the object is there").body;
    body.collect().await.expect("it comes whole").to_vec()
}

#[tokio::test]
async fn an_object_comes_back_as_it_was_put() {
    let app = spawn_app().await;
    let put = app
        .s3()
        .put_object()
        .bucket("uploads")
        .key("a//b/../ü +%2F.txt")
        .content_type("text/plain")
        .cache_control("max-age=5")
        .metadata("Author", "Zoë".replace('ë', "e"))
        .tagging("k=v&l=w")
        .body(ByteStream::from_static(b"hello"))
        .send()
        .await
        .unwrap();
    assert_eq!(put.e_tag(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    let got = app
        .s3()
        .get_object()
        .bucket("uploads")
        .key("a//b/../ü +%2F.txt")
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await
        .unwrap();
    assert_eq!(got.content_type(), Some("text/plain"));
    assert_eq!(got.cache_control(), Some("max-age=5"));
    assert_eq!(got.content_encoding(), None);
    assert_eq!(got.metadata().unwrap()["author"], "Zoe");
    assert_eq!(got.tag_count(), Some(2));
    assert_eq!(got.checksum_crc32(), put.checksum_crc32());
    assert!(got.checksum_crc32().is_some());
    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"hello");
}

#[tokio::test]
async fn a_304_describes_no_bytes() {
    let app = spawn_app().await;
    put(&app, "key", b"body").await;
    let found = app
        .s3()
        .head_object()
        .bucket("uploads")
        .key("key")
        .send()
        .await
        .unwrap();
    let unchanged = app
        .s3()
        .get_object()
        .bucket("uploads")
        .key("key")
        .checksum_mode(ChecksumMode::Enabled)
        .if_none_match(found.e_tag().unwrap())
        .send()
        .await
        .unwrap_err();
    let answer = unchanged.raw_response().unwrap();
    assert_eq!(answer.status().as_u16(), 304);
    assert_eq!(answer.headers().get("etag"), found.e_tag());
    assert_eq!(answer.headers().get("x-amz-checksum-crc32"), None);
}

#[tokio::test]
async fn a_large_object_comes_back_whole_and_in_parts_and_survives_a_restart() {
    let app = spawn_app().await;
    let body: Vec<u8> = (0..3_000_001_u32).map(|at| (at % 251) as u8).collect();
    app.s3()
        .put_object()
        .bucket("uploads")
        .key("large")
        .body(ByteStream::from(body.clone()))
        .send()
        .await
        .unwrap();
    assert_eq!(get(&app, "large").await, body);
    let app = app.restarted().await;
    assert_eq!(get(&app, "large").await, body);
    let part = app
        .s3()
        .get_object()
        .bucket("uploads")
        .key("large")
        .range("bytes=1048570-2097160")
        .send()
        .await
        .unwrap();
    assert_eq!(part.content_range(), Some("bytes 1048570-2097160/3000001"));
    assert_eq!(
        part.body.collect().await.unwrap().to_vec(),
        body[1_048_570..=2_097_160]
    );
}

#[tokio::test]
async fn reads_and_deletes_of_a_missing_object_or_bucket_are_answered_as_by_s3() {
    let app = spawn_app().await;
    let s3 = app.s3();
    let get = |bucket: &'static str| s3.get_object().bucket(bucket).key("none").send();
    assert_eq!(get("uploads").await.unwrap_err().code(), Some("NoSuchKey"));
    assert_eq!(
        get("elsewhere").await.unwrap_err().code(),
        Some("NoSuchBucket")
    );
    let head = s3.head_object().bucket("uploads").key("none").send().await;
    assert!(head.unwrap_err().into_service_error().is_not_found());
    s3.delete_object()
        .bucket("uploads")
        .key("none")
        .send()
        .await
        .expect("a delete of nothing succeeds");
}

#[tokio::test]
async fn a_wrong_secret_is_refused_before_anything_is_revealed() {
    let app = spawn_app().await;
    let stranger = app.s3_with_secret("wrong");
    for bucket in ["uploads", "elsewhere"] {
        let refused = stranger.get_object().bucket(bucket).key("k").send().await;
        assert_eq!(refused.unwrap_err().code(), Some("SignatureDoesNotMatch"));
    }
}

#[tokio::test]
async fn of_two_writers_that_want_no_object_one_wins() {
    let app = spawn_app().await;
    let s3 = app.s3();
    let put = || {
        s3.put_object()
            .bucket("uploads")
            .key("once")
            .if_none_match("*")
            .body(ByteStream::from_static(b"x"))
            .send()
    };
    let (one, other) = tokio::join!(put(), put());
    let refused = match (one, other) {
        (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => refused,
        both => panic!("exactly one wins: {both:?}"),
    };
    assert_eq!(refused.code(), Some("PreconditionFailed"));
}

#[tokio::test]
async fn a_wrong_checksum_stores_nothing() {
    let app = spawn_app().await;
    let refused = app
        .s3()
        .put_object()
        .bucket("uploads")
        .key("k")
        .checksum_sha256("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
        .body(ByteStream::from_static(b"x"))
        .send()
        .await;
    assert_eq!(refused.unwrap_err().code(), Some("BadDigest"));
    let refused = app
        .s3()
        .put_object()
        .bucket("uploads")
        .key("k")
        .content_md5("XUFAKrxLKna5cZ2REBfFkg==")
        .body(ByteStream::from_static(b"x"))
        .send()
        .await;
    assert_eq!(refused.unwrap_err().code(), Some("BadDigest"));
    assert_eq!(app.stored("k").await, None);
}

#[tokio::test]
async fn buckets_are_made_found_and_listed() {
    let app = spawn_app().await;
    let s3 = app.s3();
    s3.create_bucket().bucket("more").send().await.unwrap();
    s3.create_bucket().bucket("more").send().await.unwrap();
    s3.head_bucket().bucket("more").send().await.unwrap();
    let listed = s3.list_buckets().send().await.unwrap();
    let names: Vec<_> = listed.buckets().iter().filter_map(|b| b.name()).collect();
    assert_eq!(names, ["more", "uploads"]);
}

#[tokio::test]
async fn in_another_region_a_bucket_is_made_once() {
    let app = spawn_with(|config| config.http.region = "eu-central-1".to_owned()).await;
    let refused = app.s3().create_bucket().bucket("uploads").send().await;
    assert_eq!(refused.unwrap_err().code(), Some("BucketAlreadyOwnedByYou"));
}

#[tokio::test]
async fn a_listing_pages_in_order_and_folds_at_the_delimiter() {
    let app = spawn_app().await;
    for key in ["a", "b/1", "b/2", "c", "d"] {
        put(&app, key, b"x").await;
    }
    let s3 = app.s3();
    let list = |token: Option<String>| {
        s3.list_objects_v2()
            .bucket("uploads")
            .delimiter("/")
            .max_keys(2)
            .set_continuation_token(token)
            .send()
    };
    let first = list(None).await.unwrap();
    let keys = |page: &aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output| -> Vec<String> {
        let keys = page.contents().iter().filter_map(|o| o.key());
        let folded = page.common_prefixes().iter().filter_map(|p| p.prefix());
        keys.chain(folded).map(str::to_owned).collect()
    };
    assert_eq!(keys(&first), ["a", "b/"]);
    let second = list(first.next_continuation_token().map(str::to_owned))
        .await
        .unwrap();
    assert_eq!(keys(&second), ["c", "d"]);
    assert_eq!(second.is_truncated(), Some(false));
    let none = s3.list_objects_v2().bucket("uploads").max_keys(0).send();
    assert_eq!(none.await.unwrap().key_count(), Some(0));
}

async fn presigned(app: &App, key: &str, seconds: u64) -> String {
    let expires =
        PresigningConfig::expires_in(Duration::from_secs(seconds)).expect("at most a week");
    app.s3()
        .get_object()
        .bucket("uploads")
        .key(key)
        .presigned(expires)
        .await
        .expect("the SDK can sign")
        .uri()
        .to_owned()
}

#[tokio::test]
async fn a_presigned_page_is_a_download_in_a_sandbox() {
    let app = spawn_app().await;
    app.s3()
        .put_object()
        .bucket("uploads")
        .key("page.html")
        .content_type("text/html")
        .content_disposition("inline; filename=page.html")
        .body(ByteStream::from_static(b"<script>alert(1)</script>"))
        .send()
        .await
        .unwrap();
    let url = presigned(&app, "page.html", 60).await;
    let answer = reqwest::get(&url).await.unwrap();
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(answer.status(), 200);
    assert_eq!(
        header("content-disposition"),
        "attachment; filename=page.html"
    );
    assert_eq!(
        header("content-security-policy"),
        "default-src 'none'; sandbox"
    );
    assert_eq!(header("cache-control"), "private");
    assert_eq!(header("referrer-policy"), "no-referrer");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("vary"), "Sec-Fetch-Dest, Service-Worker");
    let as_script = reqwest::Client::new()
        .get(&url)
        .header("sec-fetch-dest", "script")
        .send()
        .await
        .unwrap();
    assert_eq!(as_script.status(), 403);
    assert_eq!(
        as_script.headers()["vary"],
        "Sec-Fetch-Dest, Service-Worker"
    );
}

#[tokio::test]
async fn a_presigned_url_expires() {
    let app = spawn_app().await;
    put(&app, "k", b"x").await;
    let url = presigned(&app, "k", 60).await;
    assert_eq!(reqwest::get(&url).await.unwrap().status(), 200);
    app.clock.advance(Duration::from_secs(61));
    let late = reqwest::get(&url).await.unwrap();
    assert_eq!(late.status(), 403);
    assert!(late.text().await.unwrap().contains("Request has expired"));
}

#[tokio::test]
async fn a_put_that_ends_early_stores_nothing() {
    let app = spawn_app().await;
    let expires = PresigningConfig::expires_in(Duration::from_mins(1)).unwrap();
    let put = app.s3().put_object().bucket("uploads").key("k");
    let signed = put.presigned(expires).await.unwrap();
    let target = signed.uri().split_once(&app.address).unwrap().1.to_owned();
    let request = |length: usize, body: &str| {
        let mut head = format!(
            "PUT {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
            app.address
        );
        for (name, value) in signed.headers() {
            write!(head, "{name}: {value}\r\n").expect("a string takes it");
        }
        format!("{head}Content-Length: {length}\r\n\r\n{body}")
    };
    let cut = app.raw_half_closed(request(5, "hell").as_bytes()).await;
    assert!(cut.contains("<Code>IncompleteBody</Code>"), "{cut}");
    assert_eq!(app.stored("k").await, None);
    let whole = app.raw(request(5, "hello").as_bytes()).await;
    assert!(whole.starts_with("HTTP/1.1 200"), "{whole}");
    assert_eq!(get(&app, "k").await, b"hello");
}

#[tokio::test]
async fn a_signature_for_the_forwarded_host_holds_behind_a_trusted_proxy_alone() {
    for (trusted, status) in [(TrustedProxies::Private, 200), (TrustedProxies::None, 403)] {
        let app = spawn_with(|config| config.http.trusted_proxies = trusted).await;
        put(&app, "k", b"x").await;
        let url = presigned(&app, "k", 60).await;
        let target = url.split_once(&app.address).unwrap().1;
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: hangar\r\nX-Forwarded-Host: {}\r\nConnection: close\r\n\r\n",
            app.address
        );
        let answer = app.raw(request.as_bytes()).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn text_beyond_ascii_is_answered_so_that_every_client_can_read_it() {
    let app = spawn_app().await;
    let put = app.s3().put_object().bucket("uploads").key("k");
    put.metadata("name", "h\u{e9}llo \u{65e5}\u{672c}")
        .metadata("sent-encoded", "=?UTF-8?B?w7w=?=")
        .content_disposition("attachment; filename=\"\u{17c}.txt\"")
        .cache_control("no-cache\u{e9}")
        .content_type("text/plain; a=\u{17c}")
        .send()
        .await
        .unwrap();
    let expected = [
        (
            "x-amz-meta-name",
            "=?UTF-8?Q?h=C3=A9llo_=E6=97=A5=E6=9C=AC?=",
        ),
        ("x-amz-meta-sent-encoded", "=?UTF-8?B?w7w=?="),
        (
            "content-disposition",
            "attachment; filename=\"_.txt\"; filename*=UTF-8''%C5%BC.txt",
        ),
        ("cache-control", "no-cache"),
        ("content-type", "text/plain; a="),
    ];
    let app = app.restarted().await;
    let url = presigned(&app, "k", 60).await;
    // From the second on the answers come from memory.
    for _ in 0..3 {
        let answer = reqwest::get(&url).await.unwrap();
        assert_eq!(answer.status(), 200);
        for (name, value) in expected {
            assert_eq!(answer.headers()[name], value, "{name}");
        }
    }
}

#[tokio::test]
async fn a_website_redirect_is_kept_and_given_back() {
    let app = spawn_app().await;
    let s3 = app.s3();
    let put = |location: &str| {
        let put = s3.put_object().bucket("uploads").key("k");
        put.website_redirect_location(location).send()
    };
    for refused in ["page", "ftp://h/", &format!("/{}", "a".repeat(2048))] {
        let refusal = put(refused).await.unwrap_err();
        assert_eq!(refusal.code(), Some("InvalidRedirectLocation"), "{refused}");
    }
    put("https://h/a?b#c").await.unwrap();
    let app = app.restarted().await;
    let s3 = app.s3();
    let told = async |key: &str| {
        let head = s3.head_object().bucket("uploads").key(key).send().await;
        let head = head.unwrap();
        head.website_redirect_location().map(str::to_owned)
    };
    assert_eq!(told("k").await.as_deref(), Some("https://h/a?b#c"));
    let copy = || s3.copy_object().bucket("uploads").copy_source("uploads/k");
    copy().key("without").send().await.unwrap();
    assert_eq!(told("without").await, None);
    let with = copy().key("with").website_redirect_location("/other");
    with.send().await.unwrap();
    assert_eq!(told("with").await.as_deref(), Some("/other"));
    let upload = s3.create_multipart_upload().bucket("uploads").key("parts");
    let upload = upload.website_redirect_location("/parts").send().await;
    let id = upload.unwrap().upload_id().unwrap().to_owned();
    let part = s3.upload_part().bucket("uploads").key("parts");
    let part = part.upload_id(&id).part_number(1);
    let part = part
        .body(ByteStream::from_static(b"x"))
        .send()
        .await
        .unwrap();
    let named = aws_sdk_s3::types::CompletedPart::builder()
        .part_number(1)
        .set_e_tag(part.e_tag().map(str::to_owned))
        .set_checksum_crc32(part.checksum_crc32().map(str::to_owned))
        .build();
    let parts = aws_sdk_s3::types::CompletedMultipartUpload::builder().parts(named);
    s3.complete_multipart_upload()
        .bucket("uploads")
        .key("parts")
        .upload_id(&id)
        .multipart_upload(parts.build())
        .send()
        .await
        .unwrap();
    assert_eq!(told("parts").await.as_deref(), Some("/parts"));
}

#[tokio::test]
async fn an_answer_to_a_read_says_that_it_depends_on_the_origin() {
    let app = spawn_app().await;
    put(&app, "k", b"x").await;
    let there = presigned(&app, "k", 60).await;
    let missing = presigned(&app, "none", 60).await;
    let client = reqwest::Client::new();
    for (url, status) in [(&there, 200), (&there, 200), (&missing, 404)] {
        for origin in [None, Some("https://plane.example.com")] {
            let mut asked = client.get(url);
            if let Some(origin) = origin {
                asked = asked.header("origin", origin);
            }
            let answer = asked.send().await.unwrap();
            assert_eq!(answer.status(), status);
            let vary = answer.headers().get_all("vary").iter();
            assert!(vary.into_iter().any(|it| it == "Origin"), "{origin:?}");
            let allowed = answer.headers().contains_key("access-control-allow-origin");
            assert_eq!(allowed, origin.is_some());
        }
    }
}

#[tokio::test]
async fn the_end_of_an_empty_object_is_all_of_it() {
    let app = spawn_app().await;
    put(&app, "empty", b"").await;
    let url = presigned(&app, "empty", 60).await;
    let client = reqwest::Client::new();
    for (range, status) in [
        ("bytes=-1", 200),
        ("bytes=-524288", 200),
        ("bytes=-0", 416),
        ("bytes=0-", 416),
        ("bytes=0-0", 416),
    ] {
        let answer = client.get(&url).header("range", range).send().await;
        let answer = answer.unwrap();
        assert_eq!(answer.status(), status, "{range}");
        if status == 200 {
            assert_eq!(answer.headers()["content-length"], "0");
            assert!(!answer.headers().contains_key("content-range"));
        }
        let head = app.s3().head_object().bucket("uploads").key("empty");
        let head = head.range(range).send().await;
        assert_eq!(head.is_ok(), status == 200, "{range}");
    }
}

#[tokio::test]
async fn archive_storage_classes_are_refused() {
    use aws_sdk_s3::types::StorageClass;
    let app = spawn_app().await;
    let s3 = app.s3();
    put(&app, "source", b"x").await;
    for class in ["GLACIER", "DEEP_ARCHIVE", "COLD", "glacier"] {
        let class = StorageClass::from(class);
        let put = s3.put_object().bucket("uploads").key("k");
        let put = put.storage_class(class.clone()).send().await;
        let copy = s3.copy_object().bucket("uploads").key("k");
        let copy = copy
            .copy_source("uploads/source")
            .storage_class(class.clone());
        let copy = copy.send().await;
        let upload = s3.create_multipart_upload().bucket("uploads").key("k");
        let upload = upload.storage_class(class.clone()).send().await;
        let codes = [
            put.unwrap_err().code().map(str::to_owned),
            copy.unwrap_err().code().map(str::to_owned),
            upload.unwrap_err().code().map(str::to_owned),
        ];
        assert!(
            codes
                .iter()
                .all(|code| code.as_deref() == Some("InvalidStorageClass")),
            "{class}: {codes:?}"
        );
    }
    for class in [StorageClass::StandardIa, StorageClass::GlacierIr] {
        let put = s3.put_object().bucket("uploads").key("k");
        put.storage_class(class.clone()).send().await.unwrap();
        let head = s3.head_object().bucket("uploads").key("k").send().await;
        assert_eq!(head.unwrap().storage_class(), Some(&class));
    }
}
