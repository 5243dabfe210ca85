use super::*;
use crate::s3::multipart::whole::whole_checksum;
use crate::s3::values::bucket::BucketName;
use crate::s3::values::checksum::{Checksum, ChecksumAlgorithm, ChecksumType};
use crate::s3::values::error::ErrorCode;
use crate::s3::values::etag::ETag;
use crate::s3::values::key::ObjectKey;
use crate::s3::values::time::Timestamp;
use proptest::prelude::*;
use rstest::rstest;

const MODIFIED: Timestamp = Timestamp::from_millis(1_795_425_490_215);
const MIB: u64 = 1024 * 1024;

/// A part that can be lent out.
struct Kept {
    number: u16,
    etag: ETag,
    size_bytes: u64,
    checksums: Vec<Checksum>,
}

impl Kept {
    fn new(number: u16, size_bytes: u64) -> Self {
        Self {
            number,
            etag: ETag::from_md5([u8::try_from(number % 256).unwrap(); 16]),
            size_bytes,
            checksums: Vec::new(),
        }
    }

    fn with(mut self, algorithm: ChecksumAlgorithm, bytes: &[u8]) -> Self {
        self.checksums.push(Checksum::of(algorithm, bytes));
        self
    }

    fn held(&self) -> HeldPart<'_> {
        HeldPart {
            number: self.number,
            etag: &self.etag,
            size_bytes: self.size_bytes,
            last_modified: MODIFIED,
            checksums: &self.checksums,
        }
    }
}

fn whole(
    parts: &[Kept],
    upload: Option<(ChecksumAlgorithm, ChecksumType)>,
    headers: &[(&str, &str)],
) -> Result<Whole, ErrorCode> {
    let stated = StatedWhole::parse(|name| {
        let found = headers.iter().find(|(sent, _)| *sent == name);
        found.map(|(_, value)| *value)
    })
    .map_err(|error| error.code)?;
    let held: Vec<_> = parts.iter().map(Kept::held).collect();
    Whole::of(&held, upload, &stated).map_err(|error| error.code)
}

#[rstest]
#[case("1", Some(1))]
#[case("10000", Some(10_000))]
#[case("0", None)]
#[case("10001", None)]
#[case("-1", None)]
#[case("+1", None)]
#[case("1.0", None)]
#[case("99999999999999999999", None)]
#[case("", None)]
#[case("one", None)]
fn a_part_is_numbered_from_1_to_10000(#[case] text: &str, #[case] number: Option<u16>) {
    match parse_part_number(text) {
        Ok(parsed) => assert_eq!(Some(parsed), number),
        Err(error) => {
            assert_eq!((number, error.code), (None, ErrorCode::InvalidArgument));
            assert_eq!(
                error.message,
                "Part number must be an integer between 1 and 10000, inclusive"
            );
        }
    }
}

#[rstest]
#[case(None, None, "none")]
#[case(Some("CRC32"), None, "CRC32 COMPOSITE")]
#[case(Some("crc32c"), Some("FULL_OBJECT"), "CRC32C FULL_OBJECT")]
#[case(Some("CRC64NVME"), None, "CRC64NVME FULL_OBJECT")]
#[case(Some("SHA256"), Some("COMPOSITE"), "SHA256 COMPOSITE")]
#[case(
    Some("SHA1"),
    Some("FULL_OBJECT"),
    "The FULL_OBJECT checksum type cannot be used with the sha1 checksum algorithm."
)]
#[case(
    Some("CRC64NVME"),
    Some("COMPOSITE"),
    "The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm."
)]
#[case(
    Some("CRC32"),
    Some("HALF"),
    "Value for x-amz-checksum-type header is invalid."
)]
#[case(
    None,
    Some("COMPOSITE"),
    "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
)]
#[case(
    Some("MD4"),
    None,
    "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]"
)]
fn an_upload_begins_with_a_checksum_that_s3_has(
    #[case] algorithm: Option<&str>,
    #[case] checksum_type: Option<&str>,
    #[case] expected: &str,
) {
    let shown = match parse_upload_checksum(algorithm, checksum_type) {
        Ok(None) => "none".to_owned(),
        Ok(Some((algorithm, kind))) => format!("{} {}", algorithm.name(), kind.as_str()),
        Err(error) => {
            assert_eq!(error.code, ErrorCode::InvalidRequest);
            error.message.into_owned()
        }
    };
    assert_eq!(shown, expected);
}

