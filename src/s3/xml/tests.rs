use super::*;
use proptest::prelude::*;
use rstest::rstest;

const AT: Timestamp = Timestamp::from_millis(1_795_425_490_215);

fn query(pairs: &[(&str, &str)]) -> Result<ListV2Query, S3Error> {
    let owned: Vec<(String, String)> = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    ListV2Query::parse(&owned)
}
fn bucket() -> BucketName {
    BucketName::parse("uploads").unwrap()
}
fn object(key: &str) -> ListedObject {
    ListedObject {
        key: ObjectKey::parse(key).unwrap(),
        etag: ETag::from_md5([0xab; 16]),
        size_bytes: 73,
        last_modified: AT,
    }
}
fn page(keys: &[&str], prefixes: &[&str], next: Option<&str>) -> ListedPage {
    ListedPage {
        objects: keys.iter().map(|key| object(key)).collect(),
        common_prefixes: prefixes.iter().map(|&prefix| prefix.to_owned()).collect(),
        next: next.map(str::to_owned),
    }
}
/// The text of the first `<name>` in `xml`.
fn text_of<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = xml.split_once(&format!("<{name}>"))?;
    Some(after.split_once(&format!("</{name}>"))?.0)
}

#[test]
fn a_listing_holds_what_was_asked_and_what_was_found() {
    let query = query(&[
        ("list-type", "2"),
        ("prefix", "a"),
        ("delimiter", "/"),
        ("start-after", "a!"),
        ("fetch-owner", "true"),
    ])
    .unwrap();
    insta::assert_snapshot!(
        list_objects_v2(&bucket(), &query, &page(&["a&b"], &["a/"], None)),
        @r#"<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>uploads</Name><Prefix>a</Prefix><Delimiter>/</Delimiter><MaxKeys>1000</MaxKeys><KeyCount>2</KeyCount><IsTruncated>false</IsTruncated><StartAfter>a!</StartAfter><Contents><Key>a&amp;b</Key><LastModified>2026-11-23T09:18:10.215Z</LastModified><ETag>&quot;abababababababababababababababab&quot;</ETag><Size>73</Size><Owner><ID>696bbd88de75ea4dd210ea128653454eab6e6635a55db0197045bb54868b5a98</ID><DisplayName>hangar</DisplayName></Owner><StorageClass>STANDARD</StorageClass></Contents><CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes></ListBucketResult>"#
    );
}

#[test]
fn an_owner_is_listed_only_where_it_is_fetched() {
    for pairs in [&[][..], &[("fetch-owner", "false")][..]] {
        let xml = list_objects_v2(&bucket(), &query(pairs).unwrap(), &page(&["a"], &[], None));
        assert!(!xml.contains("Owner"));
    }
}

#[test]
fn names_are_percent_encoded_on_request_and_slashes_stay() {
    let query = query(&[
        ("encoding-type", "url"),
        ("delimiter", "/"),
        ("prefix", "\u{1}"),
    ])
    .unwrap();
    let page = page(&["asdf+b", "quux ab/\u{1}"], &["foo+1/"], None);
    let xml = list_objects_v2(&bucket(), &query, &page);
    for expected in [
        "<EncodingType>url</EncodingType>",
        "<Prefix>%01</Prefix>",
        "<Key>asdf%2Bb</Key>",
        "<Key>quux%20ab/%01</Key>",
        "<Prefix>foo%2B1/</Prefix>",
    ] {
        assert!(xml.contains(expected), "{expected} in {xml}");
    }
}

#[test]
fn a_character_that_xml_cannot_hold_is_never_written() {
    let xml = list_objects_v2(
        &bucket(),
        &query(&[]).unwrap(),
        &page(&["a\u{1}\u{FFFF}\r\n\tb"], &[], None),
    );
    assert_eq!(text_of(&xml, "Key"), Some("a\u{FFFD}\u{FFFD}&#13;\n\tb"));
}

#[test]
fn an_empty_delimiter_is_none_and_an_empty_prefix_is_shown() {
    let xml = list_objects_v2(
        &bucket(),
        &query(&[("delimiter", "")]).unwrap(),
        &page(&[], &[], None),
    );
    assert_eq!(text_of(&xml, "Delimiter"), None);
    assert_eq!(text_of(&xml, "Prefix"), Some(""));
}

#[test]
fn an_empty_continuation_token_starts_anew_and_is_shown() {
    let query = query(&[("continuation-token", "")]).unwrap();
    assert_eq!(query.continuation_token, None);
    let xml = list_objects_v2(&bucket(), &query, &page(&[], &[], None));
    assert_eq!(text_of(&xml, "ContinuationToken"), Some(""));
}

