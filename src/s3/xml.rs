//! The XML answers of S3 (namespace `http://s3.amazonaws.com/doc/2006-03-01/`), written with `quick-xml`.
//!
//! What is written is always well-formed XML 1.0: a character that XML 1.0 cannot hold is never written but replaced
//! by U+FFFD; whoever needs such a key exactly asks for `encoding-type=url`. It knows neither requests nor the store.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>
use super::uri;
use super::{BucketName, ETag, ErrorCode, ObjectKey, S3Error};
use crate::s3::time::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use sha2::Digest as _;
use std::borrow::Cow;

/// The canonical user id of the one owner that there is: 64 hex digits, as AWS's are.
pub const OWNER_ID: &str = "696bbd88de75ea4dd210ea128653454eab6e6635a55db0197045bb54868b5a98";
/// The name that goes with [`OWNER_ID`].
pub const OWNER_NAME: &str = "hangar";
/// Keys and common prefixes that one page holds at most.
pub const MAX_KEYS: u32 = 1000;

/// Whether a document's root states S3's namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    S3,
    None,
}
const S3_NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
const INFALLIBLE: &str = "writing to memory does not fail";

/// Writes a document with the root element `name`.
pub fn document(name: &str, namespace: Namespace, write: impl FnOnce(&mut Elements)) -> String {
    let mut elements = Elements(Writer::new(Vec::new()));
    elements.event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
    let mut root = BytesStart::new(name);
    if namespace == Namespace::S3 {
        root.push_attribute(("xmlns", S3_NAMESPACE));
    }
    elements.event(Event::Start(root));
    write(&mut elements);
    elements.event(Event::End(BytesEnd::new(name)));
    String::from_utf8(elements.0.into_inner()).expect("only text was written")
}
/// The inside of an element that is being written.
pub struct Elements(Writer<Vec<u8>>);
impl Elements {
    /// `<name>…</name>` with elements inside.
    pub fn element(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        self.event(Event::Start(BytesStart::new(name)));
        write(self);
        self.event(Event::End(BytesEnd::new(name)));
    }
    /// `<name>text</name>`, escaped.
    pub fn text(&mut self, name: &str, text: &str) {
        self.element(name, |inside| {
            inside.event(Event::Text(BytesText::new(&representable(text))));
        });
    }
    fn event(&mut self, event: Event<'_>) {
        self.0.write_event(event).expect(INFALLIBLE);
    }
}
/// `text` with every character that XML 1.0 cannot hold replaced by U+FFFD. <https://www.w3.org/TR/xml/#charsets>
fn representable(text: &str) -> Cow<'_, str> {
    let unheld = |c: char| !matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{FFFD}' | '\u{10000}'..);
    if text.contains(unheld) {
        Cow::Owned(text.replace(unheld, "\u{FFFD}"))
    } else {
        Cow::Borrowed(text)
    }
}

