//! Copies: the source, the directives, and the answers.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>

use crate::s3::multipart::document::{write_checksums, write_typed_checksums};
use crate::s3::values::bucket::BucketName;
use crate::s3::values::checksum::{Checksum, ChecksumType};
use crate::s3::values::conditional::{ReadConditions, ReadVerdict};
use crate::s3::values::error::{ErrorCode, S3Error};
use crate::s3::values::etag::ETag;
use crate::s3::values::key::ObjectKey;
use crate::s3::values::time::{Timestamp, iso8601_millis};
use crate::s3::values::uri;
use crate::s3::values::xml::{self, Namespace};

/// The header that names the source, and turns a PUT into a copy.
pub const SOURCE: &str = "x-amz-copy-source";

/// The object that is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopySource {
    pub bucket: BucketName,
    pub key: ObjectKey,
}

impl CopySource {
    /// `BUCKET/KEY`, URL-encoded, with or without a leading slash, and perhaps with `?versionId=null`.
    /// AWS: `+` is a space, and a plus sign is `%2B`; boto3, rclone and MinIO's SDKs send that.
    ///
    /// # Errors
    /// `InvalidArgument`, `KeyTooLongError`, `NoSuchVersion` for any other version.
    pub fn parse(header: &str) -> Result<Self, S3Error> {
        Self::read(&header.replace('+', "%20"))
    }

    /// As [`CopySource::parse`], with each `+` for a plus sign, as MinIO reads it; `None` where there is none.
    ///
    /// # Errors
    /// As [`CopySource::parse`].
    pub fn with_plus_signs(header: &str) -> Result<Option<Self>, S3Error> {
        header.contains('+').then(|| Self::read(header)).transpose()
    }

    fn read(header: &str) -> Result<Self, S3Error> {
        // The value may end in a query that holds what no answer or log repeats.
        let refuse = |message: &'static str| S3Error::invalid_argument(message, SOURCE, "");
        let (path, version) = match header.rsplit_once("?versionId=") {
            Some((path, version)) => (path, Some(version)),
            None => (header, None),
        };
        let path = uri::decode(path)
            .ok_or_else(|| refuse("The copy source must be percent-encoded UTF-8."))?;
        let path = path.strip_prefix('/').unwrap_or(&path);
        let (bucket, key) = path
            .split_once('/')
            .filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty())
            .ok_or_else(|| refuse("You must specify a copy source bucket and source object key"))?;
        let source = Self {
            bucket: BucketName::parse(bucket)
                .map_err(|_| refuse("Invalid copy source bucket name"))?,
            key: ObjectKey::parse(key).map_err(|invalid| invalid.refuse(key))?,
        };
        match version {
            None | Some("null") => Ok(source),
            Some("") => Err(refuse("Version id cannot be the empty string")),
            Some(_) => Err(ErrorCode::NoSuchVersion.into()),
        }
    }
}

/// `COPY` or `REPLACE`: where the copy gets its metadata, or its tags, from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Directive {
    #[default]
    Copy,
    Replace,
}

impl Directive {
    /// Of `x-amz-metadata-directive` and `x-amz-tagging-directive`. `what`: `metadata` or `tagging`.
    ///
    /// # Errors
    /// `InvalidArgument`
    pub fn parse(what: &'static str, header: Option<&str>) -> Result<Self, S3Error> {
        match header {
            None | Some("COPY") => Ok(Self::Copy),
            Some("REPLACE") => Ok(Self::Replace),
            Some(other) => Err(S3Error::invalid_argument(
                format!("Unknown {what} directive."),
                format!("x-amz-{what}-directive"),
                other,
            )),
        }
    }
}

/// AWS: the error for a copy onto itself that changes nothing.
#[must_use]
pub fn changes_nothing() -> S3Error {
    S3Error::with_message(
        ErrorCode::InvalidRequest,
        "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
    )
}

