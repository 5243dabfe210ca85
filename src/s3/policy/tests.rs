use super::*;
use crate::s3::policy::document::Document;
use crate::s3::signature::credential::keys::Keys;
use crate::s3::signature::credential::rules::{Rules, Sigv2};
use crate::s3::signature::credential::scope::Scope;
use crate::s3::signature::credential::scope::{ALGORITHM, Credential, RegionRule, SigningKey};
use crate::s3::values::bucket::BucketName;
use crate::s3::values::error::{ErrorCode, S3Error};
use crate::s3::values::etag::ETag;
use crate::s3::values::key::ObjectKey;
use crate::s3::values::time::{self, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use rstest::rstest;
use secrecy::SecretString;
use std::ops::RangeInclusive;
use std::time::Duration;

mod fuzz;

const SECRET: &str = "secret-key";
const ASKED_AT: &str = "20261123T091810Z";

fn bucket() -> BucketName {
    BucketName::parse("uploads").unwrap()
}
fn credential(region: &str) -> Credential {
    Credential {
        access_key: "access-key".to_owned(),
        scope: Scope {
            day: "20261123".to_owned(),
            region: region.to_owned(),
        },
    }
}
fn signing_key(region: &str) -> SigningKey {
    SigningKey::derive(SECRET, &credential(region).scope)
}
fn asked_at() -> Timestamp {
    time::parse_amz_date(ASKED_AT).unwrap()
}
fn fields<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> FormFields {
    FormFields {
        fields: pairs
            .into_iter()
            .map(|(name, value)| (name.to_lowercase(), value))
            .collect(),
    }
}
fn evaluate(fields: FormFields, file_name: Option<&str>, now: Timestamp) -> Result<Grant, S3Error> {
    let rules = Rules {
        sigv2: Sigv2::On,
        ..Rules::default()
    };
    evaluate_by(&rules, SECRET, fields, file_name, now)
}
fn evaluate_by(
    rules: &Rules,
    secret: &str,
    fields: FormFields,
    file_name: Option<&str>,
    now: Timestamp,
) -> Result<Grant, S3Error> {
    let keys = Keys {
        signing_key: &|credential| Some(SigningKey::derive(secret, &credential.scope)),
        secret: &|access_key| (access_key == "access-key").then(|| SecretString::from(secret)),
    };
    UnverifiedForm::parse(&bucket(), fields, file_name, rules)?.evaluate(&keys, now)
}

/// A form whose policy has these conditions besides those on its own bucket and signing fields.
struct Form {
    expiration: String,
    conditions: Vec<String>,
    posted: Vec<(String, String)>,
    file_name: Option<&'static str>,
}
impl Form {
    fn new(conditions: &[&str], posted: &[(&str, &str)]) -> Self {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        let bucket = r#"{"bucket":"uploads"}"#.to_owned();
        Self {
            expiration: "2026-11-23T10:18:10Z".to_owned(),
            conditions: std::iter::once(bucket)
                .chain(conditions.iter().map(|&text| text.to_owned()))
                .collect(),
            posted: posted.iter().map(owned).collect(),
            file_name: None,
        }
    }
    fn document(&self) -> String {
        format!(
            r#"{{"expiration":"{}","conditions":[{},{{"x-amz-algorithm":"AWS4-HMAC-SHA256"}},["starts-with","$x-amz-credential",""],["eq","$x-amz-date","{ASKED_AT}"]]}}"#,
            self.expiration,
            self.conditions.join(",")
        )
    }
    fn signed(&self) -> FormFields {
        signed(&self.document(), &self.posted)
    }
    fn evaluate(&self) -> Result<Grant, S3Error> {
        evaluate(self.signed(), self.file_name, asked_at())
    }
    fn refusal(&self) -> (ErrorCode, String) {
        let error = self.evaluate().unwrap_err();
        (error.code, error.message.into_owned())
    }
}
/// The posted fields, with those that sign `document`.
fn signed(document: &str, posted: &[(String, String)]) -> FormFields {
    let policy = STANDARD.encode(document);
    let signature = signing_key("").sign(policy.as_bytes());
    let signing = [
        ("x-amz-algorithm", ALGORITHM.to_owned()),
        ("x-amz-credential", credential("").to_string()),
        ("x-amz-date", ASKED_AT.to_owned()),
        ("policy", policy),
        ("x-amz-signature", signature),
    ];
    let posted = posted
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()));
    fields(posted.chain(signing))
}
const ANY_KEY: &str = r#"["starts-with","$key",""]"#;

