//! A request as the operations read it: its headers, its query, and which operation it asks for.

use crate::http::config::HttpConfig;
use crate::http::origin::Origin;
use crate::http::s3::fields;
use crate::s3::op::Operation;
use crate::s3::uri::{self, Plus};
use crate::s3::{BucketName, ErrorCode, ObjectKey, S3Error};
use actix_web::HttpRequest;

/// A request on its way to a response.
pub(crate) struct Exchange<'a> {
    pub(crate) req: &'a HttpRequest,
    pub(crate) config: &'a HttpConfig,
    /// Names in lower case, values as sent: first the headers of the request, then those that a presigned query states.
    pub(crate) headers: Vec<(String, String)>,
    /// How many of them are headers of the request.
    sent: usize,
    /// Decoded
    pub(crate) query: Vec<(String, String)>,
    /// How a `+` in the query is read.
    plus: Plus,
    pub(crate) virtual_bucket: Option<String>,
}

impl<'a> Exchange<'a> {
    pub(crate) fn new(
        req: &'a HttpRequest,
        config: &'a HttpConfig,
        virtual_bucket: Option<String>,
    ) -> Result<Self, S3Error> {
        let headers = fields::header_fields(req.headers());
        let mut exchange = Self {
            req,
            config,
            sent: headers.len(),
            headers,
            query: Vec::new(),
            plus: Plus::default(),
            virtual_bucket,
        };
        exchange.read_query()?;
        Ok(exchange)
    }

    fn read_query(&mut self) -> Result<(), S3Error> {
        let raw = self.req.uri().query().unwrap_or_default();
        self.query = uri::parse_query_as(raw, self.plus).ok_or_else(|| {
            S3Error::with_message(
                ErrorCode::InvalidArgument,
                "The query string is not percent-encoded UTF-8.",
            )
        })?;
        self.headers.truncate(self.sent);
        fields::add_presigned(&mut self.headers, &self.query);
        Ok(())
    }

    /// Reads the query as the client signed it. No name of a sub-resource has a `+` or a space in it, so the operation
    /// stays the same.
    pub(crate) fn read_as_signed(&mut self, plus: Plus) -> Result<(), S3Error> {
        if self.plus == plus {
            return Ok(());
        }
        self.plus = plus;
        self.read_query()
    }

    /// The headers that the client sent as such: a signature covers headers among these alone.
    pub(crate) fn sent_headers(&self) -> &[(String, String)] {
        &self.headers[..self.sent]
    }

    /// The value of a header, by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        fields::field(&self.headers, name)
    }

    /// The value of a parameter of the query.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        fields::field(&self.query, name)
    }

    pub(crate) fn operation(&self) -> Result<Operation, S3Error> {
        Operation::from_request(
            self.req.method().as_str(),
            self.req.uri().path(),
            &self.query,
            &|name| self.header(name).map(str::to_owned),
            self.virtual_bucket.as_deref(),
        )
    }

    /// The URL of an object of this server; a path, where the request names no host that a link could hold.
    pub(crate) fn location_of(&self, bucket: &BucketName, key: &ObjectKey) -> String {
        let key = uri::encode_path(key.as_str());
        let path = if self.virtual_bucket.is_some() {
            format!("/{key}")
        } else {
            format!("/{bucket}/{key}")
        };
        match Origin::of(self.req, self.config) {
            Ok(origin) => format!("{origin}{path}"),
            Err(_) => path,
        }
    }
}
