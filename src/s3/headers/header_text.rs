//! Text beyond ASCII in the headers of answers: what was stored, or asked for, as every client can read it.
//!
//! Guarantees: the result is ASCII, and text that is ASCII stays as it is. Clients disagree about other bytes in a
//! header: boto3 and `fetch` read Latin-1, Go reads UTF-8, Rust's `object_store` refuses the whole answer. It does not know
//! which header holds what; control characters are refused when a value arrives.

use crate::s3::values::header_parameters::parameters;
use crate::s3::values::uri;
use base64::prelude::{BASE64_STANDARD, Engine};
use std::borrow::Cow;
use std::fmt::Write as _;

/// RFC 2047, 2: characters of one encoded word.
const WORD_CHARACTERS: usize = 75;
/// Of them `=?UTF-8?Q?` and `?=` take these.
const FRAME_CHARACTERS: usize = 12;
const PAYLOAD_CHARACTERS: usize = WORD_CHARACTERS - FRAME_CHARACTERS;

/// User metadata: encoded words, as many as it takes, with a space between them that readers drop.
// AWS: encodes values beyond ASCII by RFC 2047. It takes Q where most characters are ASCII, and B elsewhere.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html#UserMetadata
#[must_use]
pub fn encoded_words(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let ascii = text.chars().filter(char::is_ascii).count();
    let words = if ascii * 2 > text.chars().count() {
        let pieces = pieces(text, PAYLOAD_CHARACTERS, |character| {
            quoted(character).len()
        });
        joined(pieces, 'Q', |piece| piece.chars().map(quoted).collect())
    } else {
        // Four characters for three bytes, and no padding within a word that is full.
        let pieces = pieces(text, PAYLOAD_CHARACTERS / 4 * 3, char::len_utf8);
        joined(pieces, 'B', |piece| BASE64_STANDARD.encode(piece))
    };
    Cow::Owned(words)
}

/// Cuts a text between characters, so that each piece takes `most` at most.
fn pieces(text: &str, most: usize, cost: impl Fn(char) -> usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut begin, mut taken) = (0, 0);
    for (at, character) in text.char_indices() {
        let cost = cost(character);
        if taken + cost > most {
            pieces.push(&text[begin..at]);
            (begin, taken) = (at, 0);
        }
        taken += cost;
    }
    pieces.push(&text[begin..]);
    pieces
}

fn joined(pieces: Vec<&str>, encoding: char, encode: impl Fn(&str) -> String) -> String {
    let words: Vec<String> = pieces
        .into_iter()
        .map(|piece| format!("=?UTF-8?{encoding}?{}?=", encode(piece)))
        .collect();
    words.join(" ")
}

/// One character in the encoding Q. RFC 2047, 4.2.
fn quoted(character: char) -> String {
    match character {
        ' ' => "_".to_owned(),
        '=' | '?' | '_' => format!("={:02X}", u32::from(character)),
        character if character.is_ascii_graphic() => character.to_string(),
        character => {
            let mut quoted = String::new();
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(quoted, "={byte:02X}");
            }
            quoted
        }
    }
}

/// `Content-Disposition`: a file's name beyond ASCII is stated once more, as RFC 6266 has it.
#[must_use]
pub fn disposition(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let ascii = text.replace(|character: char| !character.is_ascii(), "_");
    Cow::Owned(match file_name(text) {
        Some(name) => format!(
            "{}; filename*=UTF-8''{}",
            ascii.trim_end_matches([';', ' ']),
            uri::encode_query(&name)
        ),
        None => ascii,
    })
}

/// The parameter `filename`, where it is beyond ASCII and no `filename*` stands beside it.
fn file_name(disposition: &str) -> Option<String> {
    let (_, parameters) = parameters(disposition.as_bytes())?;
    let of = |wanted: &[u8]| {
        let mut parameters = parameters.iter();
        parameters.find(|(name, _)| name.eq_ignore_ascii_case(wanted))
    };
    let (_, name) = of(b"filename").filter(|_| of(b"filename*").is_none())?;
    let name = String::from_utf8(name.clone()).ok()?;
    (!name.is_ascii()).then_some(name)
}

