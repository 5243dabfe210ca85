//! What is refused, and with which words; the laws of signing. Published examples: `vectors`; the query: `presigned`.
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::s3::signature::credential::scope::ALGORITHM;
use crate::s3::signature::request::head::RequestHead;
use crate::s3::signature::v4::canonical::canonical_request;
use crate::s3::signature::v4::canonical::{Reading, SignedHeaders, string_to_sign};
use crate::s3::signature::v4::claimed_hosts::without_port;
use crate::s3::signature::{self, Keys, Rules, Verified};
use crate::s3::values::error::{ErrorCode, S3Error};
use crate::s3::values::time::{self, Timestamp};
use crate::s3::values::uri;
use secrecy::SecretString;
use std::time::Duration;

mod fuzz;
mod presigned;
mod sdk;
mod vectors;

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const AWS_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// A request as a client sends it.
#[derive(Debug, Clone)]
pub(super) struct Request {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    secret: String,
    now: Timestamp,
    rules: Rules,
}
impl Request {
    pub(super) fn new(method: &str, target: &str, headers: &[(&str, &str)]) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            secret: "secret-key".to_owned(),
            now: at("20261123T091813Z"),
            rules: Rules::default(),
        }
    }

    /// One of AWS's examples: their key, their day.
    pub(super) fn of_aws(method: &str, target: &str, headers: &[(&str, &str)]) -> Self {
        Self {
            secret: AWS_SECRET.to_owned(),
            now: at("20130524T000000Z"),
            ..Self::new(method, target, headers)
        }
    }

    /// An unsigned GET, to be signed by [`Request::sign`].
    fn get(target: &str) -> Self {
        let headers = [
            ("host", "h"),
            ("x-amz-content-sha256", EMPTY),
            ("x-amz-date", "20261123T091813Z"),
        ];
        Self::new("GET", target, &headers)
    }

    fn at(mut self, amz_date: &str) -> Self {
        self.now = at(amz_date);
        self
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(sent, _)| sent != name);
        self
    }

    fn replacing(self, name: &str, value: &str) -> Self {
        self.without(name).with(name, value)
    }

    fn head(&self) -> RequestHead<'_> {
        RequestHead {
            method: &self.method,
            raw_path: &self.path,
            raw_query: &self.query,
            headers: &self.headers,
        }
    }

    /// Signs all headers that are there, as a client would.
    pub(super) fn sign(self) -> Self {
        self.sign_as("access-key/20261123/us-east-1/s3/aws4_request")
    }

    fn sign_as(self, credential: &str) -> Self {
        let head = self.head();
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name.clone()).collect();
        let signed = SignedHeaders::parse(&names.join(";")).unwrap();
        let (host, date) = (self.header("host"), self.header("x-amz-date"));
        let term = self.header("x-amz-content-sha256");
        let canonical = canonical_request(&head, &signed, host, term, &Reading::default());
        let scope = Credential::parse(credential).unwrap().scope;
        let signature = SigningKey::derive(&self.secret, &scope)
            .sign(string_to_sign(date, &scope, &canonical).as_bytes());
        let authorization = format!(
            "{ALGORITHM} Credential={credential}, SignedHeaders={signed}, Signature={signature}"
        );
        self.with("authorization", &authorization)
    }

    fn header(&self, name: &str) -> &str {
        self.head().values(name).next().unwrap_or_default()
    }

    pub(super) fn parse(&self) -> Result<Option<signature::Unverified>, S3Error> {
        signature::parse(&self.head(), &self.rules)
    }

    pub(super) fn verify(&self) -> Result<Verified, S3Error> {
        self.verify_for(&[self.header("host")])
    }

    fn verify_for(&self, hosts: &[&str]) -> Result<Verified, S3Error> {
        let unverified = self.parse()?.expect("the request is signed");
        let keys = Keys {
            signing_key: &|credential| Some(SigningKey::derive(&self.secret, &credential.scope)),
            secret: &|_| Some(SecretString::from(self.secret.as_str())),
        };
        unverified.verify(&self.head(), &keys, self.now, hosts, None)
    }
}

/// Where another region than `us-east-1` is configured.
fn abroad() -> Rules {
    let regions = RegionRule {
        configured: "eu-west-1".to_owned(),
    };
    Rules {
        regions,
        ..Rules::default()
    }
}

