//! Which requests may be answered from the cache, and under which key.

use crate::http::proxies::Proxy;

/// Longer targets and hosts are asked for in the ordinary way.
const KEY_BYTES: usize = 1024;

/// What a request asks for, where it says nothing that would make its answer another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plain<'a> {
    pub(crate) method: &'a str,
    /// As it stands in the request line.
    pub(crate) target: &'a str,
    host: &'a [u8],
    /// What a proxy says of the host and scheme that it was asked for, and whether the peer is one that is believed.
    forwarded_host: Option<&'a [u8]>,
    forwarded_proto: Option<&'a [u8]>,
    proxy: Proxy,
    pub(super) if_none_match: Option<&'a [u8]>,
}

impl<'a> Plain<'a> {
    /// `None`: the request is to be answered in the ordinary way.
    pub(crate) fn of(
        method: &'a str,
        target: &'a str,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        proxy: Proxy,
    ) -> Option<Self> {
        if !matches!(method, "GET" | "HEAD") || !target.starts_with('/') {
            return None;
        }
        let (mut host, mut if_none_match) = (None, None);
        let (mut forwarded_host, mut forwarded_proto) = (None, None);
        for (name, value) in headers {
            let told = match bearing(name) {
                Bearing::None => continue,
                Bearing::Host => host.replace(value),
                Bearing::ForwardedHost => forwarded_host.replace(value),
                Bearing::ForwardedProto => forwarded_proto.replace(value),
                Bearing::IfNoneMatch => if_none_match.replace(value),
                Bearing::OneOf(values) => {
                    let mut values = values.iter();
                    values.find(|one| one.as_bytes().eq_ignore_ascii_case(value))?;
                    continue;
                }
                Bearing::Unknown => return None,
            };
            // Sent twice, it is for the ordinary way to judge.
            if told.is_some() {
                return None;
            }
        }
        Some(Self {
            method,
            target,
            host: host?,
            forwarded_host,
            forwarded_proto,
            proxy,
            if_none_match,
        })
    }

    pub(super) fn key<'k>(&self, space: &'k mut Vec<u8>) -> Option<&'k [u8]> {
        space.clear();
        let parts = [
            self.method.as_bytes(),
            self.target.as_bytes(),
            self.host,
            self.forwarded_host.unwrap_or_default(),
            self.forwarded_proto.unwrap_or_default(),
            match self.proxy {
                Proxy::Trusted => b"trusted",
                Proxy::Nobody => b"",
            },
            self.if_none_match.unwrap_or_default(),
        ];
        for part in parts {
            space.extend_from_slice(part);
            // No part can hold it.
            space.push(b'\n');
        }
        (space.len() <= KEY_BYTES).then_some(space)
    }
}

/// What a header has to do with an answer that may be given again.
enum Bearing {
    None,
    Host,
    ForwardedHost,
    ForwardedProto,
    IfNoneMatch,
    /// Nothing, where it says one of these.
    OneOf(&'static [&'static str]),
    /// Who knows: ranges, other preconditions, signatures, origins, bodies.
    Unknown,
}

