//! Which requests may be answered from the cache, and under which key.

use crate::http::proxies::PeerTrust;

/// Requests with longer keys are not answered from the cache.
const KEY_BYTES: usize = 1024;

/// A request whose headers are all known not to change a cached response, except those that are part of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CacheableRequest<'a> {
    pub(crate) method: &'a str,
    /// As it stands in the request line.
    pub(crate) target: &'a str,
    host: &'a [u8],
    /// The host and scheme that a proxy states the client used, and whether the peer is trusted to state them.
    forwarded_host: Option<&'a [u8]>,
    forwarded_proto: Option<&'a [u8]>,
    trust: PeerTrust,
    pub(super) if_none_match: Option<&'a [u8]>,
}

impl<'a> CacheableRequest<'a> {
    /// `None`: a handler has to answer the request.
    pub(crate) fn of(
        method: &'a str,
        target: &'a str,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        trust: PeerTrust,
    ) -> Option<Self> {
        if !matches!(method, "GET" | "HEAD") || !target.starts_with('/') {
            return None;
        }
        let (mut host, mut if_none_match) = (None, None);
        let (mut forwarded_host, mut forwarded_proto) = (None, None);
        for (name, value) in headers {
            let earlier = match effect(name) {
                HeaderEffect::None => continue,
                HeaderEffect::Host => host.replace(value),
                HeaderEffect::ForwardedHost => forwarded_host.replace(value),
                HeaderEffect::ForwardedProto => forwarded_proto.replace(value),
                HeaderEffect::IfNoneMatch => if_none_match.replace(value),
                HeaderEffect::OneOf(values) => {
                    let mut values = values.iter();
                    values.find(|one| one.as_bytes().eq_ignore_ascii_case(value))?;
                    continue;
                }
                HeaderEffect::Unknown => return None,
            };
            // The header was sent twice: a handler has to decide about that.
            if earlier.is_some() {
                return None;
            }
        }
        Some(Self {
            method,
            target,
            host: host?,
            forwarded_host,
            forwarded_proto,
            trust,
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
            match self.trust {
                PeerTrust::Trusted => b"trusted",
                PeerTrust::Untrusted => b"",
            },
            self.if_none_match.unwrap_or_default(),
        ];
        for part in parts {
            space.extend_from_slice(part);
            // No part can contain it.
            space.push(b'\n');
        }
        (space.len() <= KEY_BYTES).then_some(space)
    }
}

/// The effect of a header on a response that may be cached.
enum HeaderEffect {
    None,
    Host,
    ForwardedHost,
    ForwardedProto,
    IfNoneMatch,
    /// No effect where it has one of these values, otherwise an unknown one.
    OneOf(&'static [&'static str]),
    /// An unknown effect: ranges, other preconditions, signatures, origins, bodies.
    Unknown,
}

fn effect(name: &str) -> HeaderEffect {
    const LONGEST: usize = 32;
    let mut space = [0; LONGEST];
    let Some(lower) = space.get_mut(..name.len()) else {
        return HeaderEffect::Unknown;
    };
    lower.copy_from_slice(name.as_bytes());
    lower.make_ascii_lowercase();
    match &*lower {
        b"host" => HeaderEffect::Host,
        b"x-forwarded-host" => HeaderEffect::ForwardedHost,
        b"x-forwarded-proto" => HeaderEffect::ForwardedProto,
        b"if-none-match" => HeaderEffect::IfNoneMatch,
        b"connection" => HeaderEffect::OneOf(&["keep-alive"]),
        b"sec-fetch-dest" => HeaderEffect::OneOf(&["image", "empty", "document"]),
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
        | b"tracestate" => HeaderEffect::None,
        _ => HeaderEffect::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn cacheable<'a>(headers: &[(&'a str, &'a str)]) -> Option<CacheableRequest<'a>> {
        let headers = headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()));
        CacheableRequest::of("GET", "/api/", headers, PeerTrust::Untrusted)
    }

    #[test]
    fn a_request_of_a_browser_is_cacheable() {
        let headers = [
            ("Host", "h"),
            ("User-Agent", "x"),
            ("Accept", "image/*"),
            ("Connection", "Keep-Alive"),
            ("Sec-Fetch-Dest", "image"),
            ("Cookie", "session=1"),
            ("If-None-Match", "\"e\""),
        ];
        let asked = cacheable(&headers).unwrap();
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
    fn a_header_that_may_change_the_answer_makes_a_request_uncacheable(
        #[case] name: &str,
        #[case] value: &str,
    ) {
        assert_eq!(cacheable(&[("Host", "h"), (name, value)]), None);
    }

    #[test]
    fn other_methods_hosts_and_tags_have_other_keys() {
        let headers = |host: &'static [u8]| [("host", host)];
        let ask = |method, target, host, trust| {
            CacheableRequest::of(method, target, headers(host), trust).unwrap()
        };
        let requests = [
            ask("GET", "/a", b"h", PeerTrust::Untrusted),
            ask("HEAD", "/a", b"h", PeerTrust::Untrusted),
            ask("GET", "/a?", b"h", PeerTrust::Untrusted),
            ask("GET", "/a", b"i", PeerTrust::Untrusted),
            ask("GET", "/a", b"h", PeerTrust::Trusted),
            cacheable(&[("host", "h"), ("if-none-match", "\"e\"")]).unwrap(),
            cacheable(&[("host", "h"), ("x-forwarded-host", "\"e\"")]).unwrap(),
            cacheable(&[("host", "h"), ("x-forwarded-proto", "\"e\"")]).unwrap(),
        ];
        let mut keys: Vec<Vec<u8>> = Vec::new();
        for request in requests {
            keys.push(request.key(&mut Vec::new()).unwrap().to_vec());
        }
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 8);
    }

    #[test]
    fn a_request_without_host_or_with_another_method_is_not_cacheable() {
        assert_eq!(cacheable(&[]), None);
        assert_eq!(
            CacheableRequest::of("POST", "/a", [("host", &b"h"[..])], PeerTrust::Untrusted),
            None
        );
        assert_eq!(
            CacheableRequest::of(
                "GET",
                "http://h/a",
                [("host", &b"h"[..])],
                PeerTrust::Untrusted
            ),
            None
        );
        assert_eq!(
            CacheableRequest::of("OPTIONS", "*", [("host", &b"h"[..])], PeerTrust::Untrusted),
            None
        );
    }
}
