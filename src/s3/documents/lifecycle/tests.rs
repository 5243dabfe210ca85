use super::*;
use crate::s3::documents::lifecycle::expiry::midnight_after;
use crate::s3::values::error::ErrorCode;
use crate::s3::values::error::S3Error;
use crate::s3::values::time::{self, Timestamp};
use proptest::prelude::*;
use rstest::rstest;

fn lifecycle(rules: &str) -> Result<Lifecycle, S3Error> {
    Lifecycle::parse(&format!(
        "<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{rules}</LifecycleConfiguration>"
    ))
}

fn rule(inside: &str) -> String {
    format!("<Rule><Status>Enabled</Status>{inside}</Rule>")
}

fn expiring(filter: &str) -> Lifecycle {
    lifecycle(&rule(&format!(
        "<ID>rule</ID><Filter>{filter}</Filter><Expiration><Days>1</Days></Expiration>"
    )))
    .unwrap()
}

fn at(text: &str) -> Timestamp {
    time::parse_iso8601(text).unwrap()
}

fn object(key: &str) -> Subject<'_> {
    Subject {
        key,
        size_bytes: 100,
        tagging: Some("a=b&c=d"),
        last_modified: at("2014-01-15T10:30:00Z"),
    }
}

const ONE_DAY: &str = "<Expiration><Days>1</Days></Expiration>";
const ABORT: &str = "<AbortIncompleteMultipartUpload><DaysAfterInitiation>2</DaysAfterInitiation></AbortIncompleteMultipartUpload>";

#[rstest]
#[case::in_the_day("2014-01-15T10:30:00Z", 3, "2014-01-19T00:00:00Z")]
#[case::at_midnight("2014-01-15T00:00:00Z", 3, "2014-01-18T00:00:00Z")]
#[case::past_midnight("2014-01-15T00:00:00.001Z", 1, "2014-01-17T00:00:00Z")]
#[case::before_1970("1969-12-31T23:00:00Z", 1, "1970-01-02T00:00:00Z")]
fn days_end_at_the_next_midnight(#[case] from: &str, #[case] days: u32, #[case] end: &str) {
    assert_eq!(midnight_after(at(from), days), at(end));
}

#[rstest]
#[case("", true)]
#[case("<Prefix/>", true)]
#[case("<Prefix>logs/</Prefix>", true)]
#[case("<Prefix>Logs/</Prefix>", false)]
#[case("<Tag><Key>a</Key><Value>b</Value></Tag>", true)]
#[case("<Tag><Key>a</Key><Value>c</Value></Tag>", false)]
#[case("<ObjectSizeGreaterThan>99</ObjectSizeGreaterThan>", true)]
#[case("<ObjectSizeGreaterThan>100</ObjectSizeGreaterThan>", false)]
#[case("<ObjectSizeLessThan>101</ObjectSizeLessThan>", true)]
#[case("<ObjectSizeLessThan>100</ObjectSizeLessThan>", false)]
#[case(
    "<And><Tag><Key>a</Key><Value>b</Value></Tag><Prefix>l</Prefix><Tag><Key>c</Key><Value>d</Value></Tag></And>",
    true
)]
#[case(
    "<And><Prefix>l</Prefix><Tag><Key>a</Key><Value>b</Value></Tag><Tag><Key>c</Key><Value>x</Value></Tag></And>",
    false
)]
#[case(
    "<And><ObjectSizeGreaterThan>10</ObjectSizeGreaterThan><ObjectSizeLessThan>50</ObjectSizeLessThan></And>",
    false
)]
fn a_filter_matches_objects_that_meet_all_its_conditions(
    #[case] filter: &str,
    #[case] takes: bool,
) {
    let lifecycle = expiring(filter);
    let object = object("logs/a");
    let expiry = lifecycle.expiry(&object);
    assert_eq!(expiry.is_some(), takes);
    // What is given back says the same.
    assert_eq!(Lifecycle::parse(&lifecycle.to_xml()).unwrap(), lifecycle);
}

#[test]
fn the_earliest_end_counts_and_names_its_rule() {
    let rules = lifecycle(
        &[
            "<Rule><ID>slow</ID><Status>Enabled</Status><Prefix/><Expiration><Days>9</Days></Expiration></Rule>",
            "<Rule><ID>a b/ż</ID><Status>Enabled</Status><Prefix>l</Prefix><Expiration><Days>2</Days></Expiration></Rule>",
            "<Rule><ID>off</ID><Status>Disabled</Status><Prefix/><Expiration><Days>1</Days></Expiration></Rule>",
        ]
        .concat(),
    )
    .unwrap();
    let object = object("logs");
    insta::assert_snapshot!(
        rules.expiry(&object).unwrap().header(),
        @r#"expiry-date="Sat, 18 Jan 2014 00:00:00 GMT", rule-id="a%20b%2F%C5%BC""#
    );
}

