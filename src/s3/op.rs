//! Which operation a request asks for: the table of S3.
//!
//! An operation is chosen by the method, by what the path addresses (the service, a bucket, an object) and by the
//! *sub-resources* among the query's names (`?acl`, `?uploads`). The tables hold all of S3's operations; one that
//! nobody serves yet is answered 501 by its name, and a sub-resource that no table holds is 501 as well: a request is
//! never taken for another one. To serve one more operation, give it a variant and name that in its line.
//!
//! A path is decoded once and never normalised: `a//b`, `..` and a leading `/` are parts of a key like any other.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>
use super::{BucketName, ErrorCode, ObjectKey, S3Error, uri};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    ListBuckets,
    CreateBucket(BucketName),
    HeadBucket(BucketName),
    ListObjectsV2(BucketName),
    PostObject(BucketName),
    PutObject(BucketName, ObjectKey),
    GetObject(BucketName, ObjectKey),
    HeadObject(BucketName, ObjectKey),
    DeleteObject(BucketName, ObjectKey),
    /// `OPTIONS`: a CORS preflight
    Preflight(Option<BucketName>),
}

/// One line of a table: the method and exactly the sub-resources that select the operation, its name, and how it is
/// made. Without a maker the operation is known and not served.
struct Row<Maker: 'static> {
    method: &'static str,
    selectors: &'static [&'static str],
    name: &'static str,
    maker: Option<Maker>,
}
type MakeForService = fn() -> Operation;
type MakeForBucket = fn(BucketName) -> Operation;
type MakeForObject = fn(BucketName, ObjectKey) -> Operation;

const fn row<Maker: Copy>(
    method: &'static str,
    selectors: &'static [&'static str],
    name: &'static str,
    maker: Option<Maker>,
) -> Row<Maker> {
    Row {
        method,
        selectors,
        name,
        maker,
    }
}

/// A header that selects as a sub-resource does: it turns a PUT into a copy.
const COPY_SOURCE: &str = "x-amz-copy-source";

#[rustfmt::skip]
const SERVICE: &[Row<MakeForService>] = &[
    row("GET", &[], "ListBuckets", Some(|| Operation::ListBuckets)),
    row("HEAD", &[], "ListBuckets", Some(|| Operation::ListBuckets)),
];