fn at(amz_date: &str) -> Timestamp {
    time::parse_amz_date(amz_date).unwrap()
}

/// Code and message, as a reader of the answer sees them.
pub(super) fn shown<T: std::fmt::Debug>(answer: Result<T, S3Error>) -> String {
    let error = answer.expect_err("the request must be refused");
    format!("{:?}: {}", error.code, error.message)
}

fn extra<'a>(error: &'a S3Error, name: &str) -> &'a str {
    let found = error.extras.iter().find(|(extra, _)| *extra == name);
    found.map(|(_, value)| value.as_str()).unwrap_or_default()
}

/// A presigned URL of Plane's, with its empty region.
const PLANE_QUERY: &str = "response-content-disposition=inline%3B%20filename%2A%3DUTF-8%27%27013690e613704906b495358daeb29d42\
    &X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=access-key%2F20261123%2F%2Fs3%2Faws4_request\
    &X-Amz-Date=20261123T091813Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host\
    &X-Amz-Signature=2fe495e8975cea43c6948352b37224c9437d23c2ceb3e9887d0bb88d8ca533a7";
const PLANE_PATH: &str = "/uploads/52adf0a2f03942aa951902393533d7b9-me.png";

fn plane_presigned() -> Request {
    let target = format!("{PLANE_PATH}?{PLANE_QUERY}");
    Request::new("GET", &target, &[("host", "127.0.0.1:8080")])
}

// ---- Which requests are signed

#[rstest]
fn a_request_without_an_s3_signature_is_anonymous(
    #[values("", "Bearer abc", "Basic YTpi", "AWSome x", "\u{7}")] authorization: &str,
) {
    let request = Request::new("GET", "/b/k?X-Amz-Foo=1&Signature=1", &[("host", "h")])
        .with("authorization", authorization);
    assert!(request.parse().unwrap().is_none());
}

#[rstest]
#[case("AWS4-HMAC-SHA256 Credential=a")]
#[case("AWS access:signature")]
fn a_signature_in_both_places_is_refused(#[case] authorization: &str) {
    let both = plane_presigned().with("authorization", authorization);
    let error = both.parse().unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidArgument);
    let twice = Request::get("/")
        .with("authorization", authorization)
        .with("authorization", authorization);
    assert_eq!(twice.parse().unwrap_err().code, ErrorCode::InvalidArgument);
}

#[test]
fn a_token_that_a_client_resent_beside_a_signed_query_is_ignored() {
    let request = plane_presigned()
        .with("authorization", "Bearer plane_api_0")
        .with("x-api-key", "plane_api_0");
    request.verify().unwrap();
}

#[rstest]
#[case("/", "AWS access:signature")]
#[case("/", "AWS")]
#[case("/", "AWS4-ECDSA-P256-SHA256 Credential=a")]
#[case("/?AWSAccessKeyId=a&Signature=b&Expires=1", "")]
fn another_version_of_the_signature_is_named_unsupported(
    #[case] target: &str,
    #[case] authorization: &str,
) {
    let mut request = Request::get(target).with("authorization", authorization);
    request.rules.sigv2 = signature::Sigv2::Off;
    assert_eq!(
        shown(request.parse()),
        "InvalidRequest: The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
    );
}

// ---- The header

#[rstest]
#[case("AWS4-HMAC-SHA256", "three components")]
#[case("AWS4-HMAC-SHA256 Credential=HAHAHA", "three components")]
#[case(
    "AWS4-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=",
    "three components"
)]
#[case("AWS4-HMAC-SHA256 Credential=a,Credential=b", "three components")]
#[case("AWS4-HMAC-SHA256 Foo=a,SignedHeaders=host", "three components")]
#[case(
    "AWS4-HMAC-SHA256 Credential=a/b,SignedHeaders=host,Signature=c",
    "the Credential is mal-formed"
)]
#[case(
    "AWS4-HMAC-SHA256 Credential=a/20261123/r/ec2/aws4_request,SignedHeaders=host,Signature=c",
    "incorrect service \"ec2\""
)]
#[case(
    "AWS4-HMAC-SHA256 Credential=a/20261123/r/s3/aws4_request,SignedHeaders=,Signature=c",
    "SignedHeaders"
)]
#[case(
    "AWS4-HMAC-SHA256 Credential=a/20261122/r/s3/aws4_request,SignedHeaders=host,Signature=c",
    "Invalid credential date \"20261122\""
)]
fn a_malformed_header_says_what_is_wrong(#[case] authorization: &str, #[case] sentence: &str) {
    let request = Request::get("/").with("authorization", authorization);
    let error = request.parse().unwrap_err();
    assert_eq!(error.code, ErrorCode::AuthorizationHeaderMalformed);
    assert!(error.message.contains(sentence), "{}", error.message);
}

