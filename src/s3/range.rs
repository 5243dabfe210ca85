//! One byte range of a body. RFC 9110, section 14.

/// Bytes `start..end` of a body (end exclusive). Never empty, never past the size it was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    pub start: u64,
    pub end: u64,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeRequest {
    /// No usable `Range`: absent, malformed, of another unit, or of several ranges.
    Whole,
    Part(ByteRange),
    /// 416
    Unsatisfiable,
}
#[must_use]
pub fn parse(_header: Option<&str>, _size_bytes: u64) -> RangeRequest {
    todo!()
}
