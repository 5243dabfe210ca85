//! What a listing of objects asks for, and S3's answer to it.
//!
//! The three operations list the same objects; they differ in how a page says where the next one begins.

use crate::s3::listing::page::{ListedObject, ListedPage, NULL_VERSION};
use crate::s3::listing::parameters::{filled, parse_encoding_type, parse_max_keys, value};
use crate::s3::listing::token;
use crate::s3::values::bucket::BucketName;
use crate::s3::values::checksum::ChecksumType;
use crate::s3::values::error::S3Error;
use crate::s3::values::time;
use crate::s3::values::uri;
use crate::s3::values::xml::{self, Elements, Namespace};
use std::borrow::Cow;

const DEFAULT_STORAGE_CLASS: &str = "STANDARD";

/// The parsed query of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    pub prefix: String,
    /// Never empty.
    pub delimiter: Option<String>,
    /// 0 to 1000
    pub max_keys: u32,
    encode_url: bool,
    start: Start,
}

/// Where a page begins, as each of the operations states it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Start {
    Objects {
        marker: String,
    },
    ObjectsV2 {
        start_after: Option<String>,
        /// As the client sent it.
        token: Option<String>,
        /// Its meaning: the last key or common prefix of the page before.
        continued: Option<String>,
        fetch_owner: bool,
    },
    Versions {
        key_marker: String,
        version_id_marker: Option<String>,
    },
}

impl ListQuery {
    /// Of `ListObjects`.
    ///
    /// # Errors
    /// `InvalidArgument` for a bad `max-keys` or `encoding-type`.
    pub fn objects(query: &[(String, String)]) -> Result<Self, S3Error> {
        let marker = value(query, "marker").unwrap_or_default().to_owned();
        Self::parse(query, Start::Objects { marker })
    }

    /// Of `ListObjectsV2`.
    ///
    /// # Errors
    /// As [`ListQuery::objects`], and `InvalidArgument` for a token that does not continue this listing.
    pub fn objects_v2(bucket: &BucketName, query: &[(String, String)]) -> Result<Self, S3Error> {
        let token = value(query, "continuation-token").map(str::to_owned);
        let fetches = |value: &str| value.eq_ignore_ascii_case("true");
        let start = Start::ObjectsV2 {
            start_after: filled(query, "start-after").map(str::to_owned),
            token: token.clone(),
            continued: None,
            fetch_owner: value(query, "fetch-owner").is_some_and(fetches),
        };
        let mut parsed = Self::parse(query, start)?;
        // AWS: an empty token starts from the beginning, and the answer repeats it.
        if let Some(token) = token.filter(|token| !token.is_empty()) {
            let last = token::open(&token, &parsed.scope(bucket))?;
            if let Start::ObjectsV2 { continued, .. } = &mut parsed.start {
                *continued = Some(last);
            }
        }
        Ok(parsed)
    }

    /// Of `ListObjectVersions`.
    ///
    /// # Errors
    /// As [`ListQuery::objects`], and `InvalidArgument` for a version that no object here has.
    pub fn versions(query: &[(String, String)]) -> Result<Self, S3Error> {
        let key_marker = value(query, "key-marker").unwrap_or_default().to_owned();
        let version_id_marker = filled(query, "version-id-marker").map(str::to_owned);
        let refusal = match &version_id_marker {
            Some(_) if key_marker.is_empty() => {
                Some("A version-id marker cannot be specified without a key marker.")
            }
            Some(version) if version != NULL_VERSION => Some("Invalid version id specified"),
            _ => None,
        };
        if let Some(message) = refusal {
            let version = version_id_marker.unwrap_or_default();
            return Err(S3Error::invalid_argument(
                message,
                "version-id-marker",
                version,
            ));
        }
        let start = Start::Versions {
            key_marker,
            version_id_marker,
        };
        Self::parse(query, start)
    }

    fn parse(query: &[(String, String)], start: Start) -> Result<Self, S3Error> {
        Ok(Self {
            prefix: value(query, "prefix").unwrap_or_default().to_owned(),
            // AWS: an empty delimiter is none.
            delimiter: filled(query, "delimiter").map(str::to_owned),
            max_keys: parse_max_keys(value(query, "max-keys"))?,
            encode_url: parse_encoding_type(value(query, "encoding-type"))?,
            start,
        })
    }

    /// The page begins after this key or common prefix.
    #[must_use]
    pub fn after(&self) -> Option<&str> {
        let after = match &self.start {
            Start::Objects { marker } => Some(marker),
            // AWS: a token takes precedence over start-after.
            Start::ObjectsV2 {
                start_after,
                continued,
                ..
            } => continued.as_ref().or(start_after.as_ref()),
            // Each key has one version, so the next key follows any version of it.
            Start::Versions { key_marker, .. } => Some(key_marker),
        };
        after.map(String::as_str).filter(|after| !after.is_empty())
    }

