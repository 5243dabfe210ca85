//! Durations, sizes, rates, days and switches, as people write them in settings.

use crate::http::RateLimit;
use std::time::Duration;

pub(super) const SIZE: &str =
    "a size of at least one byte, such as 5242880, 5MiB or 1GB (a bare number is bytes)";
pub(super) const SWITCH: &str = "true or false";
pub(super) const DAYS: &str = "a whole number of days, at most 36500";
pub(super) const RATE_LIMIT: &str =
    "N/second, N/minute, N/hour or N/day, such as 60/minute, or off";
const MAX_DAYS: u64 = 36_500;

/// `30s`, `15m`, `12h`, `7d`; a bare number is seconds. At most a hundred years.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text)?;
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    let total = number.checked_mul(seconds)?;
    (total <= MAX_DAYS * 86_400).then(|| Duration::from_secs(total))
}

/// `5MiB` (powers of 1024), `1GB` (powers of 1000), bytes without a unit; the unit in any case.
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let bytes: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1000,
        "mb" => 1000_u64.pow(2),
        "gb" => 1000_u64.pow(3),
        "tb" => 1000_u64.pow(4),
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return None,
    };
    // The database and Plane's own columns are signed.
    number
        .checked_mul(bytes)
        .filter(|total| i64::try_from(*total).is_ok())
}

/// `60/minute`, and Plane's way of naming the unit by its beginning (`60/min`); the inner `None` is `off`.
#[expect(
    clippy::option_option,
    reason = "outer: is it a rate at all; inner: is there a limit"
)]
pub(super) fn parse_rate_limit(text: &str) -> Option<Option<RateLimit>> {
    if text.eq_ignore_ascii_case("off") || text == "0" {
        return Some(None);
    }
    let (number, unit) = text.split_once('/')?;
    let requests = digits(number.trim())?
        .try_into()
        .ok()
        .filter(|n: &u32| *n > 0)?;
    let window = match unit.trim().to_ascii_lowercase().as_str() {
        "s" | "sec" | "second" => Duration::from_secs(1),
        "m" | "min" | "minute" => Duration::from_mins(1),
        "h" | "hour" => Duration::from_hours(1),
        "d" | "day" => Duration::from_hours(24),
        _ => return None,
    };
    Some(Some(RateLimit { requests, window }))
}

pub(super) fn parse_days(text: &str) -> Option<u64> {
    digits(text).filter(|days| *days <= MAX_DAYS)
}

pub(super) fn parse_switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// Digits alone: no sign, no separators, which `u64::from_str` would partly take.
fn digits(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((digits(number)?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("30s", 30)]
    #[case("15m", 900)]
    #[case("12h", 43_200)]
    #[case("7d", 604_800)]
    #[case("3600", 3600)]
    #[case("0", 0)]
    fn a_duration_is_a_number_and_a_unit(#[case] text: &str, #[case] seconds: u64) {
        assert_eq!(parse_duration(text), Some(Duration::from_secs(seconds)));
    }

    #[rstest]
    #[case("5242880", 5_242_880)]
    #[case("5MiB", 5_242_880)]
    #[case("5 mib", 5_242_880)]
    #[case("1GB", 1_000_000_000)]
    #[case("1kB", 1000)]
    #[case("7B", 7)]
    fn a_size_is_a_number_and_a_unit(#[case] text: &str, #[case] bytes: u64) {
        assert_eq!(parse_size(text), Some(bytes));
    }

    #[rstest]
    fn a_malformed_quantity_is_refused(
        #[values(
            "",
            "s",
            "-1",
            "+1",
            "1.5h",
            "1w",
            "1 000",
            "0x10",
            "\u{661}s",
            "99999999999999999999"
        )]
        text: &str,
    ) {
        assert_eq!(parse_duration(text), None);
        assert_eq!(parse_size(text), None);
        assert_eq!(parse_days(text), None);
        assert_eq!(parse_rate_limit(text), None);
    }

    #[rstest]
    #[case("60/minute", Some((60, 60)))]
    #[case("5/second", Some((5, 1)))]
    #[case("1000/hour", Some((1000, 3600)))]
    #[case("10/day", Some((10, 86_400)))]
    #[case("60/min", Some((60, 60)))]
    #[case("off", None)]
    #[case("0", None)]
    fn a_rate_is_a_number_in_a_window_or_off(
        #[case] text: &str,
        #[case] expected: Option<(u32, u64)>,
    ) {
        let expected = expected.map(|(requests, seconds)| RateLimit {
            requests,
            window: Duration::from_secs(seconds),
        });
        assert_eq!(parse_rate_limit(text), Some(expected));
    }

    #[rstest]
    fn a_malformed_rate_is_refused(
        #[values(
            "0/minute",
            "60",
            "60/",
            "/minute",
            "60/week",
            "5000000000/day",
            "-1/day"
        )]
        text: &str,
    ) {
        assert_eq!(parse_rate_limit(text), None);
    }

    proptest! {
        #[test]
        fn a_duration_written_in_any_unit_is_read_back(number in 0_u64..36_500, unit in 0_usize..4) {
            let (name, seconds) = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)][unit];
            prop_assert_eq!(
                parse_duration(&format!("{number}{name}")),
                Some(Duration::from_secs(number * seconds))
            );
        }

        #[test]
        fn a_size_written_in_any_unit_is_read_back(number in 0_u64..8_000_000, power in 0_u32..5) {
            let name = ["", "KiB", "MiB", "GiB", "TiB"][power as usize];
            let expected = number * 1024_u64.pow(power);
            let read = parse_size(&format!("{number}{name}"));
            prop_assert_eq!(read, i64::try_from(expected).is_ok().then_some(expected));
        }

        #[test]
        fn no_text_makes_a_parser_panic(text in "\\PC{0,24}|[0-9]{1,24}[a-zA-Z/ ]{0,6}") {
            let _ = (parse_duration(&text), parse_size(&text), parse_rate_limit(&text), parse_days(&text));
        }
    }
}
