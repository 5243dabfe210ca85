//! The canonical request and the string to sign: the same text as the client's, from what came over the wire.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
use crate::s3::signature::credential::scope::{ALGORITHM, Scope};
use crate::s3::signature::request::head::RequestHead;
use std::fmt::{self, Write};

use sha2::{Digest, Sha256};

use crate::s3::values::uri::{self, Plus};

/// Names in one `SignedHeaders` list. No client comes near; each is looked up among all headers.
const MAX_SIGNED_HEADERS: usize = 128;

/// The names of the headers that a signature covers: lower case, sorted, each once.
#[derive(Debug, Clone)]
pub(super) struct SignedHeaders(Vec<String>);
impl SignedHeaders {
    /// `host;x-amz-date`. `None`: it is no list of distinct header names.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut names: Vec<String> = text
            .split(';')
            .take(MAX_SIGNED_HEADERS + 1)
            .map(str::to_ascii_lowercase)
            .collect();
        names.sort_unstable();
        let distinct = names.windows(2).all(|pair| pair[0] != pair[1]);
        let well_formed = names.iter().all(|name| is_header_name(name));
        (names.len() <= MAX_SIGNED_HEADERS && distinct && well_formed).then_some(Self(names))
    }

    pub(super) fn are_host_alone(&self) -> bool {
        self.0.as_slice() == ["host"]
    }

    fn covers(&self, name: &str) -> bool {
        self.0
            .binary_search_by(|signed| signed.as_str().cmp(name))
            .is_ok()
    }

    /// `host`, and each `x-amz-*` header that was sent, unless it is signed.
    pub(super) fn unsigned_of(&self, head: &RequestHead<'_>) -> Vec<String> {
        let sent = head.headers.iter().map(|(name, _)| name.as_str());
        let mut unsigned: Vec<String> = sent
            .filter(|name| name.starts_with("x-amz-"))
            .chain(["host"])
            .filter(|name| !self.covers(name))
            .map(str::to_owned)
            .collect();
        unsigned.sort_unstable();
        unsigned.dedup();
        unsigned
    }

    /// The signed headers that did not arrive, which is what a proxy that drops them leaves.
    pub(super) fn missing_from(&self, head: &RequestHead<'_>, reading: &Reading) -> Vec<&str> {
        let arrived = |name: &str| {
            let mut names = head.headers.iter().chain(&reading.stated);
            names.any(|(sent, _)| sent == name)
        };
        self.0
            .iter()
            .map(String::as_str)
            .filter(|name| *name != "host" && !arrived(name))
            .collect()
    }
}
impl fmt::Display for SignedHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(";"))
    }
}

/// How a query is read.
#[derive(Debug, Clone, Default)]
pub(super) struct Reading {
    pub(super) plus: Plus,
    /// The headers that a presigned query states: those of them that are signed and were not sent count as sent.
    pub(super) stated: Vec<(String, String)>,
}

/// The canonical request, with `host` as the value of the `host` header.
pub(super) fn canonical_request(
    head: &RequestHead<'_>,
    signed: &SignedHeaders,
    host: &str,
    payload_term: &str,
    reading: &Reading,
) -> String {
    Canonical::of(head, signed, payload_term, reading).of_host(host)
}

/// A canonical request for whichever host: written once, however many hosts are tried.
pub(super) struct Canonical {
    before_host: String,
    /// `None`: the host is not signed.
    after_host: Option<String>,
}
impl Canonical {
    pub(super) fn of(
        head: &RequestHead<'_>,
        signed: &SignedHeaders,
        payload_term: &str,
        reading: &Reading,
    ) -> Self {
        let (path, query) = (
            canonical_path(head.raw_path),
            canonical_query(head.raw_query, reading.plus),
        );
        let mut before_host = None;
        let mut text = format!("{}\n{path}\n{query}\n", head.method);
        for name in &signed.0 {
            text.push_str(name);
            text.push(':');
            if name == "host" {
                before_host = Some(std::mem::take(&mut text));
            } else {
                push_header_values(&mut text, head, reading, name);
            }
            text.push('\n');
        }
        write!(text, "\n{signed}\n{payload_term}")
            .expect("a String takes all that is written to it");
        match before_host {
            Some(before_host) => Self {
                before_host,
                after_host: Some(text),
            },
            None => Self {
                before_host: text,
                after_host: None,
            },
        }
    }