#[rustfmt::skip]
const BUCKET: &[Row<MakeForBucket>] = &[
    row("PUT", &[], "CreateBucket", Some(Operation::CreateBucket)),
    row("HEAD", &[], "HeadBucket", Some(Operation::HeadBucket)),
    row("POST", &[], "PostObject", Some(Operation::PostObject)),
    row("DELETE", &[], "DeleteBucket", None),
    row("GET", &[], "ListObjects", None),
    row("GET", &["list-type"], "ListObjectsV2", Some(Operation::ListObjectsV2)),
    row("GET", &["versions"], "ListObjectVersions", None),
    row("GET", &["uploads"], "ListMultipartUploads", None),
    row("POST", &["delete"], "DeleteObjects", None),
    row("GET", &["location"], "GetBucketLocation", None),
    row("GET", &["policy"], "GetBucketPolicy", None),
    row("PUT", &["policy"], "PutBucketPolicy", None),
    row("DELETE", &["policy"], "DeleteBucketPolicy", None),
    row("GET", &["policyStatus"], "GetBucketPolicyStatus", None),
    row("GET", &["cors"], "GetBucketCors", None),
    row("PUT", &["cors"], "PutBucketCors", None),
    row("DELETE", &["cors"], "DeleteBucketCors", None),
    row("GET", &["tagging"], "GetBucketTagging", None),
    row("PUT", &["tagging"], "PutBucketTagging", None),
    row("DELETE", &["tagging"], "DeleteBucketTagging", None),
    row("GET", &["versioning"], "GetBucketVersioning", None),
    row("PUT", &["versioning"], "PutBucketVersioning", None),
    row("GET", &["acl"], "GetBucketAcl", None),
    row("PUT", &["acl"], "PutBucketAcl", None),
    row("GET", &["lifecycle"], "GetBucketLifecycleConfiguration", None),
    row("PUT", &["lifecycle"], "PutBucketLifecycleConfiguration", None),
    row("DELETE", &["lifecycle"], "DeleteBucketLifecycle", None),
    row("GET", &["encryption"], "GetBucketEncryption", None),
    row("PUT", &["encryption"], "PutBucketEncryption", None),
    row("DELETE", &["encryption"], "DeleteBucketEncryption", None),
    row("GET", &["object-lock"], "GetObjectLockConfiguration", None),
    row("PUT", &["object-lock"], "PutObjectLockConfiguration", None),
    row("GET", &["replication"], "GetBucketReplication", None),
    row("PUT", &["replication"], "PutBucketReplication", None),
    row("DELETE", &["replication"], "DeleteBucketReplication", None),
    row("GET", &["website"], "GetBucketWebsite", None),
    row("PUT", &["website"], "PutBucketWebsite", None),
    row("DELETE", &["website"], "DeleteBucketWebsite", None),
    row("GET", &["notification"], "GetBucketNotificationConfiguration", None),
    row("PUT", &["notification"], "PutBucketNotificationConfiguration", None),
    row("GET", &["logging"], "GetBucketLogging", None),
    row("PUT", &["logging"], "PutBucketLogging", None),
    row("GET", &["requestPayment"], "GetBucketRequestPayment", None),
    row("PUT", &["requestPayment"], "PutBucketRequestPayment", None),
    row("GET", &["accelerate"], "GetBucketAccelerateConfiguration", None),
    row("PUT", &["accelerate"], "PutBucketAccelerateConfiguration", None),
    row("GET", &["ownershipControls"], "GetBucketOwnershipControls", None),
    row("PUT", &["ownershipControls"], "PutBucketOwnershipControls", None),
    row("DELETE", &["ownershipControls"], "DeleteBucketOwnershipControls", None),
    row("GET", &["publicAccessBlock"], "GetPublicAccessBlock", None),
    row("PUT", &["publicAccessBlock"], "PutPublicAccessBlock", None),
    row("DELETE", &["publicAccessBlock"], "DeletePublicAccessBlock", None),
    row("GET", &["analytics"], "GetBucketAnalyticsConfiguration", None),
    row("PUT", &["analytics"], "PutBucketAnalyticsConfiguration", None),
    row("DELETE", &["analytics"], "DeleteBucketAnalyticsConfiguration", None),
    row("GET", &["intelligent-tiering"], "GetBucketIntelligentTieringConfiguration", None),
    row("PUT", &["intelligent-tiering"], "PutBucketIntelligentTieringConfiguration", None),
    row("DELETE", &["intelligent-tiering"], "DeleteBucketIntelligentTieringConfiguration", None),
    row("GET", &["inventory"], "GetBucketInventoryConfiguration", None),
    row("PUT", &["inventory"], "PutBucketInventoryConfiguration", None),
    row("DELETE", &["inventory"], "DeleteBucketInventoryConfiguration", None),
    row("GET", &["metrics"], "GetBucketMetricsConfiguration", None),
    row("PUT", &["metrics"], "PutBucketMetricsConfiguration", None),
    row("DELETE", &["metrics"], "DeleteBucketMetricsConfiguration", None),
    row("GET", &["metadataTable"], "GetBucketMetadataTableConfiguration", None),
    row("POST", &["metadataTable"], "CreateBucketMetadataTableConfiguration", None),
    row("DELETE", &["metadataTable"], "DeleteBucketMetadataTableConfiguration", None),
    row("GET", &["metadataConfiguration"], "GetBucketMetadataConfiguration", None),
    row("POST", &["metadataConfiguration"], "CreateBucketMetadataConfiguration", None),
    row("DELETE", &["metadataConfiguration"], "DeleteBucketMetadataConfiguration", None),
    row("GET", &["session"], "CreateSession", None),
    // MinIO's own, which `mc watch` asks for
    row("GET", &["events"], "ListenBucketNotification", None),
];

