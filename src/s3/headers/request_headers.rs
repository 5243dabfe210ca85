//! What hangar does with each header of S3's API: it acts on it, refuses it or ignores it.
//!
//! One table decides, for headers, for the same names in a presigned query and for form fields. A header is refused
//! where ignoring it would lose data, or make a client rely on a protection that does not exist. The page
//! `docs/s3-headers.md` is written from this table, and `tests/clients/test_request_headers.py` holds the table against
//! the model of botocore: a header that is new there must be decided here.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>
use crate::s3::op;
use crate::s3::values::checksum::unknown_checksum;
use crate::s3::values::error::{ErrorCode, S3Error};
use crate::s3::values::xml::OWNER_ID;

/// One line of the table.
struct Row {
    /// Lower case. A `*` at the end stands for any text; a name of its own goes first.
    name: &'static str,
    /// The operations that act on it.
    acted_on: On,
    /// The operations that refuse it, of those that do not act on it. All others ignore it.
    refused: On,
    /// The values (compared without case) that no operation refuses.
    accepted: &'static [&'static str],
    refusal: Refusal,
    /// What refused clients and the documentation read.
    why: &'static str,
}

/// A set of operations, by their names in S3.
#[derive(Clone, Copy)]
enum On {
    None,
    Every,
    /// Every operation but those of GET and HEAD.
    Writes,
    Only(&'static [&'static str]),
    Except(&'static [&'static str]),
}

#[derive(Clone, Copy)]
enum Refusal {
    NotImplemented,
    /// `Content-Range`: RFC 9110, 14.5, wants a 400.
    PartialWrite,
    /// AWS: the code and the text for a bucket without Object Lock
    NoObjectLock,
    /// AWS: the code and the text for a bucket without Object Lock
    NoRetention,
    OtherOwner,
    /// AWS: the code and the text for an algorithm that it does not know
    UnknownChecksum,
    InvalidAlgorithm,
    InvalidChecksumType,
    InvalidTrailer,
}

/// A header that every operation of S3 that takes it acts on.
const fn acted_on(name: &'static str) -> Row {
    row(name, On::Every, On::None, Refusal::NotImplemented, "")
}

/// A header that changes nothing.
const fn ignored(name: &'static str, why: &'static str) -> Row {
    row(name, On::None, On::None, Refusal::NotImplemented, why)
}

const fn refused(name: &'static str, why: &'static str) -> Row {
    row(name, On::None, On::Every, Refusal::NotImplemented, why)
}

