//! The spanning trees: who owns them, which peer is their root, and their epochs.
//!
//! Tree `i` belongs to the first live supernode with peers in the rendezvous order of `i`. Its
//! root is one of that supernode's peers; supernodes carry no content.

use super::Supernode;
use super::child::Child;
use crate::config::TREES_MAX;
use crate::context::Context;
use crate::coordinates::{Coordinates, Epoch, Label};
use crate::id::NodeId;
use crate::rendezvous;
use crate::time::Span;
use crate::wire::message::RootClaim;
use std::collections::BTreeMap;

/// Memberships rest this many heartbeats before a tree gets a new root: a supernode that has just
/// started must first hear of the others.
const REST_HEARTBEATS: u64 = 3;

/// What this supernode knows of the trees.
#[derive(Debug, Default)]
pub(crate) struct Trees {
    /// The roots among our peers, by tree.
    roots: BTreeMap<usize, Root>,
    /// The newest epoch seen in labels, by tree.
    epochs: Vec<Option<Epoch>>,
}

/// The first of those with the newest epoch.
pub(super) fn newest_by<T>(all: impl Iterator<Item = T>, epoch: impl Fn(&T) -> Epoch) -> Option<T> {
    all.reduce(|a, b| if epoch(&b).is_newer_than(epoch(&a)) { b } else { a })
}

fn newest(epochs: impl Iterator<Item = Epoch>) -> Option<Epoch> {
    newest_by(epochs, |epoch| *epoch)
}

#[derive(Debug, Clone, Copy)]
struct Root {
    child: NodeId,
    epoch: Epoch,
}

impl Trees {
    pub fn owned(&self) -> usize {
        self.roots.len()
    }

    /// The root's label, if `child` is the root of `tree`.
    pub fn root_label(&self, tree: usize, child: NodeId) -> Option<Label> {
        let root = self.roots.get(&tree)?;
        (root.child == child).then(|| Label::root(root.epoch))
    }

    /// The epoch of `tree`'s root, if that is one of our peers.
    pub fn root_epoch(&self, tree: usize) -> Option<Epoch> {
        self.roots.get(&tree).map(|root| root.epoch)
    }

    /// What this supernode tells the others of its roots.
    pub fn claims(&self) -> Vec<RootClaim> {
        let claim = |(tree, root): (&usize, &Root)| {
            let tree = u8::try_from(*tree).ok()?;
            Some(RootClaim { tree, epoch: root.epoch, root: root.child.short() })
        };
        self.roots.iter().filter_map(claim).collect()
    }

    /// Learns epochs from a peer's or neighbour's place.
    pub fn observe(&mut self, coordinates: &Coordinates) {
        for (tree, label) in coordinates.labels.iter().enumerate() {
            if let Some(epoch) = label.epoch() {
                self.observe_epoch(tree, epoch);
            }
        }
    }

    /// Keeps the roots that a peer was under its former home: its trees stand while it does. An
    /// owner elsewhere replaces it in its own time.
    pub fn inherit(&mut self, coordinates: &Coordinates) {
        self.observe(coordinates);
        for (tree, label) in coordinates.labels.iter().enumerate() {
            let Some(epoch) = label.epoch().filter(|_| label.depth() == Some(0)) else { continue };
            if self.epoch(tree) == Some(epoch) {
                self.roots.entry(tree).or_insert(Root { child: coordinates.node, epoch });
            }
        }
    }

    fn observe_epoch(&mut self, tree: usize, epoch: Epoch) {
        if self.epochs.len() <= tree {
            self.epochs.resize(tree + 1, None);
        }
        let known = &mut self.epochs[tree];
        if known.is_none_or(|known| epoch.is_newer_than(known)) {
            *known = Some(epoch);
        }
    }

    fn epoch(&self, tree: usize) -> Option<Epoch> {
        self.epochs.get(tree).copied().flatten()
    }
}

