//! Which operation a request asks for: the table of S3.
//!
//! An operation is chosen by the method, by what the path addresses (the service, a bucket, an object) and by the
//! *sub-resources* among the query's names (`?acl`, `?uploads`). The tables hold all operations of S3, and those of other
//! servers whose clients would take a wrong answer for a right one. An operation that is not built is answered 501 by its
//! name, and a sub-resource that does not go with the method or the path is refused: a request is never taken for another
//! one. Every other name of a query is ignored, with a value and without, on every method, as AWS does. To serve one more
//! operation, give it a variant and name that in its line.
//!
//! A path is decoded once and never normalised: `a//b`, `..` and a leading `/` are parts of a key like any other.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>
use super::{BucketName, BucketSetting, ErrorCode, ObjectKey, S3Error, uri};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    ListBuckets,
    OnBucket(BucketOperation, BucketName),
    OnObject(ObjectOperation, BucketName, ObjectKey),
    /// `OPTIONS`: a CORS preflight
    Preflight(Option<BucketName>),
}

/// An operation on a bucket; [`Operation::name`] has S3's name of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketOperation {
    Create,
    Head,
    Delete,
    GetLocation,
    ListObjects,
    ListObjectsV2,
    ListObjectVersions,
    ListMultipartUploads,
    DeleteObjects,
    PostObject,
    GetSetting(BucketSetting),
    PutSetting(BucketSetting),
    DeleteSetting(BucketSetting),
    GetPolicyStatus,
    GetVersioning,
    PutVersioning,
    GetAcl,
    PutAcl,
    /// A feature that no bucket here has.
    GetUnconfigured(Feature),
    /// There is nothing to remove.
    DeleteUnconfigured(Feature),
}

/// Features of S3 whose configuration can be asked for and is never there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    Encryption,
    ObjectLock,
    Replication,
    Website,
    Notification,
    Logging,
    RequestPayment,
    Accelerate,
}

/// An operation on an object, or on a multipart upload to its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectOperation {
    Get,
    Head,
    Put,
    Delete,
    Copy,
    GetAttributes,
    GetTagging,
    PutTagging,
    DeleteTagging,
    GetAcl,
    PutAcl,
    CreateMultipartUpload,
    UploadPart,
    UploadPartCopy,
    ListParts,
    CompleteMultipartUpload,
    AbortMultipartUpload,
}

/// One line of a table: the method and exactly the sub-resources that select the operation, S3's name of it, and the
/// operation, where it is served.
struct Row<Served: 'static> {
    method: &'static str,
    selectors: &'static [&'static str],
    name: &'static str,
    served: Option<Served>,
}

const fn row<Served: Copy>(
    method: &'static str,
    selectors: &'static [&'static str],
    name: &'static str,
    served: Option<Served>,
) -> Row<Served> {
    Row {
        method,
        selectors,
        name,
        served,
    }
}

const LIST_BUCKETS: &str = "ListBuckets";
/// The operation whose headers are the fields of a form.
pub const POST_OBJECT: &str = "PostObject";

/// A header that selects as a sub-resource does: it turns a PUT into a copy.
const COPY_SOURCE: &str = "x-amz-copy-source";

#[rustfmt::skip]
const SERVICE: &[Row<()>] = &[
    row("GET", &[], LIST_BUCKETS, Some(())),
    row("HEAD", &[], LIST_BUCKETS, Some(())),
    // MinIO's own
    row("GET", &["events"], "ListenNotification", None),
];

