//! What a policy may say, what it then allows, and what is refused when it is set.
use super::*;
use crate::s3::bucket_policy::policy::MAX_BYTES;
use crate::s3::documents::tagging::Tags;
use crate::s3::values::bucket::BucketName;
use crate::s3::values::error::ErrorCode;
use proptest::prelude::*;
use rstest::rstest;

mod fuzz;

fn bucket() -> BucketName {
    BucketName::parse("uploads").unwrap()
}

fn parse(text: &str) -> Result<BucketPolicy, String> {
    BucketPolicy::parse(text, &bucket()).map_err(|error| {
        assert_eq!(error.code, ErrorCode::MalformedPolicy);
        error.message.into_owned()
    })
}

/// A policy of these statements.
fn policy(statements: &str) -> BucketPolicy {
    parse(&format!(
        r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#
    ))
    .unwrap()
}

fn statement(effect: &str, action: &str, resource: &str, condition: &str) -> String {
    format!(
        r#"{{"Effect":"{effect}","Principal":"*","Action":"{action}","Resource":"arn:aws:s3:::{resource}"{condition}}}"#
    )
}

fn asked<'a>(bucket: &'a BucketName, action: Action, key: Option<&'a str>) -> PolicyQuery<'a> {
    PolicyQuery {
        action,
        bucket,
        key,
        source_ip: Some([203, 0, 113, 9].into()),
        secure_transport: false,
        referer: None,
        user_agent: None,
        prefix: None,
        delimiter: None,
        canned_acl: None,
        existing_tags: None,
    }
}

fn decision(policy: &BucketPolicy, action: Action, key: Option<&str>) -> Decision {
    policy.evaluate(&asked(&bucket(), action, key))
}

/// What `mc anonymous set download` writes.
const DOWNLOAD: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Principal":{"AWS":["*"]},"Action":["s3:GetBucketLocation","s3:ListBucket"],"Resource":["arn:aws:s3:::uploads"]},
    {"Effect":"Allow","Principal":{"AWS":["*"]},"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::uploads/*"]}]}"#;

/// What `mc anonymous set public` writes.
const PUBLIC: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Principal":{"AWS":["*"]},"Action":["s3:ListBucketMultipartUploads","s3:GetBucketLocation","s3:ListBucket"],"Resource":["arn:aws:s3:::uploads"]},
    {"Effect":"Allow","Principal":{"AWS":["*"]},"Action":["s3:AbortMultipartUpload","s3:DeleteObject","s3:GetObject","s3:ListMultipartUploadParts","s3:PutObject"],"Resource":["arn:aws:s3:::uploads/*"]}]}"#;

#[test]
fn the_policies_that_mc_sets_allow_what_they_state() {
    let download = parse(DOWNLOAD).unwrap();
    assert!(download.is_public());
    let allowed = Decision::Allowed;
    assert_eq!(decision(&download, Action::GetObject, Some("a/b")), allowed);
    assert_eq!(decision(&download, Action::ListBucket, None), allowed);
    let silent = Decision::Silent;
    assert_eq!(decision(&download, Action::PutObject, Some("a")), silent);
    assert_eq!(decision(&download, Action::GetObject, None), silent);
    let public = parse(PUBLIC).unwrap();
    for action in [Action::PutObject, Action::AbortMultipartUpload] {
        assert_eq!(decision(&public, action, Some("a")), allowed);
    }
    assert_eq!(decision(&public, Action::PutBucketPolicy, None), silent);
}

