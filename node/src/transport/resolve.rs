//! Names of hosts in multiaddrs, looked up with the operating system's resolver.
//!
//! libp2p's own resolver would bring another twenty crates and pass over `/etc/hosts`.

use super::limits::{ADDRESSES_PER_NAME_MAX, LOOKUP_PATIENCE};
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use std::net::IpAddr;
use tokio::net::lookup_host;
use tokio::time::timeout;
use tracing::debug;

/// Whether `address` begins with a name.
pub(crate) fn is_named(address: &Multiaddr) -> bool {
    matches!(address.iter().next(), Some(Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_)))
}

/// `addresses` with each name replaced by what it stands for, in the same order. A name that
/// cannot be looked up is left out.
pub(crate) async fn resolve(addresses: Vec<Multiaddr>) -> Vec<Multiaddr> {
    let mut resolved = Vec::with_capacity(addresses.len());
    let mut last: Option<(String, Vec<IpAddr>)> = None;
    for address in addresses {
        let mut parts = address.iter();
        let (name, wanted): (_, fn(&IpAddr) -> bool) = match parts.next() {
            Some(Protocol::Dns(name)) => (name, |_| true),
            Some(Protocol::Dns4(name)) => (name, IpAddr::is_ipv4),
            Some(Protocol::Dns6(name)) => (name, IpAddr::is_ipv6),
            _ => {
                resolved.push(address);
                continue;
            }
        };
        // One host is usually named several times in a row: for TCP and for QUIC.
        let known = last.take().filter(|(known, _)| *known == name);
        let (name, ips) = match known {
            Some(known) => known,
            None => (name.to_string(), lookup(&name).await),
        };
        let rest: Vec<Protocol<'_>> = parts.collect();
        for ip in ips.iter().filter(|ip| wanted(ip)).take(ADDRESSES_PER_NAME_MAX) {
            let address = Multiaddr::from(*ip);
            resolved.push(rest.iter().fold(address, |address, part| address.with(part.clone())));
        }
        last = Some((name, ips));
    }
    resolved
}

async fn lookup(name: &str) -> Vec<IpAddr> {
    match timeout(LOOKUP_PATIENCE, lookup_host((name, 0))).await {
        Ok(Ok(found)) => {
            let mut ips: Vec<IpAddr> = found.map(|socket| socket.ip()).collect();
            ips.dedup();
            ips
        }
        Ok(Err(error)) => {
            debug!(name, %error, "name not found");
            Vec::new()
        }
        Err(_) => {
            debug!(name, "name not looked up in time");
            Vec::new()
        }
    }
}
