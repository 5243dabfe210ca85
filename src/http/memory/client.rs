//! The client that a body's memory is counted for.

use crate::http::proxies::{self, TrustedProxies};
use actix_web::dev::RequestHead;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The client that a body's memory is counted for. Decides about limits alone, never about permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Client(IpAddr);

impl Client {
    pub(crate) fn of(head: &RequestHead, trusted: &TrustedProxies) -> Self {
        let Some(peer) = head.peer_addr else {
            return Self::at(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        };
        let forwarded = proxies::forwarded_for(head.headers());
        Self::at(trusted.client_for_limits(peer.ip(), &forwarded))
    }

    /// The client of a connection that has not sent a request yet.
    pub(crate) fn of_peer(peer: Option<SocketAddr>) -> Self {
        let unknown = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        Self::at(peer.map_or(unknown, |peer| peer.ip()))
    }

    /// A household or a server has a /64 network, and can send from any address of it.
    pub(super) fn at(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = u128::from(address) & !u128::from(u64::MAX);
                IpAddr::V6(Ipv6Addr::from(network))
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let of = |text: &str| Client::at(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1:2:3"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
