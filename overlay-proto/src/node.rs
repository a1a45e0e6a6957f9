//! The one door: a node with its roles.

use crate::config::Config;
use crate::context::Context;
use crate::coordinates::Labels;
use crate::footprint::Heap;
use crate::forward::Near;
use crate::id::{LinkId, NodeId, Nonce};
use crate::identity::{Contact, Identity, RevocationList};
use crate::io::{Command, Deadline, DeviceEntry, Event, Input, Output, Reply};
use crate::links::{self, Arrival};
use crate::mail::{MessageView, VaultAnswer};
use crate::name::Name;
use crate::peer::Peer;
use crate::status::Status;
use crate::supernode::Supernode;
use crate::time::{Time, WallTime};
use crate::view::{
    ChildView, CorrespondentView, HeldView, IssuedView, NeighbourView, PeerView, PlaceView,
    SupernodeView,
};
use crate::wire::message::{HOMES_BY_DISTANCE, Hello, Unsupported};
use crate::wire::{DecodeError, Frame, Message, codec};
use std::sync::Arc;

/// What a node is made of.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Limits and intervals.
    pub config: Arc<Config>,
    /// Keys and certificates. A supernode's certificate makes it a supernode; a user, or the lack
    /// of that certificate, makes it a peer.
    pub identity: Arc<Identity>,
    /// Supernodes to begin with: from an invitation or the host cache.
    pub hosts: Vec<Contact>,
    /// All randomness of the node comes from here.
    pub seed: [u8; 32],
    /// The wall clock now.
    pub wall: WallTime,
}

/// One node: the peer role, the supernode role or both, behind one door.
///
/// Methods come in three kinds. [`handle_input`](Node::handle_input) takes everything that happens
/// to the node. [`poll_output`](Node::poll_output) gives what it wants done and must be drained
/// to `None` after each input; [`poll_timeout`](Node::poll_timeout) then says when to come back
/// with [`Input::Tick`]. The views read and change nothing. Time never runs backwards: an input
/// with an older `now` is taken as of the newest seen.
#[derive(Debug)]
pub struct Node {
    pub(crate) cx: Context,
    pub(crate) peer: Option<Box<Peer>>,
    pub(crate) supernode: Option<Box<Supernode>>,
}

/// Why a frame was not taken. Nothing has changed then.
#[derive(Debug, Clone, Copy)]
enum Refusal {
    /// A message of a later version: its sender is told, and the link stands.
    Unknown(u8),
    /// The link ends with this status.
    Fatal(Status),
}

impl Node {
    /// A node that has just started, at `now`.
    pub fn new(setup: Setup, now: Time) -> Node {
        let Setup { config, identity, hosts, seed, wall } = setup;
        let is_supernode = identity.supernode.is_some();
        let is_peer = !is_supernode || identity.user.is_some();
        let mut cx = Context::new(config, identity, seed, now, wall);
        let peer = is_peer.then(|| Box::new(Peer::new(&hosts)));
        let supernode = is_supernode.then(|| Box::new(Supernode::new(&mut cx, &hosts)));
        Node { cx, peer, supernode }
    }

    /// The node id.
    pub fn id(&self) -> NodeId {
        self.cx.me
    }

    /// Takes one input at `now`.
    pub fn handle_input(&mut self, now: Time, input: Input) {
        #[cfg(feature = "seeded-bugs")]
        crate::seeded::sow(self.cx.config.seeded_bug);
        self.cx.now = self.cx.now.max(now);
        match input {
            Input::LinkUp { link, node, remote, dial } => {
                let arrival =
                    links::arrive(&mut self.cx, link, node, remote, dial.is_some(), greeting);
                if let Arrival::Taken { replaced: Some(old) } = arrival {
                    self.link_down(old);
                }
            }
            Input::LinkDown { link } => self.link_down(link),
            Input::Received { link, frame } => self.received(link, frame),
            Input::DialFailed { dial } => {
                if let Some(peer) = &mut self.peer {
                    peer.on_dial_failed(&mut self.cx, dial);
                }
                if let Some(supernode) = &mut self.supernode {
                    supernode.on_dial_failed(&mut self.cx, dial);
                }
            }
            Input::Listening(addresses) => {
                self.cx.listening = addresses;
                self.cx.listening.truncate(crate::config::ADDRESSES_MAX);
            }
            Input::Stored { id, answer } => {
                if let Some(supernode) = &mut self.supernode {
                    supernode.on_stored(&mut self.cx, id, answer);
                }
                if let Some(peer) = &mut self.peer {
                    peer.on_stored(&mut self.cx, id, answer);
                }
            }
            Input::Command { id, command } => self.command(id, command),
            Input::Revocations(lists) => {
                if let Some(supernode) = &mut self.supernode {
                    supernode.recall_revocations(&mut self.cx, lists);
                } else if let Some(peer) = &mut self.peer {
                    peer.recall_revocations(&mut self.cx, lists);
                }
            }
            Input::Devices(list) => {
                if let Some(peer) = &mut self.peer {
                    peer.recall_devices(list);
                }
            }
            Input::Capacity { logins_per_second } => {
                if let Some(supernode) = &mut self.supernode {
                    supernode.on_capacity(logins_per_second);
                }
            }
            Input::Records(kept) => {
                if let Some(supernode) = &mut self.supernode {
                    supernode.recall_mailbox(&self.cx, &kept);
                }
                if let Some(peer) = &mut self.peer {
                    peer.recall_post(&mut self.cx, kept);
                }
            }
            Input::Vaulted { id, answer } => self.vaulted(id, answer),
            Input::Datagram { to, class, bytes } => {
                if let Some(peer) = &mut self.peer {
                    peer.send_datagram(&mut self.cx, to, class, &bytes);
                }
            }
            Input::WallClock(wall) => self.cx.set_wall(wall),
            Input::Tick => self.tick(),
        }
    }

