//! A small network for the core's own tests: any nodes, one latency, one queue, no surprises.

pub(crate) mod realm;

#[cfg(test)]
pub(crate) use realm::WALL;
pub(crate) use realm::{Realm, user_name};

use crate::Node;
use crate::id::{CommandId, LinkId, NodeId};
use crate::io::{Command, Datagram, Event, Input, Output, Reply, StoreAnswer, StoreRequest};
use crate::node::Setup;
use crate::time::{Span, Time};
use crate::wire::Message;
use crate::wire::TransportAddress;
use crate::wire::codec::{decode_message, encode};
use crate::wire::packet::{PACKET_MARK, source_of};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

const LATENCY: Span = Span::millis(10);
/// Frames that a tap keeps.
const TAP_MAX: usize = 1_024;

/// A frame that was sent.
#[derive(Debug, Clone)]
pub(crate) struct Tapped {
    pub link: LinkId,
    pub frame: Vec<u8>,
}

/// The network.
pub(crate) struct Net {
    pub now: Time,
    pub nodes: BTreeMap<NodeId, Node>,
    /// Datagrams that came, with where.
    pub datagrams: Vec<(NodeId, Datagram)>,
    pub events: Vec<(NodeId, Event)>,
    pub replies: BTreeMap<CommandId, Reply>,
    /// Messages of this number vanish on their way.
    pub losing: Option<u8>,
    /// Number and length of each message sent.
    pub sent: Vec<(u8, usize)>,
    /// Whether packets are kept back, and those that were.
    pub hold_packets: bool,
    pub held: Vec<Vec<u8>>,
    /// Nothing passes between these nodes and the others.
    pub island: BTreeSet<NodeId>,
    /// Links that carry nothing, not even their end.
    pub mute: BTreeSet<LinkId>,
    /// Nodes that say something else than they mean to.
    pub liars: BTreeMap<NodeId, Lie>,
    /// Whether the registrar's store answers that it has failed.
    pub store_fails: bool,
    /// Nodes whose way to the store is broken.
    pub failing_stores: BTreeSet<NodeId>,
    /// How long the store takes, beside what everything takes.
    pub store_delay: Span,
    /// So many dials from now on lead to nothing.
    pub failing_dials: u32,
    /// Whether frames are kept as they are sent, and the newest that were.
    pub tapped: bool,
    pub tap: VecDeque<Tapped>,
    queue: BTreeMap<(Time, u64), (NodeId, Input)>,
    /// Whether all dials fail.
    pub no_dials: bool,
    /// These answer keep-alives and drop the packets of others.
    pub droppers: BTreeSet<NodeId>,
    links: BTreeMap<LinkId, (NodeId, NodeId)>,
    cut: BTreeSet<NodeId>,
    claimed: BTreeMap<crate::name::Name, crate::id::UserKey>,
    enrolled: BTreeMap<NodeId, Option<crate::identity::Subject>>,
    /// Chains, lists of devices and of revocations that nodes have had kept.
    pub kept: Vec<(NodeId, StoreRequest)>,
    next: u64,
}

impl Net {
    pub fn new() -> Net {
        Net {
            now: Time(0),
            nodes: BTreeMap::new(),
            datagrams: Vec::new(),
            events: Vec::new(),
            replies: BTreeMap::new(),
            losing: None,
            sent: Vec::new(),
            hold_packets: false,
            held: Vec::new(),
            island: BTreeSet::new(),
            mute: BTreeSet::new(),
            liars: BTreeMap::new(),
            store_fails: false,
            failing_stores: BTreeSet::new(),
            store_delay: Span::ZERO,
            failing_dials: 0,
            tapped: false,
            tap: VecDeque::new(),
            queue: BTreeMap::new(),
            no_dials: false,
            droppers: BTreeSet::new(),
            links: BTreeMap::new(),
            cut: BTreeSet::new(),
            claimed: BTreeMap::new(),
            enrolled: BTreeMap::new(),
            kept: Vec::new(),
            next: 0,
        }
    }