#[test]
fn the_log_of_a_failed_condition_names_its_field_and_not_its_value() {
    let form = Form::new(
        &[ANY_KEY, r#"["eq","$x-amz-meta-note","a private note"]"#],
        &[("key", "k"), ("x-amz-meta-note", "another private note")],
    );
    let log = form.evaluate().unwrap_err().log.unwrap();
    assert!(log.contains("x-amz-meta-note"), "{log}");
    assert!(!log.contains("private"), "{log}");
    let document = r#"{"expiration":"2026-11-23T10:18:10Z","conditions":"a private note"}"#;
    let refused = evaluate(signed(document, &form.posted), None, asked_at());
    let log = refused.unwrap_err().log.unwrap();
    assert!(!log.contains("private"), "{log}");
}

#[test]
fn the_policy_that_plane_makes_is_granted() {
    let document = r#"{"expiration": "2026-11-23T10:18:10Z", "conditions": [{"bucket": "uploads"}, ["content-length-range", 1, 73], {"Content-Type": "image/png"}, {"key": "52adf0a2f03942aa951902393533d7b9-me.png"}, {"bucket": "uploads"}, {"key": "52adf0a2f03942aa951902393533d7b9-me.png"}, {"x-amz-algorithm": "AWS4-HMAC-SHA256"}, {"x-amz-credential": "access-key/20261123//s3/aws4_request"}, {"x-amz-date": "20261123T091810Z"}]}"#;
    let posted = [
        ("Content-Type", "image/png".to_owned()),
        ("key", "52adf0a2f03942aa951902393533d7b9-me.png".to_owned()),
        ("x-amz-algorithm", ALGORITHM.to_owned()),
        (
            "x-amz-credential",
            "access-key/20261123//s3/aws4_request".to_owned(),
        ),
        ("x-amz-date", ASKED_AT.to_owned()),
        ("policy", STANDARD.encode(document)),
        (
            "x-amz-signature",
            "f22a6edad8f44f502bf8b9e28a66e7fd73540cc0756be1881bca222bc27ad3e5".to_owned(),
        ),
    ];
    let grant = evaluate(fields(posted), Some("me.png"), asked_at()).unwrap();
    assert_eq!(grant.bucket(), &bucket());
    assert_eq!(
        grant.key().as_str(),
        "52adf0a2f03942aa951902393533d7b9-me.png"
    );
    assert_eq!(grant.length(), 1..=73);
    assert_eq!(grant.access_key(), Some("access-key"));
    assert_eq!(grant.success(), &SuccessAnswer::Status(204));
}

fn issued(key: &str, content_type: &str, length: RangeInclusive<u64>) -> PresignedPost {
    PostPolicy {
        bucket: &bucket(),
        key: &ObjectKey::parse(key).unwrap(),
        content_type,
        length,
        now: asked_at(),
        expires_at: asked_at().plus(Duration::from_hours(1)),
        credential: &credential("us-east-1"),
    }
    .sign(&signing_key("us-east-1"))
}

#[test]
fn the_policy_that_is_issued_is_that_of_the_contract() {
    let key = "user-assets/3999b15f-7a97-486e-b06b-d08ce45c00c9/me.png";
    let policy = "eyJleHBpcmF0aW9uIjoiMjAyNi0xMS0yM1QxMDoxODoxMFoiLCJjb25kaXRpb25zIjpbeyJidWNrZXQiOiJ1cGxvYWRzIn0sWyJjb250ZW50LWxlbmd0aC1yYW5nZSIsMSw3M10seyJDb250ZW50LVR5cGUiOiJpbWFnZS9wbmcifSx7ImtleSI6InVzZXItYXNzZXRzLzM5OTliMTVmLTdhOTctNDg2ZS1iMDZiLWQwOGNlNDVjMDBjOS9tZS5wbmcifSx7IngtYW16LWFsZ29yaXRobSI6IkFXUzQtSE1BQy1TSEEyNTYifSx7IngtYW16LWNyZWRlbnRpYWwiOiJhY2Nlc3Mta2V5LzIwMjYxMTIzL3VzLWVhc3QtMS9zMy9hd3M0X3JlcXVlc3QifSx7IngtYW16LWRhdGUiOiIyMDI2MTEyM1QwOTE4MTBaIn1dfQ==";
    let expected = [
        ("Content-Type", "image/png"),
        ("key", key),
        ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
        (
            "x-amz-credential",
            "access-key/20261123/us-east-1/s3/aws4_request",
        ),
        ("x-amz-date", ASKED_AT),
        ("policy", policy),
        (
            "x-amz-signature",
            "a02ac78e479d7bc6b99a1ae370ae9e05c9aa441319cd0b4b1a80e85d05b58f3e",
        ),
    ];
    let post = issued(key, "image/png", 1..=73);
    let shown: Vec<(&str, &str)> = post
        .fields
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    assert_eq!(shown, expected);
}

#[test]
fn an_issued_policy_is_ascii() {
    let post = issued("a/żółw ☕ \"📷\".png", "image/png", 1..=2);
    let document = STANDARD.decode(&post.fields[5].1).unwrap();
    let document = String::from_utf8(document).unwrap();
    assert!(document.contains(r#"{"key":"a/\u017c\u00f3\u0142w \u2615 \"\ud83d\udcf7\".png"}"#));
}

#[rstest]
#[case::eq(&[r#"{"key":"a"}"#], &[("key", "a")])]
#[case::eq_list(&[r#"["eq","$key","a"]"#], &[("key", "a")])]
#[case::prefix(&[r#"["starts-with","$key","a"]"#], &[("key", "ab")])]
#[case::any_case(&[r#"["StArTs-WiTh","$KeY","a"]"#, r#"{"AcL":"private"}"#], &[("kEy", "a"), ("acl", "private")])]
#[case::repeated(&[r#"{"key":"ab"}"#, r#"["starts-with","$key","a"]"#, r#"{"key":"ab"}"#], &[("key", "ab")])]
#[case::empty_prefix_needs_no_field(&[ANY_KEY, r#"["starts-with","$Content-Type",""]"#], &[("key", "a")])]
#[case::types(&[ANY_KEY, r#"["starts-with","$Content-Type","image/"]"#], &[("key", "a"), ("Content-Type", "image/png, image/jpeg")])]
#[case::ignored(&[ANY_KEY], &[("key", "a"), ("x-ignore-foo", "bar")])]
#[case::metadata(&[ANY_KEY, r#"["starts-with","$x-amz-meta-foo","bar"]"#], &[("key", "a"), ("x-amz-meta-foo", "barclamp")])]
#[case::posted_bucket(&[ANY_KEY], &[("key", "a"), ("bucket", "uploads")])]
#[case::escaped(&[r#"["starts-with","$key","\\$foo"]"#], &[("key", "\\$foo.txt")])]
fn a_form_that_meets_its_policy_is_granted(
    #[case] conditions: &[&str],
    #[case] posted: &[(&str, &str)],
) {
    let grant = Form::new(conditions, posted).evaluate().unwrap();
    assert_eq!(grant.length(), 0..=5 << 30);
}

#[rstest]
#[case::eq(&[r#"{"key":"a"}"#], &[("key", "b")], r#"Policy Condition failed: ["eq", "$key", "a"]"#)]
#[case::value_in_exact_case(&[r#"{"key":"a"}"#], &[("key", "A")], r#"Policy Condition failed: ["eq", "$key", "a"]"#)]
#[case::prefix(&[r#"["starts-with","$key","user/"]"#], &[("key", "other/a")], r#"Policy Condition failed: ["starts-with", "$key", "user/"]"#)]
#[case::one_of_several(&[r#"{"key":"a"}"#, r#"{"key":"b"}"#], &[("key", "a")], r#"Policy Condition failed: ["eq", "$key", "b"]"#)]
#[case::field_not_posted(&[ANY_KEY, r#"["starts-with","$x-amz-meta-foo","bar"]"#], &[("key", "a")], r#"Policy Condition failed: ["starts-with", "$x-amz-meta-foo", "bar"]"#)]
#[case::empty_value_not_posted(&[ANY_KEY, r#"["eq","$x-amz-meta-foo",""]"#], &[("key", "a")], r#"Policy Condition failed: ["eq", "$x-amz-meta-foo", ""]"#)]
#[case::empty_value(&[ANY_KEY, r#"["eq","$x-amz-meta-foo",""]"#], &[("key", "a"), ("x-amz-meta-foo", "barclamp")], r#"Policy Condition failed: ["eq", "$x-amz-meta-foo", ""]"#)]
#[case::one_type_of_a_list(&[ANY_KEY, r#"["starts-with","$Content-Type","image/"]"#], &[("key", "a"), ("Content-Type", "image/png,text/html")], r#"Policy Condition failed: ["starts-with", "$content-type", "image/"]"#)]
#[case::other_bucket_posted(&[ANY_KEY], &[("key", "a"), ("bucket", "other")], r#"Policy Condition failed: ["eq", "$bucket", "uploads"]"#)]
#[case::other_bucket_in_policy(&[ANY_KEY, r#"{"bucket":"other"}"#], &[("key", "a"), ("bucket", "other")], r#"Policy Condition failed: ["eq", "$bucket", "uploads"]"#)]
#[case::extra(&[ANY_KEY], &[("key", "a"), ("acl", "private")], "Extra input fields: acl")]
#[case::extra_key(&[], &[("key", "a")], "Extra input fields: key")]
fn a_form_that_misses_its_policy_is_denied(
    #[case] conditions: &[&str],
    #[case] posted: &[(&str, &str)],
    #[case] reason: &str,
) {
    let expected = (
        ErrorCode::AccessDenied,
        format!("Invalid according to Policy: {reason}"),
    );
    assert_eq!(Form::new(conditions, posted).refusal(), expected);
}

#[test]
fn a_policy_that_says_nothing_of_the_bucket_is_denied() {
    let mut form = Form::new(&[ANY_KEY], &[("key", "a")]);
    form.conditions.remove(0);
    let expected = "Invalid according to Policy: Extra input fields: bucket".to_owned();
    assert_eq!(form.refusal(), (ErrorCode::AccessDenied, expected));
}

#[rstest]
#[case("[]")]
#[case("{}")]
#[case("5")]
#[case(r#""eq""#)]
#[case("null")]
#[case(r#"{"acl":"private","key":"a"}"#)]
#[case(r#"{"acl":"private","acl":"private"}"#)]
#[case(r#"{"acl":5}"#)]
#[case(r#"{"acl":["private"]}"#)]
#[case(r#"{"acl":{"a":{}}}"#)]
#[case(r#"["eq","$key"]"#)]
#[case(r#"["eq","$key","a","b"]"#)]
#[case(r#"["eq","key","a"]"#)]
#[case(r#"["eq","$","a"]"#)]
#[case(r#"["eq","$key",5]"#)]
#[case(r#"["in","$key","a"]"#)]
#[case(r#"["content-length-range",0]"#)]
#[case(r#"["content-length-range",-1,0]"#)]
#[case(r#"["content-length-range",0,1.5]"#)]
#[case(r#"["content-length-range",0,99999999999999999999999]"#)]
#[case(r#"["content-length-range","0","x"]"#)]
#[case(r#"["content-length-range","",""]"#)]
#[case(r#"["content-length-range",1,0]"#)]
fn a_malformed_condition_is_refused(#[case] condition: &str) {
    let (code, message) = Form::new(&[ANY_KEY, condition], &[("key", "a")]).refusal();
    assert_eq!(code, ErrorCode::InvalidPolicyDocument, "{message}");
    assert!(message.starts_with("Invalid Policy: "), "{message}");
}

#[rstest]
#[case("")]
#[case("[]")]
#[case("{}")]
#[case("{")]
#[case(r#"{"expiration":"2026-11-23T10:18:10Z"}"#)]
#[case(r#"{"conditions":[]}"#)]
#[case(r#"{"EXPIRATION":"2026-11-23T10:18:10Z","conditions":[]}"#)]
#[case(r#"{"expiration":"2026-11-23T10:18:10Z","CONDITIONS":[]}"#)]
#[case(r#"{"expiration":"2026-11-23T10:18:10Z","conditions":[],"more":1}"#)]
#[case(r#"{"expiration":"2026-11-23T10:18:10Z","conditions":[],"conditions":[]}"#)]
#[case(
    r#"{"expiration":"2026-11-23T10:18:10Z","expiration":"2026-11-23T10:18:10Z","conditions":[]}"#
)]
#[case(r#"{"expiration":"2026-11-23T10:18:10Z","conditions":{}}"#)]
#[case(r#"{"expiration":1,"conditions":[]}"#)]
#[case(r#"{"expiration":"2026-11-23 10:18:10+00:00","conditions":[]}"#)]
#[case(r#"{"expiration":"tomorrow","conditions":[]}"#)]
#[case(r#"{"expiration":"2026-11-23T10:18:10Z","conditions":[]} x"#)]
#[case(&format!("{}{}", "[".repeat(5000), "]".repeat(5000)))]
#[case(&format!(r#"{{"expiration":"2026-11-23T10:18:10Z","conditions":{}{}}}"#, "[".repeat(5000), "]".repeat(5000)))]
fn a_malformed_document_is_refused(#[case] document: &str) {
    let posted = [("key".to_owned(), "a".to_owned())];
    // an empty one would be told that its policy arrived empty
    let fields = signed(&format!("{document} "), &posted);
    let error = evaluate(fields, None, asked_at()).unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidPolicyDocument);
}

