//! The name under which a client reached this server, directly or through proxies.
//!
//! Guarantees: a forwarded name becomes a link only where a trusted proxy sent it; a host in a link parses as
//! `host[:port]`; a signature is tried against six hosts at most. Refuses to know what a link or a signature is for.

use crate::http::config::HttpConfig;
use crate::http::proxies::PeerTrust;
use actix_web::dev::RequestHead;
use actix_web::http::header;

/// Scheme and host of the links in a response: `https`, `files.example.com:8443`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) scheme: String,
    /// `host[:port]`, as it stands in a URL
    pub(crate) host: String,
}

/// The request names no host that a link could hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the Host header is not a host name with an optional port")]
pub(crate) struct NoUsableHost;

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)
    }
}

impl Origin {
    /// `HANGAR_PUBLIC_URL` where set, else what a trusted proxy forwarded, else the `Host` received.
    ///
    /// # Errors
    /// When that host does not parse.
    pub(crate) fn of(
        req: &actix_web::HttpRequest,
        config: &HttpConfig,
    ) -> Result<Self, NoUsableHost> {
        if let Some(origin) = config.public_url.as_deref().and_then(Self::parse_url) {
            return Ok(origin);
        }
        let head = req.head();
        let forwarded = Forwarded::of(head, config);
        let host = forwarded
            .host
            .or_else(|| single(head, "host"))
            .filter(|host| is_host(host))
            .ok_or(NoUsableHost)?;
        Ok(Self {
            scheme: forwarded.scheme.unwrap_or(own_scheme(config)).to_owned(),
            host: host.to_ascii_lowercase(),
        })
    }

    fn parse_url(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let host = rest.trim_end_matches('/');
        is_host(host).then(|| Self {
            scheme: scheme.to_ascii_lowercase(),
            host: host.to_ascii_lowercase(),
        })
    }
}

/// What a trusted proxy states of the request that it received. Empty where the peer is not a trusted proxy.
#[derive(Debug, Default)]
struct Forwarded<'a> {
    scheme: Option<&'static str>,
    host: Option<&'a str>,
}

impl<'a> Forwarded<'a> {
    fn of(head: &'a RequestHead, config: &HttpConfig) -> Self {
        if comes_through_proxy(head, config) {
            Self::claimed(head)
        } else {
            Self::default()
        }
    }

    /// What the headers claim, whether or not the peer is trusted.
    fn claimed(head: &'a RequestHead) -> Self {
        let first = |name| {
            head.headers()
                .get(name)
                .and_then(|value: &header::HeaderValue| value.to_str().ok())
                .and_then(|list| list.split(',').next())
                .map(str::trim)
                .filter(|value| !value.is_empty())
        };
        let scheme = match first("x-forwarded-proto") {
            Some(proto) if proto.eq_ignore_ascii_case("https") => Some("https"),
            Some(proto) if proto.eq_ignore_ascii_case("http") => Some("http"),
            _ => None,
        };
        Self {
            scheme,
            host: first("x-forwarded-host").filter(|host| is_host(host)),
        }
    }
}

/// Whether the peer is a proxy whose `X-Forwarded-*` headers count.
fn comes_through_proxy(head: &RequestHead, config: &HttpConfig) -> bool {
    config.trusted_proxies.trust_of(head.peer_addr) == PeerTrust::Trusted
}

/// The value of a header that was sent exactly once.
fn single<'a>(head: &'a RequestHead, name: &'static str) -> Option<&'a str> {
    let mut lines = head.headers().get_all(name);
    let first = lines.next()?;
    if lines.next().is_some() {
        return None;
    }
    first.to_str().ok()
}