    pub fn add(&mut self, setup: Setup) -> NodeId {
        if let Some(chain) = setup.identity.chain()
            && let Some(name) = chain.claimed_name().cloned()
        {
            self.claimed.entry(name).or_insert(crate::id::UserKey(chain.user.subject.0));
        }
        let mut node = Node::new(setup, self.now);
        let id = node.id();
        node.handle_input(self.now, Input::Listening(vec![address(id)]));
        self.nodes.insert(id, node);
        self.drain(id);
        id
    }

    /// Gives a command and runs until its reply.
    pub fn ask(&mut self, node: NodeId, command: Command) -> Reply {
        let id = self.command(node, command);
        for _ in 0..100_000 {
            if let Some(reply) = self.replies.remove(&id) {
                return reply;
            }
            assert!(self.step(Time::NEVER), "nothing left to happen");
        }
        panic!("no reply");
    }

    pub fn command(&mut self, node: NodeId, command: Command) -> CommandId {
        self.next += 1;
        let id = CommandId(self.next);
        self.input(node, Input::Command { id, command });
        id
    }

    pub fn run(&mut self, span: Span) {
        let until = self.now + span;
        while self.step(until) {}
        self.now = until;
    }

    /// The node vanishes: nothing comes from it any more and nobody is told.
    pub fn vanish(&mut self, node: NodeId) {
        self.nodes.remove(&node);
        self.cut.insert(node);
    }

    /// The node's process dies: its links are reset.
    pub fn kill(&mut self, node: NodeId) {
        self.nodes.remove(&node);
        let ends: Vec<_> = self.links.iter().map(|(link, ends)| (*link, *ends)).collect();
        for (link, (a, b)) in ends {
            if a == node || b == node {
                self.links.remove(&link);
                self.later(if a == node { b } else { a }, Input::LinkDown { link });
            }
        }
    }

    /// Peers logged in anywhere.
    pub fn peers_of_supernodes(&self) -> usize {
        self.nodes.values().filter_map(Node::supernode_view).map(|view| view.children).sum()
    }

    /// Supernodes of these numbers start; 0 is the registrar.
    pub fn start_supernodes(&mut self, realm: &mut Realm, numbers: Range<u8>) -> Vec<NodeId> {
        numbers.map(|n| self.add(realm.supernode(n))).collect()
    }

    /// Users of these numbers start and log in, one after the other.
    pub fn log_in(&mut self, realm: &mut Realm, users: Range<u8>) -> Vec<NodeId> {
        let users: Vec<NodeId> = users.map(|n| self.add(realm.user(n))).collect();
        for user in &users {
            let reply = self.ask(*user, Command::Login);
            assert!(matches!(reply, Reply::LoggedIn { .. }), "{reply:?}");
        }
        users
    }

    /// The store knows these users, as if they had registered before the network began.
    pub fn know(&mut self, realm: &Realm, users: Range<u8>) {
        for n in users {
            let setup = realm.user(n);
            let user = setup.identity.user.as_ref().expect("a user").public();
            self.claimed.insert(realm::user_name(n), user);
        }
    }

    /// The link between two nodes.
    pub fn link_between(&self, a: NodeId, b: NodeId) -> LinkId {
        self.try_link_between(a, b).expect("linked")
    }

    /// The link between two nodes, if there is one.
    pub fn try_link_between(&self, a: NodeId, b: NodeId) -> Option<LinkId> {
        let is_it = |ends: &(NodeId, NodeId)| *ends == (a, b) || *ends == (b, a);
        self.links.iter().find(|(_, ends)| is_it(ends)).map(|(link, _)| *link)
    }

    /// The transport of a link is gone.
    pub fn break_link(&mut self, link: LinkId) {
        let Some((a, b)) = self.links.remove(&link) else { return };
        self.later(a, Input::LinkDown { link });
        self.later(b, Input::LinkDown { link });
    }