#[test]
fn a_policy_that_is_no_base64_is_refused_after_its_signature() {
    let mut fields = Form::new(&[ANY_KEY], &[("key", "a")]).signed();
    set(&mut fields, "policy", "{}");
    set(&mut fields, "x-amz-signature", &signing_key("").sign(b"{}"));
    let error = evaluate(fields.clone(), None, asked_at()).unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidPolicyDocument);
    set(&mut fields, "x-amz-signature", &signing_key("").sign(b"[]"));
    let error = evaluate(fields, None, asked_at()).unwrap_err();
    assert_eq!(error.code, ErrorCode::SignatureDoesNotMatch);
}
fn set(fields: &mut FormFields, name: &str, value: &str) {
    for (posted, old) in &mut fields.fields {
        if posted == name {
            value.clone_into(old);
        }
    }
}

#[test]
fn a_policy_at_or_past_its_expiration_is_refused() {
    let mut form = Form::new(&[ANY_KEY], &[("key", "a")]);
    for (expiration, granted) in [
        ("2026-11-23T09:18:10Z", false),
        ("2026-11-23T09:18:10.000Z", false),
        ("2026-11-23T09:18:09.999Z", false),
        ("2026-11-23T09:18:10.001Z", true),
        ("2026-11-23T09:18:11Z", true),
        ("2006-01-01T00:00:00Z", false),
    ] {
        expiration.clone_into(&mut form.expiration);
        if granted {
            form.evaluate().unwrap();
        } else {
            let expected = "Invalid according to Policy: Policy expired.".to_owned();
            assert_eq!(form.refusal(), (ErrorCode::AccessDenied, expected));
        }
    }
}