#[test]
fn a_part_has_the_checksum_of_its_upload() {
    use ChecksumAlgorithm::{Crc32, Sha256};
    let composite = Some((Sha256, ChecksumType::Composite));
    let full = Some((Crc32, ChecksumType::FullObject));
    assert_eq!(part_checksum(None, None).unwrap(), None);
    assert_eq!(part_checksum(None, Some(Crc32)).unwrap(), Some(Crc32));
    assert_eq!(part_checksum(full, None).unwrap(), Some(Crc32));
    assert_eq!(
        part_checksum(composite, Some(Sha256)).unwrap(),
        Some(Sha256)
    );
    let shown = |stated| part_checksum(composite, stated).unwrap_err().message;
    insta::assert_snapshot!(shown(None), @"Checksum Type mismatch occurred, expected checksum Type: sha256, actual checksum Type: null");
    insta::assert_snapshot!(shown(Some(Crc32)), @"Checksum Type mismatch occurred, expected checksum Type: sha256, actual checksum Type: crc32");
}

fn completion(parts: &str) -> Result<Vec<StatedPart>, ErrorCode> {
    parse_completion(&format!(
        "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{parts}</CompleteMultipartUpload>"
    ))
    .map_err(|error| error.code)
}

fn part(number: &str, etag: &str) -> String {
    format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
}

#[test]
fn a_completion_names_parts_in_order() {
    let parts = completion(&format!(
        "{}\n <Part><ETag> abc </ETag><ChecksumSHA256>x=</ChecksumSHA256><ChecksumCRC32/><PartNumber> 7 </PartNumber></Part>",
        part("2", "&quot;ABC&quot;")
    ))
    .unwrap();
    let shown: Vec<_> = parts
        .iter()
        .map(|part| (part.number, part.etag.as_str(), part.checksums.len()))
        .collect();
    assert_eq!(shown, [(2, "ABC", 0), (7, "abc", 1)]);
}

#[rstest]
#[case("", ErrorCode::MalformedXML)]
#[case("<Part/>", ErrorCode::MalformedXML)]
#[case("<Part><PartNumber>1</PartNumber></Part>", ErrorCode::MalformedXML)]
#[case("<Part><ETag>a</ETag></Part>", ErrorCode::MalformedXML)]
#[case(&part("0", "a"), ErrorCode::InvalidArgument)]
#[case(&part("x", "a"), ErrorCode::InvalidArgument)]
#[case(&(part("2", "a") + &part("1", "a")), ErrorCode::InvalidPartOrder)]
fn a_completion_that_names_no_order_of_parts_is_refused(
    #[case] parts: &str,
    #[case] code: ErrorCode,
) {
    assert_eq!(completion(parts).unwrap_err(), code);
}

#[rstest]
#[case("<ChecksumCRC32>y/Q5Jg==</ChecksumCRC32>", None)]
#[case("<ChecksumSHA512></ChecksumSHA512><Size><Unit>5</Unit></Size>", None)]
#[case(
    "<ChecksumSHA512>AAAA</ChecksumSHA512>",
    Some(ErrorCode::InvalidRequest)
)]
#[case("<ChecksumMD5>AAAA</ChecksumMD5>", Some(ErrorCode::InvalidRequest))]
#[case(
    "<ChecksumXXHASH64>AAAA</ChecksumXXHASH64>",
    Some(ErrorCode::InvalidRequest)
)]
#[case("<ETag>b</ETag>", Some(ErrorCode::MalformedXML))]
#[case("<ETag><A>b</A></ETag>", Some(ErrorCode::MalformedXML))]
fn the_stated_checksum_of_a_part_is_verified_or_refused(
    #[case] more: &str,
    #[case] refusal: Option<ErrorCode>,
) {
    let part = format!("<Part><ETag>a</ETag>{more}<PartNumber>1</PartNumber></Part>");
    assert_eq!(completion(&part).err(), refusal);
}

#[test]
fn a_malformed_completion_is_refused() {
    for document in ["", "<", "<!DOCTYPE a><a/>", "{}"] {
        let error = parse_completion(document).unwrap_err();
        assert_eq!(error.code, ErrorCode::MalformedXML);
    }
}

#[test]
fn of_a_part_named_twice_the_later_counts() {
    let parts = completion(&(part("1", "first") + &part("1", "second"))).unwrap();
    assert_eq!(parts.len(), 1);
    assert_eq!(parts[0].etag, "second");
}