/// `Content-Type`, `Cache-Control` and their like, of which nothing beyond ASCII means anything.
// AWS: a space stands for each character that the header cannot hold.
#[must_use]
pub fn ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let ascii = text.replace(|character: char| !character.is_ascii(), " ");
    Cow::Owned(ascii.trim().to_owned())
}

/// An address: what is not ASCII is percent-encoded, and all else stays.
#[must_use]
pub fn address(text: &str) -> Cow<'_, str> {
    percent_encoding::utf8_percent_encode(text, percent_encoding::CONTROLS).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    /// A reader by RFC 2047: words are decoded, and the spaces between two of them dropped.
    fn decoded(header: &str) -> String {
        let mut bytes = Vec::new();
        for word in header.split(' ') {
            assert!(word.len() <= WORD_CHARACTERS, "{word}");
            let word = word.strip_prefix("=?UTF-8?").unwrap();
            let (encoding, payload) = word.strip_suffix("?=").unwrap().split_once('?').unwrap();
            let piece = match encoding {
                "B" => BASE64_STANDARD.decode(payload).unwrap(),
                _ => uri::decode_bytes(
                    &payload
                        .replace('%', "%25")
                        .replace('_', " ")
                        .replace('=', "%"),
                )
                .into_owned(),
            };
            // No character is cut in two.
            assert!(std::str::from_utf8(&piece).is_ok());
            bytes.extend(piece);
        }
        String::from_utf8(bytes).unwrap()
    }

    #[rstest]
    #[case("plain", "plain")]
    #[case("=?UTF-8?B?w7w=?=", "=?UTF-8?B?w7w=?=")]
    #[case("", "")]
    #[case("ü", "=?UTF-8?B?w7w=?=")]
    #[case("héllo 日本", "=?UTF-8?Q?h=C3=A9llo_=E6=97=A5=E6=9C=AC?=")]
    #[case("a_b=c?é", "=?UTF-8?Q?a=5Fb=3Dc=3F=C3=A9?=")]
    #[case("日本", "=?UTF-8?B?5pel5pys?=")]
    fn user_metadata_beyond_ascii_is_encoded_words(#[case] text: &str, #[case] header: &str) {
        assert_eq!(encoded_words(text), header);
    }

    #[rstest]
    #[case("attachment; filename=\"a.png\"", "attachment; filename=\"a.png\"")]
    #[case(
        "attachment; filename=\"żółw.png\"",
        "attachment; filename=\"___w.png\"; filename*=UTF-8''%C5%BC%C3%B3%C5%82w.png"
    )]
    #[case("inline;filename=é;", "inline;filename=_; filename*=UTF-8''%C3%A9")]
    #[case(
        "inline; filename=\"é\"; filename*=UTF-8''%C3%A9",
        "inline; filename=\"_\"; filename*=UTF-8''%C3%A9"
    )]
    #[case("é", "_")]
    #[case("attachment; filename=\"é", "attachment; filename=\"_")]
    fn a_file_name_beyond_ascii_is_stated_by_rfc_6266(#[case] text: &str, #[case] header: &str) {
        assert_eq!(disposition(text), header);
    }

    #[test]
    fn characters_beyond_ascii_become_spaces_and_an_address_is_encoded() {
        assert_eq!(ascii("no-cache"), "no-cache");
        assert_eq!(ascii("text/html\u{e9}"), "text/html");
        assert_eq!(ascii("a\u{e9}b"), "a b");
        assert_eq!(address("/a b%20?c#d"), "/a b%20?c#d");
        assert_eq!(address("/ż"), "/%C5%BC");
    }

    proptest! {
        #[test]
        fn any_user_metadata_is_read_as_it_was_stored(text in "[\\PC \u{80}-\u{9f}]{1,300}") {
            let header = encoded_words(&text);
            prop_assert!(header.is_ascii());
            if text.is_ascii() {
                prop_assert_eq!(header.as_ref(), text.as_str());
            } else {
                prop_assert_eq!(decoded(&header), text);
            }
        }

        #[test]
        fn every_other_header_is_ascii_without_new_control_characters(text in "[\\PC;\"=*']{0,60}") {
            for header in [disposition(&text), ascii(&text), address(&text)] {
                prop_assert!(header.is_ascii());
                prop_assert!(!header.contains(|c: char| c.is_ascii_control()));
            }
        }
    }
}