#[rstest]
#[case::everybody(r#""*""#, true)]
#[case::aws(r#"{"AWS":"*"}"#, true)]
#[case::aws_list(r#"{"AWS":["*"]}"#, true)]
#[case::user(r#"{"AWS":"arn:aws:iam::123456789012:user/ann"}"#, false)]
#[case::tenant(r#"{"AWS":"arn:aws:iam::s3tenant1:root"}"#, false)]
#[case::account(r#"{"AWS":"123456789012"}"#, false)]
fn a_principal_is_everyone_or_has_no_effect(#[case] principal: &str, #[case] everybody: bool) {
    let text = format!(
        r#"{{"Statement":{{"Sid":"x","Effect":"Allow","Principal":{principal},"Action":"s3:GetObject","Resource":"arn:aws:s3:::uploads/*"}}}}"#
    );
    let policy = parse(&text).unwrap();
    assert_eq!(policy.is_public(), everybody);
    let got = decision(&policy, Action::GetObject, Some("k"));
    assert_eq!(got == Decision::Allowed, everybody);
    let denial = parse(&text.replace("Allow", "Deny"));
    match denial {
        Ok(policy) => assert!(everybody, "{policy:?}"),
        Err(refusal) => assert!(
            !everybody && refusal.contains("Invalid principal in policy"),
            "{refusal}"
        ),
    }
}

#[test]
fn a_deny_wins_wherever_it_stands() {
    let allow = statement("Allow", "s3:*", "uploads/*", "");
    let deny = statement("Deny", "s3:Get*", "uploads/secret/*", "");
    for text in [format!("{allow},{deny}"), format!("{deny},{allow}")] {
        let policy = policy(&text);
        let get = |key| decision(&policy, Action::GetObject, Some(key));
        assert_eq!(get("secret/a"), Decision::Denied);
        assert_eq!(get("open/a"), Decision::Allowed);
        let put = decision(&policy, Action::PutObject, Some("secret/a"));
        assert_eq!(put, Decision::Allowed);
    }
}

#[rstest]
#[case("uploads/a*", "abc", true)]
#[case("uploads/a*", "b/a", false)]
#[case("uploads/?.png", "a.png", true)]
#[case("uploads/*.png", "a/b.png", true)]
#[case("uploads*", "any", true)]
#[case("uploads/", "any", false)]
fn a_resource_is_a_pattern_of_keys(#[case] arn: &str, #[case] key: &str, #[case] covered: bool) {
    let policy = policy(&statement("Allow", "s3:getobject", arn, ""));
    let got = decision(&policy, Action::GetObject, Some(key));
    assert_eq!(got == Decision::Allowed, covered);
}

#[rstest]
#[case::network(r#""IpAddress":{"aws:SourceIp":"203.0.113.0/24"}"#, true)]
#[case::any_of_a_list(r#""IpAddress":{"aws:SourceIp":["10.0.0.0/8","203.0.113.9"]}"#, true)]
#[case::another_network(r#""IpAddress":{"aws:SourceIp":"10.0.0.0/8"}"#, false)]
#[case::not_in_it(r#""NotIpAddress":{"aws:sourceip":"203.0.113.0/24"}"#, false)]
#[case::in_none_of_them(r#""NotIpAddress":{"aws:SourceIp":["10.0.0.0/8","::/0"]}"#, true)]
#[case::referer(r#""StringLike":{"aws:Referer":["http://b/*","http://a/*"]}"#, true)]
#[case::referer_in_full(r#""StringEquals":{"aws:Referer":"http://a/x"}"#, true)]
#[case::case_counts(r#""StringEquals":{"aws:Referer":"HTTP://a/x"}"#, false)]
#[case::case_may_not_count(r#""StringEqualsIgnoreCase":{"aws:Referer":"HTTP://a/x"}"#, true)]
#[case::not_like(r#""StringNotLike":{"aws:Referer":"http://a/*"}"#, false)]
#[case::absent(r#""StringLike":{"aws:UserAgent":"*"}"#, false)]
#[case::absent_is_not_equal(r#""StringNotEquals":{"aws:UserAgent":"x"}"#, true)]
#[case::if_exists_and_absent(r#""StringLikeIfExists":{"aws:UserAgent":"x"}"#, true)]
#[case::if_exists_and_there(r#""StringLikeIfExists":{"aws:Referer":"http://b/*"}"#, false)]
#[case::by_tls(r#""Bool":{"aws:SecureTransport":"true"}"#, false)]
#[case::not_by_tls(r#""Bool":{"aws:SecureTransport":false}"#, true)]
#[case::null(r#""Null":{"aws:UserAgent":"true"}"#, true)]
#[case::not_null(r#""Null":{"aws:Referer":"false"}"#, true)]
#[case::both(
    r#""IpAddress":{"aws:SourceIp":"203.0.113.9"},"StringLike":{"aws:Referer":"http://b/*"}"#,
    false
)]
#[case::two_keys(
    r#""StringLike":{"aws:Referer":"http://a/*","aws:UserAgent":"*"}"#,
    false
)]
fn conditions_must_all_hold(#[case] block: &str, #[case] holds: bool) {
    let condition = format!(r#","Condition":{{{block}}}"#);
    let policy = policy(&statement("Allow", "s3:GetObject", "uploads/*", &condition));
    let bucket = bucket();
    let got = policy.evaluate(&PolicyQuery {
        referer: Some("http://a/x"),
        ..asked(&bucket, Action::GetObject, Some("k"))
    });
    assert_eq!(got == Decision::Allowed, holds);
}

/// What Plane's documentation gives for pictures that everybody may see.
/// <https://developers.plane.so/self-hosting/troubleshoot/storage-errors>
const OF_PLANE: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["*"]},
    "Action":["s3:GetObject"],"Resource":["arn:aws:s3:::uploads/*"],
    "Condition":{"StringEquals":{"s3:ExistingObjectTag/publicAccess":["true"]}}}]}"#;

