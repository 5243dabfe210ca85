//! The date of a signed request: how it is written, and how far it may be from the server's clock.

use crate::s3::values::error::{ErrorCode, S3Error};
use crate::s3::values::time::{self, Timestamp};
use jiff::fmt::rfc2822::DateTimeParser;
use std::time::Duration;

/// How far a client's clock may be off.
pub(in crate::s3) const MAX_SKEW: Duration = Duration::from_mins(15);

/// The date of a request whose signature stands in a header.
/// # Errors
/// `RequestTimeTooSkewed`
pub(in crate::s3) fn check_skew(signed_at: Timestamp, now: Timestamp) -> Result<(), S3Error> {
    if signed_at <= now.plus(MAX_SKEW) && now <= signed_at.plus(MAX_SKEW) {
        return Ok(());
    }
    Err(S3Error::new(ErrorCode::RequestTimeTooSkewed)
        .extra("RequestTime", time::amz_date(signed_at))
        .extra("ServerTime", time::iso8601_secs(now))
        .extra(
            "MaxAllowedSkewMilliseconds",
            MAX_SKEW.as_millis().to_string(),
        ))
}

/// A date as `Date` has it: `Tue, 27 Mar 2007 19:36:42 +0000` and its like, or `20070327T193642Z`.
// AWS: does not look at the day of the week; botocore writes `-0000` for the zone.
/// # Errors
/// `AccessDenied`
pub(in crate::s3) fn parse_date(text: &str) -> Result<Timestamp, S3Error> {
    const PARSER: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);
    time::parse_amz_date(text)
        .or_else(|| {
            let parsed = PARSER.parse_timestamp(text).ok()?;
            Some(Timestamp::from_millis(parsed.as_millisecond()))
        })
        .or_else(|| time::parse_http_date(text))
        // No request was signed before 1970.
        .filter(|at| at.as_millis() >= 0)
        .ok_or_else(needs_a_date)
}

/// AWS: its words for a missing or malformed date.
pub(in crate::s3) fn needs_a_date() -> S3Error {
    S3Error::with_message(
        ErrorCode::AccessDenied,
        "AWS authentication requires a valid Date or x-amz-date header",
    )
}