    /// The parameters that a token is bound to: it continues its own listing and no other.
    fn scope<'a>(&'a self, bucket: &'a BucketName) -> [&'a str; 3] {
        let delimiter = self.delimiter.as_deref().unwrap_or_default();
        [bucket.as_str(), &self.prefix, delimiter]
    }

    /// A text of the answer, percent-encoded if the client asked for that.
    fn encoded<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.encode_url {
            Cow::Owned(uri::encode_path(text))
        } else {
            Cow::Borrowed(text)
        }
    }

    /// The answer's document.
    #[must_use]
    pub fn answer(&self, bucket: &BucketName, page: &ListedPage) -> String {
        let (root, entry) = match self.start {
            Start::Versions { .. } => ("ListVersionsResult", "Version"),
            _ => ("ListBucketResult", "Contents"),
        };
        xml::document(root, Namespace::S3, |result| {
            result.text("Name", bucket.as_str());
            match self.start {
                // AWS: its SDK for Python decodes all fields of version 1 but the prefix.
                Start::Objects { .. } => result.text("Prefix", &self.prefix),
                _ => result.text("Prefix", &self.encoded(&self.prefix)),
            }
            self.write_start(result);
            if let Some(next) = &page.next {
                self.write_next(result, bucket, page, next);
            }
            result.text("MaxKeys", &self.max_keys.to_string());
            if let Some(delimiter) = &self.delimiter {
                result.text("Delimiter", &self.encoded(delimiter));
            }
            if self.encode_url {
                result.text("EncodingType", "url");
            }
            if matches!(self.start, Start::ObjectsV2 { .. }) {
                result.text("KeyCount", &page.entries().to_string());
            }
            let is_truncated = page.next.is_some();
            result.text("IsTruncated", if is_truncated { "true" } else { "false" });
            for object in &page.objects {
                result.element(entry, |entry| self.write_object(entry, object));
            }
            for prefix in &page.common_prefixes {
                result.element("CommonPrefixes", |prefixes| {
                    prefixes.text("Prefix", &self.encoded(prefix));
                });
            }
        })
    }

    /// Where the first name that the answer can show may be, at or behind `name`; `None`: it can show `name`.
    #[must_use]
    pub fn first_showable(&self, name: &str) -> Option<String> {
        if self.encode_url {
            None
        } else {
            xml::first_that_can_be_held(name)
        }
    }

    /// Removes the names that the answer cannot show: without `encoding-type=url`, those that XML cannot hold.
    pub fn leave_showable(&self, page: &mut ListedPage) {
        if !self.encode_url {
            page.objects
                .retain(|object| xml::can_hold(object.key.as_str()));
            page.common_prefixes.retain(|prefix| xml::can_hold(prefix));
        }
    }

    /// Where the page begins, as the query states it.
    fn write_start(&self, result: &mut Elements) {
        match &self.start {
            Start::Objects { marker } => result.text("Marker", &self.encoded(marker)),
            Start::ObjectsV2 {
                start_after, token, ..
            } => {
                if let Some(token) = token {
                    result.text("ContinuationToken", token);
                }
                if let Some(start_after) = start_after {
                    result.text("StartAfter", &self.encoded(start_after));
                }
            }
            Start::Versions {
                key_marker,
                version_id_marker,
            } => {
                let version = version_id_marker.as_deref().unwrap_or_default();
                result.text("KeyMarker", &self.encoded(key_marker));
                result.text("VersionIdMarker", version);
            }
        }
    }

    /// The marker or token of the next page.
    fn write_next(
        &self,
        result: &mut Elements,
        bucket: &BucketName,
        page: &ListedPage,
        next: &str,
    ) {
        match &self.start {
            // AWS: without a delimiter the last key is the next marker, and the answer does not repeat it.
            // https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html
            // But a page that ended early begins the next one elsewhere.
            Start::Objects { .. } if self.delimiter.is_none() && page.last() == Some(next) => {}
            Start::Objects { .. } => result.text("NextMarker", &self.encoded(next)),
            Start::ObjectsV2 { .. } => {
                let token = token::seal(next, &self.scope(bucket));
                result.text("NextContinuationToken", &token);
            }
            Start::Versions { .. } => {
                result.text("NextKeyMarker", &self.encoded(next));
                // A common prefix has no version.
                let is_object = |object: &ListedObject| object.key.as_str() == next;
                if page.objects.last().is_some_and(is_object) {
                    result.text("NextVersionIdMarker", NULL_VERSION);
                }
            }
        }
    }

    fn write_object(&self, entry: &mut Elements, object: &ListedObject) {
        entry.text("Key", &self.encoded(object.key.as_str()));
        if matches!(self.start, Start::Versions { .. }) {
            entry.text("VersionId", NULL_VERSION);
            entry.text("IsLatest", "true");
        }
        entry.text("LastModified", &time::iso8601_millis(object.last_modified));
        entry.text("ETag", &object.etag.quoted());
        for algorithm in &object.checksum_algorithms {
            entry.text("ChecksumAlgorithm", algorithm.name());
        }
        if !object.checksum_algorithms.is_empty() {
            let checksum_type = match object.checksum_type {
                ChecksumType::Composite => "COMPOSITE",
                ChecksumType::FullObject => "FULL_OBJECT",
            };
            entry.text("ChecksumType", checksum_type);
        }
        entry.text("Size", &object.size_bytes.to_string());
        if self.shows_owners() {
            entry.owner("Owner");
        }
        let class = object.storage_class.as_deref();
        entry.text("StorageClass", class.unwrap_or(DEFAULT_STORAGE_CLASS));
    }

    fn shows_owners(&self) -> bool {
        match self.start {
            Start::ObjectsV2 { fetch_owner, .. } => fetch_owner,
            Start::Objects { .. } | Start::Versions { .. } => true,
        }
    }
}
