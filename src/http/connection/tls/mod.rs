//! TLS: the certificate that clients are shown, and the dates between which it is valid.

pub(crate) mod certificate;
mod validity;

pub(crate) use certificate::Tls;