#[test]
fn a_part_is_known_by_its_tag_and_its_checksums() {
    let kept = Kept::new(1, 1).with(ChecksumAlgorithm::Crc32, b"x");
    let etag = kept.etag.as_str();
    let crc = &kept.checksums[0].value;
    let is = |xml: String| completion(&xml).unwrap()[0].is(&kept.held());
    assert!(is(part("1", etag)));
    assert!(is(part("1", &etag.to_ascii_uppercase())));
    assert!(!is(part("2", etag)));
    assert!(!is(part("1", "ffffffffffffffffffffffffffffffff")));
    let with = |element: &str, value: &str| {
        format!(
            "<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag><{element}>{value}</{element}></Part>"
        )
    };
    assert!(is(with("ChecksumCRC32", crc)));
    assert!(!is(with("ChecksumCRC32", "AAAAAA==")));
    assert!(!is(with("ChecksumSHA1", crc)));
}

#[test]
fn each_part_but_the_last_has_five_mebibytes() {
    let sizes = |sizes: &[u64]| {
        let parts: Vec<_> = (1..)
            .zip(sizes)
            .map(|(n, size)| Kept::new(n, *size))
            .collect();
        whole(&parts, None, &[]).map(|_| ())
    };
    assert_eq!(sizes(&[1]), Ok(()));
    assert_eq!(sizes(&[0]), Ok(()));
    assert_eq!(sizes(&[5 * MIB, 1]), Ok(()));
    assert_eq!(sizes(&[5 * MIB - 1, 1]), Err(ErrorCode::EntityTooSmall));
    assert_eq!(
        sizes(&[5 * MIB, 4 * MIB, 1]),
        Err(ErrorCode::EntityTooSmall)
    );
}

#[test]
fn a_refusal_for_size_names_the_part() {
    let (first, last) = (Kept::new(3, 7), Kept::new(4, 1));
    let error = Whole::of(&[first.held(), last.held()], None, &StatedWhole::default()).unwrap_err();
    let shown: Vec<_> = error
        .extras
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    insta::assert_snapshot!(shown.join(" "), @"ProposedSize=7 MinSizeAllowed=5242880 PartNumber=3 ETag=03030303030303030303030303030303");
}

#[rstest]
#[case(&[], Ok(()))]
#[case(&[("x-amz-mp-object-size", "9")], Ok(()))]
#[case(&[("x-amz-mp-object-size", "8")], Err(ErrorCode::InvalidRequest))]
#[case(&[("x-amz-mp-object-size", "-1")], Err(ErrorCode::InvalidRequest))]
#[case(&[("x-amz-checksum-crc32", "y/Q5Jg==")], Ok(()))]
#[case(&[("x-amz-checksum-crc32", "y/Q5Jg=="), ("x-amz-checksum-type", "FULL_OBJECT")], Ok(()))]
#[case(&[("x-amz-checksum-crc32", "AAAAAA==")], Err(ErrorCode::BadDigest))]
#[case(&[("x-amz-checksum-crc32", "bad")], Err(ErrorCode::BadDigest))]
#[case(&[("x-amz-checksum-type", "COMPOSITE")], Err(ErrorCode::InvalidRequest))]
#[case(&[("x-amz-checksum-type", "other")], Err(ErrorCode::InvalidRequest))]
#[case(&[("x-amz-checksum-sha256", "bad")], Err(ErrorCode::InvalidRequest))]
#[case(&[("x-amz-checksum-crc32", "y/Q5Jg=="), ("x-amz-checksum-sha1", "x")], Err(ErrorCode::InvalidRequest))]
fn the_stated_checksum_of_the_whole_must_agree(
    #[case] headers: &[(&str, &str)],
    #[case] expected: Result<(), ErrorCode>,
) {
    let algorithm = ChecksumAlgorithm::Crc32;
    let parts = [Kept::new(1, 9).with(algorithm, b"123456789")];
    let begun = Some((algorithm, ChecksumType::FullObject));
    assert_eq!(whole(&parts, begun, headers).map(|_| ()), expected);
}

#[test]
fn a_composite_is_stated_with_or_without_its_count() {
    let algorithm = ChecksumAlgorithm::Sha256;
    let parts = [Kept::new(1, 5).with(algorithm, b"hello")];
    let begun = Some((algorithm, ChecksumType::Composite));
    let made = whole(&parts, begun, &[]).unwrap().checksum.unwrap();
    let bare = made.value.strip_suffix("-1").unwrap();
    for stated in [made.value.as_str(), bare] {
        assert!(whole(&parts, begun, &[("x-amz-checksum-sha256", stated)]).is_ok());
    }
    let other = format!("{bare}-2");
    let refused = whole(&parts, begun, &[("x-amz-checksum-sha256", &other)]);
    assert_eq!(refused, Err(ErrorCode::BadDigest));
}