fn bearing(name: &str) -> Bearing {
    const LONGEST: usize = 32;
    let mut space = [0; LONGEST];
    let Some(lower) = space.get_mut(..name.len()) else {
        return Bearing::Unknown;
    };
    lower.copy_from_slice(name.as_bytes());
    lower.make_ascii_lowercase();
    match &*lower {
        b"host" => Bearing::Host,
        b"x-forwarded-host" => Bearing::ForwardedHost,
        b"x-forwarded-proto" => Bearing::ForwardedProto,
        b"if-none-match" => Bearing::IfNoneMatch,
        b"connection" => Bearing::OneOf(&["keep-alive"]),
        b"sec-fetch-dest" => Bearing::OneOf(&["image", "empty", "document"]),
        b"user-agent"
        | b"accept"
        | b"accept-encoding"
        | b"accept-language"
        | b"cookie"
        | b"referer"
        | b"cache-control"
        | b"pragma"
        | b"dnt"
        | b"sec-gpc"
        | b"priority"
        | b"save-data"
        | b"upgrade-insecure-requests"
        | b"sec-fetch-site"
        | b"sec-fetch-mode"
        | b"sec-fetch-user"
        | b"sec-ch-ua"
        | b"sec-ch-ua-mobile"
        | b"sec-ch-ua-platform"
        | b"via"
        | b"forwarded"
        | b"x-forwarded-for"
        | b"x-forwarded-port"
        | b"x-forwarded-server"
        | b"x-real-ip"
        | b"x-request-id"
        | b"traceparent"
        | b"tracestate" => Bearing::None,
        _ => Bearing::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn plain<'a>(headers: &[(&'a str, &'a str)]) -> Option<Plain<'a>> {
        let headers = headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()));
        Plain::of("GET", "/api/", headers, Proxy::Nobody)
    }

    #[test]
    fn a_browser_asks_plainly() {
        let headers = [
            ("Host", "h"),
            ("User-Agent", "x"),
            ("Accept", "image/*"),
            ("Connection", "Keep-Alive"),
            ("Sec-Fetch-Dest", "image"),
            ("Cookie", "session=1"),
            ("If-None-Match", "\"e\""),
        ];
        let asked = plain(&headers).unwrap();
        assert_eq!(
            (asked.host, asked.if_none_match),
            (&b"h"[..], Some(&b"\"e\""[..]))
        );
    }

    #[rstest]
    #[case::range("Range", "bytes=0-1")]
    #[case::origin("Origin", "https://a.example")]
    #[case::body("Content-Length", "0")]
    #[case::chunked("Transfer-Encoding", "chunked")]
    #[case::expect("Expect", "100-continue")]
    #[case::closes("Connection", "close")]
    #[case::upgrades("Connection", "keep-alive, upgrade")]
    #[case::runs("Sec-Fetch-Dest", "script")]
    #[case::worker("Service-Worker", "script")]
    #[case::since("If-Modified-Since", "Mon, 30 Nov 2026 00:00:00 GMT")]
    #[case::matches("If-Match", "*")]
    #[case::signed("Authorization", "AWS4-HMAC-SHA256 x")]
    #[case::amz("x-amz-date", "20261130T000000Z")]
    #[case::two_hosts("Host", "other")]
    #[case::unheard_of("X-Who-Knows", "1")]
    #[case::long("x-forwarded-for-and-a-name-that-has-no-end", "1")]
    fn what_may_change_an_answer_takes_the_ordinary_way(#[case] name: &str, #[case] value: &str) {
        assert_eq!(plain(&[("Host", "h"), (name, value)]), None);
    }

    #[test]
    fn other_methods_hosts_and_tags_are_other_questions() {
        let headers = |host: &'static [u8]| [("host", host)];
        let ask =
            |method, target, host, proxy| Plain::of(method, target, headers(host), proxy).unwrap();
        let asked = [
            ask("GET", "/a", b"h", Proxy::Nobody),
            ask("HEAD", "/a", b"h", Proxy::Nobody),
            ask("GET", "/a?", b"h", Proxy::Nobody),
            ask("GET", "/a", b"i", Proxy::Nobody),
            ask("GET", "/a", b"h", Proxy::Trusted),
            plain(&[("host", "h"), ("if-none-match", "\"e\"")]).unwrap(),
            plain(&[("host", "h"), ("x-forwarded-host", "\"e\"")]).unwrap(),
            plain(&[("host", "h"), ("x-forwarded-proto", "\"e\"")]).unwrap(),
        ];
        let mut keys: Vec<Vec<u8>> = Vec::new();
        for asked in asked {
            keys.push(asked.key(&mut Vec::new()).unwrap().to_vec());
        }
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 8);
    }

    #[test]
    fn what_says_no_host_or_posts_takes_the_ordinary_way() {
        assert_eq!(plain(&[]), None);
        assert_eq!(
            Plain::of("POST", "/a", [("host", &b"h"[..])], Proxy::Nobody),
            None
        );
        assert_eq!(
            Plain::of("GET", "http://h/a", [("host", &b"h"[..])], Proxy::Nobody),
            None
        );
        assert_eq!(
            Plain::of("OPTIONS", "*", [("host", &b"h"[..])], Proxy::Nobody),
            None
        );
    }
}
