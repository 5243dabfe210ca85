//! One byte range of a body. RFC 9110, section 14.
//!
//! AWS: a `Range` that S3 cannot use (malformed, of another unit, of several ranges) is ignored, as RFC 9110 14.2 allows.

use crate::s3::values::error::S3Error;

/// Bytes `start..end` of a body (end exclusive). Never empty, never past the size it was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    pub start: u64,
    pub end: u64,
}
impl ByteRange {
    /// Never 0.
    #[must_use]
    #[expect(
        clippy::len_without_is_empty,
        reason = "a range is never empty by its own law"
    )]
    pub fn len(&self) -> u64 {
        self.end - self.start
    }
    /// The value of `Content-Range`: `bytes 0-9/100`.
    #[must_use]
    pub fn content_range(&self, size_bytes: u64) -> String {
        format!("bytes {}-{}/{size_bytes}", self.start, self.end - 1)
    }
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeRequest {
    /// No usable `Range`: absent, malformed, of another unit, or of several ranges. Or the end of an empty body, which is
    /// all of it, and which no `Content-Range` can name.
    Whole,
    Part(ByteRange),
    /// 416
    Unsatisfiable,
}

/// What a `Range` of one range asks for, whatever the body's size.
enum Spec {
    /// `FIRST-LAST`, last inclusive
    Between(u64, u64),
    /// `FIRST-`
    From(u64),
    /// `-LENGTH`
    Suffix(u64),
}