/// The hosts that a client may have signed: the one received, the one forwarded, the public one; each also with, or
/// without, the default port of its scheme. The one received is first, as it was sent.
///
/// A host is no candidate if it names another bucket than the one that the request addresses by its host, or names none
/// where the request does: otherwise a signature for `/a/b` of one host would hold for `a/b` in the bucket of another.
pub(crate) fn signed_hosts(head: &RequestHead, config: &HttpConfig) -> Vec<String> {
    let forwarded = Forwarded::of(head, config);
    let public = config.public_url.as_deref().and_then(Origin::parse_url);
    let scheme = forwarded
        .scheme
        .or_else(|| public.as_ref().map(|origin| static_scheme(&origin.scheme)))
        .unwrap_or(own_scheme(config));
    let mut hosts = Vec::with_capacity(6);
    for host in [single(head, "host"), forwarded.host].into_iter().flatten() {
        add_with_default_port(&mut hosts, host, scheme);
    }
    if let Some(origin) = &public {
        add_with_default_port(&mut hosts, &origin.host, &origin.scheme);
    }
    let addressed = virtual_bucket(head, config);
    hosts.retain(|host| bucket_named_by(host, config) == addressed);
    hosts
}

/// Whether the client spoke TLS: to this server, or, as a trusted proxy states, to that proxy.
pub(crate) fn came_by_tls(head: &RequestHead, config: &HttpConfig) -> bool {
    let scheme = Forwarded::of(head, config).scheme;
    scheme.unwrap_or(own_scheme(config)) == "https"
}

/// The host under which a browser sent this request, where it is known and a signature made for it would not hold here,
/// because a proxy changed `Host` on the way. `None` where no header shows it.
///
/// A form is signed without its host, so it is accepted even then; presigned URLs are not.
pub(crate) fn host_lost_on_the_way(head: &RequestHead, config: &HttpConfig) -> Option<String> {
    let received = single(head, "host")?;
    let by_port = single(head, "x-forwarded-port")
        .filter(|_| comes_through_proxy(head, config) && split_port(received).1.is_none())
        .map(|port| format!("{}:{}", split_port(received).0, port.trim()));
    let sent_to = by_port.or_else(|| host_of_own_page(head, received))?;
    let sent_to = match split_port(&sent_to) {
        (name, Some("80" | "443")) => name,
        _ => sent_to.as_str(),
    };
    if sent_to.eq_ignore_ascii_case(received) || !is_host(sent_to) {
        return None;
    }
    let mut accepted = signed_hosts(head, config).into_iter();
    let is_accepted = accepted.any(|host| host.eq_ignore_ascii_case(sent_to));
    (!is_accepted).then(|| sent_to.to_owned())
}

/// The host of the page that sent the request, where the page came from the same host: the browser states that, or the
/// two differ only in a port that the request lacks.
fn host_of_own_page(head: &RequestHead, received: &str) -> Option<String> {
    let page = single(head, "origin").filter(|origin| *origin != "null");
    let page = page.or_else(|| single(head, "referer"))?;
    let host = page.split_once("://")?.1.split('/').next()?;
    let is_own = if let Some(site) = single(head, "sec-fetch-site") {
        site == "same-origin"
    } else {
        let (name, port) = split_port(received);
        port.is_none() && name.eq_ignore_ascii_case(split_port(host).0)
    };
    is_own.then(|| host.to_owned())
}

/// The scheme that clients use to reach this server directly, without a proxy.
fn own_scheme(config: &HttpConfig) -> &'static str {
    if config.tls.is_some() {
        "https"
    } else {
        "http"
    }
}

fn static_scheme(scheme: &str) -> &'static str {
    if scheme == "https" { "https" } else { "http" }
}

fn add_with_default_port(hosts: &mut Vec<String>, host: &str, scheme: &str) {
    let default = if scheme == "https" { ":443" } else { ":80" };
    let other = match split_port(host) {
        // Either default port may have been dropped on the way, whichever scheme this server sees.
        (name, Some("80" | "443")) => name.to_owned(),
        (_, Some(_)) => String::new(),
        (name, None) => format!("{name}{default}"),
    };
    for candidate in [host.to_owned(), other] {
        if !candidate.is_empty() && !hosts.contains(&candidate) {
            hosts.push(candidate);
        }
    }
}

/// The bucket that the host names (`bucket.DOMAIN`) where `HANGAR_S3_DOMAIN` is set.
pub(crate) fn virtual_bucket(head: &RequestHead, config: &HttpConfig) -> Option<String> {
    [Forwarded::of(head, config).host, single(head, "host")]
        .into_iter()
        .flatten()
        .find_map(|host| bucket_named_by(host, config))
}