#[rustfmt::skip]
const BUCKET: &[Row<BucketOperation>] = &[
    row("PUT", &[], "CreateBucket", Some(BucketOperation::Create)),
    row("HEAD", &[], "HeadBucket", Some(BucketOperation::Head)),
    row("POST", &[], POST_OBJECT, Some(BucketOperation::PostObject)),
    row("DELETE", &[], "DeleteBucket", Some(BucketOperation::Delete)),
    row("GET", &[], "ListObjects", Some(BucketOperation::ListObjects)),
    row("GET", &["list-type"], "ListObjectsV2", Some(BucketOperation::ListObjectsV2)),
    row("GET", &["versions"], "ListObjectVersions", Some(BucketOperation::ListObjectVersions)),
    row("GET", &["uploads"], "ListMultipartUploads", Some(BucketOperation::ListMultipartUploads)),
    row("POST", &["delete"], "DeleteObjects", Some(BucketOperation::DeleteObjects)),
    row("GET", &["location"], "GetBucketLocation", Some(BucketOperation::GetLocation)),
    row("GET", &["policy"], "GetBucketPolicy", Some(BucketOperation::GetSetting(BucketSetting::Policy))),
    row("PUT", &["policy"], "PutBucketPolicy", Some(BucketOperation::PutSetting(BucketSetting::Policy))),
    row("DELETE", &["policy"], "DeleteBucketPolicy", Some(BucketOperation::DeleteSetting(BucketSetting::Policy))),
    row("GET", &["policyStatus"], "GetBucketPolicyStatus", Some(BucketOperation::GetPolicyStatus)),
    row("GET", &["cors"], "GetBucketCors", Some(BucketOperation::GetSetting(BucketSetting::Cors))),
    row("PUT", &["cors"], "PutBucketCors", Some(BucketOperation::PutSetting(BucketSetting::Cors))),
    row("DELETE", &["cors"], "DeleteBucketCors", Some(BucketOperation::DeleteSetting(BucketSetting::Cors))),
    row("GET", &["tagging"], "GetBucketTagging", Some(BucketOperation::GetSetting(BucketSetting::Tagging))),
    row("PUT", &["tagging"], "PutBucketTagging", Some(BucketOperation::PutSetting(BucketSetting::Tagging))),
    row("DELETE", &["tagging"], "DeleteBucketTagging", Some(BucketOperation::DeleteSetting(BucketSetting::Tagging))),
    row("GET", &["versioning"], "GetBucketVersioning", Some(BucketOperation::GetVersioning)),
    row("PUT", &["versioning"], "PutBucketVersioning", Some(BucketOperation::PutVersioning)),
    row("GET", &["acl"], "GetBucketAcl", Some(BucketOperation::GetAcl)),
    row("PUT", &["acl"], "PutBucketAcl", Some(BucketOperation::PutAcl)),
    row("GET", &["lifecycle"], "GetBucketLifecycleConfiguration", Some(BucketOperation::GetSetting(BucketSetting::Lifecycle))),
    row("PUT", &["lifecycle"], "PutBucketLifecycleConfiguration", Some(BucketOperation::PutSetting(BucketSetting::Lifecycle))),
    row("DELETE", &["lifecycle"], "DeleteBucketLifecycle", Some(BucketOperation::DeleteSetting(BucketSetting::Lifecycle))),
    row("GET", &["encryption"], "GetBucketEncryption", Some(BucketOperation::GetUnconfigured(Feature::Encryption))),
    row("PUT", &["encryption"], "PutBucketEncryption", None),
    row("DELETE", &["encryption"], "DeleteBucketEncryption", Some(BucketOperation::DeleteUnconfigured(Feature::Encryption))),
    row("GET", &["object-lock"], "GetObjectLockConfiguration", Some(BucketOperation::GetUnconfigured(Feature::ObjectLock))),
    row("PUT", &["object-lock"], "PutObjectLockConfiguration", None),
    row("GET", &["replication"], "GetBucketReplication", Some(BucketOperation::GetUnconfigured(Feature::Replication))),
    row("PUT", &["replication"], "PutBucketReplication", None),
    row("DELETE", &["replication"], "DeleteBucketReplication", Some(BucketOperation::DeleteUnconfigured(Feature::Replication))),
    row("GET", &["website"], "GetBucketWebsite", Some(BucketOperation::GetUnconfigured(Feature::Website))),
    row("PUT", &["website"], "PutBucketWebsite", None),
    row("DELETE", &["website"], "DeleteBucketWebsite", Some(BucketOperation::DeleteUnconfigured(Feature::Website))),
    row("GET", &["notification"], "GetBucketNotificationConfiguration", Some(BucketOperation::GetUnconfigured(Feature::Notification))),
    row("PUT", &["notification"], "PutBucketNotificationConfiguration", None),
    row("GET", &["logging"], "GetBucketLogging", Some(BucketOperation::GetUnconfigured(Feature::Logging))),
    row("PUT", &["logging"], "PutBucketLogging", None),
    row("GET", &["requestPayment"], "GetBucketRequestPayment", Some(BucketOperation::GetUnconfigured(Feature::RequestPayment))),
    row("PUT", &["requestPayment"], "PutBucketRequestPayment", None),
    row("GET", &["accelerate"], "GetBucketAccelerateConfiguration", Some(BucketOperation::GetUnconfigured(Feature::Accelerate))),
    row("PUT", &["accelerate"], "PutBucketAccelerateConfiguration", None),
    row("GET", &["ownershipControls"], "GetBucketOwnershipControls", Some(BucketOperation::GetSetting(BucketSetting::OwnershipControls))),
    row("PUT", &["ownershipControls"], "PutBucketOwnershipControls", Some(BucketOperation::PutSetting(BucketSetting::OwnershipControls))),
    row("DELETE", &["ownershipControls"], "DeleteBucketOwnershipControls", Some(BucketOperation::DeleteSetting(BucketSetting::OwnershipControls))),
    row("GET", &["publicAccessBlock"], "GetPublicAccessBlock", Some(BucketOperation::GetSetting(BucketSetting::PublicAccessBlock))),
    row("PUT", &["publicAccessBlock"], "PutPublicAccessBlock", Some(BucketOperation::PutSetting(BucketSetting::PublicAccessBlock))),
    row("DELETE", &["publicAccessBlock"], "DeletePublicAccessBlock", Some(BucketOperation::DeleteSetting(BucketSetting::PublicAccessBlock))),
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
    row("PUT", &["metadataInventoryTable"], "UpdateBucketMetadataInventoryTableConfiguration", None),
    row("PUT", &["metadataJournalTable"], "UpdateBucketMetadataJournalTableConfiguration", None),
    row("PUT", &["metadataAnnotationTable"], "UpdateBucketMetadataAnnotationTableConfiguration", None),
    row("GET", &["abac"], "GetBucketAbac", None),
    row("PUT", &["abac"], "PutBucketAbac", None),
    // MinIO's own, which `mc watch` and `mc replicate` ask for
    row("GET", &["events"], "ListenBucketNotification", None),
    row("GET", &["replication-metrics"], "GetBucketReplicationMetrics", None),
    row("PUT", &["replication-reset"], "ResetBucketReplicationStart", None),
    row("GET", &["replication-reset-status"], "ResetBucketReplicationStatus", None),
    row("GET", &["replication-check"], "ValidateBucketReplicationCreds", None),
    // Google's, which boto's signer of Version 2 knows
    row("GET", &["defaultObjectAcl"], "GetDefaultObjectAcl", None),
    row("PUT", &["defaultObjectAcl"], "PutDefaultObjectAcl", None),
    row("GET", &["storageClass"], "GetStorageClass", None),
    row("PUT", &["storageClass"], "PutStorageClass", None),
];

