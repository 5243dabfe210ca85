use super::*;
use proptest::prelude::*;
use rstest::rstest;

fn ask(method: &str, target: &str) -> Result<Operation, S3Error> {
    ask_with(method, target, &[], None)
}
fn ask_with(
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    virtual_bucket: Option<&str>,
) -> Result<Operation, S3Error> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = uri::parse_query(query).unwrap();
    let header = |name: &str| {
        headers
            .iter()
            .find(|(sent, _)| *sent == name)
            .map(|(_, value)| (*value).to_owned())
    };
    Operation::from_request(method, path, &query, &header, virtual_bucket)
}
fn refusal(method: &str, target: &str) -> (ErrorCode, String) {
    let error = ask(method, target).unwrap_err();
    (error.code, error.message.into_owned())
}

#[rstest]
#[case("GET", "/", "ListBuckets", None, None)]
#[case("GET", "/?x-id=ListBuckets&max-buckets=3", "ListBuckets", None, None)]
#[case("HEAD", "/", "ListBuckets", None, None)]
#[case("PUT", "/uploads", "CreateBucket", Some("uploads"), None)]
#[case("PUT", "/uploads/", "CreateBucket", Some("uploads"), None)]
#[case("HEAD", "/uploads", "HeadBucket", Some("uploads"), None)]
#[case(
    "GET",
    "/uploads?list-type=2&prefix=a&delimiter=%2F",
    "ListObjectsV2",
    Some("uploads"),
    None
)]
#[case(
    "GET",
    "/uploads/?metadata=true&list-type=2",
    "ListObjectsV2",
    Some("uploads"),
    None
)]
#[case("POST", "/uploads", "PostObject", Some("uploads"), None)]
#[case("POST", "/uploads/", "PostObject", Some("uploads"), None)]
#[case("GET", "/uploads/a", "GetObject", Some("uploads"), Some("a"))]
#[case("HEAD", "/uploads/a/", "HeadObject", Some("uploads"), Some("a/"))]
#[case("PUT", "/uploads/a//b", "PutObject", Some("uploads"), Some("a//b"))]
#[case("PUT", "/uploads//a", "PutObject", Some("uploads"), Some("/a"))]
#[case("PUT", "/uploads/../x", "PutObject", Some("uploads"), Some("../x"))]
#[case(
    "PUT",
    "/uploads/%2E%2E/%252F+",
    "PutObject",
    Some("uploads"),
    Some("../%2F+")
)]
#[case(
    "DELETE",
    "/uploads/%C5%BC%20",
    "DeleteObject",
    Some("uploads"),
    Some("ż ")
)]
#[case(
    "PUT",
    "/uploads/a?x-id=PutObject",
    "PutObject",
    Some("uploads"),
    Some("a")
)]
#[case("GET", "/uploads/a?v=123", "GetObject", Some("uploads"), Some("a"))]
#[case(
    "GET",
    "/uploads/a?versionId=null",
    "GetObject",
    Some("uploads"),
    Some("a")
)]
#[case(
    "GET",
    "/uploads/a?response-content-disposition=inline&X-Amz-Algorithm=x&X-Amz-Signature=0",
    "GetObject",
    Some("uploads"),
    Some("a")
)]
#[case(
    "GET",
    "/uploads/a?AWSAccessKeyId=a&Signature=b&Expires=1",
    "GetObject",
    Some("uploads"),
    Some("a")
)]
#[case("GET", "/uploads", "ListObjects", Some("uploads"), None)]
#[case(
    "GET",
    "/uploads?prefix=a&marker=b",
    "ListObjects",
    Some("uploads"),
    None
)]
#[case(
    "GET",
    "/uploads?versions",
    "ListObjectVersions",
    Some("uploads"),
    None
)]
#[case("GET", "/uploads?acl", "GetBucketAcl", Some("uploads"), None)]
#[case("GET", "/uploads?acl=", "GetBucketAcl", Some("uploads"), None)]
#[case("PUT", "/uploads?policy", "PutBucketPolicy", Some("uploads"), None)]
#[case("POST", "/uploads?delete", "DeleteObjects", Some("uploads"), None)]
#[case("DELETE", "/uploads", "DeleteBucket", Some("uploads"), None)]
#[case("GET", "/uploads/a?acl", "GetObjectAcl", Some("uploads"), Some("a"))]
#[case(
    "GET",
    "/uploads/a?uploadId=1&max-parts=2",
    "ListParts",
    Some("uploads"),
    Some("a")
)]
#[case(
    "PUT",
    "/uploads/a?uploadId=1&partNumber=2",
    "UploadPart",
    Some("uploads"),
    Some("a")
)]
#[case(
    "POST",
    "/uploads/a?uploads",
    "CreateMultipartUpload",
    Some("uploads"),
    Some("a")
)]
#[case(
    "POST",
    "/uploads/a?uploads=",
    "CreateMultipartUpload",
    Some("uploads"),
    Some("a")
)]
#[case(
    "GET",
    "/uploads/a?partNumber=1",
    "GetObject",
    Some("uploads"),
    Some("a")
)]
#[case(
    "GET",
    "/uploads/a?attributes",
    "GetObjectAttributes",
    Some("uploads"),
    Some("a")
)]
#[case("OPTIONS", "/uploads/a", "Preflight", Some("uploads"), None)]
#[case("OPTIONS", "/", "Preflight", None, None)]
#[case("OPTIONS", "/UP/a", "Preflight", None, None)]
fn a_request_is_named(
    #[case] method: &str,
    #[case] target: &str,
    #[case] name: &str,
    #[case] bucket: Option<&str>,
    #[case] key: Option<&str>,
) {
    let operation = ask(method, target).unwrap();
    assert_eq!(operation.name(), name);
    assert_eq!(operation.bucket().map(BucketName::as_str), bucket);
    assert_eq!(operation.key().map(ObjectKey::as_str), key);
}

