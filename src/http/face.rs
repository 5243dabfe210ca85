//! The face that answers a request, chosen by its *raw* first segment: `/%61pi` is a bucket's name and not the asset
//! API.

use crate::http::config::HttpConfig;
use crate::http::origin;
use actix_web::dev::RequestHead;
use actix_web::guard::{Guard, fn_guard};
use std::sync::Arc;

/// The face that answers a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    /// `/api`
    Api,
    /// `/-`
    Operations,
    /// `/minio`
    Minio,
    /// All other paths; and every path under a host that names a bucket.
    S3,
}

impl Face {
    pub(crate) fn of(head: &RequestHead, config: &HttpConfig) -> Self {
        if origin::virtual_bucket(head, config).is_some() {
            return Self::S3;
        }
        match head.uri.path().split('/').nth(1) {
            Some("api") => Self::Api,
            Some("-") => Self::Operations,
            Some("minio") => Self::Minio,
            _ => Self::S3,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Operations => "operations",
            Self::Minio => "minio",
            Self::S3 => "s3",
        }
    }

    pub(super) fn guard(self, config: &Arc<HttpConfig>) -> impl Guard + use<> {
        let config = Arc::clone(config);
        fn_guard(move |context| Self::of(context.head(), &config) == self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use rstest::rstest;

    #[rstest]
    #[case::api("/api/v1/users/me/", "localhost", Face::Api)]
    #[case::operations("/-/health/live", "localhost", Face::Operations)]
    #[case::minio("/minio/health/live", "localhost", Face::Minio)]
    #[case::root("/", "localhost", Face::S3)]
    #[case::bucket("/uploads/key", "localhost", Face::S3)]
    #[case::longer_name("/api2/key", "localhost", Face::S3)]
    #[case::encoded("/%61pi/v1/", "localhost", Face::S3)]
    #[case::empty_segment("//api/v1/", "localhost", Face::S3)]
    #[case::virtual_host("/api/v1/", "uploads.s3.example.com", Face::S3)]
    fn the_raw_first_segment_names_the_face(
        #[case] path: &str,
        #[case] host: &str,
        #[case] face: Face,
    ) {
        let config = HttpConfig {
            s3_domain: Some("s3.example.com".to_owned()),
            ..HttpConfig::bare()
        };
        let req = TestRequest::with_uri(path)
            .insert_header(("host", host))
            .to_http_request();
        assert_eq!(Face::of(req.head(), &config), face);
    }
}