#[rstest]
#[case(",")]
#[case(", ")]
#[case(",   ")]
fn any_spacing_after_commas_is_read(#[case] comma: &str) {
    let signed = Request::get("/b/k").sign();
    let spaced = signed.header("authorization").replace(", ", comma);
    signed.replacing("authorization", &spaced).verify().unwrap();
}

#[rstest]
#[case("20261123T093313Z", true)]
#[case("20261123T093314Z", false)]
#[case("20261123T090313Z", true)]
#[case("20261123T090312Z", false)]
fn a_clock_may_be_a_quarter_of_an_hour_off(#[case] now: &str, #[case] holds: bool) {
    let answer = Request::get("/b/k").sign().at(now).verify();
    match answer {
        Ok(_) => assert!(holds),
        Err(error) => {
            assert!(!holds);
            assert_eq!(error.code, ErrorCode::RequestTimeTooSkewed);
            assert_eq!(extra(&error, "MaxAllowedSkewMilliseconds"), "900000");
        }
    }
}

#[rstest]
#[case(Request::get("/").without("x-amz-date"))]
#[case(Request::get("/").replacing("x-amz-date", "Bad Date"))]
#[case(Request::get("/").replacing("x-amz-date", ""))]
fn a_request_without_a_readable_date_is_refused(#[case] request: Request) {
    let request = request.with(
        "authorization",
        "AWS4-HMAC-SHA256 Credential=a/20261123/r/s3/aws4_request,SignedHeaders=host,Signature=c",
    );
    assert_eq!(
        shown(request.parse()),
        "AccessDenied: AWS authentication requires a valid Date or x-amz-date header"
    );
}

#[rstest]
#[case("Mon, 23 Nov 2026 09:18:13 GMT")]
#[case("20261123T091813Z")]
fn the_date_header_dates_a_request_without_x_amz_date(#[case] date: &str) {
    let signed = Request::get("/b/k").with("date", date);
    let scope = "access-key/20261123/us-east-1/s3/aws4_request";
    let request = signed.clone().without("x-amz-date");
    let head = request.head();
    let names = SignedHeaders::parse("date;host;x-amz-content-sha256").unwrap();
    let canonical = canonical_request(&head, &names, "h", EMPTY, &Reading::default());
    let credential = Credential::parse(scope).unwrap();
    let signature = SigningKey::derive("secret-key", &credential.scope)
        .sign(string_to_sign("20261123T091813Z", &credential.scope, &canonical).as_bytes());
    let authorization =
        format!("{ALGORITHM} Credential={scope}, SignedHeaders={names}, Signature={signature}");
    request
        .with("authorization", &authorization)
        .verify()
        .unwrap();
}

#[test]
fn a_header_signature_says_what_the_body_is() {
    for (name, value) in [("content-length", "3"), ("transfer-encoding", "chunked")] {
        let missing = Request::get("/").sign().without("x-amz-content-sha256");
        assert_eq!(
            shown(missing.with(name, value).parse()),
            "InvalidRequest: Missing required header for this request: x-amz-content-sha256"
        );
    }
    for term in [
        "",
        "bad",
        "STREAMING-FOO",
        &EMPTY[1..],
        &EMPTY.replace('e', "g"),
    ] {
        let request = Request::get("/").replacing("x-amz-content-sha256", term);
        let error = request.sign().parse().unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidArgument);
        assert_eq!(extra(&error, "ArgumentName"), "x-amz-content-sha256");
    }
    let unsigned = Request::get("/").replacing("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    let verified = unsigned.sign().verify().unwrap();
    assert!(matches!(verified.payload(), Payload::Unsigned));
    let upper = Request::get("/").replacing("x-amz-content-sha256", &EMPTY.to_uppercase());
    let verified = upper.sign().verify().unwrap();
    assert!(matches!(verified.payload(), Payload::Sha256(sha) if sha == EMPTY));
}

