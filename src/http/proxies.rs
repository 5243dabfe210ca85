//! Whose forwarding headers are believed (`HANGAR_TRUSTED_PROXIES`).

use std::net::IpAddr;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustedProxies {
    /// Loopback and the private ranges
    Private,
    None,
    Networks(Vec<(IpAddr, u8)>),
}

impl TrustedProxies {
    pub const ACCEPTED: &'static str = "private, none, or a comma list of addresses and networks such as 10.0.0.0/8, 192.0.2.7 or fd00::/8";

    /// Whether forwarding headers from this peer are believed. An IPv4 address mapped into IPv6 counts as IPv4.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        match self {
            Self::Private => is_private(peer),
            Self::None => false,
            Self::Networks(networks) => networks
                .iter()
                .any(|(network, bits)| contains(*network, *bits, peer)),
        }
    }

    /// `private` may stand in a list too, beside the address of a proxy that is not.
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "private" => return Some(Self::Private),
            "none" => return Some(Self::None),
            _ => {}
        }
        let mut networks = Vec::new();
        for item in text.split(',').map(str::trim) {
            if item.eq_ignore_ascii_case("private") {
                networks.extend(PRIVATE);
            } else {
                networks.push(parse_network(item)?);
            }
        }
        Some(Self::Networks(networks))
    }
}

/// Loopback, RFC 1918 and RFC 4193.
const PRIVATE: [(IpAddr, u8); 6] = {
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

fn is_private(peer: IpAddr) -> bool {
    PRIVATE
        .iter()
        .any(|(network, bits)| contains(*network, *bits, peer))
}

fn parse_network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = match text.split_once('/') {
        // `u8::from_str` would take a sign.
        Some((address, bits)) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
            (address, Some(bits.parse().ok()?))
        }
        Some(_) => return None,
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let width = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(width);
    (bits <= width).then_some((address, bits))
}

/// Host bits of the network do not count.
fn contains(network: IpAddr, bits: u8, peer: IpAddr) -> bool {
    let (differing, width) = match (network, peer) {
        (IpAddr::V4(network), IpAddr::V4(peer)) => {
            (u128::from(network.to_bits() ^ peer.to_bits()), 32_u32)
        }
        (IpAddr::V6(network), IpAddr::V6(peer)) => (network.to_bits() ^ peer.to_bits(), 128),
        _ => return false,
    };
    differing
        .checked_shr(width.saturating_sub(u32::from(bits)))
        .unwrap_or(0)
        == 0
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
    fn what_is_no_network_is_refused(
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
