//! Signatures in the query.
use rstest::rstest;

use super::*;
use crate::s3::values::uri::Plus;

fn presigned_for(expires_seconds: u64, extra: &[(&str, &str)]) -> Request {
    let credential = Credential::parse("access-key/20261123//s3/aws4_request").unwrap();
    let key = SigningKey::derive("secret-key", &credential.scope);
    let now = at("20261123T091813Z");
    let query = presign_query(
        "GET",
        "h",
        "/b/k",
        extra,
        &credential,
        &key,
        now,
        expires_seconds,
    );
    Request::new("GET", &format!("/b/k?{query}"), &[("host", "h")])
}

#[test]
fn a_presigned_url_of_no_seconds_has_expired_at_once() {
    let request = presigned_for(0, &[]);
    assert_eq!(
        shown(request.clone().verify()),
        "AccessDenied: Request has expired"
    );
    assert_eq!(
        shown(request.at("20261123T091713Z").verify()),
        "AccessDenied: Request has expired"
    );
}

#[test]
fn a_presigned_url_holds_for_a_week_at_most() {
    let week = presigned_for(604_800, &[]);
    week.clone().at("20261130T091813Z").verify().unwrap();
    assert_eq!(
        shown(week.at("20261130T091814Z").verify()),
        "AccessDenied: Request has expired"
    );
}

#[rstest]
#[case("604801", "less than a week")]
#[case("99999999999999999999999", "less than a week")]
#[case("-1", "non-negative")]
#[case("-7000", "non-negative")]
#[case("", "should be a number")]
#[case("-", "should be a number")]
#[case("1h", "should be a number")]
#[case("%2B5", "should be a number")]
#[case("5.0", "should be a number")]
fn a_malformed_expiry_is_refused(#[case] expires: &str, #[case] sentence: &str) {
    let mut request = plane_presigned();
    request.query = request
        .query
        .replace("Expires=3600", &format!("Expires={expires}"));
    let error = request.parse().unwrap_err();
    assert_eq!(error.code, ErrorCode::AuthorizationQueryParametersError);
    assert!(error.message.contains(sentence), "{}", error.message);
}

#[test]
fn a_presigned_url_dated_far_ahead_is_refused() {
    let request = presigned_for(3600, &[]);
    let ahead = |now| request.clone().at(now).verify();
    ahead("20261123T090313Z").unwrap();
    assert_eq!(
        shown(ahead("20261123T090312Z")),
        "AccessDenied: Request is not valid yet"
    );
}

#[rstest]
fn a_signed_query_must_be_whole(
    #[values(
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Signature"
    )]
    name: &str,
) {
    let mut request = plane_presigned();
    let piece = |query: &str| {
        let mut pieces = query.split('&');
        pieces
            .find(|piece| piece.starts_with(&format!("{name}=")))
            .unwrap()
            .to_owned()
    };
    let piece = piece(&request.query);
    let mut twice = request.clone();
    twice.query = format!("{}&{piece}", twice.query);
    request.query = request.query.replace(&format!("&{piece}"), "");
    assert!(shown(request.parse()).starts_with("AuthorizationQueryParametersError: Query-string"));
    assert!(shown(twice.parse()).contains("given twice"));
}

#[rstest]
#[case(
    "AWS4-HMAC-SHA256",
    "AWS4-HMAC-SHA1",
    "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""
)]
#[case("20261123T091813Z", "2026-11-23", "X-Amz-Date must be in the ISO8601")]
#[case(
    "20261123T091813Z",
    "20261124T091813Z",
    "Invalid credential date \"20261123\""
)]
#[case("%2Fs3%2F", "%2Fec2%2F", "incorrect service \"ec2\"")]
#[case("aws4_request", "aws5_request", "incorrect terminator")]
#[case("access-key%2F", "", "the Credential is mal-formed")]
#[case("SignedHeaders=host", "SignedHeaders=", "X-Amz-SignedHeaders")]
fn a_wrong_parameter_says_what_is_wrong(
    #[case] right: &str,
    #[case] wrong: &str,
    #[case] sentence: &str,
) {
    let mut request = plane_presigned();
    request.query = request.query.replace(right, wrong);
    let error = request.parse().unwrap_err();
    assert_eq!(error.code, ErrorCode::AuthorizationQueryParametersError);
    assert!(error.message.contains(sentence), "{}", error.message);
}

