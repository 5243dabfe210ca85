//! Addresses to listen on, and the hosts by which others know this server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

pub(super) const LISTEN: &str = "host:port or :port, such as 127.0.0.1:9000 or :9000";
pub(super) const PUBLIC_URL: &str =
    "a scheme and a host without a path, such as https://files.example.com";
pub(super) const ORIGINS: &str =
    "a comma list of origins without paths, such as https://plane.example.com, or *";
pub(super) const DOMAIN: &str = "a domain without scheme, port or path, such as s3.example.com";
pub(super) const REGION: &str =
    "a region's name of at most 64 letters, digits, - and _, such as us-east-1";
const MAX_HOST_BYTES: usize = 253;

/// `host:port`, or `:port` for all addresses of both families.
pub(super) fn parse_listen(text: &str) -> Option<Vec<SocketAddr>> {
    let (host, port) = text.rsplit_once(':')?;
    let port = parse_port(port)?;
    if host.is_empty() {
        return Some(vec![
            (Ipv4Addr::UNSPECIFIED, port).into(),
            (Ipv6Addr::UNSPECIFIED, port).into(),
        ]);
    }
    if let Ok(address) = text.parse() {
        return Some(vec![address]);
    }
    if !is_host_name(host) {
        return None;
    }
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in (host, port).to_socket_addrs().ok()? {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    (!addresses.is_empty()).then_some(addresses)
}

/// An address that can be opened on this machine, of a server that listens on these with this port.
#[must_use]
pub fn on_this_machine(scheme: &str, listen: &[SocketAddr], port: u16) -> String {
    let ip = match listen.first().map(SocketAddr::ip) {
        Some(IpAddr::V6(ip)) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        Some(ip) if !ip.is_unspecified() => ip,
        _ => Ipv4Addr::LOCALHOST.into(),
    };
    format!("{scheme}://{}", SocketAddr::new(ip, port))
}

/// `http` or `https` and a host, without what a `Host` header would not hold either.
pub(super) fn parse_public_url(text: &str) -> Option<String> {
    let origin = parse_origin(text)?;
    (origin.starts_with("http://") || origin.starts_with("https://")).then_some(origin)
}

/// Empty where any origin may ask, which is what `*` says.
pub(super) fn parse_origins(text: &str) -> Option<Vec<String>> {
    let items = text
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty());
    let mut origins = Vec::new();
    let mut any = false;
    for item in items {
        if item == "*" {
            any = true;
        } else {
            origins.push(parse_origin(item)?);
        }
    }
    Some(if any { Vec::new() } else { origins })
}

pub(super) fn parse_domain(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    (is_host_name(&text) && !text.starts_with('.') && !text.ends_with('.')).then_some(text)
}

/// It stands in credential scopes between slashes.
pub(super) fn parse_region(text: &str) -> Option<String> {
    let is_region = text.len() <= 64
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    is_region.then(|| text.to_owned())
}

/// `scheme://host[:port]`, lower case and without the scheme's own port: as browsers write `Origin`. A lone slash at
/// the end is forgiven.
fn parse_origin(text: &str) -> Option<String> {
    let text = text.strip_suffix('/').unwrap_or(text).to_ascii_lowercase();
    let (scheme, authority) = text.split_once("://")?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    let (host, port) = split_port(authority)?;
    if !is_scheme || !(is_host_name(host) || is_bracketed_ipv6(host)) {
        return None;
    }
    Some(match (scheme, port) {
        (_, None) | ("http", Some(80)) | ("https", Some(443)) => format!("{scheme}://{host}"),
        (_, Some(port)) => format!("{scheme}://{host}:{port}"),
    })
}

fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let after_host = match authority.rfind(']') {
        Some(bracket) => bracket + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at(after_host);
    if rest.is_empty() {
        return Some((host, None));
    }
    let port = parse_port(rest.strip_prefix(':')?)?;
    (port > 0).then_some((host, Some(port)))
}

fn parse_port(text: &str) -> Option<u16> {
    (text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

/// A name or an IPv4 address; also names with `_`, which Docker's networks have.
fn is_host_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_HOST_BYTES
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

fn is_bracketed_ipv6(text: &str) -> bool {
    text.strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("127.0.0.1:9000", &["127.0.0.1:9000"])]
    #[case(":9000", &["0.0.0.0:9000", "[::]:9000"])]
    #[case("[::1]:0", &["[::1]:0"])]
    #[case("0.0.0.0:80", &["0.0.0.0:80"])]
    fn an_address_to_listen_on_is_host_and_port(#[case] text: &str, #[case] expected: &[&str]) {
        let expected: Vec<SocketAddr> = expected.iter().map(|a| a.parse().unwrap()).collect();
        assert_eq!(parse_listen(text), Some(expected));
    }

    #[test]
    fn localhost_is_resolved() {
        let addresses = parse_listen("localhost:9000").unwrap();
        assert!(
            addresses
                .iter()
                .all(|a| a.ip().is_loopback() && a.port() == 9000)
        );
    }

    #[rstest]
    fn a_malformed_listen_address_is_refused(
        #[values(
            "9000",
            "127.0.0.1",
            ":",
            "127.0.0.1:",
            ":65536",
            ":+1",
            "http://x:1",
            "::1:x",
            "a b:1",
            "::1:9000000"
        )]
        text: &str,
    ) {
        assert_eq!(parse_listen(text), None);
    }

    #[rstest]
    #[case("https://files.example.com", "https://files.example.com")]
    #[case("HTTPS://Files.Example.com/", "https://files.example.com")]
    #[case("http://localhost:9000", "http://localhost:9000")]
    #[case("https://files.example.com:443", "https://files.example.com")]
    #[case("http://[::1]:9000", "http://[::1]:9000")]
    #[case("http://hangar_1:80", "http://hangar_1")]
    fn a_public_url_is_scheme_and_host(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(parse_public_url(text).as_deref(), Some(expected));
    }

    #[rstest]
    fn a_public_url_is_scheme_and_host_alone(
        #[values(
            "files.example.com",
            "https://",
            "https:///",
            "https://a/b",
            "https://a//",
            "https://a?b",
            "https://a#b",
            "https://u@a",
            "https://a:0",
            "https://a:x",
            "https://a:70000",
            "ftp://a",
            "https://a b",
            "https://[::1",
            "https://[x]",
            "https://a:1:2",
            "//a",
            "https://é.example"
        )]
        text: &str,
    ) {
        assert_eq!(parse_public_url(text), None);
    }

    #[test]
    fn origins_are_a_list_and_a_star_is_any() {
        assert_eq!(
            parse_origins("https://a.example , http://localhost:3000/,").unwrap(),
            ["https://a.example", "http://localhost:3000"]
        );
        assert!(parse_origins("*").unwrap().is_empty());
        assert_eq!(parse_origins("capacitor://localhost").unwrap().len(), 1);
        assert_eq!(parse_origins("a.example"), None);
    }

    #[test]
    fn a_domain_is_a_bare_name() {
        assert_eq!(
            parse_domain("S3.Example.com").as_deref(),
            Some("s3.example.com")
        );
        for wrong in ["", ".", "https://a", "a:9000", "a/b", ".a", "a."] {
            assert_eq!(parse_domain(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_public_url_read_once_reads_the_same_again(text in "https?://[a-zA-Z0-9.:\\[\\]/-]{0,20}") {
            if let Some(url) = parse_public_url(&text) {
                prop_assert_eq!(parse_public_url(&url), Some(url));
            }
        }
    }
}
