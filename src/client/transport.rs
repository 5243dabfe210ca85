//! Why no answer came, by the chain of causes of a transport error.

use rustls::{CertificateError, InvalidMessage};
use std::error::Error;
use std::io;

/// Which address did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The address that the user gave.
    Api,
    /// The address that the server answered for the upload.
    Upload,
}

/// What kept an answer from coming.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    UnknownName,
    NoServer,
    NoRoute,
    UnknownAuthority,
    ExpiredCertificate,
    CertificateNotYetValid,
    CertificateOfAnotherName,
    BadCertificate(String),
    NoTls,
    ProxyOfThisMachine,
    NoConnectionInTime,
    NoAnswerInTime,
    BrokenOff,
}

impl Trouble {
    pub(super) fn of_error(error: &reqwest::Error) -> Self {
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(error) = cause {
            if let Some(trouble) = Self::of_cause(error) {
                return trouble;
            }
            cause = error.source();
        }
        match (error.is_timeout(), error.is_connect()) {
            (true, true) => Self::NoConnectionInTime,
            (true, false) => Self::NoAnswerInTime,
            (false, true) => Self::NoServer,
            (false, false) => Self::BrokenOff,
        }
    }

    fn of_cause(error: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(Self::of_tls(error));
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            // Its `source()` skips the error that it wraps.
            if let Some(inner) = error.get_ref() {
                return Self::of_cause(inner);
            }
            return match error.kind() {
                io::ErrorKind::ConnectionRefused => Some(Self::NoServer),
                io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                    Some(Self::NoRoute)
                }
                _ => None,
            };
        }
        // The types of these errors are private.
        let text = error.to_string();
        if text.starts_with("dns error") || text.starts_with("failed to lookup address") {
            return Some(Self::UnknownName);
        }
        (text.contains("tunnel") || text.contains("proxy")).then_some(Self::ProxyOfThisMachine)
    }

    fn of_tls(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(error) => match error {
                CertificateError::UnknownIssuer => Self::UnknownAuthority,
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    Self::ExpiredCertificate
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    Self::CertificateNotYetValid
                }
                CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. } => Self::CertificateOfAnotherName,
                other => Self::BadCertificate(other.to_string()),
            },
            rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => Self::NoTls,
            other => Self::BadCertificate(other.to_string()),
        }
    }

    /// The first half of the sentence.
    pub(super) fn of(&self, address: &str) -> String {
        match self {
            Self::UnknownName => format!("the name in {address} is not known (DNS)"),
            Self::NoServer => format!("no server answers at {address}"),
            Self::NoRoute => format!("{address} cannot be reached from this machine"),
            Self::UnknownAuthority => {
                format!(
                    "the certificate of {address} comes from an authority that this machine does not trust"
                )
            }
            Self::ExpiredCertificate => format!("the certificate of {address} has expired"),
            Self::CertificateNotYetValid => {
                format!("the certificate of {address} is not valid yet")
            }
            Self::CertificateOfAnotherName => {
                format!("the certificate of {address} is for another name")
            }
            Self::BadCertificate(why) => {
                format!("no secure connection to {address} can be made ({why})")
            }
            Self::NoTls => format!("{address} does not speak TLS"),
            Self::ProxyOfThisMachine => {
                format!("the proxy of this machine's environment does not lead to {address}")
            }
            Self::NoConnectionInTime => format!("{address} accepted no connection in time"),
            Self::NoAnswerInTime => format!("{address} did not answer in time"),
            Self::BrokenOff => format!("the connection to {address} was lost"),
        }
    }

    /// What to do about it.
    pub(super) fn remedy(&self, part: Part) -> &'static str {
        const PUBLIC_URL: &str = "set HANGAR_PUBLIC_URL of the server (Plane: AWS_S3_ENDPOINT_URL) to an address that this machine reaches";
        match (self, part) {
            (Self::UnknownName | Self::NoRoute | Self::NoConnectionInTime, Part::Api) => {
                "check --url or HANGAR_URL, and this machine's network"
            }
            (Self::NoServer, Part::Api) => {
                "start one with `hangar serve`, or name another with --url or HANGAR_URL"
            }
            (
                Self::UnknownName | Self::NoRoute | Self::NoConnectionInTime | Self::NoServer,
                Part::Upload,
            ) => PUBLIC_URL,
            (Self::UnknownAuthority, _) => {
                "set SSL_CERT_FILE to a PEM file with that authority's certificate"
            }
            (Self::ExpiredCertificate | Self::CertificateNotYetValid, _) => {
                "renew it (HANGAR_TLS_CERT, or the proxy's file), and check this machine's clock"
            }
            (Self::CertificateOfAnotherName, Part::Api) => {
                "give a name that is in the certificate with --url or HANGAR_URL, or a certificate for this one in HANGAR_TLS_CERT"
            }
            (Self::CertificateOfAnotherName, Part::Upload) => {
                "set HANGAR_PUBLIC_URL of the server to a name that is in its certificate"
            }
            (Self::BadCertificate(_), _) => {
                "check the certificate (HANGAR_TLS_CERT, or the proxy's)"
            }
            (Self::NoTls, Part::Api) => "write http:// in --url or HANGAR_URL",
            (Self::NoTls, Part::Upload) => "write http:// in HANGAR_PUBLIC_URL of the server",
            (Self::ProxyOfThisMachine, _) => {
                "check HTTPS_PROXY and HTTP_PROXY, or name the server in NO_PROXY"
            }
            (Self::NoAnswerInTime | Self::BrokenOff, _) => {
                "look at the server's log, and at the log and the limits of a proxy in between (nginx: `client_max_body_size`), then try again"
            }
        }
    }
}