#[test]
fn a_date_ends_all_that_is_older_and_newer() {
    for date in [
        "2014-02-01",
        "2014-02-01T00:00:00Z",
        "2014-02-01T00:00:00.000Z",
        "2014-02-01T00:00:00+00:00",
        "2014-02-01T00:00:00",
    ] {
        let rules = lifecycle(&rule(&format!(
            "<Prefix/><Expiration><Date>{date}</Date></Expiration>"
        )))
        .unwrap();
        let object = object("k");
        assert_eq!(
            rules.expiry(&object).unwrap().at,
            at("2014-02-01T00:00:00Z")
        );
        assert!(
            rules
                .to_xml()
                .contains("<Date>2014-02-01T00:00:00.000Z</Date>")
        );
    }
}

#[test]
fn an_upload_ends_by_the_rule_of_its_prefix() {
    let rules = lifecycle(
        &[
            rule(&format!("<Prefix>a/</Prefix>{ABORT}")),
            format!("<Rule><Status>Disabled</Status><Prefix/>{ABORT}</Rule>"),
            rule(&format!("<Prefix>c/</Prefix>{ONE_DAY}")),
        ]
        .concat(),
    )
    .unwrap();
    let begun = at("2014-01-15T10:30:00Z");
    assert_eq!(
        rules.upload_expiry("a/b", begun),
        Some(at("2014-01-18T00:00:00Z"))
    );
    assert_eq!(rules.upload_expiry("b", begun), None);
    assert_eq!(rules.upload_expiry("c/", begun), None);
    assert_eq!(rules.aborting_prefixes(), ["a/"]);
    assert_eq!(rules.expiring_prefixes(), ["c/"]);
}

#[test]
fn rules_without_effect_are_stored_and_expire_nothing() {
    let rules = lifecycle(
        &[
            rule("<Filter/><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"),
            rule("<Prefix>p</Prefix><NoncurrentVersionExpiration><NoncurrentDays>2</NoncurrentDays><NewerNoncurrentVersions>3</NewerNoncurrentVersions></NoncurrentVersionExpiration>"),
        ]
        .concat(),
    )
    .unwrap();
    assert_eq!(rules.expiry(&object("p")), None);
    assert!(rules.expiring_prefixes().is_empty());
    assert_eq!(Lifecycle::parse(&rules.to_xml()).unwrap(), rules);
}

#[test]
fn a_rule_without_an_id_gets_one_that_stays() {
    let text = [
        rule(&format!("<Prefix>a</Prefix>{ONE_DAY}")),
        rule(&format!("<ID/><Prefix>a</Prefix>{ONE_DAY}")),
    ]
    .concat();
    let rules = lifecycle(&text).unwrap();
    assert!(!rules.rules[0].id.is_empty());
    assert_ne!(rules.rules[0].id, rules.rules[1].id);
    assert_eq!(rules, lifecycle(&text).unwrap());
    assert_eq!(rules, Lifecycle::parse(&rules.to_xml()).unwrap());
}

