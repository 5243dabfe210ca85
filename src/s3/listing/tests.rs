use super::*;
use crate::s3::values::bucket::BucketName;
use crate::s3::values::checksum::{ChecksumAlgorithm, ChecksumType};
use crate::s3::values::error::ErrorCode;
use crate::s3::values::error::S3Error;
use crate::s3::values::etag::ETag;
use crate::s3::values::key::ObjectKey;
use crate::s3::values::time::Timestamp;
use rstest::rstest;

mod fuzz;

const AT: Timestamp = Timestamp::from_millis(1_795_425_490_215);

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    pairs.iter().map(owned).collect()
}
fn bucket() -> BucketName {
    BucketName::parse("uploads").unwrap()
}
fn v1(query: &[(&str, &str)]) -> ListQuery {
    ListQuery::objects(&pairs(query)).unwrap()
}
fn v2(query: &[(&str, &str)]) -> Result<ListQuery, S3Error> {
    ListQuery::objects_v2(&bucket(), &pairs(query))
}
fn versions(query: &[(&str, &str)]) -> Result<ListQuery, S3Error> {
    ListQuery::versions(&pairs(query))
}
fn object(key: &str) -> ListedObject {
    ListedObject {
        key: ObjectKey::parse(key).unwrap(),
        etag: ETag::from_md5([0xab; 16]),
        size_bytes: 73,
        last_modified: AT,
        storage_class: None,
        checksum_algorithms: Vec::new(),
        checksum_type: ChecksumType::default(),
    }
}
fn page(keys: &[&str], prefixes: &[&str], next: Option<&str>) -> ListedPage {
    ListedPage {
        objects: keys.iter().map(|key| object(key)).collect(),
        common_prefixes: prefixes.iter().map(|&prefix| prefix.to_owned()).collect(),
        next: next.map(str::to_owned),
    }
}
fn answer(query: &ListQuery, page: &ListedPage) -> String {
    query.answer(&bucket(), page)
}
/// The text of the first `<name>` in `xml`.
fn text_of<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = xml.split_once(&format!("<{name}>"))?;
    Some(after.split_once(&format!("</{name}>"))?.0)
}

