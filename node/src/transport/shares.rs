//! A share of the pending handshakes for each address, so that nobody takes all places by opening
//! connections and saying nothing (catalogue 19).

use super::address::shown_address;
use super::limits::INBOUND_PENDING_PER_REMOTE_MAX;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::dummy::ConnectionHandler;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, ListenFailure, NetworkBehaviour, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use overlay_proto::io::Remote;
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::task::{Context, Poll};

/// The address has its share already.
#[derive(Debug, thiserror::Error)]
#[error("{INBOUND_PENDING_PER_REMOTE_MAX} handshakes of this address are pending")]
struct ShareTaken;

/// Counts the inbound handshakes of each remote.
#[derive(Debug, Default)]
pub(crate) struct Shares {
    pending: HashMap<ConnectionId, Remote>,
    of: BTreeMap<Remote, u32>,
}

impl Shares {
    fn over(&mut self, connection: ConnectionId) {
        let Some(remote) = self.pending.remove(&connection) else { return };
        if let Some(count) = self.of.get_mut(&remote) {
            *count -= 1;
            if *count == 0 {
                self.of.remove(&remote);
            }
        }
    }
}

impl NetworkBehaviour for Shares {
    type ConnectionHandler = ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        // This machine itself is trusted with its own places.
        let Some(remote) = Remote::of(&shown_address(remote)) else { return Ok(()) };
        let count = self.of.entry(remote).or_default();
        if *count >= INBOUND_PENDING_PER_REMOTE_MAX {
            return Err(ConnectionDenied::new(ShareTaken));
        }
        *count += 1;
        self.pending.insert(connection, remote);
        Ok(())
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.over(connection);
        Ok(ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        // Also of those that another behaviour has refused after they were counted here.
        if let FromSwarm::ListenFailure(ListenFailure { connection_id, .. }) = event {
            self.over(connection_id);
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().expect("valid")
    }

    #[test]
    fn each_address_has_a_share_and_gets_it_back() {
        let mut shares = Shares::default();
        let mut next = 0;
        let mut knock = |shares: &mut Shares, from: &str| {
            next += 1;
            let connection = ConnectionId::new_unchecked(next);
            let (here, from) = (address("/ip4/10.0.0.1/tcp/1"), address(from));
            let knocked = shares.handle_pending_inbound_connection(connection, &here, &from);
            knocked.is_ok().then_some(connection)
        };
        let taken: Vec<ConnectionId> = (0..INBOUND_PENDING_PER_REMOTE_MAX)
            .map(|port| knock(&mut shares, &format!("/ip6/2001:db8::{port:x}/tcp/1")))
            .map(|knocked| knocked.expect("a place of the share"))
            .collect();
        assert_eq!(knock(&mut shares, "/ip6/2001:db8::ffff/udp/1/quic-v1"), None);
        assert!(knock(&mut shares, "/ip6/2001:db8:0:1::1/tcp/1").is_some(), "another /64");
        assert!(knock(&mut shares, "/ip4/192.0.2.1/tcp/1").is_some());
        shares.over(taken[0]);
        shares.over(taken[0]);
        assert!(knock(&mut shares, "/ip6/2001:db8::1/tcp/1").is_some());
        assert_eq!(knock(&mut shares, "/ip6/2001:db8::1/tcp/1"), None, "one place only");
        for connection in shares.pending.keys().copied().collect::<Vec<_>>() {
            shares.over(connection);
        }
        assert!(shares.of.is_empty(), "nothing is kept of who has gone");
    }
}
