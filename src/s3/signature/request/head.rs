//! A request as it came over the wire: what signatures are checked against.

use crate::s3::values::error::{ErrorCode, S3Error};

/// A request as it came over the wire. Header names lower case, in any order, values as sent.
#[derive(Debug, Clone)]
pub struct RequestHead<'a> {
    pub method: &'a str,
    pub raw_path: &'a str,
    /// Without `?`; empty when there is none.
    pub raw_query: &'a str,
    pub headers: &'a [(String, String)],
}

impl<'a> RequestHead<'a> {
    pub(in crate::s3) fn values(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let headers = self.headers;
        headers
            .iter()
            .filter(move |(sent, _)| sent == name)
            .map(|(_, value)| value.as_str())
    }

    /// The one value of a header that may come once.
    pub(in crate::s3) fn value(&self, name: &'static str) -> Result<Option<&'a str>, S3Error> {
        let mut values = self.values(name);
        let first = values.next();
        match values.next() {
            Some(_) => Err(S3Error::with_message(
                ErrorCode::InvalidArgument,
                format!("The header {name} is given more than once."),
            )
            .extra("ArgumentName", name)),
            None => Ok(first),
        }
    }
}
