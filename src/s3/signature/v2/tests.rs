//! AWS's published examples, the dates, and what a signature does not let anybody change.
use super::*;
use crate::s3::signature::credential::scope::SigningKey;
use crate::s3::signature::{self, Keys, Rules, Sigv2, Verified};
use crate::s3::values::uri::Plus;
use proptest::prelude::*;
use rstest::rstest;

const AWS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const AWS_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

#[derive(Debug, Clone)]
struct Request {
    method: &'static str,
    target: String,
    headers: Vec<(String, String)>,
    bucket: Option<&'static str>,
    now: Timestamp,
    sigv2: Sigv2,
}
impl Request {
    /// One of AWS's, sent when its date says.
    fn of_aws(method: &'static str, target: &str, headers: &[(&str, &str)]) -> Self {
        let date = headers.iter().find(|(name, _)| name.ends_with("date"));
        Self {
            method,
            target: target.to_owned(),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            bucket: None,
            now: date.map_or(Timestamp::from_secs(1_175_139_619), |(_, date)| {
                parse_date(date).unwrap()
            }),
            sigv2: Sigv2::On,
        }
    }
    fn at_host_of(mut self, bucket: &'static str) -> Self {
        self.bucket = Some(bucket);
        self
    }
    fn signed(self, signature: &str) -> Self {
        self.with("authorization", &format!("AWS {AWS_KEY}:{signature}"))
    }
    fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(sent, _)| sent != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
    fn head(&self) -> RequestHead<'_> {
        let (raw_path, raw_query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        RequestHead {
            method: self.method,
            raw_path,
            raw_query,
            headers: &self.headers,
        }
    }
    fn verify(&self) -> Result<Verified, S3Error> {
        let rules = Rules {
            sigv2: self.sigv2,
            ..Rules::default()
        };
        let keys = Keys {
            signing_key: &|credential| Some(SigningKey::derive(AWS_SECRET, &credential.scope)),
            secret: &|access_key| (access_key == AWS_KEY).then(|| SecretString::from(AWS_SECRET)),
        };
        let unverified = signature::parse(&self.head(), &rules)?.expect("the request is signed");
        unverified.verify(&self.head(), &keys, self.now, &["h"], self.bucket)
    }
    fn refusal(&self) -> ErrorCode {
        self.verify().expect_err("it must be refused").code
    }
}

fn puppy() -> Request {
    Request::of_aws(
        "GET",
        "/awsexamplebucket1/photos/puppy.jpg",
        &[("date", "Tue, 27 Mar 2007 19:36:42 +0000")],
    )
    .signed("qgk2+6Sv9/oM7G3qLEjTH1a1l1g=")
}

// ---- Published examples: https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html

#[test]
fn awss_get_verifies_by_path_and_by_host() {
    assert_eq!(puppy().verify().unwrap().access_key(), AWS_KEY);
    let mut by_host = puppy().at_host_of("awsexamplebucket1");
    by_host.target = "/photos/puppy.jpg".to_owned();
    let verified = by_host.verify().unwrap();
    assert!(!verified.is_presigned());
    assert!(matches!(verified.payload(), Payload::Unsigned));
}

#[rstest]
#[case::put("PUT", "/photos/puppy.jpg", &[("content-type", "image/jpeg"), ("date", "Tue, 27 Mar 2007 21:15:45 +0000")], "MyyxeRY7whkBe+bq8fHCL/2kKUg=")]
#[case::list("GET", "/?prefix=photos&max-keys=50&marker=puppy", &[("date", "Tue, 27 Mar 2007 19:42:41 +0000")], "htDYFYduRNen8P9ZfE/s9SuKy0U=")]
#[case::acl("GET", "/?acl", &[("date", "Tue, 27 Mar 2007 19:44:46 +0000")], "c2WLPFtWHVgbEmeEG93a4cG37dM=")]
#[case::delete_by_amz_date("DELETE", "/photos/puppy.jpg", &[("date", "Tue, 27 Mar 2007 21:20:27 +0000"), ("x-amz-date", "Tue, 27 Mar 2007 21:20:26 +0000")], "R4dJ53KECjStyBO5iTBJZ4XVOaI=")]
fn awss_requests_to_a_bucket_verify(
    #[case] method: &'static str,
    #[case] target: &str,
    #[case] headers: &[(&str, &str)],
    #[case] signature: &str,
) {
    let request = Request::of_aws(method, target, headers).at_host_of("johnsmith");
    request.signed(signature).verify().unwrap();
}

