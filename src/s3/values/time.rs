//! The dates of S3: `20261123T091810Z`, `20261123`, ISO 8601 and HTTP-date.
//!
//! Parsing is exact: a date that is not written as its form says is `None`, never a guess. Printing never fails:
//! years stay within 0000 to 9999 (HTTP-dates within 1970 to 9999), which is all that the forms can hold.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>,
//! [RFC 9110, 5.6.7](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7)
use std::time::{Duration, UNIX_EPOCH};

use jiff::SignedDuration;
use jiff::civil::DateTime;

/// Milliseconds since 1970-01-01T00:00:00Z. What records, rows and the S3 rules are dated with.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds, rounded down.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)),
        )
    }
}

/// Civil time all through: jiff's `Timestamp` ends a day before 9999 does, and policies that never expire say just that.
const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
/// 0000-01-01T00:00:00Z, in milliseconds
const FIRST_MILLIS: i64 = -62_167_219_200_000;
/// 9999-12-31T23:59:59.999Z, in milliseconds
const LAST_MILLIS: i64 = 253_402_300_799_999;

/// `x-amz-date`: `YYYYMMDDTHHMMSSZ`.
#[must_use]
pub fn parse_amz_date(text: &str) -> Option<Timestamp> {
    let &[
        y1,
        y2,
        y3,
        y4,
        mo1,
        mo2,
        d1,
        d2,
        b'T',
        h1,
        h2,
        mi1,
        mi2,
        s1,
        s2,
        b'Z',
    ] = text.as_bytes()
    else {
        return None;
    };
    timestamp(
        digits(&[y1, y2, y3, y4])?,
        digits(&[mo1, mo2])?,
        digits(&[d1, d2])?,
        [digits(&[h1, h2])?, digits(&[mi1, mi2])?, digits(&[s1, s2])?],
        0,
    )
}

/// `YYYYMMDDTHHMMSSZ`
#[must_use]
pub fn amz_date(at: Timestamp) -> String {
    let at = civil(at);
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// The day of a credential scope: `YYYYMMDD`.
#[must_use]
pub fn amz_day(at: Timestamp) -> String {
    let at = civil(at);
    format!("{:04}{:02}{:02}", at.year(), at.month(), at.day())
}

/// ISO 8601 UTC, with or without fractions (of which milliseconds are kept); what a policy's `expiration` holds.
#[must_use]
pub fn parse_iso8601(text: &str) -> Option<Timestamp> {
    let (whole, rest) = text.as_bytes().split_at_checked(19)?;
    let &[
        y1,
        y2,
        y3,
        y4,
        b'-',
        mo1,
        mo2,
        b'-',
        d1,
        d2,
        b'T',
        h1,
        h2,
        b':',
        mi1,
        mi2,
        b':',
        s1,
        s2,
    ] = whole
    else {
        return None;
    };
    let nanos = match rest {
        b"Z" => 0,
        [b'.', fraction @ .., b'Z'] if (1..=9).contains(&fraction.len()) => {
            let scale = 10_i32.pow(9 - u32::try_from(fraction.len()).ok()?);
            digits(fraction)? * scale
        }
        _ => return None,
    };
    timestamp(
        digits(&[y1, y2, y3, y4])?,
        digits(&[mo1, mo2])?,
        digits(&[d1, d2])?,
        [digits(&[h1, h2])?, digits(&[mi1, mi2])?, digits(&[s1, s2])?],
        nanos,
    )
}

/// `2026-11-23T09:18:10.215Z`: what S3's XML holds.
#[must_use]
pub fn iso8601_millis(at: Timestamp) -> String {
    let at = civil(at);
    format!(
        "{}.{:03}Z",
        at.strftime("%Y-%m-%dT%H:%M:%S"),
        at.millisecond()
    )
}

/// `2026-11-23T09:18:10Z`
#[must_use]
pub fn iso8601_secs(at: Timestamp) -> String {
    civil(at).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `Mon, 23 Nov 2026 09:18:10 GMT`
#[must_use]
pub fn http_date(at: Timestamp) -> String {
    let millis = at.as_millis().clamp(0, LAST_MILLIS);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(millis.unsigned_abs()))
}

/// All three forms of an HTTP-date.
#[must_use]
pub fn parse_http_date(text: &str) -> Option<Timestamp> {
    let since_epoch = httpdate::parse_http_date(text)
        .ok()?
        .duration_since(UNIX_EPOCH)
        .ok()?;
    Some(Timestamp::from_secs(
        i64::try_from(since_epoch.as_secs()).ok()?,
    ))
}

/// The number that at most nine ASCII digits write.
fn digits(text: &[u8]) -> Option<i32> {
    text.iter().try_fold(0, |number: i32, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + i32::from(digit - b'0'))
    })
}

fn timestamp(year: i32, month: i32, day: i32, time: [i32; 3], nanos: i32) -> Option<Timestamp> {
    let [hour, minute, second] = time.map(|part| i8::try_from(part).ok());
    let civil = DateTime::new(
        i16::try_from(year).ok()?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
        hour?,
        minute?,
        second?,
        nanos,
    )
    .ok()?;
    let nanos = civil.duration_since(EPOCH).as_nanos();
    let millis = i64::try_from(nanos.div_euclid(1_000_000)).ok()?;
    Some(Timestamp::from_millis(millis))
}