#[test]
fn the_checksum_of_all_bytes_can_be_stated_of_an_upload_begun_without_one() {
    let algorithm = ChecksumAlgorithm::Crc32;
    let parts = [Kept::new(1, 9).with(algorithm, b"123456789")];
    let made = whole(&parts, None, &[("x-amz-checksum-crc32", "y/Q5Jg==")]);
    assert_eq!(
        made.unwrap().checksum,
        Some(Checksum::of(algorithm, b"123456789"))
    );
    assert_eq!(whole(&parts, None, &[]).unwrap().checksum, None);
    let bare = [Kept::new(1, 9)];
    let refused = whole(&bare, None, &[("x-amz-checksum-crc32", "y/Q5Jg==")]);
    assert_eq!(refused, Err(ErrorCode::InvalidRequest));
}

#[test]
fn parts_of_a_composite_are_numbered_without_a_gap() {
    let algorithm = ChecksumAlgorithm::Sha256;
    let parts = [
        Kept::new(1, 5 * MIB).with(algorithm, b"a"),
        Kept::new(3, 1).with(algorithm, b"b"),
    ];
    let composite = Some((algorithm, ChecksumType::Composite));
    assert_eq!(
        whole(&parts, composite, &[]),
        Err(ErrorCode::InvalidPartOrder)
    );
    assert!(whole(&parts, None, &[]).is_ok());
}