    pub(super) fn of_host(&self, host: &str) -> String {
        let mut text = self.before_host.clone();
        if let Some(after_host) = &self.after_host {
            push_folded(&mut text, host);
            text.push_str(after_host);
        }
        text
    }
}

/// What the signature of a request is made over.
pub(super) fn string_to_sign(date: &str, scope: &Scope, canonical_request: &str) -> String {
    let hash = hex::encode(Sha256::digest(canonical_request));
    format!("{ALGORITHM}\n{date}\n{scope}\n{hash}")
}

/// Decoded once and encoded again; no dot or slash is folded, for keys hold any of them.
fn canonical_path(raw: &str) -> String {
    if raw.is_empty() {
        return "/".to_owned();
    }
    uri::encode_path_bytes(&uri::decode_bytes(raw))
}

/// Each name and value decoded, encoded again and sorted; without `X-Amz-Signature`, which can't sign itself.
fn canonical_query(raw: &str, plus: Plus) -> String {
    let encode_again = |text| uri::encode_query_bytes(&uri::decode_query_bytes(text, plus));
    let mut pairs: Vec<(String, String)> = uri::split_query(raw)
        .map(|(name, value)| (encode_again(name), encode_again(value)))
        .filter(|(name, _)| name != "X-Amz-Signature")
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

/// The values of one header, repeated ones joined by `,`; of one that was not sent what the query states.
fn push_header_values(text: &mut String, head: &RequestHead<'_>, reading: &Reading, name: &str) {
    let of_name = |fields: &'_ [(String, String)]| fields.iter().any(|(sent, _)| sent == name);
    let fields = if of_name(head.headers) {
        head.headers
    } else {
        reading.stated.as_slice()
    };
    let values = fields.iter().filter(|(sent, _)| sent == name);
    for (index, (_, value)) in values.enumerate() {
        if index > 0 {
            text.push(',');
        }
        push_folded(text, value);
    }
}

/// Trimmed, inner runs of white space folded to one space.
fn push_folded(text: &mut String, value: &str) {
    for (index, word) in value.split_ascii_whitespace().enumerate() {
        if index > 0 {
            text.push(' ');
        }
        text.push_str(word);
    }
}

fn is_header_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("", "/")]
    #[case("/b/a//b/../c", "/b/a//b/../c")]
    #[case("/b/a%2Fb", "/b/a/b")]
    #[case("/b/a+b", "/b/a%2Bb")]
    #[case("/b/%7Eme%2ea", "/b/~me.a")]
    #[case("/b/%c5%bc", "/b/%C5%BC")]
    #[case("/b/ż", "/b/%C5%BC")]
    #[case("/b/%ff", "/b/%FF")]
    #[case("/b/100%", "/b/100%25")]
    #[case("/b/%252F", "/b/%252F")]
    fn a_path_is_decoded_once_and_encoded_again(#[case] raw: &str, #[case] canonical: &str) {
        assert_eq!(canonical_path(raw), canonical);
    }

    #[rstest]
    #[case("", "")]
    #[case("acl", "acl=")]
    #[case("prefix=J&max-keys=2", "max-keys=2&prefix=J")]
    #[case("b=2&b=10&a", "a=&b=10&b=2")]
    #[case("k=a+b&l=a%20b&m=a%2Bb", "k=a%20b&l=a%20b&m=a%2Bb")]
    #[case("a+b=", "a%20b=")]
    #[case("k=a/b=c", "k=a%2Fb%3Dc")]
    #[case("a&X-Amz-Signature=00&b", "a=&b=")]
    #[case("a&X-Amz%2DSignature=00", "a=")]
    #[case("a-b=1&a=2", "a=2&a-b=1")]
    fn a_query_is_encoded_again_and_sorted(#[case] raw: &str, #[case] canonical: &str) {
        assert_eq!(canonical_query(raw, Plus::Space), canonical);
    }

    #[test]
    fn a_plus_that_was_signed_as_a_plus_sign_is_one() {
        assert_eq!(canonical_query("k=a+b%20c", Plus::Sign), "k=a%2Bb%20c");
    }

    #[test]
    fn a_header_that_only_the_query_states_has_its_value() {
        let headers = [("x-amz-meta-a".to_owned(), "sent".to_owned())];
        let head = RequestHead {
            method: "PUT",
            raw_path: "/",
            raw_query: "",
            headers: &headers,
        };
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let reading = Reading {
            stated: vec![
                field("x-amz-meta-a", "stated"),
                field("x-amz-acl", " private "),
            ],
            ..Reading::default()
        };
        let signed = SignedHeaders::parse("host;x-amz-acl;x-amz-meta-a;x-amz-meta-b").unwrap();
        let canonical = canonical_request(&head, &signed, "h", "UNSIGNED-PAYLOAD", &reading);
        let lines: Vec<&str> = canonical.lines().skip(3).take(4).collect();
        let expected = [
            "host:h",
            "x-amz-acl:private",
            "x-amz-meta-a:sent",
            "x-amz-meta-b:",
        ];
        assert_eq!(lines, expected);
        assert_eq!(signed.missing_from(&head, &reading), ["x-amz-meta-b"]);
    }

    #[test]
    fn repeated_headers_are_joined_and_white_space_is_folded() {
        let headers = [
            ("x-amz-meta-a".to_owned(), "  a   b\t c ".to_owned()),
            ("x-amz-meta-a".to_owned(), "d".to_owned()),
            ("x-amz-meta-b".to_owned(), "  ".to_owned()),
        ];
        let head = RequestHead {
            method: "GET",
            raw_path: "/",
            raw_query: "",
            headers: &headers,
        };
        let signed = SignedHeaders::parse("x-amz-meta-b;host;X-Amz-Meta-A;range").unwrap();
        let reading = Reading::default();
        insta::assert_snapshot!(canonical_request(&head, &signed, "h", "UNSIGNED-PAYLOAD", &reading), @r"
        GET
        /

        host:h
        range:
        x-amz-meta-a:a b c,d
        x-amz-meta-b:

        host;range;x-amz-meta-a;x-amz-meta-b
        UNSIGNED-PAYLOAD
        ");
        assert_eq!(signed.missing_from(&head, &reading), ["range"]);
    }

    #[rstest]
    fn a_malformed_list_of_signed_headers_is_refused(
        #[values(
            "",
            "host;",
            ";host",
            "host;;date",
            "host;host",
            "host;Host",
            "ho st",
            "host\n"
        )]
        text: &str,
    ) {
        assert!(SignedHeaders::parse(text).is_none());
    }

    #[test]
    fn an_endless_list_of_signed_headers_is_refused() {
        let names: Vec<String> = (0..200).map(|i| format!("h{i}")).collect();
        assert!(SignedHeaders::parse(&names.join(";")).is_none());
    }

    proptest! {
        #[test]
        fn the_order_of_a_query_does_not_matter(
            pieces in prop::collection::vec("[a-c%+/=]{0,4}", 0..6),
            seed in any::<prop::sample::Index>(),
        ) {
            let mut turned = pieces.clone();
            turned.rotate_left(seed.index(pieces.len().max(1)));
            let canonical = |pieces: &[String]| canonical_query(&pieces.join("&"), Plus::Space);
            prop_assert_eq!(canonical(&pieces), canonical(&turned));
        }

        #[test]
        fn a_canonical_query_is_its_own_canonical_form_and_sorted(raw in "[ -~]{0,60}") {
            let canonical = canonical_query(&raw, Plus::Space);
            for plus in [Plus::Space, Plus::Sign] {
                prop_assert_eq!(canonical_query(&canonical, plus), canonical.clone());
            }
            let pairs: Vec<_> = uri::split_query(&canonical).collect();
            prop_assert!(pairs.is_sorted());
        }

        #[test]
        fn a_canonical_path_is_its_own_canonical_form(raw in "/[ -~]{0,60}") {
            let canonical = canonical_path(&raw);
            prop_assert_eq!(canonical_path(&canonical), canonical);
        }
    }
}
