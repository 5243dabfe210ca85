//! The settings of a start: composed from the modules' own, read from flags and the environment once.
use crate::assets::AssetsConfig;
use crate::auth::AccessKey;
use crate::store::StoreConfig;
use std::time::Duration;

/// All that a running server needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    pub store: StoreConfig,
    pub assets: AssetsConfig,
    pub http: HttpConfig,
    /// A root pair from the environment; `None`: made once and kept in `@hangar/keys`.
    pub root_key: Option<AccessKey>,
    /// `API_KEY_RATE_LIMIT`; `None`: off. Read from the start, enforced by a later issue.
    pub rate_limit: Option<RateLimit>,
    /// `hangar serve` makes `admin@localhost` on a new folder; `hangar server DIR` makes no user.
    pub standalone: bool,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    pub requests: u32,
    pub window: Duration,
}
/// Settings of the edge.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// `HANGAR_LISTEN`: addresses to bind (one, or IPv4 and IPv6 of `:9000`).
    pub listen: Vec<std::net::SocketAddr>,
    /// `HANGAR_PUBLIC_URL`: scheme and host, no path.
    pub public_url: Option<String>,
    /// `HANGAR_TRUSTED_PROXIES`
    pub trusted_proxies: TrustedProxies,
    /// `CORS_ALLOWED_ORIGINS`; empty: any
    pub cors_allowed_origins: Vec<String>,
    /// `HANGAR_S3_DOMAIN`
    pub s3_domain: Option<String>,
    /// `AWS_REGION`; empty: any
    pub region: String,
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustedProxies {
    /// Loopback and the private ranges
    Private,
    None,
    Networks(Vec<(std::net::IpAddr, u8)>),
}
impl TrustedProxies {
    #[must_use]
    pub fn trusts(&self, _peer: std::net::IpAddr) -> bool {
        todo!()
    }
}
