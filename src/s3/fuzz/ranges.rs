use crate::s3::values::range::{RangeRequest, parse, parse_copied};
use crate::tests::fuzz;

/// What RFC 9110 says of one range, in numbers that nothing overflows.
fn naive(header: &str, size: u64) -> Option<Result<(i128, i128), ()>> {
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let digits = text.trim_start_matches('0');
        is_number.then(|| match digits.len() {
            0 => 0,
            // What is more lies behind any body, and is told apart from nothing else that does.
            1..=30 => digits.parse().unwrap_or(i128::MAX).min(u64::MAX.into()),
            _ => u64::MAX.into(),
        })
    };
    let (unit, range) = header.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = range.trim_matches([' ', '\t']).split_once('-')?;
    let size = i128::from(size);
    let (start, end) = match (first, last) {
        // All of an empty body, of which no range can be named.
        ("", last) if size == 0 && number(last)? > 0 => return None,
        ("", last) => ((size - number(last)?).max(0), size),
        (first, "") => (number(first)?, size),
        (first, last) if number(first)? <= number(last)? => {
            (number(first)?, size.min(number(last)? + 1))
        }
        _ => return None,
    };
    Some(if start < end {
        Ok((start, end))
    } else {
        Err(())
    })
}

#[test]
fn a_range_is_the_bytes_that_it_names_or_none() {
    fuzz::check(module_path!(), |input| {
        let Ok(header) = std::str::from_utf8(input) else {
            return;
        };
        for size in [0, 1, 10, 73, 4096, 1 << 40] {
            let asked = parse(Some(header), size);
            let expected = naive(header, size);
            match asked {
                RangeRequest::Whole => assert_eq!(expected, None),
                RangeRequest::Unsatisfiable => assert_eq!(expected, Some(Err(()))),
                RangeRequest::Part(range) => {
                    let (start, end) = (i128::from(range.start), i128::from(range.end));
                    assert_eq!(expected, Some(Ok((start, end))));
                    assert!(range.len() > 0 && range.end <= size);
                    let written = range.content_range(size);
                    let again = written.replacen(' ', "=", 1);
                    let again = again.split_once('/').unwrap().0;
                    assert_eq!(parse(Some(again), size), asked);
                }
            }
            if let Ok(copied) = parse_copied(header, size) {
                assert_eq!(asked, RangeRequest::Part(copied));
            }
        }
    });
}
