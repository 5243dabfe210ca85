//! Preconditions of reads and writes. RFC 9110, section 13; S3's `If-Match` and `If-None-Match: *` on writes.
use super::ETag;
use crate::clock::Timestamp;

/// The conditional headers of a read, as sent. Dates that do not parse are ignored (RFC 9110, 13.1.3).
#[derive(Debug, Clone, Default)]
pub struct ReadConditions<'a> {
    pub if_match: Option<&'a str>,
    pub if_none_match: Option<&'a str>,
    pub if_modified_since: Option<&'a str>,
    pub if_unmodified_since: Option<&'a str>,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadVerdict {
    Proceed,
    NotModified,
    PreconditionFailed,
}
impl ReadConditions<'_> {
    #[must_use]
    pub fn evaluate(&self, _etag: &ETag, _last_modified: Timestamp) -> ReadVerdict {
        todo!()
    }
}
/// Whether `If-Range` lets a range stand: a strong ETag that equals, or a date that equals.
#[must_use]
pub fn if_range_holds(_if_range: &str, _etag: &ETag, _last_modified: Timestamp) -> bool {
    todo!()
}
/// What must hold of the current object of a key before it gets new bytes or goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum WritePrecondition {
    #[default]
    None,
    /// `If-None-Match: *`
    Absent,
    /// `If-Match: "etag"`
    Matches(ETag),
}
impl WritePrecondition {
    /// # Errors
    /// `NotImplemented` for the forms that S3 has not (If-None-Match with an ETag).
    pub fn parse(
        _if_match: Option<&str>,
        _if_none_match: Option<&str>,
    ) -> Result<Self, super::S3Error> {
        todo!()
    }
    /// Whether it holds of the current object's tag (`None`: there is no object).
    #[must_use]
    pub fn holds(&self, _current: Option<&ETag>) -> bool {
        todo!()
    }
}
