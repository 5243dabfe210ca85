//! Where a request came from, for the conditions of a policy.

use crate::http::s3::exchange::Exchange;
use crate::http::{origin, proxies};
use std::net::IpAddr;

/// Where a request came from and how; an address that was only claimed is left out.
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

/// Once for each start: behind a proxy each request would log it.
fn warn_of_hidden_clients() {
    static TOLD: std::sync::Once = std::sync::Once::new();
    TOLD.call_once(|| {
        tracing::warn!(
            "a bucket policy was asked about a request that came through a proxy which nobody named: its conditions on addresses open nothing until HANGAR_TRUSTED_PROXIES names the proxy"
        );
    });
}