/// Reads `x-amz-copy-source-range` for a source of `size_bytes`: `bytes=FIRST-LAST` and nothing else.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html>
///
/// # Errors
/// `InvalidArgument` for any other form, and for what is not within the source.
pub fn parse_copied(header: &str, size_bytes: u64) -> Result<ByteRange, S3Error> {
    let ends = header
        .strip_prefix("bytes=")
        .and_then(|ends| ends.split_once('-'))
        .and_then(|(first, last)| Some((number(first)?, number(last)?)))
        .filter(|(first, last)| first <= last);
    let Some((first, last)) = ends else {
        return Err(S3Error::invalid_argument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy",
            "x-amz-copy-source-range",
            header,
        ));
    };
    if last >= size_bytes {
        // AWS: 400, where a read of such a range is 416.
        return Err(S3Error::invalid_argument(
            format!("Range specified is not valid for source object of size: {size_bytes}"),
            "x-amz-copy-source-range",
            header,
        ));
    }
    Ok(ByteRange {
        start: first,
        end: last + 1,
    })
}
/// Reads `Range` for a body of `size_bytes`.
#[must_use]
pub fn parse(header: Option<&str>, size_bytes: u64) -> RangeRequest {
    let (start, end) = match header.and_then(spec) {
        Some(Spec::Between(first, last)) => (first, last.saturating_add(1).min(size_bytes)),
        Some(Spec::From(first)) => (first, size_bytes),
        // RFC 9110, 14.1.2: a suffix that is not of length 0 can be met by any body. AWS: 200 for an empty one.
        Some(Spec::Suffix(1..)) if size_bytes == 0 => return RangeRequest::Whole,
        Some(Spec::Suffix(length)) => (size_bytes.saturating_sub(length), size_bytes),
        None => return RangeRequest::Whole,
    };
    if start < end {
        RangeRequest::Part(ByteRange { start, end })
    } else {
        RangeRequest::Unsatisfiable
    }
}
/// `None` where S3 ignores the header.
fn spec(header: &str) -> Option<Spec> {
    let (unit, spec) = header.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    match spec.trim_matches([' ', '\t']).split_once('-')? {
        ("", length) => Some(Spec::Suffix(number(length)?)),
        (first, "") => Some(Spec::From(number(first)?)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Spec::Between(first, last))
        }
    }
}
/// A number past `u64` lies past every body, as `u64::MAX` does.
fn number(digits: &str) -> Option<u64> {
    let valid = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    valid.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::values::error::ErrorCode;
    use proptest::prelude::*;
    use rstest::rstest;

    fn part(start: u64, end: u64) -> RangeRequest {
        RangeRequest::Part(ByteRange { start, end })
    }

    #[rstest]
    #[case("bytes=0-0", part(0, 1))]
    #[case("bytes=4-7", part(4, 8))]
    #[case("bytes=4-", part(4, 10))]
    #[case("bytes=-7", part(3, 10))]
    #[case("bytes=-70", part(0, 10))]
    #[case("bytes=0-99999999999999999999999999", part(0, 10))]
    #[case("bytes=0-18446744073709551615", part(0, 10))]
    #[case("bytes=-99999999999999999999999999", part(0, 10))]
    #[case("Bytes=1-2", part(1, 3))]
    #[case("bytes= 1-2 ", part(1, 3))]
    #[case("bytes=10-", RangeRequest::Unsatisfiable)]
    #[case("bytes=10-11", RangeRequest::Unsatisfiable)]
    #[case("bytes=99999999999999999999999999-", RangeRequest::Unsatisfiable)]
    #[case("bytes=-0", RangeRequest::Unsatisfiable)]
    #[case("bytes=5-4", RangeRequest::Whole)]
    #[case("bytes=0-1,3-4", RangeRequest::Whole)]
    #[case("bytes=-", RangeRequest::Whole)]
    #[case("bytes=", RangeRequest::Whole)]
    #[case("bytes=a-b", RangeRequest::Whole)]
    #[case("bytes=+1-2", RangeRequest::Whole)]
    #[case("bytes=1--2", RangeRequest::Whole)]
    #[case("items=0-1", RangeRequest::Whole)]
    #[case("", RangeRequest::Whole)]
    fn a_range_of_ten_bytes(#[case] header: &str, #[case] expected: RangeRequest) {
        assert_eq!(parse(Some(header), 10), expected);
    }

    #[test]
    fn of_an_empty_body_only_its_end_can_be_asked_for() {
        assert_eq!(parse(None, 0), RangeRequest::Whole);
        for header in ["bytes=-1", "bytes=-5", "bytes=-99999999999999999999999999"] {
            assert_eq!(parse(Some(header), 0), RangeRequest::Whole);
        }
        for header in ["bytes=0-", "bytes=0-0", "bytes=40-50", "bytes=-0"] {
            assert_eq!(parse(Some(header), 0), RangeRequest::Unsatisfiable);
        }
    }

    #[rstest]
    #[case("bytes=0-0", Ok((0, 1)))]
    #[case("bytes=0-4", Ok((0, 5)))]
    #[case("bytes=3-4", Ok((3, 5)))]
    #[case("bytes=0-5", Err(ErrorCode::InvalidArgument))]
    #[case("bytes=9-21", Err(ErrorCode::InvalidArgument))]
    #[case("bytes=0-18446744073709551615", Err(ErrorCode::InvalidArgument))]
    #[case("bytes=0-99999999999999999999999", Err(ErrorCode::InvalidArgument))]
    #[case("0-2", Err(ErrorCode::InvalidArgument))]
    #[case("bytes=0", Err(ErrorCode::InvalidArgument))]
    #[case("bytes=hello-world", Err(ErrorCode::InvalidArgument))]
    #[case("bytes=0-bar", Err(ErrorCode::InvalidArgument))]
    #[case("bytes=hello-", Err(ErrorCode::InvalidArgument))]
    #[case("bytes=0-", Err(ErrorCode::InvalidArgument))]
    #[case("bytes=-3", Err(ErrorCode::InvalidArgument))]
    #[case("bytes=0-2,3-5", Err(ErrorCode::InvalidArgument))]
    #[case("bytes=3-2", Err(ErrorCode::InvalidArgument))]
    #[case("bytes=+1-2", Err(ErrorCode::InvalidArgument))]
    #[case("", Err(ErrorCode::InvalidArgument))]
    fn a_copied_range_of_five_bytes(
        #[case] header: &str,
        #[case] expected: Result<(u64, u64), ErrorCode>,
    ) {
        let range = parse_copied(header, 5)
            .map(|range| (range.start, range.end))
            .map_err(|error| error.code);
        assert_eq!(range, expected);
    }

    proptest! {
        #[test]
        fn a_range_selects_what_a_slice_does(size in 0_usize..50, first in 0_usize..60, length in 0_usize..60) {
            let body: Vec<usize> = (0..size).collect();
            let last = first + length;
            let naive: Vec<usize> = body.iter().copied().filter(|at| (first..=last).contains(at)).collect();
            let size_bytes = size as u64;
            match parse(Some(&format!("bytes={first}-{last}")), size_bytes) {
                RangeRequest::Part(range) => {
                    let start = usize::try_from(range.start).unwrap();
                    let end = usize::try_from(range.end).unwrap();
                    prop_assert_eq!(&body[start..end], &naive[..]);
                    prop_assert_eq!(range.len(), naive.len() as u64);
                }
                RangeRequest::Unsatisfiable => prop_assert!(naive.is_empty()),
                RangeRequest::Whole => prop_assert!(false, "a well-formed range was ignored"),
            }
        }

        #[test]
        fn whatever_is_sent_never_leaves_the_body(header in "(bytes=)?[0-9a-z,= -]{0,40}", size in any::<u64>()) {
            if let RangeRequest::Part(range) = parse(Some(&header), size) {
                prop_assert!(range.start < range.end && range.end <= size);
            }
        }
    }
}