pub struct ListedObject {
    pub key: ObjectKey,
    pub etag: ETag,
    pub size_bytes: u64,
    pub last_modified: Timestamp,
}
/// The parsed query of `ListObjectsV2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListV2Query {
    pub prefix: String,
    /// Never empty.
    pub delimiter: Option<String>,
    /// 0 to 1000
    pub max_keys: u32,
    pub start_after: Option<String>,
    /// Opaque to clients; here decoded to the last key or common prefix that was given.
    pub continuation_token: Option<String>,
    /// The token as the client sent it.
    pub raw_token: Option<String>,
    pub encode_url: bool,
    pub fetch_owner: bool,
}
impl ListV2Query {
    /// # Errors
    /// `InvalidArgument` for a bad `max-keys`, `encoding-type` or token.
    pub fn parse(query: &[(String, String)]) -> Result<Self, super::S3Error> {
        let get = |name: &str| {
            query
                .iter()
                .find(|(sent, _)| sent == name)
                .map(|(_, value)| value.as_str())
        };
        let prefix = get("prefix").unwrap_or_default().to_owned();
        // AWS: an empty delimiter, start-after or token is none.
        let filled = |name: &str| get(name).filter(|value| !value.is_empty());
        let delimiter = filled("delimiter").map(str::to_owned);
        let continuation_token = filled("continuation-token")
            .map(|token| open_token(token, &prefix, delimiter.as_deref()))
            .transpose()?;
        Ok(Self {
            max_keys: parse_max_keys(get("max-keys"))?,
            start_after: filled("start-after").map(str::to_owned),
            continuation_token,
            raw_token: get("continuation-token").map(str::to_owned),
            encode_url: parse_encoding_type(get("encoding-type"))?,
            fetch_owner: get("fetch-owner").is_some_and(|value| value.eq_ignore_ascii_case("true")),
            prefix,
            delimiter,
        })
    }
    /// A text of a listing as the client asked to have it.
    fn encoded<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.encode_url {
            Cow::Owned(uri::encode_path(text))
        } else {
            Cow::Borrowed(text)
        }
    }
}
/// `max-keys` of a listing: 0 is allowed, more than [`MAX_KEYS`] means [`MAX_KEYS`].
/// # Errors
/// `InvalidArgument` when it is no number from 0 to 2147483647.
pub fn parse_max_keys(sent: Option<&str>) -> Result<u32, S3Error> {
    let Some(sent) = sent else {
        return Ok(MAX_KEYS);
    };
    sent.parse::<i32>()
        .ok()
        .filter(|_| sent.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|number| u32::try_from(number).ok())
        .map(|number| number.min(MAX_KEYS))
        .ok_or_else(|| {
            S3Error::invalid_argument(
                "Provided max-keys not an integer or within integer range",
                "max-keys",
                sent,
            )
        })
}
/// `encoding-type` of a listing: whether names are wanted percent-encoded.
/// # Errors
/// `InvalidArgument` when it is anything but `url`.
pub fn parse_encoding_type(sent: Option<&str>) -> Result<bool, S3Error> {
    match sent {
        None => Ok(false),
        Some("url") => Ok(true),
        Some(other) => Err(S3Error::invalid_argument(
            "Invalid Encoding Method specified in Request",
            "encoding-type",
            other,
        )),
    }
}

/// Bytes of a continuation token that bind it to its listing.
const BINDING_BYTES: usize = 8;

/// What a token is bound to: it continues the listing that it came from and no other.
fn token_binding(prefix: &str, delimiter: Option<&str>) -> [u8; BINDING_BYTES] {
    let digest = sha2::Sha256::new()
        .chain_update((prefix.len() as u64).to_be_bytes())
        .chain_update(prefix)
        .chain_update(delimiter.unwrap_or_default())
        .finalize();
    std::array::from_fn(|at| digest[at])
}
fn seal_token(last: &str, prefix: &str, delimiter: Option<&str>) -> String {
    let mut bytes = token_binding(prefix, delimiter).to_vec();
    bytes.extend_from_slice(last.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}
fn open_token(token: &str, prefix: &str, delimiter: Option<&str>) -> Result<String, S3Error> {
    let bytes = URL_SAFE_NO_PAD.decode(token).unwrap_or_default();
    bytes
        .strip_prefix(&token_binding(prefix, delimiter))
        .and_then(|last| std::str::from_utf8(last).ok())
        .filter(|last| !last.is_empty() && last.starts_with(prefix))
        .map(str::to_owned)
        .ok_or_else(|| {
            S3Error::with_message(
                ErrorCode::InvalidArgument,
                "The continuation token provided is incorrect",
            )
            .extra("ArgumentName", "continuation-token")
        })
}

pub struct ListedPage {
    pub objects: Vec<ListedObject>,
    pub common_prefixes: Vec<String>,
    /// The last key or common prefix of this page where more follow.
    pub next: Option<String>,
}
/// `ListBucketResult` of `ListObjectsV2`.
#[must_use]
pub fn list_objects_v2(bucket: &BucketName, query: &ListV2Query, page: &ListedPage) -> String {
    document("ListBucketResult", Namespace::S3, |result| {
        result.text("Name", bucket.as_str());
        result.text("Prefix", &query.encoded(&query.prefix));
        if let Some(delimiter) = &query.delimiter {
            result.text("Delimiter", &query.encoded(delimiter));
        }
        result.text("MaxKeys", &query.max_keys.to_string());
        if query.encode_url {
            result.text("EncodingType", "url");
        }
        let key_count = page.objects.len() + page.common_prefixes.len();
        result.text("KeyCount", &key_count.to_string());
        result.text(
            "IsTruncated",
            if page.next.is_some() { "true" } else { "false" },
        );
        if let Some(token) = &query.raw_token {
            result.text("ContinuationToken", token);
        }
        if let Some(next) = &page.next {
            let token = seal_token(next, &query.prefix, query.delimiter.as_deref());
            result.text("NextContinuationToken", &token);
        }
        if let Some(start_after) = &query.start_after {
            result.text("StartAfter", &query.encoded(start_after));
        }
        for object in &page.objects {
            result.element("Contents", |contents| {
                listed_object(contents, query, object);
            });
        }
        for prefix in &page.common_prefixes {
            result.element("CommonPrefixes", |prefixes| {
                prefixes.text("Prefix", &query.encoded(prefix));
            });
        }
    })
}
fn listed_object(contents: &mut Elements, query: &ListV2Query, object: &ListedObject) {
    contents.text("Key", &query.encoded(object.key.as_str()));
    contents.text(
        "LastModified",
        &super::time::iso8601_millis(object.last_modified),
    );
    contents.text("ETag", &object.etag.quoted());
    contents.text("Size", &object.size_bytes.to_string());
    if query.fetch_owner {
        owner(contents, OWNER_ID);
    }
    contents.text("StorageClass", "STANDARD");
}
fn owner(elements: &mut Elements, id: &str) {
    elements.element("Owner", |owner| {
        owner.text("ID", id);
        owner.text("DisplayName", OWNER_NAME);
    });
}
/// The parsed query of `ListBuckets`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListBucketsQuery {
    pub prefix: String,
    /// 1 to 10,000
    max_buckets: usize,
    /// The last name that was given.
    after: Option<String>,
}
impl ListBucketsQuery {
    /// # Errors
    /// `InvalidArgument` for a bad `max-buckets` or token.
    pub fn parse(query: &[(String, String)]) -> Result<Self, S3Error> {
        let get = |name: &str| {
            let sent = query.iter().find(|(sent, _)| sent == name);
            sent.map(|(_, value)| value.as_str())
        };
        let prefix = get("prefix").unwrap_or_default().to_owned();
        let max_buckets = match get("max-buckets") {
            None => MAX_BUCKETS,
            Some(sent) => sent
                .parse()
                .ok()
                .filter(|number| (1..=MAX_BUCKETS).contains(number))
                .ok_or_else(|| {
                    S3Error::invalid_argument(
                        "max-buckets must be a number from 1 to 10000",
                        "max-buckets",
                        sent,
                    )
                })?,
        };
        let after = get("continuation-token")
            .filter(|token| !token.is_empty())
            .map(|token| open_token(token, &prefix, None))
            .transpose()?;
        Ok(Self {
            prefix,
            max_buckets,
            after,
        })
    }

