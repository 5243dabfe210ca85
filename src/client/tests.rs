use super::*;
use crate::client::connection::is_this_machine;
use base64::Engine;
use bytes::Bytes;
use reqwest::Url;
use rstest::rstest;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const TOKEN: &str = "plane_api_0123456789abcdef0123456789abcdef";

/// A server that answers each request with the next of its answers, and records the requests.
struct Scripted {
    base: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    /// `BASE` in an answer's body stands for the server's own address.
    async fn new(answers: Vec<(&str, &str)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let answers: Vec<_> = answers
            .into_iter()
            .map(|(head, body)| (head.to_owned(), body.replace("BASE", &base)))
            .collect();
        let remembered = Arc::clone(&seen);
        tokio::spawn(async move {
            for (head, body) in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read_request(&mut stream).await;
                remembered.lock().unwrap().push(request);
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { base, seen }
    }

    fn client(&self) -> Client {
        Client::new(&self.base, TOKEN).unwrap()
    }

    fn request(&self, number: usize) -> String {
        self.seen.lock().unwrap()[number].clone()
    }
}

async fn read_request(stream: &mut tokio::net::TcpStream) -> String {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length: usize = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return text;
            }
        }
        if stream.read_buf(&mut request).await.unwrap() == 0 {
            return text;
        }
    }
}

fn ask() -> Ask {
    Ask {
        entity_type: "USER_AVATAR".to_owned(),
        name: "me.png".to_owned(),
        content_type: "image/png".to_owned(),
        size: 5,
    }
}

/// The answer to a request for an upload, with a policy that allows `limit_bytes`.
fn reservation(limit_bytes: u64) -> String {
    let policy = format!(
        r#"{{"conditions":[{{"bucket":"uploads"}},["content-length-range",1,{limit_bytes}]]}}"#
    );
    let policy = base64::engine::general_purpose::STANDARD.encode(policy);
    format!(
        r#"{{"upload_data":{{"url":"BASE/uploads","fields":{{"x-second":"2","key":"a/me.png","policy":"{policy}","b-last":"4"}}}},"asset_id":"ID","asset_url":"/api/assets/v2/static/ID/"}}"#
    )
}

fn content() -> Content {
    Content::of_bytes(Bytes::from_static(b"bytes"))
}

async fn upload(server: &Scripted) -> Result<(), ClientError> {
    let client = server.client();
    let reserved = client.request_upload(&ask()).await?.value;
    client.send_form(&reserved, "me.png", content()).await?;
    Ok(())
}

