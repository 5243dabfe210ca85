//! `Expect: 100-continue`: refused from the head alone, or asked to go on.

use crate::app::{App, presigned, spawn_app};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

/// Sends this head and answers what comes before any byte of a body is sent.
async fn told(app: &App, head: &str) -> (TcpStream, String) {
    let mut socket = TcpStream::connect(&app.address).await.expect("it listens");
    let head = format!("{head}\r\nHost: h\r\nExpect: 100-continue\r\n\r\n");
    socket.write_all(head.as_bytes()).await.expect("it reads");
    let mut piece = vec![0; 16 * 1024];
    let read = socket.read(&mut piece).await.expect("it answers");
    let said = String::from_utf8_lossy(&piece[..read]).into_owned();
    (socket, said)
}

#[tokio::test]
async fn a_request_that_is_wrong_by_its_head_is_refused_instead_of_100() {
    let app = spawn_app().await;
    let good = presigned(&app, "PUT", "h", "/uploads/k", &[]);
    let absent = presigned(&app, "PUT", "h", "/absent/k", &[]);
    for (head, code) in [
        (
            "PUT /uploads/k HTTP/1.1\r\nContent-Length: 123".to_owned(),
            "AccessDenied",
        ),
        (
            format!("PUT {absent} HTTP/1.1\r\nContent-Length: 3"),
            "NoSuchBucket",
        ),
        (
            format!("PUT {} HTTP/1.1\r\nContent-Length: 3", good.replace("/k?", "/other?")),
            "SignatureDoesNotMatch",
        ),
        (
            format!("PUT {good} HTTP/1.1\r\nContent-Length: 5368709121"),
            "EntityTooLarge",
        ),
        (
            format!("PUT {good} HTTP/1.1\r\nContent-Length: 3\r\nContent-MD5: no"),
            "InvalidDigest",
        ),
        (
            "POST /absent HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 300"
                .to_owned(),
            "NoSuchBucket",
        ),
    ] {
        let (mut socket, said) = told(&app, &head).await;
        assert!(said.starts_with("HTTP/1.1 4"), "{head}: {said}");
        assert!(said.contains("connection: close"), "{head}: {said}");
        assert!(said.contains(&format!("<Code>{code}</Code>")), "{head}: {said}");
        assert!(said.contains("x-amz-request-id: "), "{said}");
        // A client that sends all the same still meets no reset.
        socket.write_all(&[b'x'; 100]).await.unwrap();
        socket.shutdown().await.unwrap();
        socket.read_to_end(&mut Vec::new()).await.unwrap();
    }
}

#[tokio::test]
async fn the_other_faces_refuse_instead_of_100_too() {
    let app = spawn_app().await;
    let head = "POST /api/v1/assets/user-assets/ HTTP/1.1\r\nX-API-Key: no\r\n\
                Content-Type: application/json\r\nContent-Length: 99999999";
    let (_, said) = told(&app, head).await;
    assert!(said.starts_with("HTTP/1.1 413"), "{said}");
}

#[tokio::test]
async fn a_good_request_gets_100_then_its_body_is_read_and_the_connection_stays_open() {
    let app = spawn_app().await;
    for framing in ["Content-Length: 3", "Transfer-Encoding: chunked"] {
        let target = presigned(&app, "PUT", "h", "/uploads/k", &[]);
        let (mut socket, said) = told(&app, &format!("PUT {target} HTTP/1.1\r\n{framing}")).await;
        assert_eq!(said, CONTINUE);
        let body = match framing {
            "Content-Length: 3" => "abc",
            _ => "3\r\nabc\r\n0\r\n\r\n",
        };
        let next = presigned(&app, "GET", "h", "/uploads/k", &[]);
        let rest = format!("{body}GET {next} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        socket.write_all(rest.as_bytes()).await.unwrap();
        let mut answers = String::new();
        socket.read_to_string(&mut answers).await.unwrap();
        assert_eq!(answers.matches("HTTP/1.1 200").count(), 2, "{answers}");
        assert!(answers.ends_with("abc"), "{answers}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_wait_is_served_as_well() {
    let app = spawn_app().await;
    let target = presigned(&app, "PUT", "h", "/uploads/k", &[]);
    let request = format!(
        "PUT {target} HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"
    );
    let answer = app.raw(request.as_bytes()).await;
    assert!(answer.contains("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn an_unknown_expectation_is_ignored_and_an_empty_body_gets_no_100() {
    let app = spawn_app().await;
    for (expect, body) in [("200", "abc"), ("", "abc"), ("100-continue", "")] {
        let target = presigned(&app, "PUT", "h", "/uploads/k", &[]);
        let length = body.len();
        let request = format!(
            "PUT {target} HTTP/1.1\r\nHost: h\r\nExpect: {expect}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        let answer = app.raw(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{expect}: {answer}");
    }
}
