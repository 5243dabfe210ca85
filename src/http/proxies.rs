//! The proxies whose forwarding headers are trusted (`HANGAR_TRUSTED_PROXIES`).

use crate::s3::network::{self, Network};
use actix_web::http::header::HeaderMap;
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustedProxies {
    /// The default: loopback and the private ranges, where every compose file's proxy is. Such a peer is trusted about
    /// the host and the scheme that the client used, not about the client's address.
    Private,
    None,
    Networks(Vec<Network>),
}

/// Whether the `X-Forwarded-*` headers of a peer are trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PeerTrust {
    Trusted,
    Untrusted,
}

impl TrustedProxies {
    pub const ACCEPTED: &'static str = "private, none, or a comma list of addresses and networks such as 10.0.0.0/8, 192.0.2.7 or fd00::/8";

    /// Whether forwarding headers from this peer are trusted. An IPv4 address mapped into IPv6 counts as IPv4.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        match self {
            Self::Private => is_private(peer),
            Self::None => false,
            Self::Networks(networks) => networks
                .iter()
                .any(|network| network::contains(*network, peer)),
        }
    }

    /// How far a peer is trusted; a peer without an address is not.
    pub(crate) fn trust_of(&self, peer: Option<SocketAddr>) -> PeerTrust {
        if peer.is_some_and(|peer| self.trusts(peer.ip())) {
            PeerTrust::Trusted
        } else {
            PeerTrust::Untrusted
        }
    }

    /// Whether this peer is a proxy that the setting names: its statements about addresses are trusted too.
    pub(crate) fn vouches(&self, peer: IpAddr) -> bool {
        *self != Self::Private && self.trusts(peer)
    }

    /// Whether a peer may be a proxy that the setting does not name. Its address is then not the client's.
    pub(crate) fn may_hide_a_client(&self, peer: IpAddr) -> bool {
        *self == Self::Private && self.trusts(peer)
    }

    /// The address that a request came from: the peer's, or, as far as trusted proxies vouch for it, the one in
    /// `X-Forwarded-For`. `forwarded`: the header's lines in order. Never an address that was only claimed.
    pub(crate) fn client(&self, peer: IpAddr, forwarded: &[impl AsRef<str>]) -> IpAddr {
        let mut client = peer.to_canonical();
        let claims = forwarded.iter().rev();
        let mut claims = claims.flat_map(|line| line.as_ref().rsplit(','));
        while self.vouches(client) {
            match claims.next().and_then(|claim| parse_address(claim.trim())) {
                Some(address) => client = address.to_canonical(),
                None => break,
            }
        }
        client
    }

    /// The address that a request's shared memory is counted for: as [`TrustedProxies::client`], but a private proxy
    /// that the setting does not name is trusted too, for the last entry alone, which it added itself. Used for limits,
    /// never for permissions: a client in a private network can claim any address.
    pub(crate) fn client_for_limits(&self, peer: IpAddr, forwarded: &[impl AsRef<str>]) -> IpAddr {
        if !self.may_hide_a_client(peer) {
            return self.client(peer, forwarded);
        }
        let last = forwarded
            .last()
            .and_then(|line| line.as_ref().rsplit(',').next());
        let address = last.and_then(|entry| parse_address(entry.trim()));
        address.unwrap_or(peer).to_canonical()
    }

    /// `private` may stand in a list too, together with addresses of proxies that are not private.
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "private" => return Some(Self::Networks(PRIVATE.to_vec())),
            "none" => return Some(Self::None),
            _ => {}
        }
        let mut networks = Vec::new();
        for item in text.split(',').map(str::trim) {
            if item.eq_ignore_ascii_case("private") {
                networks.extend(PRIVATE);
            } else {
                networks.push(network::parse(item)?);
            }
        }
        Some(Self::Networks(networks))
    }
}