#[test]
fn awss_upload_with_many_headers_verifies() {
    let headers = [
        ("date", "Tue, 27 Mar 2007 21:06:08 +0000"),
        ("x-amz-acl", "public-read"),
        ("content-type", "application/x-download"),
        ("content-md5", "4gJE4saaMU4BqNR0kLY+lw=="),
        ("x-amz-meta-reviewedby", "joe@example.com"),
        ("x-amz-meta-reviewedby", "jane@example.com"),
        ("x-amz-meta-filechecksum", "0x02661779"),
        ("x-amz-meta-checksumalgorithm", "crc32"),
        ("content-encoding", "gzip"),
        ("content-length", "5913339"),
    ];
    Request::of_aws("PUT", "/static.example.com/db-backup.dat.gz", &headers)
        .signed("jtBQa0Aq+DkULFI8qrpwIjGEx0E=")
        .verify()
        .unwrap();
}

#[test]
fn awss_list_of_buckets_and_a_key_beyond_ascii_verify() {
    let date = [("date", "Wed, 28 Mar 2007 01:29:59 +0000")];
    let buckets = Request::of_aws("GET", "/", &date).signed("qGdzdERIC03wnaRNKh6OqZehG9s=");
    buckets.verify().unwrap();
    let date = [("date", "Wed, 28 Mar 2007 01:49:49 +0000")];
    Request::of_aws("GET", "/dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re", &date)
        .signed("DNEZGsoieTZ92F3bUfSPQcbGmlM=")
        .verify()
        .unwrap();
}

fn presigned() -> Request {
    let query = format!(
        "AWSAccessKeyId={AWS_KEY}&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620"
    );
    let target = format!("/photos/puppy.jpg?{query}");
    Request::of_aws("GET", &target, &[]).at_host_of("johnsmith")
}

#[test]
fn awss_signed_query_verifies_until_it_expires() {
    assert!(presigned().verify().unwrap().is_presigned());
    let mut late = presigned();
    late.now = Timestamp::from_secs(1_175_139_620);
    let refusal = late.verify().unwrap_err();
    assert_eq!(refusal.code, ErrorCode::AccessDenied);
    assert_eq!(refusal.message, "Request has expired");
}

// ---- What is refused

#[rstest]
#[case(Sigv2::Off, false, false)]
#[case(Sigv2::Presigned, false, true)]
#[case(Sigv2::On, true, true)]
fn it_is_accepted_where_the_setting_says(
    #[case] sigv2: Sigv2,
    #[case] in_header: bool,
    #[case] in_query: bool,
) {
    for (mut request, accepted) in [(puppy(), in_header), (presigned(), in_query)] {
        request.sigv2 = sigv2;
        match request.verify() {
            Ok(_) => assert!(accepted),
            Err(refusal) => {
                assert!(!accepted);
                assert_eq!(refusal.code, ErrorCode::InvalidRequest);
            }
        }
    }
}

#[test]
fn two_signatures_are_one_too_many() {
    let mut both = puppy();
    both.target = presigned().target;
    assert_eq!(both.refusal(), ErrorCode::InvalidArgument);
}

#[rstest]
#[case("AWS HAHAHA")]
#[case("AWS")]
#[case("AWS :c2ln")]
#[case("AWS key:")]
fn an_authorization_of_another_form_is_an_invalid_argument(#[case] authorization: &str) {
    let request = puppy().with("authorization", authorization);
    assert_eq!(request.refusal(), ErrorCode::InvalidArgument);
}