#[test]
fn the_document_is_given_back_in_one_form() {
    let text = "<Rule><Expiration><Days>31</Days></Expiration><Filter><And><Tag><Key>a</Key><Value>b</Value></Tag>\
                <Prefix>p/</Prefix></And></Filter><ID>one</ID><Status>Disabled</Status></Rule>\
                <Rule><ID>two</ID><Prefix>test2/</Prefix><Status>Enabled</Status><AbortIncompleteMultipartUpload>\
                <DaysAfterInitiation>3</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>";
    insta::assert_snapshot!(lifecycle(text).unwrap().to_xml(), @r#"<?xml version="1.0" encoding="UTF-8"?><LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule><ID>one</ID><Filter><And><Prefix>p/</Prefix><Tag><Key>a</Key><Value>b</Value></Tag></And></Filter><Status>Disabled</Status><Expiration><Days>31</Days></Expiration></Rule><Rule><ID>two</ID><Prefix>test2/</Prefix><Status>Enabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>3</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>"#);
}

#[rstest]
#[case::no_rule("", ErrorCode::MalformedXML)]
#[case::too_many(&rule(&format!("<Prefix/>{ONE_DAY}")).repeat(1001), ErrorCode::MalformedXML)]
#[case::prefix_that_xml_cannot_hold(&rule(&format!("<Prefix>a&#1;</Prefix>{ONE_DAY}")), ErrorCode::MalformedXML)]
#[case::id_that_xml_cannot_hold(&rule(&format!("<ID>&#1;</ID><Prefix/>{ONE_DAY}")), ErrorCode::MalformedXML)]
#[case::status(&format!("<Rule><Status>enabled</Status><Prefix/>{ONE_DAY}</Rule>"), ErrorCode::MalformedXML)]
#[case::no_status(&format!("<Rule><Prefix/>{ONE_DAY}</Rule>"), ErrorCode::MalformedXML)]
#[case::no_filter(&rule(ONE_DAY), ErrorCode::MalformedXML)]
#[case::both_filters(&rule(&format!("<Prefix/><Filter/>{ONE_DAY}")), ErrorCode::MalformedXML)]
#[case::unknown_element(&rule(&format!("<Prefix/><Dance/>{ONE_DAY}")), ErrorCode::MalformedXML)]
#[case::unknown_filter(&rule(&format!("<Filter><Suffix>a</Suffix></Filter>{ONE_DAY}")), ErrorCode::MalformedXML)]
#[case::two_conditions(&rule(&format!("<Filter><Prefix>a</Prefix><ObjectSizeLessThan>1</ObjectSizeLessThan></Filter>{ONE_DAY}")), ErrorCode::MalformedXML)]
#[case::no_action(&rule("<Prefix/>"), ErrorCode::InvalidRequest)]
#[case::days_0(&rule("<Prefix/><Expiration><Days>0</Days></Expiration>"), ErrorCode::InvalidArgument)]
#[case::days_negative(&rule("<Prefix/><Expiration><Days>-1</Days></Expiration>"), ErrorCode::InvalidArgument)]
#[case::days_no_number(&rule("<Prefix/><Expiration><Days>one</Days></Expiration>"), ErrorCode::MalformedXML)]
#[case::days_too_many(&rule("<Prefix/><Expiration><Days>2147483648</Days></Expiration>"), ErrorCode::MalformedXML)]
#[case::days_and_date(&rule("<Prefix/><Expiration><Days>1</Days><Date>2014-02-01</Date></Expiration>"), ErrorCode::MalformedXML)]
#[case::empty_expiration(&rule("<Prefix/><Expiration/>"), ErrorCode::MalformedXML)]
#[case::date_not_midnight(&rule("<Prefix/><Expiration><Date>1970-08-22T19:08:21Z</Date></Expiration>"), ErrorCode::InvalidArgument)]
#[case::date_no_date(&rule("<Prefix/><Expiration><Date>20200101</Date></Expiration>"), ErrorCode::MalformedXML)]
#[case::abort_0(&rule("<Prefix/><AbortIncompleteMultipartUpload><DaysAfterInitiation>0</DaysAfterInitiation></AbortIncompleteMultipartUpload>"), ErrorCode::InvalidArgument)]
#[case::abort_with_tags(&rule(&format!("<Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter>{ABORT}")), ErrorCode::InvalidRequest)]
#[case::abort_with_size(&rule(&format!("<Filter><ObjectSizeLessThan>5</ObjectSizeLessThan></Filter>{ABORT}")), ErrorCode::InvalidRequest)]
#[case::sizes_crossed(&rule(&format!("<Filter><And><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan><ObjectSizeLessThan>5</ObjectSizeLessThan></And></Filter>{ONE_DAY}")), ErrorCode::InvalidRequest)]
#[case::tag_twice(&rule(&format!("<Filter><And>{0}{0}</And></Filter>{ONE_DAY}", "<Tag><Key>a</Key><Value>b</Value></Tag>")), ErrorCode::InvalidRequest)]
#[case::noncurrent_0(&rule("<Prefix/><NoncurrentVersionExpiration><NoncurrentDays>0</NoncurrentDays></NoncurrentVersionExpiration>"), ErrorCode::InvalidArgument)]
#[case::transition(&rule("<Prefix/><Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>"), ErrorCode::NotImplemented)]
#[case::id_too_long(&rule(&format!("<ID>{}</ID><Prefix/>{ONE_DAY}", "i".repeat(256))), ErrorCode::InvalidArgument)]
#[case::id_twice(&rule(&format!("<ID>i</ID><Prefix/>{ONE_DAY}")).repeat(2), ErrorCode::InvalidArgument)]
fn unsupported_rules_are_refused(#[case] rules: &str, #[case] code: ErrorCode) {
    assert_eq!(lifecycle(rules).unwrap_err().code, code);
}

proptest! {
    #[test]
    fn the_prefixes_to_sweep_cover_every_expiring_key_and_none_begins_with_another(
        prefixes in proptest::collection::vec("[ab/]{0,4}", 1..6),
        key in "[ab/]{1,6}",
    ) {
        let rules: String = prefixes
            .iter()
            .map(|prefix| rule(&format!("<Prefix>{prefix}</Prefix>{ONE_DAY}")))
            .collect();
        let rules = lifecycle(&rules).unwrap();
        let swept = rules.expiring_prefixes();
        let covering = swept.iter().filter(|prefix| key.starts_with(**prefix)).count();
        prop_assert_eq!(covering, usize::from(rules.expiry(&object(&key)).is_some()));
    }
}
