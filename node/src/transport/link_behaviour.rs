//! One substream a connection: the dialler opens it, the listener takes it, and it is the link.
//!
//! libp2p-stream would do, but it drops inbound streams when its queue is full, cannot say on
//! which connection a stream runs, and keeps an entry of every connection there ever was.

use super::address::node_of;
use super::limits::{LINK_PROTOCOL, SUBSTREAM_PATIENCE};
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::swarm::handler::{ConnectionEvent, FullyNegotiatedInbound, FullyNegotiatedOutbound};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
    NetworkBehaviour, SubstreamProtocol, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::task::{Context, Poll};

const PROTOCOL: StreamProtocol = StreamProtocol::new(LINK_PROTOCOL);

/// What became of a connection.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    /// Both ends have agreed on the substream.
    Ready {
        /// On which connection.
        connection: ConnectionId,
        /// The substream.
        stream: Stream,
    },
    /// There will be none: the connection is of no use.
    Failed {
        /// Which.
        connection: ConnectionId,
        /// Why.
        reason: String,
    },
}

/// The key at the other end is not an Ed25519 key, so it is not a node.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the other end's key is not an Ed25519 key")]
pub(crate) struct NotANode;

/// Makes a link of each connection.
#[derive(Debug, Default)]
pub(crate) struct LinkBehaviour {
    events: VecDeque<LinkEvent>,
}

impl LinkBehaviour {
    fn handler(peer: &PeerId, state: HandlerState) -> Result<LinkHandler, ConnectionDenied> {
        node_of(peer).ok_or_else(|| ConnectionDenied::new(NotANode))?;
        Ok(LinkHandler { state })
    }
}

impl NetworkBehaviour for LinkBehaviour {
    type ConnectionHandler = LinkHandler;
    type ToSwarm = LinkEvent;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<LinkHandler, ConnectionDenied> {
        LinkBehaviour::handler(&peer, HandlerState::Accepting)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<LinkHandler, ConnectionDenied> {
        LinkBehaviour::handler(&peer, HandlerState::ToOpen)
    }

    fn on_swarm_event(&mut self, _: FromSwarm) {}

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        self.events.push_back(match event {
            Ok(stream) => LinkEvent::Ready { connection, stream },
            Err(reason) => LinkEvent::Failed { connection, reason },
        });
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        // The swarm polls again after each handler event, so no waker is needed.
        match self.events.pop_front() {
            Some(event) => Poll::Ready(ToSwarm::GenerateEvent(event)),
            None => Poll::Pending,
        }
    }
}

/// One connection on its way to being a link.
#[derive(Debug)]
pub(crate) struct LinkHandler {
    state: HandlerState,
}

/// How far it is. A connection with a substream counts as busy in libp2p, so none of the states
/// has to keep it alive; one without a substream is closed after
/// [`LINKLESS_PATIENCE`](super::limits::LINKLESS_PATIENCE).
#[derive(Debug)]
enum HandlerState {
    /// We dialled, and have to open the substream.
    ToOpen,
    /// It is being agreed on.
    Opening,
    /// They dialled, and have to open it.
    Accepting,
    /// The outcome is to be told.
    Told(Result<Stream, String>),
    /// All is said. Any other substream is dropped, which resets it.
    Over,
}

impl ConnectionHandler for LinkHandler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Result<Stream, String>;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ()).with_timeout(SUBSTREAM_PATIENCE)
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Self::ToBehaviour>> {
        // State changes come from the connection, which polls again afterwards: no waker needed.
        match std::mem::replace(&mut self.state, HandlerState::Over) {
            HandlerState::ToOpen => {
                self.state = HandlerState::Opening;
                let protocol = self.listen_protocol();
                Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol })
            }
            HandlerState::Told(outcome) => {
                Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(outcome))
            }
            state => {
                self.state = state;
                Poll::Pending
            }
        }
    }

    fn on_behaviour_event(&mut self, event: Infallible) {
        match event {}
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<Self::InboundProtocol, Self::OutboundProtocol>,
    ) {
        let outcome = match (event, &self.state) {
            (
                ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                    protocol, ..
                }),
                HandlerState::Accepting,
            )
            | (
                ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                    protocol, ..
                }),
                HandlerState::Opening,
            ) => Ok(protocol),
            (ConnectionEvent::DialUpgradeError(error), HandlerState::Opening) => {
                Err(error.error.to_string())
            }
            _ => return,
        };
        self.state = HandlerState::Told(outcome);
    }
}
