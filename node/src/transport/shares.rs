//! A share of the connections that are no links yet for each address, so that nobody takes all
//! places by opening connections and saying nothing, or little (catalogue 19).
//!
//! An address may hold a part of what is free, not a part of all: the more addresses hold theirs,
//! the less each may (dynamic thresholds, Choudhury and Hahne 1998). So once those who had more have
//! lost it by their own silence, a place is left for who has none yet, until there are about as
//! many addresses as places.

use super::address::shown_address;
use super::knocks::Knocks;
use super::limits::{INBOUND_PART_OF_FREE, INBOUND_PER_SECOND, INBOUND_UNLINKED_MAX};
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::dummy::ConnectionHandler;
use libp2p::swarm::{
    ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, ListenFailure, NetworkBehaviour,
    THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use overlay_proto::io::Remote;
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::task::{Context, Poll};
use std::time::Instant;

/// There is no place for one more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoPlace {
    /// The address comes too often.
    #[error("this address opens more than {INBOUND_PER_SECOND} connections a second")]
    TooOften,
    /// The address has its share.
    #[error("connections of this address that are no links yet have their share")]
    OfAddress,
    /// All of them together are as many as may be.
    #[error("{INBOUND_UNLINKED_MAX} connections are no links yet")]
    Full,
}

/// Counts the inbound connections of each remote until they are links.
#[derive(Debug, Default)]
pub(crate) struct Shares {
    /// Without a remote: from this machine itself.
    unlinked: HashMap<ConnectionId, Option<Remote>>,
    of: BTreeMap<Remote, usize>,
    knocks: Knocks,
}

impl Shares {
    /// The connection is a link now, or gone.
    pub(crate) fn give_back(&mut self, connection: ConnectionId) {
        let Some(Some(remote)) = self.unlinked.remove(&connection) else { return };
        if let Some(count) = self.of.get_mut(&remote) {
            *count -= 1;
            if *count == 0 {
                self.of.remove(&remote);
            }
        }
    }

    fn take(&mut self, connection: ConnectionId, remote: Option<Remote>) -> Result<(), NoPlace> {
        let free = INBOUND_UNLINKED_MAX.saturating_sub(self.unlinked.len());
        if free == 0 {
            return Err(NoPlace::Full);
        }
        // This machine itself is trusted with its own places.
        if let Some(remote) = remote {
            if !self.knocks.may(remote, Instant::now()) {
                return Err(NoPlace::TooOften);
            }
            let count = self.of.entry(remote).or_default();
            if *count * INBOUND_PART_OF_FREE >= free {
                if *count == 0 {
                    self.of.remove(&remote);
                }
                return Err(NoPlace::OfAddress);
            }
            *count += 1;
        }
        self.unlinked.insert(connection, remote);
        Ok(())
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
        let remote = Remote::of(&shown_address(remote));
        self.take(connection, remote).map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
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
        match event {
            // Also of those that another behaviour has refused after they were counted here.
            FromSwarm::ListenFailure(ListenFailure { connection_id, .. })
            | FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. }) => {
                self.give_back(connection_id);
            }
            _ => {}
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

    /// Connections that knock one after the other.
    #[derive(Default)]
    struct Door {
        shares: Shares,
        last: usize,
    }

    impl Door {
        fn knock(&mut self, from: &str) -> Option<ConnectionId> {
            self.last += 1;
            let connection = ConnectionId::new_unchecked(self.last);
            let address = |text: &str| text.parse::<Multiaddr>().expect("valid");
            let (here, from) = (address("/ip4/10.0.0.1/tcp/1"), address(from));
            let knocked = self.shares.handle_pending_inbound_connection(connection, &here, &from);
            knocked.is_ok().then_some(connection)
        }

        /// Takes all that one gets.
        fn fill(&mut self, from: impl Fn(usize) -> String) -> Vec<ConnectionId> {
            (1..).map_while(|n| self.knock(&from(n))).collect()
        }

        fn empty(&mut self) {
            for connection in self.shares.unlinked.keys().copied().collect::<Vec<_>>() {
                self.shares.give_back(connection);
            }
            assert!(self.shares.of.is_empty(), "nothing is kept of who has gone");
        }
    }

    #[test]
    fn each_address_has_a_share_and_gets_it_back() {
        let mut door = Door::default();
        let taken = door.fill(|port| format!("/ip6/2001:db8::{port:x}/tcp/1"));
        assert!((50..=64).contains(&taken.len()), "{}", taken.len());
        assert_eq!(door.knock("/ip6/2001:db8::ffff/udp/1/quic-v1"), None);
        assert!(door.knock("/ip6/2001:db8:0:1::1/tcp/1").is_some(), "another /64");
        assert!(door.knock("/ip4/192.0.2.1/tcp/1").is_some());
        door.shares.give_back(taken[0]);
        door.shares.give_back(taken[0]);
        assert!(door.knock("/ip6/2001:db8::1/tcp/1").is_some());
        assert_eq!(door.knock("/ip6/2001:db8::1/tcp/1"), None, "one place only");
        door.empty();
    }

    #[test]
    fn hundreds_of_silent_addresses_leave_a_place_for_one_more() {
        let mut door = Door::default();
        // They come in turns: who had more has lost it when its patience was over.
        for n in (0..64).flat_map(|_| 0..500) {
            door.knock(&format!("/ip4/10.1.{}.{}/tcp/1", n / 250, n % 250));
        }
        assert!(door.shares.unlinked.len() > INBOUND_UNLINKED_MAX * 9 / 10);
        assert!(door.knock("/ip4/192.0.2.1/tcp/1").is_some());
        // This machine has no share, but there is an end.
        let own = door.fill(|_| "/ip4/127.0.0.1/tcp/1".to_owned());
        assert_eq!(door.shares.unlinked.len(), INBOUND_UNLINKED_MAX);
        assert!(!own.is_empty());
        door.empty();
    }
}
