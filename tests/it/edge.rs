//! What only a raw request shows: connections, heads and faces.

use crate::app::spawn_app;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("nothing")
}

#[tokio::test]
async fn an_anonymous_request_is_refused_with_matching_request_ids() {
    let app = spawn_app().await;
    let answer = reqwest::get(app.url("/uploads/key")).await.unwrap();
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.headers()["content-type"], "application/xml");
    assert_eq!(answer.headers()["server"], "hangar");
    let id = answer.headers()["x-amz-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let xml = answer.text().await.unwrap();
    assert!(xml.contains("<Code>AccessDenied</Code>"), "{xml}");
    assert!(
        xml.contains(&format!("<RequestId>{id}</RequestId>")),
        "{xml}"
    );
}

#[tokio::test]
async fn an_anonymous_client_does_not_learn_which_operations_exist() {
    let app = spawn_app().await;
    for path in ["/uploads", "/uploads?policy", "/uploads/key?acl"] {
        let answer = reqwest::get(app.url(path)).await.unwrap();
        assert_eq!(answer.status(), 403, "{path}");
    }
}

#[tokio::test]
async fn a_small_refused_body_keeps_its_connection() {
    let app = spawn_app().await;
    let refused = "PUT /uploads/k HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n";
    let two = format!("{refused}{body}{refused}{body}", body = "x".repeat(1000));
    let last = "GET /uploads/k HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let answers = app.raw(format!("{two}{last}").as_bytes()).await;
    assert_eq!(answers.matches("HTTP/1.1 403").count(), 3, "{answers}");
}

#[tokio::test]
async fn a_large_refused_body_gets_its_answer_and_no_reset() {
    let app = spawn_app().await;
    let mut request =
        b"PUT /uploads/k HTTP/1.1\r\nHost: h\r\nContent-Length: 8000000\r\n\r\n".to_vec();
    request.resize(request.len() + 8_000_000, b'x');
    let began = Instant::now();
    let answer = app.raw(&request).await;
    assert_eq!(status(&answer), "403", "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_head_over_sixteen_kibibytes_is_431() {
    let app = spawn_app().await;
    let request = format!(
        "GET /uploads/k HTTP/1.1\r\nHost: h\r\nX-Long: {}\r\n\r\n",
        "x".repeat(17 * 1024)
    );
    let answer = app.raw(request.as_bytes()).await;
    assert_eq!(status(&answer), "431");
    assert!(
        answer.contains("<Code>RequestHeaderSectionTooLarge</Code>"),
        "{answer}"
    );
}

#[tokio::test]
async fn the_root_is_a_page_for_browsers_alone() {
    let app = spawn_app().await;
    let page = reqwest::Client::new()
        .get(app.url("/"))
        .header("accept", "text/html,*/*")
        .send()
        .await
        .unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("<title>hangar</title>"));
    assert_eq!(reqwest::get(app.url("/")).await.unwrap().status(), 403);
}

#[tokio::test]
async fn minios_health_addresses_answer_and_its_administration_does_not() {
    let app = spawn_app().await;
    for path in ["live", "ready", "cluster"] {
        let url = app.url(&format!("/minio/health/{path}"));
        assert_eq!(reqwest::get(url).await.unwrap().status(), 200, "{path}");
    }
    let admin = reqwest::get(app.url("/minio/admin/v3/info")).await.unwrap();
    assert_eq!(admin.status(), 501);
}