impl Supernode {
    /// Appoints and dismisses roots as the membership wants it.
    pub(super) fn tend_trees(&mut self, cx: &mut Context) {
        let rest = Span(REST_HEARTBEATS * cx.config.heartbeat.0);
        if self.children.is_empty() {
            // Its last peers have gone, and the roots with them: others would hear of these for ever.
            self.trees.roots.clear();
            return;
        }
        if cx.now.since(self.members.changed_at) < rest {
            return;
        }
        let me = std::iter::once(cx.me);
        let members: Vec<NodeId> = self.members.with_children().chain(me).collect();
        for tree in 0..self.tree_count(cx) {
            let owner = rendezvous::first(b"tree", tree as u64, members.iter().copied(), 1);
            if owner == [cx.me] {
                self.tend_own_tree(cx, tree);
            } else {
                self.hand_over_tree(tree);
            }
        }
    }

    /// How many trees there are: as many as the realm's size asks for, and all that stand.
    pub(super) fn tree_count(&self, cx: &Context) -> usize {
        let peers = self.children.len() + self.members.peers();
        let reached = cx.config.tree_steps.iter().filter(|(least, _)| peers >= *least);
        let by_size = reached.map(|(_, trees)| *trees).fold(cx.config.trees, usize::max);
        let own = self.trees.roots.keys().next_back().map_or(0, |tree| tree + 1);
        by_size.max(own).max(self.members.trees_claimed()).min(TREES_MAX)
    }

    fn tend_own_tree(&mut self, cx: &mut Context, tree: usize) {
        let claimed = newest(self.members.claims(tree).map(|claim| claim.epoch));
        let known = newest(self.trees.epoch(tree).into_iter().chain(claimed));
        let root = self.trees.roots.get(&tree).copied();
        let alive = root.filter(|root| self.children.contains_key(&root.child));
        // Two roots of one epoch would give two peers one label. Only the owner may end that, with
        // an epoch that is newer than both.
        let outdone = alive.is_some_and(|root| {
            known.is_some_and(|known| known.is_newer_than(root.epoch))
                || self.members.claims(tree).any(|claim| claim.epoch == root.epoch)
        });
        let child = match alive {
            Some(root) if outdone => root.child,
            // A root of two trees is a hot spot twice, and one tree fewer to choose from.
            Some(root) if self.is_shared(tree, root) => match self.stable_child() {
                Some(child) if !self.is_root(child) => child,
                _ => return,
            },
            Some(_) => return,
            None => match self.stable_child() {
                Some(child) => child,
                None => return,
            },
        };
        // A first epoch from the clock: one that a restarted realm has hardly just used.
        let epoch = known.map_or(Epoch((cx.wall().0 / 1_000) as u8), Epoch::next);
        self.trees.roots.insert(tree, Root { child, epoch });
        self.trees.observe_epoch(tree, epoch);
        self.stale.insert(child);
    }

    /// Another owner's root takes over once its epoch has reached ours; until then ours stays, or
    /// everyone below it would lose its label first.
    fn hand_over_tree(&mut self, tree: usize) {
        let Some(root) = self.trees.roots.get(&tree).copied() else { return };
        let label = self.children.get(&root.child).map(|child| child.labels.get(tree));
        let replaced = label.and_then(Label::epoch).is_some_and(|e| e.is_newer_than(root.epoch));
        if (replaced || label.is_none()) && !seeded!(TreeNotHandedOver) {
            self.trees.roots.remove(&tree);
            self.stale.insert(root.child);
        }
    }

    /// The linked peer that has been here longest and is no root yet, else any linked one. Who is
    /// alone in the realm needs no link.
    fn stable_child(&self) -> Option<NodeId> {
        let alone = self.children.len() + self.members.peers() == 1;
        let linked = self.children.iter().filter(|(_, child)| alone || child.up() > 0);
        let rank = |node: &NodeId, child: &Child| (self.is_root(*node), child.since);
        linked.min_by_key(|(node, child)| rank(node, child)).map(|(node, _)| *node)
    }

    fn is_root(&self, node: NodeId) -> bool {
        self.trees.roots.values().any(|root| root.child == node)
    }

    fn is_shared(&self, tree: usize, root: Root) -> bool {
        self.trees.roots.range(..tree).any(|(_, other)| other.child == root.child)
    }
}
