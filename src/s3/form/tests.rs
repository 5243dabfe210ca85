use super::*;
use proptest::prelude::*;
use rstest::rstest;

mod fuzz;

const BOUNDARY: &str = "b0undary";

/// What a form was read as: fields, file name, content, and whether the file ended.
#[derive(Debug, Default, PartialEq, Eq)]
struct Reading {
    fields: Vec<(String, String)>,
    file_name: Option<String>,
    content: Vec<u8>,
    ended: bool,
}
/// The parser's answer to `body`, cut before each of `cuts`.
fn read_cut(body: &[u8], cuts: &[usize]) -> Result<Reading, (ErrorCode, String)> {
    let mut parser = FormParser::new(BOUNDARY);
    let mut events = Vec::new();
    let body = Bytes::copy_from_slice(body);
    let mut from = 0;
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| (*cut).min(body.len())).collect();
    cuts.sort_unstable();
    cuts.push(body.len());
    let refused = |error: S3Error| (error.code, error.message.into_owned());
    for cut in cuts {
        parser
            .push(body.slice(from..cut), &mut events)
            .map_err(refused)?;
        from = cut;
    }
    parser.finish().map_err(refused)?;
    let mut reading = Reading::default();
    for event in events {
        match event {
            FormEvent::FileBegins { fields, file_name } => {
                reading.fields = fields.fields;
                reading.file_name = file_name;
            }
            FormEvent::Data(bytes) => {
                assert!(!bytes.is_empty());
                reading.content.extend_from_slice(&bytes);
            }
            FormEvent::FileEnds => reading.ended = true,
        }
    }
    Ok(reading)
}
fn read(body: impl AsRef<[u8]>) -> Result<Reading, (ErrorCode, String)> {
    let body = body.as_ref();
    let whole = read_cut(body, &[]);
    let bytes: Vec<usize> = (0..body.len()).collect();
    assert_eq!(whole, read_cut(body, &bytes), "byte by byte it is the same");
    whole
}
fn field(name: &str, value: &str) -> String {
    format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}
fn file(content: &[u8]) -> Vec<u8> {
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"me.png\"\r\nContent-Type: image/png\r\n\r\n"
    );
    [head.as_bytes(), content, b"\r\n"].concat()
}
fn form(fields: &[(&str, &str)], content: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend_from_slice(field(name, value).as_bytes());
    }
    body.extend_from_slice(&file(content));
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

#[test]
fn fields_come_in_order_and_in_lower_case_and_then_the_file() {
    let reading = read(form(&[("Key", "a/b"), ("X-Amz-Date", "now")], b"bytes")).unwrap();
    assert_eq!(
        reading,
        Reading {
            fields: vec![
                ("key".to_owned(), "a/b".to_owned()),
                ("x-amz-date".to_owned(), "now".to_owned())
            ],
            file_name: Some("me.png".to_owned()),
            content: b"bytes".to_vec(),
            ended: true,
        }
    );
}

#[rstest]
#[case(b"")]
#[case(b"\r\n")]
#[case(b"\r\n\r\n--")]
#[case(b"\r\n--b0undar")]
#[case(b"\r\n--b0undaryX")]
#[case(b"\r\n--b0undary-")]
#[case(b"\r\n--b0undary \rX")]
#[case(b"\r\n--b0undary\r\r\n")]
#[case(b"\r\r\n--b0undar\r\n--b0undar")]
#[case(b"x--b0undary\r\n")]
#[case(b"\n--b0undary--\n")]
#[case(b"--b0undaryX\r\n")]
#[case(b"\r\n--\r\n--b0\r\n-")]
fn content_that_is_like_a_boundary_is_content(#[case] content: &[u8]) {
    assert_eq!(
        read(form(&[("key", "k")], content)).unwrap().content,
        content
    );
}

#[test]
fn only_the_part_named_file_is_the_file() {
    let disguised = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"key\"; filename=\"key\"\r\n\r\nk\r\n"
    );
    let reading = read([disguised.as_bytes(), &form(&[], b"x")].concat()).unwrap();
    assert_eq!(reading.fields, [("key".to_owned(), "k".to_owned())]);
    assert_eq!(reading.content, b"x");
}

#[test]
fn preamble_padding_and_epilogue_are_ignored() {
    let body = String::from_utf8(form(&[("key", "k")], b"x")).unwrap();
    let padded = body.replace("--b0undary\r\n", "--b0undary \t\r\n");
    let body = format!("preamble --b0undary\r\n\r\n{padded}epilogue\n--b0undary\r\n");
    assert_eq!(read(body).unwrap().content, b"x");
    let unterminated = form(&[("key", "k")], b"x");
    let unterminated = unterminated.strip_suffix(b"\r\n").unwrap();
    assert!(read(unterminated).unwrap().ended);
}