/// Loopback, RFC 1918 and RFC 4193.
const PRIVATE: [Network; 6] = {
    use std::net::{Ipv4Addr, Ipv6Addr};
    [
        (IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
        (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 0)), 8),
        (IpAddr::V4(Ipv4Addr::new(172, 16, 0, 0)), 12),
        (IpAddr::V4(Ipv4Addr::new(192, 168, 0, 0)), 16),
        (IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
        (IpAddr::V6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0)), 7),
    ]
};

/// The lines of `X-Forwarded-For`, in order. A line with bytes that are not text stays, since a proxy may have added
/// its entry to it: without that line an entry that the client made up would be the last.
pub(crate) fn forwarded_for(headers: &HeaderMap) -> Vec<Cow<'_, str>> {
    let lines = headers.get_all("x-forwarded-for");
    lines
        .map(|line| String::from_utf8_lossy(line.as_bytes()))
        .collect()
}

/// Parses an address. Some proxies add the port.
fn parse_address(text: &str) -> Option<IpAddr> {
    let without_port = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    text.parse().ok().or_else(without_port)
}

fn is_private(peer: IpAddr) -> bool {
    PRIVATE
        .iter()
        .any(|network| network::contains(*network, peer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("private", "127.0.0.1", true)]
    #[case("private", "10.255.0.1", true)]
    #[case("private", "172.31.0.1", true)]
    #[case("private", "172.32.0.1", false)]
    #[case("private", "192.168.1.1", true)]
    #[case("private", "::1", true)]
    #[case("private", "fd12::1", true)]
    #[case("private", "::ffff:10.0.0.1", true)]
    #[case("private", "::ffff:8.8.8.8", false)]
    #[case("private", "8.8.8.8", false)]
    #[case("private", "2001:db8::1", false)]
    #[case("none", "127.0.0.1", false)]
    #[case("203.0.113.0/24", "203.0.113.9", true)]
    #[case("203.0.113.0/24", "::ffff:203.0.113.9", true)]
    #[case("203.0.113.0/24", "203.0.114.9", false)]
    #[case("203.0.113.7", "203.0.113.7", true)]
    #[case("203.0.113.7", "203.0.113.8", false)]
    #[case("203.0.113.7, private", "10.0.0.1", true)]
    #[case("2001:db8::/32, 0.0.0.0/0", "2001:db8:1::1", true)]
    #[case("0.0.0.0/0", "2001:db8:1::1", false)]
    #[case("::/0", "2001:db8:1::1", true)]
    fn a_peer_is_trusted_by_its_network(
        #[case] setting: &str,
        #[case] peer: &str,
        #[case] trusted: bool,
    ) {
        let proxies = TrustedProxies::parse(setting).unwrap();
        assert_eq!(proxies.trusts(peer.parse().unwrap()), trusted);
    }

    #[rstest]
    fn a_malformed_network_is_refused(
        #[values(
            "all",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "10.0.0.1,",
            "proxy",
            "/8"
        )]
        text: &str,
    ) {
        assert_eq!(TrustedProxies::parse(text), None);
    }

    #[rstest]
    #[case::nothing_was_set("", "10.0.0.1", "203.0.113.9", "10.0.0.1")]
    #[case::none("none", "10.0.0.1", "203.0.113.9", "10.0.0.1")]
    #[case::named("private", "10.0.0.1", "203.0.113.9", "203.0.113.9")]
    #[case::a_stranger("private", "198.51.100.1", "203.0.113.9", "198.51.100.1")]
    #[case::what_the_client_made_up("private", "10.0.0.1", "127.0.0.1, 203.0.113.9", "203.0.113.9")]
    #[case::a_chain("private", "10.0.0.1", "203.0.113.9, 192.168.1.1", "203.0.113.9")]
    #[case::all_trusted("private", "10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3")]
    #[case::no_address("private", "10.0.0.1", "203.0.113.9, unknown", "10.0.0.1")]
    #[case::no_header("private", "10.0.0.1", "", "10.0.0.1")]
    #[case::with_a_port("private", "10.0.0.1", "203.0.113.9:4711", "203.0.113.9")]
    #[case::mapped("private", "::ffff:10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9")]
    #[case::v6("private", "::1", "[2001:db8::1]:80", "2001:db8::1")]
    fn an_address_counts_as_far_as_named_proxies_vouch_for_it(
        #[case] setting: &str,
        #[case] peer: &str,
        #[case] forwarded: &str,
        #[case] client: &str,
    ) {
        let proxies = TrustedProxies::parse(setting).unwrap_or(TrustedProxies::Private);
        let found = proxies.client(peer.parse().unwrap(), &[forwarded]);
        assert_eq!(found, client.parse::<IpAddr>().unwrap());
    }

    #[rstest]
    #[case::one_proxy("", "10.0.0.1", &["203.0.113.9"], "203.0.113.9")]
    #[case::what_the_client_made_up("", "10.0.0.1", &["192.0.2.1, 203.0.113.9"], "203.0.113.9")]
    #[case::a_line_that_the_client_made_up("", "10.0.0.1", &["192.0.2.1", "203.0.113.9"], "203.0.113.9")]
    #[case::two_proxies("", "10.0.0.1", &["203.0.113.9, 10.0.0.2"], "10.0.0.2")]
    #[case::a_public_peer("", "198.51.100.1", &["203.0.113.9"], "198.51.100.1")]
    #[case::no_header("", "10.0.0.1", &[], "10.0.0.1")]
    #[case::no_address("", "10.0.0.1", &["203.0.113.9, unknown"], "10.0.0.1")]
    #[case::no_proxy_is_trusted("none", "10.0.0.1", &["203.0.113.9"], "10.0.0.1")]
    #[case::named("private", "10.0.0.1", &["203.0.113.9, 10.0.0.2"], "203.0.113.9")]
    fn a_private_proxys_entry_counts_for_limits(
        #[case] setting: &str,
        #[case] peer: &str,
        #[case] forwarded: &[&str],
        #[case] client: &str,
    ) {
        let proxies = TrustedProxies::parse(setting).unwrap_or(TrustedProxies::Private);
        let found = proxies.client_for_limits(peer.parse().unwrap(), forwarded);
        assert_eq!(found, client.parse::<IpAddr>().unwrap());
    }

    #[test]
    fn a_line_that_is_no_text_hides_no_entry_that_a_proxy_added() {
        use actix_web::http::header::{HeaderName, HeaderValue};
        let mut headers = HeaderMap::new();
        for line in [&b"192.0.2.1"[..], b"\xff, 203.0.113.9"] {
            let name = HeaderName::from_static("x-forwarded-for");
            headers.append(name, HeaderValue::from_bytes(line).unwrap());
        }
        let peer = "10.0.0.1".parse().unwrap();
        let client: IpAddr = "203.0.113.9".parse().unwrap();
        let forwarded = forwarded_for(&headers);
        let unnamed = TrustedProxies::Private;
        assert_eq!(unnamed.client_for_limits(peer, &forwarded), client);
        let named = TrustedProxies::parse("private").unwrap();
        assert_eq!(named.client(peer, &forwarded), client);
    }

    #[test]
    fn the_lines_of_the_header_are_one_list() {
        let proxies = TrustedProxies::parse("private").unwrap();
        let lines = ["203.0.113.9", "10.0.0.2"];
        let found = proxies.client("10.0.0.1".parse().unwrap(), &lines);
        assert_eq!(found, "203.0.113.9".parse::<IpAddr>().unwrap());
    }

    proptest! {
        #[test]
        fn a_network_holds_an_address_exactly_if_its_leading_bits_agree(
            network: u32, peer: u32, bits in 0_u8..=32,
        ) {
            let agree = (0..u32::from(bits)).all(|i| (network ^ peer) & (1 << (31 - i)) == 0);
            let proxies = TrustedProxies::Networks(vec![(std::net::Ipv4Addr::from(network).into(), bits)]);
            prop_assert_eq!(proxies.trusts(std::net::Ipv4Addr::from(peer).into()), agree);
        }
    }
}