#[test]
fn an_old_form_is_good_until_its_policy_expires_and_an_early_one_is_not() {
    let form = Form::new(&[ANY_KEY], &[("key", "a")]);
    let minutes = |count: i64| Timestamp::from_secs(asked_at().as_secs() + count * 60);
    evaluate(form.signed(), None, minutes(59)).unwrap();
    evaluate(form.signed(), None, minutes(-15)).unwrap();
    let error = evaluate(form.signed(), None, minutes(-16)).unwrap_err();
    assert_eq!(error.code, ErrorCode::RequestTimeTooSkewed);
}

#[rstest]
#[case("x-amz-algorithm")]
#[case("x-amz-credential")]
#[case("x-amz-date")]
#[case("x-amz-signature")]
#[case("key")]
fn a_missing_field_is_named(#[case] name: &str) {
    let mut fields = Form::new(&[ANY_KEY], &[("key", "a")]).signed();
    fields.fields.retain(|(posted, _)| posted != name);
    let error = evaluate(fields, None, asked_at()).unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidArgument);
    assert!(error.message.contains(&format!("'{name}'")));
    assert_eq!(error.extras[0], ("ArgumentName", name.to_owned()));
}

#[rstest]
#[case("x-amz-algorithm", "AWS4-HMAC-SHA1")]
#[case("x-amz-credential", "access-key")]
#[case("x-amz-credential", "access-key/20261124//s3/aws4_request")]
#[case("x-amz-credential", "access-key/20261123//ec2/aws4_request")]
#[case("x-amz-date", "2026-11-23T09:18:10Z")]
#[case("x-amz-date", "")]
#[case("x-amz-signature", "")]
#[case("x-amz-signature", "é")]
#[case("x-amz-signature", "abc")]
fn a_malformed_field_is_named(#[case] name: &str, #[case] value: &str) {
    let mut fields = Form::new(&[ANY_KEY], &[("key", "a")]).signed();
    set(&mut fields, name, value);
    let error = evaluate(fields, None, asked_at()).unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidArgument);
    assert_eq!(error.extras[0], ("ArgumentName", name.to_owned()));
}