#[rustfmt::skip]
const OBJECT: &[Row<MakeForObject>] = &[
    row("GET", &[], "GetObject", Some(Operation::GetObject)),
    row("HEAD", &[], "HeadObject", Some(Operation::HeadObject)),
    row("PUT", &[], "PutObject", Some(Operation::PutObject)),
    row("DELETE", &[], "DeleteObject", Some(Operation::DeleteObject)),
    row("GET", &["partNumber"], "GetObject with partNumber", None),
    row("HEAD", &["partNumber"], "HeadObject with partNumber", None),
    row("PUT", &[COPY_SOURCE], "CopyObject", None),
    row("GET", &["attributes"], "GetObjectAttributes", None),
    row("GET", &["tagging"], "GetObjectTagging", None),
    row("PUT", &["tagging"], "PutObjectTagging", None),
    row("DELETE", &["tagging"], "DeleteObjectTagging", None),
    row("GET", &["acl"], "GetObjectAcl", None),
    row("PUT", &["acl"], "PutObjectAcl", None),
    row("POST", &["uploads"], "CreateMultipartUpload", None),
    row("PUT", &["partNumber", "uploadId"], "UploadPart", None),
    row("PUT", &["partNumber", "uploadId", COPY_SOURCE], "UploadPartCopy", None),
    row("GET", &["uploadId"], "ListParts", None),
    row("POST", &["uploadId"], "CompleteMultipartUpload", None),
    row("DELETE", &["uploadId"], "AbortMultipartUpload", None),
    row("GET", &["legal-hold"], "GetObjectLegalHold", None),
    row("PUT", &["legal-hold"], "PutObjectLegalHold", None),
    row("GET", &["retention"], "GetObjectRetention", None),
    row("PUT", &["retention"], "PutObjectRetention", None),
    row("GET", &["torrent"], "GetObjectTorrent", None),
    row("POST", &["restore"], "RestoreObject", None),
    row("POST", &["select"], "SelectObjectContent", None),
    row("PUT", &["renameObject"], "RenameObject", None),
    row("PUT", &["encryption"], "UpdateObjectEncryption", None),
    row("PUT", &["append"], "AppendObject", None),
    row("GET", &["lambdaArn"], "GetObject with lambdaArn", None),
];

/// The names of a query that refine an operation and select none. Those that begin with `x-` (`X-Amz-Signature`,
/// `x-id`) and `response-` are parameters as well.
const PARAMETERS: &[&str] = &[
    "AWSAccessKeyId",
    "Expires",
    "Signature",
    "bucket-region",
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "id",
    "key-marker",
    "marker",
    "max-buckets",
    "max-keys",
    "max-parts",
    "max-uploads",
    "part-number-marker",
    "prefix",
    "select-type",
    "start-after",
    "upload-id-marker",
    "version-id-marker",
    "versionId",
];

/// The headers that ask for encryption at rest, or state a key for it. Lower case; form fields have the same names.
pub const ENCRYPTION_HEADERS: &[&str] = &[
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-server-side-encryption-context",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-server-side-encryption-customer-key",
    "x-amz-server-side-encryption-customer-key-md5",
    "x-amz-copy-source-server-side-encryption-customer-algorithm",
    "x-amz-copy-source-server-side-encryption-customer-key",
    "x-amz-copy-source-server-side-encryption-customer-key-md5",
];