/// The four conditions on the source: those of a read, and whatever does not hold is 412.
///
/// # Errors
/// `PreconditionFailed`
pub fn judge_conditions<'a>(
    header: impl Fn(&'static str) -> Option<&'a str>,
    etag: &ETag,
    last_modified: Timestamp,
) -> Result<(), S3Error> {
    let verdict = ReadConditions {
        if_match: header("x-amz-copy-source-if-match"),
        if_none_match: header("x-amz-copy-source-if-none-match"),
        if_modified_since: header("x-amz-copy-source-if-modified-since"),
        if_unmodified_since: header("x-amz-copy-source-if-unmodified-since"),
    }
    .evaluate(etag, last_modified);
    match verdict {
        ReadVerdict::Proceed => Ok(()),
        ReadVerdict::NotModified | ReadVerdict::PreconditionFailed => {
            Err(ErrorCode::PreconditionFailed.into())
        }
    }
}

/// `CopyObjectResult`
#[must_use]
pub fn object_result(
    etag: &ETag,
    last_modified: Timestamp,
    checksums: &[Checksum],
    checksum_type: ChecksumType,
) -> String {
    xml::document("CopyObjectResult", Namespace::S3, |result| {
        result.text("LastModified", &iso8601_millis(last_modified));
        result.text("ETag", &etag.quoted());
        write_typed_checksums(result, checksums, checksum_type);
    })
}

