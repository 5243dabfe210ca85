//! Refusal of headers that ask for features that an operation does not have.

use crate::http::s3::exchange::Exchange;
use crate::s3::{S3Error, request_headers, signature};

/// Refuses a request whose headers ask for a feature that its operation does not have. A presigned query states headers
/// too, those of checksums included.
///
/// # Errors
/// As [`request_headers::judge`].
pub(crate) fn judge_headers(exchange: &Exchange<'_>, operation: &str) -> Result<(), S3Error> {
    let headers = exchange.headers.iter();
    let headers = headers.map(|(name, value)| (name.as_str(), value.as_str()));
    request_headers::judge(operation, headers)?;
    if !signature::is_presigned(&exchange.query) {
        return Ok(());
    }
    for (name, value) in &exchange.query {
        let name = name.to_ascii_lowercase();
        if name.starts_with("x-amz-") {
            request_headers::judge(operation, [(name.as_str(), value.as_str())])?;
        }
    }
    Ok(())
}
