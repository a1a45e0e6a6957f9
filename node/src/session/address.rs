//! Node ids as the addresses that quinn needs: it knows its remotes by socket addresses only.
//!
//! An address is made of the first fifteen bytes of the node id below `fd00::/8` (unique local
//! addresses, RFC 4193). Nothing is ever sent to it; a table leads back to the whole id.

use overlay_proto::id::NodeId;
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Addresses remembered. More than the core keeps correspondents: a session outlives one there.
const KNOWN_MAX: usize = 1_024;
const PREFIX: u8 = 0xfd;
/// One for all: the class is a matter of the endpoint.
const PORT: u16 = 1;

/// The address of a node.
pub(super) fn address_of(node: NodeId) -> SocketAddr {
    let mut octets = [PREFIX; 16];
    octets[1..].copy_from_slice(&node.0[..15]);
    SocketAddr::new(IpAddr::V6(Ipv6Addr::from(octets)), PORT)
}

/// The nodes whose addresses quinn has seen.
#[derive(Debug, Default)]
pub(super) struct Directory {
    known: HashMap<SocketAddr, NodeId>,
    order: VecDeque<SocketAddr>,
}

impl Directory {
    /// The node's address, remembered; instead of the oldest one if there is no room.
    pub(super) fn remember(&mut self, node: NodeId) -> SocketAddr {
        let address = address_of(node);
        if self.known.insert(address, node).is_none() {
            self.order.push_back(address);
            if self.order.len() > KNOWN_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest);
            }
        }
        address
    }

    /// The node of an address.
    pub(super) fn node_of(&self, address: SocketAddr) -> Option<NodeId> {
        self.known.get(&address).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lead_back_and_the_oldest_is_forgotten() {
        let mut directory = Directory::default();
        let node = |n: usize| {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&n.to_be_bytes());
            NodeId(id)
        };
        let addresses: Vec<_> = (0..=KNOWN_MAX).map(|n| directory.remember(node(n))).collect();
        assert_eq!(directory.node_of(addresses[0]), None);
        assert_eq!(directory.node_of(addresses[1]), Some(node(1)));
        assert_eq!(directory.remember(node(1)), addresses[1]);
        assert_eq!(directory.known.len(), KNOWN_MAX);
    }
}