async fn upload_after(head: &str, body: &str) -> String {
    let server = Scripted::new(vec![("200 OK", &reservation(5)), (head, body)]).await;
    upload(&server).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_request_for_an_upload_is_json_with_the_token_in_its_header() {
    let server = Scripted::new(vec![("200 OK", &reservation(5))]).await;
    let answer = server.client().request_upload(&ask()).await.unwrap();
    assert_eq!((answer.status, answer.value.asset_id.as_str()), (200, "ID"));
    let request = server.request(0);
    assert!(request.starts_with("POST /api/v1/assets/user-assets/ HTTP/1.1\r\n"));
    assert!(
        request.contains(&format!("x-api-key: {TOKEN}\r\n")),
        "{request}"
    );
    assert!(
        request.contains("content-type: application/json\r\n"),
        "{request}"
    );
    assert!(
        request.ends_with(
            r#"{"entity_type":"USER_AVATAR","name":"me.png","type":"image/png","size":5}"#
        ),
        "{request}"
    );
}

#[tokio::test]
async fn a_form_has_its_fields_in_order_then_the_file_and_no_token() {
    let server = Scripted::new(vec![("200 OK", &reservation(5)), ("204 No Content", "")]).await;
    upload(&server).await.unwrap();
    let request = server.request(1);
    assert!(
        request.starts_with("POST /uploads HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(request.contains("content-length: "), "{request}");
    assert!(!request.contains(TOKEN), "{request}");
    let names: Vec<_> = request
        .split(" name=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert_eq!(names, ["x-second", "key", "policy", "b-last", "file"]);
    assert!(
        request.contains("filename=\"me.png\"\r\n\r\nbytes\r\n--"),
        "{request}"
    );
}

#[tokio::test]
async fn a_file_is_streamed_from_the_disk_with_its_progress_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("big");
    let size_bytes = 300_000_u64;
    std::fs::write(&path, vec![b'x'; 300_000]).unwrap();
    let server = Scripted::new(vec![
        ("200 OK", &reservation(size_bytes)),
        ("204 No Content", ""),
    ])
    .await;
    let reported = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counter = Arc::clone(&reported);
    let progress: Progress = Arc::new(move |bytes| {
        counter.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
    });
    let file = tokio::fs::File::open(&path).await.unwrap();
    let client = server.client();
    let reserved = client.request_upload(&ask()).await.unwrap().value;
    client
        .send_form(
            &reserved,
            "big",
            Content::streamed(file, size_bytes, progress),
        )
        .await
        .unwrap();
    assert_eq!(
        reported.load(std::sync::atomic::Ordering::Relaxed),
        size_bytes
    );
    assert_eq!(server.request(1).matches('x').count() as u64 / 1000, 300);
}

#[tokio::test]
async fn the_upload_of_a_file_that_became_shorter_fails() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("short");
    std::fs::write(&path, b"abc").unwrap();
    let server = Scripted::new(vec![("200 OK", &reservation(5)), ("204 No Content", "")]).await;
    let file = tokio::fs::File::open(&path).await.unwrap();
    let client = server.client();
    let reserved = client.request_upload(&ask()).await.unwrap().value;
    let sent = client
        .send_form(
            &reserved,
            "short",
            Content::streamed(file, 5, Arc::new(|_| ())),
        )
        .await;
    assert!(
        matches!(
            sent,
            Err(ClientError::NoAnswer {
                trouble: Trouble::BrokenOff,
                ..
            })
        ),
        "{sent:?}"
    );
}

#[tokio::test]
async fn a_file_over_the_limit_of_the_policy_is_not_sent() {
    let server = Scripted::new(vec![("200 OK", &reservation(4))]).await;
    insta::assert_snapshot!(upload(&server).await.unwrap_err(), @"the file has 5 bytes, and the server takes at most 4: send a smaller one, or raise FILE_SIZE_LIMIT there");
}

#[rstest]
#[case("EntityTooLarge", "400 Bad Request", "more than the server takes")]
#[case("EntityTooSmall", "400 Bad Request", "the file is empty")]
#[case(
    "InvalidRequest",
    "400 Bad Request",
    "the server answered 400: The reason"
)]
#[case("AccessDenied", "403 Forbidden", "the server answered 403: The reason")]
#[case("SignatureDoesNotMatch", "403 Forbidden", "signed for another server")]
#[case("InsufficientStorage", "507 Insufficient Storage", "disk is full")]
#[case("SlowDown", "503 Slow Down", "cannot store anything at the moment")]
#[tokio::test]
async fn an_error_of_s3_becomes_a_sentence(
    #[case] code: &str,
    #[case] head: &str,
    #[case] says: &str,
) {
    let body = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>The reason.</Message><Resource>/uploads</Resource></Error>"#
    );
    let sentence = upload_after(head, &body).await;
    assert!(sentence.contains(says), "{sentence}");
}

#[rstest]
#[case("400 Bad Request", "no XML \u{1b}[31m at all")]
#[case("400 Bad Request", "<Error><Code>")]
#[case("500 Internal Server Error", "")]
#[tokio::test]
async fn an_error_that_is_not_xml_becomes_a_sentence_too(#[case] head: &str, #[case] body: &str) {
    let sentence = upload_after(head, body).await;
    assert!(sentence.ends_with(": no reason given"), "{sentence}");
}

#[rstest]
#[case(
    "401 Unauthorized",
    r#"{"detail":"Authentication credentials were not provided."}"#,
    "the server wants a token"
)]
#[case(
    "403 Forbidden",
    r#"{"detail":"Given API token is not valid"}"#,
    "the server refused the token (Given API token is not valid)"
)]
#[case(
    "400 Bad Request",
    r#"{"error":"Invalid file type. Only JPEG and PNG files are allowed.","status":false}"#,
    "the server answered 400: Invalid file type. Only JPEG and PNG files are allowed"
)]
#[case(
    "404 Not Found",
    r#"{"error": "Page not found."}"#,
    "does not answer as Plane's asset API does (status 404)"
)]
#[case(
    "404 Not Found",
    "<html>",
    "does not answer as Plane's asset API does (status 404)"
)]
#[case(
    "200 OK",
    "<html>",
    "does not answer as Plane's asset API does (status 200)"
)]
#[case(
    "200 OK",
    r#"{"upload_data":{"url":"BASE","fields":{}},"asset_id":"x","asset_url":"//elsewhere/x"}"#,
    "does not answer as Plane's asset API does"
)]
#[case(
    "429 Too Many Requests\r\nretry-after: 17",
    r#"{"error_code":5900}"#,
    "try again in 17 s"
)]
#[case("507 Insufficient Storage", "{}", "disk is full")]
#[case(
    "301 Moved Permanently\r\nlocation: https://plane.example.com/api",
    "",
    "redirects to https://plane.example.com:"
)]
#[tokio::test]
async fn an_error_of_the_api_becomes_a_sentence(
    #[case] head: &str,
    #[case] body: &str,
    #[case] says: &str,
) {
    let server = Scripted::new(vec![(head, body)]).await;
    let sentence = server
        .client()
        .request_upload(&ask())
        .await
        .unwrap_err()
        .to_string();
    assert!(sentence.contains(says), "{sentence}");
    assert!(!sentence.contains(TOKEN), "{sentence}");
}