#[tokio::test]
async fn an_unsupported_method_is_405() {
    let app = spawn_app().await;
    let answer = reqwest::Client::new()
        .request(reqwest::Method::PATCH, app.url("/uploads/k"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 405);
}

#[tokio::test]
async fn a_form_for_a_missing_bucket_is_404_and_another_content_type_412() {
    let app = spawn_app().await;
    let client = reqwest::Client::new();
    let absent = client
        .post(app.url("/absent"))
        .body("x")
        .send()
        .await
        .unwrap();
    assert_eq!(absent.status(), 404);
    assert_eq!(absent.headers()["access-control-allow-origin"], "*");
    let no_form = client
        .post(app.url("/uploads"))
        .body("x")
        .send()
        .await
        .unwrap();
    assert_eq!(no_form.status(), 412);
}

#[tokio::test]
async fn a_server_stops_within_its_time_though_a_connection_is_open() {
    let mut app = spawn_app().await;
    let idle = tokio::net::TcpStream::connect(&app.address).await.unwrap();
    let began = Instant::now();
    app.stopped().await;
    assert!(began.elapsed() < Duration::from_secs(8));
    drop(idle);
}

#[tokio::test]
async fn a_valid_preflight_allows_any_origin() {
    let app = spawn_app().await;
    let ask = |origin: bool| {
        let mut ask = reqwest::Client::new().request(reqwest::Method::OPTIONS, app.url("/uploads"));
        if origin {
            ask = ask.header("origin", "https://plane.example.com");
        }
        ask.header("access-control-request-method", "POST").send()
    };
    let allowed = ask(true).await.unwrap();
    assert_eq!(allowed.status(), 200);
    assert_eq!(allowed.headers()["access-control-allow-origin"], "*");
    assert!(
        !allowed
            .headers()
            .contains_key("access-control-allow-credentials")
    );
    assert_eq!(ask(false).await.unwrap().status(), 400);
}

#[tokio::test]
async fn an_encoded_first_segment_does_not_reach_another_face() {
    let app = spawn_app().await;
    let request = "GET /%61pi/v1/users/me/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let answer = app.raw(request.as_bytes()).await;
    // AWS: an unsigned request learns which buckets do not exist.
    assert!(answer.contains("<Code>NoSuchBucket</Code>"), "{answer}");
}

#[tokio::test]
async fn a_request_that_cannot_be_parsed_is_refused_with_a_code_and_ids() {
    let app = spawn_app().await;
    for broken in [
        "GET / HTTP/9.9\r\n\r\n",
        "nothing\r\n\r\n",
        "PUT /uploads/k HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        "PUT /uploads/k HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    ] {
        let answer = app.raw(broken.as_bytes()).await;
        assert_eq!(status(&answer), "400", "{broken}{answer}");
        assert!(answer.contains("x-amz-request-id: "), "{answer}");
        assert!(answer.contains("<Code>BadRequest</Code>"), "{answer}");
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_parsed_is_refused_after_a_good_one_too() {
    let app = spawn_app().await;
    let mut socket = tokio::net::TcpStream::connect(&app.address).await.unwrap();
    let live = b"GET /-/health/live HTTP/1.1\r\nHost: h\r\n\r\n";
    socket.write_all(live).await.unwrap();
    let mut first = [0; 4096];
    let read = socket.read(&mut first).await.unwrap();
    assert!(first[..read].starts_with(b"HTTP/1.1 200"));
    socket.write_all(b"nothing\r\n\r\n").await.unwrap();
    let mut second = String::new();
    socket.read_to_string(&mut second).await.unwrap();
    assert!(second.contains("<Code>BadRequest</Code>"), "{second}");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let app = spawn_app().await;
    let mut ahead = "GET /-/health/live HTTP/1.1\r\nHost: h\r\n\r\n".repeat(30);
    ahead.push_str("GET /uploads/k HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    let answers = app.raw(ahead.as_bytes()).await;
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 30, "{answers}");
    assert!(answers[answers.rfind("HTTP/1.1").unwrap()..].starts_with("HTTP/1.1 403"));
}

#[tokio::test]
async fn a_body_that_ends_early_is_refused_as_incomplete() {
    let app = spawn_app().await;
    let url = crate::app::presigned(&app, "PUT", "h", "/uploads/k", &[]);
    let request = format!("PUT {url} HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nshort");
    let answer = app.raw_half_closed(request.as_bytes()).await;
    assert!(answer.contains("<Code>IncompleteBody</Code>"), "{answer}");
    let head = crate::app::presigned(&app, "HEAD", "h", "/uploads/k", &[]);
    let request = format!("HEAD {head} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert_eq!(status(&app.raw(request.as_bytes()).await), "404");
}