#[test]
fn a_session_token_and_a_content_hash_may_be_parameters() {
    let token = [("X-Amz-Security-Token", "to/ken+=")];
    presigned_for(60, &token).verify().unwrap();
    let unsigned = [("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")];
    presigned_for(60, &unsigned).verify().unwrap();
    let wrong = presigned_for(60, &[("x-amz-content-sha256", "bad")]);
    assert_eq!(wrong.parse().unwrap_err().code, ErrorCode::InvalidArgument);
}

#[test]
fn a_content_hash_of_a_presigned_url_is_the_signed_one() {
    let template = presigned_for(60, &[]);
    let query = template.query.replace(
        "SignedHeaders=host",
        "SignedHeaders=host%3Bx-amz-content-sha256",
    );
    let query = query.split("&X-Amz-Signature").next().unwrap().to_owned();
    let mut request = template.with("x-amz-content-sha256", EMPTY);
    request.query = query;
    let scope = Credential::parse("access-key/20261123//s3/aws4_request")
        .unwrap()
        .scope;
    let signed = SignedHeaders::parse("host;x-amz-content-sha256").unwrap();
    let reading = Reading::default();
    let canonical = canonical_request(&request.head(), &signed, "h", EMPTY, &reading);
    let signature = SigningKey::derive("secret-key", &scope)
        .sign(string_to_sign("20261123T091813Z", &scope, &canonical).as_bytes());
    request.query = format!("{}&X-Amz-Signature={signature}", request.query);
    let verified = request.verify().unwrap();
    assert!(matches!(verified.payload(), Payload::Sha256(sha) if sha == EMPTY));
}

#[rstest]
fn a_signature_of_another_form_does_not_match(#[values("", "x", "%C5%BC")] signature: &str) {
    let mut request = plane_presigned();
    let cut = request.query.rfind('=').unwrap() + 1;
    request.query.replace_range(cut.., signature);
    let error = request.verify().unwrap_err();
    assert_eq!(error.code, ErrorCode::SignatureDoesNotMatch);
}

// ---- Headers in the query

/// Presigned for a PUT: `query` as it is sent, `signed` the headers and values that the client signed.
fn presigned_put(query: &str, signed: &[(&str, &str)]) -> Request {
    let credential = Credential::parse("access-key/20261123//s3/aws4_request").unwrap();
    let mut names = vec!["host"];
    names.extend(signed.iter().map(|(name, _)| *name));
    names.sort_unstable();
    let query = format!(
        "{query}&X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential={}&X-Amz-Date=20261123T091813Z&X-Amz-Expires=60&X-Amz-SignedHeaders={}",
        uri::encode_query(&credential.to_string()),
        uri::encode_query(&names.join(";")),
    );
    let headers: Vec<(String, String)> = signed
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let head = RequestHead {
        method: "PUT",
        raw_path: "/b/k",
        raw_query: &query,
        headers: &headers,
    };
    let names = SignedHeaders::parse(&names.join(";")).unwrap();
    let canonical = canonical_request(&head, &names, "h", "UNSIGNED-PAYLOAD", &Reading::default());
    let signature = SigningKey::derive("secret-key", &credential.scope)
        .sign(string_to_sign("20261123T091813Z", &credential.scope, &canonical).as_bytes());
    let target = format!("/b/k?{query}&X-Amz-Signature={signature}");
    Request::new("PUT", &target, &[("host", "h")])
}

