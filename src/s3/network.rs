//! Networks of IP addresses, as settings and policies write them: `10.0.0.0/8`, `192.0.2.7`, `fd00::/8`.

use std::net::IpAddr;

/// An address and how many of its leading bits count; the others may be anything.
pub type Network = (IpAddr, u8);

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
    (bits <= width).then_some((address, bits))
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