#[rstest]
#[case("GET", "/uploads?inventory&id=3", "GetBucketInventoryConfiguration")]
#[case("POST", "/uploads/a?select&select-type=2", "SelectObjectContent")]
#[case("PUT", "/uploads/a?annotation&annotationName=n", "PutObjectAnnotation")]
#[case("PUT", "/uploads/a?append&position=0", "AppendObject")]
#[case("PUT", "/uploads?abac", "PutBucketAbac")]
#[case("GET", "/uploads?replication-metrics=2", "GetBucketReplicationMetrics")]
#[case("GET", "/?events=s3:ObjectCreated", "ListenNotification")]
fn an_operation_that_is_not_served_is_refused_by_its_name(
    #[case] method: &str,
    #[case] target: &str,
    #[case] name: &str,
) {
    let expected = format!("The operation {name} is not implemented.");
    assert_eq!(
        refusal(method, target),
        (ErrorCode::NotImplemented, expected)
    );
}

#[rstest]
fn any_other_name_is_ignored_with_a_value_and_bare_on_every_method(
    #[values(
        "v=2",
        "v2",
        "1421925028",
        "t=",
        "a&b",
        "userId=5",
        "Content-Type=image/png",
        "content-md5=x",
        "newFeature",
        "ACL",
        "id=3",
        "x-id=PutObject",
        "x-amz-acl=private",
        "=",
        "prefix=a"
    )]
    name: &str,
    #[values(
        "GET /",
        "GET /uploads",
        "HEAD /uploads",
        "PUT /uploads",
        "POST /uploads",
        "DELETE /uploads",
        "POST /uploads?delete",
        "GET /uploads?list-type=2",
        "GET /uploads/a",
        "HEAD /uploads/a",
        "PUT /uploads/a",
        "DELETE /uploads/a",
        "POST /uploads/a?uploads",
        "PUT /uploads/a?partNumber=1&uploadId=2",
        "GET /uploads/a?acl"
    )]
    request: &str,
) {
    let (method, target) = request.split_once(' ').unwrap();
    let joint = if target.contains('?') { '&' } else { '?' };
    let plain = ask(method, target).unwrap();
    assert_eq!(
        ask(method, &format!("{target}{joint}{name}")).unwrap(),
        plain
    );
}

