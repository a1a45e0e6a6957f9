//! What the owner of a running node holds.

use super::port::Port;
use crate::transport::Counters;
use overlay_proto::Node;
use overlay_proto::id::NodeId;
use overlay_proto::identity::RevocationList;
use overlay_proto::io::{Command, DeviceEntry, Event, Input, Reply};
use overlay_proto::mail::MessageView;
use overlay_proto::name::Name;
use overlay_proto::status::Status;
use overlay_proto::view::{ChildView, CorrespondentView, NeighbourView, PeerView, SupernodeView};
use overlay_proto::wire::TransportAddress;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::timeout;

/// How long a shutdown waits for the log-out to be answered. A home that is gone answers never.
const LOGOUT_PATIENCE: Duration = Duration::from_secs(1);
/// How the core calls the state of a peer that has a session.
const ONLINE: &str = "online";

/// What a handle asks of the loop.
pub(crate) enum Request {
    /// Give this to the core, and its reply to the one who asked.
    Command(Command, oneshot::Sender<Reply>),
    /// Give this to the core.
    Give(Input),
    /// Look at the core.
    Look(Box<dyn FnOnce(&Node) + Send>),
    /// Count.
    Counters(oneshot::Sender<Counters>),
    /// Hang up and end.
    End,
}

/// A running node, for its owner. Cheap to clone. When the last one is dropped, the node ends as
/// with [`Handle::shutdown`], but without a log-out.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) id: NodeId,
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) events: broadcast::WeakSender<Event>,
    pub(super) addresses: watch::Receiver<Vec<TransportAddress>>,
    pub(super) port: Arc<Mutex<Option<Port>>>,
}

impl Handle {
    /// The node id.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// The addresses at which others can dial this node, as announced, best first.
    pub fn addresses(&self) -> Vec<TransportAddress> {
        self.addresses.borrow().clone()
    }

    /// Gives the core a command and waits for its reply. If the node has ended, or ends before it
    /// replies, that is [`Reply::Failed`] with [`Status::INTERNAL`].
    pub async fn command(&self, command: Command) -> Reply {
        let (reply, replied) = oneshot::channel();
        let asked = self.requests.send(Request::Command(command, reply)).await;
        let gone = Reply::Failed { status: Status::INTERNAL };
        if asked.is_err() { gone } else { replied.await.unwrap_or(gone) }
    }

    /// What happens from now on. A receiver that is a thousand events behind misses the oldest.
    /// If the node has ended, the receiver is closed.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        match self.events.upgrade() {
            Some(events) => events.subscribe(),
            None => broadcast::channel(1).1,
        }
    }

    /// The peer role at a glance; none if the node does not have it or has ended.
    pub async fn peer_view(&self) -> Option<PeerView> {
        self.look(Node::peer_view).await.flatten()
    }

    /// The peer's neighbours, in slot order; empty if the node has ended.
    pub async fn neighbour_views(&self) -> Vec<NeighbourView> {
        self.look(Node::neighbour_views).await.unwrap_or_default()
    }

    /// The supernode role at a glance; none if the node does not have it or has ended.
    pub async fn supernode_view(&self) -> Option<SupernodeView> {
        self.look(Node::supernode_view).await.flatten()
    }

    /// Tells the core what was kept at its last end: to be called right after the start.
    pub async fn recall(&self, revocations: Vec<Arc<RevocationList>>, devices: Vec<DeviceEntry>) {
        for kept in [Input::Revocations(revocations), Input::Devices(devices)] {
            // A node that has ended has no use for it.
            let _ = self.requests.send(Request::Give(kept)).await;
        }
    }

    /// Tells the core what its keeper of letters kept at its last end: to be called right after the
    /// start.
    pub async fn recall_letters(&self, kept: Vec<(Vec<u8>, Vec<u8>)>) {
        let _ = self.requests.send(Request::Give(Input::Records(kept))).await;
    }

    /// The messages that this peer has written, oldest first; empty if the node has ended.
    pub async fn messages(&self) -> Vec<MessageView> {
        self.look(Node::messages).await.unwrap_or_default()
    }

    /// The devices that this one has let in; empty if the node has ended.
    pub async fn devices(&self) -> Vec<DeviceEntry> {
        self.look(Node::devices).await.unwrap_or_default()
    }

    /// Who is out, as this node knows; empty if the node has ended.
    pub async fn revocations(&self) -> Vec<Arc<RevocationList>> {
        self.look(Node::revocations).await.unwrap_or_default()
    }

    /// The supernode's peers, by node id; empty if the node has ended.
    pub async fn child_views(&self) -> Vec<ChildView> {
        self.look(Node::child_views).await.unwrap_or_default()
    }

    /// What the links have carried since the start; all zero if the node has ended.
    pub async fn counters(&self) -> Counters {
        let (answer, answered) = oneshot::channel();
        let _ = self.requests.send(Request::Counters(answer)).await;
        answered.await.unwrap_or_default()
    }

    /// Logs out if the peer is on line, hangs up every link once what is queued has left, and ends
    /// the node. Takes about two seconds at most; done at once if it has ended already.
    pub async fn shutdown(&self) {
        let online = self.peer_view().await.is_some_and(|peer| peer.state == ONLINE);
        if online {
            let _ = timeout(LOGOUT_PATIENCE, self.command(Command::Logout)).await;
        }
        if self.requests.send(Request::End).await.is_ok() {
            self.requests.closed().await;
        }
    }

    /// The devices with which this one exchanges datagrams; empty if the node has ended.
    pub async fn correspondent_views(&self) -> Vec<CorrespondentView> {
        self.look(Node::correspondent_views).await.unwrap_or_default()
    }

    /// The user of a device with which this one exchanges datagrams, by certificate.
    pub(crate) async fn correspondent(&self, node: NodeId) -> Option<Name> {
        self.look(move |core| core.correspondent(node)).await.flatten()
    }

    /// Where bare datagrams enter and leave; for the first who asks, who then has them instead of
    /// [`crate::session::Sessions`]. For transports of one's own, and for measuring.
    pub fn take_port(&self) -> Option<Port> {
        self.port.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn look<T: Send + 'static>(
        &self,
        view: impl FnOnce(&Node) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let look = move |node: &Node| {
            // Whoever asked may have gone meanwhile.
            let _ = answer.send(view(node));
        };
        self.requests.send(Request::Look(Box::new(look))).await.ok()?;
        answered.await.ok()
    }
}