/// `CopyPartResult`
#[must_use]
pub fn part_result(etag: &ETag, last_modified: Timestamp, checksums: &[Checksum]) -> String {
    xml::document("CopyPartResult", Namespace::S3, |result| {
        result.text("LastModified", &iso8601_millis(last_modified));
        result.text("ETag", &etag.quoted());
        write_checksums(result, checksums);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("bucket/key", "key")]
    #[case("/bucket/key", "key")]
    #[case("bucket/a/b", "a/b")]
    #[case("bucket//a", "/a")]
    #[case("/bucket/a%2Fb%20c%2B+", "a/b c+ ")]
    #[case("bucket%2Fkey", "key")]
    #[case("bucket/a%2525", "a%25")]
    #[case("bucket/%3FversionId", "?versionId")]
    #[case("bucket/a?versionId=null", "a")]
    #[case("bucket/a?b", "a?b")]
    #[case("bucket/%20", " ")]
    fn a_source_is_decoded_once(#[case] header: &str, #[case] key: &str) {
        let source = CopySource::parse(header).unwrap();
        assert_eq!(source.bucket.as_str(), "bucket");
        assert_eq!(source.key.as_str(), key);
    }

    #[rstest]
    #[case("", ErrorCode::InvalidArgument)]
    #[case("/", ErrorCode::InvalidArgument)]
    #[case("bucket", ErrorCode::InvalidArgument)]
    #[case("bucket/", ErrorCode::InvalidArgument)]
    #[case("//key", ErrorCode::InvalidArgument)]
    #[case("B_/key", ErrorCode::InvalidArgument)]
    #[case("bucket/%", ErrorCode::InvalidArgument)]
    #[case("bucket/%FF", ErrorCode::InvalidArgument)]
    #[case("bucket/a?versionId=", ErrorCode::InvalidArgument)]
    #[case("bucket/a?versionId=123", ErrorCode::NoSuchVersion)]
    fn a_copy_source_must_name_an_object(#[case] header: &str, #[case] code: ErrorCode) {
        assert_eq!(CopySource::parse(header).unwrap_err().code, code);
    }

    const MODIFIED: Timestamp = Timestamp::from_millis(1_795_425_490_215);
    const BEFORE: &str = "Mon, 23 Nov 2026 09:18:09 GMT";
    const AFTER: &str = "Mon, 23 Nov 2026 09:18:11 GMT";

    #[rstest]
    #[case(&[], true)]
    #[case(&[("if-match", "\"abc\"")], true)]
    #[case(&[("if-match", "ABCORZ")], false)]
    #[case(&[("if-none-match", "\"abc\"")], false)]
    #[case(&[("if-none-match", "ABCORZ")], true)]
    #[case(&[("if-modified-since", BEFORE)], true)]
    #[case(&[("if-modified-since", AFTER)], false)]
    #[case(&[("if-unmodified-since", BEFORE)], false)]
    #[case(&[("if-unmodified-since", AFTER)], true)]
    #[case(&[("if-match", "abc"), ("if-unmodified-since", BEFORE)], true)]
    #[case(&[("if-none-match", "abc"), ("if-modified-since", BEFORE)], false)]
    fn the_conditions_of_a_copy_are_those_of_a_read(
        #[case] sent: &[(&str, &str)],
        #[case] holds: bool,
    ) {
        let header = |name: &'static str| {
            let name = name.strip_prefix("x-amz-copy-source-").unwrap();
            sent.iter()
                .find(|(sent, _)| *sent == name)
                .map(|(_, value)| *value)
        };
        let judged = judge_conditions(header, &ETag::from_stored("abc".to_owned()), MODIFIED);
        let refused = judged.err().map(|error| error.code);
        let expected = (!holds).then_some(ErrorCode::PreconditionFailed);
        assert_eq!(refused, expected);
    }

    #[test]
    fn a_plus_sign_that_is_not_encoded_may_be_one() {
        let key = |header| {
            CopySource::with_plus_signs(header)
                .unwrap()
                .map(|it| it.key)
        };
        let named = |key| Some(ObjectKey::parse(key).unwrap());
        assert_eq!(key("bucket/a+b%20c%2Bd"), named("a+b c+d"));
        assert_eq!(key("bucket/a%2Bb"), None);
    }

    #[test]
    fn a_directive_is_one_of_two() {
        let parse = |header| Directive::parse("metadata", header).map_err(|error| error.code);
        assert_eq!(parse(None), Ok(Directive::Copy));
        assert_eq!(parse(Some("COPY")), Ok(Directive::Copy));
        assert_eq!(parse(Some("REPLACE")), Ok(Directive::Replace));
        assert_eq!(parse(Some("replace?")), Err(ErrorCode::InvalidArgument));
    }

    #[test]
    fn the_answers_name_the_copy() {
        let etag = ETag::from_stored("abc".to_owned());
        let checksum = Checksum::parse(
            crate::s3::values::checksum::ChecksumAlgorithm::Crc32,
            "y/Q5Jg==",
        );
        let checksums = [checksum.unwrap()];
        insta::assert_snapshot!(
            object_result(&etag, MODIFIED, &checksums, ChecksumType::FullObject),
            @r#"<?xml version="1.0" encoding="UTF-8"?><CopyObjectResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LastModified>2026-11-23T09:18:10.215Z</LastModified><ETag>&quot;abc&quot;</ETag><ChecksumCRC32>y/Q5Jg==</ChecksumCRC32><ChecksumType>FULL_OBJECT</ChecksumType></CopyObjectResult>"#
        );
        insta::assert_snapshot!(part_result(&etag, MODIFIED, &checksums), @r#"<?xml version="1.0" encoding="UTF-8"?><CopyPartResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LastModified>2026-11-23T09:18:10.215Z</LastModified><ETag>&quot;abc&quot;</ETag><ChecksumCRC32>y/Q5Jg==</ChecksumCRC32></CopyPartResult>"#);
    }

    proptest! {
        #[test]
        fn whatever_key_is_encoded_is_found_again(key in "\\PC{1,40}") {
            let header = format!("/bucket/{}", uri::encode_path(&key));
            let source = CopySource::parse(&header).unwrap();
            prop_assert_eq!(source.key.as_str(), key);
        }

        #[test]
        fn any_source_is_read_without_a_panic(header in "\\PC{0,80}") {
            let _ = CopySource::parse(&header);
        }
    }
}
