//! The XML answers of multipart uploads.

use crate::s3::multipart::part::HeldPart;
use crate::s3::multipart::query::{PartsQuery, UploadsQuery};
use crate::s3::values::bucket::BucketName;
use crate::s3::values::checksum::{Checksum, ChecksumAlgorithm, ChecksumType};
use crate::s3::values::etag::ETag;
use crate::s3::values::key::ObjectKey;
use crate::s3::values::time::{Timestamp, iso8601_millis};
use crate::s3::values::uri;
use crate::s3::values::xml::{self, Elements, Namespace};
use std::borrow::Cow;

/// An upload as every document of it names it.
#[derive(Debug, Clone, Copy)]
pub struct InitiatedUpload<'a> {
    pub bucket: &'a BucketName,
    pub key: &'a ObjectKey,
    pub id: &'a str,
}

/// `InitiateMultipartUploadResult`
#[must_use]
pub fn initiated(upload: &InitiatedUpload<'_>) -> String {
    xml::document("InitiateMultipartUploadResult", Namespace::S3, |result| {
        result.text("Bucket", upload.bucket.as_str());
        result.text("Key", upload.key.as_str());
        result.text("UploadId", upload.id);
    })
}

/// `CompleteMultipartUploadResult`
#[must_use]
pub fn completed(
    location: &str,
    (bucket, key): (&BucketName, &ObjectKey),
    etag: &ETag,
    checksums: &[Checksum],
    checksum_type: ChecksumType,
) -> String {
    xml::document("CompleteMultipartUploadResult", Namespace::S3, |result| {
        result.text("Location", location);
        result.text("Bucket", bucket.as_str());
        result.text("Key", key.as_str());
        result.text("ETag", &etag.quoted());
        write_typed_checksums(result, checksums, checksum_type);
    })
}

/// The elements `ChecksumCRC32` and so on.
pub(in crate::s3) fn write_checksums(elements: &mut Elements, checksums: &[Checksum]) {
    for checksum in checksums {
        elements.text(checksum.algorithm.element(), &checksum.value);
    }
}

/// [`write_checksums`], and of which type they are.
pub(in crate::s3) fn write_typed_checksums(
    elements: &mut Elements,
    checksums: &[Checksum],
    checksum_type: ChecksumType,
) {
    write_checksums(elements, checksums);
    if !checksums.is_empty() {
        elements.text("ChecksumType", checksum_type.as_str());
    }
}

/// What the listings say of an upload beside its name.
#[derive(Debug, Clone, Copy)]
pub struct UnderWay<'a> {
    pub storage_class: Option<&'a str>,
    pub checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
}

impl UnderWay<'_> {
    fn write(&self, elements: &mut Elements) {
        elements.owner("Initiator");
        elements.owner("Owner");
        elements.text("StorageClass", self.storage_class.unwrap_or("STANDARD"));
        if let Some((algorithm, checksum_type)) = self.checksum {
            elements.text("ChecksumAlgorithm", algorithm.name());
            elements.text("ChecksumType", checksum_type.as_str());
        }
    }
}

fn encoded(text: &str, encode_url: bool) -> Cow<'_, str> {
    if encode_url {
        Cow::Owned(uri::encode_path(text))
    } else {
        Cow::Borrowed(text)
    }
}

fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// `ListPartsResult`
#[must_use]
pub fn list_parts(
    upload: &InitiatedUpload<'_>,
    under_way: &UnderWay<'_>,
    query: &PartsQuery,
    parts: &[HeldPart<'_>],
    is_truncated: bool,
) -> String {
    xml::document("ListPartsResult", Namespace::S3, |result| {
        result.text("Bucket", upload.bucket.as_str());
        result.text("Key", &encoded(upload.key.as_str(), query.encode_url));
        result.text("UploadId", upload.id);
        under_way.write(result);
        let last = parts.last().map_or(query.after, |part| part.number);
        result.text("PartNumberMarker", &query.after.to_string());
        result.text("NextPartNumberMarker", &last.to_string());
        result.text("MaxParts", &query.max.to_string());
        if query.encode_url {
            result.text("EncodingType", "url");
        }
        result.text("IsTruncated", truth(is_truncated));
        for part in parts {
            result.element("Part", |element| {
                element.text("PartNumber", &part.number.to_string());
                element.text("LastModified", &iso8601_millis(part.last_modified));
                element.text("ETag", &part.etag.quoted());
                element.text("Size", &part.size_bytes.to_string());
                write_checksums(element, part.checksums);
            });
        }
    })
}

/// An upload of a listing.
#[derive(Debug, Clone, Copy)]
pub struct ListedUpload<'a> {
    pub key: &'a ObjectKey,
    pub id: &'a str,
    pub initiated_at: Timestamp,
    pub under_way: UnderWay<'a>,
}

/// A page of a bucket's uploads.
#[derive(Debug, Clone, Copy)]
pub struct ListedUploads<'a> {
    pub uploads: &'a [ListedUpload<'a>],
    pub common_prefixes: &'a [String],
    /// Key (or common prefix) and upload id of the last entry, where more follow.
    pub next: Option<(&'a str, &'a str)>,
}

/// `ListMultipartUploadsResult`
#[must_use]
pub fn list_uploads(bucket: &BucketName, query: &UploadsQuery, page: &ListedUploads<'_>) -> String {
    let encoded = |text| encoded(text, query.encode_url);
    xml::document("ListMultipartUploadsResult", Namespace::S3, |result| {
        result.text("Bucket", bucket.as_str());
        result.text(
            "KeyMarker",
            &encoded(query.key_marker.as_deref().unwrap_or_default()),
        );
        result.text(
            "UploadIdMarker",
            query.upload_id_marker.as_deref().unwrap_or_default(),
        );
        if let Some((key, id)) = page.next {
            result.text("NextKeyMarker", &encoded(key));
            result.text("NextUploadIdMarker", id);
        }
        result.text("Prefix", &encoded(&query.prefix));
        if let Some(delimiter) = &query.delimiter {
            result.text("Delimiter", &encoded(delimiter));
        }
        result.text("MaxUploads", &query.max.to_string());
        if query.encode_url {
            result.text("EncodingType", "url");
        }
        result.text("IsTruncated", truth(page.next.is_some()));
        for upload in page.uploads {
            result.element("Upload", |element| {
                element.text("Key", &encoded(upload.key.as_str()));
                element.text("UploadId", upload.id);
                upload.under_way.write(element);
                element.text("Initiated", &iso8601_millis(upload.initiated_at));
            });
        }
        for prefix in page.common_prefixes {
            result.element("CommonPrefixes", |element| {
                element.text("Prefix", &encoded(prefix));
            });
        }
    })
}
