use crate::s3::documents::acl;
use crate::s3::documents::copy::CopySource;
use crate::s3::documents::tagging::Tags;
use crate::s3::multipart;
use crate::s3::values::checksum::{Checksum, ChecksumAlgorithm};
use crate::s3::values::conditional::{
    ReadConditions, ReadVerdict, WritePrecondition, if_range_holds,
};
use crate::s3::values::etag::ETag;
use crate::s3::values::network;
use crate::s3::values::time::{self, Timestamp};
use crate::s3::values::uri;
use crate::s3::values::xml;
use crate::tests::fuzz;

const AT: Timestamp = Timestamp::from_millis(1_795_425_490_215); // Mon, 23 Nov 2026 09:18:10.215 GMT

#[test]
fn a_precondition_means_the_same_to_reads_and_to_writes() {
    fuzz::check(module_path!(), |input| {
        let Ok(header) = std::str::from_utf8(input) else {
            return;
        };
        let etag = ETag::from_stored("5d41402abc4b2a76b9719d911017c592-2".to_owned());
        let if_match = ReadConditions {
            if_match: Some(header),
            ..ReadConditions::default()
        };
        let if_none_match = ReadConditions {
            if_none_match: Some(header),
            ..ReadConditions::default()
        };
        // One quote opens a tag and closes none.
        if header.starts_with('"') && header.matches('"').count() == 1 {
            assert_ne!(if_match.evaluate(&etag, AT), ReadVerdict::Proceed);
        }
        // What matches strongly matches weakly.
        if if_match.evaluate(&etag, AT) == ReadVerdict::Proceed {
            let weakly = if_none_match.evaluate(&etag, AT);
            assert_eq!(weakly, ReadVerdict::NotModified);
        }
        if let Ok(write) = WritePrecondition::parse(Some(header), None) {
            let read = if_match.evaluate(&etag, AT) == ReadVerdict::Proceed;
            assert_eq!(write.holds(Some(&etag)), read);
            assert!(write.wants_object() && !write.holds(None));
            match WritePrecondition::parse(None, Some(header)) {
                Ok(unless) => {
                    assert_eq!(unless.holds(Some(&etag)), !read);
                    assert!(unless.holds(None));
                }
                // A tag that no object has.
                Err(_) => assert!(!read),
            }
        }
        if if_range_holds(header, &etag, AT) {
            let trimmed = ReadConditions {
                if_match: Some(header.trim()),
                ..ReadConditions::default()
            };
            let is_tag = trimmed.evaluate(&etag, AT) == ReadVerdict::Proceed;
            assert!(is_tag || time::parse_http_date(header.trim()).is_some());
        }
    });
}

#[test]
fn a_header_that_is_taken_says_what_it_can_be_written_from() {
    fuzz::check(module_path!(), |input| {
        let Ok(header) = std::str::from_utf8(input) else {
            return;
        };
        if let Ok(source) = CopySource::parse(header) {
            let path = format!("{}/{}", source.bucket, source.key);
            assert_eq!(CopySource::parse(&uri::encode_path(&path)).unwrap(), source);
        }
        if let Ok(tags) = Tags::from_header(header) {
            assert_eq!(Tags::from_header(&tags.to_query()).unwrap(), tags);
            assert_eq!(Tags::stored(&tags.to_query()), tags);
        }
        if let Some(at) = time::parse_amz_date(header) {
            assert_eq!(time::amz_date(at), header);
            assert_eq!(time::amz_day(at), header[..8]);
        }
        if let Some(at) = time::parse_iso8601(header) {
            let written = time::iso8601_millis(at);
            assert_eq!(time::parse_iso8601(&written), Some(at));
            assert_eq!(written[..19], header[..19]);
        }
        if let Some(at) = time::parse_http_date(header) {
            assert_eq!(time::parse_http_date(&time::http_date(at)), Some(at));
        }
        if let Ok(number) = multipart::parse_part_number(header) {
            assert_eq!(header.trim_start_matches('0'), number.to_string());
        }
        if let Some(network) = network::parse(header) {
            // Fewer bits than all addresses of IPv4 share make a network of IPv6 alone.
            let is_mapped = network.0.to_canonical() != network.0;
            assert!(is_mapped || network::contains(network, network.0));
        }
        if acl::judge_grant_header(header).is_ok() {
            assert!(header.contains(xml::OWNER_ID));
        }
        for algorithm in ChecksumAlgorithm::ALL {
            if let Ok(checksum) = Checksum::parse(algorithm, header) {
                assert_eq!(
                    Checksum::parse(algorithm, &checksum.value).unwrap(),
                    checksum
                );
            }
        }
        if let Some(decoded) = uri::decode(header) {
            assert_eq!(uri::decode_bytes(header), decoded.as_bytes());
        }
    });
}
