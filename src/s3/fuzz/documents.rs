use crate::s3::cors::CorsRules;
use crate::s3::documents::acl;
use crate::s3::documents::delete_objects::DeleteList;
use crate::s3::documents::lifecycle::Lifecycle;
use crate::s3::documents::tagging::{Tagged, Tags};
use crate::s3::multipart;
use crate::s3::ownership::ObjectOwnership;
use crate::s3::public_access::PublicAccessBlock;
use crate::s3::values::xml;
use crate::tests::fuzz;
use serde::Deserialize;
use serde::de::IgnoredAny;

#[test]
fn a_document_that_is_taken_reads_as_it_was_written_and_within_bounds() {
    fuzz::check(module_path!(), |input| {
        let Ok(text) = std::str::from_utf8(input) else {
            return;
        };
        if let Ok(rules) = CorsRules::parse(text) {
            assert_eq!(CorsRules::parse(&rules.to_xml()).unwrap(), rules);
            let _ = rules.allow("http://a.example", "GET", "x-amz-date, content-type");
        }
        if let Ok(lifecycle) = Lifecycle::parse(text) {
            assert_eq!(Lifecycle::parse(&lifecycle.to_xml()).unwrap(), lifecycle);
            let prefixes = lifecycle.expiring_prefixes();
            assert!(prefixes.is_sorted_by(|a, b| a < b && !b.starts_with(a)));
        }
        for tagged in [Tagged::Object, Tagged::Bucket] {
            if let Ok(tags) = Tags::from_xml(text, tagged) {
                assert_eq!(Tags::from_xml(&tags.to_xml(), tagged).unwrap(), tags);
                assert_eq!(Tags::stored(&tags.to_query()), tags);
            }
        }
        if let Ok(ownership) = ObjectOwnership::parse(text) {
            assert_eq!(
                ObjectOwnership::parse(&ownership.to_xml()).unwrap(),
                ownership
            );
        }
        if let Ok(block) = PublicAccessBlock::parse(text) {
            assert_eq!(PublicAccessBlock::parse(&block.to_xml()).unwrap(), block);
        }
        if let Ok(list) = DeleteList::parse(text) {
            assert!((1..=1000).contains(&list.objects.len()));
            let checked = list.objects.iter();
            let outcomes: Vec<_> = checked
                .map(|object| object.key().and_then(|_| object.condition()).map(drop))
                .collect();
            let answer = list.answer(&outcomes);
            assert!(xml::read::<IgnoredAny>(&answer).is_some(), "{answer}");
        }
        if let Ok(parts) = multipart::parse_completion(text) {
            assert!(parts.is_sorted_by(|a, b| a.number < b.number));
            assert!(parts.iter().all(|part| (1..=10_000).contains(&part.number)));
        }
        if acl::judge_policy(text).is_ok() {
            assert!(text.contains(xml::OWNER_ID) || text.contains("&#"));
        }
    });
}

#[test]
fn a_text_that_xml_can_hold_is_read_as_it_was_written() {
    #[derive(Deserialize)]
    struct Document {
        #[serde(rename = "Key")]
        key: String,
    }
    fuzz::check(module_path!(), |input| {
        let text = String::from_utf8_lossy(input);
        let document = xml::document("Result", xml::Namespace::S3, |result| {
            result.text("Key", &text);
        });
        let read: Document = xml::read(&document).expect("what is written is well-formed");
        if xml::can_hold(&text) {
            assert_eq!(read.key, text);
        }
    });
}
