//! Background improvement: parts of the network that hardly know each other are mixed.
//!
//! After a partition, or where two realms have grown apart, every slot may be full on either side
//! and no link lead across: nothing that repairs single peers would ever change that. It shows in
//! the labels: many of the newest roots do not reach a peer. Its home takes it out of two links and
//! splices it into one at the home of such a root.
//!
//! One way across is a bridge and no network yet. Links are drawn at random among all peers, so a
//! home has about as many to each other home as chance gives it. Where it has far fewer, it moves
//! some of its peers in the same way, a few at a time.

use super::Supernode;
use super::child::{Child, Phase};
use super::planner::Reach;
use super::trees::newest_by;
use crate::context::Context;
use crate::coordinates::Epoch;
use crate::id::{LinkId, NodeId, ShortId};
use crate::time::{Span, Time};
use std::collections::BTreeMap;

/// Links to another home by chance, from which on having few of them means something.
const EXPECTED_MIN: u64 = 16;
/// Homes are strangers below this part of the links by chance, and not any more from
/// [`MIXED_SHARE`] on: the gap between the two keeps mixing from being set off by chance.
const STRANGE_SHARE: u64 = 4;
/// See [`STRANGE_SHARE`].
const MIXED_SHARE: u64 = 2;
/// Heartbeats for which that must last: peers tell of new neighbours and new homes within less.
const PATIENCE: u32 = 5;
/// A peer that has been here for less may just not have its labels yet.
const SETTLED: Span = Span::secs(10);
/// In each heartbeat one peer in so many moves: the rest carries on, and few labels change twice.
const PEERS_EACH_BEAT: usize = 40;
/// Heartbeats of mixing after which it rests: it would have helped by now, and each move costs
/// others their labels.
const BUDGET: u32 = 60;
/// For so long.
const REST: Span = Span::secs(600);
/// Links that a move takes.
const LINKS_MOVED: usize = 2;

/// A home that a peer is to get neighbours at.
#[derive(Debug, Clone, Copy)]
struct Home {
    node: NodeId,
    /// The link to it; none to ourselves.
    link: Option<LinkId>,
}

/// Whether strangers are about.
#[derive(Debug, Default)]
pub(crate) struct Mixing {
    /// For so many heartbeats.
    strange: u32,
    /// Mixing has not helped: it is left alone until then.
    rest_until: Time,
}

impl Supernode {
    /// Looks for homes to which there are far fewer links than by chance, and mixes if there are.
    pub(super) fn mix(&mut self, cx: &mut Context) {
        let share = if self.mixing.strange >= PATIENCE { MIXED_SHARE } else { STRANGE_SHARE };
        let rests = cx.now < self.mixing.rest_until;
        let strangers = if rests { Vec::new() } else { self.strangers(cx, share) };
        let cut_off = self.cut_off(cx);
        if cut_off.is_empty() && strangers.is_empty() {
            self.mixing.strange = 0;
            return;
        }
        self.mixing.strange = self.mixing.strange.saturating_add(1);
        if self.mixing.strange < PATIENCE {
            return;
        }
        if let Some((node, home)) = cut_off.get(cx.random_below(cut_off.len())) {
            // One way across brings the labels over; whether it needs more is seen then.
            return self.move_to(cx, *node, *home);
        }
        if self.mixing.strange >= PATIENCE + BUDGET {
            self.mixing = Mixing { strange: 0, rest_until: cx.now + REST };
            return;
        }
        let peers: Vec<NodeId> = self.children.keys().copied().collect();
        for _ in 0..peers.len().div_ceil(PEERS_EACH_BEAT) {
            let node = peers.get(cx.random_below(peers.len()));
            let stranger = strangers.get(cx.random_below(strangers.len()));
            if let (Some(node), Some(stranger)) = (node, stranger) {
                self.move_to(cx, *node, *stranger);
            }
        }
    }

    /// Our linked peers to which half of the trees do not come from their newest roots, each with the
    /// home of such a root: no path leads from there. Of two parts one lacks half of the roots.
    fn cut_off(&self, cx: &Context) -> Vec<(NodeId, Home)> {
        let trees = 0..self.tree_count(cx);
        let newest: Vec<(usize, Home, Epoch)> = trees
            .filter_map(|tree| {
                let (home, epoch) = self.newest_root(cx, tree)?;
                Some((tree, home, epoch))
            })
            .collect();
        let missed = |child: &Child| {
            let lacks = |(tree, _, epoch): &&(usize, Home, Epoch)| {
                child.labels.get(*tree).epoch().is_none_or(|held| epoch.is_newer_than(held))
            };
            let mut lacking = newest.iter().filter(lacks);
            let (_, home, _) = lacking.next()?;
            (2 * (1 + lacking.count()) >= newest.len()).then_some(*home)
        };
        let settled = |child: &Child| cx.now.since(child.since) >= SETTLED && child.up() > 0;
        let children = self.children.iter().filter(|(_, child)| settled(child));
        children.filter_map(|(node, child)| Some((*node, missed(child)?))).collect()
    }

    /// The home that says to have the newest root of `tree`.
    fn newest_root(&self, cx: &Context, tree: usize) -> Option<(Home, Epoch)> {
        let us = Home { node: cx.me, link: None };
        let own = self.trees.root_epoch(tree).map(|epoch| (us, epoch));
        let theirs = self.members.newest_claim(tree);
        let theirs = theirs.map(|(node, link, epoch)| (Home { node, link: Some(link) }, epoch));
        newest_by(own.into_iter().chain(theirs), |(_, epoch)| *epoch)
    }

    /// The homes to which less than one in `share` of the links by chance leads.
    fn strangers(&self, cx: &Context, share: u64) -> Vec<Home> {
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
            expected >= EXPECTED_MIN && share * there < expected
        });
        strange.map(|(node, link, _)| Home { node, link: Some(link) }).collect()
    }

    /// Takes a peer out of two links and has it spliced into one of those of `home`.
    fn move_to(&mut self, cx: &mut Context, node: NodeId, home: Home) {
        let Some(child) = self.children.get(&node) else { return };
        let given_up = LINKS_MOVED.saturating_sub(child.free());
        let exclude = child.linked();
        let mut spared = self.spared(cx, child, home);
        if spared.len() < given_up {
            return;
        }
        for _ in 0..given_up {
            let cut = spared.swap_remove(cx.random_below(spared.len()));
            if let Some(child) = self.children.get_mut(&node) {
                child.unseat(cut);
            }
        }
        // The old neighbours' homes hear of it from them.
        self.splice_at(cx, node, home.link, exclude, Reach::Anywhere);
    }

    /// The neighbours that `child` can do without: those that are up, and not of the home where it
    /// is to have some. Not the near ones, unless it has no others.
    fn spared(&self, cx: &Context, child: &Child, home: Home) -> Vec<ShortId> {
        let up = child.seats().filter(|(_, seat)| seat.phase == Phase::Up);
        let others: Vec<NodeId> = up
            .filter(|(_, seat)| home.link.is_none() || seat.peer.home != home.node)
            .map(|(_, seat)| seat.peer.contact.node)
            .collect();
        let near = |node: &&NodeId| cx.config.near > 0 && self.children.contains_key(node);
        let (near, far): (Vec<&NodeId>, Vec<&NodeId>) = others.iter().partition(near);
        let spared = if far.len() < LINKS_MOVED { near } else { far };
        spared.into_iter().map(|node| node.short()).collect()
    }
}
