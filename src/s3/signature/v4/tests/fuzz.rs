use super::*;
use crate::s3::op::Operation;
use crate::s3::signature::Sigv2;
use crate::s3::values::uri::Plus;
use crate::tests::fuzz;

/// Requests whose signatures hold: the seeds.
const SIGNED: [&str; 5] = [
    include_str!("../../../../../tests/fuzz/corpus/s3/signature/v4/header"),
    include_str!("../../../../../tests/fuzz/corpus/s3/signature/v4/presigned"),
    include_str!("../../../../../tests/fuzz/corpus/s3/signature/v4/list"),
    include_str!("../../../../../tests/fuzz/corpus/s3/signature/v4/v2-header"),
    include_str!("../../../../../tests/fuzz/corpus/s3/signature/v4/v2-presigned"),
];

/// `METHOD TARGET`, and a line for each header.
fn read(text: &str) -> Option<Request> {
    let mut lines = text.lines();
    let (method, target) = lines.next()?.split_once(' ')?;
    let headers: Option<Vec<_>> = lines.map(|line| line.split_once(": ")).collect();
    let mut request = Request::new(method, target, &headers?);
    for (name, _) in &mut request.headers {
        name.make_ascii_lowercase();
    }
    request.rules.sigv2 = Sigv2::On;
    Some(request)
}

/// What a request asks for, as far as its version of the signature covers it; `None`: nothing that would be done.
fn meaning(request: &Request, plus: Plus) -> Option<String> {
    let query = uri::parse_query_as(&request.query, plus)?;
    let header = |name: &str| request.head().values(name).next().map(str::to_owned);
    let operation =
        Operation::from_request(&request.method, &request.path, &query, &header, None).ok()?;
    let mut said: Vec<String> = request
        .headers
        .iter()
        .filter(|(name, _)| name.starts_with("x-amz-"))
        .map(|(name, value)| {
            let words: Vec<&str> = value.split_ascii_whitespace().collect();
            format!("{name}={}", words.join(" "))
        })
        .collect();
    let is_v4 = query.iter().any(|(name, _)| name == "X-Amz-Signature")
        || header("authorization").is_some_and(|it| it.starts_with("AWS4-"));
    if is_v4 {
        let parameters = query.iter().filter(|(name, _)| name != "X-Amz-Signature");
        said.extend(parameters.map(|(name, value)| format!("?{name}={value}")));
        said.push(header("host").unwrap_or_default());
    }
    if !is_v4 {
        let parameters = query.iter().filter(|(name, _)| {
            name.starts_with("response-") || name.to_ascii_lowercase().starts_with("x-amz-")
        });
        said.extend(parameters.map(|(name, value)| format!("?{name}={value}")));
    }
    said.sort();
    let name = operation.name().trim_end_matches("V2");
    Some(format!(
        "{name} {:?} {:?} {said:?}",
        operation.bucket(),
        operation.key()
    ))
}

#[test]
fn a_signature_holds_for_nothing_but_what_was_signed() {
    fuzz::check(module_path!(), |input| {
        let Ok(text) = std::str::from_utf8(input) else {
            return;
        };
        let Some(request) = read(text) else {
            return;
        };
        let is_signed = matches!(request.parse(), Ok(Some(_)));
        let verified = is_signed.then(|| request.verify().ok()).flatten();
        assert!(
            verified.is_some() || !SIGNED.contains(&text),
            "a seed must hold: {text}"
        );
        let meant = verified.and_then(|verified| meaning(&request, verified.plus()));
        if let Some(meant) = meant {
            let signed = SIGNED.map(|seed| meaning(&read(seed).unwrap(), Plus::Space).unwrap());
            assert!(signed.contains(&meant), "nobody signed {meant}");
        }
    });
}
