//! TLS: the certificate and its key, from their files, and again when these change.
//!
//! Guarantees: a server starts only with a key that belongs to its certificate; where new files are not good, the old
//! ones stay in use and the log says why. TLS 1.2 and 1.3 by rustls; HTTP/2 and HTTP/1.1 by ALPN.

use crate::clock::Timestamp;
use crate::http::config::TlsFiles;
use crate::http::connection::tls::validity::Validity;
use crate::warnings::Warning;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// How long before its expiry a warning about a certificate begins.
const WARNED_AHEAD: Duration = Duration::from_hours(14 * 24);
/// How often the files are checked for changes.
const CHECK_EVERY: Duration = Duration::from_secs(3);

/// Why a certificate cannot be used. Its text names setting and file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsRefusal {
    #[error("{setting}: {} cannot be read: {source}{}", path.display(), permission_hint(source))]
    Unreadable {
        setting: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("HANGAR_TLS_CERT: {} holds no certificate as PEM (-----BEGIN CERTIFICATE-----)", .0.display())]
    NoCertificate(PathBuf),
    #[error(
        "HANGAR_TLS_KEY: {} holds no private key as PEM that is not encrypted (-----BEGIN PRIVATE KEY-----, \
         RSA PRIVATE KEY or EC PRIVATE KEY)",
        .0.display()
    )]
    NoKey(PathBuf),
    #[error("HANGAR_TLS_CERT: the first certificate in {} is broken", .0.display())]
    BrokenCertificate(PathBuf),
    #[error("HANGAR_TLS_KEY: the key in {} cannot be used: {source}", path.display())]
    UnusableKey {
        path: PathBuf,
        source: rustls::Error,
    },
    #[error(
        "HANGAR_TLS_KEY: the key in {} does not belong to the first certificate in {}, the file of HANGAR_TLS_CERT",
        .0.key.display(), .0.certificate.display()
    )]
    Mismatch(TlsFiles),
}

/// Key files often belong to root, and servers run as another user.
fn permission_hint(error: &std::io::Error) -> String {
    if error.kind() != std::io::ErrorKind::PermissionDenied {
        return String::new();
    }
    let user = crate::owner::user();
    format!(
        "; this process runs as user {user}: let that user read the file (chgrp its group, chmod 640), and enter the \
         folders above it"
    )
}

/// The certificate and settings of a TLS listener. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Tls {
    files: TlsFiles,
    config: Arc<ServerConfig>,
    shown: Arc<CurrentCertificate>,
}

/// The certificate that clients get now.
#[derive(Debug)]
struct CurrentCertificate(RwLock<Arc<CertifiedKey>>);

impl CurrentCertificate {
    fn now(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for CurrentCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.now())
    }
}

impl Tls {
    /// # Errors
    /// See [`TlsRefusal`].
    pub(crate) async fn open(files: TlsFiles) -> Result<Self, TlsRefusal> {
        let certified = load(&files).await?;
        let shown = Arc::new(CurrentCertificate(RwLock::new(Arc::new(certified))));
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("the provider knows TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(Arc::<CurrentCertificate>::clone(&shown));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            files,
            config: Arc::new(config),
            shown,
        })
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// The warning for the operator about the certificate in use.
    pub(crate) fn warning(&self, now: Timestamp) -> Option<Warning> {
        let shown = self.shown.now();
        let Validity {
            not_before,
            not_after,
        } = Validity::of(shown.cert.first()?)?;
        let certificate = self.files.certificate.clone();
        if now < not_before {
            return Some(Warning::CertificateNotYetValid {
                certificate,
                from: not_before,
            });
        }
        if now > not_after {
            return Some(Warning::CertificateExpired {
                certificate,
                at: not_after,
            });
        }
        let left = not_after
            .as_secs()
            .saturating_sub(now.as_secs())
            .unsigned_abs();
        (left < WARNED_AHEAD.as_secs()).then_some(Warning::CertificateExpiresSoon {
            certificate,
            at: not_after,
            days_left: left / (24 * 3600),
        })
    }

    /// Reloads the certificate whenever its files change, or `reload` is notified, and calls `was_read` each time.
    /// Never ends.
    pub(crate) async fn keep_current(self, reload: Arc<Notify>, was_read: impl Fn()) {
        let mut seen = fingerprint(&self.files).await;
        loop {
            let asked = tokio::select! {
                () = tokio::time::sleep(CHECK_EVERY) => false,
                () = reload.notified() => true,
            };
            let now = fingerprint(&self.files).await;
            if asked || now != seen {
                seen = now;
                self.reload().await;
                was_read();
            }
        }
    }

    async fn reload(&self) {
        match load(&self.files).await {
            Ok(certified) => {
                let mut shown = self.shown.0.write().unwrap_or_else(PoisonError::into_inner);
                *shown = Arc::new(certified);
                tracing::info!(certificate = %self.files.certificate.display(), "the TLS certificate was read again");
            }
            Err(refusal) => tracing::error!("{refusal}; the certificate in use stays"),
        }
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Values that change with a file, or with the target of a link.
type Fingerprint = [Option<(u64, u64, i64, i64, u64)>; 2];

async fn fingerprint(files: &TlsFiles) -> Fingerprint {
    let of = async |path: &Path| {
        let meta = tokio::fs::metadata(path).await.ok()?;
        Some((
            meta.dev(),
            meta.ino(),
            meta.mtime(),
            meta.mtime_nsec(),
            meta.size(),
        ))
    };
    [of(&files.certificate).await, of(&files.key).await]
}

async fn load(files: &TlsFiles) -> Result<CertifiedKey, TlsRefusal> {
    let chain = read("HANGAR_TLS_CERT", &files.certificate).await?;
    let key = read("HANGAR_TLS_KEY", &files.key).await?;
    let chain = CertificateDer::pem_slice_iter(&chain)
        .collect::<Result<Vec<_>, _>>()
        .ok()
        .filter(|chain| !chain.is_empty())
        .ok_or_else(|| TlsRefusal::NoCertificate(files.certificate.clone()))?;
    let key =
        PrivateKeyDer::from_pem_slice(&key).map_err(|_| TlsRefusal::NoKey(files.key.clone()))?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            TlsRefusal::Mismatch(files.clone())
        }
        rustls::Error::InvalidCertificate(_) => {
            TlsRefusal::BrokenCertificate(files.certificate.clone())
        }
        source => TlsRefusal::UnusableKey {
            path: files.key.clone(),
            source,
        },
    })
}

async fn read(setting: &'static str, path: &Path) -> Result<Vec<u8>, TlsRefusal> {
    tokio::fs::read(path)
        .await
        .map_err(|source| TlsRefusal::Unreadable {
            setting,
            path: path.to_owned(),
            source,
        })
}
