//! The task that owns the swarm: takes orders, tells what comes of them.

use super::address::{multiaddr_of, node_of, peer_of, shown_address};
use super::limits::LINKLESS_PATIENCE;
use super::link::Link;
use super::link_behaviour::LinkEvent;
use super::listen::{Announced, quic_socket, released};
use super::outbox::Outbox;
use super::queued::Queued;
use super::resolve::{is_named, resolve};
use super::swarm::{Behaviour, BehaviourEvent};
use super::tally::Tally;
use super::{Arrival, Arrivals, Order};
use crate::capture::Capture;
use crate::seldom::Seldom;
use futures::StreamExt;
use libp2p::core::ConnectedPoint;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, ListenError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Stream, Swarm};
use overlay_proto::id::{DialId, LinkId, NodeId};
use overlay_proto::wire::TransportAddress;
use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU8;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, error, info};

/// Addresses of one dial are tried one after the other, so that the first that works wins.
const ONE_BY_ONE: NonZeroU8 = NonZeroU8::MIN;

/// The swarm and what is under way in it.
pub(crate) struct SwarmTask {
    swarm: Swarm<Behaviour>,
    announced: Announced,
    /// The links' tasks, each of which ends with the connection to be closed. They go with the
    /// swarm: a QUIC stream would keep its connection alive without it.
    links: JoinSet<ConnectionId>,
    /// Dials whose hosts' names are being looked up.
    lookups: JoinSet<Resolved>,
    arrivals: Arrivals,
    tally: Arc<Tally>,
    capture: Option<Arc<Capture>>,
    /// Dials without a connection yet.
    dials: HashMap<ConnectionId, DialId>,
    /// Connections without a substream yet.
    linkless: HashMap<ConnectionId, Linkless>,
    /// When each that was linkless has to be a link, in this order.
    due: VecDeque<(Instant, ConnectionId)>,
    refusals: Seldom,
    /// What waits on all links.
    queued: Arc<Queued>,
    last_link: u64,
}

/// A connection that is to become a link.
struct Linkless {
    node: NodeId,
    remote: TransportAddress,
    dial: Option<DialId>,
}

/// A dial whose addresses have no names any more.
struct Resolved {
    dial: DialId,
    peer: PeerId,
    addresses: Vec<Multiaddr>,
}

/// The loop is gone, so there is nothing left to do.
struct LoopGone;

impl SwarmTask {
    pub(crate) fn new(
        swarm: Swarm<Behaviour>,
        announced: Announced,
        arrivals: Arrivals,
        tally: Arc<Tally>,
        capture: Option<Arc<Capture>>,
    ) -> SwarmTask {
        SwarmTask {
            swarm,
            announced,
            links: JoinSet::new(),
            lookups: JoinSet::new(),
            arrivals,
            tally,
            capture,
            dials: HashMap::new(),
            linkless: HashMap::new(),
            due: VecDeque::new(),
            refusals: Seldom::default(),
            queued: Arc::default(),
            last_link: 0,
        }
    }

    /// Runs until it is told to end or the loop is gone. Then all connections are dropped. `early`
    /// is what the swarm has said before.
    pub(crate) async fn run(
        mut self,
        early: Vec<SwarmEvent<BehaviourEvent>>,
        mut orders: mpsc::UnboundedReceiver<Order>,
    ) {
        for event in early {
            if let Err(LoopGone) = self.on_event(event).await {
                return;
            }
        }
        loop {
            let due = self.due.front().map(|(at, _)| *at);
            let outcome = tokio::select! {
                biased;
                order = orders.recv() => match order {
                    Some(Order::Dial { dial, node, addresses }) => {
                        self.dial(dial, node, &addresses).await
                    }
                    Some(Order::End(done)) => return self.end(done).await,
                    None => return,
                },
                // A lookup does not panic, and if it did the core would give up by itself.
                Some(Ok(resolved)) = self.lookups.join_next() => self.dial_resolved(resolved).await,
                Some(ended) = self.links.join_next() => {
                    match ended {
                        Ok(connection) => drop(self.swarm.close_connection(connection)),
                        Err(error) => error!(%error, "a link's task has failed"),
                    }
                    Ok(())
                }
                event = self.swarm.select_next_some() => self.on_event(event).await,
                () = until(due) => {
                    self.close_overdue();
                    Ok(())
                }
            };
            if let Err(LoopGone) = outcome {
                return;
            }
        }
    }

    /// Says goodbye on all connections, so that the other ends need not wait for a timeout.
    async fn end(mut self, done: oneshot::Sender<()>) {
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let closed = async {
            while self.swarm.connected_peers().next().is_some() {
                let _ = self.swarm.select_next_some().await;
            }
        };
        let _ = tokio::time::timeout(super::limits::HANG_UP_PATIENCE, closed).await;
        if let Some(capture) = &self.capture {
            capture.flush();
        }
        let port = quic_socket(&self.swarm);
        drop(self);
        if let Some(socket) = port {
            released(socket).await;
        }
        let _ = done.send(());
    }

    async fn dial(
        &mut self,
        dial: DialId,
        node: NodeId,
        addresses: &[TransportAddress],
    ) -> Result<(), LoopGone> {
        let addresses: Vec<_> =
            addresses.iter().filter_map(|address| multiaddr_of(address.as_str())).collect();
        let Some(peer) = peer_of(node) else {
            info!(?node, "not dialled: its id is not an Ed25519 key");
            return self.failed(dial).await;
        };
        let resolved = Resolved { dial, peer, addresses };
        if !resolved.addresses.iter().any(is_named) {
            return self.dial_resolved(resolved).await;
        }
        self.lookups.spawn(async move {
            let addresses = resolve(resolved.addresses).await;
            Resolved { addresses, ..resolved }
        });
        Ok(())
    }