/// As curl 7.88 signs it: the hash is signed and not sent.
#[rstest]
#[case::no_length(None)]
#[case::length_of_nothing(Some("0"))]
fn a_request_without_a_body_need_not_say_its_hash(#[case] length: Option<&str>) {
    let request = Request::get("/b/k").without("x-amz-content-sha256");
    let head = request.head();
    let names = SignedHeaders::parse("host;x-amz-date").unwrap();
    let canonical = canonical_request(&head, &names, "h", EMPTY, &Reading::default());
    let scope = "access-key/20261123/us-east-1/s3/aws4_request";
    let credential = Credential::parse(scope).unwrap();
    let signature = SigningKey::derive("secret-key", &credential.scope)
        .sign(string_to_sign("20261123T091813Z", &credential.scope, &canonical).as_bytes());
    let authorization =
        format!("{ALGORITHM} Credential={scope}, SignedHeaders={names}, Signature={signature}");
    let mut request = request.with("authorization", &authorization);
    if let Some(length) = length {
        request = request.with("content-length", length);
    }
    let verified = request.verify().unwrap();
    assert!(matches!(verified.payload(), Payload::Sha256(sha) if sha == EMPTY));
}

// ---- What the signature must cover

#[rstest]
#[case(Request::get("/").sign().with("x-amz-acl", "public-read"), "x-amz-acl")]
#[case(plane_presigned().with("x-amz-meta-a", "b"), "x-amz-meta-a")]
#[case(
    Request::get("/").without("host").sign().with("host", "h"),
    "host"
)]
fn a_header_that_must_be_signed_and_is_not_is_refused(
    #[case] request: Request,
    #[case] unsigned: &str,
) {
    let error = request.verify().unwrap_err();
    assert_eq!(error.code, ErrorCode::AccessDenied);
    assert_eq!(
        error.message,
        "There were headers present in the request which were not signed"
    );
    assert_eq!(extra(&error, "HeadersNotSigned"), unsigned);
}

