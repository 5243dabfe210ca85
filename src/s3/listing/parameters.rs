//! The parameters that listings share.

use crate::s3::values::error::S3Error;

/// Keys and common prefixes that one page holds at most.
pub const MAX_KEYS: u32 = 1000;

/// `max-keys` of a listing: 0 is allowed, more than [`MAX_KEYS`] means [`MAX_KEYS`].
/// # Errors
/// `InvalidArgument` unless it is a number from 0 to 2147483647.
pub fn parse_max_keys(sent: Option<&str>) -> Result<u32, S3Error> {
    let Some(sent) = sent else {
        return Ok(MAX_KEYS);
    };
    sent.parse::<i32>()
        .ok()
        .filter(|_| sent.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|number| u32::try_from(number).ok())
        .map(|number| number.min(MAX_KEYS))
        .ok_or_else(|| {
            S3Error::invalid_argument(
                "Provided max-keys not an integer or within integer range",
                "max-keys",
                sent,
            )
        })
}

/// `encoding-type` of a listing: whether the client wants names percent-encoded.
/// # Errors
/// `InvalidArgument` when it is anything but `url`.
pub fn parse_encoding_type(sent: Option<&str>) -> Result<bool, S3Error> {
    match sent {
        None => Ok(false),
        Some(sent) if sent.eq_ignore_ascii_case("url") => Ok(true),
        Some(other) => Err(S3Error::invalid_argument(
            "Invalid Encoding Method specified in Request",
            "encoding-type",
            other,
        )),
    }
}

pub(super) fn value<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = query.iter().find(|(sent, _)| sent == name);
    found.map(|(_, value)| value.as_str())
}

/// A value that is not empty.
pub(super) fn filled<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    value(query, name).filter(|value| !value.is_empty())
}
