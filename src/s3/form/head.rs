//! The head of a part: what `Content-Disposition` says of it. RFC 7578, section 4; RFC 2045 for the parameters.
//!
//! Browsers write `"`, CR and LF in names as `%22`, `%0D` and `%0A` and leave a backslash alone; other clients escape
//! with a backslash. Both are read. <https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data>

use crate::s3::values::header_parameters::parameters;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct PartHead {
    /// As sent, not yet lower case. Never empty.
    pub(super) name: String,
    /// As sent, with any path of the client's; `None` where there is none that is UTF-8.
    pub(super) file_name: Option<String>,
}
impl PartHead {
    /// Reads the header lines of a part, each with its CRLF.
    /// # Errors
    /// A sentence that says what is missing.
    pub(super) fn parse(lines: &[u8]) -> Result<Self, &'static str> {
        let unfolded = unfold(lines);
        let mut disposition = None;
        for line in unfolded.split(|&byte| byte == b'\n') {
            if line.is_empty() {
                continue;
            }
            let colon = line
                .iter()
                .position(|&byte| byte == b':')
                .ok_or("A header line of a part has no colon.")?;
            let (name, value) = (line[..colon].trim_ascii_end(), &line[colon + 1..]);
            if name.eq_ignore_ascii_case(b"content-disposition")
                && disposition.replace(value).is_some()
            {
                return Err("A part of the form has two Content-Disposition headers.");
            }
        }
        Self::from_disposition(
            disposition.ok_or("A part of the form arrived without Content-Disposition.")?,
        )
    }
    fn from_disposition(value: &[u8]) -> Result<Self, &'static str> {
        let (kind, parameters) = parameters(value)
            .ok_or("A part of the form has a Content-Disposition that is not well-formed.")?;
        if !kind.eq_ignore_ascii_case(b"form-data") {
            return Err("A part of the form has a Content-Disposition other than form-data.");
        }
        let mut found = [None, None, None];
        for (name, value) in parameters {
            let known = ["name", "filename", "filename*"]
                .iter()
                .position(|known| name.eq_ignore_ascii_case(known.as_bytes()));
            if let Some(at) = known
                && found[at].replace(value).is_some()
            {
                return Err("A part of the form states its name or file name twice.");
            }
        }
        let [name, file_name, extended] = found;
        let name = name.ok_or("A part of the form arrived without a name.")?;
        let name = String::from_utf8(decode_browser_escapes(&name))
            .map_err(|_| "The name of a part of the form is not UTF-8.")?;
        if name.is_empty() {
            return Err("A part of the form arrived with an empty name.");
        }
        let file_name = match file_name {
            Some(text) => String::from_utf8(decode_browser_escapes(&text)).ok(),
            // RFC 7578 4.2 forbids `filename*`; some clients send it alone for names beyond ASCII
            None => extended.and_then(|text| decode_extended(&text)),
        };
        Ok(Self { name, file_name })
    }
}
/// The lines with LF as their end, and folded ones (RFC 5322) joined to the line that they continue.
fn unfold(lines: &[u8]) -> Vec<u8> {
    let mut unfolded = Vec::with_capacity(lines.len());
    for &byte in lines {
        match byte {
            b'\r' => {}
            b' ' | b'\t' if unfolded.last() == Some(&b'\n') => {
                unfolded.pop();
                unfolded.push(b' ');
            }
            _ => unfolded.push(byte),
        }
    }
    unfolded
}

