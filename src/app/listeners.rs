//! The public addresses, bound.

use crate::app::error::StartError;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpListener};
use tokio::net::TcpSocket;

const BACKLOG: u32 = 1024;

/// Binds every address, or says which cannot be and why. Must run within the runtime.
///
/// # Errors
/// A sentence that names `HANGAR_LISTEN`.
pub(super) fn bind(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, StartError> {
    // IPv6 first: on most systems its wildcard takes IPv4 along, and then the IPv4 wildcard is busy, by us.
    let mut ordered = addresses.to_vec();
    ordered.sort_by_key(SocketAddr::is_ipv4);
    let mut listeners: Vec<TcpListener> = Vec::new();
    let mut taken_along: Option<u16> = None;
    for address in ordered {
        let is_wildcard = address.ip().is_unspecified();
        match bind_one(address) {
            Ok(listener) => {
                if is_wildcard && address.is_ipv6() {
                    taken_along = Some(address.port());
                }
                listeners.push(listener);
            }
            Err(error)
                if error.kind() == ErrorKind::AddrInUse
                    && is_wildcard
                    && address.is_ipv4()
                    && taken_along == Some(address.port()) => {}
            // A machine without IPv6 serves IPv4.
            Err(error)
                if address.is_ipv6()
                    && addresses.iter().any(SocketAddr::is_ipv4)
                    && lacks_ipv6(&error) => {}
            Err(error) => return Err(refusal(address, &error)),
        }
    }
    Ok(listeners)
}

fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address.ip() {
        IpAddr::V4(_) => TcpSocket::new_v4()?,
        IpAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A restart must not wait for the old connections' TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

fn lacks_ipv6(error: &io::Error) -> bool {
    /// `EAFNOSUPPORT`
    const ADDRESS_FAMILY_NOT_SUPPORTED: i32 = 97;
    error.kind() == ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(ADDRESS_FAMILY_NOT_SUPPORTED)
}

fn refusal(address: SocketAddr, error: &io::Error) -> StartError {
    StartError::Refused(match error.kind() {
        ErrorKind::AddrInUse => format!(
            "HANGAR_LISTEN: {address} is in use by another program; stop that, or set HANGAR_LISTEN to another port."
        ),
        ErrorKind::PermissionDenied => format!(
            "HANGAR_LISTEN: this user may not listen on {address}; ports below 1024 need a privilege, so set a higher one."
        ),
        ErrorKind::AddrNotAvailable => format!(
            "HANGAR_LISTEN: {address} is not an address of this machine; set HANGAR_LISTEN to one that is."
        ),
        _ => format!("HANGAR_LISTEN: cannot listen on {address}: {error}."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_busy_port_is_refused_in_a_sentence_that_names_the_setting() {
        let taken = bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let address = taken[0].local_addr().unwrap();
        let refused = bind(&[address]).unwrap_err().to_string();
        assert!(
            refused.starts_with(&format!("HANGAR_LISTEN: {address} is in use")),
            "{refused}"
        );
    }

    #[tokio::test]
    async fn both_wildcards_of_one_port_are_served() {
        let free = bind(&["127.0.0.1:0".parse().unwrap()]).unwrap()[0]
            .local_addr()
            .unwrap()
            .port();
        let listeners = bind(&[
            SocketAddr::new("0.0.0.0".parse().unwrap(), free),
            SocketAddr::new("::".parse().unwrap(), free),
        ])
        .unwrap();
        assert!(!listeners.is_empty());
        assert!(std::net::TcpStream::connect(("127.0.0.1", free)).is_ok());
    }
}
