//! The links of a node: one for each other node, greeted, kept alive, given up when dead.

mod agenda;
mod in_step;
mod keep_alive;
mod strangers;

pub(crate) use in_step::{News, begin_anew, miss, note_told};
pub(crate) use keep_alive::{heard, keep_alive, next_tick, tick};

use crate::context::Context;
use crate::coordinates::LinkCost;
use crate::footprint::Heap;
use crate::id::{LinkId, NodeId};
use crate::identity::Certificate;
use crate::identity::certificate::CertificateError;
use crate::status::Status;
use crate::time::{Span, Time};
use crate::wire::message::{Goodbye, HOMES_BY_DISTANCE, Hello};
use crate::wire::{Message, TransportAddress, codec};
use crate::{config, id::Nonce};
use agenda::Agenda;
use in_step::Step;
use keep_alive::wake_for;
use rand::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One link.
#[derive(Debug)]
pub(crate) struct Link {
    pub node: NodeId,
    pub remote: TransportAddress,
    pub phase: Phase,
    pub rtt: Option<Span>,
    /// What it costs a path: as the asking end says.
    pub cost: LinkCost,
    /// Whether this end dialled.
    dialled: bool,
    heard: Time,
    ask_at: Time,
    /// When it stands in the agenda.
    moment: Option<Time>,
    asked: Option<(u32, Time)>,
    seq: u32,
    step: Step,
}

/// How far the link's greeting has come.
#[derive(Debug)]
pub(crate) enum Phase {
    /// Our greeting is out, theirs is awaited.
    Greeting { sent: Vec<u8>, since: Time },
    /// Both are there.
    Ready(Greeted),
}

/// What both greetings have settled.
#[derive(Debug)]
pub(crate) struct Greeted {
    /// A hash of both greetings and both node ids: what a proof on this link signs.
    pub transcript: [u8; 32],
    /// The other end's certificate, checked, if it is a supernode.
    pub supernode: Option<Arc<Certificate>>,
    /// Whether either end is a supernode.
    pub with_supernode: bool,
    /// Whether peers log in at the nearest supernode.
    pub by_distance: bool,
    /// Since when.
    pub since: Time,
}

/// All links of a node.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// Boxed: a node of the map has room for eleven, whether they are there or not.
    by_id: BTreeMap<LinkId, Box<Link>>,
    by_node: BTreeMap<NodeId, LinkId>,
    agenda: Agenda,
    /// Those that came to us and have not been greeted.
    strangers: BTreeSet<LinkId>,
}

/// What a new link means for an older one to the same node.
pub(crate) enum Arrival {
    /// The new link is used; this older one is not any more.
    Taken { replaced: Option<LinkId> },
    /// The new link is not used.
    Declined,
}

impl Links {
    pub fn get(&self, link: LinkId) -> Option<&Link> {
        self.by_id.get(&link).map(|link| &**link)
    }

    pub fn node_of(&self, link: LinkId) -> Option<NodeId> {
        self.by_id.get(&link).map(|l| l.node)
    }

    /// The greeted link to `node`, if there is one.
    pub fn ready_to(&self, node: NodeId) -> Option<LinkId> {
        let link = *self.by_node.get(&node)?;
        self.greeted(link).map(|_| link)
    }

    /// Whether there is any link to `node`, greeted or not.
    pub fn has(&self, node: NodeId) -> bool {
        self.by_node.contains_key(&node)
    }

    pub fn greeted(&self, link: LinkId) -> Option<&Greeted> {
        match &self.by_id.get(&link)?.phase {
            Phase::Ready(greeted) => Some(greeted),
            Phase::Greeting { .. } => None,
        }
    }

    /// When something valid came over `link` last.
    pub fn heard(&self, link: LinkId) -> Option<Time> {
        self.by_id.get(&link).map(|link| link.heard)
    }

    pub fn iter(&self) -> impl Iterator<Item = (LinkId, &Link)> {
        self.by_id.iter().map(|(id, link)| (*id, &**link))
    }

    pub fn remove(&mut self, link: LinkId) -> Option<Link> {
        let gone = *self.by_id.remove(&link)?;
        self.strangers.remove(&link);
        self.agenda.forget(link, gone.moment);
        if self.by_node.get(&gone.node) == Some(&link) {
            self.by_node.remove(&gone.node);
        }
        Some(gone)
    }
}