#[rustfmt::skip]
const OBJECT: &[Row<ObjectOperation>] = &[
    row("GET", &[], "GetObject", Some(ObjectOperation::Get)),
    row("HEAD", &[], "HeadObject", Some(ObjectOperation::Head)),
    row("PUT", &[], "PutObject", Some(ObjectOperation::Put)),
    row("DELETE", &[], "DeleteObject", Some(ObjectOperation::Delete)),
    row("GET", &["partNumber"], "GetObject", Some(ObjectOperation::Get)),
    row("HEAD", &["partNumber"], "HeadObject", Some(ObjectOperation::Head)),
    row("PUT", &[COPY_SOURCE], "CopyObject", Some(ObjectOperation::Copy)),
    row("GET", &["attributes"], "GetObjectAttributes", Some(ObjectOperation::GetAttributes)),
    row("GET", &["tagging"], "GetObjectTagging", Some(ObjectOperation::GetTagging)),
    row("PUT", &["tagging"], "PutObjectTagging", Some(ObjectOperation::PutTagging)),
    row("DELETE", &["tagging"], "DeleteObjectTagging", Some(ObjectOperation::DeleteTagging)),
    row("GET", &["acl"], "GetObjectAcl", Some(ObjectOperation::GetAcl)),
    row("PUT", &["acl"], "PutObjectAcl", Some(ObjectOperation::PutAcl)),
    row("POST", &["uploads"], "CreateMultipartUpload", Some(ObjectOperation::CreateMultipartUpload)),
    row("PUT", &["partNumber", "uploadId"], "UploadPart", Some(ObjectOperation::UploadPart)),
    row("PUT", &["partNumber", "uploadId", COPY_SOURCE], "UploadPartCopy", Some(ObjectOperation::UploadPartCopy)),
    row("GET", &["uploadId"], "ListParts", Some(ObjectOperation::ListParts)),
    row("POST", &["uploadId"], "CompleteMultipartUpload", Some(ObjectOperation::CompleteMultipartUpload)),
    row("DELETE", &["uploadId"], "AbortMultipartUpload", Some(ObjectOperation::AbortMultipartUpload)),
    row("GET", &["legal-hold"], "GetObjectLegalHold", None),
    row("PUT", &["legal-hold"], "PutObjectLegalHold", None),
    row("GET", &["retention"], "GetObjectRetention", None),
    row("PUT", &["retention"], "PutObjectRetention", None),
    row("GET", &["torrent"], "GetObjectTorrent", None),
    row("POST", &["restore"], "RestoreObject", None),
    row("POST", &["select"], "SelectObjectContent", None),
    row("PUT", &["renameObject"], "RenameObject", None),
    row("PUT", &["encryption"], "UpdateObjectEncryption", None),
    row("GET", &["annotation"], "GetObjectAnnotation", None),
    row("PUT", &["annotation"], "PutObjectAnnotation", None),
    row("DELETE", &["annotation"], "DeleteObjectAnnotation", None),
    // Ceph's
    row("PUT", &["append"], "AppendObject", None),
    // MinIO's
    row("GET", &["lambdaArn"], "GetObject with lambdaArn", None),
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
            return Ok(Self::Preflight(addressed_bucket(raw_path, virtual_bucket)));
        }
        if !matches!(method, "GET" | "HEAD" | "PUT" | "POST" | "DELETE") {
            return Err(method_not_allowed(method));
        }
        let selectors = selectors(method, query, headers);
        let Some(bucket) = bucket else {
            find(SERVICE, method, &selectors)?;
            return Ok(Self::ListBuckets);
        };
        let bucket_name = BucketName::parse(bucket).map_err(|_| invalid_bucket(bucket))?;
        let Some(key) = key else {
            let operation = find(BUCKET, method, &selectors)?;
            operation.check(bucket, query)?;
            return Ok(Self::OnBucket(operation, bucket_name));
        };
        let object_key = ObjectKey::parse(key).map_err(|invalid| invalid.refuse(key))?;
        let operation = find(OBJECT, method, &selectors)?;
        refuse_versions(query)?;
        Ok(Self::OnObject(operation, bucket_name, object_key))
    }

    /// Whether a body is part of it.
    #[must_use]
    pub fn takes_body(&self) -> bool {
        use BucketOperation as B;
        use ObjectOperation as O;
        match self {
            Self::ListBuckets | Self::Preflight(_) => false,
            Self::OnBucket(operation, _) => matches!(
                operation,
                B::Create
                    | B::PostObject
                    | B::DeleteObjects
                    | B::PutSetting(_)
                    | B::PutVersioning
                    | B::PutAcl
            ),
            Self::OnObject(operation, ..) => matches!(
                operation,
                O::Put | O::UploadPart | O::CompleteMultipartUpload | O::PutTagging | O::PutAcl
            ),
        }
    }

    /// Whether it makes, deletes or sets the bucket that it names.
    #[must_use]
    pub fn changes_the_bucket(&self) -> bool {
        use BucketOperation as B;
        matches!(
            self,
            Self::OnBucket(
                B::Create | B::Delete | B::PutSetting(_) | B::DeleteSetting(_),
                _
            )
        )
    }

    /// S3's name of the operation: `PutObject`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::ListBuckets => LIST_BUCKETS,
            Self::OnBucket(operation, _) => name_in(BUCKET, operation),
            Self::OnObject(operation, ..) => name_in(OBJECT, operation),
            Self::Preflight(_) => "Preflight",
        }
    }
    #[must_use]
    pub fn bucket(&self) -> Option<&BucketName> {
        match self {
            Self::ListBuckets => None,
            Self::Preflight(bucket) => bucket.as_ref(),
            Self::OnBucket(_, bucket) | Self::OnObject(_, bucket, _) => Some(bucket),
        }
    }
    #[must_use]
    pub fn key(&self) -> Option<&ObjectKey> {
        match self {
            Self::OnObject(_, _, key) => Some(key),
            _ => None,
        }
    }
}

