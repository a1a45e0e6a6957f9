//! Who counts as one remote, where it is the address that is reckoned with.

use crate::wire::TransportAddress;
use std::net::{Ipv4Addr, Ipv6Addr};

/// What counts as one remote: an IPv4 address, an IPv6 network of 64 bits, or any other address as
/// it is written.
///
/// Not the IPv4 network around it: its neighbours are other customers. Of IPv6 a customer has at
/// least a /64 (RFC 6177), so single addresses would cost an attacker nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remote {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// The first 64 bits of an IPv6 address.
    V6(u64),
    /// The start of its hash.
    Other(u64),
}

impl Remote {
    /// The remote at an address; `None` for this machine itself, which nobody else can speak from.
    pub fn of(address: &TransportAddress) -> Option<Remote> {
        let mut parts = address.as_str().split('/').skip(1);
        let (kind, value) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let v4 = |ip: Ipv4Addr| (!ip.is_loopback()).then_some(Remote::V4(ip));
        match (kind, value.parse::<Ipv4Addr>(), value.parse::<Ipv6Addr>()) {
            ("ip4", Ok(ip), _) => v4(ip),
            ("ip6", _, Ok(ip)) if ip.is_loopback() => None,
            ("ip6", _, Ok(ip)) => match ip.to_ipv4_mapped() {
                Some(ip) => v4(ip),
                None => Some(Remote::V6((ip.to_bits() >> 64) as u64)),
            },
            _ => Some(Remote::Other(leading(address.as_str().as_bytes()))),
        }
    }

    /// The part of the network that it is in: of many addresses in one, one owner is likely. An IPv4
    /// network of 16 bits and an IPv6 network of 32, which is what registries give to a provider.
    pub fn neighbourhood(self) -> Remote {
        match self {
            Remote::V4(ip) => Remote::V4(Ipv4Addr::from_bits(ip.to_bits() & 0xffff_0000)),
            Remote::V6(network) => Remote::V6(network & 0xffff_ffff_0000_0000),
            Remote::Other(hash) => Remote::Other(hash),
        }
    }

    /// Bytes that stand for it, and for no other.
    pub fn bytes(self) -> [u8; 9] {
        let (kind, value) = match self {
            Remote::V4(ip) => (1, u64::from(ip.to_bits())),
            Remote::V6(network) => (2, network),
            Remote::Other(hash) => (3, hash),
        };
        let mut bytes = [kind; 9];
        bytes[1..].copy_from_slice(&value.to_be_bytes());
        bytes
    }
}

/// The start of the hash of some bytes.
pub(crate) fn leading(bytes: &[u8]) -> u64 {
    let mut start = [0; 8];
    start.copy_from_slice(&blake3::hash(bytes).as_bytes()[..8]);
    u64::from_le_bytes(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(text: &str) -> Option<Remote> {
        Remote::of(&TransportAddress::new(text).expect("short"))
    }

    #[test]
    fn one_provider_is_one_neighbourhood() {
        let around = |text| remote(text).map(Remote::neighbourhood);
        assert_eq!(around("/ip4/192.0.2.1/tcp/1"), around("/ip4/192.0.200.7/tcp/9"));
        assert_ne!(around("/ip4/192.0.2.1/tcp/1"), around("/ip4/192.1.2.1/tcp/1"));
        assert_eq!(around("/ip6/2001:db8::1/tcp/1"), around("/ip6/2001:db8:ff::1/tcp/1"));
        assert_ne!(around("/ip6/2001:db8::1/tcp/1"), around("/ip6/2001:db9::1/tcp/1"));
        assert_ne!(around("v/1"), around("v/2"));
    }

    #[test]
    fn one_customer_is_one_remote() {
        assert_eq!(remote("/ip4/192.0.2.1/tcp/1"), remote("/ip4/192.0.2.1/udp/9/quic-v1"));
        assert_ne!(remote("/ip4/192.0.2.1/tcp/1"), remote("/ip4/192.0.2.2/tcp/1"));
        assert_eq!(remote("/ip6/2001:db8::1/tcp/1"), remote("/ip6/2001:db8::ffff:2/tcp/1"));
        assert_ne!(remote("/ip6/2001:db8::1/tcp/1"), remote("/ip6/2001:db8:0:1::1/tcp/1"));
        assert_eq!(remote("/ip6/::ffff:192.0.2.1/tcp/1"), remote("/ip4/192.0.2.1/tcp/1"));
        assert_ne!(remote("v/1"), remote("v/2"));
        for own in ["/ip4/127.0.0.1/tcp/1", "/ip6/::1/tcp/1", "/ip6/::ffff:127.0.0.1/tcp/1"] {
            assert_eq!(remote(own), None);
        }
    }
}
