//! The settings of the edge.

use crate::http::proxies::TrustedProxies;
use crate::s3::signature::Sigv2;

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
    /// `HANGAR_S3_SIGV2`: where Signature Version 2 is accepted too.
    pub sigv2: Sigv2,
    /// `HANGAR_SAFE_READS`: files that a browser can request are served so that they can do no harm.
    pub safe_reads: bool,
    /// `HANGAR_TLS_CERT` and `HANGAR_TLS_KEY`; `None`: plain HTTP.
    pub tls: Option<TlsFiles>,
}

#[cfg(test)]
impl HttpConfig {
    /// Settings that name nothing: no listeners, no region, no trusted proxies.
    pub(crate) fn bare() -> Self {
        Self {
            listen: Vec::new(),
            public_url: None,
            trusted_proxies: TrustedProxies::None,
            cors_allowed_origins: Vec::new(),
            s3_domain: None,
            region: String::new(),
            sigv2: Sigv2::Off,
            safe_reads: true,
            tls: None,
        }
    }
}

/// PEM files of a certificate (with its chain) and its key.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    pub certificate: std::path::PathBuf,
    pub key: std::path::PathBuf,
}

#[cfg(test)]
impl HttpConfig {
    /// Plain HTTP, no proxy, no domain.
    pub(crate) fn plain() -> Self {
        Self {
            listen: Vec::new(),
            public_url: None,
            trusted_proxies: TrustedProxies::None,
            cors_allowed_origins: Vec::new(),
            s3_domain: None,
            region: String::new(),
            sigv2: Sigv2::Off,
            safe_reads: true,
            tls: None,
        }
    }
}