#[rstest]
#[case::a_policy_that_nobody_signed(&[("key", "a"), ("policy", "e30=")])]
#[case::a_signature_of_no_policy(&[("key", "a"), ("x-amz-signature", "0")])]
#[case::an_old_signature_of_no_policy(&[("key", "a"), ("signature", "0")])]
fn half_a_signature_is_denied(#[case] posted: &[(&str, &str)]) {
    let posted = posted.iter().map(|&(name, value)| (name, value.to_owned()));
    let error = evaluate(fields(posted), None, asked_at()).unwrap_err();
    assert_eq!(error.code, ErrorCode::AccessDenied);
}

#[test]
fn a_form_without_policy_and_signature_is_anonymous() {
    let posted = [
        ("key", "a/${filename}".to_owned()),
        ("acl", "private".to_owned()),
    ];
    let grant = evaluate(fields(posted), Some("me.png"), asked_at()).unwrap();
    assert_eq!(grant.access_key(), None);
    assert_eq!(grant.key().as_str(), "a/me.png");
    assert_eq!(grant.length(), 0..=5 << 30);
}

// ---- Signature Version 2

const OLD_DOCUMENT: &str = r#"{"expiration":"2026-11-23T10:18:10Z","conditions":[{"bucket":"uploads"},["starts-with","$key",""]]}"#;