    async fn dial_resolved(&mut self, resolved: Resolved) -> Result<(), LoopGone> {
        let Resolved { dial, peer, addresses } = resolved;
        let options = DialOpts::peer_id(peer)
            .condition(PeerCondition::Always)
            .override_dial_concurrency_factor(ONE_BY_ONE)
            .addresses(addresses)
            .build();
        let connection = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => {
                self.dials.insert(connection, dial);
                Ok(())
            }
            Err(error) => {
                debug!(%peer, %error, "not dialled");
                self.failed(dial).await
            }
        }
    }

    async fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) -> Result<(), LoopGone> {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Link(event)) => self.on_link(event).await,
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_established(peer_id, connection_id, &endpoint);
                Ok(())
            }
            SwarmEvent::ConnectionClosed { connection_id, cause, .. } => {
                Tally::less(&self.tally.connections);
                let linkless = self.linkless.remove(&connection_id);
                let Some(Linkless { node, dial, .. }) = linkless else { return Ok(()) };
                debug!(?node, ?cause, "connection closed before it was a link");
                match dial {
                    Some(dial) => self.failed(dial).await,
                    None => Ok(()),
                }
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                debug!(%error, "dial failed");
                match self.dials.remove(&connection_id) {
                    Some(dial) => self.failed(dial).await,
                    None => Ok(()),
                }
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                self.on_refused(&send_back_addr, &error);
                Ok(())
            }
            SwarmEvent::NewListenAddr { .. } | SwarmEvent::ExpiredListenAddr { .. } => {
                self.on_interfaces().await
            }
            SwarmEvent::ListenerClosed { addresses, reason, .. } => {
                info!(?addresses, ?reason, "listener closed");
                self.on_interfaces().await
            }
            _ => Ok(()),
        }
    }

    fn on_established(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        endpoint: &ConnectedPoint,
    ) {
        Tally::add(&self.tally.connections, 1);
        // Others have been denied by the behaviour.
        let Some(node) = node_of(&peer) else { return };
        Tally::add(&self.tally.handshakes, 1);
        let remote = shown_address(endpoint.get_remote_address());
        let dial = self.dials.remove(&connection);
        self.linkless.insert(connection, Linkless { node, remote, dial });
        self.due.push_back((Instant::now() + LINKLESS_PATIENCE, connection));
    }

    /// libp2p's own timer does not run as long as something is being agreed on.
    fn close_overdue(&mut self) {
        let now = Instant::now();
        while let Some((_, connection)) = self.due.front().copied().filter(|(at, _)| *at <= now) {
            self.due.pop_front();
            if let Some(Linkless { node, remote, .. }) = self.linkless.get(&connection) {
                debug!(?node, %remote, "closed: not a link in time");
                Tally::add(&self.tally.connections_idle, 1);
                // The failure of a dial is told when the connection is closed.
                self.swarm.close_connection(connection);
            }
        }
    }

    fn on_refused(&mut self, remote: &Multiaddr, error: &ListenError) {
        let counter = match error {
            ListenError::Denied { .. } => &self.tally.connections_refused,
            _ => &self.tally.handshakes_failed,
        };
        Tally::add(counter, 1);
        if let Some(left_out) = self.refusals.line(Instant::now()) {
            info!(%remote, %error, left_out, "inbound connection refused");
        }
    }

    async fn on_link(&mut self, event: LinkEvent) -> Result<(), LoopGone> {
        match event {
            LinkEvent::Ready { connection, stream } => {
                let Some(linkless) = self.linkless.remove(&connection) else { return Ok(()) };
                self.swarm.behaviour_mut().shares.give_back(connection);
                self.link_up(connection, linkless, stream).await
            }
            LinkEvent::Failed { connection, reason } => {
                debug!(%reason, "no substream agreed on");
                // The failure of the dial is told when the connection is closed.
                self.swarm.close_connection(connection);
                Ok(())
            }
        }
    }

    async fn link_up(
        &mut self,
        connection: ConnectionId,
        linkless: Linkless,
        stream: Stream,
    ) -> Result<(), LoopGone> {
        let Linkless { node, remote, dial } = linkless;
        self.last_link += 1;
        let id = LinkId(self.last_link);
        debug!(link = id.0, ?node, %remote, dialled = dial.is_some(), "link up");
        let outbox = Arc::new(Outbox::sharing(Arc::clone(&self.queued)));
        if let Some(capture) = &self.capture {
            capture.link_up(id, node, &remote);
        }
        let up = Arrival::Up { link: id, node, remote, dial, outbox: Arc::clone(&outbox) };
        self.tell(up).await?;
        let (arrivals, tally) = (self.arrivals.clone(), Arc::clone(&self.tally));
        let capture = self.capture.clone();
        self.links.spawn(async move {
            Link { id, outbox, arrivals, tally, capture }.run(stream).await;
            connection
        });
        Ok(())
    }

    async fn on_interfaces(&mut self) -> Result<(), LoopGone> {
        if !self.announced.refresh(&self.swarm) {
            return Ok(());
        }
        self.tell(Arrival::Addresses(self.announced.addresses().to_vec())).await
    }

    async fn failed(&mut self, dial: DialId) -> Result<(), LoopGone> {
        Tally::add(&self.tally.dials_failed, 1);
        self.tell(Arrival::DialFailed { dial }).await
    }

    /// Waits while the loop is busy. The loop never waits for this task, so this ends.
    async fn tell(&mut self, arrival: Arrival) -> Result<(), LoopGone> {
        self.arrivals.send(arrival).await.map_err(|_| LoopGone)
    }
}

/// Returns at `due`; never, if there is none.
async fn until(due: Option<Instant>) {
    match due {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
