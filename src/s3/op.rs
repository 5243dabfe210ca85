//! Which operation a request asks for: the table of S3.
use super::{BucketName, ObjectKey, S3Error};

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
impl Operation {
    /// From the method, the raw path and the decoded query. `virtual_bucket`: of a virtual-host style request.
    /// # Errors
    /// `NotImplemented` for operations of S3 that are not here (named in the message), `MethodNotAllowed`,
    /// `InvalidBucketName`, `KeyTooLongError`, …; never a wrong object.
    pub fn from_request(
        _method: &str,
        _raw_path: &str,
        _query: &[(String, String)],
        _headers: &dyn Fn(&str) -> Option<String>,
        _virtual_bucket: Option<&str>,
    ) -> Result<Self, S3Error> {
        todo!()
    }
    /// S3's name of the operation: `PutObject`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        todo!()
    }
    #[must_use]
    pub fn bucket(&self) -> Option<&BucketName> {
        todo!()
    }
}