/// A header that these operations act on and all others refuse.
const fn only(name: &'static str, operations: &'static [&'static str], why: &'static str) -> Row {
    let by = On::Only(operations);
    row(name, by, On::Every, Refusal::NotImplemented, why)
}

/// A precondition that these operations evaluate. HTTP: a read that does not know it ignores it.
const fn condition(name: &'static str, operations: &'static [&'static str]) -> Row {
    let by = On::Only(operations);
    row(name, by, On::Writes, Refusal::NotImplemented, CONDITION)
}

const fn row(
    name: &'static str,
    acted_on: On,
    refused: On,
    refusal: Refusal,
    why: &'static str,
) -> Row {
    Row {
        name,
        acted_on,
        refused,
        accepted: &[],
        refusal,
        why,
    }
}

impl Row {
    const fn unless(self, accepted: &'static [&'static str]) -> Self {
        Self { accepted, ..self }
    }
    const fn with(self, refusal: Refusal) -> Self {
        Self { refusal, ..self }
    }
    const fn refused_by(self, refused: On) -> Self {
        Self { refused, ..self }
    }
}

const CONDITION: &str =
    "A write whose condition is not evaluated would replace what the condition protects.";
const COPY_ONLY: &str = "It is about the source of a copy, and the request copies nothing.";
const OTHER_KIND: &str = "The operation that it is for is not implemented.";
const ENCRYPTION: &str =
    "hangar does not encrypt objects; nothing is stored in plain that was to be encrypted.";
const LOCK: &str = "hangar does not lock objects.";
const OWNER: &str = "All buckets have one owner: the ID that GetBucketAcl and ListBuckets answer. AWS's account numbers name another one.";
const CHECKSUM: &str = "The body would not be verified against it.";
const ALGORITHMS: &[&str] = &["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"];
const COPIES: &[&str] = &["CopyObject", "UploadPartCopy"];
const WITH_METADATA: On = On::Except(&["CreateMultipartUpload", "UploadPartCopy"]);
const DIRECTIVE: &str = "It is about the source of a copy. CreateMultipartUpload and UploadPartCopy ignore it: the object gets what CreateMultipartUpload states.";

/// In the order of their names.
#[rustfmt::skip]
const TABLE: &[Row] = &[
    acted_on("cache-control"),
    acted_on("content-disposition"),
    acted_on("content-encoding"),
    acted_on("content-language"),
    acted_on("content-length"),
    acted_on("content-md5"),
    row("content-range", On::None, On::Writes, Refusal::PartialWrite,
        "hangar writes whole objects. The part that is sent would replace the whole."),
    acted_on("content-type"),
    acted_on("expires"),
    condition("if-match", &["CompleteMultipartUpload", "CopyObject", "DeleteObject", "GetObject", "HeadObject", "PutObject"]),
    condition("if-modified-since", &["GetObject", "HeadObject"]),
    condition("if-none-match", &["CompleteMultipartUpload", "CopyObject", "GetObject", "HeadObject", "PutObject"]),
    condition("if-unmodified-since", &["GetObject", "HeadObject"]),
    acted_on("range"),
    acted_on("x-amz-acl"),
    refused("x-amz-bucket-namespace", "There is one namespace of buckets.").unless(&["global"]),
    refused("x-amz-bucket-object-lock-enabled", LOCK).unless(&["false"]),
    refused("x-amz-bucket-object-lock-token", LOCK),
    only("x-amz-bypass-governance-retention", &["DeleteObject", "DeleteObjects"],
        "No object is under retention: the delete happens, and there is nothing else to bypass.").unless(&["false"]).with(Refusal::NoRetention),
    refused("x-amz-checksum-*", CHECKSUM).with(Refusal::UnknownChecksum),
    only("x-amz-checksum-algorithm", &["CopyObject", "CreateMultipartUpload"], CHECKSUM).unless(ALGORITHMS).with(Refusal::InvalidAlgorithm),
    acted_on("x-amz-checksum-crc32"),
    acted_on("x-amz-checksum-crc32c"),
    acted_on("x-amz-checksum-crc64nvme"),
    acted_on("x-amz-checksum-mode"),
    acted_on("x-amz-checksum-sha1"),
    acted_on("x-amz-checksum-sha256"),
    only("x-amz-checksum-type", &["CompleteMultipartUpload", "CreateMultipartUpload"],
        "A checksum of checksums is only made of the parts of an upload.").unless(&["FULL_OBJECT"]).with(Refusal::InvalidChecksumType),
    ignored("x-amz-client-token", OTHER_KIND),
    ignored("x-amz-confirm-remove-self-bucket-access", "The owner can always change a bucket's policy."),
    only("x-amz-copy-source", COPIES, "The request copies nothing: its own body would be stored."),
    only("x-amz-copy-source-if-match", COPIES, COPY_ONLY),
    only("x-amz-copy-source-if-modified-since", COPIES, COPY_ONLY),
    only("x-amz-copy-source-if-none-match", COPIES, COPY_ONLY),
    only("x-amz-copy-source-if-unmodified-since", COPIES, COPY_ONLY),
    only("x-amz-copy-source-range", &["UploadPartCopy"], "Only UploadPartCopy copies a part of an object."),
    refused("x-amz-copy-source-server-side-encryption-*", ENCRYPTION),
    ignored("x-amz-create-session-mode", OTHER_KIND),
    refused("x-amz-expected-bucket-owner", OWNER).unless(&[OWNER_ID]).with(Refusal::OtherOwner),
    ignored("x-amz-fwd-*", OTHER_KIND),
    acted_on("x-amz-grant-*"),
    only("x-amz-if-match-initiated-time", &["AbortMultipartUpload"], CONDITION),
    only("x-amz-if-match-last-modified-time", &["DeleteObject"], CONDITION),
    only("x-amz-if-match-size", &["DeleteObject"], CONDITION),
    acted_on("x-amz-max-parts"),
    acted_on("x-amz-meta-*"),
    refused("x-amz-meta-snowball-auto-extract", "hangar does not unpack archives: the archive would be stored as one object.")
        .refused_by(On::Writes).unless(&["false"]),
    only("x-amz-metadata-directive", &["CopyObject"], DIRECTIVE).refused_by(WITH_METADATA),
    refused("x-amz-mfa", "hangar knows no MFA devices."),
    acted_on("x-amz-mp-object-size"),
    ignored("x-amz-object-annotation-directive", "No object has annotations."),
    acted_on("x-amz-object-attributes"),
    refused("x-amz-object-if-match", CONDITION),
    refused("x-amz-object-lock-*", LOCK).unless(&["OFF"]).with(Refusal::NoObjectLock),
    only("x-amz-object-ownership", &["CreateBucket"], "Only a new bucket takes it; PutBucketOwnershipControls changes it."),
    ignored("x-amz-optional-object-attributes", "No object is archived, so none has a restore status."),
    acted_on("x-amz-part-number-marker"),
    refused("x-amz-rename-source", "hangar does not rename objects: the body of the request would be stored."),
    refused("x-amz-rename-source-*", CONDITION),
    refused("x-amz-replication-status", "hangar does not replicate objects."),
    ignored("x-amz-request-payer", "No request costs anything."),
    ignored("x-amz-request-route", OTHER_KIND),
    ignored("x-amz-request-token", OTHER_KIND),
    refused("x-amz-sdk-checksum-algorithm", CHECKSUM).unless(ALGORITHMS).with(Refusal::InvalidAlgorithm),
    refused("x-amz-server-side-encryption", ENCRYPTION),
    refused("x-amz-server-side-encryption-*", ENCRYPTION),
    ignored("x-amz-skip-destination-validation", OTHER_KIND),
    refused("x-amz-source-expected-bucket-owner", OWNER).unless(&[OWNER_ID]).with(Refusal::OtherOwner),
    acted_on("x-amz-storage-class"),
    acted_on("x-amz-tagging"),
    only("x-amz-tagging-directive", &["CopyObject"], DIRECTIVE).refused_by(WITH_METADATA),
    refused("x-amz-trailer", CHECKSUM).with(Refusal::InvalidTrailer).unless(&[
        "x-amz-checksum-crc32", "x-amz-checksum-crc32c", "x-amz-checksum-crc64nvme", "x-amz-checksum-sha1", "x-amz-checksum-sha256",
    ]),
    ignored("x-amz-transition-default-minimum-object-size", "No lifecycle rule moves objects to another storage class."),
    acted_on("x-amz-website-redirect-location"),
    refused("x-amz-write-offset-bytes", "hangar does not append: the bytes that are sent would replace the object."),
    refused("x-minio-force-delete", "hangar does not delete all keys below a prefix in one request.")
        .refused_by(On::Only(&["DeleteObject"])).unless(&["false"]),
];

/// Checks the headers of a request, or the fields of a form, for the operation of this name. Names are lower case.
///
/// # Errors
/// The error for the first one that asks for something that the operation does not do.
pub fn judge<'a>(
    operation: &str,
    fields: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(), S3Error> {
    for (name, value) in fields {
        if let Some(row) = find(name)
            && row.is_refused_by(operation)
            && !row.accepts(value)
        {
            return Err(row.refuse(name));
        }
    }
    Ok(())
}

/// Whether a header or a field of this name states a checksum, of whichever algorithm.
#[must_use]
pub fn states_a_checksum(name: &str) -> bool {
    name.strip_prefix("x-amz-checksum-")
        .is_some_and(|kind| !matches!(kind, "algorithm" | "mode" | "type"))
}

fn find(name: &str) -> Option<&'static Row> {
    // Most headers of most requests are none of S3's.
    if !["x-", "if-", "content-"]
        .iter()
        .any(|start| name.starts_with(start))
    {
        return None;
    }
    let at = |row: &Row| row.name.cmp(name);
    match TABLE.binary_search_by(at) {
        Ok(at) => Some(&TABLE[at]),
        Err(_) => TABLE.iter().find(|row| row.begins(name)),
    }
}