    fn vaulted(&mut self, id: crate::id::StoreId, answer: VaultAnswer) {
        if let Some(supernode) = &mut self.supernode
            && supernode.on_box_kept(&mut self.cx, id, &answer)
        {
            return;
        }
        if let Some(peer) = &mut self.peer {
            peer.on_vaulted(&mut self.cx, id, answer);
        }
    }

    /// The next thing for the driver to do. To be drained to `None` after each input.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.cx.pop_output()
    }

    /// The log-ins that this supernode has admitted since its start; none if it is not one.
    #[must_use]
    pub fn logins(&self) -> u64 {
        self.supernode.as_ref().map_or(0, |supernode| supernode.logins())
    }

    /// When the next [`Input::Tick`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        let links = Deadline { at: links::next_tick(&self.cx), reason: "links" };
        let peer = self.peer.as_ref().map(|peer| Deadline { at: peer.wake_at(), reason: "peer" });
        let supernode =
            self.supernode.as_ref().map(|s| Deadline { at: s.wake_at(), reason: "supernode" });
        let all = [Some(links), peer, supernode];
        all.into_iter().flatten().min_by_key(|d| d.at).filter(|d| d.at != Time::NEVER)
    }

    fn tick(&mut self) {
        for (link, status) in links::tick(&mut self.cx) {
            links::dismiss(&mut self.cx, link, status);
            // The other end may be unable to say that it is gone.
            self.link_down(link);
        }
        if let Some(peer) = &mut self.peer {
            peer.tick(&mut self.cx);
        }
        if let Some(supernode) = &mut self.supernode {
            supernode.tick(&mut self.cx);
        }
    }

    fn command(&mut self, id: crate::id::CommandId, command: Command) {
        match (&mut self.peer, &mut self.supernode, command) {
            (_, Some(supernode), Command::Revoke { outcast }) => {
                supernode.on_revoke_command(&mut self.cx, id, outcast);
            }
            (_, Some(supernode), Command::Drain) => supernode.on_drain(&mut self.cx, id),
            (Some(peer), _, command) => peer.on_command(&mut self.cx, id, command),
            (None, ..) => {
                let reply = Reply::Failed { status: Status::WRONG_ROLE };
                self.cx.emit(Output::Reply { id, reply });
            }
        }
    }

    fn link_down(&mut self, link: LinkId) {
        let Some(gone) = self.cx.links.remove(link) else { return };
        if let Some(peer) = &mut self.peer {
            peer.on_link_down(&mut self.cx, link, gone.node);
        }
        if let Some(supernode) = &mut self.supernode {
            supernode.on_link_down(&mut self.cx, link, gone.node);
        }
    }

    fn received(&mut self, link: LinkId, frame: Vec<u8>) {
        let Some(node) = self.cx.links.node_of(link) else { return };
        let greeted = self.cx.links.greeted(link).is_some();
        let outcome = if greeted {
            self.take_frame(link, frame)
        } else {
            self.take_greeting(link, node, &frame).map_err(Refusal::Fatal)
        };
        match outcome {
            Ok(()) => links::heard(&mut self.cx, link),
            Err(Refusal::Unknown(number)) => {
                self.cx.send(link, Unsupported { number, status: Status::NOT_SERVED });
            }
            Err(Refusal::Fatal(status)) => {
                links::dismiss(&mut self.cx, link, status);
                self.cx.event(Event::Refused { node, status });
            }
        }
    }

    /// The first frame on a link can only be a greeting.
    fn take_greeting(&mut self, link: LinkId, node: NodeId, frame: &[u8]) -> Result<(), Status> {
        let message = crate::wire::codec::decode_message(frame).map_err(|_| Status::MALFORMED)?;
        match message {
            Message::Hello(hello) => links::greet(&mut self.cx, link, &hello, frame)?,
            Message::Goodbye(goodbye) => {
                self.take_goodbye(link, goodbye.status);
                return Ok(());
            }
            _ => return Err(Status::MALFORMED),
        }
        if let Some(peer) = &mut self.peer {
            peer.on_ready(&mut self.cx, link, node);
        }
        if let Some(supernode) = &mut self.supernode {
            supernode.on_ready(&mut self.cx, link, node);
        }
        Ok(())
    }

    fn take_goodbye(&mut self, link: LinkId, status: Status) {
        if let (Some(peer), Some(node)) = (&mut self.peer, self.cx.links.node_of(link)) {
            peer.on_goodbye(node, status);
        }
        self.cx.hang_up(link);
    }

    fn take_frame(&mut self, link: LinkId, frame: Vec<u8>) -> Result<(), Refusal> {
        let news = codec::tells_news(&frame).then(|| links::News::of(&frame));
        self.take_decoded(link, Frame::decode(frame))?;
        if let Some(news) = news {
            news.heard(&mut self.cx, link);
        }
        Ok(())
    }

    fn take_decoded(
        &mut self,
        link: LinkId,
        frame: Result<Frame, DecodeError>,
    ) -> Result<(), Refusal> {
        match frame {
            Ok(Frame::Packet(packet)) => match (&mut self.peer, &mut self.supernode) {
                (_, Some(supernode)) if packet.is_escalated() => {
                    supernode.on_packet(&mut self.cx, link, packet)
                }
                (Some(peer), _) => peer.on_packet(&mut self.cx, link, packet),
                (None, _) => Err(Status::FORBIDDEN),
            },
            Ok(Frame::Message(Message::KeepAlive(message))) => {
                let news = links::keep_alive(&mut self.cx, link, &message);
                if let Some(peer) = &mut self.peer {
                    if news.changed {
                        peer.on_link_cost(&mut self.cx, link);
                    }
                    if news.measured {
                        peer.survey_goes_on(&mut self.cx);
                    }
                }
                Ok(())
            }
            Ok(Frame::Message(Message::Goodbye(goodbye))) => {
                self.take_goodbye(link, goodbye.status);
                Ok(())
            }
            Ok(Frame::Message(Message::Resync(message))) => {
                if links::begin_anew(&mut self.cx, link, &message) {
                    self.tell_all(link);
                }
                Ok(())
            }
            Ok(Frame::Message(Message::Hello(_))) => Err(Status::MALFORMED),
            Ok(Frame::Message(message)) => self.take_message(link, message),
            Err(DecodeError::UnknownMessage(number)) => return Err(Refusal::Unknown(number)),
            Err(_) => Err(Status::MALFORMED),
        }
        .map_err(Refusal::Fatal)
    }

    /// What the other end keeps of what we have told is not what we have told.
    fn tell_all(&mut self, link: LinkId) {
        if let Some(peer) = &mut self.peer {
            peer.tell_all(&mut self.cx, link);
        }
        if let Some(supernode) = &mut self.supernode {
            supernode.tell_all(&mut self.cx, link);
        }
    }

    /// Each message belongs to one role; the answer to a look-up goes to whoever has asked.
    fn take_message(&mut self, link: LinkId, message: Message) -> Result<(), Status> {
        let for_peer = matches!(
            message,
            Message::Assign(_)
                | Message::Standbys(_)
                | Message::Placed(_)
                | Message::Neighbourhood(_)
                | Message::LoginReply(_)
                | Message::RegisterReply(_)
                | Message::EnrollReply(_)
                | Message::LookupReply(_)
                | Message::RegistrarReply(_)
                | Message::JoinDevice(_)
                | Message::JoinDeviceReply(_)
                | Message::MailKeysReply(_)
                | Message::DepositReply(_)
                | Message::Letters(_)
                | Message::LettersWait(_)
        );
        if let (Some(peer), true) = (&mut self.peer, for_peer) {
            let Some(supernode) = &mut self.supernode else {
                return peer.on_message(&mut self.cx, link, message);
            };
            peer.on_message(&mut self.cx, link, message.clone())?;
            return supernode.on_message(&mut self.cx, link, message);
        }
        match &mut self.supernode {
            Some(supernode) => supernode.on_message(&mut self.cx, link, message),
            None => match &mut self.peer {
                Some(peer) => peer.on_message(&mut self.cx, link, message),
                None => Ok(()),
            },
        }
    }

    /// Its keys, for tests that abuse them.
    #[cfg(test)]
    pub(crate) fn clone_identity(&self) -> Arc<Identity> {
        self.cx.identity.clone()
    }

    /// A hash over all that the node knows. Equal before and after an input that was refused.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        // Formatting reaches every field and nothing here has an order of its own.
        let _ = std::io::Write::write_fmt(&mut hasher, format_args!("{self:?}"));
        *hasher.finalize().as_bytes()
    }

    /// The peer role at a glance, if the node has it.
    pub fn peer_view(&self) -> Option<PeerView> {
        self.peer.as_ref().map(|peer| peer.view(&self.cx))
    }

    /// The peer's live neighbours as [`forward::decide`](crate::forward::decide) sees them, to walk
    /// a network without moving it.
    pub fn routes(&self) -> impl Iterator<Item = Near<'_>> + Clone {
        self.peer.iter().flat_map(|peer| peer.routes())
    }

    /// The peer's labels as its home issued them last; `None` before the first time.
    pub fn labels(&self) -> Option<&Labels> {
        self.peer.as_ref().and_then(|peer| peer.labels())
    }

    /// Bytes of memory that the peer role keeps between inputs, with its links: the room that its
    /// containers have, by the size of what they hold. Without keys and configuration, and without
    /// what the allocator adds. `None` for a node without the role.
    pub fn state_bytes(&self) -> Option<usize> {
        let peer = self.peer.as_ref()?;
        Some(size_of::<Node>() + self.cx.heap() + size_of::<Peer>() + peer.heap())
    }

    /// The peer's neighbours, in slot order.
    pub fn neighbour_views(&self) -> Vec<NeighbourView> {
        self.peer.as_ref().map(|peer| peer.neighbour_views(&self.cx)).unwrap_or_default()
    }

    /// The peer's place and what it believes of those around it, if the node has the role.
    pub fn place(&self) -> Option<PlaceView> {
        self.peer.as_ref().map(|peer| peer.place_view(&self.cx))
    }

    /// The place that its home issued last, if the node is a peer.
    pub fn issued(&self) -> Option<IssuedView> {
        self.peer.as_ref()?.issued()
    }

    /// The user of a device with which this peer exchanges datagrams, by certificate.
    pub fn correspondent(&self, node: NodeId) -> Option<Name> {
        self.peer.as_ref()?.correspondent(node)
    }

    /// The devices with which this peer exchanges datagrams, by node id.
    pub fn correspondent_views(&self) -> Vec<CorrespondentView> {
        self.peer.as_ref().map(|peer| peer.correspondent_views(&self.cx)).unwrap_or_default()
    }

    /// The supernode role at a glance, if the node has it.
    pub fn supernode_view(&self) -> Option<SupernodeView> {
        self.supernode.as_ref().map(|supernode| supernode.view(&self.cx))
    }

    /// The other supernodes that count for this one, and the number of each one's record, by node id.
    pub fn members(&self) -> impl Iterator<Item = (NodeId, u64)> {
        self.supernode.iter().flat_map(|supernode| supernode.counted())
    }

    /// What the supernode role holds of the realm's soft state, if the node has it.
    pub fn held(&self) -> Option<HeldView> {
        self.supernode.as_ref().map(|supernode| supernode.held(&self.cx))
    }

    /// The newest list of each signer, of those who are out, as this node knows them.
    pub fn revocations(&self) -> Vec<Arc<RevocationList>> {
        self.cx.revoked.lists().cloned().collect()
    }

    /// The devices that this one has let in, in the order in which it did.
    pub fn devices(&self) -> Vec<DeviceEntry> {
        self.peer.as_ref().map(|peer| peer.devices()).unwrap_or_default()
    }

    /// The messages that this peer has written, oldest first: those under way, and the newest of
    /// those that have ended.
    pub fn messages(&self) -> Vec<MessageView> {
        self.peer.as_ref().map(|peer| peer.messages()).unwrap_or_default()
    }

    /// The supernode's peers, by node id.
    pub fn child_views(&self) -> Vec<ChildView> {
        self.supernode.as_ref().map(|supernode| supernode.child_views(&self.cx)).unwrap_or_default()
    }
}

fn greeting(cx: &mut Context, nonce: Nonce) -> Hello {
    let supernode = cx.identity.supernode.is_some();
    Hello {
        version_min: crate::config::PROTOCOL_VERSION_MIN,
        version_max: crate::config::PROTOCOL_VERSION,
        capabilities: if supernode && cx.config.near > 0 { HOMES_BY_DISTANCE } else { 0 },
        realm: cx.identity.realm,
        nonce,
        observed: None,
        supernode: cx.identity.supernode.as_ref().map(|keys| keys.certificate.clone()),
    }
}
