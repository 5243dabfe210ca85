//! AWS's published examples, the dates, and what a signature does not let anybody change.
use super::*;
use crate::s3::signature::{self, Keys, Rules, Sigv2, Verified};
use crate::s3::sigv4::SigningKey;
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

#[test]
fn where_it_is_off_it_is_unsupported() {
    for mut request in [puppy(), presigned()] {
        request.sigv2 = Sigv2::Off;
        assert_eq!(request.refusal(), ErrorCode::InvalidRequest);
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
fn an_unknown_key_and_another_signature_are_told_apart() {
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
fn a_date_is_judged_before_the_signature(#[case] date: &str, #[case] code: ErrorCode) {
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
fn what_a_signed_query_covers_cannot_be_added_to(#[case] added: &str) {
    let mut request = presigned();
    request.target.push_str(added);
    assert_eq!(request.refusal(), ErrorCode::SignatureDoesNotMatch);
}

#[test]
fn the_body_of_a_signed_request_is_read_as_its_head_says() {
    let sha256 = "E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let payload = |headers: &[(&str, &str)]| {
        Payload::without_sigv4(&Request::of_aws("PUT", "/b/k", headers).head())
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
    fn what_is_not_signed_by_the_secret_does_not_hold(signature in "[A-Za-z0-9+/]{27}=") {
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
