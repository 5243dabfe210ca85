//! The id by which a client can refer to a request, and the headers that carry it.

use actix_web::HttpMessage;
use actix_web::http::header::HeaderName;

pub(crate) const X_AMZ_REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");
pub(super) const X_AMZ_ID_2: HeaderName = HeaderName::from_static("x-amz-id-2");
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The value of `x-amz-id-2` and of an error's `HostId`: the server that answered.
pub(crate) const HOST_ID: &str = "hangar";

/// 16 upper-case hex digits.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(String);

impl RequestId {
    pub(crate) fn new() -> Self {
        Self(format!("{:016X}", rand::random::<u64>()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of a request that is being handled.
    pub(crate) fn of(req: &actix_web::HttpRequest) -> String {
        req.extensions()
            .get::<Self>()
            .map(|id| id.0.clone())
            .unwrap_or_default()
    }
}