impl Operation {
    /// From the method, the raw path and the decoded query. `virtual_bucket`: of a virtual-host style request.
    /// # Errors
    /// `NotImplemented` for operations of S3 that are not here (named in the message), `MethodNotAllowed`,
    /// `InvalidBucketName`, `KeyTooLongError`, …; never a wrong object.
    pub fn from_request(
        method: &str,
        raw_path: &str,
        query: &[(String, String)],
        headers: &dyn Fn(&str) -> Option<String>,
        virtual_bucket: Option<&str>,
    ) -> Result<Self, S3Error> {
        let path = uri::decode(raw_path).ok_or_else(|| S3Error::new(ErrorCode::InvalidURI))?;
        let (bucket, key) = split_path(&path, virtual_bucket);
        if method == "OPTIONS" {
            let bucket = bucket.and_then(|name| BucketName::parse(name).ok());
            return Ok(Self::Preflight(bucket));
        }
        if !matches!(method, "GET" | "HEAD" | "PUT" | "POST" | "DELETE") {
            return Err(method_not_allowed(method));
        }
        let selectors = selectors(method, query, headers)?;
        let Some(bucket) = bucket else {
            let make = find(SERVICE, method, &selectors)?;
            return Ok(make());
        };
        let bucket_name = BucketName::parse(bucket).map_err(|_| invalid_bucket(bucket))?;
        let Some(key) = key else {
            let operation = find(BUCKET, method, &selectors)?(bucket_name);
            operation.check_bucket(bucket, query)?;
            return Ok(operation);
        };
        let object_key = ObjectKey::parse(key).map_err(|invalid| invalid.refuse(key))?;
        let make = find(OBJECT, method, &selectors)?;
        refuse_encryption(headers)?;
        refuse_versions(query)?;
        Ok(make(bucket_name, object_key))
    }
    /// What a bucket's operation needs beyond its line in the table.
    fn check_bucket(&self, bucket: &str, query: &[(String, String)]) -> Result<(), S3Error> {
        match self {
            Self::CreateBucket(_) => {
                BucketName::parse_new(bucket).map_err(|_| invalid_bucket(bucket))?;
            }
            Self::ListObjectsV2(_) => {
                let version = value_of(query, "list-type").unwrap_or_default();
                if version != "2" {
                    return Err(S3Error::invalid_argument(
                        "Invalid List Type specified in Request",
                        "list-type",
                        version,
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }
    /// Whether a body is part of it.
    #[must_use]
    pub fn takes_body(&self) -> bool {
        matches!(
            self,
            Self::CreateBucket(_) | Self::PostObject(_) | Self::PutObject(..)
        )
    }

    /// S3's name of the operation: `PutObject`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::ListBuckets => "ListBuckets",
            Self::CreateBucket(_) => "CreateBucket",
            Self::HeadBucket(_) => "HeadBucket",
            Self::ListObjectsV2(_) => "ListObjectsV2",
            Self::PostObject(_) => "PostObject",
            Self::PutObject(..) => "PutObject",
            Self::GetObject(..) => "GetObject",
            Self::HeadObject(..) => "HeadObject",
            Self::DeleteObject(..) => "DeleteObject",
            Self::Preflight(_) => "Preflight",
        }
    }
    #[must_use]
    pub fn bucket(&self) -> Option<&BucketName> {
        match self {
            Self::ListBuckets => None,
            Self::Preflight(bucket) => bucket.as_ref(),
            Self::CreateBucket(bucket)
            | Self::HeadBucket(bucket)
            | Self::ListObjectsV2(bucket)
            | Self::PostObject(bucket)
            | Self::PutObject(bucket, _)
            | Self::GetObject(bucket, _)
            | Self::HeadObject(bucket, _)
            | Self::DeleteObject(bucket, _) => Some(bucket),
        }
    }
    #[must_use]
    pub fn key(&self) -> Option<&ObjectKey> {
        match self {
            Self::PutObject(_, key)
            | Self::GetObject(_, key)
            | Self::HeadObject(_, key)
            | Self::DeleteObject(_, key) => Some(key),
            _ => None,
        }
    }
}

/// The bucket and the key that a decoded path addresses; what follows the bucket's `/`, if anything, is the key.
fn split_path<'a>(
    path: &'a str,
    virtual_bucket: Option<&'a str>,
) -> (Option<&'a str>, Option<&'a str>) {
    let path = path.strip_prefix('/').unwrap_or(path);
    let (bucket, key) = match virtual_bucket {
        Some(bucket) => (bucket, path),
        None if path.is_empty() => return (None, None),
        None => path.split_once('/').unwrap_or((path, "")),
    };
    (Some(bucket), Some(key).filter(|key| !key.is_empty()))
}
/// The sub-resources that a request names, as the tables spell them, each once.
fn selectors(
    method: &str,
    query: &[(String, String)],
    headers: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<&'static str>, S3Error> {
    let mut selectors: Vec<&'static str> = Vec::new();
    for (name, value) in query {
        if let Some(known) = sub_resource(name) {
            if !selectors.contains(&known) {
                selectors.push(known);
            }
        } else if !is_parameter(name) && !is_decoration(method, value) {
            return Err(not_implemented(format!(
                "The sub-resource '{}' is not implemented.",
                shortened(name)
            ))
            // Its name is a piece of the query, which no log holds.
            .logged("the query names a sub-resource that is not implemented"));
        }
    }
    if method == "PUT" && headers(COPY_SOURCE).is_some() {
        selectors.push(COPY_SOURCE);
    }
    Ok(selectors)
}
fn sub_resource(name: &str) -> Option<&'static str> {
    let of_buckets = BUCKET.iter().flat_map(|row| row.selectors);
    let of_objects = OBJECT.iter().flat_map(|row| row.selectors);
    of_buckets
        .chain(of_objects)
        .copied()
        .find(|&known| known == name && known != COPY_SOURCE)
}
fn is_parameter(name: &str) -> bool {
    let begins = |prefix: &str| {
        name.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    PARAMETERS.contains(&name) || begins("x-") || begins("response-")
}
/// AWS: ignores names that it does not know. On a read a name with a value (`?v=123`) is such a decoration; a name
/// alone (`?newFeature`) has the form of a sub-resource, and on a write every name may be one.
fn is_decoration(method: &str, value: &str) -> bool {
    matches!(method, "GET" | "HEAD") && !value.is_empty()
}
fn find<Maker: Copy>(
    table: &'static [Row<Maker>],
    method: &str,
    selectors: &[&'static str],
) -> Result<Maker, S3Error> {
    let same = |row: &&Row<Maker>| {
        row.selectors.len() == selectors.len()
            && row.selectors.iter().all(|name| selectors.contains(name))
    };
    if let Some(row) = table.iter().filter(|row| row.method == method).find(same) {
        return row.maker.ok_or_else(|| {
            not_implemented(format!("The operation {} is not implemented.", row.name))
        });
    }
    if selectors.len() < 2 || table.iter().any(|row| same(&row)) {
        return Err(method_not_allowed(method));
    }
    // AWS: the words for sub-resources that do not go together
    Err(S3Error::with_message(
        ErrorCode::InvalidArgument,
        format!(
            "Conflicting query string parameters: {}",
            selectors.join(", ")
        ),
    )
    .extra("ArgumentName", "ResourceType")
    .extra("ArgumentValue", selectors[0]))
}
fn refuse_encryption(headers: &dyn Fn(&str) -> Option<String>) -> Result<(), S3Error> {
    match ENCRYPTION_HEADERS
        .iter()
        .find(|name| headers(name).is_some())
    {
        Some(name) => Err(encryption_not_implemented(name)),
        None => Ok(()),
    }
}
/// The refusal of a request that asks, by the header or form field `name`, for encryption at rest.
#[must_use]
pub fn encryption_not_implemented(name: &'static str) -> S3Error {
    not_implemented(format!(
        "Server-side encryption ({name}) is not implemented; nothing is stored that asked for it."
    ))
    .extra("Header", name)
}
/// Buckets have no versions: the one of each object is `null`.
fn refuse_versions(query: &[(String, String)]) -> Result<(), S3Error> {
    match value_of(query, "versionId") {
        None | Some("null") => Ok(()),
        Some("") => Err(S3Error::invalid_argument(
            "Version id cannot be the empty string",
            "versionId",
            "",
        )),
        Some(version) => {
            Err(S3Error::new(ErrorCode::NoSuchVersion).extra("VersionId", shortened(version)))
        }
    }
}
fn value_of<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    query
        .iter()
        .find(|(sent, _)| sent == name)
        .map(|(_, value)| value.as_str())
}
fn not_implemented(message: String) -> S3Error {
    S3Error::with_message(ErrorCode::NotImplemented, message)
}
fn method_not_allowed(method: &str) -> S3Error {
    S3Error::new(ErrorCode::MethodNotAllowed).extra("Method", shortened(method))
}
fn invalid_bucket(name: &str) -> S3Error {
    S3Error::new(ErrorCode::InvalidBucketName).extra("BucketName", shortened(name))
}
/// What an error repeats of a client's text: enough to know it again.
fn shortened(text: &str) -> String {
    text.chars().take(256).collect()
}

#[cfg(test)]
mod tests;