fn query(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[rstest]
#[case(&[], Some((0, 1000)))]
#[case(&[("part-number-marker", "3"), ("max-parts", "2")], Some((3, 2)))]
#[case(&[("part-number-marker", ""), ("max-parts", "")], Some((0, 1000)))]
#[case(&[("part-number-marker", "2000000"), ("max-parts", "5000")], Some((10_000, 1000)))]
#[case(&[("max-parts", "0")], Some((0, 0)))]
#[case(&[("max-parts", "-1")], None)]
#[case(&[("max-parts", "2147483648")], None)]
#[case(&[("part-number-marker", "x")], None)]
#[case(&[("encoding-type", "base64")], None)]
fn a_page_of_parts_is_bounded(
    #[case] pairs: &[(&str, &str)],
    #[case] expected: Option<(u16, u32)>,
) {
    let parsed = PartsQuery::parse(&query(pairs));
    assert_eq!(parsed.ok().map(|query| (query.after, query.max)), expected);
}

#[test]
fn an_upload_id_marker_means_nothing_without_a_key_marker() {
    let marker = ("upload-id-marker", "abc");
    let alone = UploadsQuery::parse(&query(&[marker])).unwrap();
    assert_eq!(alone.upload_id_marker, None);
    let both = UploadsQuery::parse(&query(&[marker, ("key-marker", "k")])).unwrap();
    assert_eq!(both.upload_id_marker.as_deref(), Some("abc"));
}

#[test]
fn the_listings_are_as_s3_writes_them() {
    let bucket = BucketName::parse("uploads").unwrap();
    let key = ObjectKey::parse("a b/ü").unwrap();
    let upload = InitiatedUpload {
        bucket: &bucket,
        key: &key,
        id: "ID",
    };
    let under_way = UnderWay {
        storage_class: None,
        checksum: Some((ChecksumAlgorithm::Sha256, ChecksumType::Composite)),
    };
    let kept = Kept::new(4, 7).with(ChecksumAlgorithm::Crc32, b"123456789");
    let parts = PartsQuery::parse(&query(&[("max-parts", "1"), ("encoding-type", "url")])).unwrap();
    insta::assert_snapshot!(list_parts(&upload, &under_way, &parts, &[kept.held()], true), @r#"<?xml version="1.0" encoding="UTF-8"?><ListPartsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>uploads</Bucket><Key>a%20b/%C3%BC</Key><UploadId>ID</UploadId><Initiator><ID>696bbd88de75ea4dd210ea128653454eab6e6635a55db0197045bb54868b5a98</ID><DisplayName>hangar</DisplayName></Initiator><Owner><ID>696bbd88de75ea4dd210ea128653454eab6e6635a55db0197045bb54868b5a98</ID><DisplayName>hangar</DisplayName></Owner><StorageClass>STANDARD</StorageClass><ChecksumAlgorithm>SHA256</ChecksumAlgorithm><ChecksumType>COMPOSITE</ChecksumType><PartNumberMarker>0</PartNumberMarker><NextPartNumberMarker>4</NextPartNumberMarker><MaxParts>1</MaxParts><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><Part><PartNumber>4</PartNumber><LastModified>2026-11-23T09:18:10.215Z</LastModified><ETag>&quot;04040404040404040404040404040404&quot;</ETag><Size>7</Size><ChecksumCRC32>y/Q5Jg==</ChecksumCRC32></Part></ListPartsResult>"#);
    let uploads = UploadsQuery::parse(&query(&[("delimiter", "/"), ("prefix", "a")])).unwrap();
    let listed = ListedUpload {
        key: &key,
        id: "ID",
        initiated_at: MODIFIED,
        under_way,
    };
    let page = ListedUploads {
        uploads: &[listed],
        common_prefixes: &["a/".to_owned()],
        next: Some(("a/", "")),
    };
    insta::assert_snapshot!(list_uploads(&bucket, &uploads, &page), @r#"<?xml version="1.0" encoding="UTF-8"?><ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>uploads</Bucket><KeyMarker></KeyMarker><UploadIdMarker></UploadIdMarker><NextKeyMarker>a/</NextKeyMarker><NextUploadIdMarker></NextUploadIdMarker><Prefix>a</Prefix><Delimiter>/</Delimiter><MaxUploads>1000</MaxUploads><IsTruncated>true</IsTruncated><Upload><Key>a b/ü</Key><UploadId>ID</UploadId><Initiator><ID>696bbd88de75ea4dd210ea128653454eab6e6635a55db0197045bb54868b5a98</ID><DisplayName>hangar</DisplayName></Initiator><Owner><ID>696bbd88de75ea4dd210ea128653454eab6e6635a55db0197045bb54868b5a98</ID><DisplayName>hangar</DisplayName></Owner><StorageClass>STANDARD</StorageClass><ChecksumAlgorithm>SHA256</ChecksumAlgorithm><ChecksumType>COMPOSITE</ChecksumType><Initiated>2026-11-23T09:18:10.215Z</Initiated></Upload><CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes></ListMultipartUploadsResult>"#);
    insta::assert_snapshot!(initiated(&upload), @r#"<?xml version="1.0" encoding="UTF-8"?><InitiateMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>uploads</Bucket><Key>a b/ü</Key><UploadId>ID</UploadId></InitiateMultipartUploadResult>"#);
    insta::assert_snapshot!(
        completed("http://h/uploads/a", (&bucket, &key), &kept.etag, &kept.checksums, ChecksumType::FullObject),
        @r#"<?xml version="1.0" encoding="UTF-8"?><CompleteMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Location>http://h/uploads/a</Location><Bucket>uploads</Bucket><Key>a b/ü</Key><ETag>&quot;04040404040404040404040404040404&quot;</ETag><ChecksumCRC32>y/Q5Jg==</ChecksumCRC32><ChecksumType>FULL_OBJECT</ChecksumType></CompleteMultipartUploadResult>"#
    );
}

proptest! {
    #[test]
    fn any_document_is_read_without_a_panic(text in "(<|>|/|&|;|Part|ETag|PartNumber|[0-9]|CompleteMultipartUpload){0,40}") {
        let _ = parse_completion(&text);
    }

    #[test]
    fn the_checksum_of_a_whole_does_not_depend_on_how_it_was_cut(
        body in prop::collection::vec(any::<u8>(), 1..200),
        cut in any::<prop::sample::Index>(),
    ) {
        // What is under test does not look at the sizes that make a part too small.
        let (first, last) = body.split_at(cut.index(body.len()));
        for algorithm in [ChecksumAlgorithm::Crc32, ChecksumAlgorithm::Crc32c, ChecksumAlgorithm::Crc64nvme] {
            let parts = [
                Kept::new(1, first.len() as u64).with(algorithm, first),
                Kept::new(2, last.len() as u64).with(algorithm, last),
            ];
            let held: Vec<_> = parts.iter().map(Kept::held).collect();
            let made = whole_checksum(algorithm, ChecksumType::FullObject, &held);
            prop_assert_eq!(made, Some(Checksum::of(algorithm, &body)));
        }
    }
}