#[test]
fn a_mismatch_shows_what_was_signed_and_logs_why() {
    let request = Request::get("/b/k").with("user-agent", "x").sign();
    let dropped = request.without("user-agent");
    let error = dropped.verify().unwrap_err();
    assert_eq!(error.code, ErrorCode::SignatureDoesNotMatch);
    insta::assert_snapshot!(error.message, @"The request signature we calculated does not match the signature you provided. Check your key and signing method. These signed headers are missing from the request as it arrived, perhaps dropped by a proxy: user-agent.");
    insta::assert_snapshot!(error.log.clone().unwrap(), @r#"no signature by "access-key" holds for the hosts ["h"]; the signed headers user-agent are missing"#);
    insta::assert_snapshot!(extra(&error, "CanonicalRequest"), @r"
    GET
    /b/k

    host:h
    user-agent:
    x-amz-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    x-amz-date:20261123T091813Z

    host;user-agent;x-amz-content-sha256;x-amz-date
    e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    ");
    insta::assert_snapshot!(extra(&error, "StringToSign"), @r"
    AWS4-HMAC-SHA256
    20261123T091813Z
    20261123/us-east-1/s3/aws4_request
    e80890c9765b13ce8d6c3aa275436bc45837727a13918d124a91d1fb55587234
    ");
}

#[test]
fn no_log_holds_a_piece_of_a_credential_or_of_a_query() {
    let private = "private";
    let credentials = [
        format!("access-key/{private}/us-east-1/s3/aws4_request"),
        format!("access-key/20261123/us-east-1/{private}/aws4_request"),
        format!("access-key/20261123/us-east-1/s3/{private}"),
        format!("access-key/20261123/{private}/s3/aws4_request"),
    ];
    let rules = abroad();
    for credential in &credentials {
        let authorization =
            format!("{ALGORITHM} Credential={credential}, SignedHeaders=host, Signature=00");
        let headers = [("authorization".to_owned(), authorization)];
        let query = format!(
            "X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential={}&X-Amz-Date=20261123T091810Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00",
            crate::s3::values::uri::encode_query(credential)
        );
        for (raw_query, headers) in [("", &headers[..]), (&query, &[])] {
            let head = RequestHead {
                method: "GET",
                raw_path: "/",
                raw_query,
                headers,
            };
            let log = signature::parse(&head, &rules).unwrap_err().log.unwrap();
            assert!(!log.contains(private), "{log}");
        }
    }
}

// ---- The host

#[test]
fn a_host_that_a_proxy_rewrote_is_found_among_the_candidates() {
    let request = plane_presigned().replacing("host", "hangar:9000");
    let answer = request.verify_for(&["hangar:9000"]);
    assert_eq!(answer.unwrap_err().code, ErrorCode::SignatureDoesNotMatch);
    let answer = request.verify_for(&["hangar:9000", "127.0.0.1", "127.0.0.1:8080"]);
    answer.unwrap();
}

#[test]
fn without_candidates_no_signature_holds() {
    plane_presigned().verify().unwrap();
    let refused = plane_presigned().verify_for(&[]).map(drop).unwrap_err();
    assert_eq!(refused.code, ErrorCode::SignatureDoesNotMatch);
}

#[test]
fn no_more_than_six_hosts_are_tried() {
    let hosts = ["a", "b", "c", "d", "e", "127.0.0.1:8080"];
    plane_presigned().verify_for(&hosts).unwrap();
    let hosts = ["a", "b", "c", "d", "e", "f", "127.0.0.1:8080"];
    let refused = plane_presigned().verify_for(&hosts).map(drop).unwrap_err();
    assert_eq!(refused.code, ErrorCode::SignatureDoesNotMatch);
}

#[test]
fn a_claimed_host_that_would_match_is_logged_and_not_trusted() {
    let request = plane_presigned()
        .replacing("host", "hangar:9000")
        .with("x-forwarded-host", "127.0.0.1:8080");
    let error = request.verify().unwrap_err();
    assert_eq!(error.code, ErrorCode::SignatureDoesNotMatch);
    insta::assert_snapshot!(error.log.unwrap(), @r#"no signature by "access-key" holds for the hosts ["hangar:9000"]; it would hold for "127.0.0.1:8080", which X-Forwarded-Host claims: set HANGAR_PUBLIC_URL to that host, or name the proxy in HANGAR_TRUSTED_PROXIES"#);
}

#[rstest]
#[case::page("referer", "http://127.0.0.1:8080/acme/", "referer")]
#[case::origin("origin", "http://127.0.0.1:8080", "origin")]
#[case::port("x-forwarded-port", "8080", "x-forwarded-port")]
fn a_host_whose_port_a_proxy_dropped_is_logged_with_the_remedy(
    #[case] header: &str,
    #[case] value: &str,
    #[case] named: &str,
) {
    let request = plane_presigned().replacing("host", "127.0.0.1");
    let error = request.clone().with(header, value).verify().unwrap_err();
    assert_eq!(error.code, ErrorCode::SignatureDoesNotMatch);
    assert_eq!(
        error.log.unwrap(),
        format!(
            "no signature by \"access-key\" holds for the hosts [\"127.0.0.1\"]; it would hold for \"127.0.0.1:8080\", which the header {named} names: a proxy changed the Host header. Let it pass the header on with its port (nginx: `proxy_set_header Host $http_host;`), or set HANGAR_PUBLIC_URL to the address with that host"
        )
    );
    assert!(error.message.ends_with("The signature holds for the host \"127.0.0.1:8080\", and the request arrived with the host \"127.0.0.1\": a proxy on the way changed the Host header."));
    // What is claimed is tried for the log alone, and only a host that holds is named.
    let other = request.with(header, &value.replace("8080", "8081"));
    assert!(!other.verify().unwrap_err().message.contains("808"));
}

#[test]
fn a_signature_that_holds_for_no_host_names_both_causes() {
    let error = plane_presigned()
        .replacing("host", "127.0.0.1")
        .verify()
        .unwrap_err();
    insta::assert_snapshot!(error.log.unwrap(), @r#"no signature by "access-key" holds for the hosts ["127.0.0.1"]; either the client signs with another secret key, or a proxy changed the Host header: let it pass the header on with its port (nginx: `proxy_set_header Host $http_host;`), or set HANGAR_PUBLIC_URL to the address that clients use"#);
    insta::assert_snapshot!(error.message, @r#"The request signature we calculated does not match the signature you provided. Check your key and signing method. Or a proxy on the way changed the Host header: the request arrived with the host "127.0.0.1"."#);
}

#[rstest]
#[case("h:80", "h")]
#[case("h", "h")]
#[case("[::1]:80", "[::1]")]
#[case("[::1]", "[::1]")]
fn a_port_is_cut_off_a_host(#[case] host: &str, #[case] name: &str) {
    assert_eq!(without_port(host), name);
}

// ---- The region

#[test]
fn a_region_that_is_not_ours_is_refused_with_ours_in_the_text() {
    let rules = abroad();
    let mut header = Request::get("/b").sign_as("a/20261123/eu-west-2/s3/aws4_request");
    header.rules = rules.clone();
    assert_eq!(
        shown(header.parse()),
        "AuthorizationHeaderMalformed: The authorization header is malformed; the region 'eu-west-2' is wrong; expecting 'eu-west-1'"
    );
    let mut presigned = plane_presigned();
    presigned.query = presigned.query.replace("%2F%2Fs3", "%2Feu-west-2%2Fs3");
    presigned.rules = rules.clone();
    assert_eq!(
        shown(presigned.parse()),
        "AuthorizationQueryParametersError: Error parsing the X-Amz-Credential parameter; the region 'eu-west-2' is wrong; expecting 'eu-west-1'"
    );
    let mut empty = plane_presigned();
    empty.rules = rules;
    empty.verify().unwrap();
}

// ---- Laws

fn target() -> impl Strategy<Value = (String, Vec<(String, String)>)> {
    (
        "[a-z%+ /.ż~?&=#]{0,12}",
        prop::collection::vec(("[a-z +/ż]{1,5}", "[a-z +/ż=&]{0,5}"), 0..4),
    )
}

proptest! {
    #[test]
    fn a_url_presigned_here_verifies_here((key, extra) in target(), expires in 1..=604_800_u64) {
        let credential = Credential::parse("a/b/20261123//s3/aws4_request").unwrap();
        let signing_key = SigningKey::derive("secret-key", &credential.scope);
        let path = uri::encode_path(&format!("/b/{key}"));
        let extra: Vec<_> = extra.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let now = at("20261123T091813Z");
        let query = presign_query("PUT", "h:1", &path, &extra, &credential, &signing_key, now, expires);
        let request = Request::new("PUT", &format!("{path}?{query}"), &[("host", "h:1")]);
        prop_assert!(request.verify().is_ok());
    }

    #[test]
    fn changing_any_signed_part_fails(part in 0..7_usize, index in any::<prop::sample::Index>()) {
        let signed = Request::get("/b/key?prefix=a&acl")
            .with("x-amz-meta-a", "value")
            .sign();
        prop_assert!(signed.verify().is_ok());
        let mut changed = signed.clone();
        let text = match part {
            0 => &mut changed.method,
            1 => &mut changed.path,
            2 => &mut changed.query,
            3 => &mut changed.secret,
            header => &mut changed.headers[[0, 1, 3][header - 4]].1,
        };
        let at = index.index(text.len());
        let other = if text[at..].starts_with('a') { "b" } else { "a" };
        text.replace_range(at..=at, other);
        let refused = changed.verify().map(drop).unwrap_err();
        prop_assert_eq!(refused.code, ErrorCode::SignatureDoesNotMatch);
    }

    #[test]
    fn no_header_makes_the_parser_panic(
        authorization in "(AWS4-HMAC-SHA256 )?((Credential|SignedHeaders|Signature)=[a-z0-9/;,= ]{0,20}, ?){0,4}\\PC{0,20}",
        query in "((X-Amz-(Date|Expires|Signature|Credential|Algorithm|SignedHeaders))=[A-Za-z0-9%/&-]{0,20}&?){0,8}",
    ) {
        let request = Request::get(&format!("/?{query}")).with("authorization", &authorization);
        let _ = request.parse();
    }
}
