//! The errors of S3: one table of code, status and default message.
//!
//! The table is the only source of a code's status and text; code that refuses a request picks a code and, where the
//! default says too little, a message. It does not know how an answer is sent.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
use crate::s3::values::xml;
use std::borrow::Cow;

/// Makes [`ErrorCode`] and its total mappings from one table of code, status and message.
macro_rules! error_codes {
    ($($code:ident $status:literal $message:literal;)+) => {
        /// Every code that the S3 side answers.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($code,)+
        }
        impl ErrorCode {
            /// Every code of the table, in its order.
            pub const ALL: &[Self] = &[$(Self::$code,)+];

            /// The text of `<Code>`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$code => stringify!($code),)+
                }
            }
            /// The HTTP status that goes with the code.
            #[must_use]
            pub fn status(self) -> u16 {
                match self {
                    $(Self::$code => $status,)+
                }
            }
            /// The text of `<Message>` unless the code that refuses states a more precise one.
            #[must_use]
            pub fn default_message(self) -> &'static str {
                match self {
                    $(Self::$code => $message,)+
                }
            }
        }
    };
}

error_codes! {
    AccessDenied 403 "Access Denied";
    AccessForbidden 403 "CORSResponse: This CORS request is not allowed.";
    AccessControlListNotSupported 400 "The bucket does not allow ACLs";
    AuthorizationHeaderMalformed 400 "The authorization header that you provided is not valid.";
    AuthorizationQueryParametersError 400 "The authorization query parameters that you provided are not valid.";
    BadDigest 400 "The Content-MD5 you specified did not match what we received.";
    BadRequest 400 "The request is not valid.";
    BucketAlreadyExists 409 "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.";
    BucketAlreadyOwnedByYou 409 "Your previous request to create the named bucket succeeded and you already own it.";
    BucketNotEmpty 409 "The bucket you tried to delete is not empty";
    ConditionalRequestConflict 409 "The conditional request cannot succeed due to a conflicting operation against this resource.";
    EntityTooLarge 400 "Your proposed upload exceeds the maximum allowed size";
    EntityTooSmall 400 "Your proposed upload is smaller than the minimum allowed size";
    ExpiredToken 400 "The provided token has expired.";
    IllegalLocationConstraintException 400 "The specified location constraint is incompatible for the region specific endpoint this request was sent to.";
    IncompleteBody 400 "You did not provide the number of bytes specified by the Content-Length HTTP header";
    InsufficientStorage 507 "There is not enough free space to complete your request.";
    InternalError 500 "We encountered an internal error. Please try again.";
    InvalidAccessKeyId 403 "The AWS Access Key Id you provided does not exist in our records.";
    InvalidArgument 400 "Invalid Argument";
    InvalidBucketName 400 "The specified bucket is not valid.";
    InvalidDigest 400 "The Content-MD5 you specified is not valid.";
    InvalidEncryptionAlgorithmError 400 "The encryption request you specified is not valid.";
    InvalidLocationConstraint 400 "The specified location-constraint is not valid";
    InvalidObjectName 400 "The specified object name is not valid.";
    InvalidObjectState 403 "The operation is not valid for the current state of the object.";
    InvalidPart 400 "One or more of the specified parts could not be found. The part might not have been uploaded, or the specified entity tag might not have matched the part's entity tag.";
    InvalidPartNumber 416 "The requested partnumber is not satisfiable";
    InvalidPartOrder 400 "The list of parts was not in ascending order. The parts list must be specified in order by part number.";
    InvalidPolicyDocument 400 "The content of the form does not meet the conditions specified in the policy document.";
    InvalidRange 416 "The requested range is not satisfiable";
    InvalidRedirectLocation 400 "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.";
    InvalidRequest 400 "The request is not valid.";
    InvalidStorageClass 400 "The storage class you specified is not valid";
    InvalidTag 400 "The tag provided was not a valid tag. This error can occur if the tag did not pass input validation.";
    InvalidTargetBucketForLogging 400 "The target bucket for logging does not exist, is not owned by you, or does not have the appropriate grants for the log-delivery group.";
    InvalidToken 400 "The provided token is malformed or otherwise not valid.";
    InvalidURI 400 "Couldn't parse the specified URI.";
    KeyTooLongError 400 "Your key is too long";
    MalformedACLError 400 "The XML you provided was not well-formed or did not validate against our published schema";
    MalformedPOSTRequest 400 "The body of your POST request is not well-formed multipart/form-data.";
    MalformedPolicy 400 "This policy contains invalid Json";
    MalformedTrailerError 400 "The request contained trailing data that was not well-formed or did not conform to our published schema.";
    MalformedXML 400 "The XML you provided was not well-formed or did not validate against our published schema";
    MaxMessageLengthExceeded 400 "Your request was too large.";
    MaxPostPreDataLengthExceeded 400 "Your POST request fields preceding the upload file were too large.";
    MetadataTooLarge 400 "Your metadata headers exceed the maximum allowed metadata size";
    MethodNotAllowed 405 "The specified method is not allowed against this resource.";
    MissingContentLength 411 "You must provide the Content-Length HTTP header.";
    MissingRequestBodyError 400 "Request body is empty.";
    MissingSecurityHeader 400 "Your request was missing a required header";
    NoSuchBucket 404 "The specified bucket does not exist";
    NoSuchBucketPolicy 404 "The bucket policy does not exist";
    NoSuchCORSConfiguration 404 "The CORS configuration does not exist";
    NoSuchConfiguration 404 "The specified configuration does not exist.";
    NoSuchKey 404 "The specified key does not exist.";
    NoSuchLifecycleConfiguration 404 "The lifecycle configuration does not exist";
    NoSuchObjectLockConfiguration 404 "The specified object does not have a ObjectLock configuration";
    NoSuchPublicAccessBlockConfiguration 404 "The public access block configuration was not found";
    NoSuchTagSet 404 "The TagSet does not exist";
    NoSuchUpload 404 "The specified multipart upload does not exist. The upload ID might not be valid, or the multipart upload might have been aborted or completed.";
    NoSuchVersion 404 "The specified version does not exist.";
    NoSuchWebsiteConfiguration 404 "The specified bucket does not have a website configuration";
    NotImplemented 501 "A header you provided implies functionality that is not implemented";
    ObjectLockConfigurationNotFoundError 404 "Object Lock configuration does not exist for this bucket";
    OperationAborted 409 "A conflicting conditional operation is currently in progress against this resource. Please try again.";
    OwnershipControlsNotFoundError 404 "The bucket ownership controls were not found";
    PreconditionFailed 412 "At least one of the pre-conditions you specified did not hold";
    ReplicationConfigurationNotFoundError 404 "The replication configuration was not found";
    RequestHeaderSectionTooLarge 400 "Your request header section exceeds the maximum allowed request header section size";
    RequestIsNotMultiPartContent 400 "Bucket POST must be of the enclosure-type multipart/form-data.";
    RequestTimeTooSkewed 403 "The difference between the request time and the current time is too large.";
    RequestTimeout 400 "Your socket connection to the server was not read from or written to within the timeout period.";
    ServerSideEncryptionConfigurationNotFoundError 404 "The server side encryption configuration was not found";
    ServiceUnavailable 503 "Service is unable to handle request. Please reduce your request rate.";
    SignatureDoesNotMatch 403 "The request signature we calculated does not match the signature you provided. Check your key and signing method.";
    SlowDown 503 "Please reduce your request rate.";
    TooManyBuckets 400 "You have attempted to create more buckets than allowed";
    UnexpectedContent 400 "This request does not support content";
    UnresolvableGrantByEmailAddress 400 "The e-mail address you provided does not match any account on record.";
    UserKeyMustBeSpecified 400 "The bucket POST must contain the specified field name. If it is specified, check the order of the fields.";
    XAmzContentSHA256Mismatch 400 "The provided 'x-amz-content-sha256' header does not match what was computed.";
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
    /// `InvalidArgument` with the `ArgumentName` and `ArgumentValue` that it is about.
    #[must_use]
    pub fn invalid_argument(
        message: impl Into<Cow<'static, str>>,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        Self::with_message(ErrorCode::InvalidArgument, message)
            .extra("ArgumentName", name)
            .extra("ArgumentValue", value)
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
    /// The XML document of section 4 of the S3 contract: without a namespace, the extra elements last.
    #[must_use]
    pub fn to_xml(&self, resource: &str, request_id: &str, host_id: &str) -> String {
        xml::document("Error", xml::Namespace::None, |error| {
            error.text("Code", self.code.as_str());
            error.text("Message", &self.message);
            error.text("Resource", resource);
            error.text("RequestId", request_id);
            error.text("HostId", host_id);
            for (name, value) in &self.extras {
                error.text(name, value);
            }
        })
    }
}
impl From<ErrorCode> for S3Error {
    fn from(code: ErrorCode) -> Self {
        Self::new(code)
    }
}
impl std::fmt::Display for S3Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}
impl std::error::Error for S3Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_written_without_a_namespace_and_with_its_extras_last() {
        let error = S3Error::invalid_argument("<bad> & \u{1}ugly", "x-amz-date", "no\rdate");
        insta::assert_snapshot!(
            error.to_xml("/uploads/a\"b", "ID", "HOST"),
            @r#"<?xml version="1.0" encoding="UTF-8"?><Error><Code>InvalidArgument</Code><Message>&lt;bad&gt; &amp; �ugly</Message><Resource>/uploads/a&quot;b</Resource><RequestId>ID</RequestId><HostId>HOST</HostId><ArgumentName>x-amz-date</ArgumentName><ArgumentValue>no&#13;date</ArgumentValue></Error>"#
        );
    }

    #[test]
    fn every_code_is_a_client_or_server_error_with_a_message() {
        for code in ErrorCode::ALL {
            assert!(matches!(code.status(), 400..=599), "{}", code.as_str());
            assert!(!code.default_message().is_empty(), "{}", code.as_str());
        }
    }

    #[test]
    fn the_text_for_the_log_is_never_sent() {
        let error = S3Error::new(ErrorCode::AccessDenied).logged("condition 3");
        assert!(!error.to_xml("/", "", "").contains("condition 3"));
    }
}