#[rstest]
fn a_sub_resource_that_is_not_built_or_does_not_belong_there_is_refused(
    #[values("GET", "HEAD", "PUT", "POST", "DELETE")] method: &str,
    #[values("/", "/uploads", "/uploads/a")] path: &str,
) {
    let of_buckets = BUCKET.iter().flat_map(|row| row.selectors);
    let of_objects = OBJECT.iter().flat_map(|row| row.selectors);
    for name in of_buckets
        .chain(of_objects)
        .filter(|name| **name != COPY_SOURCE)
    {
        let whole = ask(method, path).map(|operation| operation.name().to_owned());
        match ask(method, &format!("{path}?{name}=2")) {
            // Only a part of an object is read under the name of the whole.
            Ok(operation) if operation.name() == whole.clone().unwrap_or_default() => {
                assert_eq!((*name, path), ("partNumber", "/uploads/a"), "{method}");
                assert!(matches!(method, "GET" | "HEAD"));
            }
            Ok(_) => {}
            Err(refusal) => assert!(
                matches!(
                    refusal.code,
                    ErrorCode::NotImplemented | ErrorCode::MethodNotAllowed
                ),
                "{method} {path}?{name}: {refusal}"
            ),
        }
    }
}

#[rstest]
#[case("GET", "/uploads/a?acl&tagging", ErrorCode::InvalidArgument)]
#[case("GET", "/uploads?acl&list-type=2", ErrorCode::InvalidArgument)]
#[case("GET", "/uploads?list-type=1", ErrorCode::InvalidArgument)]
#[case("DELETE", "/uploads?location", ErrorCode::MethodNotAllowed)]
#[case("GET", "/uploads/a?location", ErrorCode::MethodNotAllowed)]
#[case("PUT", "/uploads/a?partNumber=1", ErrorCode::MethodNotAllowed)]
#[case("PUT", "/uploads/a?uploadId=1", ErrorCode::MethodNotAllowed)]
#[case("PUT", "/uploads/a?uploads", ErrorCode::MethodNotAllowed)]
#[case("DELETE", "/uploads/a?acl", ErrorCode::MethodNotAllowed)]
#[case("DELETE", "/uploads/a?policy", ErrorCode::MethodNotAllowed)]
#[case("DELETE", "/uploads/?versionId=null", ErrorCode::InvalidArgument)]
#[case("PUT", "/uploads?versionId=null", ErrorCode::InvalidArgument)]
#[case("DELETE", "/uploads/a?annotation&tagging", ErrorCode::InvalidArgument)]
#[case("POST", "/uploads/a", ErrorCode::MethodNotAllowed)]
#[case("PUT", "/", ErrorCode::MethodNotAllowed)]
#[case("PATCH", "/uploads/a", ErrorCode::MethodNotAllowed)]
#[case("GET", "/uploads/a?versionId=abc", ErrorCode::NoSuchVersion)]
#[case("GET", "/uploads/a?versionId=", ErrorCode::InvalidArgument)]
#[case("GET", "/UPLOADS/a", ErrorCode::InvalidBucketName)]
#[case("GET", "//a", ErrorCode::InvalidBucketName)]
#[case("PUT", "/api", ErrorCode::InvalidBucketName)]
#[case("PUT", "/192.168.1.1", ErrorCode::InvalidBucketName)]
#[case("GET", "/uploads/%00", ErrorCode::InvalidObjectName)]
#[case("GET", "/uploads/%zz", ErrorCode::InvalidURI)]
#[case("GET", "/uploads/%ff", ErrorCode::InvalidURI)]
fn a_request_that_means_nothing_is_refused(
    #[case] method: &str,
    #[case] target: &str,
    #[case] code: ErrorCode,
) {
    assert_eq!(refusal(method, target).0, code);
}