    /// Some link of a node.
    pub fn link_of(&self, node: NodeId) -> LinkId {
        let has = |(_, (a, b)): &(&LinkId, &(NodeId, NodeId))| *a == node || *b == node;
        *self.links.iter().find(has).expect("a linked node").0
    }

    /// All links with their ends, the one that dialled first.
    pub fn links(&self) -> impl Iterator<Item = (LinkId, NodeId, NodeId)> + '_ {
        self.links.iter().map(|(link, (a, b))| (*link, *a, *b))
    }

    /// Somebody who is no node of this network links to one that is.
    pub fn knock(&mut self, stranger: NodeId, at: NodeId) -> LinkId {
        self.next += 1;
        let link = LinkId(self.next);
        self.links.insert(link, (stranger, at));
        let remote = address(stranger);
        self.input(at, Input::LinkUp { link, node: stranger, remote, dial: None });
        link
    }

    pub fn peer(&self, node: NodeId) -> crate::view::PeerView {
        self.nodes[&node].peer_view().expect("a peer")
    }

    fn step(&mut self, until: Time) -> bool {
        let queued = self.queue.first_key_value().map(|((at, _), _)| *at);
        let timer = self
            .nodes
            .iter()
            .filter_map(|(id, node)| Some((node.poll_timeout()?.at.max(self.now), *id)))
            .min();
        let timer_first = timer.filter(|(at, _)| queued.is_none_or(|q| *at < q));
        let at = timer_first.map(|(at, _)| at).or(queued);
        let Some(at) = at.filter(|at| *at <= until) else { return false };
        self.now = at.max(self.now);
        match timer_first {
            Some((_, id)) => self.input(id, Input::Tick),
            None => {
                if let Some((_, (node, input))) = self.queue.pop_first() {
                    self.input(node, input);
                }
            }
        }
        true
    }

    pub fn input(&mut self, id: NodeId, input: Input) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.handle_input(self.now, input);
            self.drain(id);
        }
    }

    /// Gives a node an input and looks at what it wants to do before that is done. `None` if there
    /// is no such node.
    pub fn watch<T>(
        &mut self,
        id: NodeId,
        input: Input,
        look: impl FnOnce(&Node, &[Output]) -> T,
    ) -> Option<T> {
        let node = self.nodes.get_mut(&id)?;
        node.handle_input(self.now, input);
        let outputs: Vec<Output> = std::iter::from_fn(|| node.poll_output()).collect();
        let seen = look(node, &outputs);
        outputs.into_iter().for_each(|output| self.perform(id, output));
        Some(seen)
    }

    fn drain(&mut self, id: NodeId) {
        while let Some(output) = self.nodes.get_mut(&id).and_then(Node::poll_output) {
            self.perform(id, output);
        }
    }

    fn perform(&mut self, from: NodeId, output: Output) {
        match output {
            Output::Dial { id, .. } if self.failing_dials > 0 => {
                self.failing_dials -= 1;
                self.later(from, Input::DialFailed { dial: id });
            }
            Output::Dial { id, node, .. }
                if self.nodes.contains_key(&node) && !self.parted(from, node) && !self.no_dials =>
            {
                self.next += 1;
                let link = LinkId(self.next);
                self.links.insert(link, (from, node));
                let up =
                    |node: NodeId, dial| Input::LinkUp { link, node, remote: address(node), dial };
                self.later(from, up(node, Some(id)));
                self.later(node, up(from, None));
            }
            Output::Dial { id, .. } => self.later(from, Input::DialFailed { dial: id }),
            Output::HangUp { link } => {
                if let Some((a, b)) = self.links.remove(&link) {
                    let other = if a == from { b } else { a };
                    if !self.mute.contains(&link) {
                        self.later(other, Input::LinkDown { link });
                    }
                    self.later(from, Input::LinkDown { link });
                }
            }
            Output::Send { frame, .. } if self.loses(&frame) => {}
            Output::Send { frame, .. } if self.drops(from, &frame) => {}
            Output::Send { frame, .. } if self.hold_packets && frame[0] == PACKET_MARK => {
                self.held.push(frame);
            }
            Output::Send { link, frame, .. } => {
                let frame = match self.liars.get(&from) {
                    Some(lie) => bent(lie, frame),
                    None => frame,
                };
                if let Ok(message) = decode_message(&frame) {
                    self.sent.push((message.number(), frame.len()));
                }
                if let Some((a, b)) = self.links.get(&link).copied() {
                    let other = if a == from { b } else { a };
                    self.overhear(link, &frame);
                    if !self.parted(from, other) && !self.mute.contains(&link) {
                        self.later(other, Input::Received { link, frame });
                    }
                }
            }
            // No test here writes letters.
            Output::Vault { id, .. } => {
                self.later(from, Input::Vaulted { id, answer: crate::mail::VaultAnswer::Kept });
            }
            Output::Store { id, request } => {
                let answer = self.store(from, request);
                let late = self.store_delay;
                self.later_by(late, from, Input::Stored { id, answer });
            }
            Output::Reply { id, reply } => {
                assert!(self.replies.insert(id, reply).is_none(), "two replies to one command");
            }
            Output::Datagram(datagram) => self.datagrams.push((from, datagram)),
            Output::Event(event) => self.events.push((from, event)),
        }
    }

    fn parted(&self, a: NodeId, b: NodeId) -> bool {
        self.island.contains(&a) != self.island.contains(&b)
    }

    fn drops(&self, from: NodeId, frame: &[u8]) -> bool {
        self.droppers.contains(&from) && source_of(frame).is_some_and(|source| source != from)
    }

    fn loses(&self, frame: &[u8]) -> bool {
        let number = decode_message(frame).map(|message| message.number());
        self.losing.is_some() && number.ok() == self.losing
    }

    fn store(&mut self, from: NodeId, request: StoreRequest) -> StoreAnswer {
        match request {
            _ if self.store_fails || self.failing_stores.contains(&from) => StoreAnswer::Failed,
            StoreRequest::ClaimName { name, user, .. } => {
                match *self.claimed.entry(name).or_insert(user) == user {
                    true => StoreAnswer::Granted { serial: 1 },
                    false => StoreAnswer::Taken,
                }
            }
            StoreRequest::RedeemTicket { node, registrar, .. } => {
                self.enrolled.insert(node, registrar);
                StoreAnswer::Granted { serial: 2 }
            }
            StoreRequest::FindSupernode { node } => match self.enrolled.get(&node) {
                Some(registrar) => StoreAnswer::Enrolled { registrar: *registrar },
                None => StoreAnswer::Missing,
            },
            StoreRequest::FindUser { name } => match self.claimed.get(&name) {
                Some(user) => StoreAnswer::Found { serial: 1, user: *user },
                None => StoreAnswer::Missing,
            },
            kept => {
                self.kept.push((from, kept));
                StoreAnswer::Granted { serial: 0 }
            }
        }
    }

    fn later(&mut self, node: NodeId, input: Input) {
        self.later_by(Span::ZERO, node, input);
    }

    fn later_by(&mut self, delay: Span, node: NodeId, input: Input) {
        self.next += 1;
        self.queue.insert((self.now + LATENCY + delay, self.next), (node, input));
    }

    fn overhear(&mut self, link: LinkId, frame: &[u8]) {
        if !self.tapped {
            return;
        }
        if self.tap.len() >= TAP_MAX {
            self.tap.pop_front();
        }
        self.tap.push_back(Tapped { link, frame: frame.to_vec() });
    }
}

pub(crate) fn address(node: NodeId) -> TransportAddress {
    TransportAddress::new(format!("t/{node:?}")).expect("short")
}

/// What a liar says instead of a message; `None` if that is what it means to say.
pub(crate) type Lie = Box<dyn Fn(&Message) -> Option<Message>>;

fn bent(lie: &Lie, frame: Vec<u8>) -> Vec<u8> {
    let message = decode_message(&frame).ok();
    let lied = message.and_then(|message| lie(&message));
    lied.map_or(frame, |message| encode(&message).expect("a lie fits"))
}
