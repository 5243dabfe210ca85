//! Networks of IP addresses, as settings and policies write them: `10.0.0.0/8`, `192.0.2.7`, `fd00::/8`.

use std::net::IpAddr;

/// An address and how many of its leading bits count; the others may be anything.
pub type Network = (IpAddr, u8);

/// Leading bits that all addresses have which are mapped from IPv4 into IPv6. RFC 4291, 2.5.5.2.
const MAPPED_BITS: u8 = 96;

#[must_use]
pub fn parse(text: &str) -> Option<Network> {
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
    (bits <= width).then(|| match address.to_canonical() {
        // One that is mapped from IPv4 is a network of IPv4, as each address in it is.
        IpAddr::V4(mapped) if address.is_ipv6() && bits >= MAPPED_BITS => {
            (IpAddr::V4(mapped), bits - MAPPED_BITS)
        }
        _ => (address, bits),
    })
}

/// Whether an address lies in a network. One that is mapped from IPv4 into IPv6 counts as IPv4.
#[must_use]
pub fn contains((network, bits): Network, address: IpAddr) -> bool {
    let (differing, width) = match (network, address.to_canonical()) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            (u128::from(network.to_bits() ^ address.to_bits()), 32_u32)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits() ^ address.to_bits(), 128),
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
    use rstest::rstest;

    #[rstest]
    #[case("::ffff:203.0.113.9", "203.0.113.9", true)]
    #[case("::ffff:203.0.113.9", "203.0.113.8", false)]
    #[case("::ffff:10.0.0.0/104", "10.9.9.9", true)]
    #[case("::ffff:10.0.0.0/104", "::ffff:10.9.9.9", true)]
    #[case("::ffff:10.0.0.0/104", "11.0.0.0", false)]
    #[case("::ffff:0.0.0.0/96", "203.0.113.9", true)]
    #[case("::/0", "203.0.113.9", false)]
    #[case("::/0", "2001:db8::1", true)]
    fn a_network_that_is_mapped_from_ipv4_holds_the_addresses_of_ipv4(
        #[case] network: &str,
        #[case] address: &str,
        #[case] holds: bool,
    ) {
        let network = parse(network).unwrap();
        assert_eq!(contains(network, address.parse().unwrap()), holds);
    }
}