impl BucketOperation {
    /// What it needs beyond its line in the table.
    fn check(self, bucket: &str, query: &[(String, String)]) -> Result<(), S3Error> {
        let version = value_of(query, "versionId");
        if let (Self::Create | Self::Delete, Some(version)) = (self, version) {
            // A client that lost its key on the way must not make or delete the bucket.
            return Err(S3Error::invalid_argument(
                "A versionId is of an object, and this request names a bucket alone.",
                "versionId",
                shortened(version),
            ));
        }
        match self {
            Self::Create => {
                BucketName::parse_new(bucket).map_err(|_| invalid_bucket(bucket))?;
            }
            Self::ListObjectsV2 => {
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
}

fn name_in<Served: PartialEq>(table: &[Row<Served>], operation: &Served) -> &'static str {
    table
        .iter()
        .find(|row| row.served.as_ref() == Some(operation))
        .map_or("", |row| row.name)
}

/// Whether an operation of this name only reads.
pub(super) fn only_reads(name: &str) -> bool {
    let of_buckets = BUCKET.iter().map(|row| (row.name, row.method));
    let of_objects = OBJECT.iter().map(|row| (row.name, row.method));
    name == LIST_BUCKETS
        || of_buckets
            .chain(of_objects)
            .any(|(known, method)| known == name && matches!(method, "GET" | "HEAD"))
}

/// The bucket that the raw path of a request names, whatever its operation; `None` where that is not a valid name.
#[must_use]
pub fn addressed_bucket(raw_path: &str, virtual_bucket: Option<&str>) -> Option<BucketName> {
    let path = uri::decode(raw_path)?;
    let (bucket, _) = split_path(&path, virtual_bucket);
    BucketName::parse(bucket?).ok()
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
) -> Vec<&'static str> {
    let mut selectors: Vec<&'static str> = Vec::new();
    for known in query.iter().filter_map(|(name, _)| sub_resource(name)) {
        if !selectors.contains(&known) {
            selectors.push(known);
        }
    }
    if method == "PUT" && headers(COPY_SOURCE).is_some() {
        selectors.push(COPY_SOURCE);
    }
    selectors
}
/// Whether a name of a query is a sub-resource, served or not.
pub(super) fn is_sub_resource(name: &str) -> bool {
    sub_resource(name).is_some()
}
fn sub_resource(name: &str) -> Option<&'static str> {
    let of_buckets = BUCKET.iter().flat_map(|row| row.selectors);
    let of_objects = OBJECT.iter().flat_map(|row| row.selectors);
    of_buckets
        .chain(of_objects)
        .copied()
        .find(|&known| known == name && known != COPY_SOURCE)
}
fn find<Served: Copy>(
    table: &'static [Row<Served>],
    method: &str,
    selectors: &[&'static str],
) -> Result<Served, S3Error> {
    let same = |row: &&Row<Served>| {
        row.selectors.len() == selectors.len()
            && row.selectors.iter().all(|name| selectors.contains(name))
    };
    if let Some(row) = table.iter().filter(|row| row.method == method).find(same) {
        return row.served.ok_or_else(|| {
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
