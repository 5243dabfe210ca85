//! TLS: the server's certificate, and the dates between which it is valid.

pub(crate) mod certificate;
mod validity;

pub(crate) use certificate::Tls;
