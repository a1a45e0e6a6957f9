//! Background improvement: parts of the network that hardly know each other are mixed.
//!
//! Links are drawn at random among all peers, so a home has about as many links to each other home
//! as chance gives it. After a partition, or where two realms have grown apart, it has next to
//! none, and nothing that repairs single peers would ever change that: every slot is full. Then a
//! home takes some of its peers out of two links each, a few peers at a time, and splices them into
//! links of the strangers.

use super::Supernode;
use super::child::{Child, Phase};
use super::splice::RequestKind;
use crate::context::Context;
use crate::id::{LinkId, NodeId, ShortId};
use crate::wire::message::Splice;
use std::collections::BTreeMap;

/// Links to another home by chance, from which on having few of them means something.
const EXPECTED_MIN: u64 = 16;
/// The same for having none at all. If it is chance after all, a peer or two move for nothing.
const EXPECTED_MIN_OF_NONE: u64 = 2;
/// Homes are strangers below this part of the links by chance, and not any more from
/// [`MIXED_SHARE`] on: the gap between the two keeps mixing from being set off by chance.
const STRANGE_SHARE: u64 = 4;
/// See [`STRANGE_SHARE`].
const MIXED_SHARE: u64 = 2;
/// Heartbeats for which that must last: peers tell of new neighbours and new homes within less.
const PATIENCE: u32 = 5;
/// In each heartbeat one peer in so many moves: the rest carries on, and few labels change twice.
const PEERS_EACH_BEAT: usize = 40;
/// Links that a move takes.
const LINKS_MOVED: usize = 2;

/// Whether strangers are about.
#[derive(Debug, Default)]
pub(crate) struct Mixing {
    /// For so many heartbeats.
    strange: u32,
}

impl Supernode {
    /// Looks for homes to which there are far fewer links than by chance, and mixes if there are.
    pub(super) fn mix(&mut self, cx: &mut Context) {
        let share = if self.mixing.strange >= PATIENCE { MIXED_SHARE } else { STRANGE_SHARE };
        let strangers = self.strangers(cx, share);
        if strangers.is_empty() {
            self.mixing.strange = 0;
            return;
        }
        self.mixing.strange = self.mixing.strange.saturating_add(1);
        if self.mixing.strange < PATIENCE {
            return;
        }
        let peers: Vec<NodeId> = self.children.keys().copied().collect();
        for _ in 0..peers.len().div_ceil(PEERS_EACH_BEAT) {
            let node = peers.get(cx.random_below(peers.len()));
            let stranger = strangers.get(cx.random_below(strangers.len()));
            if let (Some(node), Some((home, link))) = (node, stranger) {
                self.move_to(cx, *node, *home, *link);
            }
        }
    }

    /// The homes to which less than one in `share` of the links by chance leads.
    fn strangers(&self, cx: &Context, share: u64) -> Vec<(NodeId, LinkId)> {
        let mut links: BTreeMap<NodeId, u64> = BTreeMap::new();
        for (_, seat) in self.children.values().flat_map(|child| child.seats()) {
            let ours = self.children.contains_key(&seat.peer.contact.node);
            *links.entry(if ours { cx.me } else { seat.peer.home }).or_default() += 1;
        }
        let all: u64 = links.values().sum();
        // Near links lead to nobody else by intention.
        let (degree, near) = (cx.config.degree.max(1), cx.config.near);
        let by_chance = all * degree.saturating_sub(near) as u64 / degree as u64;
        let ours = if near > 0 { 0 } else { self.children.len() };
        let peers = (self.members.peers() + ours).max(1) as u64;
        let homes = self.members.weights(|load| load.children).into_iter();
        let strange = homes.filter(|(home, _, children)| {
            let theirs = u64::from(*children) * degree.saturating_sub(near) as u64;
            let expected = (by_chance * u64::from(*children) / peers).min(theirs);
            let there = links.get(home).copied().unwrap_or(0);
            let few = expected >= EXPECTED_MIN && share * there < expected;
            few || expected >= EXPECTED_MIN_OF_NONE && there == 0
        });
        strange.map(|(home, link, _)| (home, link)).collect()
    }

    /// Takes a peer out of two links and asks `home` to splice it into one of its own.
    fn move_to(&mut self, cx: &mut Context, node: NodeId, home: NodeId, link: LinkId) {
        let Some(child) = self.children.get(&node) else { return };
        let given_up = LINKS_MOVED.saturating_sub(child.free());
        let (joiner, exclude) = (child.contact.clone(), child.linked());
        let mut spared = self.spared(cx, child, home);
        if spared.len() < given_up {
            return;
        }
        let Some(id) = self.open_request(cx, RequestKind::Splice { child: node }) else { return };
        for _ in 0..given_up {
            let cut = spared.swap_remove(cx.random_below(spared.len()));
            if let Some(child) = self.children.get_mut(&node) {
                child.unseat(cut);
            }
        }
        // The old neighbours' homes hear of it from them.
        self.reserve(cx, node, LINKS_MOVED);
        cx.send(link, Splice { id, joiner, exclude });
    }

    /// The neighbours that `child` can do without: those that are up, and not of `home`. Not the
    /// near ones, unless it has no others.
    fn spared(&self, cx: &Context, child: &Child, home: NodeId) -> Vec<ShortId> {
        let up = child.seats().filter(|(_, seat)| seat.phase == Phase::Up);
        let others: Vec<NodeId> = up
            .filter(|(_, seat)| seat.peer.home != home)
            .map(|(_, seat)| seat.peer.contact.node)
            .collect();
        let near = |node: &&NodeId| cx.config.near > 0 && self.children.contains_key(node);
        let (near, far): (Vec<&NodeId>, Vec<&NodeId>) = others.iter().partition(near);
        let spared = if far.len() < LINKS_MOVED { near } else { far };
        spared.into_iter().map(|node| node.short()).collect()
    }
}