#[test]
fn an_unknown_key_and_a_wrong_signature_have_different_errors() {
    let unknown = puppy().with("authorization", "AWS someone:qgk2+6Sv9/oM7G3qLEjTH1a1l1g=");
    assert_eq!(unknown.refusal(), ErrorCode::InvalidAccessKeyId);
    let wrong = puppy().signed("FWeDfwojDSdS2Ztmpfeubhd9isU=").verify();
    let wrong = wrong.unwrap_err();
    assert_eq!(wrong.code, ErrorCode::SignatureDoesNotMatch);
    assert!(
        wrong
            .extras
            .iter()
            .any(|(name, text)| *name == "StringToSign" && text.starts_with("GET\n"))
    );
}

#[rstest]
#[case::no_date("Bad Date", ErrorCode::AccessDenied)]
#[case::empty("", ErrorCode::AccessDenied)]
#[case::before_1970("Tue, 07 Jul 1950 21:53:04 GMT", ErrorCode::AccessDenied)]
#[case::past("Tue, 07 Jul 2006 21:53:04 GMT", ErrorCode::RequestTimeTooSkewed)]
#[case::future("Tue, 07 Jul 2030 21:53:04 GMT", ErrorCode::RequestTimeTooSkewed)]
#[case::far_future("Tue, 07 Jul 9999 21:53:04 GMT", ErrorCode::RequestTimeTooSkewed)]
#[case::today_but_not_signed("Tue, 27 Mar 2007 19:36:42 GMT", ErrorCode::SignatureDoesNotMatch)]
fn a_date_is_checked_before_the_signature(#[case] date: &str, #[case] code: ErrorCode) {
    assert_eq!(puppy().with("x-amz-date", date).refusal(), code);
}

#[test]
fn a_request_without_a_date_is_denied() {
    let mut undated = puppy();
    undated.headers.retain(|(name, _)| name != "date");
    assert_eq!(undated.refusal(), ErrorCode::AccessDenied);
}

#[rstest]
#[case::a_key_alone("?AWSAccessKeyId=a")]
#[case::no_expiry("?AWSAccessKeyId=a&Signature=b")]
#[case::a_date("?AWSAccessKeyId=a&Signature=b&Expires=Tue,+27+Mar+2007")]
#[case::negative("?AWSAccessKeyId=a&Signature=b&Expires=-1")]
#[case::endless("?AWSAccessKeyId=a&Signature=b&Expires=99999999999999999999")]
#[case::twice("?AWSAccessKeyId=a&Signature=b&Expires=1175139620&Expires=1175139620")]
fn a_broken_signed_query_is_denied(#[case] query: &str) {
    let request = Request::of_aws("GET", &format!("/b/k{query}"), &[]);
    assert_eq!(request.refusal(), ErrorCode::AccessDenied);
}

#[rstest]
#[case::another_operation("&acl")]
#[case::one_that_old_clients_do_not_know("&attributes")]
#[case::an_upload("&uploadId=1")]
#[case::another_answer("&response-content-type=text/html")]
#[case::a_header_as_a_parameter("&x-amz-acl=public-read")]
fn a_signed_query_cannot_be_extended(#[case] added: &str) {
    let mut request = presigned();
    request.target.push_str(added);
    assert_eq!(request.refusal(), ErrorCode::SignatureDoesNotMatch);
}

// ---- One string to sign, one meaning

/// A presigned request with a query of its own, signed as a client would.
fn presigned_with(method: &'static str, path: &str, query: &str) -> Request {
    let mut request = Request::of_aws(method, &format!("{path}?{query}"), &[]);
    let signature = {
        let expires = "1175139620";
        let unverified = Unverified {
            access_key: AWS_KEY.to_owned(),
            signature: String::new(),
            place: Place::Query {
                expires_at: Timestamp::from_secs(1_175_139_620),
                signed_date: expires.to_owned(),
            },
        };
        let query = decoded(query, Plus::Space);
        let text = unverified.string_to_sign(&request.head(), &query, path);
        let mut mac = Hmac::<Sha1>::new_from_slice(AWS_SECRET.as_bytes()).unwrap();
        mac.update(text.as_bytes());
        STANDARD.encode(mac.finalize().into_bytes())
    };
    let signature = uri::encode_query(&signature);
    let target = &request.target;
    request.target =
        format!("{target}&AWSAccessKeyId={AWS_KEY}&Expires=1175139620&Signature={signature}");
    request
}

