//! Between the core's ids and addresses and those of libp2p.

use libp2p::identity::{Keypair, PublicKey, ed25519};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use overlay_proto::config::ADDRESS_BYTES_MAX;
use overlay_proto::id::NodeId;
use overlay_proto::identity::SecretKey;
use overlay_proto::wire::TransportAddress;

/// The multihash code under which a short public key stands as it is (libp2p peer-id spec).
const IDENTITY_HASH: u64 = 0;

/// The keys of a node for libp2p's handshakes.
pub(crate) fn keypair(device: &SecretKey) -> Keypair {
    let mut secret = device.to_bytes();
    Keypair::ed25519_from_bytes(secret.as_mut_slice())
        .expect("32 bytes are an Ed25519 secret key, whatever they are")
}

/// The libp2p name of a node; none if its id is no point of the curve.
pub(crate) fn peer_of(node: NodeId) -> Option<PeerId> {
    let key = ed25519::PublicKey::try_from_bytes(&node.0).ok()?;
    Some(PublicKey::from(key).to_peer_id())
}

/// The node of a libp2p name; none if its key is not an Ed25519 key.
pub(crate) fn node_of(peer: &PeerId) -> Option<NodeId> {
    let hash = peer.as_ref();
    if hash.code() != IDENTITY_HASH {
        return None;
    }
    let key = PublicKey::try_decode_protobuf(hash.digest()).ok()?;
    Some(NodeId(key.try_into_ed25519().ok()?.to_bytes()))
}

/// The multiaddr that `address` stands for, without the peer at its end; none if it is not one.
pub(crate) fn multiaddr_of(address: &str) -> Option<Multiaddr> {
    address.parse().ok().map(without_peer)
}

/// `address` for the core; none if it is longer than the core carries.
pub(crate) fn address_of(address: &Multiaddr) -> Option<TransportAddress> {
    TransportAddress::new(without_peer(address.clone()).to_string()).ok()
}

/// `address` for the core, cut at what the core carries: for display only.
pub(crate) fn shown_address(address: &Multiaddr) -> TransportAddress {
    address_of(address).unwrap_or_else(|| {
        let text: String =
            address.to_string().chars().filter(char::is_ascii).take(ADDRESS_BYTES_MAX).collect();
        TransportAddress::new(text).expect("cut to the limit")
    })
}

fn without_peer(mut address: Multiaddr) -> Multiaddr {
    if matches!(address.iter().last(), Some(Protocol::P2p(_))) {
        address.pop();
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_and_peer_are_the_same_key() {
        let secret = SecretKey::from_bytes([7; 32]);
        let node = NodeId(secret.public());
        let peer = keypair(&secret).public().to_peer_id();
        assert_eq!(peer_of(node), Some(peer));
        assert_eq!(node_of(&peer), Some(node));
    }

    #[test]
    fn other_keys_are_no_nodes() {
        // A peer id of a long key is a SHA-256 hash: there is no key in it.
        let rsa: PeerId = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N".parse().expect("valid");
        assert_eq!(node_of(&rsa), None);
        // Half of all byte strings are no point of the curve.
        assert!((0..=u8::MAX).any(|byte| peer_of(NodeId([byte; 32])).is_none()));
    }

    #[test]
    fn the_peer_at_the_end_is_left_out() {
        let text = "/ip4/192.0.2.1/udp/4001/quic-v1";
        let peer = peer_of(NodeId(SecretKey::from_bytes([7; 32]).public())).expect("on the curve");
        let address = multiaddr_of(&format!("{text}/p2p/{peer}")).expect("valid");
        assert_eq!(address_of(&address).expect("short").as_str(), text);
        assert_eq!(multiaddr_of("192.0.2.1:4001"), None);
    }
}
