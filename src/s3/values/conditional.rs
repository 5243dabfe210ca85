//! Preconditions of reads and writes.
//!
//! RFC 9110, section 13 (precedence: 13.2.2), with strong comparison for `If-Match` and weak comparison for
//! `If-None-Match`. A write takes one of the two, with `*` or one tag. AWS: offers only `If-None-Match: *` and `If-Match`
//! with a tag; Ceph's and MinIO's clients send the other two as well, which mean what RFC 9110 says. A write takes
//! `If-None-Match` only with a tag that an object can have: `"*"` or `true` come from clients that mean `*`, and would
//! replace the object that they want to keep.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html>
use crate::s3::values::error::{ErrorCode, S3Error};
use crate::s3::values::etag::ETag;
use crate::s3::values::time;
use crate::s3::values::time::Timestamp;

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
    pub fn evaluate(&self, etag: &ETag, last_modified: Timestamp) -> ReadVerdict {
        let modified_secs = last_modified.as_secs();
        if let Some(tags) = self.if_match {
            if !entity_tags(tags).any(|tag| tag.matches_strongly(etag)) {
                return ReadVerdict::PreconditionFailed;
            }
        } else if let Some(date) = self.if_unmodified_since.and_then(time::parse_http_date)
            && modified_secs > date.as_secs()
        {
            return ReadVerdict::PreconditionFailed;
        }
        if let Some(tags) = self.if_none_match {
            if entity_tags(tags).any(|tag| tag.matches_weakly(etag)) {
                return ReadVerdict::NotModified;
            }
        } else if let Some(date) = self.if_modified_since.and_then(time::parse_http_date)
            && modified_secs <= date.as_secs()
        {
            return ReadVerdict::NotModified;
        }
        ReadVerdict::Proceed
    }
}
/// Whether `If-Range` lets a range stand: a strong `ETag` that equals, or a date that equals.
#[must_use]
pub fn if_range_holds(if_range: &str, etag: &ETag, last_modified: Timestamp) -> bool {
    let if_range = if_range.trim();
    if let Some(date) = time::parse_http_date(if_range) {
        return date.as_secs() == last_modified.as_secs();
    }
    let mut tags = entity_tags(if_range);
    match (tags.next(), tags.next()) {
        (Some(tag @ EntityTag::Tag { .. }), None) => tag.matches_strongly(etag),
        _ => false,
    }
}
/// What must hold of the current object of a key before it gets new bytes or goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum WritePrecondition {
    #[default]
    None,
    /// `If-None-Match: *`
    Absent,
    /// `If-Match: *`
    Present,
    /// `If-Match: "etag"`
    Matches(ETag),
    /// `If-None-Match: "etag"`
    Differs(ETag),
}
impl WritePrecondition {
    /// # Errors
    /// `NotImplemented` for several tags, a weak one, both headers, or `If-None-Match` with a tag that no object has.
    pub fn parse(if_match: Option<&str>, if_none_match: Option<&str>) -> Result<Self, S3Error> {
        match (if_match, if_none_match) {
            (None, None) => Ok(Self::None),
            (Some(tag), None) => match only_tag(tag) {
                Some(OnlyTag::Any) => Ok(Self::Present),
                Some(OnlyTag::Strong(etag)) => Ok(Self::Matches(etag)),
                None => Err(unsupported("If-Match")),
            },
            (None, Some(tag)) => match only_tag(tag) {
                Some(OnlyTag::Any) => Ok(Self::Absent),
                Some(OnlyTag::Strong(etag)) if etag.is_plausible() => Ok(Self::Differs(etag)),
                Some(OnlyTag::Strong(_)) | None => Err(unsupported("If-None-Match")),
            },
            (Some(_), Some(_)) => Err(unsupported("If-Match, If-None-Match")),
        }
    }
    /// Whether it can only hold of an object that is there.
    #[must_use]
    pub fn wants_object(&self) -> bool {
        matches!(self, Self::Present | Self::Matches(_))
    }
    /// Whether it holds of the current object's tag (`None`: there is no object).
    #[must_use]
    pub fn holds(&self, current: Option<&ETag>) -> bool {
        match self {
            Self::None => true,
            Self::Absent => current.is_none(),
            Self::Present => current.is_some(),
            Self::Matches(etag) => current == Some(etag),
            Self::Differs(etag) => current != Some(etag),
        }
    }
}

