//! `GetObjectAttributes`: the requested attributes, and the answer.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html>

use crate::s3::multipart::document::{write_checksums, write_typed_checksums};
use crate::s3::multipart::query::PartsQuery;
use crate::s3::values::checksum::{Checksum, ChecksumType};
use crate::s3::values::error::{ErrorCode, S3Error};
use crate::s3::values::etag::ETag;
use crate::s3::values::xml::{self, Elements, Namespace};

/// Which attributes are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a set of five names, each there or not"
)]
pub struct AskedAttributes {
    etag: bool,
    checksum: bool,
    parts: bool,
    storage_class: bool,
    size: bool,
}

impl AskedAttributes {
    /// Of `x-amz-object-attributes`: names, separated by commas.
    ///
    /// # Errors
    /// `InvalidRequest` for none, `InvalidArgument` for one that S3 has not.
    pub fn parse(header: &str) -> Result<Self, S3Error> {
        let mut asked = Self::default();
        for name in header
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            let attribute = match name {
                "ETag" => &mut asked.etag,
                "Checksum" => &mut asked.checksum,
                "ObjectParts" => &mut asked.parts,
                "StorageClass" => &mut asked.storage_class,
                "ObjectSize" => &mut asked.size,
                other => {
                    return Err(S3Error::invalid_argument(
                        "Invalid attribute name specified.",
                        "x-amz-object-attributes",
                        other.chars().take(256).collect::<String>(),
                    ));
                }
            };
            *attribute = true;
        }
        if asked == Self::default() {
            return Err(S3Error::with_message(
                ErrorCode::InvalidRequest,
                "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty",
            ));
        }
        Ok(asked)
    }
}

/// A part of an object; its number is its place, from 1.
#[derive(Debug, Clone, Copy)]
pub struct PartAttributes<'a> {
    pub size_bytes: u64,
    pub checksums: &'a [Checksum],
}

/// The attributes of an object.
#[derive(Debug, Clone)]
pub struct Attributes<'a> {
    pub etag: &'a ETag,
    pub size_bytes: u64,
    pub storage_class: Option<&'a str>,
    pub checksums: &'a [Checksum],
    pub checksum_type: ChecksumType,
    /// Empty for an object that no multipart upload made.
    pub parts: Vec<PartAttributes<'a>>,
}

/// `GetObjectAttributesResponse`; `page` says which parts.
#[must_use]
pub fn document(asked: AskedAttributes, page: &PartsQuery, object: &Attributes<'_>) -> String {
    xml::document("GetObjectAttributesResponse", Namespace::S3, |response| {
        if asked.etag {
            // AWS: without quotes here.
            response.text("ETag", object.etag.as_str());
        }
        if asked.checksum && !object.checksums.is_empty() {
            // AWS: a composite one without its `-N` here, which every other answer has.
            let checksums: Vec<Checksum> = object
                .checksums
                .iter()
                .map(Checksum::without_count)
                .collect();
            response.element("Checksum", |checksum| {
                write_typed_checksums(checksum, &checksums, object.checksum_type);
            });
        }
        if asked.parts && !object.parts.is_empty() {
            response.element("ObjectParts", |parts| write_parts(parts, page, object));
        }
        if asked.storage_class {
            response.text("StorageClass", object.storage_class.unwrap_or("STANDARD"));
        }
        if asked.size {
            response.text("ObjectSize", &object.size_bytes.to_string());
        }
    })
}