#[test]
fn a_key_over_1024_bytes_is_too_long() {
    let fits = format!("/uploads/{}", "%C4%85".repeat(512));
    assert!(ask("PUT", &fits).is_ok());
    let long = format!("/uploads/{}", "%C4%85".repeat(513));
    assert_eq!(refusal("PUT", &long).0, ErrorCode::KeyTooLongError);
}

#[test]
fn a_copy_is_never_taken_for_an_upload() {
    let source = [("x-amz-copy-source", "/uploads/b")];
    let named = |target| ask_with("PUT", target, &source, None).unwrap().name();
    assert_eq!(named("/uploads/a"), "CopyObject");
    assert_eq!(
        named("/uploads/a?partNumber=1&uploadId=2"),
        "UploadPartCopy"
    );
    assert!(ask_with("GET", "/uploads/a", &source, None).is_ok());
}

#[test]
fn get_and_head_only_read() {
    for name in [
        "ListBuckets",
        "GetObject",
        "HeadObject",
        "ListParts",
        "GetBucketAcl",
    ] {
        assert!(only_reads(name), "{name}");
    }
    for name in [
        "PutObject",
        POST_OBJECT,
        "DeleteObjects",
        "CopyObject",
        "DeleteBucket",
    ] {
        assert!(!only_reads(name), "{name}");
    }
}

#[test]
fn the_whole_path_of_a_virtual_host_is_the_key() {
    let ask = |method, path| ask_with(method, path, &[], Some("uploads")).unwrap();
    let bucket = BucketName::parse("uploads").unwrap();
    let key = |text| ObjectKey::parse(text).unwrap();
    assert_eq!(
        ask("HEAD", "/"),
        Operation::OnBucket(BucketOperation::Head, bucket.clone())
    );
    assert_eq!(
        ask("GET", "/api/x"),
        Operation::OnObject(ObjectOperation::Get, bucket.clone(), key("api/x"))
    );
    assert_eq!(
        ask("GET", "//"),
        Operation::OnObject(ObjectOperation::Get, bucket, key("/"))
    );
}

#[test]
fn no_two_lines_of_a_table_select_the_same() {
    fn selections<Maker>(table: &[Row<Maker>]) -> Vec<String> {
        table
            .iter()
            .map(|row| {
                let mut selectors = row.selectors.to_vec();
                selectors.sort_unstable();
                format!("{} {selectors:?}", row.method)
            })
            .collect()
    }
    for mut lines in [selections(SERVICE), selections(BUCKET), selections(OBJECT)] {
        lines.sort();
        let count = lines.len();
        lines.dedup();
        assert_eq!(lines.len(), count);
    }
}

#[test]
fn a_served_operation_has_the_name_of_its_line() {
    for row in BUCKET {
        if let Some(operation) = row.served {
            assert_eq!(name_in(BUCKET, &operation), row.name);
        }
    }
    for row in OBJECT {
        if let Some(operation) = row.served {
            assert_eq!(name_in(OBJECT, &operation), row.name);
        }
    }
}

proptest! {
    #[test]
    fn any_request_is_answered_without_a_panic(
        method in "GET|PUT|POST|HEAD|DELETE|OPTIONS|X",
        path in "/[a-z/.%0-9\\PC]{0,30}",
        name in "(acl|uploadId|partNumber|list-type|versionId|[a-zA-Z-]{0,5})",
        value in "\\PC{0,5}",
    ) {
        let _ = Operation::from_request(&method, &path, &[(name, value)], &|_| None, None);
    }

    #[test]
    fn a_key_comes_out_as_it_was_encoded(key in "\\PC{1,40}") {
        let path = format!("/uploads/{}", uri::encode_path(&key));
        let operation = ask("PUT", &path).unwrap();
        prop_assert_eq!(operation.key().map(ObjectKey::as_str), Some(key.as_str()));
    }
}