/// What must hold of an object before it is deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteCondition {
    etag: WritePrecondition,
    /// To the second
    last_modified: Option<Timestamp>,
    size_bytes: Option<u64>,
}
impl DeleteCondition {
    /// Of `If-Match` and the two conditions that AWS knows for directory buckets, or of the elements of `DeleteObjects`.
    ///
    /// # Errors
    /// `NotImplemented` for several tags or a weak one; `malformed` for a time or a size that cannot be read.
    pub fn parse(
        etag: Option<&str>,
        last_modified: Option<&str>,
        size_bytes: Option<&str>,
        malformed: ErrorCode,
    ) -> Result<Self, S3Error> {
        let time = |text: &str| time::parse_http_date(text).or_else(|| time::parse_iso8601(text));
        let size = |text: &str| text.trim().parse().ok();
        Ok(Self {
            etag: WritePrecondition::parse(etag, None)?,
            last_modified: last_modified
                .map(|text| time(text.trim()).ok_or(malformed))
                .transpose()?,
            size_bytes: size_bytes
                .map(|text| size(text).ok_or(malformed))
                .transpose()?,
        })
    }

    /// Whether it asks for anything.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it holds of an object that is there.
    #[must_use]
    pub fn holds(&self, etag: &ETag, last_modified: Timestamp, size_bytes: u64) -> bool {
        let same_time = |asked: Timestamp| asked.as_secs() == last_modified.as_secs();
        self.etag.holds(Some(etag))
            && self.last_modified.is_none_or(same_time)
            && self.size_bytes.is_none_or(|asked| asked == size_bytes)
    }
}

/// AWS: the code and the text for a precondition that a write does not take.
fn unsupported(header: &'static str) -> S3Error {
    S3Error::new(ErrorCode::NotImplemented)
        .extra("Header", header)
        .extra(
            "AdditionalMessage",
            "A write takes If-Match or If-None-Match, with * (without quotes) or the ETag of an object.",
        )
}

