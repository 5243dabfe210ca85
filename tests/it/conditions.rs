//! Every operation under every precondition, on a key in each state: what it answers, and what is there afterwards.

use crate::app::{App, presigned, spawn_app};
use hangar::s3::time;
use std::time::Duration;

/// The body that a write brings, and the object that copies are made of.
const NEW: &str = "new object";
const FIRST: &str = "first";
const SECOND: &str = "second one";

/// What became of a key before a request comes with a condition on its first object.
#[derive(Debug, Clone, Copy)]
enum State {
    Present,
    Absent,
    Replaced,
    Deleted,
}
const STATES: [State; 4] = [
    State::Present,
    State::Absent,
    State::Replaced,
    State::Deleted,
];

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    last_modified: String,
}

impl Answer {
    /// The text of an element of the answer.
    pub(crate) fn element(&self, name: &str) -> Option<&str> {
        let (_, behind) = self.body.split_once(&format!("<{name}>"))?;
        Some(behind.split_once("</")?.0)
    }
}

/// A presigned request. Headers whose names begin with `x-amz-` go into the query, where they are signed.
pub(crate) async fn ask(
    app: &App,
    (method, path, query): (&str, &str, &[(&str, &str)]),
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let (signed, sent): (Vec<_>, Vec<_>) = headers
        .iter()
        .copied()
        .partition(|(name, _)| name.starts_with("x-amz-"));
    let query: Vec<_> = query.iter().copied().chain(signed).collect();
    let target = presigned(app, method, &app.address, path, &query);
    let mut request = reqwest::Client::new().request(
        method.parse().expect("a method"),
        format!("http://{}{target}", app.address),
    );
    for (name, value) in sent {
        request = request.header(name, value);
    }
    let answer = request.body(body.to_owned()).send().await;
    let answer = answer.expect("the answer arrives, not a reset");
    let last_modified = answer.headers().get("last-modified");
    Answer {
        status: answer.status().as_u16(),
        last_modified: last_modified
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned(),
        body: answer.text().await.expect("a body"),
    }
}

async fn put(app: &App, path: &str, body: &str) {
    let put = ask(app, ("PUT", path, &[]), &[], body).await;
    assert_eq!(put.status, 200, "{}", put.body);
}

/// Brings a key into a state; answers when its first object was written, as an HTTP date.
async fn prepare(app: &App, path: &str, state: State) -> String {
    if matches!(state, State::Absent) {
        return time::http_date(app.clock.now());
    }
    put(app, path, FIRST).await;
    let first = ask(app, ("HEAD", path, &[]), &[], "").await.last_modified;
    match state {
        State::Present | State::Absent => {}
        State::Replaced => {
            app.clock.advance(Duration::from_secs(2));
            put(app, path, SECOND).await;
        }
        State::Deleted => {
            let deleted = ask(app, ("DELETE", path, &[]), &[], "").await;
            assert_eq!(deleted.status, 204, "{}", deleted.body);
        }
    }
    first
}

/// What is at the key: its body, or `-`.
async fn found(app: &App, path: &str) -> String {
    let found = ask(app, ("GET", path, &[]), &[], "").await;
    match found.status {
        200 => found.body,
        404 => "-".to_owned(),
        other => panic!("{other}: {}", found.body),
    }
}

#[derive(Debug, Clone, Copy)]
enum Asked {
    GetObject,
    HeadObject,
    PutObject,
    CopyObject,
    CompleteMultipartUpload,
    DeleteObject,
    DeleteObjects,
}