/// Signed by `secret`, as `tests/clients` and the old SDKs do it.
fn signed_v2(access_key: &str, signature: &str) -> FormFields {
    fields([
        ("key", "a".to_owned()),
        ("AWSAccessKeyId", access_key.to_owned()),
        ("policy", STANDARD.encode(OLD_DOCUMENT)),
        ("signature", signature.to_owned()),
    ])
}
/// HMAC-SHA1 of the base64 of [`OLD_DOCUMENT`] with `secret-key`, by OpenSSL.
const OLD_SIGNATURE: &str = "oZMnNokxJM1+sQD1zKSBq7oa1Ks=";

#[rstest]
#[case(Sigv2::Off, false)]
#[case(Sigv2::Presigned, true)]
#[case(Sigv2::On, true)]
fn a_form_of_version_2_is_granted_where_it_is_accepted(
    #[case] sigv2: Sigv2,
    #[case] accepted: bool,
) {
    let form = signed_v2("access-key", OLD_SIGNATURE);
    let rules = Rules {
        sigv2,
        ..Rules::default()
    };
    match evaluate_by(&rules, SECRET, form, None, asked_at()) {
        Ok(grant) => {
            assert!(accepted);
            assert_eq!(grant.access_key(), Some("access-key"));
        }
        Err(refusal) => {
            assert!(!accepted);
            assert_eq!(refusal.code, ErrorCode::InvalidArgument);
            insta::assert_snapshot!(refusal.message, @"Bucket POST must contain a field named 'x-amz-algorithm'.  If it is specified, please check the order of the fields. Of Signature Version 4 the form lacks 'x-amz-algorithm', 'x-amz-credential', 'x-amz-date', 'x-amz-signature'. Signature Version 2 is not accepted here.");
            insta::assert_snapshot!(refusal.log.unwrap(), @"a form signed by Signature Version 2, which HANGAR_S3_SIGV2=presigned accepts");
        }
    }
}

#[rstest]
#[case::of_version_4(&["x-amz-credential", "x-amz-date"], "x-amz-algorithm", " Of Signature Version 4 the form lacks 'x-amz-algorithm', 'x-amz-signature'.")]
#[case::of_version_2(&["awsaccesskeyid"], "signature", " Of Signature Version 2 the form lacks 'signature'.")]
#[case::of_both(
    &["x-amz-algorithm", "x-amz-credential", "x-amz-date", "signature"],
    "x-amz-signature",
    " Of Signature Version 4 the form lacks 'x-amz-signature'. Of Signature Version 2 the form lacks 'AWSAccessKeyId'."
)]
fn a_form_without_all_signature_fields_names_the_missing_ones_and_the_version(
    #[case] posted: &[&str],
    #[case] argument: &str,
    #[case] lacks: &str,
) {
    let mut form = vec![("key", "a".to_owned()), ("policy", "e30=".to_owned())];
    form.extend(posted.iter().map(|name| (*name, "x".to_owned())));
    let error = evaluate(fields(form), None, asked_at()).unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidArgument);
    assert_eq!(error.extras[0], ("ArgumentName", argument.to_owned()));
    assert!(error.message.ends_with(lacks), "{}", error.message);
}

#[test]
fn a_form_is_signed_by_one_version() {
    let signed = Form::new(&[ANY_KEY], &[("key", "a")]).signed();
    let with = |name: &str| {
        let mut form = signed.clone();
        form.fields.push((name.to_owned(), "x".to_owned()));
        evaluate(form, None, asked_at())
    };
    assert_eq!(
        with("signature").unwrap_err().code,
        ErrorCode::InvalidArgument
    );
    // No part of a signature alone: a form of version 4 may name the key once more.
    with("awsaccesskeyid").unwrap();
}

#[rstest]
#[case::an_unknown_key("other", OLD_SIGNATURE, ErrorCode::InvalidAccessKeyId)]
#[case::another_signature(
    "access-key",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    ErrorCode::SignatureDoesNotMatch
)]
#[case::an_empty_signature("access-key", "", ErrorCode::SignatureDoesNotMatch)]
fn a_form_of_version_2_that_does_not_hold_is_refused(
    #[case] access_key: &str,
    #[case] signature: &str,
    #[case] code: ErrorCode,
) {
    let refused = evaluate(signed_v2(access_key, signature), None, asked_at());
    assert_eq!(refused.unwrap_err().code, code);
}

#[rstest]
#[case("awsaccesskeyid", "AWSAccessKeyId")]
#[case("signature", "signature")]
fn a_missing_field_of_version_2_is_named(#[case] field: &str, #[case] shown: &str) {
    let mut form = signed_v2("access-key", OLD_SIGNATURE);
    form.fields.retain(|(posted, _)| posted != field);
    let error = evaluate(form, None, asked_at()).unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidArgument);
    assert_eq!(error.extras[0], ("ArgumentName", shown.to_owned()));
}

