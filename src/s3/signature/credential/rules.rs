//! Which signatures are accepted: the regions, and where Signature Version 2 is.

use crate::s3::signature::credential::scope::RegionRule;
use crate::s3::values::error::{ErrorCode, S3Error};

/// Which signatures are accepted.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    pub regions: RegionRule,
    pub sigv2: Sigv2,
}

/// Where Signature Version 2 is accepted beside Version 4.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sigv2 {
    Off,
    /// In presigned URLs and forms: what boto3, the AWS CLI, django-storages and s3fs make by default.
    #[default]
    Presigned,
    /// In the `Authorization` header too.
    On,
}

impl Sigv2 {
    pub const ACCEPTED: &'static str = "off, presigned or on";

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "off" | "false" | "no" | "0" => Some(Self::Off),
            "presigned" => Some(Self::Presigned),
            "on" | "true" | "yes" | "1" => Some(Self::On),
            _ => None,
        }
    }
}

/// The error for Version 2 where it is not accepted, and for unknown versions.
pub(in crate::s3) fn unsupported_mechanism() -> S3Error {
    S3Error::with_message(
        ErrorCode::InvalidRequest,
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
    )
    .logged("neither Signature Version 4 nor, where HANGAR_S3_SIGV2 accepts it, Version 2: `presigned` accepts it in URLs and forms, `on` in the Authorization header too")
}
