//! The errors of S3: one table of code, status and default message.
use std::borrow::Cow;

/// Every code that hangar answers. (Table of code, status, message: one macro or match is the only source.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    AccessDenied,
    AuthorizationHeaderMalformed,
    AuthorizationQueryParametersError,
    BadDigest,
    BucketAlreadyOwnedByYou,
    BucketNotEmpty,
    EntityTooLarge,
    EntityTooSmall,
    IncompleteBody,
    InternalError,
    InvalidAccessKeyId,
    InvalidArgument,
    InvalidBucketName,
    InvalidDigest,
    InvalidObjectName,
    InvalidPolicyDocument,
    InvalidRange,
    InvalidRequest,
    InsufficientStorage,
    KeyTooLongError,
    MalformedPOSTRequest,
    MaxPostPreDataLengthExceeded,
    MetadataTooLarge,
    MethodNotAllowed,
    MissingContentLength,
    NoSuchBucket,
    NoSuchKey,
    NotImplemented,
    PreconditionFailed,
    RequestTimeTooSkewed,
    ServiceUnavailable,
    SignatureDoesNotMatch,
    XAmzContentSHA256Mismatch,
}

/// An error answer: the code, a message (the table's unless given), and extra elements that help.
#[derive(Debug, Clone)]
pub struct S3Error {
    pub code: ErrorCode,
    pub message: Cow<'static, str>,
    pub extras: Vec<(&'static str, String)>,
    /// For the administrator's log line only; never sent.
    pub log: Option<String>,
}
impl ErrorCode {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        todo!()
    }
    #[must_use]
    pub fn status(self) -> u16 {
        todo!()
    }
    #[must_use]
    pub fn default_message(self) -> &'static str {
        todo!()
    }
}
impl S3Error {
    #[must_use]
    pub fn new(code: ErrorCode) -> Self {
        Self {
            code,
            message: Cow::Borrowed(code.default_message()),
            extras: Vec::new(),
            log: None,
        }
    }
    #[must_use]
    pub fn with_message(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
            extras: Vec::new(),
            log: None,
        }
    }
    #[must_use]
    pub fn extra(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.extras.push((name, value.into()));
        self
    }
    #[must_use]
    pub fn logged(mut self, text: impl Into<String>) -> Self {
        self.log = Some(text.into());
        self
    }
    /// The XML document of section 4 of the S3 contract.
    #[must_use]
    pub fn to_xml(&self, _resource: &str, _request_id: &str, _host_id: &str) -> String {
        todo!()
    }
}
impl From<ErrorCode> for S3Error {
    fn from(code: ErrorCode) -> Self {
        Self::new(code)
    }
}