#[test]
fn an_empty_part_may_lack_its_own_line_end() {
    let body = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=a\r\n\r\n{}",
        String::from_utf8(form(&[], b"x")).unwrap()
    );
    let reading = read(body).unwrap();
    assert_eq!(reading.fields, [("a".to_owned(), String::new())]);
    assert_eq!(reading.content, b"x");
}

#[test]
fn fields_after_the_file_are_ignored() {
    let mut body = file(b"x");
    body.extend_from_slice(field("key", "k").as_bytes());
    body.extend_from_slice(field("key", &"k".repeat(30_000)).as_bytes());
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    let reading = read(body).unwrap();
    assert_eq!(reading.fields, []);
    assert_eq!(reading.content, b"x");
}

#[test]
fn a_second_file_is_refused() {
    let body = [file(b"x"), form(&[], b"y")].concat();
    assert_eq!(read(body).unwrap_err().0, ErrorCode::InvalidArgument);
}

#[test]
fn a_field_twice_before_the_file_is_refused() {
    let body = form(&[("key", "a"), ("KEY", "a")], b"x");
    assert_eq!(read(body).unwrap_err().0, ErrorCode::InvalidArgument);
}

#[test]
fn a_form_without_a_file_is_refused() {
    let body = format!("{}--{BOUNDARY}--\r\n", field("key", "k"));
    assert_eq!(
        read(body).unwrap_err(),
        (
            ErrorCode::InvalidArgument,
            "POST requires exactly one file upload per request".to_owned()
        )
    );
}

#[rstest]
#[case::nothing("")]
#[case::urlencoded("key=a&policy=b")]
#[case::another_boundary(
    "--other\r\nContent-Disposition: form-data; name=key\r\n\r\nk\r\n--other--\r\n"
)]
#[case::no_part("--b0undary--\r\n")]
#[case::all_lines_end_in_lf(
    "--b0undary\nContent-Disposition: form-data; name=file\n\nx\n--b0undary--\n"
)]
#[case::head_ends_in_lf(
    "--b0undary\r\nContent-Disposition: form-data; name=file\n\r\nx\r\n--b0undary--\r\n"
)]
#[case::delimiter_ends_in_lf(
    "--b0undary\r\nContent-Disposition: form-data; name=file\r\n\r\nx\r\n--b0undary\n"
)]
#[case::closing_ends_in_lf(
    "--b0undary\r\nContent-Disposition: form-data; name=file\r\n\r\nx\r\n--b0undary--\n"
)]
#[case::closing_goes_on(
    "--b0undary\r\nContent-Disposition: form-data; name=file\r\n\r\nx\r\n--b0undary--x\r\n"
)]
#[case::no_disposition("--b0undary\r\nContent-Type: text/plain\r\n\r\nx\r\n--b0undary--\r\n")]
#[case::no_head("--b0undary\r\n\r\nx\r\n--b0undary--\r\n")]
#[case::no_name("--b0undary\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b0undary--\r\n")]
#[case::all_empty(
    "--b0undary\r\nContent-Disposition: form-data; name=key\r\n\r\n\r\n--b0undary--\r\n"
)]
#[case::cut_in_a_head("--b0undary\r\nContent-Disp")]
#[case::cut_in_a_field("--b0undary\r\nContent-Disposition: form-data; name=key\r\n\r\nk")]
#[case::cut_in_the_file(
    "--b0undary\r\nContent-Disposition: form-data; name=file\r\n\r\nx\r\n--b0undary"
)]
#[case::not_closed(
    "--b0undary\r\nContent-Disposition: form-data; name=file\r\n\r\nx\r\n--b0undary\r\n"
)]
fn a_mangled_form_is_malformed(#[case] body: &str) {
    assert_eq!(read(body).unwrap_err().0, ErrorCode::MalformedPOSTRequest);
}

#[test]
fn a_value_that_is_not_utf_8_is_refused() {
    let body = form(&[("key", "?")], b"x");
    let body: Vec<u8> = body
        .iter()
        .map(|&byte| if byte == b'?' { 0xff } else { byte })
        .collect();
    assert_eq!(read(body).unwrap_err().0, ErrorCode::MalformedPOSTRequest);
}