#[test]
fn a_listing_repeats_the_query_and_holds_the_results() {
    let query = v2(&[
        ("list-type", "2"),
        ("prefix", "a"),
        ("delimiter", "/"),
        ("start-after", "a!"),
        ("fetch-owner", "true"),
    ]);
    insta::assert_snapshot!(answer(&query.unwrap(), &page(&["a&b"], &["a/"], None)), @r#"<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>uploads</Name><Prefix>a</Prefix><StartAfter>a!</StartAfter><MaxKeys>1000</MaxKeys><Delimiter>/</Delimiter><KeyCount>2</KeyCount><IsTruncated>false</IsTruncated><Contents><Key>a&amp;b</Key><LastModified>2026-11-23T09:18:10.215Z</LastModified><ETag>&quot;abababababababababababababababab&quot;</ETag><Size>73</Size><Owner><ID>696bbd88de75ea4dd210ea128653454eab6e6635a55db0197045bb54868b5a98</ID><DisplayName>hangar</DisplayName></Owner><StorageClass>STANDARD</StorageClass></Contents><CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes></ListBucketResult>"#);
}

#[test]
fn version_one_states_owners_and_its_marker() {
    let query = v1(&[("marker", "a b"), ("encoding-type", "url")]);
    insta::assert_snapshot!(answer(&query, &page(&["b"], &[], Some("b"))), @r#"<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>uploads</Name><Prefix></Prefix><Marker>a%20b</Marker><MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><Contents><Key>b</Key><LastModified>2026-11-23T09:18:10.215Z</LastModified><ETag>&quot;abababababababababababababababab&quot;</ETag><Size>73</Size><Owner><ID>696bbd88de75ea4dd210ea128653454eab6e6635a55db0197045bb54868b5a98</ID><DisplayName>hangar</DisplayName></Owner><StorageClass>STANDARD</StorageClass></Contents></ListBucketResult>"#);
}

#[test]
fn version_one_states_the_next_marker_under_a_delimiter_alone() {
    let truncated = page(&["b"], &["c/"], Some("c/"));
    let plain = answer(&v1(&[]), &truncated);
    assert_eq!(text_of(&plain, "IsTruncated"), Some("true"));
    assert_eq!(text_of(&plain, "NextMarker"), None);
    let rolled_up = answer(&v1(&[("delimiter", "/")]), &truncated);
    assert_eq!(text_of(&rolled_up, "NextMarker"), Some("c/"));
    let last = answer(&v1(&[("delimiter", "/")]), &page(&["b"], &["c/"], None));
    assert_eq!(text_of(&last, "NextMarker"), None);
}

#[test]
fn versions_are_the_objects_under_the_version_null() {
    let query = versions(&[("key-marker", "a"), ("version-id-marker", "null")]).unwrap();
    assert_eq!(query.after(), Some("a"));
    insta::assert_snapshot!(answer(&query, &page(&["b"], &[], Some("b"))), @r#"<?xml version="1.0" encoding="UTF-8"?><ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>uploads</Name><Prefix></Prefix><KeyMarker>a</KeyMarker><VersionIdMarker>null</VersionIdMarker><NextKeyMarker>b</NextKeyMarker><NextVersionIdMarker>null</NextVersionIdMarker><MaxKeys>1000</MaxKeys><IsTruncated>true</IsTruncated><Version><Key>b</Key><VersionId>null</VersionId><IsLatest>true</IsLatest><LastModified>2026-11-23T09:18:10.215Z</LastModified><ETag>&quot;abababababababababababababababab&quot;</ETag><Size>73</Size><Owner><ID>696bbd88de75ea4dd210ea128653454eab6e6635a55db0197045bb54868b5a98</ID><DisplayName>hangar</DisplayName></Owner><StorageClass>STANDARD</StorageClass></Version></ListVersionsResult>"#);
}

#[test]
fn a_page_of_versions_that_ends_in_a_common_prefix_goes_on_without_a_version() {
    let query = versions(&[("delimiter", "/")]).unwrap();
    let xml = answer(&query, &page(&["b"], &["c/"], Some("c/")));
    assert_eq!(text_of(&xml, "NextKeyMarker"), Some("c/"));
    assert_eq!(text_of(&xml, "NextVersionIdMarker"), None);
}

#[test]
fn a_version_that_no_object_has_is_no_marker() {
    for query in [
        &[("version-id-marker", "null")][..],
        &[("key-marker", ""), ("version-id-marker", "null")][..],
        &[
            ("key-marker", "a"),
            ("version-id-marker", "3sL4kqtJlcpXroDTDmJ"),
        ][..],
    ] {
        let error = versions(query).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidArgument, "{query:?}");
    }
    assert_eq!(
        versions(&[("version-id-marker", "")]).unwrap().after(),
        None
    );
}

#[test]
fn an_object_is_listed_with_its_storage_class_and_checksums() {
    let mut listed = page(&["a"], &[], None);
    listed.objects[0] = ListedObject {
        storage_class: Some("GLACIER".to_owned()),
        checksum_algorithms: vec![ChecksumAlgorithm::Crc32],
        checksum_type: ChecksumType::Composite,
        ..object("a")
    };
    for query in [v1(&[]), v2(&[]).unwrap(), versions(&[]).unwrap()] {
        let xml = answer(&query, &listed);
        assert_eq!(text_of(&xml, "StorageClass"), Some("GLACIER"));
        assert_eq!(text_of(&xml, "ChecksumAlgorithm"), Some("CRC32"));
        assert_eq!(text_of(&xml, "ChecksumType"), Some("COMPOSITE"));
    }
}

#[test]
fn a_token_outweighs_start_after_and_both_are_shown() {
    let first = answer(
        &v2(&[("start-after", "a")]).unwrap(),
        &page(&["b"], &[], Some("b")),
    );
    let token = text_of(&first, "NextContinuationToken").unwrap();
    let query = v2(&[("start-after", "a"), ("continuation-token", token)]).unwrap();
    assert_eq!(query.after(), Some("b"));
    let xml = answer(&query, &page(&["c"], &[], None));
    assert_eq!(text_of(&xml, "StartAfter"), Some("a"));
    assert_eq!(text_of(&xml, "ContinuationToken"), Some(token));
}

#[test]
fn an_owner_is_listed_only_where_it_is_fetched() {
    for pairs in [&[][..], &[("fetch-owner", "false")][..]] {
        let xml = answer(&v2(pairs).unwrap(), &page(&["a"], &[], None));
        assert!(!xml.contains("Owner"));
    }
}

#[test]
fn names_are_percent_encoded_on_request_and_slashes_stay() {
    let asked = [
        ("encoding-type", "url"),
        ("delimiter", "/"),
        ("prefix", "\u{1}"),
    ];
    let prefix_of_version_1 = "<Prefix>\u{FFFD}</Prefix>";
    let page = page(&["asdf+b", "quux ab/\u{1}"], &["foo+1/"], None);
    for (query, prefix) in [
        (v1(&asked), prefix_of_version_1),
        (v2(&asked).unwrap(), "<Prefix>%01</Prefix>"),
        (versions(&asked).unwrap(), "<Prefix>%01</Prefix>"),
    ] {
        let xml = answer(&query, &page);
        for expected in [
            prefix,
            "<EncodingType>url</EncodingType>",
            "<Delimiter>/</Delimiter>",
            "<Key>asdf%2Bb</Key>",
            "<Key>quux%20ab/%01</Key>",
            "<Prefix>foo%2B1/</Prefix>",
        ] {
            assert!(xml.contains(expected), "{expected} in {xml}");
        }
    }
}

#[test]
fn a_character_that_xml_cannot_hold_is_never_written() {
    let xml = answer(
        &v2(&[]).unwrap(),
        &page(&["a\u{1}\u{FFFF}\r\n\tb"], &[], None),
    );
    assert_eq!(text_of(&xml, "Key"), Some("a\u{FFFD}\u{FFFD}&#13;\n\tb"));
}

#[test]
fn an_empty_delimiter_is_none_and_an_empty_prefix_and_marker_are_shown() {
    let xml = answer(
        &v1(&[("delimiter", ""), ("marker", "")]),
        &page(&[], &[], None),
    );
    assert_eq!(text_of(&xml, "Delimiter"), None);
    assert_eq!(text_of(&xml, "Prefix"), Some(""));
    assert_eq!(text_of(&xml, "Marker"), Some(""));
}

#[test]
fn an_empty_continuation_token_starts_anew_and_is_shown() {
    let query = v2(&[("continuation-token", "")]).unwrap();
    assert_eq!(query.after(), None);
    let xml = answer(&query, &page(&[], &[], None));
    assert_eq!(text_of(&xml, "ContinuationToken"), Some(""));
}

#[test]
fn a_token_continues_its_own_listing_and_no_other() {
    let asked = v2(&[("prefix", "f"), ("delimiter", "/")]).unwrap();
    let xml = answer(&asked, &page(&["foo"], &[], Some("foo")));
    assert_eq!(text_of(&xml, "IsTruncated"), Some("true"));
    let token = text_of(&xml, "NextContinuationToken").unwrap();
    let own = pairs(&[
        ("prefix", "f"),
        ("delimiter", "/"),
        ("continuation-token", token),
    ]);
    assert_eq!(
        ListQuery::objects_v2(&bucket(), &own).unwrap().after(),
        Some("foo")
    );
    let another = BucketName::parse("another").unwrap();
    for (bucket, other) in [
        (another, &own),
        (
            bucket(),
            &pairs(&[("prefix", "f"), ("continuation-token", token)]),
        ),
        (
            bucket(),
            &pairs(&[
                ("prefix", "fo"),
                ("delimiter", "/"),
                ("continuation-token", token),
            ]),
        ),
        (
            bucket(),
            &pairs(&[("prefix", "f/"), ("continuation-token", token)]),
        ),
    ] {
        let error = ListQuery::objects_v2(&bucket, other).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidArgument);
        assert_eq!(
            error.message,
            "The continuation token provided is incorrect"
        );
    }
}

#[rstest]
#[case("0", Some(0))]
#[case("1", Some(1))]
#[case("1000", Some(1000))]
#[case("5000", Some(1000))]
#[case("2147483647", Some(1000))]
#[case("2147483648", None)]
#[case("-1", None)]
#[case("+1", None)]
#[case("blah", None)]
#[case("", None)]
#[case("1.5", None)]
fn max_keys_is_a_number_and_capped(#[case] sent: &str, #[case] expected: Option<u32>) {
    let parsed = v2(&[("max-keys", sent)]);
    match expected {
        Some(number) => assert_eq!(parsed.unwrap().max_keys, number),
        None => assert_eq!(parsed.unwrap_err().code, ErrorCode::InvalidArgument),
    }
}

#[test]
fn an_encoding_other_than_url_is_refused() {
    let error = v2(&[("encoding-type", "base64")]).unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidArgument);
}
