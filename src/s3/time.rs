//! The dates of S3: `20261123T091810Z`, `20261123`, ISO 8601 and HTTP-date.
use crate::clock::Timestamp;

/// `x-amz-date`: `YYYYMMDDTHHMMSSZ`.
#[must_use]
pub fn parse_amz_date(_text: &str) -> Option<Timestamp> {
    todo!()
}
#[must_use]
pub fn amz_date(_at: Timestamp) -> String {
    todo!()
}
/// ISO 8601 UTC, with or without fractions; what a policy's `expiration` holds.
#[must_use]
pub fn parse_iso8601(_text: &str) -> Option<Timestamp> {
    todo!()
}
/// `2026-11-23T09:18:10.215Z`: what S3's XML holds.
#[must_use]
pub fn iso8601_millis(_at: Timestamp) -> String {
    todo!()
}
/// `2026-11-23T09:18:10Z`
#[must_use]
pub fn iso8601_secs(_at: Timestamp) -> String {
    todo!()
}
/// `Mon, 23 Nov 2026 09:18:10 GMT`
#[must_use]
pub fn http_date(_at: Timestamp) -> String {
    todo!()
}
#[must_use]
pub fn parse_http_date(_text: &str) -> Option<Timestamp> {
    todo!()
}