#[test]
fn the_bytes_before_the_file_are_bounded() {
    let refused = |fields: &[(&str, &str)]| {
        read_cut(&form(fields, b"x"), &[])
            .is_err_and(|(code, _)| code == ErrorCode::MaxPostPreDataLengthExceeded)
    };
    let (fits, over) = ("v".repeat(20 * 1024), "v".repeat(20 * 1024 + 1));
    assert!(!refused(&[("a", &fits), ("b", &fits), ("c", &fits)]));
    assert!(refused(&[("a", &over)]));
    assert!(refused(&[
        ("a", &fits),
        ("b", &fits),
        ("c", &fits),
        ("d", &fits)
    ]));

    let names: Vec<String> = (0..101).map(|number| format!("f{number}")).collect();
    let fields: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    assert!(!refused(&fields[..100]));
    assert!(refused(&fields));

    let head = format!("--{BOUNDARY}\r\nX: {}", "x".repeat(9000));
    assert_eq!(
        read_cut(head.as_bytes(), &[]).unwrap_err().0,
        ErrorCode::MaxPostPreDataLengthExceeded
    );
    let preamble = "x".repeat(70_000);
    assert_eq!(
        read_cut(preamble.as_bytes(), &[]).unwrap_err().0,
        ErrorCode::MaxPostPreDataLengthExceeded
    );
}

#[test]
fn bytes_of_the_file_are_not_copied() {
    let body = Bytes::from(form(&[], &[b'x'; 5000]));
    let mut parser = FormParser::new(BOUNDARY);
    let mut events = Vec::new();
    parser.push(body.clone(), &mut events).unwrap();
    let [_, FormEvent::Data(data), FormEvent::FileEnds] = &events[..] else {
        panic!("one piece of data: {events:?}");
    };
    assert!(body.as_ptr_range().contains(&data.as_ptr()));
}

#[rstest]
#[case("multipart/form-data; boundary=abc", "abc")]
#[case("Multipart/Form-Data;charset=utf-8; BOUNDARY=\"a b:c\"", "a b:c")]
#[case(
    "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
    "----WebKitFormBoundary7MA4YWxkTrZu0gW"
)]
#[case("multipart/form-data; boundary=a=b/c", "a=b/c")]
fn a_boundary_is_read(#[case] content_type: &str, #[case] expected: &str) {
    assert_eq!(boundary(Some(content_type)).unwrap(), expected);
}

#[rstest]
#[case(None, ErrorCode::PreconditionFailed)]
#[case(
    Some("application/x-www-form-urlencoded"),
    ErrorCode::PreconditionFailed
)]
#[case(Some("multipart/mixed; boundary=a"), ErrorCode::PreconditionFailed)]
#[case(Some("multipart/form-data"), ErrorCode::MalformedPOSTRequest)]
#[case(
    Some("multipart/form-data; boundary="),
    ErrorCode::MalformedPOSTRequest
)]
#[case(
    Some("multipart/form-data; boundary=\"a"),
    ErrorCode::MalformedPOSTRequest
)]
#[case(
    Some("multipart/form-data; boundary=\"a \""),
    ErrorCode::MalformedPOSTRequest
)]
#[case(
    Some("multipart/form-data; boundary=a; boundary=b"),
    ErrorCode::MalformedPOSTRequest
)]
#[case(
    Some("multipart/form-data; boundary=ą"),
    ErrorCode::MalformedPOSTRequest
)]
fn a_body_that_is_no_form_is_refused(#[case] content_type: Option<&str>, #[case] code: ErrorCode) {
    assert_eq!(boundary(content_type).unwrap_err().code, code);
}

/// Pieces of what a delimiter is made of, so that near misses are common.
fn boundary_like() -> impl Strategy<Value = Vec<u8>> {
    let piece = proptest::sample::select(vec![
        &b"\r\n"[..],
        b"\r",
        b"\n",
        b"--",
        b"-",
        b" ",
        b"b0undary",
        b"b0undar",
        b"\r\n--b0undary",
        b"\r\n--b0undaryX",
        b"\r\n\r\n--b0undar",
        b"data",
    ]);
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn the_reading_does_not_depend_on_the_cuts(
        before in boundary_like(),
        content in boundary_like(),
        cuts in proptest::collection::vec(0_usize..600, 0..8),
    ) {
        let body = [&before[..], b"\r\n", &form(&[("key", "k"), ("policy", "p")], &content)].concat();
        prop_assert_eq!(read_cut(&body, &cuts), read_cut(&body, &[]));
        let bytes: Vec<usize> = (0..body.len()).collect();
        prop_assert_eq!(read_cut(&body, &bytes), read_cut(&body, &[]));
    }

    #[test]
    fn a_file_comes_out_as_it_was_sent(
        content in boundary_like(),
        cuts in proptest::collection::vec(0_usize..600, 0..8),
    ) {
        let delimited = [b"\r\n", &content[..], b"\r\n"].concat();
        prop_assume!(!delimited.windows(12).any(|at| at == b"\r\n--b0undary"));
        let reading = read_cut(&form(&[("key", "k")], &content), &cuts).unwrap();
        prop_assert_eq!(reading.content, content);
    }
}