fn civil(at: Timestamp) -> DateTime {
    let millis = at.as_millis().clamp(FIRST_MILLIS, LAST_MILLIS);
    EPOCH
        .checked_add(SignedDuration::from_millis(millis))
        .expect("the years 0000 to 9999 are within civil time")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    const AT: Timestamp = Timestamp::from_millis(1_795_425_490_215);

    #[test]
    fn each_form_of_one_instant_reads_as_documented() {
        assert_eq!(amz_date(AT), "20261123T091810Z");
        assert_eq!(amz_day(AT), "20261123");
        assert_eq!(iso8601_millis(AT), "2026-11-23T09:18:10.215Z");
        assert_eq!(iso8601_secs(AT), "2026-11-23T09:18:10Z");
        assert_eq!(http_date(AT), "Mon, 23 Nov 2026 09:18:10 GMT");
    }

    #[rstest]
    #[case("2026-11-23T09:18:10Z", 1_795_425_490_000)]
    #[case("2026-11-23T09:18:10.2Z", 1_795_425_490_200)]
    #[case("2026-11-23T09:18:10.215Z", 1_795_425_490_215)]
    #[case("2026-11-23T09:18:10.215999999Z", 1_795_425_490_215)]
    #[case("1969-12-31T23:59:59.999Z", -1)]
    #[case("9999-12-31T23:59:59Z", 253_402_300_799_000)]
    fn an_iso_date_is_read_with_and_without_fractions(#[case] text: &str, #[case] millis: i64) {
        assert_eq!(parse_iso8601(text), Some(Timestamp::from_millis(millis)));
    }

    #[rstest]
    fn an_iso_date_of_another_form_is_refused(
        #[values(
            "",
            "2026-11-23",
            "2026-11-23T09:18:10",
            "2026-11-23 09:18:10Z",
            "2026-11-23T09:18:10.Z",
            "2026-11-23T09:18:10.1234567890Z",
            "2026-11-23T09:18:10.-12Z",
            "2026-11-23T09:18:10+00:00",
            "2026-11-23T09:18:10z",
            "2026-11-23T24:00:00Z",
            "2026-11-23T09:18:60Z",
            "2026-02-29T09:18:10Z",
            "2026-13-01T09:18:10Z",
            "2026-11-23T09:18:10ZZ",
            "20261123T091810Z",
            "2026-11-23T09:18:1\u{e9}Z"
        )]
        text: &str,
    ) {
        assert_eq!(parse_iso8601(text), None);
    }

    #[rstest]
    fn an_amz_date_of_another_form_is_refused(
        #[values(
            "",
            "20261123",
            "20261123T091810",
            "20261123T091810ZZ",
            " 20261123T091810Z",
            "20261123t091810z",
            "20261123T0918-1Z",
            "20260229T091810Z",
            "20261123T091860Z",
            "2026112\u{e9}T09181Z"
        )]
        text: &str,
    ) {
        assert_eq!(parse_amz_date(text), None);
    }

    #[rstest]
    #[case("Mon, 23 Nov 2026 09:18:10 GMT")]
    #[case("Monday, 23-Nov-26 09:18:10 GMT")]
    #[case("Mon Nov 23 09:18:10 2026")]
    fn all_three_http_dates_are_read(#[case] text: &str) {
        assert_eq!(
            parse_http_date(text),
            Some(Timestamp::from_secs(1_795_425_490))
        );
    }

    #[test]
    fn an_instant_that_no_form_can_hold_is_printed_as_the_nearest() {
        let late = Timestamp::from_millis(i64::MAX);
        let early = Timestamp::from_millis(i64::MIN);
        assert_eq!(amz_date(late), "99991231T235959Z");
        assert_eq!(iso8601_millis(late), "9999-12-31T23:59:59.999Z");
        assert_eq!(http_date(late), "Fri, 31 Dec 9999 23:59:59 GMT");
        assert_eq!(amz_date(early), "00000101T000000Z");
        assert_eq!(iso8601_secs(early), "0000-01-01T00:00:00Z");
        assert_eq!(http_date(early), "Thu, 01 Jan 1970 00:00:00 GMT");
    }

    proptest! {
        #[test]
        fn a_printed_time_parses_back(millis in FIRST_MILLIS..=LAST_MILLIS) {
            let at = Timestamp::from_millis(millis);
            let second = Timestamp::from_secs(at.as_secs());
            prop_assert_eq!(parse_iso8601(&iso8601_millis(at)), Some(at));
            prop_assert_eq!(parse_iso8601(&iso8601_secs(at)), Some(second));
            prop_assert_eq!(parse_amz_date(&amz_date(at)), Some(second));
        }

        #[test]
        fn http_dates_read_back(seconds in 0..=LAST_MILLIS / 1000) {
            let at = Timestamp::from_secs(seconds);
            prop_assert_eq!(parse_http_date(&http_date(at)), Some(at));
        }

        #[test]
        fn no_text_makes_a_parser_panic(text in "\\PC{0,40}") {
            let _ = (parse_amz_date(&text), parse_iso8601(&text), parse_http_date(&text));
        }
    }
}