/// Sends the request with its condition. Answers its status and code.
async fn carry_out(app: &App, asked: Asked, path: &str, condition: (&str, &str)) -> String {
    let headers = [condition];
    let answer = match asked {
        Asked::GetObject => ask(app, ("GET", path, &[]), &headers, "").await,
        Asked::HeadObject => ask(app, ("HEAD", path, &[]), &headers, "").await,
        Asked::PutObject => ask(app, ("PUT", path, &[]), &headers, NEW).await,
        Asked::CopyObject => {
            let source = [("x-amz-copy-source", "/uploads/source")];
            ask(app, ("PUT", path, &source), &headers, "").await
        }
        Asked::CompleteMultipartUpload => complete(app, path, condition).await,
        Asked::DeleteObject => ask(app, ("DELETE", path, &[]), &headers, "").await,
        Asked::DeleteObjects => {
            let (element, value) = condition;
            let key = path.strip_prefix("/uploads/").expect("the bucket's path");
            let value = value.replace('"', "&quot;");
            let list = format!(
                "<Delete><Object><Key>{key}</Key><{element}>{value}</{element}></Object></Delete>"
            );
            ask(app, ("POST", "/uploads", &[("delete", "")]), &[], &list).await
        }
    };
    match answer.element("Code") {
        Some(code) => format!("{} {code}", answer.status),
        None => answer.status.to_string(),
    }
}

async fn complete(app: &App, path: &str, condition: (&str, &str)) -> Answer {
    let begun = ask(app, ("POST", path, &[("uploads", "")]), &[], "").await;
    let id = begun.element("UploadId").expect("an id").to_owned();
    let part = [("partNumber", "1"), ("uploadId", id.as_str())];
    let sent = ask(app, ("PUT", path, &part), &[], NEW).await;
    assert_eq!(sent.status, 200, "{}", sent.body);
    let etag = md5(NEW);
    let document = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    let upload = [("uploadId", id.as_str())];
    ask(app, ("POST", path, &upload), &[condition], &document).await
}

fn md5(text: &str) -> &'static str {
    match text {
        FIRST => "8b04d5e3775d298e78455efc5ca404d5",
        NEW => "fe35f5bc7628e942d4cde76f4e40b2a5",
        other => panic!("no digest of {other}"),
    }
}

/// A line for each condition: what each state answers, and what is at the key then.
async fn table(app: &App, asked: Asked, conditions: &[(&str, &str)]) -> String {
    put(app, "/uploads/source", NEW).await;
    let mut table = String::new();
    for (at, (name, value)) in conditions.iter().enumerate() {
        let mut cells = vec![format!("{name}: {value}")];
        for state in STATES {
            let path = format!("/uploads/{asked:?}/{at}/{state:?}");
            let first = prepare(app, &path, state).await;
            let stated = value.replace("ETAG", md5(FIRST)).replace("TIME", &first);
            let answer = carry_out(app, asked, &path, (name, &stated)).await;
            let there = found(app, &path).await;
            cells.push(format!("{answer}: {there}"));
        }
        table.push_str(&cells.join(" | "));
        table.push('\n');
    }
    table
}

const READS: &[(&str, &str)] = &[
    ("if-match", "\"ETAG\""),
    ("if-match", "\"0\", ETAG"),
    ("if-match", "W/\"ETAG\""),
    ("if-match", "*"),
    ("if-none-match", "\"ETAG\""),
    ("if-none-match", "W/\"ETAG\""),
    ("if-none-match", "*"),
    ("if-modified-since", "TIME"),
    ("if-unmodified-since", "TIME"),
];

const WRITES: &[(&str, &str)] = &[
    ("if-match", "\"ETAG\""),
    ("if-match", "ETAG"),
    ("if-match", "*"),
    ("if-match", "\"*\""),
    ("if-match", "W/\"ETAG\""),
    ("if-match", "\"ETAG\", \"0\""),
    ("if-none-match", "*"),
    ("if-none-match", "\"ETAG\""),
    ("if-none-match", "\"*\""),
    ("if-none-match", "W/\"*\""),
    ("if-none-match", "W/\"ETAG\""),
    ("if-none-match", "true"),
    ("if-none-match", "*, \"ETAG\""),
    ("if-modified-since", "TIME"),
    ("if-unmodified-since", "TIME"),
];

const DELETES: &[(&str, &str)] = &[
    ("if-match", "\"ETAG\""),
    ("if-match", "*"),
    ("if-match", "W/\"ETAG\""),
    ("if-none-match", "*"),
    ("if-unmodified-since", "TIME"),
    ("x-amz-if-match-last-modified-time", "TIME"),
    ("x-amz-if-match-last-modified-time", "now"),
    ("x-amz-if-match-size", "5"),
    ("x-amz-if-match-size", "many"),
];