    /// The page that is asked for, of buckets in any order, and whether more follow.
    fn page<'a>(
        &self,
        buckets: &'a [(BucketName, Timestamp)],
    ) -> (Vec<&'a (BucketName, Timestamp)>, bool) {
        let follows = |name: &str| self.after.as_deref().is_none_or(|after| name > after);
        let mut page: Vec<_> = buckets
            .iter()
            .filter(|(name, _)| name.as_str().starts_with(&self.prefix) && follows(name.as_str()))
            .collect();
        page.sort_unstable();
        let more_follow = page.len() > self.max_buckets;
        page.truncate(self.max_buckets);
        (page, more_follow)
    }
}
/// Buckets that one page holds at most.
const MAX_BUCKETS: usize = 10_000;

/// `ListAllMyBucketsResult`: the page that `query` asks for, of all `buckets`.
#[must_use]
pub fn list_buckets(query: &ListBucketsQuery, buckets: &[(BucketName, Timestamp)]) -> String {
    let (buckets, more_follow) = query.page(buckets);
    document("ListAllMyBucketsResult", Namespace::S3, |result| {
        owner(result, OWNER_ID);
        result.element("Buckets", |list| {
            for (name, created) in &buckets {
                list.element("Bucket", |bucket| {
                    bucket.text("Name", name.as_str());
                    bucket.text("CreationDate", &super::time::iso8601_millis(*created));
                });
            }
        });
        if !query.prefix.is_empty() {
            result.text("Prefix", &query.prefix);
        }
        if let Some((last, _)) = buckets.last().filter(|_| more_follow) {
            let token = seal_token(last.as_str(), &query.prefix, None);
            result.text("ContinuationToken", &token);
        }
    })
}
/// The 201 answer to a form. AWS: without a namespace.
#[must_use]
pub fn post_response(location: &str, bucket: &BucketName, key: &ObjectKey, etag: &ETag) -> String {
    document("PostResponse", Namespace::None, |response| {
        response.text("Location", location);
        response.text("Bucket", bucket.as_str());
        response.text("Key", key.as_str());
        response.text("ETag", &etag.quoted());
    })
}

#[cfg(test)]
mod tests;