fn bucket_named_by(host: &str, config: &HttpConfig) -> Option<String> {
    let domain = split_port(config.s3_domain.as_deref()?)
        .0
        .to_ascii_lowercase();
    let name = split_port(host).0.to_ascii_lowercase();
    let bucket = name.strip_suffix(&domain)?.strip_suffix('.')?;
    (!bucket.is_empty()).then(|| bucket.to_owned())
}

/// `host[:port]` cut in two; the brackets of an IPv6 address stay with it.
fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    }
}

/// Whether a text is `host[:port]`: a name of letters, digits, `.`, `-` and `_`, or an IPv6 address in brackets.
fn is_host(text: &str) -> bool {
    if text.is_empty() || text.len() > 255 {
        return false;
    }
    let (name, port) = split_port(text);
    let port_holds = port.is_none_or(|port| {
        port.bytes().all(|byte| byte.is_ascii_digit())
            && port.parse::<u16>().is_ok_and(|port| port != 0)
    });
    let name_holds = match name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
        }
    };
    port_holds && name_holds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::proxies::TrustedProxies;
    use actix_web::test::TestRequest;
    use rstest::rstest;

    fn config(trusted_proxies: TrustedProxies, public_url: Option<&str>) -> HttpConfig {
        HttpConfig {
            public_url: public_url.map(str::to_owned),
            trusted_proxies,
            s3_domain: Some("s3.example.com".to_owned()),
            ..HttpConfig::bare()
        }
    }

    fn request(headers: &[(&'static str, &str)]) -> actix_web::HttpRequest {
        let mut request = TestRequest::get().peer_addr(([172, 18, 0, 2], 4711).into());
        for (name, value) in headers {
            request = request.insert_header((*name, *value));
        }
        request.to_http_request()
    }

    const BEHIND_A_PROXY: [(&str, &str); 3] = [
        ("host", "hangar:9000"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "Files.example.com, inner"),
    ];

    #[test]
    fn a_trusted_proxy_names_scheme_and_host() {
        let origin = Origin::of(
            &request(&BEHIND_A_PROXY),
            &config(TrustedProxies::Private, None),
        );
        assert_eq!(origin.unwrap().to_string(), "https://files.example.com");
    }

    #[test]
    fn an_untrusted_peer_names_nothing() {
        let origin = Origin::of(
            &request(&BEHIND_A_PROXY),
            &config(TrustedProxies::None, None),
        );
        assert_eq!(origin.unwrap().to_string(), "http://hangar:9000");
    }

    #[test]
    fn the_public_url_counts_before_all() {
        let public = config(TrustedProxies::Private, Some("https://cdn.example.com"));
        let origin = Origin::of(&request(&BEHIND_A_PROXY), &public);
        assert_eq!(origin.unwrap().to_string(), "https://cdn.example.com");
    }

    #[rstest]
    #[case::name("files.example.com", true)]
    #[case::name_and_port("localhost:9000", true)]
    #[case::address("[::1]:9000", true)]
    #[case::underscore("plane_minio:9000", true)]
    #[case::userinfo("user@host", false)]
    #[case::path("host/path", false)]
    #[case::port_zero("host:0", false)]
    #[case::port_too_large("host:65536", false)]
    #[case::empty_port("host:", false)]
    #[case::empty("", false)]
    #[case::quotes("host\"", false)]
    #[case::naked_address("::1", false)]
    fn a_links_host_must_parse(#[case] host: &str, #[case] holds: bool) {
        assert_eq!(is_host(host), holds);
    }

    #[test]
    fn a_signature_is_tried_against_six_hosts_at_most_and_the_received_one_first() {
        let public = config(TrustedProxies::Private, Some("https://cdn.example.com"));
        let req = request(&BEHIND_A_PROXY);
        insta::assert_snapshot!(signed_hosts(req.head(), &public).join(" "), @"hangar:9000 Files.example.com Files.example.com:443 cdn.example.com cdn.example.com:443");
        let bare = request(&[("host", "a"), ("x-forwarded-host", "b")]);
        assert_eq!(signed_hosts(bare.head(), &public).len(), 6);
    }

    #[test]
    fn a_default_port_may_have_been_dropped() {
        let none = config(TrustedProxies::None, None);
        let req = request(&[("host", "files.example.com:443")]);
        insta::assert_snapshot!(signed_hosts(req.head(), &none).join(" "), @"files.example.com:443 files.example.com");
    }

    #[rstest]
    #[case::received(&[("host", "other.s3.example.com")], "other.s3.example.com other.s3.example.com:80")]
    #[case::forwarded(
        &[("host", "files.example.org"), ("x-forwarded-host", "other.s3.example.com")],
        "other.s3.example.com other.s3.example.com:80"
    )]
    #[case::path_style(
        &[("host", "hangar:9000")],
        "hangar:9000 files.example.org files.example.org:80"
    )]
    fn only_hosts_that_address_the_same_bucket_may_have_been_signed(
        #[case] headers: &[(&'static str, &str)],
        #[case] candidates: &str,
    ) {
        let public = config(TrustedProxies::Private, Some("http://files.example.org"));
        let hosts = signed_hosts(request(headers).head(), &public);
        assert_eq!(hosts.join(" "), candidates);
    }

    #[rstest]
    #[case::page_with_a_port(&[("origin", "http://plane.lan:8080")], Some("plane.lan:8080"))]
    #[case::referer(&[("referer", "http://plane.lan:8080/acme/")], Some("plane.lan:8080"))]
    #[case::told_by_the_proxy(&[("x-forwarded-port", "8080")], Some("plane.lan:8080"))]
    #[case::told_by_the_browser(
        &[("host", "hangar:9000"), ("origin", "http://plane.lan:8080"), ("sec-fetch-site", "same-origin")],
        Some("plane.lan:8080")
    )]
    #[case::inner_name(
        &[("host", "hangar:9000"), ("origin", "https://plane.lan"), ("sec-fetch-site", "same-origin")],
        Some("plane.lan")
    )]
    #[case::same_page(&[("origin", "http://plane.lan")], None)]
    #[case::default_port(&[("x-forwarded-port", "443"), ("origin", "https://plane.lan")], None)]
    #[case::whole_host(&[("host", "plane.lan:8080"), ("origin", "http://plane.lan:8080")], None)]
    #[case::another_port_of_its_own(&[("host", "plane.lan:9000"), ("origin", "http://plane.lan:8080")], None)]
    #[case::another_page(&[("origin", "http://app.example.com:8080")], None)]
    #[case::a_page_of_another_port(
        &[("origin", "http://plane.lan:8080"), ("sec-fetch-site", "same-site")],
        None
    )]
    #[case::forwarded(&[("origin", "http://plane.lan:8080"), ("x-forwarded-host", "plane.lan:8080")], None)]
    #[case::no_host(&[("origin", "http://plane.lan:8080\\\"")], None)]
    #[case::nothing(&[("origin", "null")], None)]
    fn a_host_that_a_proxy_changed_is_noticed(
        #[case] headers: &[(&'static str, &str)],
        #[case] lost: Option<&str>,
    ) {
        let mut all = vec![("host", "plane.lan")];
        if headers.iter().any(|(name, _)| *name == "host") {
            all.clear();
        }
        all.extend(headers);
        let req = request(&all);
        let config_of = |public| config(TrustedProxies::Private, public);
        let found = host_lost_on_the_way(req.head(), &config_of(None));
        assert_eq!(found.as_deref(), lost);
        let public = format!("http://{}", lost.unwrap_or("plane.lan:8080"));
        let mended = config_of(Some(public.as_str()));
        assert_eq!(host_lost_on_the_way(req.head(), &mended), None);
    }

    #[rstest]
    #[case::bucket("uploads.s3.example.com:9000", Some("uploads"))]
    #[case::dotted("a.b.s3.example.com", Some("a.b"))]
    #[case::domain_itself("s3.example.com", None)]
    #[case::other("uploads.s3.example.org", None)]
    #[case::glued("uploadss3.example.com", None)]
    fn a_host_may_name_the_bucket(#[case] host: &str, #[case] bucket: Option<&str>) {
        let none = config(TrustedProxies::None, None);
        let req = request(&[("host", host)]);
        assert_eq!(virtual_bucket(req.head(), &none).as_deref(), bucket);
    }
}