/// Undoes `%22`, `%0D` and `%0A`, and no other escape: browsers leave `%` itself alone.
fn decode_browser_escapes(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        rest = match rest {
            [] => return decoded,
            [b'%', b'2', b'2', after @ ..] => {
                decoded.push(b'"');
                after
            }
            [b'%', b'0', b'D' | b'd', after @ ..] => {
                decoded.push(b'\r');
                after
            }
            [b'%', b'0', b'A' | b'a', after @ ..] => {
                decoded.push(b'\n');
                after
            }
            [byte, after @ ..] => {
                decoded.push(*byte);
                after
            }
        };
    }
}
/// `UTF-8'language'percent-encoded`. RFC 5987.
fn decode_extended(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let mut parts = text.splitn(3, '\'');
    let charset = parts.next()?;
    let encoded = parts.nth(1)?;
    charset
        .eq_ignore_ascii_case("utf-8")
        .then(|| crate::s3::values::uri::decode(encoded))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn read(disposition: &str) -> Result<(String, Option<String>), &'static str> {
        let lines = format!("Content-Type: text/plain\r\n{disposition}\r\n");
        PartHead::parse(lines.as_bytes()).map(|head| (head.name, head.file_name))
    }

    #[rstest]
    #[case("Content-Disposition: form-data; name=\"key\"", "key", None)]
    #[case("content-disposition:FORM-DATA;NAME=key", "key", None)]
    #[case("Content-Disposition: form-data; name=\"key\";", "key", None)]
    #[case("Content-Disposition: form-data;\r\n name=\"key\"", "key", None)]
    #[case(
        "Content-Disposition: form-data; name=\"file\"; filename=\"a b;c.png\"",
        "file",
        Some("a b;c.png")
    )]
    #[case(
        "Content-Disposition: form-data; filename=me.png; name=file",
        "file",
        Some("me.png")
    )]
    #[case(
        "Content-Disposition: form-data; name=\"file\"; filename=\"a\\\"b\\\\c.png\"",
        "file",
        Some("a\"b\\c.png")
    )]
    #[case(
        "Content-Disposition: form-data; name=\"file\"; filename=\"C:\\dir\\me.png\"",
        "file",
        Some("C:\\dir\\me.png")
    )]
    #[case(
        "Content-Disposition: form-data; name=\"file\"; filename=\"a%22b%0D%0Ac%20d.png\"",
        "file",
        Some("a\"b\r\nc%20d.png")
    )]
    #[case(
        "Content-Disposition: form-data; name=\"file\"; filename=\"\"",
        "file",
        Some("")
    )]
    #[case(
        "Content-Disposition: form-data; name=\"file\"; filename*=UTF-8''%C5%BC.png",
        "file",
        Some("ż.png")
    )]
    #[case(
        "Content-Disposition: form-data; name=\"file\"; filename=\"z\"; filename*=utf-8''%C5%BC",
        "file",
        Some("z")
    )]
    #[case(
        "Content-Disposition: form-data; name=\"file\"; filename*=broken",
        "file",
        None
    )]
    #[case(
        "Content-Disposition: form-data; name=\"file\"; filename=\"żółw ☕.png\"",
        "file",
        Some("żółw ☕.png")
    )]
    fn a_disposition_is_read(
        #[case] disposition: &str,
        #[case] name: &str,
        #[case] file_name: Option<&str>,
    ) {
        let expected = (name.to_owned(), file_name.map(str::to_owned));
        assert_eq!(read(disposition), Ok(expected));
    }

    #[rstest]
    #[case("X: y", "arrived without Content-Disposition")]
    #[case("no colon", "has no colon")]
    #[case("Content-Disposition: form-data", "arrived without a name")]
    #[case("Content-Disposition: form-data; name=\"\"", "with an empty name")]
    #[case("Content-Disposition: form-data; name=\"key", "not well-formed")]
    #[case("Content-Disposition: form-data; name", "not well-formed")]
    #[case("Content-Disposition: form-data; name=\"a\" x; b=c", "not well-formed")]
    #[case(
        "Content-Disposition: form-data; name=a; name=b",
        "states its name or file name twice"
    )]
    #[case(
        "Content-Disposition: attachment; name=\"key\"",
        "other than form-data"
    )]
    #[case(
        "Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b",
        "two Content-Disposition headers"
    )]
    fn a_disposition_without_a_name_is_refused(#[case] disposition: &str, #[case] sentence: &str) {
        let refusal = read(disposition).unwrap_err();
        assert!(refusal.contains(sentence), "{refusal}");
    }

    #[test]
    fn a_file_name_that_is_not_utf_8_is_none() {
        let head =
            PartHead::parse(b"Content-Disposition: form-data; name=file; filename=\"\xff\"\r\n");
        assert_eq!(head.unwrap().file_name, None);
    }

    proptest! {
        #[test]
        fn any_head_is_read_without_a_panic(lines in "[-;=\"\\\\: \r\na-z%2*']{0,80}") {
            let _ = PartHead::parse(lines.as_bytes());
        }

        #[test]
        fn a_quoted_name_comes_out_as_it_was_escaped(name in "[a-z\"\\\\; ]{1,20}") {
            let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
            let head = read(&format!("Content-Disposition: form-data; name=\"{escaped}\""));
            prop_assert_eq!(head.unwrap().0, name);
        }
    }
}
