//! Percent-encoding with S3's own set: unreserved characters stay (and `/` in paths), all else is `%XX`.
//!
//! Works on bytes beneath: an object's key arrives as any bytes, and only a key that is UTF-8 becomes text.
//! Nothing here folds dots or slashes. `+` is a plus sign in a path, and a space in a query: [`Plus`].
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html> (`UriEncode`)
use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');
const IN_PATH: &AsciiSet = &IN_QUERY.remove(b'/');

/// Encodes a path: `A-Za-z0-9-_.~/` stay.
#[must_use]
pub fn encode_path(text: &str) -> String {
    encode_path_bytes(text.as_bytes())
}

/// [`encode_path`] for what may be no UTF-8.
#[must_use]
pub fn encode_path_bytes(bytes: &[u8]) -> String {
    percent_encode(bytes, IN_PATH).to_string()
}

/// Encodes a query's name or value: `A-Za-z0-9-_.~` stay.
#[must_use]
pub fn encode_query(text: &str) -> String {
    encode_query_bytes(text.as_bytes())
}

/// [`encode_query`] for what may be no UTF-8.
#[must_use]
pub fn encode_query_bytes(bytes: &[u8]) -> String {
    percent_encode(bytes, IN_QUERY).to_string()
}

/// What an unescaped `+` stands for in a query; `%2B` is always a plus sign.
///
/// A request that is not signed is read with the default. A signature tells which one its client meant: the server reads
/// the query as the client signed it ([`Verified::plus`](crate::s3::signature::Verified::plus)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Plus {
    // AWS: reads a query as forms are encoded, and so do MinIO and most clients that write a `+`.
    #[default]
    Space,
    // AWS: also takes a `+` that the client signed as `%2B` (curl does).
    Sign,
}
impl Plus {
    /// The readings under which a signature of this query may hold, the usual one first.
    pub(crate) fn readings(raw_query: &str) -> &'static [Self] {
        if raw_query.contains('+') {
            &[Self::Space, Self::Sign]
        } else {
            &[Self::Space]
        }
    }

    fn unescape(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Space if text.contains('+') => Cow::Owned(text.replace('+', " ")),
            _ => Cow::Borrowed(text),
        }
    }
}

/// Decodes once; `+` stays a plus sign. `None` when an escape is broken or the result is no UTF-8.
#[must_use]
pub fn decode(text: &str) -> Option<String> {
    let mut after_percent = text.split('%').skip(1).map(str::as_bytes);
    if !after_percent
        .all(|rest| matches!(rest, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit()))
    {
        return None;
    }
    percent_decode_str(text)
        .decode_utf8()
        .ok()
        .map(Cow::into_owned)
}

/// Decodes once into bytes; a broken escape stands for itself.
#[must_use]
pub fn decode_bytes(text: &str) -> Cow<'_, [u8]> {
    percent_decode_str(text).into()
}

/// Decodes a name or a value of a query into bytes; a broken escape stands for itself.
#[must_use]
pub fn decode_query_bytes(text: &str, plus: Plus) -> Cow<'_, [u8]> {
    match plus.unescape(text) {
        Cow::Borrowed(text) => decode_bytes(text),
        Cow::Owned(text) => Cow::Owned(decode_bytes(&text).into_owned()),
    }
}

/// The names and values of a raw query in order, decoded; a name without `=` has an empty value and `+` is a space.
/// `None` when one does not decode.
#[must_use]
pub fn parse_query(raw: &str) -> Option<Vec<(String, String)>> {
    parse_query_as(raw, Plus::Space)
}

/// [`parse_query`] of a query whose signature tells what `+` stands for.
#[must_use]
pub fn parse_query_as(raw: &str, plus: Plus) -> Option<Vec<(String, String)>> {
    let decode = |text| decode(&plus.unescape(text));
    split_query(raw)
        .map(|(name, value)| Some((decode(name)?, decode(value)?)))
        .collect()
}

/// The names and values of a raw query in order, as sent. Empty pieces (`a&&b`) name nothing.
pub fn split_query(raw: &str) -> impl Iterator<Item = (&str, &str)> {
    raw.split('&')
        .filter(|piece| !piece.is_empty())
        .map(|piece| piece.split_once('=').unwrap_or((piece, "")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("a//b/../c", "a//b/../c")]
    #[case("a b+c", "a%20b%2Bc")]
    #[case("100%", "100%25")]
    #[case("żółw~.png", "%C5%BC%C3%B3%C5%82w~.png")]
    #[case("'()*!", "%27%28%29%2A%21")]
    fn a_path_keeps_unreserved_characters_and_slashes(#[case] text: &str, #[case] encoded: &str) {
        assert_eq!(encode_path(text), encoded);
    }

    #[test]
    fn a_query_value_encodes_its_slashes() {
        assert_eq!(encode_query("a/b c=d&e"), "a%2Fb%20c%3Dd%26e");
    }

    #[test]
    fn bytes_that_are_no_text_encode_but_do_not_decode_to_text() {
        assert_eq!(encode_path_bytes(b"a/\xff"), "a/%FF");
        assert_eq!(decode("a/%FF"), None);
        assert_eq!(decode_bytes("a/%FF").as_ref(), b"a/\xff");
    }

    #[rstest]
    fn a_broken_escape_does_not_decode(
        #[values("%", "a%2", "%zz", "%-1", "100% sure", "%2%30", "%%41")] text: &str,
    ) {
        assert_eq!(decode(text), None);
    }

    #[test]
    fn a_query_is_read_in_order_with_a_plus_for_a_space() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            parse_query("prefix=a+b%20c%2Bd&acl&&x=1=2&empty=&a+b="),
            Some(vec![
                pair("prefix", "a b c+d"),
                pair("acl", ""),
                pair("x", "1=2"),
                pair("empty", ""),
                pair("a b", ""),
            ])
        );
        assert_eq!(
            parse_query_as("prefix=a+b%20c%2Bd", Plus::Sign),
            Some(vec![pair("prefix", "a+b c+d")])
        );
        assert_eq!(parse_query(""), Some(Vec::new()));
        assert_eq!(parse_query("a=%ff"), None);
    }

    #[test]
    fn only_a_query_with_a_plus_can_be_read_in_two_ways() {
        assert_eq!(Plus::readings("a=%2B&b=%20"), [Plus::Space]);
        assert_eq!(Plus::readings("a=b+c"), [Plus::Space, Plus::Sign]);
        assert_eq!(
            decode_query_bytes("a+%2b+%ff", Plus::Space).as_ref(),
            b"a + \xff"
        );
        assert_eq!(
            decode_query_bytes("a+%2b+%ff", Plus::Sign).as_ref(),
            b"a+++\xff"
        );
    }

    proptest! {
        #[test]
        fn decode_undoes_encode(text in any::<String>()) {
            prop_assert_eq!(decode(&encode_path(&text)), Some(text.clone()));
            prop_assert_eq!(decode(&encode_query(&text)), Some(text));
        }

        #[test]
        fn encoding_is_lossless_for_any_bytes(bytes in any::<Vec<u8>>()) {
            let (path, query) = (encode_path_bytes(&bytes), encode_query_bytes(&bytes));
            prop_assert_eq!(decode_bytes(&path).into_owned(), bytes.clone());
            prop_assert_eq!(decode_bytes(&query).into_owned(), bytes);
        }
    }
}