#[rstest]
#[case::no_field(&[])]
#[case::neither_key_nor_policy(&[("x-amz-signature", "0")])]
#[case::all_empty(&[("key", ""), ("policy", ""), ("x-amz-signature", "")])]
#[case::empty_policy(&[("key", "a"), ("policy", ""), ("x-amz-signature", "0")])]
fn the_answer_to_a_mangled_form_names_what_is_missing(#[case] posted: &[(&str, &str)]) {
    let posted = posted.iter().map(|&(name, value)| (name, value.to_owned()));
    let error = evaluate(fields(posted), None, asked_at()).unwrap_err();
    assert_eq!(error.code, ErrorCode::MalformedPOSTRequest);
}

#[test]
fn a_region_that_is_not_taken_is_denied_with_the_one_wanted() {
    let form = Form::new(&[ANY_KEY], &[("key", "a")]).signed();
    let rule = Rules {
        regions: RegionRule {
            configured: "eu-central-1".to_owned(),
        },
        ..Rules::default()
    };
    let mut foreign = form.clone();
    set(
        &mut foreign,
        "x-amz-credential",
        "k/20261123/mars/s3/aws4_request",
    );
    let error = UnverifiedForm::parse(&bucket(), foreign, None, &rule).unwrap_err();
    assert_eq!(error.code, ErrorCode::AccessDenied);
    assert!(error.message.contains("eu-central-1"));
    assert!(UnverifiedForm::parse(&bucket(), form, None, &rule).is_ok());
}

#[test]
fn all_length_ranges_hold_together() {
    let ranges = |ranges: &[&str]| {
        let conditions = [&[ANY_KEY], ranges].concat();
        Form::new(&conditions, &[("key", "a")]).evaluate()
    };
    let first = r#"["content-length-range",1,100]"#;
    let second = r#"["Content-Length-Range","10","200"]"#;
    assert_eq!(ranges(&[first, second]).unwrap().length(), 10..=100);
    let huge = r#"["content-length-range",0,18446744073709551615]"#;
    assert_eq!(ranges(&[huge]).unwrap().length(), 0..=5 << 30);
    let apart = r#"["content-length-range",150,200]"#;
    let error = ranges(&[first, apart]).unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidPolicyDocument);
}

#[rstest]
#[case("${filename}", "me.png", "me.png")]
#[case("a/${filename}", "C:\\dir\\me.png", "a/me.png")]
#[case("a/${filename}/${filename}", "dir/sub/me.png", "a/me.png/me.png")]
#[case("a/${filename}", "${filename}", "a/${filename}")]
#[case("a/${filename}", "dir/", "a/")]
#[case("a/$filename", "me.png", "a/$filename")]
fn the_name_of_the_file_is_put_into_the_key(
    #[case] key: &str,
    #[case] file_name: &'static str,
    #[case] expected: &str,
) {
    let mut form = Form::new(&[ANY_KEY], &[("key", key)]);
    form.file_name = Some(file_name);
    let grant = form.evaluate().unwrap();
    assert_eq!(grant.key().as_str(), expected);
    assert_eq!(grant.fields().get("key"), Some(expected));
}