/// Takes a new link in and greets, unless there is a better link to the same node. Of too many
/// strangers one makes room. Of two links dialled from both ends at once, both ends keep the one that the lower
/// node id dialled.
pub(crate) fn arrive(
    cx: &mut Context,
    link: LinkId,
    node: NodeId,
    remote: TransportAddress,
    dialled: bool,
    hello: impl FnOnce(&mut Context, Nonce) -> Hello,
) -> Arrival {
    let known = cx.links.by_node.get(&node).copied();
    let lower_dials = |by_us: bool| (cx.me < node) == by_us;
    let older_is_better = known
        .and_then(|old| cx.links.get(old))
        .is_some_and(|old| lower_dials(old.dialled) && !lower_dials(dialled));
    if node == cx.me || older_is_better || cx.links.by_id.contains_key(&link) {
        cx.hang_up(link);
        return Arrival::Declined;
    }
    if !dialled && let Some(crowded) = cx.links.crowded_out() {
        // No role knows of a link before it is greeted: it is gone now, whatever the driver says.
        cx.links.remove(crowded);
        cx.hang_up(crowded);
    }
    let mut nonce = [0; 32];
    cx.rng.fill_bytes(&mut nonce);
    let mut hello = hello(cx, Nonce(nonce));
    hello.observed = Some(remote.clone());
    let Ok(sent) = codec::encode(&Message::Hello(hello)) else { return Arrival::Declined };
    cx.send_frame(link, crate::wire::Class::Control, sent.clone());
    let ask_at = cx.now + cx.jitter(cx.config.keep_alive);
    let phase = Phase::Greeting { sent, since: cx.now };
    let fresh = Link {
        node,
        remote,
        phase,
        rtt: None,
        cost: LinkCost::HOP_ONLY,
        dialled,
        heard: cx.now,
        ask_at,
        moment: None,
        asked: None,
        seq: 0,
        step: Step::default(),
    };
    cx.links.by_id.insert(link, Box::new(fresh));
    cx.links.by_node.insert(node, link);
    if !dialled {
        cx.links.strangers.insert(link);
    }
    wake_for(cx, link);
    if let Some(old) = known {
        cx.hang_up(old);
    }
    Arrival::Taken { replaced: known }
}

/// Takes the other end's greeting. `raw` is its frame.
///
/// # Errors
/// The status with which the link is to be ended; nothing has changed then.
pub(crate) fn greet(
    cx: &mut Context,
    link: LinkId,
    hello: &Hello,
    raw: &[u8],
) -> Result<(), Status> {
    let Some(Link { node, phase: Phase::Greeting { sent, .. }, .. }) = cx.links.get(link) else {
        return Err(Status::MALFORMED);
    };
    if hello.realm != cx.identity.realm {
        return Err(Status::FOREIGN_REALM);
    }
    let version = hello.version_max.min(config::PROTOCOL_VERSION);
    if version < hello.version_min.max(config::PROTOCOL_VERSION_MIN) {
        return Err(Status::VERSION);
    }
    let transcript = transcript(cx.me, sent, *node, raw);
    if let Some(certificate) = &hello.supernode {
        if certificate.subject.0 != node.0 {
            return Err(CertificateError::WrongSubject.status());
        }
        cx.learn_issuer(certificate)?;
    }
    let by_distance = hello.capabilities & HOMES_BY_DISTANCE != 0;
    let supernode = hello.supernode.clone();
    let with_supernode = supernode.is_some() || cx.identity.supernode.is_some();
    let greeted = Greeted { transcript, supernode, with_supernode, by_distance, since: cx.now };
    cx.links.strangers.remove(&link);
    if let Some(known) = cx.links.by_id.get_mut(&link) {
        known.phase = Phase::Ready(greeted);
        known.heard = cx.now;
        // The first question at once: where a link leads is chosen by its round-trip time.
        known.ask_at = cx.now;
    }
    wake_for(cx, link);
    Ok(())
}

/// The same at both ends: the lower node id's greeting comes first.
pub(crate) fn transcript(me: NodeId, mine: &[u8], other: NodeId, theirs: &[u8]) -> [u8; 32] {
    let ends =
        if me < other { [(me, mine), (other, theirs)] } else { [(other, theirs), (me, mine)] };
    let mut hasher = blake3::Hasher::new();
    for (node, hello) in ends {
        hasher.update(&node.0);
        hasher.update(&(hello.len() as u64).to_be_bytes());
        hasher.update(hello);
    }
    *hasher.finalize().as_bytes()
}

/// Says why, then hangs up. The link is still known until the driver reports it down.
pub(crate) fn dismiss(cx: &mut Context, link: LinkId, status: Status) {
    cx.send(link, Goodbye { status });
    cx.hang_up(link);
}

impl Heap for Link {
    fn heap(&self) -> usize {
        let phase = match &self.phase {
            Phase::Greeting { sent, .. } => sent.heap(),
            Phase::Ready(greeted) => greeted.supernode.heap(),
        };
        self.remote.heap() + phase
    }
}

impl Heap for Links {
    fn heap(&self) -> usize {
        self.by_id.heap() + self.by_node.heap() + self.strangers.heap() + self.agenda.heap()
    }
}