#[rstest]
#[case::another_sub_resource("response-content-disposition=a%26tagging")]
#[case::with_a_value("response-content-disposition=a%26versionId=null")]
#[case::at_its_end("response-content-type=a%26b%26acl")]
#[case::another_override("response-cache-control=a%26response-content-type=text/html")]
#[case::an_operation_that_is_not_built("versionId=null%26website")]
#[case::twice("versionId=null&versionId=null")]
#[case::a_line_break("x-amz-meta-a=1%0Ax-amz-acl:public-read")]
#[case::a_carriage_return("x-amz-meta-a=1%0D")]
#[case::a_name_that_is_a_line("x-amz-meta-a:1%0Ax-amz-meta-b=2")]
#[case::a_name_with_a_value("x-amz-meta-a:b=c")]
#[case::a_header_twice("x-amz-meta-a=1&X-Amz-Meta-A=2")]
fn an_ambiguous_signature_is_refused(#[case] query: &str) {
    let refusal = presigned_with("GET", "/b/k", query).verify().unwrap_err();
    assert_eq!(refusal.code, ErrorCode::InvalidRequest, "{refusal}");
    assert!(refusal.message.contains("Signature Version 4"), "{refusal}");
}

#[rstest]
#[case::an_ampersand("response-content-disposition=attachment;%20filename=%22a%20%26%20b.pdf%22")]
#[case::a_name_that_is_no_sub_resource("response-content-disposition=a%26tag=1%26aclx")]
#[case::equals_signs("response-content-type=a=b=c")]
#[case::a_question_mark("response-content-type=a?acl")]
#[case::a_sub_resource_and_a_version("acl&versionId=null")]
#[case::a_header("x-amz-meta-a=1:2,3")]
#[case::an_ignored_name("userId=5%26acl&v2")]
fn an_unambiguous_signature_holds(#[case] query: &str) {
    presigned_with("GET", "/b/k", query).verify().unwrap();
}

/// All that a request asks for, as the server reads it; names that are ignored left out.
fn meaning(request: &Request) -> String {
    let (path, query) = request.target.split_once('?').unwrap();
    let query = uri::parse_query(query).unwrap();
    let mut said: Vec<String> = query
        .iter()
        .filter(|(name, _)| is_signed(name) || is_amz(name))
        .map(|(name, value)| format!("{}={value}", name.to_ascii_lowercase()))
        .collect();
    said.sort();
    format!("{} {path} {said:?}", request.method)
}

/// Every pair of requests that are made of a few pieces which were chosen to collide.
#[test]
fn no_two_requests_with_one_signature_mean_different_things() {
    const PIECES: [&str; 16] = [
        "",
        "acl",
        "acl=",
        "tagging",
        "versionId=null",
        "versionId=null%26acl",
        "acl=a%26versionId=null",
        "response-content-type=a",
        "response-content-type=a%26tagging",
        "response-content-type=a%26versionId=null",
        "response-cache-control=b%26response-content-type=a",
        "response-cache-control=b",
        "x-amz-meta-a=1",
        "x-amz-meta-a=1%0Ax-amz-meta-b:2",
        "x-amz-meta-b=2",
        "x-amz-meta-a=1,2",
    ];
    let mut meanings: BTreeMap<String, String> = BTreeMap::new();
    let (mut accepted, mut refused) = (0, 0);
    for path in ["/b/k", "/b/k%3Facl", "/b/k%26tagging"] {
        for pieces in PIECES
            .iter()
            .flat_map(|one| PIECES.iter().map(move |two| [one, two]))
        {
            for third in ["", "x-amz-meta-a=2", "tagging", "foo=bar", "list-type=2"] {
                let query = [*pieces[0], *pieces[1], third].join("&");
                let request = presigned_with("GET", path, &query);
                if request.verify().is_err() {
                    refused += 1;
                    continue;
                }
                accepted += 1;
                let (_, signature) = request.target.rsplit_once('=').unwrap();
                let meant = meaning(&request);
                let before = meanings.insert(signature.to_owned(), meant.clone());
                assert!(before.is_none_or(|before| before == meant), "{meant}");
            }
        }
    }
    assert!(accepted > 500 && refused > 500, "{accepted} {refused}");
}