/// What a write's precondition may name.
enum OnlyTag {
    Any,
    Strong(ETag),
}
fn only_tag(header: &str) -> Option<OnlyTag> {
    let mut tags = entity_tags(header);
    match (tags.next(), tags.next()) {
        (Some(EntityTag::Any), None) => Some(OnlyTag::Any),
        (Some(EntityTag::Tag { value, weak: false }), None) => {
            Some(OnlyTag::Strong(ETag::from_stored(value.to_owned())))
        }
        _ => None,
    }
}
/// One member of the list in `If-Match` or `If-None-Match`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EntityTag<'a> {
    /// `*`
    Any,
    /// The text between the quotes.
    Tag { value: &'a str, weak: bool },
}
impl EntityTag<'_> {
    /// A stored tag is always strong, so that only a strong one is the same.
    fn matches_strongly(self, etag: &ETag) -> bool {
        match self {
            Self::Any => true,
            Self::Tag { value, weak } => !weak && value == etag.as_str(),
        }
    }
    fn matches_weakly(self, etag: &ETag) -> bool {
        match self {
            Self::Any => true,
            Self::Tag { value, .. } => value == etag.as_str(),
        }
    }
}
/// The tags of a header, in order. What is malformed names no object, so that it matches none.
///
/// AWS: takes tags without quotes, too, as several SDKs send them.
fn entity_tags(header: &str) -> impl Iterator<Item = EntityTag<'_>> {
    let mut rest = header;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return None;
        }
        let (weak, tag) = match rest.strip_prefix("W/") {
            Some(tag) if tag.starts_with('"') => (true, tag),
            _ => (false, rest),
        };
        if let Some(opened) = tag.strip_prefix('"') {
            // Without its closing quote it keeps the first one, which no object's tag has.
            let (value, after) = opened.split_once('"').unwrap_or((tag, ""));
            rest = after;
            return Some(EntityTag::Tag { value, weak });
        }
        let (value, after) = tag.split_once(',').unwrap_or((tag, ""));
        rest = after;
        Some(match value.trim_end_matches([' ', '\t']) {
            "*" => EntityTag::Any,
            value => EntityTag::Tag { value, weak },
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    const MODIFIED: Timestamp = Timestamp::from_millis(1_795_425_490_215); // Mon, 23 Nov 2026 09:18:10.215 GMT
    const SAME: &str = "Mon, 23 Nov 2026 09:18:10 GMT";
    const BEFORE: &str = "Mon, 23 Nov 2026 09:18:09 GMT";
    const AFTER: &str = "Mon, 23 Nov 2026 09:18:11 GMT";

    fn etag() -> ETag {
        ETag::from_stored("abc-2".to_owned())
    }

    #[test]
    fn the_dates_of_these_tests_are_what_they_say() {
        assert_eq!(time::http_date(MODIFIED), SAME);
    }

    #[rstest]
    #[case("\"abc-2\"", ReadVerdict::Proceed)]
    #[case("abc-2", ReadVerdict::Proceed)]
    #[case("*", ReadVerdict::Proceed)]
    #[case("\"x\", \"abc-2\"", ReadVerdict::Proceed)]
    #[case("\"x\",\"abc-2\"", ReadVerdict::Proceed)]
    #[case("x , abc-2", ReadVerdict::Proceed)]
    #[case("W/\"abc-2\"", ReadVerdict::PreconditionFailed)]
    #[case("\"ABCORZ\"", ReadVerdict::PreconditionFailed)]
    #[case("\"x,abc-2\"", ReadVerdict::PreconditionFailed)]
    #[case("\"abc-2", ReadVerdict::PreconditionFailed)]
    #[case("", ReadVerdict::PreconditionFailed)]
    fn if_match_compares_strongly(#[case] tags: &str, #[case] expected: ReadVerdict) {
        let conditions = ReadConditions {
            if_match: Some(tags),
            ..ReadConditions::default()
        };
        assert_eq!(conditions.evaluate(&etag(), MODIFIED), expected);
    }

    #[rstest]
    #[case("\"abc-2\"", ReadVerdict::NotModified)]
    #[case("W/\"abc-2\"", ReadVerdict::NotModified)]
    #[case("\"x\", W/\"abc-2\"", ReadVerdict::NotModified)]
    #[case("*", ReadVerdict::NotModified)]
    #[case("W/\"abc-2", ReadVerdict::Proceed)]
    #[case("ABCORZ", ReadVerdict::Proceed)]
    #[case("", ReadVerdict::Proceed)]
    fn if_none_match_compares_weakly(#[case] tags: &str, #[case] expected: ReadVerdict) {
        let conditions = ReadConditions {
            if_none_match: Some(tags),
            ..ReadConditions::default()
        };
        assert_eq!(conditions.evaluate(&etag(), MODIFIED), expected);
    }

    #[rstest]
    #[case(Some(SAME), None, ReadVerdict::NotModified)]
    #[case(Some(AFTER), None, ReadVerdict::NotModified)]
    #[case(Some(BEFORE), None, ReadVerdict::Proceed)]
    #[case(Some("yesterday"), None, ReadVerdict::Proceed)]
    #[case(None, Some(SAME), ReadVerdict::Proceed)]
    #[case(None, Some(AFTER), ReadVerdict::Proceed)]
    #[case(None, Some(BEFORE), ReadVerdict::PreconditionFailed)]
    #[case(None, Some("yesterday"), ReadVerdict::Proceed)]
    fn dates_are_compared_in_whole_seconds(
        #[case] if_modified_since: Option<&str>,
        #[case] if_unmodified_since: Option<&str>,
        #[case] expected: ReadVerdict,
    ) {
        let conditions = ReadConditions {
            if_modified_since,
            if_unmodified_since,
            ..ReadConditions::default()
        };
        assert_eq!(conditions.evaluate(&etag(), MODIFIED), expected);
    }

    #[test]
    fn a_tag_goes_before_a_date() {
        let held = ReadConditions {
            if_match: Some("\"abc-2\""),
            if_unmodified_since: Some(BEFORE),
            ..ReadConditions::default()
        };
        assert_eq!(held.evaluate(&etag(), MODIFIED), ReadVerdict::Proceed);
        let changed = ReadConditions {
            if_none_match: Some("\"x\""),
            if_modified_since: Some(AFTER),
            ..ReadConditions::default()
        };
        assert_eq!(changed.evaluate(&etag(), MODIFIED), ReadVerdict::Proceed);
        let both = ReadConditions {
            if_match: Some("\"x\""),
            if_none_match: Some("\"abc-2\""),
            ..ReadConditions::default()
        };
        assert_eq!(
            both.evaluate(&etag(), MODIFIED),
            ReadVerdict::PreconditionFailed
        );
    }

    #[rstest]
    #[case("\"abc-2\"", true)]
    #[case("W/\"abc-2\"", false)]
    #[case("\"abc-2", false)]
    #[case("\"x\"", false)]
    #[case("*", false)]
    #[case(SAME, true)]
    #[case(AFTER, false)]
    #[case("", false)]
    fn if_range_takes_only_the_same(#[case] if_range: &str, #[case] expected: bool) {
        assert_eq!(if_range_holds(if_range, &etag(), MODIFIED), expected);
    }

    #[test]
    fn a_write_takes_one_header_with_a_star_or_one_strong_tag() {
        let parse = WritePrecondition::parse;
        assert_eq!(parse(None, None).unwrap(), WritePrecondition::None);
        assert_eq!(parse(None, Some("*")).unwrap(), WritePrecondition::Absent);
        assert_eq!(parse(Some("*"), None).unwrap(), WritePrecondition::Present);
        for tag in ["\"abc-2\"", "abc-2"] {
            let matches = WritePrecondition::Matches(etag());
            assert_eq!(parse(Some(tag), None).unwrap(), matches);
        }
        for tag in [
            "5d41402abc4b2a76b9719d911017c592",
            "5d41402abc4b2a76b9719d911017c592-12",
            "badetag",
        ] {
            let differs = WritePrecondition::Differs(ETag::from_stored(tag.to_owned()));
            assert_eq!(parse(None, Some(tag)).unwrap(), differs);
            assert_eq!(parse(None, Some(&format!("\"{tag}\""))).unwrap(), differs);
        }
        for (if_match, if_none_match) in [
            (None, Some("\"a\", \"b\"")),
            (None, Some("\"*\"")),
            (None, Some("W/\"*\"")),
            (None, Some("*, *")),
            (None, Some("**")),
            (None, Some("'*'")),
            (None, Some("true")),
            (None, Some("\"true\"")),
            (None, Some("")),
            (None, Some("\"\"")),
            (None, Some("abc-2")),
            (None, Some("W/\"5d41402abc4b2a76b9719d911017c592\"")),
            (None, Some("\"5d41402abc4b2a76b9719d911017c592")),
            (Some("\"a\", \"b\""), None),
            (Some("W/\"a\""), None),
            (Some(""), None),
            (Some("\"a\""), Some("*")),
        ] {
            let error = parse(if_match, if_none_match).unwrap_err();
            assert_eq!(error.code, ErrorCode::NotImplemented);
        }
    }

    #[rstest]
    #[case(WritePrecondition::None, [true, true, true])]
    #[case(WritePrecondition::Absent, [true, false, false])]
    #[case(WritePrecondition::Present, [false, true, true])]
    #[case(WritePrecondition::Matches(etag()), [false, true, false])]
    #[case(WritePrecondition::Differs(etag()), [true, false, true])]
    fn a_write_precondition_is_checked_against_the_current_tag(
        #[case] precondition: WritePrecondition,
        #[case] expected: [bool; 3],
    ) {
        let other = ETag::from_stored("x".to_owned());
        let of_none_same_other = [None, Some(&etag()), Some(&other)];
        assert_eq!(
            of_none_same_other.map(|tag| precondition.holds(tag)),
            expected
        );
        assert_eq!(
            precondition.wants_object(),
            expected == [false, true, true] || expected == [false, true, false]
        );
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_a_panic(header in "[\"W/*, \\\\a-c\\PC]{0,60}") {
            prop_assert!(entity_tags(&header).count() <= header.len());
            let _ = if_range_holds(&header, &etag(), MODIFIED);
        }

        #[test]
        fn a_tag_in_a_list_is_found(before in "[a-z]{1,8}", after in "[a-z]{1,8}") {
            let list = format!("\"{before}\", \"abc-2\" ,W/\"{after}\"");
            prop_assert!(entity_tags(&list).any(|tag| tag.matches_strongly(&etag())));
            prop_assert_eq!(entity_tags(&list).count(), 3);
        }
    }
}