const LISTED_DELETES: &[(&str, &str)] = &[
    ("ETag", "\"ETAG\""),
    ("ETag", "*"),
    ("ETag", "W/\"ETAG\""),
    ("LastModifiedTime", "TIME"),
    ("LastModifiedTime", "now"),
    ("Size", "5"),
    ("Size", "many"),
];

// Each line: the condition | present | absent | replaced | deleted.

#[tokio::test]
async fn a_read_answers_what_its_condition_says() {
    let app = spawn_app().await;
    let get = table(&app, Asked::GetObject, READS).await;
    insta::assert_snapshot!(get, @r#"
    if-match: "ETAG" | 200: first | 404 NoSuchKey: - | 412 PreconditionFailed: second one | 404 NoSuchKey: -
    if-match: "0", ETAG | 200: first | 404 NoSuchKey: - | 412 PreconditionFailed: second one | 404 NoSuchKey: -
    if-match: W/"ETAG" | 412 PreconditionFailed: first | 404 NoSuchKey: - | 412 PreconditionFailed: second one | 404 NoSuchKey: -
    if-match: * | 200: first | 404 NoSuchKey: - | 200: second one | 404 NoSuchKey: -
    if-none-match: "ETAG" | 304: first | 404 NoSuchKey: - | 200: second one | 404 NoSuchKey: -
    if-none-match: W/"ETAG" | 304: first | 404 NoSuchKey: - | 200: second one | 404 NoSuchKey: -
    if-none-match: * | 304: first | 404 NoSuchKey: - | 304: second one | 404 NoSuchKey: -
    if-modified-since: TIME | 304: first | 404 NoSuchKey: - | 200: second one | 404 NoSuchKey: -
    if-unmodified-since: TIME | 200: first | 404 NoSuchKey: - | 412 PreconditionFailed: second one | 404 NoSuchKey: -
    "#);
    let head = table(&app, Asked::HeadObject, READS).await;
    let without_codes = ["NoSuchKey", "PreconditionFailed"]
        .iter()
        .fold(get, |text, code| text.replace(&format!(" {code}"), ""));
    assert_eq!(head, without_codes);
}

#[tokio::test]
async fn a_write_happens_only_where_its_condition_holds() {
    let app = spawn_app().await;
    let put = table(&app, Asked::PutObject, WRITES).await;
    insta::assert_snapshot!(put, @r#"
    if-match: "ETAG" | 200: new object | 404 NoSuchKey: - | 412 PreconditionFailed: second one | 404 NoSuchKey: -
    if-match: ETAG | 200: new object | 404 NoSuchKey: - | 412 PreconditionFailed: second one | 404 NoSuchKey: -
    if-match: * | 200: new object | 404 NoSuchKey: - | 200: new object | 404 NoSuchKey: -
    if-match: "*" | 412 PreconditionFailed: first | 404 NoSuchKey: - | 412 PreconditionFailed: second one | 404 NoSuchKey: -
    if-match: W/"ETAG" | 501 NotImplemented: first | 501 NotImplemented: - | 501 NotImplemented: second one | 501 NotImplemented: -
    if-match: "ETAG", "0" | 501 NotImplemented: first | 501 NotImplemented: - | 501 NotImplemented: second one | 501 NotImplemented: -
    if-none-match: * | 412 PreconditionFailed: first | 200: new object | 412 PreconditionFailed: second one | 200: new object
    if-none-match: "ETAG" | 412 PreconditionFailed: first | 200: new object | 200: new object | 200: new object
    if-none-match: "*" | 501 NotImplemented: first | 501 NotImplemented: - | 501 NotImplemented: second one | 501 NotImplemented: -
    if-none-match: W/"*" | 501 NotImplemented: first | 501 NotImplemented: - | 501 NotImplemented: second one | 501 NotImplemented: -
    if-none-match: W/"ETAG" | 501 NotImplemented: first | 501 NotImplemented: - | 501 NotImplemented: second one | 501 NotImplemented: -
    if-none-match: true | 501 NotImplemented: first | 501 NotImplemented: - | 501 NotImplemented: second one | 501 NotImplemented: -
    if-none-match: *, "ETAG" | 501 NotImplemented: first | 501 NotImplemented: - | 501 NotImplemented: second one | 501 NotImplemented: -
    if-modified-since: TIME | 501 NotImplemented: first | 501 NotImplemented: - | 501 NotImplemented: second one | 501 NotImplemented: -
    if-unmodified-since: TIME | 501 NotImplemented: first | 501 NotImplemented: - | 501 NotImplemented: second one | 501 NotImplemented: -
    "#);
    for other in [Asked::CopyObject, Asked::CompleteMultipartUpload] {
        assert_eq!(table(&app, other, WRITES).await, put, "{other:?}");
    }
}

#[tokio::test]
async fn a_delete_happens_only_where_its_condition_holds() {
    let app = spawn_app().await;
    let one = table(&app, Asked::DeleteObject, DELETES).await;
    insta::assert_snapshot!(one, @r#"
    if-match: "ETAG" | 204: - | 404 NoSuchKey: - | 412 PreconditionFailed: second one | 404 NoSuchKey: -
    if-match: * | 204: - | 404 NoSuchKey: - | 204: - | 404 NoSuchKey: -
    if-match: W/"ETAG" | 501 NotImplemented: first | 501 NotImplemented: - | 501 NotImplemented: second one | 501 NotImplemented: -
    if-none-match: * | 501 NotImplemented: first | 501 NotImplemented: - | 501 NotImplemented: second one | 501 NotImplemented: -
    if-unmodified-since: TIME | 501 NotImplemented: first | 501 NotImplemented: - | 501 NotImplemented: second one | 501 NotImplemented: -
    x-amz-if-match-last-modified-time: TIME | 204: - | 404 NoSuchKey: - | 412 PreconditionFailed: second one | 404 NoSuchKey: -
    x-amz-if-match-last-modified-time: now | 400 InvalidArgument: first | 400 InvalidArgument: - | 400 InvalidArgument: second one | 400 InvalidArgument: -
    x-amz-if-match-size: 5 | 204: - | 404 NoSuchKey: - | 412 PreconditionFailed: second one | 404 NoSuchKey: -
    x-amz-if-match-size: many | 400 InvalidArgument: first | 400 InvalidArgument: - | 400 InvalidArgument: second one | 400 InvalidArgument: -
    "#);
    let listed = table(&app, Asked::DeleteObjects, LISTED_DELETES).await;
    insta::assert_snapshot!(listed, @r#"
    ETag: "ETAG" | 200: - | 200 NoSuchKey: - | 200 PreconditionFailed: second one | 200 NoSuchKey: -
    ETag: * | 200: - | 200 NoSuchKey: - | 200: - | 200 NoSuchKey: -
    ETag: W/"ETAG" | 200 NotImplemented: first | 200 NotImplemented: - | 200 NotImplemented: second one | 200 NotImplemented: -
    LastModifiedTime: TIME | 200: - | 200 NoSuchKey: - | 200 PreconditionFailed: second one | 200 NoSuchKey: -
    LastModifiedTime: now | 200 MalformedXML: first | 200 MalformedXML: - | 200 MalformedXML: second one | 200 MalformedXML: -
    Size: 5 | 200: - | 200 NoSuchKey: - | 200 PreconditionFailed: second one | 200 NoSuchKey: -
    Size: many | 200 MalformedXML: first | 200 MalformedXML: - | 200 MalformedXML: second one | 200 MalformedXML: -
    "#);
}

type Request = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

/// Writes that evaluate no condition. None of them may happen as if there were none.
const OTHER_WRITES: &[Request] = &[
    ("POST", "/uploads/k", &[("uploads", "")]),
    (
        "PUT",
        "/uploads/k",
        &[("partNumber", "1"), ("uploadId", "0")],
    ),
    (
        "PUT",
        "/uploads/k",
        &[
            ("partNumber", "1"),
            ("uploadId", "0"),
            ("x-amz-copy-source", "/uploads/k"),
        ],
    ),
    ("DELETE", "/uploads/k", &[("uploadId", "0")]),
    ("PUT", "/uploads/k", &[("tagging", "")]),
    ("DELETE", "/uploads/k", &[("tagging", "")]),
    ("PUT", "/uploads/k", &[("acl", "")]),
    ("POST", "/uploads", &[("delete", "")]),
    ("PUT", "/uploads", &[("policy", "")]),
    ("DELETE", "/uploads", &[("lifecycle", "")]),
    ("DELETE", "/uploads", &[]),
    ("PUT", "/other", &[]),
];

const HEADERS: [&str; 4] = [
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
];

#[tokio::test]
async fn a_write_that_evaluates_no_condition_refuses_it() {
    let app = spawn_app().await;
    put(&app, "/uploads/k", FIRST).await;
    for request in OTHER_WRITES {
        for header in HEADERS {
            let answer = ask(&app, *request, &[(header, "*")], "").await;
            assert_eq!(answer.status, 501, "{request:?} {header}: {}", answer.body);
            assert_eq!(answer.element("Header"), Some(header));
        }
    }
    for header in HEADERS {
        let form = ("POST", "/uploads", [].as_slice());
        let kind = ("content-type", "multipart/form-data; boundary=b");
        let answer = ask(&app, form, &[kind, (header, "*")], "--b--\r\n").await;
        assert_eq!(answer.status, 501, "{header}: {}", answer.body);
    }
    assert_eq!(
        ask(&app, ("HEAD", "/other", &[]), &[], "").await.status,
        404
    );
    assert_eq!(found(&app, "/uploads/k").await, FIRST);
}

#[tokio::test]
async fn a_read_that_evaluates_no_condition_ignores_it() {
    let app = spawn_app().await;
    put(&app, "/uploads/k", FIRST).await;
    let reads: [Request; 4] = [
        ("GET", "/uploads", &[("list-type", "2")]),
        ("GET", "/uploads/k", &[("tagging", "")]),
        ("GET", "/uploads/k", &[("acl", "")]),
        ("HEAD", "/uploads", &[]),
    ];
    for request in reads {
        for header in HEADERS {
            let answer = ask(&app, request, &[(header, "\"0\"")], "").await;
            assert_eq!(answer.status, 200, "{request:?} {header}: {}", answer.body);
        }
    }
}

#[tokio::test]
async fn a_condition_in_several_lines_is_a_list() {
    let app = spawn_app().await;
    put(&app, "/uploads/k", FIRST).await;
    let tag = format!("\"{}\"", md5(FIRST));
    for headers in [
        [
            ("if-none-match", "\"fe35f5bc7628e942d4cde76f4e40b2a5\""),
            ("if-none-match", "*"),
        ],
        [("if-match", tag.as_str()), ("if-match", "\"0\"")],
        [("if-match", tag.as_str()), ("if-none-match", "*")],
    ] {
        let answer = ask(&app, ("PUT", "/uploads/k", &[]), &headers, NEW).await;
        assert_eq!(answer.status, 501, "{headers:?}: {}", answer.body);
    }
    let deleted = [("if-match", tag.as_str()), ("if-match", "\"0\"")];
    let answer = ask(&app, ("DELETE", "/uploads/k", &[]), &deleted, "").await;
    assert_eq!(answer.status, 501, "{}", answer.body);
    assert_eq!(found(&app, "/uploads/k").await, FIRST);
}

#[tokio::test]
async fn an_upload_is_aborted_only_if_it_began_when_the_client_says() {
    let app = spawn_app().await;
    let begun = ask(&app, ("POST", "/uploads/k", &[("uploads", "")]), &[], "").await;
    let id = begun.element("UploadId").expect("an id").to_owned();
    let listed = ask(&app, ("GET", "/uploads", &[("uploads", "")]), &[], "").await;
    let began = listed.element("Initiated").expect("a time").to_owned();
    let began = time::http_date(time::parse_iso8601(&began).expect("a time"));
    for (stated, status) in [
        ("Mon, 23 Nov 2020 09:18:10 GMT", 412),
        ("now", 400),
        (began.as_str(), 204),
    ] {
        let condition = [("x-amz-if-match-initiated-time", stated)];
        let abort = ("DELETE", "/uploads/k", [("uploadId", id.as_str())]);
        let answer = ask(&app, (abort.0, abort.1, &abort.2), &condition, "").await;
        assert_eq!(answer.status, status, "{stated}: {}", answer.body);
    }
}
