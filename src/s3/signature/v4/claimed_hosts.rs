//! The hosts that a client may have signed before a proxy changed `Host`, for the log alone.

use crate::s3::signature::request::head::RequestHead;

/// For the administrator: why a signature fails, and the setting that fixes each cause.
pub(super) const WRONG_SECRET_OR_HOST: &str = "either the client signs with another secret key, or a proxy changed the Host header: \
     let it pass the header on with its port (nginx: `proxy_set_header Host $http_host;`), \
     or set HANGAR_PUBLIC_URL to the address that clients use";

/// A host that a header names beside `Host`. It is never trusted: a signature is tried with it only for the log.
pub(super) struct ClaimedHost {
    pub(super) host: String,
    pub(super) header: &'static str,
}

impl ClaimedHost {
    pub(super) fn explained(&self) -> String {
        let Self { host, header } = self;
        if *header == FORWARDED_HOST {
            return format!(
                "it would hold for {host:?}, which X-Forwarded-Host claims: set HANGAR_PUBLIC_URL to that host, or name the proxy in HANGAR_TRUSTED_PROXIES"
            );
        }
        format!(
            "it would hold for {host:?}, which the header {header} names: a proxy changed the Host header. Let it pass the header on with its port (nginx: `proxy_set_header Host $http_host;`), or set HANGAR_PUBLIC_URL to the address with that host"
        )
    }
}

const FORWARDED_HOST: &str = "x-forwarded-host";

/// The hosts that a client may have signed before a proxy changed `Host`: as the headers of proxies and browsers state them.
pub(super) fn claimed_hosts(head: &RequestHead<'_>, received: &str) -> Vec<ClaimedHost> {
    const MOST_OF_EACH: usize = 2;
    let listed = |name: &'static str| {
        let values = head.values(name).flat_map(|value| value.split(','));
        values.map(str::trim).take(MOST_OF_EACH)
    };
    let mut claimed: Vec<ClaimedHost> = listed(FORWARDED_HOST)
        .map(|host| (host.to_owned(), FORWARDED_HOST))
        .chain(listed("x-forwarded-port").map(|port| {
            (
                format!("{}:{port}", without_port(received)),
                "x-forwarded-port",
            )
        }))
        .chain(["origin", "referer"].into_iter().filter_map(|header| {
            let (_, rest) = head.values(header).next()?.split_once("://")?;
            let host = rest.split('/').next().unwrap_or_default();
            Some((host.to_owned(), header))
        }))
        .map(|(host, header)| ClaimedHost { host, header })
        .collect();
    claimed.dedup_by(|one, other| one.host == other.host);
    claimed
}

pub(super) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}
