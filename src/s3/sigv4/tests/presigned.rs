//! Signatures in the query.
use rstest::rstest;

use super::*;

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
    assert!(week.at("20261130T091814Z").verify().is_err());
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
fn an_expiry_that_is_none_is_refused(#[case] expires: &str, #[case] sentence: &str) {
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
fn a_content_hash_of_a_presigned_url_is_what_was_signed() {
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
    let canonical = canonical_request(&request.head(), &signed, "h", EMPTY);
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