#[test]
fn a_token_continues_its_own_listing_and_no_other() {
    let asked = query(&[("prefix", "f"), ("delimiter", "/")]).unwrap();
    let xml = list_objects_v2(&bucket(), &asked, &page(&["foo"], &[], Some("foo")));
    assert_eq!(text_of(&xml, "IsTruncated"), Some("true"));
    let token = text_of(&xml, "NextContinuationToken").unwrap();

    let continued = query(&[
        ("prefix", "f"),
        ("delimiter", "/"),
        ("continuation-token", token),
    ])
    .unwrap();
    assert_eq!(continued.continuation_token.as_deref(), Some("foo"));
    assert_eq!(continued.raw_token.as_deref(), Some(token));

    for other in [
        &[("prefix", "f"), ("continuation-token", token)][..],
        &[
            ("prefix", "fo"),
            ("delimiter", "/"),
            ("continuation-token", token),
        ][..],
        &[("prefix", "f/"), ("continuation-token", token)][..],
    ] {
        let error = query(other).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidArgument);
        assert_eq!(
            error.message,
            "The continuation token provided is incorrect"
        );
    }
}

#[rstest]
#[case("foo")]
#[case("!!!")]
#[case("Zm9v")]
fn a_token_that_we_did_not_make_is_refused(#[case] token: &str) {
    let error = query(&[("continuation-token", token)]).unwrap_err();
    assert_eq!(
        error.message,
        "The continuation token provided is incorrect"
    );
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
    let parsed = query(&[("max-keys", sent)]);
    match expected {
        Some(number) => assert_eq!(parsed.unwrap().max_keys, number),
        None => assert_eq!(parsed.unwrap_err().code, ErrorCode::InvalidArgument),
    }
}

#[test]
fn an_encoding_other_than_url_is_refused() {
    let error = query(&[("encoding-type", "base64")]).unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidArgument);
}

fn list_query(pairs: &[(&str, &str)]) -> Result<ListBucketsQuery, S3Error> {
    let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    let query: Vec<_> = pairs.iter().map(owned).collect();
    ListBucketsQuery::parse(&query)
}

#[test]
fn buckets_are_listed_with_their_owner() {
    insta::assert_snapshot!(
        list_buckets(&list_query(&[]).unwrap(), &[(bucket(), AT)]),
        @r#"<?xml version="1.0" encoding="UTF-8"?><ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Owner><ID>696bbd88de75ea4dd210ea128653454eab6e6635a55db0197045bb54868b5a98</ID><DisplayName>hangar</DisplayName></Owner><Buckets><Bucket><Name>uploads</Name><CreationDate>2026-11-23T09:18:10.215Z</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>"#
    );
}

#[test]
fn pages_of_buckets_joined_are_the_buckets_of_the_prefix_in_order() {
    let buckets = ["b-3", "a-1", "b-1", "b-2"].map(|name| (BucketName::parse(name).unwrap(), AT));
    let mut names = Vec::new();
    let mut token = String::new();
    loop {
        let page = [
            ("prefix", "b-"),
            ("max-buckets", "1"),
            ("continuation-token", &token),
        ];
        let listed = list_buckets(&list_query(&page).unwrap(), &buckets);
        let between = |from: &str, to: &str| {
            let (_, rest) = listed.split_once(from)?;
            Some(rest.split_once(to)?.0.to_owned())
        };
        names.extend(between("<Name>", "</Name>"));
        assert_eq!(between("<Prefix>", "</Prefix>").unwrap(), "b-");
        match between("<ContinuationToken>", "</ContinuationToken>") {
            Some(next) => token = next,
            None => break,
        }
    }
    assert_eq!(names, ["b-1", "b-2", "b-3"]);
}

#[test]
fn a_page_of_buckets_that_cannot_be_is_refused() {
    for (name, value) in [
        ("max-buckets", "0"),
        ("max-buckets", "10001"),
        ("max-buckets", "x"),
        ("continuation-token", "x"),
    ] {
        let error = list_query(&[(name, value)]).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidArgument, "{name}={value}");
    }
}

#[test]
fn a_form_that_asks_for_201_learns_where_its_object_is() {
    let key = ObjectKey::parse("a/b.png").unwrap();
    insta::assert_snapshot!(
        post_response("http://h/uploads/a/b.png", &bucket(), &key, &ETag::from_md5([0xab; 16])),
        @r#"<?xml version="1.0" encoding="UTF-8"?><PostResponse><Location>http://h/uploads/a/b.png</Location><Bucket>uploads</Bucket><Key>a/b.png</Key><ETag>&quot;abababababababababababababababab&quot;</ETag></PostResponse>"#
    );
}

proptest! {
    #[test]
    fn a_token_holds_any_key(prefix in "\\PC{0,4}", rest in "\\PC{1,12}", delimiter in proptest::option::of("\\PC{1,2}")) {
        let last = format!("{prefix}{rest}");
        let token = seal_token(&last, &prefix, delimiter.as_deref());
        prop_assert_eq!(open_token(&token, &prefix, delimiter.as_deref()).unwrap(), last);
    }

    #[test]
    fn any_token_is_read_without_a_panic(token in "\\PC{0,40}") {
        let _ = open_token(&token, "", None);
    }
}