#[test]
fn conditions_are_checked_after_the_file_name_was_filled_in() {
    let mut form = Form::new(&[r#"{"key":"a/me.png"}"#], &[("key", "a/${filename}")]);
    form.file_name = Some("me.png");
    form.evaluate().unwrap();
    form.file_name = Some("other.png");
    assert_eq!(form.refusal().0, ErrorCode::AccessDenied);
}

#[test]
fn the_sizes_of_key_and_metadata_are_checked_last() {
    let any_metadata = r#"["starts-with","$x-amz-meta-a",""]"#;
    let refusal = |key: &str, metadata: &str| {
        let posted = [("key", key), ("x-amz-meta-a", metadata)];
        Form::new(&[ANY_KEY, any_metadata], &posted)
            .evaluate()
            .err()
            .map(|error| error.code)
    };
    assert_eq!(refusal(&"k".repeat(1024), &"v".repeat(2047)), None);
    assert_eq!(
        refusal("k", &"v".repeat(2048)),
        Some(ErrorCode::MetadataTooLarge)
    );
    assert_eq!(
        refusal(&"k".repeat(1025), ""),
        Some(ErrorCode::KeyTooLongError)
    );
    assert_eq!(refusal("", ""), Some(ErrorCode::InvalidArgument));
    assert_eq!(refusal("a\0", ""), Some(ErrorCode::InvalidObjectName));
    let uncovered = Form::new(&[], &[("key", &"k".repeat(1025))]);
    assert_eq!(uncovered.refusal().0, ErrorCode::AccessDenied);
}

#[rstest]
#[case("x-amz-server-side-encryption", "AES256", ErrorCode::NotImplemented)]
#[case("x-amz-write-offset-bytes", "10", ErrorCode::NotImplemented)]
#[case("content-range", "bytes 0-1/2", ErrorCode::InvalidRequest)]
#[case("if-none-match", "*", ErrorCode::NotImplemented)]
#[case("x-amz-object-lock-mode", "GOVERNANCE", ErrorCode::InvalidRequest)]
#[case("x-amz-expected-bucket-owner", "111122223333", ErrorCode::AccessDenied)]
#[case("x-amz-checksum-sha512", "AAAA", ErrorCode::InvalidRequest)]
fn a_form_that_asks_for_an_unsupported_feature_is_refused(
    #[case] field: &str,
    #[case] value: &str,
    #[case] code: ErrorCode,
) {
    let condition = format!(r#"{{"{field}":"{value}"}}"#);
    let form = Form::new(&[ANY_KEY, &condition], &[("key", "a"), (field, value)]);
    assert_eq!(form.refusal().0, code);
}

#[test]
fn a_checksum_of_an_unknown_algorithm_is_refused_though_no_condition_names_it() {
    let form = Form::new(
        &[ANY_KEY],
        &[("key", "a"), ("x-amz-checksum-sha512", "AAAA")],
    );
    assert_eq!(form.refusal().0, ErrorCode::InvalidRequest);
}

proptest! {
    #[test]
    fn an_issued_policy_is_granted_as_it_was_issued(
        key in "[^\\x00]{1,60}".prop_filter("no variable", |key| !key.contains("${filename}")),
        content_type in "\\PC{1,20}",
        min in 0_u64..1000,
        more in 0_u64..1000,
        later in 0_u64..3600,
    ) {
        let post = issued(&key, &content_type, min..=min + more);
        let now = asked_at().plus(Duration::from_secs(later));
        let grant = evaluate(fields(post.fields), Some("f"), now).unwrap();
        prop_assert_eq!(grant.key().as_str(), key.as_str());
        prop_assert_eq!(grant.length(), min..=min + more);
        prop_assert_eq!(grant.fields().get("content-type"), Some(content_type.as_str()));
    }

    #[test]
    fn changing_any_field_or_the_key_fails(at in 0_usize..7, position in any::<proptest::sample::Index>(), secret in "[a-z]{4}") {
        let post = issued("user-assets/a/me.png", "image/png", 1..=73);
        let posted = fields(post.fields);
        let mut changed = posted.clone();
        let value = &mut changed.fields[at].1;
        let position = position.index(value.len());
        let other = if value.as_bytes()[position] == b'7' { "8" } else { "7" };
        value.replace_range(position..=position, other);
        let refused = evaluate(changed, None, asked_at()).map(drop).unwrap_err();
        let expected: &[ErrorCode] = match at {
            // The content type and the key, by their conditions.
            0 | 1 => &[ErrorCode::AccessDenied],
            // The algorithm.
            2 => &[ErrorCode::InvalidArgument],
            // The credential: not well-formed, of another scope, or of another key.
            3 => &[ErrorCode::InvalidArgument, ErrorCode::SignatureDoesNotMatch, ErrorCode::AccessDenied],
            // The date: none, in the future, or not the one of the policy.
            4 => &[ErrorCode::InvalidArgument, ErrorCode::RequestTimeTooSkewed, ErrorCode::AccessDenied],
            // The policy and its signature.
            _ => &[ErrorCode::SignatureDoesNotMatch],
        };
        prop_assert!(expected.contains(&refused.code), "{} {:?}", at, refused.code);

        let refused = evaluate_by(&Rules::default(), &secret, posted, None, asked_at());
        prop_assert_eq!(refused.unwrap_err().code, ErrorCode::SignatureDoesNotMatch);
    }

    #[test]
    fn any_document_is_read_without_a_panic(document in "[\\[\\]{}\",:a-z$0-9 .eE-]{0,80}") {
        let _ = Document::parse(&STANDARD.encode(document));
    }
}

#[test]
fn a_form_that_asks_for_201_learns_where_its_object_is() {
    let bucket = BucketName::parse("uploads").unwrap();
    let key = ObjectKey::parse("a/b.png").unwrap();
    insta::assert_snapshot!(
        post_response("http://h/uploads/a/b.png", &bucket, &key, &ETag::from_md5([0xab; 16])),
        @r#"<?xml version="1.0" encoding="UTF-8"?><PostResponse><Location>http://h/uploads/a/b.png</Location><Bucket>uploads</Bucket><Key>a/b.png</Key><ETag>&quot;abababababababababababababababab&quot;</ETag></PostResponse>"#
    );
}