impl Row {
    fn begins(&self, name: &str) -> bool {
        self.name
            .strip_suffix('*')
            .is_some_and(|start| name.starts_with(start))
    }

    fn is_refused_by(&self, operation: &str) -> bool {
        !self.acted_on.has(operation) && self.refused.has(operation)
    }

    fn accepts(&self, value: &str) -> bool {
        let value = value.trim();
        self.accepted
            .iter()
            .any(|accepted| accepted.eq_ignore_ascii_case(value))
    }

    /// `name`: as it was sent, where the row stands for several.
    fn refuse(&self, name: &str) -> S3Error {
        let message = |code, text| S3Error::with_message(code, text);
        let invalid = ErrorCode::InvalidRequest;
        let refusal = match self.refusal {
            Refusal::NotImplemented => S3Error::new(ErrorCode::NotImplemented),
            Refusal::PartialWrite => message(
                invalid,
                "A PUT or POST with Content-Range is not supported.",
            ),
            Refusal::NoObjectLock => {
                message(invalid, "Bucket is missing Object Lock Configuration")
            }
            Refusal::NoRetention => message(
                ErrorCode::InvalidArgument,
                "x-amz-bypass-governance-retention is only applicable to Object Lock enabled buckets.",
            ),
            Refusal::OtherOwner => S3Error::new(ErrorCode::AccessDenied)
                .logged("the request expects another owner of the bucket"),
            Refusal::UnknownChecksum => unknown_checksum(),
            Refusal::InvalidAlgorithm => S3Error::with_message(
                invalid,
                format!("Value for {} header is invalid.", self.name),
            ),
            Refusal::InvalidChecksumType => {
                message(invalid, "Value for x-amz-checksum-type header is invalid.")
            }
            Refusal::InvalidTrailer => message(
                invalid,
                "The value specified in the x-amz-trailer header is not supported",
            ),
        };
        let header: String = name.chars().take(256).collect();
        refusal
            .extra("Header", header)
            .extra("AdditionalMessage", self.why)
    }
}

impl Refusal {
    #[cfg(test)]
    fn code(self) -> ErrorCode {
        row("", On::None, On::None, self, "").refuse("").code
    }
}

impl On {
    fn has(self, operation: &str) -> bool {
        match self {
            Self::None => false,
            Self::Every => true,
            Self::Writes => !op::only_reads(operation),
            Self::Only(names) => names.contains(&operation),
            Self::Except(names) => !names.contains(&operation),
        }
    }
}

#[cfg(test)]
mod tests;