#[rstest]
#[case("x-amz-acl", "private")]
#[case("X-Amz-Meta-Foo", "two%20words")]
#[case(
    "x-amz-checksum-sha256",
    "47DEQpj8HBSa%2B%2FTImW%2B5JCeuQeRkm5NMpJWZG3hSuFU%3D"
)]
fn a_signed_header_that_only_the_query_states_counts_as_sent(
    #[case] name: &str,
    #[case] value: &str,
) {
    let decoded = uri::decode(value).unwrap();
    let lower = name.to_ascii_lowercase();
    let request = presigned_put(
        &format!("{name}={value}"),
        &[(lower.as_str(), decoded.as_str())],
    );
    request.verify().unwrap();
    let headers = signature::presigned_headers(&uri::parse_query(&request.query).unwrap());
    assert_eq!(headers, [(lower, decoded)]);
}

#[rstest]
#[case::another_value("x-amz-acl=private", &[("x-amz-acl", "private")], &[("x-amz-acl", "public-read")], "SignatureDoesNotMatch")]
#[case::another_in_the_query("x-amz-acl=private", &[("x-amz-acl", "other")], &[("x-amz-acl", "other")], "InvalidArgument")]
#[case::not_signed("x-amz-acl=private", &[], &[("x-amz-acl", "private")], "AccessDenied")]
#[case::twice("x-amz-acl=private&X-Amz-Acl=other", &[], &[], "InvalidArgument")]
#[case::another_type("Content-Type=image%2Fpng", &[], &[("content-type", "text/html")], "InvalidArgument")]
#[case::another_signed_type("Content-Type=image%2Fpng", &[("content-type", "text/html")], &[("content-type", "text/html")], "InvalidArgument")]
#[case::a_type_that_was_not_sent("Content-Type=image%2Fpng", &[("content-type", "image/png")], &[], "SignatureDoesNotMatch")]
fn a_header_that_contradicts_the_query_is_refused(
    #[case] query: &str,
    #[case] signed: &[(&str, &str)],
    #[case] sent: &[(&str, &str)],
    #[case] code: &str,
) {
    let mut request = presigned_put(query, signed);
    for (name, value) in sent {
        request = request.with(name, value);
    }
    assert_eq!(request.verify().unwrap_err().code.as_str(), code);
}

#[rstest]
#[case::in_the_query_alone(&[], &[])]
#[case::sent(&[], &[("content-type", "image/png")])]
#[case::signed_and_sent(&[("content-type", "image/png")], &[("content-type", "image/png")])]
fn a_plain_header_in_the_query_is_ignored(
    #[case] signed: &[(&str, &str)],
    #[case] sent: &[(&str, &str)],
) {
    let mut request = presigned_put("Content-Type=image%2Fpng&userId=5&v2", signed);
    for (name, value) in sent {
        request = request.with(name, value);
    }
    request.verify().unwrap();
}

#[test]
fn a_checksum_outside_the_signed_headers_is_ignored() {
    let query = "x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32";
    let request = presigned_put(query, &[]);
    request.verify().unwrap();
    let query = uri::parse_query(&request.query).unwrap();
    assert!(signature::presigned_headers(&query).is_empty());
}

#[test]
fn a_query_that_no_presigned_url_has_states_no_headers() {
    let query = uri::parse_query("x-amz-acl=private&Signature=1").unwrap();
    assert!(signature::presigned_headers(&query).is_empty());
}

#[rstest]
#[case::space("a%20b", "a+b", Plus::Space)]
#[case::plus_sign("a%2Bb", "a+b", Plus::Sign)]
#[case::as_signed("a%2Bb", "a%2Bb", Plus::Space)]
fn a_plus_is_read_as_its_client_signed_it(
    #[case] signed: &str,
    #[case] sent: &str,
    #[case] plus: Plus,
) {
    let mut request = presigned_put(&format!("x-amz-meta-a={signed}"), &[]);
    request.query = request.query.replace(signed, sent);
    assert_eq!(request.verify().unwrap().plus(), plus);
}

#[test]
fn a_space_is_never_taken_for_a_plus_sign() {
    for (signed, sent) in [("a%20b", "a%2Bb"), ("a%2Bb", "a%20b")] {
        let mut request = presigned_put(&format!("x-amz-meta-a={signed}"), &[]);
        request.query = request.query.replace(signed, sent);
        let refusal = request.verify().unwrap_err();
        assert_eq!(refusal.code, ErrorCode::SignatureDoesNotMatch);
    }
}