fn write_parts(elements: &mut Elements, page: &PartsQuery, object: &Attributes<'_>) {
    let numbered = || (1_u16..).zip(&object.parts);
    let most = usize::try_from(page.max).unwrap_or(usize::MAX);
    let shown = || {
        numbered()
            .skip_while(|(number, _)| *number <= page.after)
            .take(most)
    };
    let last = shown().last().map_or(page.after, |(number, _)| number);
    let more_follow = most > 0 && usize::from(last) < object.parts.len();
    elements.text("PartsCount", &object.parts.len().to_string());
    elements.text("PartNumberMarker", &page.after.to_string());
    elements.text("NextPartNumberMarker", &last.to_string());
    elements.text("MaxParts", &page.max.to_string());
    elements.text("IsTruncated", if more_follow { "true" } else { "false" });
    for (number, part) in shown() {
        elements.element("Part", |element| {
            element.text("PartNumber", &number.to_string());
            element.text("Size", &part.size_bytes.to_string());
            write_checksums(element, part.checksums);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("", ErrorCode::InvalidRequest)]
    #[case(" , ", ErrorCode::InvalidRequest)]
    #[case("ETag,Colour", ErrorCode::InvalidArgument)]
    #[case("etag", ErrorCode::InvalidArgument)]
    fn unknown_attributes_are_refused(#[case] header: &str, #[case] code: ErrorCode) {
        assert_eq!(AskedAttributes::parse(header).unwrap_err().code, code);
    }

    fn page(after: &str, max: &str) -> PartsQuery {
        PartsQuery::of(("marker", Some(after)), ("max", Some(max))).unwrap()
    }

    fn object(etag: &ETag, parts: usize) -> Attributes<'_> {
        let part = PartAttributes {
            size_bytes: 5,
            checksums: &[],
        };
        Attributes {
            etag,
            size_bytes: 15,
            storage_class: None,
            checksums: &[],
            checksum_type: ChecksumType::FullObject,
            parts: vec![part; parts],
        }
    }

    #[test]
    fn only_requested_attributes_are_answered() {
        let etag = ETag::from_stored("abc-3".to_owned());
        let asked = AskedAttributes::parse("ETag, ObjectSize,StorageClass,Checksum").unwrap();
        insta::assert_snapshot!(document(asked, &page("0", "10"), &object(&etag, 3)), @r#"<?xml version="1.0" encoding="UTF-8"?><GetObjectAttributesResponse xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><ETag>abc-3</ETag><StorageClass>STANDARD</StorageClass><ObjectSize>15</ObjectSize></GetObjectAttributesResponse>"#);
    }

    #[test]
    fn a_composite_checksum_is_answered_without_the_number_of_parts() {
        use crate::s3::values::checksum::ChecksumAlgorithm;
        let etag = ETag::from_stored("abc-2".to_owned());
        let part = Checksum::of(ChecksumAlgorithm::Sha1, b"part");
        let checksums = [Checksum::composite(
            ChecksumAlgorithm::Sha1,
            &[&part, &part],
        )];
        assert!(checksums[0].value.ends_with("=-2"));
        let composite = Attributes {
            checksums: &checksums,
            checksum_type: ChecksumType::Composite,
            ..object(&etag, 0)
        };
        let asked = AskedAttributes::parse("Checksum").unwrap();
        let digest = checksums[0].value.strip_suffix("-2").unwrap();
        let shown = format!("<ChecksumSHA1>{digest}</ChecksumSHA1><ChecksumType>COMPOSITE<");
        let document = document(asked, &page("0", "10"), &composite);
        assert!(document.contains(&shown), "{document}");
    }

    #[rstest]
    #[case("2", 2)]
    #[case("0", 0)]
    #[case("4000", 1000)]
    #[case("many", 1000)]
    #[case("-1", 1000)]
    #[case("99999999999", 1000)]
    #[case("", 1000)]
    fn a_maximum_that_is_not_a_number_is_ignored(#[case] max: &str, #[case] parts: u32) {
        let page = PartsQuery::of_headers(("marker", None), ("max", Some(max))).unwrap();
        assert_eq!(page.max, parts);
        let marker = PartsQuery::of_headers(("marker", Some("x")), ("max", Some(max)));
        assert_eq!(marker.unwrap_err().code, ErrorCode::InvalidArgument);
    }

    #[test]
    fn parts_come_in_pages() {
        let etag = ETag::from_stored("abc-3".to_owned());
        let asked = AskedAttributes::parse("ObjectParts").unwrap();
        insta::assert_snapshot!(document(asked, &page("1", "1"), &object(&etag, 3)), @r#"<?xml version="1.0" encoding="UTF-8"?><GetObjectAttributesResponse xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><ObjectParts><PartsCount>3</PartsCount><PartNumberMarker>1</PartNumberMarker><NextPartNumberMarker>2</NextPartNumberMarker><MaxParts>1</MaxParts><IsTruncated>true</IsTruncated><Part><PartNumber>2</PartNumber><Size>5</Size></Part></ObjectParts></GetObjectAttributesResponse>"#);
        insta::assert_snapshot!(document(asked, &page("2", "10"), &object(&etag, 3)), @r#"<?xml version="1.0" encoding="UTF-8"?><GetObjectAttributesResponse xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><ObjectParts><PartsCount>3</PartsCount><PartNumberMarker>2</PartNumberMarker><NextPartNumberMarker>3</NextPartNumberMarker><MaxParts>10</MaxParts><IsTruncated>false</IsTruncated><Part><PartNumber>3</PartNumber><Size>5</Size></Part></ObjectParts></GetObjectAttributesResponse>"#);
        insta::assert_snapshot!(document(asked, &page("0", "10"), &object(&etag, 0)), @r#"<?xml version="1.0" encoding="UTF-8"?><GetObjectAttributesResponse xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></GetObjectAttributesResponse>"#);
    }
}