#[tokio::test]
async fn an_address_without_a_server_is_reported_with_the_command_that_starts_one() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = Client::new(&base, TOKEN).unwrap();
    let sentence = client.request_upload(&ask()).await.unwrap_err().to_string();
    let expected = format!("no server answers at {base}: start one with `hangar serve`");
    assert!(sentence.starts_with(&expected), "{sentence}");
}

#[tokio::test]
async fn a_file_is_fetched_without_a_token() {
    let server = Scripted::new(vec![("200 OK\r\ncontent-type: image/png", "bytes")]).await;
    let fetched = server.client().fetch("/x/", 5).await.unwrap();
    assert_eq!(fetched.value.bytes, "bytes");
    assert_eq!(fetched.value.content_type.as_deref(), Some("image/png"));
    assert!(!server.request(0).contains(TOKEN));
}

#[tokio::test]
async fn an_answer_longer_than_expected_is_not_read_to_its_end() {
    let server = Scripted::new(vec![("200 OK", "bytes and more")]).await;
    let fetched = server.client().fetch("/x/", 5).await;
    assert!(matches!(fetched, Err(ClientError::NotTheApi { .. })));
}

#[rstest]
fn an_address_that_is_not_scheme_and_host_is_refused(
    #[values(
        "",
        "files.example.com",
        "ftp://a",
        "http://",
        "http://a/b",
        "http://a?b",
        "http://u:p@a",
        "http://a/#x"
    )]
    base: &str,
) {
    assert!(matches!(
        Client::new(base, TOKEN),
        Err(ClientError::BadAddress { .. })
    ));
}

#[test]
fn a_token_with_a_line_break_inside_is_refused() {
    assert!(matches!(
        Client::new("http://a", "x\r\nevil: 1"),
        Err(ClientError::UnusableToken)
    ));
    assert!(Client::new("http://a/", "plane_api_x\n").is_ok());
}

#[test]
fn this_machine_has_many_names() {
    let is_this = |url: &str| is_this_machine(&Url::parse(url).unwrap());
    assert!(is_this("http://localhost:9000"));
    assert!(is_this("http://127.1.2.3"));
    assert!(is_this("http://[::1]:9000"));
    assert!(!is_this("http://192.0.2.1"));
    assert!(!is_this("http://localhost.example.com"));
}

#[tokio::test]
async fn an_upload_to_a_server_that_never_answers_fails_after_the_stall_timeout() {
    const STALL_TIMEOUT: Duration = Duration::from_millis(300);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let reserved = reservation(10).replace("BASE", &format!("http://{address}"));
    let reserved: Reserved = serde_json::from_str(&reserved).unwrap();
    let client = Client::new(&format!("http://{address}"), TOKEN).unwrap();
    // A server that reads the whole file, and one that reads none of it.
    for reads in [true, false] {
        let content = Content::of_bytes(Bytes::from_static(b"bytes"));
        let sent = client.send_form_within(STALL_TIMEOUT, &reserved, "me.png", content);
        let held = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            if reads {
                read_request(&mut stream).await;
            }
            stream
        };
        let (sent, _stream) = tokio::join!(sent, held);
        assert!(matches!(sent, Err(ClientError::Stalled { .. })), "{sent:?}");
    }
}

#[tokio::test]
async fn an_upload_that_makes_progress_has_no_time_limit() {
    const STALL_TIMEOUT: Duration = Duration::from_millis(400);
    let last_read = tokio::sync::watch::Sender::new(Instant::now());
    let slow = async {
        for _ in 0..6 {
            tokio::time::sleep(STALL_TIMEOUT / 4).await;
            last_read.send_replace(Instant::now());
        }
        "done"
    };
    let done = upload::unless_stalled(slow, &last_read, STALL_TIMEOUT).await;
    assert_eq!(done, Some("done"));
}
