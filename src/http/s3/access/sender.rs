//! The origin of a request, for the conditions of a policy.

use crate::http::s3::exchange::Exchange;
use crate::http::{origin, proxies};
use std::net::IpAddr;

/// The address that a request came from, and the way it came; an unverified address is left out.
pub(super) struct Sender {
    pub(super) address: Option<IpAddr>,
    pub(super) came_by_tls: bool,
}

impl Sender {
    pub(super) fn of(exchange: &Exchange<'_>) -> Self {
        let trusted = &exchange.config.trusted_proxies;
        let req = exchange.req;
        let forwarded = proxies::forwarded_for(req.headers());
        let peer = req.peer_addr().map(|peer| peer.ip());
        let is_hidden = peer.is_some_and(|peer| trusted.may_hide_a_client(peer))
            && FORWARDING
                .iter()
                .any(|name| req.headers().contains_key(*name));
        if is_hidden {
            warn_of_hidden_clients();
        }
        Self {
            address: peer
                .filter(|_| !is_hidden)
                .map(|peer| trusted.client(peer, &forwarded)),
            came_by_tls: origin::came_by_tls(req.head(), exchange.config),
        }
    }
}

/// Headers that only a proxy sends.
const FORWARDING: [&str; 3] = ["x-forwarded-for", "x-forwarded-host", "forwarded"];

/// Logs once for each start: behind a proxy every request would log it.
fn warn_of_hidden_clients() {
    static WARNED: std::sync::Once = std::sync::Once::new();
    WARNED.call_once(|| {
        tracing::warn!(
            "a bucket policy was evaluated for a request from a proxy that HANGAR_TRUSTED_PROXIES does not name: its conditions on addresses grant nothing until that setting names the proxy"
        );
    });
}