#[test]
fn a_plus_in_a_query_is_read_as_its_client_signed_it() {
    let spaces = presigned_with("GET", "/b/k", "response-content-type=a%20b");
    let mut plus = spaces.clone();
    plus.target = plus.target.replace("a%20b", "a+b");
    assert_eq!(plus.verify().unwrap().plus(), Plus::Space);
    let mut sign = presigned_with("GET", "/b/k", "response-content-type=a%2Bb");
    assert_eq!(sign.verify().unwrap().plus(), Plus::Space);
    sign.target = sign.target.replace("a%2Bb", "a+b");
    assert_eq!(sign.verify().unwrap().plus(), Plus::Sign);
}

#[test]
fn the_hash_of_a_body_binds_where_the_query_states_it_too() {
    const SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let stated = |query: &str| {
        let verified = presigned_with("PUT", "/b/k", query).verify()?;
        Ok::<_, S3Error>(verified.payload().clone())
    };
    for name in ["x-amz-content-sha256", "X-Amz-Content-Sha256"] {
        let payload = stated(&format!("{name}={SHA256}")).unwrap();
        assert!(matches!(payload, Payload::Sha256(hex) if hex == SHA256));
    }
    let refusal = stated("x-amz-content-sha256=md5").unwrap_err();
    assert_eq!(refusal.code, ErrorCode::InvalidArgument);
    let unsigned = stated("x-amz-content-sha256=UNSIGNED-PAYLOAD").unwrap();
    assert!(matches!(unsigned, Payload::Unsigned));
}

#[test]
fn the_path_is_signed_as_it_was_sent() {
    let mut request = presigned_with("GET", "/b/k%61", "v=1");
    request.verify().unwrap();
    request.target = request.target.replace("%61", "a");
    assert_eq!(request.refusal(), ErrorCode::SignatureDoesNotMatch);
}

#[test]
fn the_body_of_a_signed_request_is_read_as_its_head_says() {
    let sha256 = "E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let payload = |headers: &[(&str, &str)]| {
        Payload::without_sigv4(&Request::of_aws("PUT", "/b/k", headers).head(), None)
    };
    let stated = [("x-amz-content-sha256", sha256)];
    assert!(
        matches!(payload(&stated), Ok(Payload::Sha256(hex)) if hex == sha256.to_ascii_lowercase())
    );
    let framed = [
        ("content-encoding", "gzip, aws-chunked"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
        ("x-amz-decoded-content-length", "3"),
    ];
    assert!(matches!(payload(&framed), Ok(Payload::Chunked(_))));
    let signed = [
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        ("x-amz-decoded-content-length", "3"),
    ];
    assert_eq!(
        payload(&signed).unwrap_err().code,
        ErrorCode::InvalidRequest
    );
    let unknown = [("x-amz-content-sha256", "md5")];
    assert_eq!(
        payload(&unknown).unwrap_err().code,
        ErrorCode::InvalidArgument
    );
}

proptest! {
    #[test]
    fn a_signature_by_another_secret_does_not_hold(signature in "[A-Za-z0-9+/]{27}=") {
        prop_assume!(signature != "qgk2+6Sv9/oM7G3qLEjTH1a1l1g=");
        prop_assert_eq!(puppy().signed(&signature).refusal(), ErrorCode::SignatureDoesNotMatch);
    }

    #[test]
    fn nothing_that_a_stranger_sends_panics(
        authorization in "AWS [ -~]{0,40}",
        date in "[ -~]{0,40}",
        query in "[ -~]{0,60}",
    ) {
        let mut request = puppy().with("authorization", &authorization).with("date", &date);
        request.target = format!("/b?{query}&AWSAccessKeyId=a");
        let _ = request.verify();
        request.headers.clear();
        let _ = request.verify();
    }
}