#[test]
fn the_policy_of_planes_documentation_opens_tagged_objects() {
    let policy = parse(OF_PLANE).unwrap();
    let bucket = bucket();
    let read = |tags: Option<&str>, action| {
        let tags = tags.map(Tags::stored);
        policy.evaluate(&PolicyQuery {
            existing_tags: tags.as_ref(),
            ..asked(&bucket, action, Some("k"))
        })
    };
    let get = |tags| read(tags, Action::GetObject);
    assert_eq!(get(Some("publicAccess=true&a=b")), Decision::Allowed);
    for tags in [
        "publicAccess=false",
        "publicaccess=true",
        "publicAccess=",
        "",
    ] {
        assert_eq!(get(Some(tags)), Decision::Silent, "{tags}");
    }
    assert_eq!(get(None), Decision::Silent);
    let tagging = read(Some("publicAccess=true"), Action::GetObjectTagging);
    assert_eq!(tagging, Decision::Silent);
    assert!(policy.looks_at_tags(Action::GetObject));
    assert!(!policy.looks_at_tags(Action::PutObject));
    assert!(policy.looks_at_requests() && policy.is_public());
}

#[rstest]
#[case::equals(
    r#""StringEquals":{"S3:existingObjectTag/k":["a","b"]}"#,
    Some("k=b"),
    true
)]
#[case::equals_another(r#""StringEquals":{"s3:ExistingObjectTag/k":"a"}"#, Some("k=A"), false)]
#[case::ignoring_case(
    r#""StringEqualsIgnoreCase":{"s3:ExistingObjectTag/k":"a"}"#,
    Some("k=A"),
    true
)]
#[case::like(
    r#""StringLike":{"s3:ExistingObjectTag/a b/c":"v*"}"#,
    Some("a%20b%2Fc=v1"),
    true
)]
#[case::not_equals(
    r#""StringNotEquals":{"s3:ExistingObjectTag/k":"a"}"#,
    Some("k=a"),
    false
)]
#[case::not_equals_and_absent(
    r#""StringNotEquals":{"s3:ExistingObjectTag/k":"a"}"#,
    Some(""),
    true
)]
#[case::if_exists_and_absent(
    r#""StringEqualsIfExists":{"s3:ExistingObjectTag/k":"a"}"#,
    None,
    true
)]
#[case::if_exists_and_there(
    r#""StringEqualsIfExists":{"s3:ExistingObjectTag/k":"a"}"#,
    Some("k=b"),
    false
)]
#[case::null(r#""Null":{"s3:ExistingObjectTag/k":"true"}"#, Some("l=b"), true)]
#[case::two_tags(
    r#""StringEquals":{"s3:ExistingObjectTag/k":"a","s3:ExistingObjectTag/l":"b"}"#,
    Some("k=a"),
    false
)]
fn conditions_look_at_the_tags_that_an_object_has(
    #[case] block: &str,
    #[case] tags: Option<&str>,
    #[case] holds: bool,
) {
    let condition = format!(r#","Condition":{{{block}}}"#);
    let tags = tags.map(Tags::stored);
    let bucket = bucket();
    let asked = PolicyQuery {
        existing_tags: tags.as_ref(),
        ..asked(&bucket, Action::GetObject, Some("k"))
    };
    for (effect, decision) in [("Allow", Decision::Allowed), ("Deny", Decision::Denied)] {
        let policy = policy(&statement(effect, "s3:Get*", "uploads/*", &condition));
        assert_eq!(policy.evaluate(&asked) == decision, holds, "{effect}");
    }
}

#[rstest]
#[case("s3:GetObject", true)]
#[case("s3:GetObjectVersion", true)]
#[case("s3:*Tagging", true)]
#[case("s3:*", true)]
#[case("s3:PutObject", false)]
#[case("s3:DeleteObject", false)]
#[case("s3:Delete*", true)]
#[case("s3:List*", false)]
fn a_condition_on_tags_is_for_actions_that_look_at_them(#[case] action: &str, #[case] taken: bool) {
    let condition = r#","Condition":{"StringEquals":{"s3:ExistingObjectTag/k":"v"}}"#;
    let text = statement("Deny", action, "uploads/*", condition);
    let parsed = parse(&format!(r#"{{"Statement":{text}}}"#));
    match parsed {
        Ok(policy) => assert!(taken, "{policy:?}"),
        Err(refusal) => assert!(
            !taken && refusal.starts_with("Conditions do not apply"),
            "{refusal}"
        ),
    }
}

#[test]
fn a_policy_has_an_id_in_either_spelling() {
    for name in ["Id", "ID"] {
        let allow = statement("Allow", "s3:GetObject", "uploads/*", "");
        let text = format!(r#"{{"{name}":"mine","Version":"2012-10-17","Statement":[{allow}]}}"#);
        assert!(parse(&text).unwrap().is_public());
        let refusal = parse(&text.replace(r#""mine""#, "1")).unwrap_err();
        assert_eq!(refusal, format!("Unknown field {name}"));
    }
}

#[test]
fn a_list_may_be_allowed_below_a_prefix() {
    let condition = r#","Condition":{"StringLike":{"s3:prefix":"public/*"}}"#;
    let policy = policy(&statement("Allow", "s3:ListBucket", "uploads", condition));
    let bucket = bucket();
    let list = |prefix| {
        policy.evaluate(&PolicyQuery {
            prefix,
            ..asked(&bucket, Action::ListBucket, None)
        })
    };
    assert_eq!(list(Some("public/a")), Decision::Allowed);
    assert_eq!(list(Some("private/")), Decision::Silent);
    assert_eq!(list(None), Decision::Silent);
}

#[rstest]
#[case("", true)]
#[case(r#","Condition":{"StringLike":{"aws:Referer":"http://a/*"}}"#, true)]
#[case(r#","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/32"}}"#, false)]
#[case(r#","Condition":{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}"#, true)]
#[case(
    r#","Condition":{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/32"}}"#,
    true
)]
fn known_addresses_are_not_the_public(#[case] condition: &str, #[case] public: bool) {
    let allow = statement("Allow", "s3:ListBucket", "uploads", condition);
    assert_eq!(policy(&allow).is_public(), public);
    let deny = statement("Deny", "s3:ListBucket", "uploads", condition);
    assert!(!policy(&deny).is_public());
}

#[rstest]
#[case::no_json("{", "invalid Json")]
#[case::no_object("[]", "must be valid JSON")]
#[case::empty("{}", "Statement")]
#[case::no_statement(r#"{"Version":"2012-10-17","Statement":[]}"#, "Statement")]
#[case::version(r#"{"Version":"2013-10-17","Statement":[]}"#, "version")]
#[case::unknown_name(r#"{"Versions":"2012-10-17","Statement":[]}"#, "Versions")]
#[case::twice(r#"{"Statement":[],"Statement":[]}"#, "twice")]
#[case::text(r#"{"Statement":["x"]}"#, "must be an object")]
fn a_malformed_policy_is_refused(#[case] text: &str, #[case] why: &str) {
    let reason = parse(text).unwrap_err();
    assert!(reason.contains(why), "{reason}");
}

#[rstest]
#[case::no_effect(r#""Effect":"Allow","#, "", "Effect")]
#[case::another_effect("Allow", "allow", "Effect")]
#[case::no_principal(r#""Principal":"*","#, "", "Principal")]
#[case::not_principal(r#""Principal""#, r#""NotPrincipal""#, "NotPrincipal")]
#[case::not_action(r#""Action""#, r#""NotAction""#, "NotAction")]
#[case::not_resource(r#""Resource""#, r#""NotResource""#, "NotResource")]
#[case::somebody(r#""Principal":"*""#, r#""Principal":"ann""#, "principal")]
#[case::a_service(
    r#""Principal":"*""#,
    r#""Principal":{"Service":"x.amazonaws.com"}"#,
    "principal"
)]
#[case::half_a_principal(r#""Principal":"*""#, r#""Principal":{"AWS":"ann*"}"#, "principal")]
#[case::unknown_action("s3:GetObject", "s3:GetObjects", "invalid action")]
#[case::another_service("s3:GetObject", "ec2:Get*", "invalid action")]
#[case::no_service("s3:GetObject", "GetObject", "invalid action")]
#[case::action_of_buckets("s3:GetObject", "s3:ListBucket", "does not apply")]
#[case::another_bucket("uploads/*", "others/*", "invalid resource")]
#[case::longer_bucket("uploads/*", "uploads2/*", "invalid resource")]
#[case::any_bucket("uploads/*", "*", "invalid resource")]
#[case::no_arn("arn:aws:s3:::uploads/*", "*", "invalid resource")]
#[case::variable("uploads/*", "uploads/${aws:username}/*", "variables")]
#[case::empty_action(r#""s3:GetObject""#, "[]", "invalid action")]
#[case::number(r#""s3:GetObject""#, "1", "invalid action")]
#[case::unknown_name(r#""Sid""#, r#""sid""#, "Unknown field sid")]
fn a_policy_that_cannot_be_evaluated_is_refused(
    #[case] valid: &str,
    #[case] invalid: &str,
    #[case] why: &str,
) {
    let statement = r#"{"Sid":"x","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::uploads/*"}"#;
    assert!(statement.contains(valid));
    policy(statement);
    let text = format!(
        r#"{{"Statement":{}}}"#,
        statement.replacen(valid, invalid, 1)
    );
    let reason = parse(&text).unwrap_err();
    assert!(reason.contains(why), "{reason}");
}

#[rstest]
#[case::unknown_operator(r#"{"StringMatches":{"aws:Referer":"a"}}"#)]
#[case::unknown_key(r#"{"StringEquals":{"aws:username":"a"}}"#)]
#[case::tag_without_a_key(r#"{"StringEquals":{"s3:ExistingObjectTag/":"a"}}"#)]
#[case::tags_of_the_request(r#"{"StringEquals":{"s3:RequestObjectTag/k":"a"}}"#)]
#[case::address_of_a_tag(r#"{"IpAddress":{"s3:ExistingObjectTag/k":"10.0.0.1"}}"#)]
#[case::operator_of_another_key(r#"{"IpAddress":{"aws:Referer":"10.0.0.1"}}"#)]
#[case::text_of_an_address(r#"{"StringEquals":{"aws:SourceIp":"10.0.0.1"}}"#)]
#[case::no_network(r#"{"IpAddress":{"aws:SourceIp":"10.0.0.0/33"}}"#)]
#[case::no_truth(r#"{"Bool":{"aws:SecureTransport":"perhaps"}}"#)]
#[case::negated_twice(r#"{"StringNotNotEquals":{"aws:Referer":"a"}}"#)]
#[case::not_bool(r#"{"NotBool":{"aws:SecureTransport":"true"}}"#)]
#[case::for_all(r#"{"ForAllValues:StringEquals":{"aws:Referer":"a"}}"#)]
#[case::variable(r#"{"StringEquals":{"aws:Referer":"${aws:username}"}}"#)]
#[case::number(r#"{"NumericLessThan":{"s3:max-keys":"10"}}"#)]
#[case::no_values(r#"{"StringEquals":{"aws:Referer":[]}}"#)]
#[case::list("[]")]
#[case::text(r#"{"StringEquals":"a"}"#)]
fn a_condition_that_cannot_be_evaluated_is_refused(#[case] block: &str) {
    let condition = format!(r#","Condition":{block}"#);
    let statement = statement("Allow", "s3:GetObject", "uploads/*", &condition);
    parse(&format!(r#"{{"Statement":{statement}}}"#)).unwrap_err();
}

#[test]
fn a_policy_over_20_kb_or_nested_without_end_is_refused() {
    let statement = statement("Allow", "s3:GetObject", "uploads/*", "");
    let padded = |spaces| format!(r#"{{"Statement":{statement}{}}}"#, " ".repeat(spaces));
    assert!(parse(&padded(0)).is_ok());
    assert!(parse(&padded(MAX_BYTES)).unwrap_err().contains("size"));
    parse(&format!(r#"{{"Statement":{}"#, "[".repeat(5000))).unwrap_err();
}

#[test]
fn the_reason_for_a_refused_policy_reaches_the_client_and_not_the_log() {
    let text = r#"{"Statement":[],"private note":1}"#;
    let error = BucketPolicy::parse(text, &bucket()).unwrap_err();
    assert!(!error.log.unwrap().contains("private"));
}

#[test]
fn an_action_that_nothing_here_needs_may_be_named() {
    let statements = statement("Allow", "s3:GetObjectVersion", "uploads/*", "");
    assert!(!policy(&statements).may_allow(Action::GetObject));
    assert!(policy(&statement("Allow", "s3:*", "uploads/*", "")).may_allow(Action::DeleteObject));
    assert!(!policy(&statement("Deny", "s3:*", "uploads/*", "")).may_allow(Action::DeleteObject));
}

#[test]
fn settings_of_a_bucket_are_never_public() {
    for action in Action::ALL {
        let is_of_the_bucket =
            action.level() != Level::Object && !action.name().starts_with("List");
        if is_of_the_bucket && *action != Action::GetBucketLocation {
            assert!(!action.is_open_to_anybody(), "{action:?}");
        }
        assert!(!(action.is_owners() && action.is_open_to_anybody()));
    }
}

proptest! {
    #[test]
    fn any_text_is_checked_without_a_panic(text in "[\\[\\]{}\",:a-zA-Z*$0-9 ./]{0,200}") {
        let _ = BucketPolicy::parse(&text, &bucket());
    }

    #[test]
    fn adding_a_deny_never_allows_more(
        allowed in "[a-c/*?]{0,4}", denied in "[a-c/*?]{0,4}", key in "[a-c/]{1,5}",
    ) {
        let allow = statement("Allow", "s3:GetObject", &format!("uploads/{allowed}"), "");
        let deny = statement("Deny", "s3:GetObject", &format!("uploads/{denied}"), "");
        let before = decision(&policy(&allow), Action::GetObject, Some(&key));
        let denial = decision(&policy(&deny), Action::GetObject, Some(&key));
        let after = decision(&policy(&format!("{allow},{deny}")), Action::GetObject, Some(&key));
        prop_assert_eq!(after, if denial == Decision::Denied { denial } else { before });
    }

    #[test]
    fn no_policy_of_one_bucket_speaks_of_another(key in "[a-z/]{1,8}", other in "[a-z]{3,9}") {
        prop_assume!(other != "uploads");
        let policy = policy(&statement("Allow", "s3:*", "uploads*", ""));
        let other = BucketName::parse(&other).unwrap();
        let asked = asked(&other, Action::GetObject, Some(&key));
        // Names that the pattern covers as well are kept apart by whose policy is asked.
        prop_assume!(!other.as_str().starts_with("uploads"));
        prop_assert_eq!(policy.evaluate(&asked), Decision::Silent);
    }
}
